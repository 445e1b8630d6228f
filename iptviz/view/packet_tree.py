"""The tree of a packet's fates: a branch for each outcome, and below it the rules that led there."""

from __future__ import annotations

from itertools import groupby, takewhile
from typing import TYPE_CHECKING

from iptviz.engine.chance import total, trimmed
from iptviz.engine.path import MISSED, POLICY, steps_of
from iptviz.view.numbers import counted, percent
from iptviz.view.packet_labels import PacketCase, effect_label, fate_label, rewritten_labels
from iptviz.view.text import printable
from iptviz.view.trace import FOLD_FROM, SHOWN, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.engine.branches import Outcome
    from iptviz.engine.path import Step
    from iptviz.questions.packet import PacketResult

PATHS_PER_CASE = 4
PATHS = 16
"""How many ways are shown, of one case and of all, where long lists are folded."""

_LONG_WAY = 64
_WORTH_ELIDING = 2
_ENOUGH_BITS = 128


class PacketTree:
    """Builds the tree; remembers the last way shown, so that what begins alike is not said again."""

    def __init__(self, result: PacketResult, *, fold: bool) -> None:
        self.asked = result.asked
        self.fold = fold
        self.paths = PATHS
        self.last: list[Step] = []

    def nodes(self, cases: list[PacketCase]) -> tuple[Node, ...]:
        """Return a branch for each case; where there is only one, its outcomes."""
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
                "elided",
                (f"the ways of the last {len(shown) - with_way} are left out (--all shows them)", ""),
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
        for missed, run in groupby(steps[first:end], lambda step: step.kind == MISSED):
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
    return Node("miss" if step.kind == MISSED else "step", tuple(map(printable, cells)))


def _folded(hidden: tuple[Outcome, ...]) -> str:
    """Say what a fold hides: how many outcomes, with which shares."""
    shares = [outcome.share for outcome in hidden]
    roughly = [trimmed(share, _ENOUGH_BITS) for share in shares]
    least, most = percent(min(roughly)), percent(max(roughly))
    each = f"{least} each" if least == most else f"{least} to {most} each"
    return f"and {len(hidden):,} more, {each}, {percent(total(shares))} together (--all shows them)"


def _decided_label(outcome: Outcome, steps: list[Step]) -> str:
    if outcome.by:
        return f"line {outcome.by.line}"
    return "by policy" if any(step.kind == POLICY for step in steps) else ""
