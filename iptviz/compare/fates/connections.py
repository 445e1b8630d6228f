"""Whether new connections to one address and port fare alike on two nodes, or a packet that tells them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.compare.fates.client_comparison import ClientComparison
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.effects import UNKNOWN
from iptviz.paths.clients import everybody
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.compare.fates.endings import Apart
    from iptviz.compare.fates.two_nodes import Side
    from iptviz.engine.condition import When
    from iptviz.paths.clients import Asked, Client


Open = Literal["chains not in the dump", "conditions that may be the same", "too many cases"]
"""Why it may stay open whether connections fare alike: a chain decides that a dump does not show; each side has a
condition, of which nobody knows whether they are one; what is dropped is not added up over many endpoints."""


class Compared(NamedTuple):
    """What is found of connections to one address and port.

    `open_by`: where nothing tells them apart, why it is not known whether they fare alike; None: they do. `same`
    are questions that both sides ask and nobody answers, taken to have one answer; `assumed` is taken for
    granted.
    """

    apart: Apart | None
    open_by: Open | None
    same: tuple[Condition, ...]
    assumed: When


def compared(
    old: Side, new: Side, asked: Asked, *, answers: bool = True, sources: Sequence[str] = ()
) -> Compared:
    """Compare how connections to one address and port fare; of `sources` a packet that tells them apart comes.

    `answers`: what becomes of the endpoint's answer is compared, too.

    Raises:
        TooLargeError: there are too many cases.
        PacketError: they cannot be followed, or too many different packets would have to be.
    """
    found = Compared(None, None, (), ())
    for client in everybody(asked):
        own = _found(old, new, asked, client, sources, answers=answers)
        if own.rests_on_changes and own.apart is None:
            usual = _found(old, new, asked, _usual(client), sources, answers=answers)
            changed: Open | None = "conditions that may be the same" if usual.rests_on_changes else None
            own = usual._replace(
                open_by=own.open_by or usual.open_by or changed, assumed=(*usual.assumed, *_USUAL)
            )
        found = Compared(
            own.apart,
            found.open_by or own.open_by,
            tuple(dict.fromkeys((*found.same, *own.same))),
            tuple(dict.fromkeys((*found.assumed, *own.assumed))),
        )
        if own.apart is not None:
            break
    return found


class _Found(NamedTuple):
    """As `Compared`, of one kind of client; `rests_on_changes`: something is asked that rules made unknown."""

    apart: Apart | None
    open_by: Open | None
    same: tuple[Condition, ...]
    assumed: When
    rests_on_changes: bool


def _found(
    old: Side, new: Side, asked: Asked, client: Client, sources: Sequence[str], *, answers: bool
) -> _Found:
    """Compare for one kind of client; a case is found to be one by a packet of which all is known."""
    comparison = ClientComparison(old, new, asked, client, answers=answers)
    apart: Apart | None = None
    open_by: Open | None = None
    for chosen in comparison.cases(sources):
        tried = (
            ClientComparison(old, new, asked, known, answers=answers).apart()
            for known in chosen.clients(client)
        )
        apart = next(filter(None, tried), None)
        if apart is not None and not any(end.outcome == UNKNOWN for end in (*apart.old, *apart.new)):
            break
        apart, open_by = None, "conditions that may be the same"
    if comparison.decides_unseen:
        open_by = "chains not in the dump"
    elif comparison.is_large:
        open_by = open_by or "too many cases"
    return _Found(
        apart, open_by, tuple(comparison.asked_by_both), comparison.assumed, comparison.rests_on_changes
    )


_USUAL_TTL = 64
_USUAL = (
    Assumption(Condition("ttl", str(_USUAL_TTL)), holds=True),
    Assumption(Condition("match", "-m tos --tos 0x00/0xff"), holds=True),
)


def _usual(client: Client) -> Client:
    """Return a client whose packets have the usual time to live and kind of service.

    What rules make of one that is not known is not known, so that it cannot be compared.
    """
    return client._replace(packet=client.packet._replace(ttl=_USUAL_TTL, tos=0))
