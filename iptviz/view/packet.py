"""The view of a packet's fate: a tree of outcomes with their ways, and what is said below it."""

from __future__ import annotations

from itertools import groupby, takewhile
from typing import TYPE_CHECKING

from iptviz.engine.chance import total
from iptviz.engine.condition import clauses
from iptviz.engine.path import MISSED, POLICY, ROUTING, steps_of
from iptviz.questions.meant import meant_by
from iptviz.view.blocks import Fact, Facts, Figure, Heading, Notes, Tree, View, flattened, later, verdict_fact
from iptviz.view.found import found_facts, unfound
from iptviz.view.labels import FOLD_FROM, SHOWN, TRUNCATED, dumps_label, note_texts
from iptviz.view.nodes import CaseBranch, Cell, Columns, Fold, TreeRow
from iptviz.view.numbers import counted, percent
from iptviz.view.packet_labels import (
    PacketCase,
    asked_label,
    assumed_of,
    astray_label,
    circumstances_label,
    effect_label,
    fate_label,
    folded_outcomes_label,
    packet_cases,
    rewritten_labels,
    share_label,
)
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from iptviz.engine.condition import When
    from iptviz.engine.outcome import Outcome
    from iptviz.engine.path import Step
    from iptviz.node.listing import RuleSource
    from iptviz.questions.meant import Meant
    from iptviz.questions.packet import PacketResult
    from iptviz.rules.form import Place
    from iptviz.view.nodes import Node
    from iptviz.view.picture import Picture

PATHS_PER_CASE = 4
PATHS = 16
"""How many ways are shown, of one case and of all, where long lists are folded."""

OUTCOMES = Columns(
    "outcomes",
    ("Share", "Verdict", "Destination", "Source", "Mark", "Decided"),
    spared=("Mark",),
    losses=(("Mark", "the marks"), ("Decided", "what decided")),
    nested=True,
)
STEPS = Columns(
    "steps",
    ("Table", "Chain", "Number", "Line", "Effect", "Rule"),
    "Rules on the path",
    losses=(("Rule", "the rules"), ("Number", "their numbers")),
    cut="the rules",
)

_LONG_WAY = 64
_WORTH_ELIDING = 2
_FEW = 2
"""So many cases are told before anything else."""


def packet_view(result: PacketResult, *, fold: bool = True) -> View:
    """Return the view of `result`; `fold` shortens long lists and says so."""
    asked, cases, meant = (
        asked_label(result.asked),
        packet_cases(result.outcomes),
        later(lambda: meant_by(result)),
    )
    nodes = later(lambda: _WaysTree(result, fold=fold).nodes(cases))
    findings = later(lambda: result.findings)
    return View(
        asked,
        dumps_label(result.sources, complete=result.complete),
        (
            Tree(nodes, lambda: flattened(nodes(), OUTCOMES)),
            Facts(later(lambda: (*_facts(result, cases, meant()), *found_facts(findings())))),
            Notes(later(lambda: note_texts(unfound(result.notes, findings())))),
            Figure(later(lambda: _picture(result, fold=fold))),
        ),
        document=result.to_dict,
        met=lambda: _chains_met(result),
        lead=(
            Heading(asked, circumstances=circumstances_label(result.asked, result.hook)),
            Facts(later(lambda: (*_first_facts(cases, meant()), *_assumed_facts(result)))),
        ),
    )


def _picture(result: PacketResult, *, fold: bool) -> Picture:
    from iptviz.view.packet_picture import packet_picture  # a tree shall not wait for it

    return packet_picture(result, fold=fold)


def _chains_met(result: PacketResult) -> frozenset[tuple[str, str]]:
    """Return the table and name of each chain in which a rule matched, whatever becomes of the packet."""
    steps = (step for outcome in result.outcomes for step in steps_of(outcome.path)[0])
    return frozenset((step.table, step.chain) for step in steps if step.kind != MISSED)


def _assumed_facts(result: PacketResult) -> Iterator[Fact]:
    """Yield what the answer takes for granted, by request or since no dump shows it."""
    if assumed := assumed_of(result):
        yield Fact("Assumed", printable(clauses(assumed)), kind="assumed")


def _facts(result: PacketResult, cases: list[PacketCase], meant: Meant | None) -> Iterator[Fact]:
    if len(cases) > _FEW:
        yield from (_verdict_fact(case, meant) for case in cases)
    if result.left_open:
        yield Fact("Truncated", TRUNCATED, "bad")
    if depends := _conditions(result):
        yield Fact("Depends on", depends, kind="depends")


def _first_facts(cases: list[PacketCase], meant: Meant | None) -> Iterator[Fact]:
    """Yield what becomes of the packet: in each of a few cases, or in how many of more."""
    if len(cases) <= _FEW:
        yield from (_case_fact(case, meant) for case in cases)
        return
    fates: dict[str, list[str]] = {}
    for case in cases:
        words = (", ".join(filter(None, (one.verdict, astray_label(one, meant)))) for one in case.outcomes)
        fate = " or ".join(dict.fromkeys(words))
        fates.setdefault(fate, []).append(case.case.letter)
    if len(fates) == 1:
        text = f"{next(iter(fates))} in all {len(cases):,} cases"
    else:
        told = (f"{fate} in {counted(len(letters), 'case')}" for fate, letters in fates.items())
        text = f"depends on conditions: {', '.join(told)}"
    yield Fact("Verdict", text, kind="verdict")


def _case_fact(case: PacketCase, meant: Meant | None) -> Fact:
    """Say what becomes of the packet in a case, and when that comes about."""
    fact = _verdict_fact(case, meant)
    condition = case.case.condition
    return fact._replace(text=f"{fact.text}, {condition}", case=None) if condition else fact


def _verdict_fact(case: PacketCase, meant: Meant | None) -> Fact:
    """Say of a case which share comes to which fate, and at how many destinations."""
    fates: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in case.outcomes:
        fates.setdefault((fate_label(outcome), astray_label(outcome, meant)), []).append(outcome)
    texts = [_fate_text(*fate, outcomes) for fate, outcomes in fates.items()]
    arrived = all(outcome.verdict == "ACCEPT" for outcome in case.outcomes)
    good = arrived and not any(astray for _, astray in fates)
    return verdict_fact(case.case, "; ".join(texts), good=good)


def _fate_text(fate: str, astray: str, outcomes: list[Outcome]) -> str:
    share: Fraction = total(outcome.share for outcome in outcomes)
    least = "" if all(outcome.share == outcome.most for outcome in outcomes) else "at least "
    destinations = list(dict.fromkeys(outcome.packet.dnat for outcome in outcomes if outcome.packet.dnat))
    where = counted(len(destinations), "destination") if len(destinations) > 1 else "".join(destinations)
    sources = {rewritten_labels(outcome, outcome.packet)[1] for outcome in outcomes}
    source = sources.pop() if len(sources) == 1 else "sources differ"
    deciders = {_decided_label(outcome, steps_of(outcome.path)[0]) for outcome in outcomes}
    decider = deciders.pop() if len(deciders) == 1 else ""
    told = "" if where else f", {astray}" if astray else ""  # where it goes is told before what is odd there
    there = (f"to {printable(where)}", astray) if where else ()
    details = ", ".join(filter(None, (*there, source, decider)))
    return f"{least}{percent(share)} {fate}{told}" + (f": {details}" if details else "")


def _conditions(result: PacketResult) -> str:
    """Say what the answer depends on that neither the dump nor the question holds; empty for nothing."""
    assumed = {need.condition for need in assumed_of(result)}
    needs = (need.condition for outcome in result.outcomes for need in outcome.first)
    asked = dict.fromkeys(need for need in needs if need not in assumed)
    questions = [printable(condition.question) for condition in asked]
    if any(note.id == "services-not-decided-here" for note in result.notes):
        questions.append("rules outside this dump, for service addresses (see the notes)")
    if not result.complete:
        questions.append("what is missing in this dump (see the notes)")
    return "; ".join(questions)


# --- the tree ------------------------------------------------------------------------------------------------


class _WaysTree:
    """Builds the tree; remembers the last way shown, so that what begins alike is not said again."""

    def __init__(self, result: PacketResult, *, fold: bool) -> None:
        self.asked = result.asked
        self.node = result.snapshot
        several = len(result.sources) > 1
        self.backends = [_backend(source) if several else "" for source in result.sources]
        self.fold = fold
        self.paths = PATHS
        self.last: list[Step] = []
        self.client: When = ()

    def nodes(self, cases: list[PacketCase]) -> tuple[Node, ...]:
        """Return a branch for each case; where there is only one, its outcomes."""
        nodes: list[Node] = []
        for case in cases:
            self.client = ()
            below = tuple(self._outcomes(case.outcomes))
            bare = not case.when
            nodes += below if bare else [CaseBranch(case.case, below)]
        return tuple(nodes)

    def _outcomes(self, outcomes: tuple[Outcome, ...]) -> Iterator[Node]:
        shown = outcomes[:SHOWN] if self.fold and len(outcomes) > FOLD_FROM else outcomes
        with_way = min(PATHS_PER_CASE, self.paths) if self.fold else len(shown)
        for place, outcome in enumerate(shown):
            yield self._outcome(outcome, with_way=place < with_way)
        self.paths -= min(with_way, len(shown))
        if len(shown) > with_way:
            left_out = len(shown) - with_way
            text = f"{counted(left_out, 'more path')} not shown (--all)"
            yield Fold(text, kind="elided")
        if hidden := outcomes[len(shown) :]:
            yield Fold(folded_outcomes_label(hidden), OUTCOMES)

    def _outcome(self, outcome: Outcome, *, with_way: bool) -> Node:
        steps, complete = steps_of(outcome.path)
        destination, source, mark = rewritten_labels(outcome, self.asked, self.node)
        cells = (
            Cell("share", share_label(outcome)),
            Cell("fate", fate_label(outcome)),
            Cell("address", destination),
            Cell("rewrite", source),
            Cell("rewrite", mark),
            Cell("line", _decided_label(outcome, steps)),
        )
        way = tuple(self._way_of(outcome, steps, complete=complete)) if with_way else ()
        return TreeRow("accepted" if outcome.verdict == "ACCEPT" else "refused", OUTCOMES, cells, way)

    def _way_of(self, outcome: Outcome, steps: list[Step], *, complete: bool) -> Iterator[Node]:
        """Yield the steps of a way, below whose it is where others of the case go another."""
        if outcome.client and steps:
            told = "the same" if outcome.client == self.client else _client_label(outcome.client)
            self.client = outcome.client
            yield Fold(f"path of one of them: {told}", STEPS, kind="elided")
        yield from self._way(steps, complete=complete)

    def _way(self, steps: list[Step], *, complete: bool) -> Iterator[Node]:
        """Yield the steps; what begins or ends like the last way that was shown is said in a line."""
        first, end = self._unlike(steps)
        self.last = steps
        if first:
            text = f"same first {counted(first, 'step')} as above (through {_place(steps[first - 1])})"
            yield Fold(text, STEPS)
        for missed, run in groupby(steps[first:end], lambda step: step.kind == MISSED):
            yield from self._run([self._step_node(step) for step in run], missed=missed)
        if end < len(steps):
            rest = len(steps) - end
            text = f"same last {counted(rest, 'step')} as above (from {_place(steps[end])})"
            yield Fold(text, STEPS)
        if not complete:
            yield Fold("path too long: the rest is not shown", STEPS)

    def _unlike(self, steps: list[Step]) -> tuple[int, int]:
        """Return the stretch of a way that is to be shown: where it differs from the last one, if not briefly."""
        if not self.fold:
            return 0, len(steps)
        first = _alike(steps, self.last)
        first = first if first >= _WORTH_ELIDING else 0
        last = min(_alike(steps[::-1], self.last[::-1]), len(steps) - first)
        return first, len(steps) - (last if last >= _WORTH_ELIDING else 0)

    def _step_node(self, step: Step) -> TreeRow:
        rule, chain = step.rule, printable(step.chain)
        table = " ".join(filter(None, (self.backends[step.layer], step.table)))  # of two backends, which
        cells = (
            Cell("table", printable(table)),
            Cell("place", chain, printable(step.table)),
            Cell("number", f"rule {rule.number}" if rule else ""),
            Cell("line", f"line {rule.line}" if rule and rule.line else ""),
            Cell("text", effect_label(step)),
            Cell("rule", printable(rule.text.removeprefix(f"-A {step.chain} ") if rule else "")),
        )
        return TreeRow("miss" if step.kind == MISSED else "step", STEPS, cells)

    def _run(self, nodes: list[Node], *, missed: bool) -> list[Node]:
        """Return steps that matched, or such that did not, shortened in their middle where there are many."""
        most = FOLD_FROM if missed else _LONG_WAY
        hidden = len(nodes) - SHOWN
        if not self.fold or len(nodes) <= most:
            return nodes
        what = "rules that did not match" if missed else "steps"
        fold = Fold(f"{hidden:,} more {what} (--all)", STEPS)
        return [*nodes[: SHOWN // 2], fold, *nodes[-(SHOWN // 2) :]]


def _backend(source: RuleSource) -> str:
    """Return whose tables these are, where a packet passes those of several."""
    from iptviz.dump.model import Dump

    return (source.backend or "") if isinstance(source, Dump) else "nft"


_TOLD = 6
"""So many conditions tell of which packet a path is: a firewall may ask dozens that make no difference."""


def _client_label(client: When) -> str:
    more = len(client) - _TOLD
    rest = f" and {counted(more, 'more condition')}" if more > 0 else ""
    return printable(clauses(client[:_TOLD])) + rest


def _alike(steps: list[Step], others: list[Step]) -> int:
    """Return at how many stops two ways begin alike, whatever the packet was like there."""
    pairs = zip(steps, others, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0][:4] == pair[1][:4], pairs))


def _place(step: Step) -> str:
    place = _rule_label(step.rule) if step.rule else "policy" if step.kind == POLICY else "connection"
    return printable(f"{step.table} {step.chain}, {place}")


def _rule_label(rule: Place) -> str:
    """Return where a rule stands; JSON of nft has no lines."""
    return f"line {rule.line}" if rule.line else printable(f"{rule.chain} rule {rule.number}")


def _decided_label(outcome: Outcome, steps: list[Step]) -> str:
    decider = _decider(outcome, steps)
    return decider if outcome.certain or not decider else f"e.g. {decider}"


def _decider(outcome: Outcome, steps: list[Step]) -> str:
    if outcome.by:
        return _rule_label(outcome.by)
    if steps and steps[-1].kind == ROUTING:
        return "by routing"
    return "by policy" if any(step.kind == POLICY for step in steps) else ""
