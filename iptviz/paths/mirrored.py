"""Questions about one endpoint, and about its answer, as questions about the client's connection.

The answer goes from the endpoint to the client: what is asked of its destination is asked of the client's
source, and so on. Nothing is known of other things, such as its length: they are questions of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.unknowns import Unknowns
from iptviz.xtables.address import split_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.engine.fields import Field
    from iptviz.engine.packet import Packet


class Reworded(Unknowns):
    """What is not known of a connection, asked in other words: `reword` says what they mean there."""

    def __init__(self, of: Unknowns, reword: Callable[[Condition], Condition | bool]) -> None:
        self.__dict__.update(of.__dict__)  # one account of fields and nodes, whoever asks
        self._of = of
        self._reword = reword

    def condition(self, condition: Condition) -> int:
        """Return where a condition holds."""
        meant = self._reword(condition)
        if isinstance(meant, bool):
            return self.diagrams.yes if meant else self.diagrams.no
        return self._of.condition(meant)

    def told(self, condition: Condition) -> bool | None:
        """Return whether a condition holds, as far as that is known."""
        meant = self._reword(condition)
        return meant if isinstance(meant, bool) else self._of.told(meant)


def of_endpoint(address: str, *, routed: bool) -> Callable[[Condition], Condition | bool]:
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
    "in-interface": "out-interface",
}
_OTHER_SIDE = (
    _SWAPPED | {other: kind for kind, other in _SWAPPED.items()} | {"destination-type": "source-type"}
)
_SIDES = {"src": "dst", "dst": "src"}
_OF_ONE_PACKET: dict[str, Callable[[Condition], str]] = {
    "length": lambda asked: f"-m length --length {asked.value}",
    "ttl": lambda asked: f"-m ttl --ttl-eq {asked.value}",
    "rate": lambda asked: _dashed(asked.value),
    "quota": lambda asked: f"-m quota --quota {asked.value}",
    "recent": lambda asked: f"-m recent --name {asked.value} {asked.details}",
    "count": lambda asked: asked.value,
    "match": lambda asked: asked.value,
    "source-type": lambda asked: f"-m addrtype --src-type {asked.value}",
}
"""What differs from packet to packet, by its kind: the options that ask for it."""


def _dashed(rate: str) -> str:
    """Return `limit 3/hour limit-burst 9` as the options that it stands for."""
    words = rate.split()
    return f"-m {words[0].split('-')[0]} " + " ".join(
        f"--{word}" if place % 2 == 0 else word for place, word in enumerate(words)
    )


_OF_ITS_CONNECTION = "-m conntrack --ctorig"
"""What begins so asks the same of each packet of a connection."""


def of_answer(address: str, *, is_local: bool) -> Callable[[Condition], Condition | bool]:
    """Return what makes questions about the answer of an endpoint ones about the connection.

    `is_local`: the endpoint is this node, so that the answer's source is; nat hides it only when all is over.
    """

    def reword(condition: Condition) -> Condition | bool:
        if condition.kind == "source-type" and (is_local or condition.value == "LOCAL"):
            return is_local and "LOCAL" in condition.values
        if condition.value.startswith(_OF_ITS_CONNECTION):
            return condition
        if condition.kind in _OTHER_SIDE:
            kind = _OTHER_SIDE[condition.kind]
            # The interface is that of the endpoint, and so is the source that MASQUERADE takes from it.
            masqueraded = condition.since is not None and kind.startswith("source")
            rewritten = address if kind == "out-interface" or masqueraded else ""
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


def of_another(field: Field, address: str, other: str) -> Field | None:
    """Return what is asked of one endpoint as it is asked of another; None where that cannot be said.

    What no endpoint is asked stays as it is.
    """
    if not is_of_endpoint(field):
        return field
    if field.since is not None:
        return None
    if field.kind in _OF_AN_ENDPOINT:
        return field._replace(value=other) if (field.value, field.rewritten) == (address, "") else None
    if split_endpoint(field.rewritten)[0] != address:
        return None
    return field._replace(rewritten=field.rewritten.replace(address, other, 1))


def changed_sides(packet: Packet, *, masqueraded: bool) -> tuple[tuple[str, int], ...]:
    """Return which rules made addresses and ports of an answer unknown: those that did so of the request's."""
    sides = {"destination": "source", "destination_port": "source_port"}
    if masqueraded:
        sides |= {other: side for side, other in sides.items()}
    return tuple(sorted((sides[field], line) for field, line in packet.changed if field in sides))
