"""Questions about one endpoint, and about its answer, as questions about the client's connection.

The answer goes from the endpoint to the client: what is asked of its destination is asked of the client's
source, and so on. Nothing is known of other things, such as its length: they are questions of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.unknowns import Unknowns

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.engine.fields import Field


class Reworded(Unknowns):
    """What is not known of a connection, asked in other words: `reword` says what they mean there."""

    def __init__(self, of: Unknowns, reword: Callable[[Condition], Condition]) -> None:
        self.__dict__.update(of.__dict__)  # one account of fields and nodes, whoever asks
        self._of = of
        self._reword = reword

    def condition(self, condition: Condition) -> int:
        """Return where a condition holds."""
        return self._of.condition(self._reword(condition))

    def told(self, condition: Condition) -> bool | None:
        """Return whether a condition holds, as far as that is known."""
        return self._of.told(self._reword(condition))


def of_endpoint(address: str, *, routed: bool) -> Callable[[Condition], Condition]:
    """Return what makes questions about where DNAT sends packets ones about this endpoint.

    Once a packet is `routed` there, its output interface is that of the endpoint; OUTPUT still sees the one
    before.
    """

    def reword(condition: Condition) -> Condition:
        if condition.kind == "endpoint-local":
            return condition._replace(value=address)
        if condition.kind == "out-interface" and routed:
            return condition._replace(rewritten=address)
        return condition

    return reword


_SWAPPED = {
    "source-cidr": "destination-cidr",
    "source-range": "destination-range",
    "source-port": "destination-port",
    "source-type": "destination-type",
    "in-interface": "out-interface",
}
_OTHER_SIDE = _SWAPPED | {other: kind for kind, other in _SWAPPED.items()}
_SIDES = {"src": "dst", "dst": "src"}
_OF_ONE_PACKET: dict[str, Callable[[Condition], str]] = {
    "length": lambda asked: f"-m length --length {asked.value}",
    "ttl": lambda asked: f"-m ttl --ttl-eq {asked.value}",
    "rate": lambda asked: _dashed(asked.value),
    "quota": lambda asked: f"-m quota --quota {asked.value}",
    "recent": lambda asked: f"-m recent --name {asked.value} {asked.details}",
    "count": lambda asked: asked.value,
    "match": lambda asked: asked.value,
}
"""What differs from packet to packet, by its kind: the options that ask for it."""


def _dashed(rate: str) -> str:
    """Return `limit 3/hour limit-burst 9` as the options that it stands for."""
    words = rate.split()
    return f"-m {words[0].split('-')[0]} " + " ".join(
        f"--{word}" if place % 2 == 0 else word for place, word in enumerate(words)
    )


def of_answer(address: str) -> Callable[[Condition], Condition]:
    """Return what makes questions about the answer of an endpoint ones about the connection."""

    def reword(condition: Condition) -> Condition:
        if condition.kind in _OTHER_SIDE:
            kind = _OTHER_SIDE[condition.kind]
            # The interface is that of the endpoint, and so is the source that MASQUERADE takes from it.
            rewritten = address if kind == "out-interface" or condition.since is not None else ""
            return condition._replace(kind=kind, details="", rewritten=rewritten)
        if condition.kind == "set":
            directions = ",".join(_SIDES.get(side, side) for side in condition.details.split(","))
            return condition._replace(details=directions)
        if condition.kind in _OF_ONE_PACKET:
            return Condition("answer", _OF_ONE_PACKET[condition.kind](condition), rule=condition.rule)
        return condition

    return reword


_OF_AN_ENDPOINT = {"endpoint-local", "local"}


def is_of_endpoint(field: Field) -> bool:
    """Whether what is asked is asked of one endpoint: by its address, or of what nat has made of a packet."""
    rewritten = field.rewritten or (field.since is not None and field.kind.startswith("destination"))
    return bool(rewritten) or field.kind in _OF_AN_ENDPOINT
