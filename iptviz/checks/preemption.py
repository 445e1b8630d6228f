"""Who is asked before kube-proxy: rules of others that take its connections, hooks that do not lead to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import as_remark, diagnosis, found
from iptviz.checks.wording import WHOSE
from iptviz.engine.condition import clauses
from iptviz.intake.remark import remark
from iptviz.kube.families import SERVICES

if TYPE_CHECKING:
    from iptviz.checks.finding import Item
    from iptviz.engine.condition import When
    from iptviz.intake.remark import Remark
    from iptviz.kube.names import ServiceName
    from iptviz.kube.preempt import ConditionalJump, Preemption


def preempted(preemption: Preemption, service: ServiceName) -> Item:
    """Return the finding that a rule takes the connections of `service` before kube-proxy is asked.

    It is a remark where a condition decides that: host ports take only what is for the node itself.
    """
    rule = preemption.rule
    target = rule.target.name if rule.target else ""
    made = found(foreign_dnat_first, [rule], line=rule.line, service=service,
        target=target, hook=preemption.hook, when=preemption.when,
    )  # fmt: skip
    return as_remark(made) if preemption.when else made


def conditional(jump: ConditionalJump) -> Remark:
    """Return that connections meet kube-proxy's chain under conditions alone."""
    return remark("services-asked-if", jump.rule.line, hook=jump.hook, when=jump.when)


def _asked_if(*, hook: str, when: When) -> str:
    return f"{SERVICES} is asked when {clauses(when)}: other connections of {WHOSE[hook]} do not come here"


REMARKS = {"services-asked-if": _asked_if}


@diagnosis("high")
def foreign_dnat_first(*, target: str, hook: str, when: When) -> str:
    """A rule of another program takes a service's connections before kube-proxy is asked.

    It stands above the jump to KUBE-SERVICES and ends the nat table: DNAT, REDIRECT or ACCEPT.

    Why: The service's chain is never asked for these connections: they go elsewhere, or keep an address
    that nobody has.

    Do: Find out which program wrote the rule, by its comment and its chain, and make it leave out the
    service addresses, or take it away.
    """
    condition = f" when {clauses(when)}" if when else ""
    return f"{target}, asked by {hook} before {SERVICES}, takes the connection{condition}"
