"""Rules of others that are asked before kube-proxy, and take its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import as_remark, diagnosis, found
from iptviz.checks.wording import WHOSE, listed
from iptviz.engine.condition import clauses
from iptviz.kube.families import IPVS, KUBE_PROXY, SERVICES, USERSPACE, family_of
from iptviz.kube.preempt import conditional_jumps
from iptviz.kube.published import is_host_port
from iptviz.kube.service import first_packet
from iptviz.paths.foreign import takers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.engine.condition import When
    from iptviz.intake.remark import Remark
    from iptviz.kube.names import ServiceName
    from iptviz.kube.preempt import ConditionalJump, Preemption

_MOST_TAKEN = 3


def check(node: Examined) -> Iterator[Finding]:
    """Yield what comes before kube-proxy: conditions, and rules of other programs that take connections.

    Host ports are a kind of their own.
    """
    nat = node.dump.tables.get("nat")
    if nat is not None and node.ports and node.dump.complete:
        # kube-proxy asks nothing: any packet does.
        yield from map(conditional, conditional_jumps(nat, first_packet(node.ports[0].usual.frontend)))
    for taker in takers(nat, node.ports, node.reached, node.evidence.host):
        if _is_of_others(taker.rule):
            yield found(foreign_dnat_first, [taker.rule], line=taker.rule.line, service=taker.service,
                state="known" if taker.certain else "unknown",
                target=taker.rule.target.name if taker.rule.target else "", hook=" and ".join(taker.hooks),
                when=taker.when, taken=tuple(one.text for one in taker.taken),
            )  # fmt: skip


def _is_of_others(rule: Rule) -> bool:
    """Whether neither kube-proxy, in whatever mode, wrote a rule, nor who publishes host ports of pods."""
    family = family_of(rule.chain)
    own = family is not None and family.writer in {KUBE_PROXY, USERSPACE, IPVS}
    return not own and not is_host_port(rule)


def preempted(preemption: Preemption, service: ServiceName) -> Remark:
    """Return the remark that a rule takes the connections of `service` before kube-proxy is asked.

    Whether that is a fault, and whose, is seen by who looks at all clients: host ports are a kind of their own.
    """
    rule = preemption.rule
    target = rule.target.name if rule.target else ""
    made = found(foreign_dnat_first, [rule], line=rule.line, service=service, state="known",
        target=target, hook=preemption.hook, when=preemption.when, taken=(),
    )  # fmt: skip
    return as_remark(made)


def conditional(jump: ConditionalJump) -> Finding:
    """Return the finding that connections meet kube-proxy's chain under conditions alone."""
    return found(services_asked_if, [jump.rule], line=jump.rule.line, hook=jump.hook, when=jump.when)


@diagnosis("medium")
def services_asked_if(*, hook: str, when: When) -> str:
    """The only way from a built-in chain of nat to KUBE-SERVICES is by a jump under a condition.

    Why: kube-proxy's own jump has no condition. Connections that do not meet this one come to no service: they
    keep the service's address, which no host has, and time out.

    Do: Restart kube-proxy, which writes its own jump, and find out which program wrote this one in its place.
    """
    return f"{SERVICES} runs only when {clauses(when)}: other connections of {WHOSE[hook]} do not reach it"


@diagnosis({"known": "high", "unknown": "medium"})
def foreign_dnat_first(*, target: str, hook: str, when: When, taken: tuple[str, ...]) -> str:
    """A rule of another program takes a service's connections before kube-proxy's rules run.

    It stands above the jump to KUBE-SERVICES and ends the nat table: DNAT, REDIRECT or ACCEPT.

    Why: The service's chain never sees these connections: they go elsewhere, or keep an address that no host has.

    Do: Find out which program wrote the rule, by its comment and its chain, and make it leave out the
    service addresses, or take it away.
    """
    condition = f" when {clauses(when)}" if when else ""
    what = f"connections to {listed(taken, _MOST_TAKEN)}" if taken else "the connection"
    return f"{target} in nat {hook} runs before {SERVICES} and takes {what}{condition}: no DNAT by kube-proxy"
