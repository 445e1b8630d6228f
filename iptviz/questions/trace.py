"""The question `trace` asks: where do new connections to TARGET go, with what share, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from iptviz.engine.condition import clauses
from iptviz.kube.families import SERVICES
from iptviz.kube.find import find
from iptviz.kube.frontends import Frontend, frontends_leading_to
from iptviz.kube.names import NAMELESS
from iptviz.kube.naming import Naming, fits
from iptviz.kube.preempt import HOOKS, hooks_without_services
from iptviz.kube.service import ServiceTrace, trace_frontend
from iptviz.kube.target import Target, parse_target
from iptviz.supplied.files import Supplied, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.kube.observed import Observation
    from iptviz.kube.outcome import FrontendOutcome as Outcome
    from iptviz.supplied.service_names import Candidate


class TraceResult(NamedTuple):
    """The answer: one trace per frontend that TARGET names; none where it is not in the dump.

    `wanted` holds the DNAT rules of the endpoint that TARGET names, if it names one.
    `siblings` has, for each trace, the other frontends of the same service port.
    `notes` are sentences on what the answer lacks or hangs on. `observed` has, for each trace, what the counters
    of the dump tell, between it and the older dump `since` where that is not None.
    """

    dump: Dump
    target: str
    services: tuple[ServiceTrace, ...]
    wanted: frozenset[Rule]
    siblings: tuple[tuple[Frontend, ...], ...]
    notes: tuple[str, ...]
    observed: tuple[tuple[Observation, ...], ...] = ()
    since: Dump | None = None

    @property
    def complete(self) -> bool:
        """Whether neither the dump nor the rules that were walked lack anything."""
        broken = (one.broken.loops or one.broken.missing or one.unexplored for one in self.services)
        return self.dump.complete and not any(broken)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.trace.v1`."""
        from iptviz.documents.trace_v1 import trace_document

        return trace_document(self)


def trace(
    dump: Dump, target: str, *, names: str | Supplied | None = None, since: Dump | None = None
) -> TraceResult:
    """Follow new connections to `target` through `dump`.

    `since` is an older dump of the same node, with counters, as `dump` then has: what endpoints got between the
    two is compared with their shares.

    `names` is the path of a list of services, such as `kubectl get services -A` prints, which names those whose
    comments are lost: see `iptviz.kube.naming`.

    Raises:
        TargetError: `target` has none of the forms that name a service, an endpoint or a chain.
        DumpError: the list of services cannot be read.
    """
    parsed = parse_target(target)
    candidates = read_file(names, _names_reader) or []
    naming = Naming(dump, candidates)
    found = find(dump, parsed, candidates)
    services = tuple(_named(trace_frontend(dump, frontend), naming) for frontend in found.frontends)
    siblings = _siblings(dump, services)
    absence = [] if services else _absence(dump, parsed, target)
    notes = (*absence, *_dump_notes(dump, answered=bool(services)), *_service_notes(services))
    notes = (*notes, *_since_notes(dump, since))
    observed = tuple(tuple(_observed(dump, one, since)) for one in services)
    texts = tuple(dict.fromkeys(notes))
    return TraceResult(dump, target, services, found.wanted, siblings, texts, observed, since)


def _observed(dump: Dump, one: ServiceTrace, since: Dump | None) -> list[Observation]:
    nat = dump.tables.get("nat")
    if nat is None or all(end.via.counters is None for case in one.outcomes for end in case.endpoints):
        return []
    from iptviz.kube.observed import observe

    return observe(one.outcomes, nat, since.tables.get("nat") if since is not None else None)


def _since_notes(dump: Dump, since: Dump | None) -> Iterator[str]:
    if since is not None and not any(rule.counters for rule in _first_rules(dump)):
        yield "this dump has no counters: `iptables-save -c` writes them"
    if since is not None and not any(rule.counters for rule in _first_rules(since)):
        yield f"{since.source} has no counters: `iptables-save -c` writes them"


def _first_rules(dump: Dump) -> Iterator[Rule]:
    """Yield one rule of each table: a dump has counters everywhere, or nowhere."""
    return (rule for table in dump.tables.values() if (rule := next(table.rules(), None)) is not None)


def _names_reader(text: str, source: str) -> list[Candidate]:
    from iptviz.supplied.service_names import read_service_names

    return read_service_names(text, source)


def _named(one: ServiceTrace, naming: Naming) -> ServiceTrace:
    """Return a trace with the name that a hash confirms, where comments tell none."""
    if one.service is not NAMELESS:
        return one
    chains = (one.frontend.rule.jump, one.chain)
    hashed = (naming.name_of(chain) for chain in chains if chain)
    return one._replace(hashed=next((name for name in hashed if name is not NAMELESS), NAMELESS))


def _absence(dump: Dump, parsed: Target, typed: str) -> list[str]:
    from iptviz.kube.absent import explain_absence

    return explain_absence(dump, parsed, typed)


def _siblings(dump: Dump, services: tuple[ServiceTrace, ...]) -> tuple[tuple[Frontend, ...], ...]:
    """Return for each service the other frontends that lead to the chains which share its connections out."""
    known: dict[frozenset[str], list[Frontend]] = {}
    for one in services:
        if one.chains not in known:
            known[one.chains] = frontends_leading_to(dump, one.chains) if one.chains else []
    return tuple(
        tuple(other for other in known[one.chains] if other.text != one.frontend.text) for one in services
    )


def _dump_notes(dump: Dump, *, answered: bool) -> Iterator[str]:
    for gap in dump.gaps:
        yield f"line {gap.line}: {gap.text}"
    nat = dump.tables.get("nat")
    if answered and nat and SERVICES in nat.chains:
        for hook in hooks_without_services(nat):
            yield f"nothing in nat {hook} leads to {SERVICES}: connections of {HOOKS[hook]} do not come here"


def _service_notes(services: tuple[ServiceTrace, ...]) -> Iterator[str]:
    for one in services:
        yield from _fault_notes(one)
        if one.service.named_by == "comment" and not fits(
            one.chain or "", one.service, one.frontend.protocol
        ):
            yield f"the hash of {one.chain} is not that of {one.service.text}: edited, or names made up?"
        for hook, rule, when in one.preempted:
            target = rule.target.name if rule.target else ""
            condition = f" when {clauses(when)}" if when else ""
            order = f"asked by {hook} before {SERVICES}"
            yield f"line {rule.line}: {target}, {order}, takes the connection{condition}"
        for outcome in one.outcomes:
            yield from _outcome_notes(outcome)


def _fault_notes(one: ServiceTrace) -> Iterator[str]:
    for rule, loop in one.broken.loops.items():
        chains = " -> ".join(loop)
        yield f"line {rule.line}: {chains} is a loop, which the kernel refuses: edited by hand?"
    for rule, chain in one.broken.missing.items():
        yield f"line {rule.line}: jumps to {chain}, which this dump does not have: cut or edited?"
    if one.rounded:
        yield f"{one.frontend.text}: shares are rounded at 2^-4096, exact ones would have too many digits"
    if one.unexplored:
        yield f"{one.frontend.text}: {one.unexplored} combinations of conditions were left out"


def _outcome_notes(outcome: Outcome) -> Iterator[str]:
    for hop in outcome.empty_chains:
        yield f"line {hop.via.line}: leads to {hop.chain}, which has no rules"
    for end in outcome.others:
        target = end.rule.target.name if end.rule.target else ""
        yield f"line {end.rule.line}: {target} ends the nat table before an endpoint is chosen"
    for endpoint in outcome.endpoints:
        if not endpoint.share:
            yield f"line {endpoint.via.line}: never reached, a rule above it takes every connection"
