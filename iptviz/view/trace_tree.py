"""The tree of a trace: the chains on the way, what they decide, and the endpoints with their shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN
from iptviz.kube.outcome import lacking_share
from iptviz.rules.form import is_virtual
from iptviz.view.blocks import Facts, Tree, flattened, later
from iptviz.view.facts import trace_facts, verdict_facts
from iptviz.view.labels import (
    FOLD_FROM,
    SHOWN,
    endpoint_label,
    folded_ends_label,
    how_label,
    lacking_label,
    leftover_label,
    line_label,
    lines_label,
    mark_label,
    outcome_cases,
    share_text,
)
from iptviz.view.nodes import Bar, CaseBranch, Cell, Columns, Fold, Remainder, TextNode, TreeRow
from iptviz.view.numbers import counted, visits
from iptviz.view.text import printable
from iptviz.view.ways import failing_ends, unreached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.kube.outcome import Endpoint, FrontendOutcome, Verdict
    from iptviz.rules.form import Place
    from iptviz.view.blocks import Block, Fact
    from iptviz.view.nodes import Node
    from iptviz.view.observed import Count
    from iptviz.view.together import Together

ENDPOINTS = Columns(
    "endpoints",
    ("Share", "Endpoint", "How", "Chain", "Lines"),
    "Endpoints",
    spared=("How", "Chain"),
    losses=(("Chain", "the endpoints' chains"), ("How", "how the shares come about")),
)

_FAILS, _UNREACHED = "  <- not all clients get through", "  <- not reached"
"""What is said of an endpoint; which clients fail and why has been told before."""


class FrontendTree:
    """The tree of frontends whose chains share connections out alike, those `shown`, and the facts below it."""

    def __init__(self, group: Together, places: tuple[int, ...], *, fold: bool) -> None:
        result, place = group.answer, places[0]
        self.result = result
        self.ways = group.ways
        self.shown = group._replace(trees=(places,))
        self.services = self.shown.services
        self.place = place
        self.service = result.services[place]
        self.observed = result.observed[place] if result.observed else ()
        self.fold = fold
        self.cases = later(lambda: outcome_cases(self.service.outcomes))
        self.counts = later(self._counts)
        self.failing = later(self._failing)
        self.unreached = later(self._unreached)

    def blocks(self, others: tuple[Fact, ...]) -> Iterator[Block]:
        """Yield the tree, and below it the facts, after `others` that are said of more than this tree."""
        nodes = later(self._nodes)
        yield Tree(nodes, lambda: flattened(nodes(), ENDPOINTS))
        yield Facts(later(lambda: (*others, *self._facts())))

    def verdicts(self) -> tuple[Fact, ...]:
        """Return what the chains choose, where nobody looked at what else happens and there is but one case."""
        return tuple(verdict_facts(self.result, self.cases(), self.ways))

    def _failing(self) -> frozenset[tuple[str, int | None]]:
        return frozenset() if self.ways is None else failing_ends(self.ways)

    def _unreached(self) -> frozenset[str]:
        if self.ways is None:
            return frozenset()
        ends = (end.address for outcome in self.service.outcomes for end in outcome.endpoints)
        return unreached(self.ways, ends)

    def _counts(self) -> dict[Place, Count]:
        if not self.observed:
            return {}
        from iptviz.view.observed import counts_by_rule  # most dumps have no counters

        return counts_by_rule(self.observed)

    def _facts(self) -> tuple[Fact, ...]:
        return tuple(trace_facts(self.result, self.place, self.cases(), self.ways, fold=self.fold))

    # --- the tree ----------------------------------------------------------------------------------------

    def _nodes(self) -> tuple[Node, ...]:
        first, *_ = self.cases()
        if not first.case.letter:
            return tuple(self._chains(first.outcome))
        return tuple(CaseBranch(case, tuple(self._chains(outcome))) for case, outcome in self.cases())

    def _chains(self, outcome: FrontendOutcome) -> Iterator[Node]:
        """Return the chains on the way, callers before callees, each with what it decides below it."""
        yield from self._entries(outcome)
        number = self.service.outcomes.index(outcome)
        hops = outcome.hops
        hidden = len(hops) - SHOWN if self.fold and len(hops) > FOLD_FROM else 0
        for place, hop in enumerate(hops):
            below = self._decisions(outcome, hop.chain)
            if place == SHOWN // 2 and hidden:
                text = f"{counted(hidden, 'chain')} more on the way (--all shows them)"
                yield Fold(text, kind="elided")
            if below or not hidden or not SHOWN // 2 <= place < SHOWN // 2 + hidden:
                share = "" if hop.share == CERTAIN else f"  {visits(hop.share)}"
                via = [service.outcomes[number].hops[place].via for service in self.services]
                yield TextNode("chain", printable(hop.chain) + share, f"from {lines_label(via)}", below)
        if outcome.lacking and outcome.unshared and outcome.endpoints:
            yield TextNode("missing", f"an unknown share: {lacking_label(outcome)}", "")
        elif outcome.lacking:
            yield Remainder(lacking_share(outcome), lacking_label(outcome))
        if outcome.leftover > lacking_share(outcome):
            yield self._remainder(outcome)

    def _entries(self, outcome: FrontendOutcome) -> Iterator[Node]:
        """Yield the chains whose rules lead to the service, each with those of all frontends that it has."""
        dispatch: dict[str, list[Place]] = {}
        for service in self.services:
            rule = service.frontend.rule
            if not service.frontend.is_refused:
                dispatch.setdefault(rule.chain, []).append(rule)
        for chain, rules in dispatch.items():
            yield TextNode(
                "chain", printable(chain), lines_label(rules, chain), self._decisions(outcome, chain)
            )

    def _decisions(self, outcome: FrontendOutcome, chain: str) -> tuple[Node, ...]:
        marks = (mark for mark in outcome.masquerade if mark.rule.chain == chain)
        set_here = (TextNode("mark", mark_label(mark), line_label(mark.rule, chain)) for mark in marks)
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
        chain = "" if is_virtual(endpoint.rule) else printable(endpoint.rule.chain)
        cells = (
            Cell("share", share_text(endpoint.share, outcome)),
            Cell("address", endpoint_label(endpoint, self.result.snapshot)),
            Cell("text", ", ".join([how_label(endpoint, outcome), *([count.text] if count else [])])),
            Cell("chain", chain, endpoint.rule.table.name),
            Cell("line", self._lines_of(endpoint) + ("  <- asked for" if wanted else "")),
        )
        bar = None if outcome.unshared else (count and count.bar) or Bar(float(endpoint.share))
        return TreeRow("wanted" if wanted else "endpoint", ENDPOINTS, cells, bar=bar)

    def _lines_of(self, endpoint: Endpoint) -> str:
        lines = lines_label([endpoint.via, endpoint.rule], endpoint.via.chain, endpoint.rule.chain)
        if endpoint.address in self.unreached():
            return lines + _UNREACHED
        return lines + (_FAILS if (endpoint.address, endpoint.port) in self.failing() else "")

    def _remainder(self, outcome: FrontendOutcome) -> Remainder:
        share = outcome.leftover - lacking_share(outcome)
        if outcome.verdict is None:
            shown = outcome._replace(lacking=())
            return Remainder(share, leftover_label(shown, complete=self.result.complete))
        return Remainder(
            share, _refusal(outcome.verdict), line_label(outcome.verdict.rule, outcome.verdict.rule.chain)
        )


def _refusal(verdict: Verdict) -> str:
    """Say how connections are refused, by which chain, and why as far as its rule tells."""
    kind, rule, marked, answer = verdict
    how = f"{kind} with {answer}" if answer else kind
    why = f" ({rule.comment})" if rule.comment else ""
    if marked is not None:
        from iptviz.checks.source_ranges import marked_drop
        from iptviz.checks.wording import sentence

        return printable(sentence(marked_drop(marked)) + why)
    return printable(f"{how} by {rule.table.name} {rule.chain}{why}")
