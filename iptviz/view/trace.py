"""The view of a trace: for each frontend a tree of chains and endpoints, and facts below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN
from iptviz.kube.outcome import lacking_share
from iptviz.view.blocks import Facts, Figure, Heading, Notes, Rules, Tree, View, flattened, later
from iptviz.view.facts import trace_facts
from iptviz.view.fates import ways_at
from iptviz.view.found import found_facts
from iptviz.view.labels import (
    ABSENT,
    FOLD_FROM,
    SHOWN,
    dump_label,
    endpoint_label,
    folded_ends_label,
    frontend_label,
    how_label,
    lacking_label,
    leftover_label,
    line_label,
    mark_label,
    note_texts,
    other_dump_label,
    outcome_cases,
    service_label,
    share_text,
)
from iptviz.view.nodes import Bar, CaseBranch, Cell, Columns, Fold, Remainder, TextNode, TreeRow
from iptviz.view.numbers import counted, visits
from iptviz.view.text import printable
from iptviz.view.ways import failing_ends, way_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.rule import Rule
    from iptviz.kube.outcome import Endpoint, FrontendOutcome, Verdict
    from iptviz.questions.trace import TraceResult
    from iptviz.view.blocks import Block, Fact
    from iptviz.view.first import FirstAnswer
    from iptviz.view.nodes import Node
    from iptviz.view.observed import Count
    from iptviz.view.picture import Picture

ENDPOINTS = Columns(
    "endpoints",
    ("Share", "Endpoint", "How", "Chain", "Lines"),
    "Endpoints",
    spared=("How", "Lines", "Chain"),
    losses=(("Chain", "the endpoints' chains"), ("How", "how the shares come about")),
)

_FAILS = "  <- not all clients get through"
"""What is said of an endpoint; which clients fail and why has been told before."""


def trace_view(result: TraceResult, *, fold: bool = True) -> View:
    """Return the view of `result`; `fold` shortens long lists of endpoints and says so."""
    return View(
        printable(result.target),
        dump_label(result.dump, complete=result.complete),
        (
            *(block for answer in result.answers for block in _answer_blocks(answer, result, fold=fold)),
            Figure(later(lambda: _picture(result, fold=fold))),
            Rules(later(lambda: tuple(_rules(result, fold=fold)))),
        ),
        absent="" if result.services else ABSENT,
        document=result.to_dict,
        met=lambda: _chains_met(result),
    )


def _picture(result: TraceResult, *, fold: bool) -> Picture:
    from iptviz.view.trace_picture import trace_picture  # a tree shall not wait for it

    return trace_picture(result, fold=fold)


def _answer_blocks(answer: TraceResult, result: TraceResult, *, fold: bool) -> Iterator[Block]:
    """Yield what one dump says; where it is not the first, its frontends say which it is."""
    source = "" if answer is result else other_dump_label(answer.dump)
    alone = len(answer.services) == 1
    for first in [] if alone else _first_answers(answer):
        yield Heading(first.service, first.frontends, source)
        yield Facts(later(first.facts))
    for place in range(len(answer.services)):
        yield from _FrontendViewer(answer, place, source, fold=fold).blocks(alone=alone)
    if answer.services:
        yield Facts(later(lambda: tuple(found_facts(answer.findings))))
    yield Notes(note_texts(answer.notes))


def _first_answers(answer: TraceResult) -> list[FirstAnswer]:
    from iptviz.view.first import first_answers  # most answers are about one frontend

    return first_answers(answer)


def _rules(result: TraceResult, *, fold: bool) -> Iterator[str]:
    from iptviz.view.rules import rule_lines

    for answer in result.answers:
        yield from rule_lines(answer, fold=fold)


def _chains_met(result: TraceResult) -> frozenset[tuple[str, str]]:
    """Return the chains of nat on the ways of all frontends."""
    outcomes = [outcome for service in result.services for outcome in service.outcomes]
    hops = (hop.chain for outcome in outcomes for hop in outcome.hops)
    ends = (end.rule.chain for outcome in outcomes for end in outcome.endpoints)
    shared = (chain for service in result.services for chain in service.chains)
    return frozenset(("nat", chain) for chain in (*hops, *ends, *shared))


class _FrontendViewer:
    """Builds the blocks of one frontend."""

    def __init__(self, result: TraceResult, place: int, source: str, *, fold: bool) -> None:
        self.result = result
        self.source = source
        self.place = place
        self.service = result.services[place]
        self.observed = result.observed[place] if result.observed else ()
        self.fold = fold
        self.cases = later(lambda: outcome_cases(self.service.outcomes))
        self.counts = later(self._counts)
        self.ways = later(lambda: ways_at(result, place) if result.paths else None)
        self.failing = later(self._failing)

    def blocks(self, *, alone: bool) -> Iterator[Block]:
        """Yield the chains and facts of the frontend; where it is `alone`, first what comes of it."""
        nodes = later(self._nodes)
        yield Heading(service_label(self.service), frontend_label(self.service.frontend), self.source)
        if alone and self.result.paths:
            yield Facts(later(self._way_facts))
        yield Tree(nodes, lambda: flattened(nodes(), ENDPOINTS))
        yield Facts(later(self._facts))

    def _failing(self) -> frozenset[tuple[str, int | None]]:
        ways = self.ways()
        return frozenset() if ways is None else failing_ends(ways)

    def _way_facts(self) -> tuple[Fact, ...]:
        ways = self.ways()
        return () if ways is None else tuple(way_facts(ways))

    def _counts(self) -> dict[Rule, Count]:
        if not self.observed:
            return {}
        from iptviz.view.observed import counts_by_rule  # most dumps have no counters

        return counts_by_rule(self.observed)

    def _facts(self) -> tuple[Fact, ...]:
        return tuple(trace_facts(self.result, self.place, self.cases(), self.ways()))

    # --- the tree ----------------------------------------------------------------------------------------

    def _nodes(self) -> tuple[Node, ...]:
        first, *_ = self.cases()
        if not first.case.letter:
            return tuple(self._chains(first.outcome))
        return tuple(CaseBranch(case, tuple(self._chains(outcome))) for case, outcome in self.cases())

    def _chains(self, outcome: FrontendOutcome) -> Iterator[Node]:
        """Return the chains on the way, callers before callees, each with what it decides below it."""
        rule = self.service.frontend.rule
        if rule.table.name == "nat":
            below = self._decisions(outcome, rule.chain)
            yield TextNode("chain", printable(rule.chain), line_label(rule), below)
        hops = outcome.hops
        hidden = len(hops) - SHOWN if self.fold and len(hops) > FOLD_FROM else 0
        for place, hop in enumerate(hops):
            below = self._decisions(outcome, hop.chain)
            if place == SHOWN // 2 and hidden:
                text = f"{counted(hidden, 'chain')} more on the way (--all)"
                yield Fold(text, kind="elided")
            if below or not hidden or not SHOWN // 2 <= place < SHOWN // 2 + hidden:
                share = "" if hop.share == CERTAIN else f"  {visits(hop.share)}"
                yield TextNode("chain", printable(hop.chain) + share, f"from line {hop.via.line}", below)
        if outcome.lacking and outcome.unshared and outcome.endpoints:
            yield TextNode("missing", f"an unknown share: {lacking_label(outcome)}", "")
        elif outcome.lacking:
            yield Remainder(lacking_share(outcome), lacking_label(outcome))
        if outcome.leftover > lacking_share(outcome):
            yield self._remainder(outcome)

    def _decisions(self, outcome: FrontendOutcome, chain: str) -> tuple[Node, ...]:
        marks = (mark for mark in outcome.masquerade if mark.rule.chain == chain)
        set_here = (TextNode("mark", mark_label(mark), line_label(mark.rule)) for mark in marks)
        return (*set_here, *self._endpoints(outcome, chain))

    def _endpoints(self, outcome: FrontendOutcome, chain: str) -> Iterator[Node]:
        endpoints = [endpoint for endpoint in outcome.endpoints if endpoint.via.chain == chain]
        folded = self.fold and len(endpoints) > FOLD_FROM
        hidden = []
        for place, endpoint in enumerate(endpoints):
            if folded and place >= SHOWN and endpoint.rule not in self.result.wanted:
                hidden.append(endpoint.share)
            else:
                yield self._endpoint(endpoint, outcome)
        if folded:
            yield Fold(folded_ends_label(hidden, outcome), ENDPOINTS)

    def _endpoint(self, endpoint: Endpoint, outcome: FrontendOutcome) -> TreeRow:
        wanted = endpoint.rule in self.result.wanted
        count = self.counts().get(endpoint.via)
        fails = (endpoint.address, endpoint.port) in self.failing()
        lines = f"lines {endpoint.via.line}, {endpoint.rule.line}"
        chain = printable(endpoint.rule.chain)
        cells = (
            Cell("share", share_text(endpoint.share, outcome)),
            Cell("address", endpoint_label(endpoint, self.result.snapshot)),
            Cell("text", ", ".join([how_label(endpoint, outcome), *([count.text] if count else [])])),
            Cell("chain", chain, "nat"),
            Cell("line", lines + ("  <- asked for" if wanted else "") + (_FAILS if fails else "")),
        )
        bar = None if outcome.unshared else (count and count.bar) or Bar(float(endpoint.share))
        return TreeRow("wanted" if wanted else "endpoint", ENDPOINTS, cells, bar=bar)

    def _remainder(self, outcome: FrontendOutcome) -> Remainder:
        share = outcome.leftover - lacking_share(outcome)
        if outcome.verdict is None:
            shown = outcome._replace(lacking=())
            return Remainder(share, leftover_label(shown, complete=self.result.complete))
        return Remainder(share, _refusal(outcome.verdict), line_label(outcome.verdict.rule))


def _refusal(verdict: Verdict) -> str:
    """Say how connections are refused, by which chain, and why as far as its rule tells."""
    kind, rule, marked = verdict
    reject = rule.target.value("--reject-with") if rule.target else None
    how = f"{kind} with {reject}" if reject else kind
    why = f" ({rule.comment})" if rule.comment else ""
    if marked is not None:
        from iptviz.checks.source_ranges import marked_drop
        from iptviz.checks.wording import sentence

        return printable(sentence(marked_drop(marked)) + why)
    return printable(f"{how} by {rule.table.name} {rule.chain}{why}")
