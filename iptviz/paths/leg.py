"""One leg of a connection's way: some turns through tables, at whose end a packet is let through, or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from iptviz.engine.chains import Chains, Ended
from iptviz.engine.journey import Journey
from iptviz.paths.mirrored import Reworded, of_endpoint
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable

    from iptviz.engine.effects import Stop
    from iptviz.engine.hooks import Hooks
    from iptviz.engine.journey import Policy
    from iptviz.engine.packet import Packet
    from iptviz.engine.stages import Stage, Turn
    from iptviz.engine.unknowns import Unknowns
    from iptviz.rules.form import CompiledRule, Place

By: TypeAlias = "Place | Policy | str | None"
"""Who decides: a rule, a policy, what routing says, or nobody."""


class Through(NamedTuple):
    """A packet that has come to the end of a leg; `by` is what accepted it last, where that is told."""

    packet: Packet
    by: By


class Stopped(NamedTuple):
    """A packet that goes no further."""

    verdict: str
    packet: Packet
    by: By


class _Accepting(Chains):
    """Chains that say also which rule accepted."""

    def end(self, rule: CompiledRule, stop: Stop) -> Ended:
        return Ended(stop.verdict, stop.packet, rule.place)


class Leg(Journey):
    """Some turns of a way; the leaves say `Through`, `Stopped` or `NOT_FOLLOWED`."""

    _tells_policies = False

    def __init__(self, hooks: Hooks, unknowns: Unknowns, *, accepting: bool = False) -> None:
        super().__init__(hooks, unknowns)
        self._accepting = accepting

    def arrived(self, packet: Packet, by: object, *, policies: bool) -> Hashable:  # noqa: ARG002
        """Return what a leaf says of a packet that has come to the end of the turns."""
        return Through(packet, by if self._accepting else None)  # type: ignore[arg-type]

    def ended(self, verdict: str, packet: Packet, by: object) -> Hashable:
        """Return what a leaf says of a packet that goes no further."""
        return Stopped(verdict, packet, by)  # type: ignore[arg-type]

    def asked_at(self, stage: Stage) -> Unknowns:  # noqa: ARG002 - what nat has chosen looks
        """Return what is not known of a packet, as a stage asks."""
        return self.unknowns

    def chains(self, layer: int, stage: Stage) -> Chains:
        """Return the chains of a table that are entered by a stage."""
        table = self.hooks.rules[layer].tables[stage.table]
        kind = _Accepting if self._accepting else Chains
        return kind(self.asked_at(stage), table, stage.point, self.hooks.host, self.broken)


class Onward(Leg):
    """The way of a packet that nat has sent to an endpoint."""

    def __init__(self, hooks: Hooks, unknowns: Unknowns, address: str) -> None:
        super().__init__(hooks, Reworded(unknowns, of_endpoint(address, routed=True)))
        self._before_routing = Reworded(unknowns, of_endpoint(address, routed=False))

    def asked_at(self, stage: Stage) -> Unknowns:
        """Return what is not known of the packet: OUTPUT asks for the interface from before nat."""
        return self._before_routing if stage.point == "OUTPUT" else self.unknowns


def halves(turns: list[Turn]) -> tuple[list[Turn], list[Turn]]:
    """Return the turns up to where nat rewrites destinations, and those after it."""
    after = 1 + max(place for place, turn in enumerate(turns) if _translates(turn.stage))
    return turns[:after], turns[after:]


def _translates(stage: Stage) -> bool:
    return stage.is_nat and stage.point in {"PREROUTING", "OUTPUT"}


def endpoint_text(packet: Packet) -> str:
    """Return the address that DNAT sent a packet to, as a question about it names it."""
    return (packet.dnat or "").rpartition(":")[0].strip("[]") or (packet.dnat or "")
