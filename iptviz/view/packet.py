"""The view of a packet's fate: a branch for each outcome, and below it the rules that led there."""

from __future__ import annotations

from itertools import groupby, takewhile
from typing import TYPE_CHECKING, NamedTuple

from iptviz.documents.packet_v1 import address_text, icmp_text
from iptviz.engine.chance import total, trimmed
from iptviz.engine.condition import Assumption, clauses
from iptviz.engine.marks import ALL_BITS
from iptviz.engine.path import steps_of
from iptviz.view.cases import letter_of
from iptviz.view.facts import Fact
from iptviz.view.numbers import counted, percent
from iptviz.view.text import printable
from iptviz.view.trace import FOLD_FROM, SHOWN, Node
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from iptviz.engine.marks import Mark
    from iptviz.engine.outcome import Outcome
    from iptviz.engine.packet import Packet
    from iptviz.engine.path import Step
    from iptviz.questions.packet import PacketResult
    from iptviz.xtables.address import Network

PATHS_PER_CASE = 4
PATHS = 16
"""How many ways are shown, of one case and of all, where long lists are folded."""

_LONG_WAY = 64
_WORTH_ELIDING = 2
_ENOUGH_BITS = 128
MISSED = "no match: "
"""How the effect of a rule begins that was looked at and did not match; the reason follows."""

_STARTS = {"prerouting": "arrives at this node", "output": "sent by this node"}
_ROUTES = {"INPUT": "delivered to this node", "FORWARD": "forwarded", "OUTPUT": "sent"}


class PacketView(NamedTuple):
    """The whole answer: a line on the dump, the packet and its circumstances, the tree, facts and notes.

    Nodes are of the kinds `case`, `fold` (text, line), `accepted`, `refused` (share, fate, destination, source,
    mark, what decided), and below those `step`, `miss` (table, chain, rule's number, line, effect, rule).
    """

    source: str
    asked: str
    circumstances: str
    nodes: tuple[Node, ...]
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]


class PacketCase(NamedTuple):
    """The outcomes that have the same conditions; the letter is empty where there is only one case."""

    letter: str
    when: str
    outcomes: tuple[Outcome, ...]

    @property
    def heading(self) -> str:
        """When the case comes about."""
        return f"{self.letter}: when {self.when}" if self.letter else f"when {self.when}"


def packet_view(result: PacketResult, *, fold: bool = True) -> PacketView:
    """Return the view of `result`; `fold` shortens long lists and says so."""
    cases = packet_cases(result.outcomes)
    return PacketView(
        _source_line(result),
        asked_label(result.asked),
        circumstances_label(result.asked, result.hook),
        _Viewer(result, fold=fold).nodes(cases),
        tuple(_facts(result, cases)),
        tuple(map(printable, result.notes)),
    )


def packet_cases(outcomes: tuple[Outcome, ...]) -> list[PacketCase]:
    """Return the outcomes by their conditions, lettered in order."""
    groups: dict[tuple[Assumption, ...], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.when, []).append(outcome)
    return [
        PacketCase(letter_of(number) if len(groups) > 1 else "", printable(clauses(when)), tuple(group))
        for number, (when, group) in enumerate(groups.items())
    ]


def _source_line(result: PacketResult) -> str:
    dump = result.dump
    parts = [
        dump.source,
        dump.tool or f"{dump.family}, no header",
        ", ".join(dump.tables),
        counted(dump.rule_count, "rule"),
        "complete" if result.complete else "INCOMPLETE, see the notes",
    ]
    return printable(" · ".join(parts))


# --- how packets and outcomes are called ---------------------------------------------------------------------


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
    by = f" by {packet.in_interface}" if packet.in_interface else ""
    start = f"{_STARTS.get(hook, 'starts')}{by} (hook {hook})"
    return printable(", ".join([start, *_details(packet)]))


def _details(packet: Packet) -> list[str]:
    uid, gid = packet.owner or (None, None)
    flags = packet.tcp_flags
    known = {
        "leaves by": packet.out_interface or None,
        "connection state": packet.state,
        "mark": mark_label(packet.mark),
        "TCP flags": None if flags is None else ",".join(sorted(flags)) or "none",
        "ICMP type": icmp_text(packet.icmp_type),
        "length": packet.length,
        "TTL": packet.ttl,
        "TOS": packet.tos,
        "MAC": packet.mac,
        "uid": uid,
        "gid": gid,
    }
    return [f"{name} {value}" for name, value in known.items() if value is not None]


def mark_label(mark: Mark) -> str | None:
    """Return a mark, or its known bits as `value/mask`, as iptables writes them; None where none is known."""
    settled = ALL_BITS & ~mark.keep
    if not mark.keep or mark.value & mark.keep or mark.origin != "mark":
        return mark.text
    return f"{mark.value:#x}/{settled:#x}" if settled else None


def fate_label(outcome: Outcome) -> str:
    """Return the verdict, with where an accepted packet is and how a rejected one is answered."""
    target = outcome.by.target if outcome.by else None
    how = target.value("--reject-with") if target and outcome.verdict == "REJECT" else None
    if how:
        return printable(f"REJECT with {how}")
    where = _ROUTES.get(outcome.route) if outcome.verdict == "ACCEPT" else None
    return f"{outcome.verdict}, {where}" if where else outcome.verdict


def rewritten_labels(outcome: Outcome, asked: Packet) -> tuple[str, str, str]:
    """Return the new destination, source and mark, each empty where it is as before."""
    end = outcome.packet
    source = "" if end.snat is None else "masqueraded" if end.snat == "MASQUERADE" else f"from {end.snat}"
    mark = mark_label(end.mark) if end.mark != asked.mark else None
    return printable(f"to {end.dnat}" if end.dnat else ""), printable(source), f"mark {mark}" if mark else ""


def _decided_label(outcome: Outcome, steps: list[Step]) -> str:
    if outcome.by:
        return f"line {outcome.by.line}"
    return "by policy" if any(step.rule is None for step in steps) else ""


# --- the tree ------------------------------------------------------------------------------------------------


class _Viewer:
    """Builds the tree; remembers the last way shown, so that what begins alike is not said again."""

    def __init__(self, result: PacketResult, *, fold: bool) -> None:
        self.asked = result.asked
        self.fold = fold
        self.paths = PATHS
        self.last: list[Step] = []

    def nodes(self, cases: list[PacketCase]) -> tuple[Node, ...]:
        nodes: list[Node] = []
        for case in cases:
            below = tuple(self._outcomes(case.outcomes))
            bare = not case.letter and not case.outcomes[0].when
            nodes += below if bare else [Node("case", (case.heading, ""), below)]
        return tuple(nodes)

    def _outcomes(self, outcomes: tuple[Outcome, ...]) -> Iterator[Node]:
        shown = outcomes[:SHOWN] if self.fold and len(outcomes) > FOLD_FROM else outcomes
        with_way = min(PATHS_PER_CASE, self.paths) if self.fold else len(shown)
        for place, outcome in enumerate(shown):
            yield self._outcome(outcome, with_way=place < with_way)
        self.paths -= min(with_way, len(shown))
        if len(shown) > with_way:
            yield Node(
                "fold", (f"the ways of the last {len(shown) - with_way} are left out (--all shows them)", "")
            )
        if len(shown) < len(outcomes):
            yield Node("fold", (_folded(outcomes[len(shown) :]), ""))

    def _outcome(self, outcome: Outcome, *, with_way: bool) -> Node:
        steps, complete = steps_of(outcome.path)
        cells = (
            percent(outcome.share),
            fate_label(outcome),
            *rewritten_labels(outcome, self.asked),
            _decided_label(outcome, steps),
        )
        kind = "accepted" if outcome.verdict == "ACCEPT" else "refused"
        return Node(kind, cells, tuple(self._way(steps, complete=complete)) if with_way else ())

    def _way(self, steps: list[Step], *, complete: bool) -> Iterator[Node]:
        """Yield the steps; what begins or ends like the last way that was shown is said in a line."""
        first, end = self._unlike(steps)
        self.last = steps
        if first:
            place = _place(steps[first - 1])
            yield Node("fold", (f"the first {counted(first, 'step')} as above, up to {place}", ""))
        for missed, run in groupby(steps[first:end], lambda step: step.effect.startswith(MISSED)):
            yield from self._run([_step_node(step) for step in run], missed=missed)
        if end < len(steps):
            rest, place = counted(len(steps) - end, "step"), _place(steps[end])
            yield Node("fold", (f"the last {rest} as above, from {place}", ""))
        if not complete:
            yield Node("fold", ("and so on: the way is too long to be kept whole", ""))

    def _unlike(self, steps: list[Step]) -> tuple[int, int]:
        """Return the stretch of a way that is to be shown: where it differs from the last one, if not briefly."""
        if not self.fold:
            return 0, len(steps)
        first = _alike(steps, self.last)
        first = first if first >= _WORTH_ELIDING else 0
        last = min(_alike(steps[::-1], self.last[::-1]), len(steps) - first)
        return first, len(steps) - (last if last >= _WORTH_ELIDING else 0)

    def _run(self, nodes: list[Node], *, missed: bool) -> list[Node]:
        """Return steps that matched, or such that did not, shortened in their middle where there are many."""
        most = FOLD_FROM if missed else _LONG_WAY
        hidden = len(nodes) - SHOWN
        if not self.fold or len(nodes) <= most:
            return nodes
        what = "rules that did not match" if missed else "steps"
        told = Node("fold", (f"{hidden:,} more {what} (--all shows them)", ""))
        return [*nodes[: SHOWN // 2], told, *nodes[-(SHOWN // 2) :]]


def _alike(steps: list[Step], others: list[Step]) -> int:
    """Return at how many stops two ways begin alike, whatever the packet was like there."""
    pairs = zip(steps, others, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0][:4] == pair[1][:4], pairs))


def _place(step: Step) -> str:
    place = f"line {step.rule.line}" if step.rule else "policy"
    return printable(f"{step.table} {step.chain}, {place}")


def _step_node(step: Step) -> Node:
    rule = step.rule
    text = rule.text.removeprefix(f"-A {step.chain} ") if rule else ""
    cells = (
        step.table,
        step.chain,
        f"rule {rule.number}" if rule else "",
        f"line {rule.line}" if rule else "",
        effect_label(step),
        text,
    )
    return Node("miss" if step.effect.startswith(MISSED) else "step", tuple(map(printable, cells)))


def effect_label(step: Step) -> str:
    """Return what a step did; a policy is said to be one."""
    return printable(step.effect if step.rule or "policy" in step.effect else f"policy {step.effect}")


def _folded(hidden: tuple[Outcome, ...]) -> str:
    """Say what a fold hides: how many outcomes, with which shares."""
    shares = [outcome.share for outcome in hidden]
    roughly = [trimmed(share, _ENOUGH_BITS) for share in shares]
    least, most = percent(min(roughly)), percent(max(roughly))
    each = f"{least} each" if least == most else f"{least} to {most} each"
    return f"and {len(hidden):,} more, {each}, {percent(total(shares))} together (--all shows them)"


# --- what is said below it -----------------------------------------------------------------------------------


def _facts(result: PacketResult, cases: list[PacketCase]) -> Iterator[Fact]:
    for case in cases:
        yield _verdict_fact(case)
    if result.given:
        yield Fact("Assumed", printable(clauses(result.given)))
    yield Fact("Depends on", _conditions(result))


def _verdict_fact(case: PacketCase) -> Fact:
    """Say of a case which share comes to which fate, and at how many destinations."""
    fates: dict[str, list[Outcome]] = {}
    for outcome in case.outcomes:
        fates.setdefault(fate_label(outcome), []).append(outcome)
    texts = [_fate_text(fate, outcomes) for fate, outcomes in fates.items()]
    accepted = all(outcome.verdict == "ACCEPT" for outcome in case.outcomes)
    return Fact(
        f"Case {case.letter}" if case.letter else "Verdict", "; ".join(texts), "good" if accepted else "bad"
    )


def _fate_text(fate: str, outcomes: list[Outcome]) -> str:
    share: Fraction = total(outcome.share for outcome in outcomes)
    destinations = list(dict.fromkeys(outcome.packet.dnat for outcome in outcomes if outcome.packet.dnat))
    where = counted(len(destinations), "destination") if len(destinations) > 1 else "".join(destinations)
    sources = {rewritten_labels(outcome, outcome.packet)[1] for outcome in outcomes}
    source = sources.pop() if len(sources) == 1 else "some with another source"
    details = ", ".join(filter(None, (f"to {printable(where)}" if where else "", source)))
    return f"{percent(share)} {fate}" + (f": {details}" if details else "")


def _conditions(result: PacketResult) -> str:
    """Say what the answer depends on that neither the dump nor the question holds."""
    asked = dict.fromkeys(need.condition for outcome in result.outcomes for need in outcome.when)
    questions = [printable(f"whether {Assumption(one, holds=True).text}") for one in asked]
    if not result.complete:
        questions.append("what this dump lacks: see the notes")
    return "; ".join(questions) or "nothing outside this dump"
