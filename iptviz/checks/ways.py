"""What connections to a frontend meet on their way: rules that take them, endpoints that get nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.checks.finding import Finding, as_remark, diagnosis, findings_among, found
from iptviz.checks.wording import OUTSIDE, are, listed, percent
from iptviz.engine.condition import clauses
from iptviz.intake.remark import remark
from iptviz.kube.broken_endpoints import broken_endpoints, is_repeated, shadowed_ways, taking_all_above
from iptviz.kube.families import DISPATCHERS
from iptviz.kube.frontends import frontend_of
from iptviz.kube.service import trace_frontend
from iptviz.rules.iptables import dump_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from fractions import Fraction

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Item
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.condition import When
    from iptviz.kube.broken_endpoints import BrokenEndpoint, Fault
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.outcome import FrontendOutcome
    from iptviz.kube.service import ServiceTrace
    from iptviz.rules.form import Place


def check(node: Examined) -> Iterator[Finding]:
    """Yield what is wrong on the ways to services, asking the engine for those alone that are not plain."""
    nat = node.dump.tables.get("nat")
    if nat is None:
        return
    answers = [answer for port in node.ports for answer in port.answers]
    clashing = (collision(first, other) for first, other in node.rules.contested())
    before = (finding for answer in answers for finding in asked_before(answer))
    by_kind: dict[str, list[Finding]] = {}
    for finding in findings_among([*clashing, *before, *_on_the_way(node, nat)]):
        by_kind.setdefault(finding.id, []).append(finding)
    yield from _of_rules(by_kind.pop(asked_before_service.id, []))
    for findings in by_kind.values():
        yield from findings if len(findings) <= _MOST_ALONE else [_together(findings)]


_MOST_ALONE = 5
"""How many findings of a kind stand each for itself."""


def _together(findings: Sequence[Finding]) -> Finding:
    """Return findings of one kind as one, with all their evidence."""
    evidence = tuple(dict.fromkeys(piece for finding in findings for piece in finding.evidence))
    values = tuple((dict(findings[0].values) | {"alike": len(findings) - 1}).items())
    return findings[0]._replace(service=None, values=values, evidence=evidence, times=len(findings))


def _of_rules(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield one finding for each rule that comes before services, with all that it takes."""
    by_line: dict[int, list[Finding]] = {}
    for finding in findings:
        by_line.setdefault(finding.line, []).append(finding)
    for first, *more in by_line.values():
        values: list[dict[str, Any]] = [dict(finding.values) for finding in (first, *more)]
        taken = dict.fromkeys(text for one in values for text in one["taken"])
        told = values[0] | {"taken": tuple(taken)}
        yield first._replace(values=tuple(told.items()), service=None if more else first.service)


def _on_the_way(node: Examined, nat: Table) -> Iterator[Finding]:
    """Yield what is wrong within the chains of services, case by case."""
    for port in node.ports:
        # Up to 1.9 the chain of a service without endpoints is empty.
        refused = any(answer.verdict for answer in port.answers) and not port.has_endpoints
        for answer in port.answers:
            taken = answer.taken_by and not answer.depends
            if answer.plain or taken or answer.frontend.rule.table is not nat:
                continue
            traced = trace_frontend(node.dump, answer.frontend, node.rules.about)
            whole = node.dump.complete and not (traced.broken.loops or traced.broken.missing)
            told = {service_chain_empty.id} if refused else set()
            told |= _UNSEEN if answer.unseen else set()
            for item in way_items(traced, nat, complete=whole):
                if isinstance(item, Finding) and item.id not in told:
                    yield item


def way_items(traced: ServiceTrace, nat: Table, *, complete: bool) -> Iterator[Item]:
    """Yield what is wrong on the way of connections to a service, case by case.

    What is so in some cases alone is a remark, no finding, but for what all clients outside meet by a policy; an
    endpoint with a share in one is not shadowed.
    """
    outcomes, service = traced.outcomes, traced.service
    met = [end for outcome in outcomes for end in outcome.endpoints if end.share]
    used, reached = {dump_rule(end.via) for end in met}, {end.rule for end in met}
    certain = [traced.usual] if traced.by_policy else outcomes
    always = set.intersection(*({rule for rule, _ in _taking(outcome)} for outcome in certain))
    for outcome in outcomes:
        for hop in outcome.empty_chains:
            yield found(service_chain_empty, [hop.via], line=hop.via.line, complete=complete, service=service,
                chain=hop.chain, of=service.text, alike=0,
            )  # fmt: skip
        for rule, _ in _taking(outcome):
            yield _taken(dump_rule(rule), traced.frontend, outcome.when, always=rule in always)
        idle = [end for end in outcome.endpoints if end.rule not in reached]
        if idle and not outcome.others and not traced.broken.missing:
            rules = [end.rule if end.via in used else end.via for end in idle]
            above = taking_all_above(dump_rule(rules[0]), traced.packet)
            if above and not complete and is_repeated(above[0]):
                continue
            yield found(endpoint_shadowed, [*above, *rules], line=rules[0].line, complete=complete,
                service=service, ends=tuple(end.text for end in idle), of=service.text,
                above=above[0].line if above else 0, of_outside=False, alike=0,
            )  # fmt: skip
    yield from _shadowed_outside(nat, traced, used, complete=complete)
    for broken in broken_endpoints(nat, traced.chains, used, traced.packet):
        yield _in_vain(broken, nat, traced, complete=complete)


def _shadowed_outside(
    nat: Table, traced: ServiceTrace, used: Collection[Rule], *, complete: bool
) -> Iterator[Finding]:
    """Yield the endpoints that a policy Local means for clients outside and that get nothing of theirs alone."""
    if not traced.by_policy or traced.chain is None:
        return
    idle = {dump_rule(end.via) for outcome in traced.outcomes for end in outcome.endpoints if not end.share}
    for via, above, address in shadowed_ways(nat, traced.chain, {*used, *idle}, traced.packet):
        if complete or not is_repeated(above):
            yield found(endpoint_shadowed, [above, via], line=via.line, complete=complete,
                service=traced.service, ends=(address or via.jump or "",), of=traced.service.text,
                above=above.line, of_outside=True, alike=0,
            )  # fmt: skip


def _in_vain(broken: BrokenEndpoint, nat: Table, traced: ServiceTrace, *, complete: bool) -> Finding:
    """Return that an endpoint gets no connection, whoever comes to it."""
    via, service, of = broken.via, traced.service, traced.service.text
    if broken.fault == "no-chance":
        ends = (broken.address or via.jump or "",)
        return found(endpoint_shadowed, [via], line=via.line, complete=complete, service=service, ends=ends,
            of=of, above=None, of_outside=False, alike=0,
        )  # fmt: skip
    rules = [via, *nat.rules_of(via.jump or "")]
    return found(endpoint_without_dnat, rules, line=via.line, complete=complete, service=service,
        chain=via.jump or "", fault=broken.fault, share=broken.share, address=broken.address, last=broken.last,
        of=of, alike=0,
    )  # fmt: skip


def _taking(outcome: FrontendOutcome) -> Iterator[tuple[Place, Fraction]]:
    """Yield the rules that take connections before an endpoint of the service's own is chosen."""
    yield from ((end.rule, end.share) for end in (*outcome.others, *outcome.returning) if end.share)
    yield from (
        (end.rule, end.share)
        for end in outcome.endpoints
        if end.share and end.rule.chain in DISPATCHERS["nat"]
    )


def _taken(rule: Rule, frontend: Frontend, when: When, *, always: bool) -> Item:
    """Return the finding that a rule, or another service, takes what is meant for `frontend`."""
    claim = frontend_of(rule) if rule.jump else None
    if claim and always:
        return collision(claim, frontend)
    if claim:
        return remark("address-shared", rule.line, frontend=frontend.text, first=claim.claimant, when=when)
    if rule.chain in DISPATCHERS["nat"]:
        made = _before(rule, frontend)
    else:
        made = found(ends_without_endpoint, [rule], line=rule.line, service=frontend.service,
            target=rule.target.name if rule.target else "", chain=rule.chain, of=frontend.service.text, alike=0,
        )  # fmt: skip
    return made if always else as_remark(made)


def asked_before(answer: FrontendAnswer) -> Iterator[Finding]:
    """Yield the rules, other services' apart, that take all connections before the service is asked."""
    for rule in map(dump_rule, answer.taken_by if not answer.depends else ()):
        if not rule.jump:
            yield _before(rule, answer.frontend)


def _before(rule: Rule, frontend: Frontend) -> Finding:
    return found(asked_before_service, [rule], line=rule.line, service=frontend.service,
        target=rule.target.name if rule.target else "", chain=rule.chain, taken=(frontend.text,),
    )  # fmt: skip


def collision(first: Frontend, other: Frontend) -> Finding:
    """Return the finding that two services claim one address and port; the rule of `first` comes first."""
    return found(vip_collision, [first.rule, other.rule], line=other.rule.line, service=other.service,
        frontend=other.text, of=other.claimant, first=first.claimant, first_line=first.rule.line, alike=0,
    )  # fmt: skip


_UNSEEN = frozenset({"service-chain-empty", "endpoint-without-dnat"})
"""What is as well told by what a dump does not show of a service."""


# --- the words -------------------------------------------------------------------------------------------------


def _shared(*, frontend: str, first: str, when: When) -> str:
    return f"{first} has {frontend}, too, and takes its connections when {clauses(when)}"


REMARKS: dict[str, str | Callable[..., str]] = {
    "address-shared": _shared,
    "mark-not-masqueraded": (
        "marks connections to {frontend} for SNAT, and nothing masquerades them: POSTROUTING does not lead to "
        "KUBE-POSTROUTING, or no rule there masquerades this mark"
    ),
    "notrack-not-asked": (
        "NOTRACK for {frontend} never runs: line {first}, ACCEPT in raw PREROUTING, runs first, so arriving "
        "packets are tracked and reach nat"
    ),
}


@diagnosis("high", absence=True)
def service_chain_empty(*, chain: str, of: str, alike: int) -> str:
    """Connections enter a chain of a service that is declared but empty.

    Why: The chain returns at once: connections go on without an endpoint, or to the other endpoints.

    Do: Check whether the dump is whole; then restart kube-proxy, which writes the chain anew.
    """
    return _and_more(f"leads to {chain}{_of(of)}, which has no rules", alike)


@diagnosis("high")
def ends_without_endpoint(*, target: str, chain: str, of: str, alike: int) -> str:
    """A rule within a service's chains ends the nat table before an endpoint is chosen.

    It is ACCEPT or REDIRECT, not DNAT.

    Why: These connections keep the service's address, which no machine has, or go somewhere else.

    Do: Find out which program put the rule into kube-proxy's chains, and take it away.
    """
    return _and_more(f"{target} in {chain} ends the nat table before an endpoint{_of(of)} is chosen", alike)


@diagnosis("high", absence=True)
def endpoint_shadowed(
    *, ends: tuple[str, ...], of: str, above: int | None, of_outside: bool, alike: int
) -> str:
    """A service's chain names an endpoint to which no connection ever comes.

    A rule without a condition stands above the endpoint's, or that has probability 0.

    Why: The endpoint idles, and others get its share.

    Do: Find out which program wrote these rules: kube-proxy gives every rule but the last a probability above 0.
    Restart it, which writes the chain anew.
    """
    why = "the rule has probability 0" if above is None else f"{_above(above)} takes every connection"
    get = f"{are(ends, 'gets', 'get')} no connections{OUTSIDE if of_outside else ''}"
    those = ends[0] if len(ends) == 1 else f"{len(ends):,} endpoints ({listed(ends, 3)})"
    return _and_more(f"{those}{_of(of)} {get}: {why}", alike)


def _above(line: int) -> str:
    return f"line {line} above" if line else "a rule above"


@diagnosis("high")
def asked_before_service(*, target: str, chain: str, taken: tuple[str, ...]) -> str:
    """A rule in kube-proxy's dispatching chain takes connections before a service's own rule.

    It matches everything or a network, not a service: RETURN, ACCEPT, DNAT.

    Why: The service's chain never sees these connections.

    Do: Find out which program put the rule into kube-proxy's chain, and take it away; kube-proxy writes
    none of this kind.
    """
    whose = f"{are(taken, 'rule', 'rules')} of {listed(taken, 3)}"
    takes = f"takes {are(taken, 'its', 'their')} connections"
    return f"{target} in {chain} comes before the {whose} and {takes}"


@diagnosis("high", absence=True)
def endpoint_without_dnat(
    *, chain: str, fault: Fault, share: Fraction, address: str, last: bool, of: str, alike: int
) -> str:
    """The chain of an endpoint has no DNAT, or one for another protocol than the service's.

    Why: The endpoint idles, and the others get its share; where its rule is the last one, connections that
    come to it keep the service's address, which no host has.

    Do: Find out which program wrote these rules: kube-proxy writes a DNAT for each endpoint. Restart it, which
    writes the chain anew.
    """
    why = _FAULTS[fault].format(chain=chain)
    goes = "get no endpoint" if last else "go on to the next rule"
    end = f"{address or 'an endpoint'}{_of(of)}"
    come = f"{percent(share)} of connections come to it and {goes}"
    return _and_more(f"{end} gets no connections: {why}; {come}", alike)


_FAULTS = {"no-dnat": "{chain} has no DNAT", "other-protocol": "the DNAT of {chain} is for another protocol"}


def _of(service: str) -> str:
    return f" of {service}" if service else ""


def _and_more(words: str, alike: int) -> str:
    return f"{words} (and {alike:,} more like this)" if alike else words


@diagnosis("high", reference="k/k#69599")
def vip_collision(*, frontend: str, of: str, first: str, first_line: int, alike: int) -> str:
    """Two services claim the same address, protocol and port.

    Why: The first rule gets every connection, and which one is first differs from node to node.

    Do: Give one of the services another external IP, load-balancer IP or node port.
    """
    comes = f"line {first_line} comes first and gets the connections"
    return _and_more(f"{frontend} of {of} is {first}'s, too: {comes}", alike)
