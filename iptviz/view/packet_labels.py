"""How packets and their fates are called, wherever they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.documents.packet_v1 import effect_text
from iptviz.dump.rule import Rule
from iptviz.engine.chance import total
from iptviz.engine.condition import Assumption, clauses
from iptviz.engine.effects import UNKNOWN
from iptviz.engine.path import POLICY, steps_of
from iptviz.questions.packet_fields import FIELDS, attributes
from iptviz.questions.packet_values import address_text
from iptviz.records import NamedTuple
from iptviz.view.labels import folded_label, letter_of, pod_label
from iptviz.view.nodes import OTHERWISE, LetteredCase
from iptviz.view.numbers import bounds
from iptviz.view.text import printable
from iptviz.xtables.address import join_endpoint, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from fractions import Fraction

    from iptviz.engine.outcome import Outcome
    from iptviz.engine.packet import Packet
    from iptviz.engine.path import Step
    from iptviz.node.snapshot import Snapshot
    from iptviz.questions.meant import Meant
    from iptviz.questions.packet import PacketResult
    from iptviz.xtables.address import Network

_STARTS = {"prerouting": "arrives at this node", "output": "locally generated"}
_ROUTES = {"INPUT": "delivered to this node", "FORWARD": "forwarded", "OUTPUT": "sent"}


class PacketCase(NamedTuple):
    """The outcomes of one of several cases that come to the same; the letter is empty where there is no other.

    `when` is empty where nothing decides.
    """

    letter: str
    when: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def case(self) -> LetteredCase:
        """The case by its letter, and when it comes about."""
        return LetteredCase(self.letter, self.when)


def packet_cases(outcomes: tuple[Outcome, ...]) -> list[PacketCase]:
    """Return the outcomes by cases, which are lettered in order; those that come to the same are one."""
    by_when: dict[tuple[Assumption, ...], list[Outcome]] = {}
    for outcome in outcomes:
        by_when.setdefault(outcome.when, []).append(outcome)
    granted = _granted(outcomes)
    groups: dict[object, list[list[Outcome]]] = {}
    for those in by_when.values():
        groups.setdefault(_seen(those), []).append(those)
    return [
        PacketCase(
            letter_of(number) if len(groups) > 1 else "",
            _conditions(group, granted, last=number == len(groups) - 1),
            tuple(_of_one(group)),
        )
        for number, group in enumerate(groups.values())
    ]


def _of_one(group: list[list[Outcome]]) -> Iterator[Outcome]:
    """Yield the outcomes of the case whose ways are told, which of several are those of its own clients."""
    alike = len({frozenset(outcome.by for outcome in outcomes) for outcomes in group}) == 1
    for outcome in group[0]:
        client = (*outcome.when, *(need for need in outcome.client if need not in outcome.when))
        certain = outcome.certain and alike
        yield outcome if len(group) == 1 else outcome._replace(client=client, certain=certain)


def _seen(outcomes: list[Outcome]) -> object:
    """Return what can be told from outside of a case: what shares come to which fates."""
    shares: dict[object, list[Fraction]] = {}
    for outcome in outcomes:
        end = outcome.packet
        fate = outcome.verdict, outcome.route, end.dnat, end.snat, outcome.at_most
        shares.setdefault(fate, []).append(outcome.share)
    return frozenset((fate, total(parts)) for fate, parts in shares.items())


def _conditions(
    group: list[list[Outcome]], granted: Collection[Assumption], *, last: bool
) -> tuple[str, ...]:
    """Return when any of several cases comes about that come to the same, each alternative once."""
    firsts = list(dict.fromkeys(_told_apart(outcomes[0].first, granted) for outcomes in group))
    if not last or all(firsts):
        return tuple(printable(clauses(first)) for first in firsts)
    whens = (_told_apart(outcome.when, granted) for outcomes in group for outcome in outcomes)
    return (OTHERWISE,) if any(whens) else ()


_TAKEN_FOR_GRANTED = {"unseen-tables", "unseen-chains", "nat-helper"}
"""What no dump shows: where it is otherwise there is no answer, so that it is no case."""


def _granted(outcomes: Sequence[Outcome]) -> dict[Assumption, None]:
    """Return what the cases take for granted of what no dump shows, each once.

    That nat has not rewritten the connection is among that where no other case is told.
    """
    needs = [need for outcome in outcomes for need in outcome.first]
    return dict.fromkeys(
        need
        for need in needs
        if need.condition.kind in _TAKEN_FOR_GRANTED
        or (need.condition.kind == "rewriting" and all(need in outcome.first for outcome in outcomes))
    )


def assumed_of(result: PacketResult) -> tuple[Assumption, ...]:
    """Return what was assumed by request, and what the cases take for granted."""
    return tuple(dict.fromkeys((*result.given, *_granted(result.outcomes))))


def _told_apart(needs: tuple[Assumption, ...], granted: Collection[Assumption]) -> tuple[Assumption, ...]:
    """Return what tells a case from others."""
    return tuple(need for need in needs if need not in granted)


def asked_label(packet: Packet) -> str:
    """Return protocol, source and destination of the packet as it was described."""
    source = _end_label(packet.source, packet.source_port, "an unknown source")
    destination = _end_label(packet.destination, packet.destination_port, "an unknown destination")
    protocol = f"{packet.protocol} " if packet.protocol else ""
    return printable(f"{protocol}packet from {source} to {destination}")


def _end_label(network: Network | None, port: int | None, unknown: str) -> str:
    address = address_text(network)
    if port is None or address is None or "/" in address:
        return (address or unknown) + ("" if port is None else f", port {port}")
    return join_endpoint(address, port)


def circumstances_label(packet: Packet, hook: str) -> str:
    """Return how the packet comes to the node, and what else is known of it."""
    by = f" on {packet.in_interface}" if packet.in_interface else ""
    start = f"{_STARTS.get(hook, 'starts')}{by} (hook {hook})"
    values = attributes(packet, hook)
    details = (field.in_words(values) for field in FIELDS.values())
    return printable(", ".join([start, *filter(None, details)]))


def fate_label(outcome: Outcome) -> str:
    """Return the verdict, with where an accepted packet is and how a rejected one is answered."""
    rule = outcome.by if isinstance(outcome.by, Rule) else None
    if outcome.verdict == UNKNOWN:
        return printable(f"NOT KNOWN: this dump {_lacking(outcome)}")
    target = rule.target if rule else None
    how = target.value("--reject-with") if target and outcome.verdict == "REJECT" else None
    if how:
        return printable(f"REJECT with {how}")
    where = _ROUTES.get(outcome.route) if outcome.verdict == "ACCEPT" else None
    return f"{outcome.verdict}, {where}" if where else outcome.verdict


_ASTRAY = {
    "not DNATed": "not DNATed ({at} is a service address: {name})",
    "no endpoint": "no endpoint of {name}",
}
"""What is said of a packet that is let on and misses the service that it is for."""


def astray_label(outcome: Outcome, meant: Meant | None) -> str:
    """Return how an outcome misses the service that the packet is for; empty where it does not."""
    astray = meant.missed_by(outcome) if meant else ""
    return printable(_ASTRAY[astray].format(at=meant.at, name=meant.name)) if meant and astray else ""


def _lacking(outcome: Outcome) -> str:
    """Say what of a dump is missing that decides: a chain, or rules before a policy."""
    if isinstance(outcome.by, Rule):
        return f"lacks {outcome.by.jump}"
    if outcome.by is not None:
        return "does not show what decides"
    last = next((step for step in reversed(steps_of(outcome.path)[0]) if step.kind == POLICY), None)
    return f"may lack rules of {last.table} {last.chain}" if last else "lacks chains that decide"


def rewritten_labels(outcome: Outcome, asked: Packet, node: Snapshot | None = None) -> tuple[str, str, str]:
    """Return the new destination, source and mark, each empty where it is as before."""
    end = outcome.packet
    to = f"to {end.dnat}{pod_label(node, *split_endpoint(end.dnat))}" if end.dnat else ""
    source = "" if end.snat is None else "masqueraded" if end.snat == "MASQUERADE" else f"from {end.snat}"
    mark = end.mark.label if end.mark != asked.mark else None
    return printable(to), printable(source), _mark_text(mark) if mark else ""


def _mark_text(mark: str) -> str:
    """Return a mark as such; what was done to the one that came says that it is one."""
    return mark if mark.lstrip("(").startswith("mark ") else f"mark {mark}"


def effect_label(step: Step) -> str:
    """Return what a step did."""
    return printable(effect_text(step))


def folded_outcomes_label(outcomes: Sequence[Outcome]) -> str:
    """Say what a fold hides: how many outcomes, with which shares; of bounds no sum is told."""
    if all(outcome.share == outcome.most for outcome in outcomes):
        return folded_label([outcome.share for outcome in outcomes])
    each = bounds(min(outcome.share for outcome in outcomes), max(outcome.most for outcome in outcomes))
    return f"and {len(outcomes):,} more, {each} each (--all)"


def share_label(outcome: Outcome) -> str:
    """Return the share of an outcome, or its bounds where questions were left open."""
    return bounds(outcome.share, outcome.most)
