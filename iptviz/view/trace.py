"""The view of a trace: a tree of lines for each frontend, and what is to be said below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.chance import CERTAIN, NEVER
from iptviz.engine.condition import Assumption, Condition, clauses
from iptviz.kube.balance import Balance, balance_of
from iptviz.view.cases import CaseView, case_views
from iptviz.view.numbers import chance, counted, one_in, percent, seconds
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.rule import Rule
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.service import Endpoint, Masquerade, Outcome, ServiceTrace
    from iptviz.trace import TraceResult

FOLD_FROM = 16
"""More endpoints than this are folded to the first ten and a line for the rest."""

_SHOWN = 10

KIND_WORDS = {
    "cluster-ip": "cluster IP",
    "external-ip": "external IP",
    "load-balancer-ip": "load-balancer IP",
    "node-port": "node port",
}


class Node(NamedTuple):
    """One line of the tree: its kind (a key of the renderers' styles), its cells, and the lines below it.

    Cells of an endpoint are share, address, how the share comes about, chain, line; of all others text, line.
    """

    kind: str
    cells: tuple[str, ...]
    children: tuple[Node, ...] = ()


class Fact(NamedTuple):
    """A sentence below the tree: its label, its text, and whether it is good, bad or neither."""

    label: str
    text: str
    mood: str = ""


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
    services = tuple(
        _ServiceViewer(result, one, siblings, fold=fold).view()
        for one, siblings in zip(result.services, result.siblings, strict=True)
    )
    return TraceView(_source_line(result), services, tuple(map(printable, result.notes)))


def _source_line(result: TraceResult) -> str:
    dump = result.dump
    parts = [
        dump.source,
        dump.tool or f"{dump.family}, no header",
        ", ".join(dump.tables),
        counted(dump.rule_count, "rule"),
        "complete" if result.complete else "INCOMPLETE, see the notes",
    ]
    return printable(" · ".join(parts))


def service_label(one: ServiceTrace) -> str:
    """Return the service's name, or what stands in for it."""
    return printable(one.service.text or one.chain or "a service without a name")


def frontend_label(frontend: Frontend) -> str:
    """Return a frontend with its kind."""
    return printable(f"{KIND_WORDS[frontend.kind]} {frontend.text}")


def raw_label(endpoint: Endpoint) -> str:
    """Say how the share comes about: the rule's own chance, of what is left when it is asked."""
    if endpoint.chance * endpoint.before != endpoint.share:
        return "by several ways"
    if endpoint.chance == CERTAIN:
        return (
            "all connections" if endpoint.before == CERTAIN else f"all of the last {percent(endpoint.before)}"
        )
    left = "all" if endpoint.before == CERTAIN else f"the {percent(endpoint.before)} left"
    return f"{chance(endpoint.chance)} of {left}"


def endpoint_label(endpoint: Endpoint) -> str:
    """Return the endpoint's address and port."""
    address = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return printable(address if endpoint.port is None else f"{address}:{endpoint.port}")


def _line(rule: Rule) -> str:
    return f"line {rule.line}"


class _ServiceViewer:
    """Builds the view of one frontend."""

    def __init__(
        self, result: TraceResult, one: ServiceTrace, siblings: tuple[Frontend, ...], *, fold: bool
    ) -> None:
        self.result = result
        self.one = one
        self.siblings = siblings
        self.fold = fold
        self.cases = case_views(one.outcomes)

    def view(self) -> ServiceView:
        return ServiceView(
            service_label(self.one),
            frontend_label(self.one.frontend),
            tuple(self._cases()),
            tuple(self._facts()),
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
            yield Node("chain", (printable(rule.chain), _line(rule)), self._decisions(outcome, rule.chain))
        hops = outcome.hops
        hidden = len(hops) - _SHOWN if self.fold and len(hops) > FOLD_FROM else 0
        for place, hop in enumerate(hops):
            below = self._decisions(outcome, hop.chain)
            if place == _SHOWN // 2 and hidden:
                yield Node("fold", (f"{counted(hidden, 'chain')} more on the way (--all shows them)", ""))
            if below or not hidden or not _SHOWN // 2 <= place < _SHOWN // 2 + hidden:
                share = "" if hop.share == CERTAIN else f"  {percent(hop.share)}"
                yield Node("chain", (printable(hop.chain) + share, f"from line {hop.via.line}"), below)
        yield from self._rest(outcome)

    def _decisions(self, outcome: Outcome, chain: str) -> tuple[Node, ...]:
        return (*self._marks(outcome, chain), *self._endpoints(outcome, chain))

    def _marks(self, outcome: Outcome, chain: str) -> Iterator[Node]:
        for mark in outcome.masquerade:
            if mark.rule.chain == chain:
                yield Node("mark", (f"masquerade {_when(mark)}", _line(mark.rule)))

    def _endpoints(self, outcome: Outcome, chain: str) -> list[Node]:
        endpoints = [endpoint for endpoint in outcome.endpoints if endpoint.via.chain == chain]
        if not self.fold or len(endpoints) <= FOLD_FROM:
            return [self._endpoint(endpoint) for endpoint in endpoints]
        wanted = self.result.wanted
        shown = [one for i, one in enumerate(endpoints) if i < _SHOWN or one.rule in wanted]
        hidden = [one for i, one in enumerate(endpoints) if i >= _SHOWN and one.rule not in wanted]
        return [*map(self._endpoint, shown), Node("fold", (_folded(hidden), ""))]

    def _endpoint(self, endpoint: Endpoint) -> Node:
        kind = "wanted" if endpoint.rule in self.result.wanted else "endpoint"
        cells = (
            percent(endpoint.share),
            endpoint_label(endpoint),
            raw_label(endpoint),
            printable(endpoint.rule.chain),
            f"lines {endpoint.via.line}, {endpoint.rule.line}"
            + ("  <- asked for" if kind == "wanted" else ""),
        )
        return Node(kind, cells)

    def _rest(self, outcome: Outcome) -> Iterator[Node]:
        if not outcome.leftover:
            return
        share = "every connection" if outcome.leftover == CERTAIN else percent(outcome.leftover)
        if outcome.verdict is None:
            yield Node("verdict", (f"{share}: no endpoint, passes on unchanged", ""))
            return
        kind, rule = outcome.verdict
        reject = rule.target.value("--reject-with") if rule.target else None
        how = f"{kind} with {reject}" if reject else kind
        why = f" ({rule.comment})" if rule.comment else ""
        where = f"{rule.table.name} {rule.chain}"
        yield Node("verdict", (printable(f"{share}: {how} by {where}{why}"), _line(rule)))

    # --- the facts ---------------------------------------------------------------------------------------

    def _facts(self) -> Iterator[Fact]:
        usual = self.one.usual
        if self.result.wanted:
            share = sum((one.share for one in usual.endpoints if one.rule in self.result.wanted), NEVER)
            yield Fact("Target", f"{printable(self.result.target)} gets {percent(share)} of new connections")
        for case in self.cases:
            yield _balance_fact(case)
        if len(self.cases) == 1 and usual.endpoints:
            yield Fact("Masquerade", _masquerade_text(usual))
        yield from self._hairpin_facts()
        if self.one.affinity_seconds is not None:
            span = seconds(self.one.affinity_seconds)
            yield Fact("Affinity", f"a client stays with its endpoint for {span}; shares are for new clients")
        if self.siblings:
            yield Fact("Also at", ", ".join(map(frontend_label, self.siblings)))
        yield Fact("Depends on", self._conditions())

    def _hairpin_facts(self) -> Iterator[Fact]:
        endpoints = [endpoint for case in self.cases for endpoint in case.outcome.endpoints]
        without = dict.fromkeys(endpoint_label(one) for one in endpoints if one.hairpin is None)
        if without:
            who = ", ".join(list(without)[:3]) + (" ..." if len(without) > 3 else "")
            yield Fact(
                "Hairpin", f"no masquerade for {who}: it cannot reach itself through this service", "bad"
            )
        elif endpoints:
            yield Fact("Hairpin", "an endpoint that reaches itself is masqueraded")

    def _conditions(self) -> str:
        """Say what the answer depends on that the dump does not hold."""
        unknown = [need.condition for outcome in self.one.outcomes for need in outcome.when]
        asked = dict.fromkeys(unknown)
        if not asked:
            return "nothing outside this dump"
        return "; ".join(printable(_question(condition)) for condition in asked)


def _question(condition: Condition) -> str:
    return f"whether {Assumption(condition, holds=True).text}"


def _when(mark: Masquerade) -> str:
    return printable(f"if {clauses(mark.needs)}" if mark.needs else "always")


def _folded(hidden: list[Endpoint]) -> str:
    """Say what a fold hides: how many endpoints, with which shares."""
    shares = [endpoint.share for endpoint in hidden]
    least, most = percent(min(shares)), percent(max(shares))
    each = f"{least} each" if least == most else f"{least} to {most} each"
    return f"and {len(hidden):,} more, {each}, {percent(sum(shares, NEVER))} together (--all shows them)"


def _masquerade_text(outcome: Outcome) -> str:
    if not outcome.masquerade:
        return "none: endpoints see the client's address"
    return ", or ".join(map(_when, outcome.masquerade))


def _balance_fact(case: CaseView) -> Fact:
    outcome = case.outcome
    label = f"Case {case.letter}" if case.letter else "Verdict"
    balance = balance_of([endpoint.share for endpoint in outcome.endpoints])
    if balance is None:
        refused = (
            outcome.verdict.kind if outcome.verdict else "nothing takes the connection and nothing refuses it"
        )
        return Fact(label, f"no endpoint: {refused}", "bad")
    mood = "good" if balance.even and not outcome.leftover else "bad"
    masquerade = f"; masquerade {_masquerade_text(outcome)}" if case.letter else ""
    return Fact(label, _balance_text(balance, outcome) + masquerade, mood)


def _balance_text(balance: Balance, outcome: Outcome) -> str:
    if balance.endpoints == 1 and not outcome.leftover:
        return "1 endpoint, which gets every connection"
    count = counted(balance.endpoints, "endpoint")
    if outcome.leftover:
        spread = f"{percent(balance.least)} to {percent(balance.most)}"
        return f"{count}, {spread}, {percent(outcome.leftover)} get none"
    if not balance.even:
        return f"{count}, UNEVEN: {percent(balance.least)} to {percent(balance.most)}"
    each = f"{count}, {percent(balance.most)} each"
    if not balance.deviation:
        return f"{each}, exactly even"
    why = " (five-digit probabilities, rounded)" if balance.rounded else ""
    return f"{each}, even to {one_in(balance.deviation)}{why}"
