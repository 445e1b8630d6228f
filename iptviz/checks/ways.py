"""What connections to a frontend meet on their way: rules that take them, endpoints that get nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import as_remark, diagnosis, found
from iptviz.checks.wording import percent
from iptviz.engine.condition import clauses
from iptviz.intake.remark import Remark, remark
from iptviz.kube.broken_endpoints import broken_endpoints
from iptviz.kube.families import DISPATCHERS
from iptviz.kube.frontends import frontend_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from fractions import Fraction

    from iptviz.checks.finding import Finding, Item
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.condition import When
    from iptviz.kube.broken_endpoints import BrokenEndpoint
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.marks import MarkedDrop
    from iptviz.kube.outcome import FrontendOutcome
    from iptviz.kube.service import ServiceTrace


def way_items(traced: ServiceTrace, nat: Table, *, complete: bool) -> Iterator[Item]:
    """Yield what is wrong on the way of connections to a service, case by case.

    What is so in some cases alone is a remark, no finding; an endpoint with a share in one is not shadowed.
    """
    outcomes, service = traced.outcomes, traced.service
    met = [end for outcome in outcomes for end in outcome.endpoints if end.share]
    used, reached = {end.via for end in met}, {end.rule for end in met}
    always = set.intersection(*({rule for rule, _ in _taking(outcome)} for outcome in outcomes))
    for outcome in outcomes:
        for hop in outcome.empty_chains:
            yield found(service_chain_empty, [hop.via], line=hop.via.line, complete=complete, service=service,
                chain=hop.chain,
            )  # fmt: skip
        for rule, _ in _taking(outcome):
            yield _taken(rule, traced.frontend, outcome.when, always=rule in always)
        for end in (end for end in outcome.endpoints if end.rule not in reached):
            rule = end.rule if end.via in used else end.via
            yield found(endpoint_shadowed, [rule], line=rule.line, complete=complete, service=service)
    for broken in broken_endpoints(nat, traced.chains, used, traced.packet):
        via = broken.via
        yield found(broken_endpoint, [via, *nat.rules_of(via.jump or "")], line=via.line, complete=complete,
            service=service, broken=broken,
        )  # fmt: skip


def _taking(outcome: FrontendOutcome) -> Iterator[tuple[Rule, Fraction]]:
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
            target=rule.target.name if rule.target else "",
        )  # fmt: skip
    return made if always else as_remark(made)


def asked_before(answer: FrontendAnswer) -> Iterator[Finding]:
    """Yield the rules, other services' apart, that take all connections before the service is asked."""
    for rule in answer.taken_by if not answer.depends else ():
        if not rule.jump:
            yield _before(rule, answer.frontend)


def _before(rule: Rule, frontend: Frontend) -> Finding:
    return found(asked_before_service, [rule], line=rule.line, service=frontend.service,
        target=rule.target.name if rule.target else "", chain=rule.chain, frontend=frontend.text,
    )  # fmt: skip


def collision(first: Frontend, other: Frontend) -> Finding:
    """Return the finding that two services claim one address and port; the rule of `first` comes first."""
    return found(vip_collision, [first.rule, other.rule], line=other.rule.line, service=other.service,
        frontend=other.text, of=other.claimant, first=first.claimant, first_line=first.rule.line,
    )  # fmt: skip


# --- the words -------------------------------------------------------------------------------------------------

_FAULTS = {
    "no-dnat": "{chain} has no DNAT",
    "other-protocol": "the DNAT of {chain} is for another protocol",
    "no-chance": "the rule has probability 0",
}


def _shared(*, frontend: str, first: str, when: When) -> str:
    return f"{first} has {frontend}, too, and takes its connections when {clauses(when)}"


def _marked(*, chains: tuple[str, ...], hooks: tuple[str, ...], lines: tuple[int, ...]) -> str:
    if not lines:
        return "marked to be dropped, but no rule of this dump drops what bears the mark"
    where = " and ".join(filter(None, (", ".join(hooks[:-1]), *hooks[-1:]))) or "no hook"
    at = f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}"
    only = "" if "FORWARD" in hooks else " only"
    return f"marked to be dropped: {', '.join(chains)} drops in {where}{only} ({at})"


def marked_drop(marked: MarkedDrop) -> Remark:
    """Return what is said of connections that a rule only marks to be dropped."""
    return remark(
        "marked-to-drop",
        chains=tuple(dict.fromkeys(rule.chain for rule in marked.rules)),
        hooks=marked.hooks,
        lines=tuple(rule.line for rule in marked.rules),
    )


REMARKS: dict[str, str | Callable[..., str]] = {
    "address-shared": _shared,
    "marked-to-drop": _marked,
    "mark-not-masqueraded": (
        "marks connections to {frontend} for SNAT, and nothing masquerades them: POSTROUTING does not lead to "
        "KUBE-POSTROUTING, or no rule there masquerades this mark"
    ),
    "notrack-not-asked": (
        "NOTRACK for {frontend} is not asked: line {first}, ACCEPT in raw PREROUTING, comes first, so that what "
        "arrives is tracked and meets nat"
    ),
}


@diagnosis("high", absence=True)
def service_chain_empty(*, chain: str) -> str:
    """Connections enter a chain that is declared and holds no rule.

    Why: The chain gives them back at once, and they go on without an endpoint.

    Do: See whether the dump is whole; then restart kube-proxy, which writes the chain anew.
    """
    return f"leads to {chain}, which has no rules"


@diagnosis("high")
def ends_without_endpoint(*, target: str) -> str:
    """A rule within a service's chains ends the nat table before an endpoint is chosen.

    It is no DNAT, but ACCEPT or REDIRECT.

    Why: These connections keep the service's address, which no machine has, or go somewhere else.

    Do: Find out which program put the rule into kube-proxy's chains, and take it away.
    """
    return f"{target} ends the nat table before an endpoint is chosen"


@diagnosis("high", absence=True)
def endpoint_shadowed() -> str:
    """A rule without a condition stands above the last endpoint's rule of a service chain.

    Why: The endpoints below it never get a connection; the one above gets them all.

    Do: See who wrote these rules: kube-proxy gives every rule but the last a probability. Restart it.
    """
    return "never reached, a rule above it takes every connection"


@diagnosis("high")
def asked_before_service(*, target: str, chain: str, frontend: str) -> str:
    """A rule in kube-proxy's dispatching chain takes connections before a service's own rule.

    It names no service, but everything or a network: RETURN, ACCEPT, DNAT.

    Why: The service's chain is never asked for these connections.

    Do: Find out which program put the rule into kube-proxy's chain, and take it away; kube-proxy writes
    none of this kind.
    """
    return f"{target} in {chain} comes before the rule of {frontend} and takes its connections"


@diagnosis("high", absence=True)
def broken_endpoint(*, broken: BrokenEndpoint) -> str:
    """A service's chain names an endpoint that gets no connection.

    Its chain KUBE-SEP-... has no DNAT for the service's protocol, or the rule that leads there has
    probability 0.

    Why: The endpoint idles, and the others get its share; where its rule is the last one, connections that
    come to it keep the service's address, which nobody has.

    Do: See who wrote these rules: kube-proxy writes a DNAT for each endpoint. Restart it, which writes the
    chain anew.
    """
    why = _FAULTS[broken.fault].format(chain=broken.via.jump)
    sentence = f"{broken.address or 'an endpoint'} gets no connections: {why}"
    if not broken.share:
        return sentence
    goes = "get no endpoint" if broken.last else "go on to the next rule"
    return f"{sentence}; {percent(broken.share)} of connections come to it and {goes}"


@diagnosis("high", reference="k/k#69599")
def vip_collision(*, frontend: str, of: str, first: str, first_line: int) -> str:
    """Two services claim the same address, protocol and port.

    Why: The first rule gets every connection, and which one is first differs from node to node.

    Do: Give one of the services another external IP, load-balancer IP or node port.
    """
    return f"{frontend} of {of} is {first}'s, too: line {first_line} comes first and gets the connections"
