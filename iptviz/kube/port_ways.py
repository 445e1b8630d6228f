"""Who gets what comes to a port of the node that others than kube-proxy publish: which rule is asked first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, total
from iptviz.engine.effects import BrokenJumps
from iptviz.engine.packet import Packet
from iptviz.engine.survey import survey
from iptviz.kube.dispatching import dispatching_rules, rules_about
from iptviz.kube.families import SERVICES
from iptviz.kube.frontends import frontend_of, host_of
from iptviz.kube.outcome import Endpoint, FrontendOutcome, OtherEnd, destination_of, takes_on
from iptviz.kube.service import ServiceTrace
from iptviz.records import NamedTuple
from iptviz.rules.form import TARGET, Action, CompiledRule
from iptviz.rules.iptables import compiled, dump_rule, rule_table
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.survey import Case, Survey
    from iptviz.kube.frontends import Frontend

_ARRIVING = "PREROUTING"


def packet_to(frontend: Frontend) -> Packet:
    """Return a new client's first packet to a port of this node, or of the address that the rule itself names."""
    return Packet(
        protocol=frontend.protocol,
        destination=parse_network(frontend.address) if frontend.address else None,
        destination_port=frontend.port,
        destination_name=frontend.host_name,
        to_this_node=None if host_of(dump_rule(frontend.rule)) else True,
    )


def port_survey(dump: Dump, nat: Table, frontend: Frontend) -> Survey:
    """Return where nat sends what arrives at a port of this node.

    Of kube-proxy's services those rules alone are asked that are about this port, or this address: what a service
    takes ends there.
    """
    entry = [made for rule in nat.rules_of(_ARRIVING) for made in _entered(dump, rule, frontend)]
    return survey(rule_table(nat), packet_to(frontend), entry)


def _entered(dump: Dump, rule: Rule, frontend: Frontend) -> Iterator[CompiledRule]:
    """Yield a rule of the hook; instead of the jump to all services those of this port, under its conditions."""
    made = compiled(rule)
    if rule.jump != SERVICES:
        yield made
        return
    if frontend.address:
        at_address = dispatching_rules(dump, f"-d {frontend.address}", ["nat"])
        yield from _taking(made, at_address)
    yield from _taking(made, rules_about(dump, frontend._replace(kind="node-port"), "nat"))


def _taking(jump: CompiledRule, rules: Iterable[Rule]) -> Iterator[CompiledRule]:
    for rule in rules:
        made = compiled(rule)
        action = Action(TARGET, "ACCEPT") if frontend_of(rule) else made.action
        yield CompiledRule(made.place, made.chain, jump.tests + made.tests, action)


class PortOwner(NamedTuple):
    """Who publishes a port, and what a comment tells of whom it leads to; either may be empty."""

    by: str
    of: str

    @property
    def text(self) -> str:
        """Both in one."""
        return ", ".join(filter(None, self))


def trace_port(dump: Dump, frontend: Frontend, owner: PortOwner) -> ServiceTrace:
    """Follow new connections to a published port: its rule gets them, or another one that is asked first."""
    nat = dump.tables["nat"]
    found = port_survey(dump, nat, frontend)
    outcomes = [_outcome(case, frontend) for case in found.cases]
    outcomes.sort(key=lambda outcome: (sum(need.holds for need in outcome.when), not outcome.endpoints))
    return ServiceTrace(
        frontend=frontend,
        packet=packet_to(frontend),
        outcomes=tuple(outcomes),
        affinity_seconds=None,
        broken=found.broken,
        left_open=found.left_open,
        rounded=found.rounded,
        preempted=(),
        owner=owner.text,
    )


def _outcome(case: Case, frontend: Frontend) -> FrontendOutcome:
    """Return what the frontend's own rule gets in a case, and who else gets something."""
    ends = {dump_rule(place): share for place, share in case.ends.items() if share}
    rule = dump_rule(frontend.rule)
    own = ends.get(rule)
    others = tuple(OtherEnd(other, share, takes_on(other)) for other, share in ends.items() if other != rule)
    endpoints: tuple[Endpoint, ...] = ()
    if own and compiled(rule).action.name == "DNAT":
        endpoints = (_endpoint(frontend, own),)
    elif own:
        others = (OtherEnd(rule, own, takes_on(rule)), *others)
    return FrontendOutcome(
        when=case.when,
        endpoints=endpoints,
        leftover=total((case.leftover, *(end.share for end in others))),
        verdict=None,
        masquerade=(),
        hops=(),
        others=others,
        empty_chains=(),
    )


def _endpoint(frontend: Frontend, share: Fraction) -> Endpoint:
    address, port, ports = destination_of(dump_rule(frontend.rule), frontend.port)
    return Endpoint(
        address=address,
        port=port,
        ports=ports,
        share=share,
        rule=frontend.rule,
        via=frontend.rule,
        before=share,
        chance=CERTAIN,
        hairpin=None,
    )


def trace_health_check(frontend: Frontend) -> ServiceTrace:
    """Return what becomes of health checks: nat leaves them alone, kube-proxy itself answers on the node."""
    outcome = FrontendOutcome((), (), CERTAIN, None, (), (), (), ())
    return ServiceTrace(
        frontend=frontend,
        packet=packet_to(frontend),
        outcomes=(outcome,),
        affinity_seconds=None,
        broken=BrokenJumps({}, {}, {}),
        left_open=(),
        rounded=False,
        preempted=(),
    )


def takers(dump: Dump, frontend: Frontend) -> tuple[Rule, ...]:
    """Return the rules that take all that comes to a published port before its own is asked; none if that is."""
    ends = [
        {dump_rule(place) for place, share in case.ends.items() if share}
        for case in port_survey(dump, dump.tables["nat"], frontend).cases
    ]
    if any(frontend.rule in those for those in ends):
        return ()
    return tuple(sorted(set().union(*ends), key=lambda rule: rule.line))
