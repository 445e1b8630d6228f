"""The view of a trace as a picture: frontends, chains, endpoints and refusals, and what leads where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, total
from iptviz.engine.condition import clauses
from iptviz.view.clients_picture import REACHING, ClientsPicture
from iptviz.view.facts import unfair_ends
from iptviz.view.fates import ways_of
from iptviz.view.labels import (
    FOLD_FROM,
    SHOWN,
    dump_label,
    endpoint_label,
    frontend_label,
    how_label,
    lacking_label,
    line_label,
    note_texts,
    service_label,
    share_text,
)
from iptviz.view.numbers import counted, percent, seconds
from iptviz.view.observed import Count, counts_by_rule, observed_facts
from iptviz.view.picture import Box, Link, Picture, chain_id
from iptviz.view.picture_cases import FrontendCase, SharesByCase, by_chain, case_summaries, frontend_cases
from iptviz.view.rules import rule_lines
from iptviz.view.text import note_line, printable, wrapped
from iptviz.view.together import groups_of
from iptviz.view.trace_jumps import Lead, Leads, home_of
from iptviz.view.ways import failing_ends, way_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from iptviz.kube.outcome import Endpoint, FrontendOutcome, Needs
    from iptviz.kube.service import ServiceTrace
    from iptviz.questions.trace import TraceResult
    from iptviz.rules.form import Place


def trace_picture(result: TraceResult, *, fold: bool = True) -> Picture:
    """Return the picture of `result`; `fold` joins a long list of endpoints into one box."""
    cases = frontend_cases(result)
    shares = SharesByCase(cases)
    counts = counts_by_rule(chain for observed in result.observed for chain in observed)
    clients = ClientsPicture(result)
    ways = ways_of(result)
    boxes: dict[str, Box] = {box.id: box for box in clients.boxes}
    links = {(link.tail, link.head, link.lines): link for link in clients.links}
    for place, service in enumerate(result.services):
        own = [case for case in cases if case.frontend is service]
        failing = failing_ends(ways[place]) if ways else frozenset()
        painter = _FrontendPainter(service, own, shares, counts, result, failing, fold=fold)
        for box in painter.boxes():
            boxes.setdefault(box.id, box)
        for link in painter.links():
            links.setdefault((link.tail, link.head, link.lines), link)
    footer = [line for summary in _summaries(result, cases) for line in wrapped(summary)]
    footer += dict.fromkeys(fact.text for observed in result.observed for fact in observed_facts(observed))
    footer += [note_line(note) for note in note_texts(result.notes)]
    return Picture(
        printable(result.target),
        tuple(boxes.values()),
        tuple(links.values()),
        tuple(footer),
        dump_label(result.dump, complete=result.complete),
        rule_lines(result, fold=fold),
    )


def _summaries(result: TraceResult, cases: list[FrontendCase]) -> Iterator[str]:
    """Yield which clients are reached and how; what fails stands in boxes of its own.

    Then what the letters of cases mean, which kube-proxy's chains make.
    """
    groups = groups_of(result)
    for group in groups:
        where = f"{group.frontends}: " if len(groups) > 1 else ""
        lines = way_lines(group.ways) if group.ways else ()
        facts = [line.fact for line in lines if line.kind in REACHING]
        facts += [fact for fact in group.others if fact.kind != "reach"]
        yield from (f"{where}{fact.label}: {fact.text}" for fact in facts)
    summaries = case_summaries(cases, complete=result.complete)
    if not result.paths:
        yield from summaries
    elif cases[0].case.letter:
        yield "kube-proxy's chains:"
        yield from summaries


class _FrontendPainter:
    """Draws one frontend."""

    def __init__(
        self,
        service: ServiceTrace,
        cases: list[FrontendCase],
        shares: SharesByCase,
        counts: dict[Place, Count],
        result: TraceResult,
        failing: frozenset[tuple[str, int | None]],
        *,
        fold: bool,
    ) -> None:
        self.service = service
        self.counts = counts
        self.cases = cases
        self.shares = shares
        self.wanted = result.wanted
        self.failing = failing
        self.node = result.snapshot
        self.leads = Leads(service, result.dump)
        self.entry = self.leads.entry
        self.entry_id = chain_id(self.entry, self.leads.table)
        self.frontend_id = f"frontend/{service.frontend.text}"
        self.endpoints = by_chain(service.outcomes)
        self.folded = self._folded() if fold else set()
        self.carried = [_carried(outcome) for outcome in service.outcomes]
        self.ends_by: dict[Place, list[Endpoint]] = {}
        for end in (end for case in cases for end in case.outcome.endpoints):
            self.ends_by.setdefault(end.via, []).append(end)
        self.unfair = {rule for case in cases for rule in unfair_ends(case.outcome)}

    def _folded(self) -> set[str]:
        """Return the chains of endpoints that share one box: all but the first few and those asked for."""
        if len(self.endpoints) <= FOLD_FROM:
            return set()
        later = list(self.endpoints.items())[SHOWN:]
        return {chain for chain, ends in later if not self.wanted & {end.rule for end in ends}}

    def boxes(self) -> Iterator[Box]:
        heading = (service_label(self.service), frontend_label(self.service.frontend))
        yield Box(self.frontend_id, "frontend", heading)
        yield Box(self.entry_id, "chain", (printable(self.leads.name),))
        for chain in (*self.leads.before, *self._chains()):
            yield Box(self._id(chain), "chain", (printable(chain),))
        for chain, ends in self.endpoints.items():
            if chain not in self.folded:
                rules = dict.fromkeys(rule for end in ends for rule in (end.hairpin, end.rule) if rule)
                counts = self._counts_at(ends)
                lines = self._endpoint_lines(chain, ends, counts)
                bar = next((count.bar for count in counts if count.bar), None)
                kind, small = self._kind(ends), (printable(chain),) if chain == ends[0].rule.chain else ()
                yield Box(self._endpoints_id(chain), kind, lines, _raw(*rules), bar, small)
        yield from self._folded_box()
        yield from self._ends()

    def _endpoints_id(self, chain: str) -> str:
        """Return the id of the box of a chain's endpoints: rules of the dispatching chain may have their own."""
        return f"endpoints/{chain}" if chain == self.entry else self._id(chain)

    def _id(self, chain: str) -> str:
        """Return the id of a chain behind the dispatching one."""
        return chain_id(chain, self.leads.chains_of)

    def _counts_at(self, ends: list[Endpoint]) -> list[Count]:
        """Return what counters saw of the rules that lead to one endpoint."""
        return [self.counts[via] for via in dict.fromkeys(end.via for end in ends) if via in self.counts]

    def _endpoint_lines(self, chain: str, ends: list[Endpoint], counts: list[Count]) -> tuple[str, ...]:
        labels = dict.fromkeys(endpoint_label(end, self.node) for end in ends)
        seen = dict.fromkeys(count.text for count in counts)
        return (*labels, *self.shares.lines(chain), *seen)

    def _kind(self, ends: list[Endpoint]) -> str:
        rules = {end.rule for end in ends}
        if self.wanted & rules:
            return "wanted"
        if any((end.address, end.port) in self.failing for end in ends):
            return "failing"
        return "uneven" if rules & self.unfair else "endpoint"

    def _folded_box(self) -> Iterator[Box]:
        if self.folded:
            usual = [end for end in self.service.usual.endpoints if home_of(end) in self.folded]
            together = share_text(total(end.share for end in usual), self.service.usual)
            lines = (
                f"{counted(len(self.folded), 'more endpoint')}",
                f"{together} together",
                "(--all)",
            )
            yield Box(f"folded/{self.service.chain}", "fold", lines)

    def _ends(self) -> Iterator[Box]:
        for outcome in self.service.outcomes:
            if outcome.leftover:
                yield self._leftover(outcome)
            for mark in outcome.masquerade:
                yield Box(f"masquerade/{_place_id(mark.rule)}", "mark", ("masquerade",), _raw(mark.rule))
        if self.service.affinity_seconds is not None and self.service.chain:
            lines = ("a client stays with its endpoint", f"for {seconds(self.service.affinity_seconds)}")
            yield Box(f"affinity/{self.service.chain}", "affinity", lines)

    def _leftover(self, outcome: FrontendOutcome) -> Box:
        verdict = outcome.verdict
        if verdict is None:
            nothing = ("no endpoint", "not DNATed")
            if outcome.lacking:
                nothing = ("not known", lacking_label(outcome).removeprefix("not known: "))
            return Box(f"leftover/{self.service.frontend.text}", "leftover", nothing)
        lines = (verdict.kind, printable(verdict.rule.comment or ""), line_label(verdict.rule))
        return Box(f"verdict/{_place_id(verdict.rule)}", "verdict", lines, _raw(verdict.rule))

    def links(self) -> Iterator[Link]:
        for chain in self.leads.before:
            yield Link(self.frontend_id, self._id(chain), (), "enter", 1.0)
        yield Link(self.frontend_id, self.entry_id, (), "enter", 1.0)
        yield from self._jumps()
        for case in self.cases:
            outcome = case.outcome
            if outcome.leftover:
                tail = self._id(outcome.hops[-1].chain) if outcome.hops else self.entry_id
                share = case.label(percent(outcome.leftover))
                yield Link(tail, self._leftover(outcome).id, (share,), "leftover", float(outcome.leftover))
            for mark in outcome.masquerade:
                head = f"masquerade/{_place_id(mark.rule)}"
                first, *others = _condition_lines(mark.needs)
                lines = (case.label(first), *others, line_label(mark.rule, mark.rule.chain))
                yield Link(self._id(mark.rule.chain), head, lines, "mark", 0.0, _raw(mark.rule))
        if self.service.affinity_seconds is not None and self.service.chain:
            yield Link(self._id(self.service.chain), f"affinity/{self.service.chain}", (), "affinity", 0.0)

    def _jumps(self) -> Iterator[Link]:
        """Yield the jumps between the chains of this answer, with their conditions and raw chances."""
        chains = self._chains()
        for lead in self.leads.all(chains, self.endpoints, self.folded):
            yield self._jump(lead)

    def _jump(self, lead: Lead) -> Link:
        rule, head = lead.rule, lead.head
        tail = self.entry_id if rule.chain == self.entry else self._id(rule.chain)
        if head in self.folded:
            hidden = (end.share for end in self.service.usual.endpoints if home_of(end) in self.folded)
            return Link(tail, f"folded/{self.service.chain}", (), "jump", float(total(hidden)))
        weight = max((float(carried.get(rule, 0)) for carried in self.carried), default=0.0)
        return Link(tail, self._endpoints_id(head), self._jump_lines(lead), "jump", weight, _raw(rule))

    def _jump_lines(self, lead: Lead) -> tuple[str, ...]:
        conditions = _condition_lines(lead.needs) if lead.needs else ()
        ends = self.ends_by.get(lead.rule, ())
        raw = next((how_label(end, self.service.usual) for end in ends if end.share != CERTAIN), "")
        return (*conditions, *([raw] if raw else []), line_label(lead.rule, lead.rule.chain))

    def _chains(self) -> list[str]:
        """Return the chains on the way, in the order in which they are met."""
        hops = (hop.chain for outcome in self.service.outcomes for hop in outcome.hops)
        return [chain for chain in dict.fromkeys(hops) if chain not in self.endpoints]


def _raw(*rules: Place) -> tuple[str, ...]:
    return tuple(f"{line_label(rule)}: {printable(rule.text)}" for rule in rules)


def _place_id(rule: Place) -> str:
    """Return what tells a rule from others in ids: its line, where it has one."""
    return str(rule.line or f"{rule.chain}/{rule.number}/{rule.text}")


def _carried(outcome: FrontendOutcome) -> dict[Place, Fraction]:
    """Return the share that each rule carries, as far as it is the first to lead where it does."""
    shares: dict[Place, list[Fraction]] = {}
    for end in outcome.endpoints:
        shares.setdefault(end.via, []).append(end.share)
    for hop in outcome.hops:
        shares.setdefault(hop.via, []).append(hop.share)
    return {via: total(those) for via, those in shares.items()}


def _condition_lines(needs: Needs) -> tuple[str, ...]:
    """Return a line for each condition, so that labels stay narrow."""
    if not needs:
        return (clauses(needs),)
    first, *others = (printable(need.text) for need in needs)
    return (first, *(f"and {other}" for other in others))
