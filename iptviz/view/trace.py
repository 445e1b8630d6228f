"""The view of a trace: a tree of lines for each frontend, and what is to be said below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.checks.wording import sentences
from iptviz.engine.chance import CERTAIN, total, trimmed
from iptviz.view.bars import Bar, seen_by
from iptviz.view.cases import case_views
from iptviz.view.facts import Fact, facts_of
from iptviz.view.labels import (
    dump_label,
    endpoint_label,
    frontend_label,
    leftover_label,
    line_label,
    raw_label,
    service_label,
    when_label,
)
from iptviz.view.numbers import counted, percent, visits
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.kube.outcome import Endpoint
    from iptviz.kube.outcome import FrontendOutcome as Outcome
    from iptviz.questions.trace import TraceResult

FOLD_FROM = 16
"""More endpoints than this are folded to the first ten and a line for the rest."""

SHOWN = 10
"""How many of them then remain; of chains, too, where an edited dump nests more."""

_ENOUGH_BITS = 128
"""For the least and the most of thousands of shares: comparing them exactly would only be slow."""


class Node(NamedTuple):
    """One line of the tree: its kind (a key of the renderers' styles), its cells, and the lines below it.

    Cells of an endpoint are share, address, how the share comes about, chain, line; of all others text, line.
    `bar` is an endpoint's share, for those who draw.
    """

    kind: str
    cells: tuple[str, ...]
    children: tuple[Node, ...] = ()
    bar: Bar | None = None


class ServiceView(NamedTuple):
    """One frontend: heading, tree and facts."""

    heading: str
    frontend: str
    nodes: tuple[Node, ...]
    facts: tuple[Fact, ...]


class TraceView(NamedTuple):
    """The whole answer: a line on the dump, a view for each frontend, and notes."""

    source: str
    services: tuple[ServiceView, ...]
    notes: tuple[str, ...]


def trace_view(result: TraceResult, *, fold: bool = True) -> TraceView:
    """Return the view of `result`; `fold` shortens long lists of endpoints and says so."""
    services = tuple(_ServiceViewer(result, place, fold=fold).view() for place in range(len(result.services)))
    return TraceView(
        dump_label(result.dump, complete=result.complete),
        services,
        tuple(map(printable, sentences(result.notes))),
    )


class _ServiceViewer:
    """Builds the view of one frontend."""

    def __init__(self, result: TraceResult, place: int, *, fold: bool) -> None:
        self.result = result
        self.one = result.services[place]
        self.siblings = result.siblings[place]
        self.observed = result.observed[place] if result.observed else ()
        self.fold = fold
        self.cases = case_views(self.one.outcomes)
        self.seen = seen_by(self.observed)

    def view(self) -> ServiceView:
        return ServiceView(
            service_label(self.one),
            frontend_label(self.one.frontend),
            tuple(self._cases()),
            tuple(facts_of(self.result, self.one, self.siblings, self.observed)),
        )

    # --- the tree ----------------------------------------------------------------------------------------

    def _cases(self) -> Iterator[Node]:
        for letter, when, outcome in self.cases:
            if letter:
                heading = f"{letter}: when " + "\n   or when ".join(when)
                yield Node("case", (heading, ""), tuple(self._chains(outcome)))
            else:
                yield from self._chains(outcome)

    def _chains(self, outcome: Outcome) -> Iterator[Node]:
        """Return the chains on the way, callers before callees, each with what it decides below it."""
        rule = self.one.frontend.rule
        if rule.table.name == "nat":
            yield Node(
                "chain", (printable(rule.chain), line_label(rule)), self._decisions(outcome, rule.chain)
            )
        hops = outcome.hops
        hidden = len(hops) - SHOWN if self.fold and len(hops) > FOLD_FROM else 0
        for place, hop in enumerate(hops):
            below = self._decisions(outcome, hop.chain)
            if place == SHOWN // 2 and hidden:
                yield Node("elided", (f"{counted(hidden, 'chain')} more on the way (--all shows them)", ""))
            if below or not hidden or not SHOWN // 2 <= place < SHOWN // 2 + hidden:
                share = "" if hop.share == CERTAIN else f"  {visits(hop.share)}"
                yield Node("chain", (printable(hop.chain) + share, f"from line {hop.via.line}"), below)
        yield from self._rest(outcome)

    def _decisions(self, outcome: Outcome, chain: str) -> tuple[Node, ...]:
        return (*self._marks(outcome, chain), *self._endpoints(outcome, chain))

    def _marks(self, outcome: Outcome, chain: str) -> Iterator[Node]:
        for mark in outcome.masquerade:
            if mark.rule.chain == chain:
                yield Node("mark", (f"masquerade {when_label(mark)}", line_label(mark.rule)))

    def _endpoints(self, outcome: Outcome, chain: str) -> list[Node]:
        endpoints = [endpoint for endpoint in outcome.endpoints if endpoint.via.chain == chain]
        if not self.fold or len(endpoints) <= FOLD_FROM:
            return [self._endpoint(endpoint) for endpoint in endpoints]
        wanted = self.result.wanted
        shown = [one for i, one in enumerate(endpoints) if i < SHOWN or one.rule in wanted]
        hidden = [one for i, one in enumerate(endpoints) if i >= SHOWN and one.rule not in wanted]
        return [*map(self._endpoint, shown), Node("fold", (_folded(hidden), ""))]

    def _endpoint(self, endpoint: Endpoint) -> Node:
        kind = "wanted" if endpoint.rule in self.result.wanted else "endpoint"
        seen = self.seen.get(endpoint.via)
        cells = (
            percent(endpoint.share),
            endpoint_label(endpoint),
            ", ".join([raw_label(endpoint), *([seen.text] if seen else [])]),
            printable(endpoint.rule.chain),
            f"lines {endpoint.via.line}, {endpoint.rule.line}"
            + ("  <- asked for" if kind == "wanted" else ""),
        )
        return Node(kind, cells, bar=(seen and seen.bar) or Bar(float(endpoint.share)))

    def _rest(self, outcome: Outcome) -> Iterator[Node]:
        if not outcome.leftover:
            return
        share = "every connection" if outcome.leftover == CERTAIN else percent(outcome.leftover)
        if outcome.verdict is None:
            fate = leftover_label(outcome, complete=self.result.complete)
            yield Node("verdict", (f"{share}: {fate}", ""))
            return
        kind, rule = outcome.verdict
        reject = rule.target.value("--reject-with") if rule.target else None
        how = f"{kind} with {reject}" if reject else kind
        why = f" ({rule.comment})" if rule.comment else ""
        where = f"{rule.table.name} {rule.chain}"
        yield Node("verdict", (printable(f"{share}: {how} by {where}{why}"), line_label(rule)))


def _folded(hidden: list[Endpoint]) -> str:
    """Say what a fold hides: how many endpoints, with which shares."""
    shares = [endpoint.share for endpoint in hidden]
    roughly = [trimmed(share, _ENOUGH_BITS) for share in shares]
    least, most = percent(min(roughly)), percent(max(roughly))
    each = f"{least} each" if least == most else f"{least} to {most} each"
    return f"and {len(hidden):,} more, {each}, {percent(total(shares))} together (--all shows them)"
