"""Who is asked before kube-proxy: rules of others that take its connections, hooks that do not lead to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import FindingRow, as_remark, found
from iptviz.engine.condition import clauses
from iptviz.intake.remark import remark
from iptviz.kube.families import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.checks.finding import Finding, Item
    from iptviz.engine.condition import When
    from iptviz.intake.remark import Remark
    from iptviz.kube.names import ServiceName
    from iptviz.kube.preempt import ConditionalJump, Preemption

_WHOSE = {"PREROUTING": "pods and other hosts", "OUTPUT": "the node itself"}
"""Whose connections pass a hook."""


def hooks_not_leading(hooks: Iterable[str], *, complete: bool) -> Iterator[Finding]:
    """Yield a finding for each hook from which nothing leads to KUBE-SERVICES."""
    return (found(ROWS, "hook-without-services", complete=complete, hook=hook) for hook in hooks)


def preempted(preemption: Preemption, service: ServiceName) -> Item:
    """Return the finding that a rule takes the connections of `service` before kube-proxy is asked.

    It is a remark where a condition decides that: host ports take only what is for the node itself.
    """
    rule = preemption.rule
    target = rule.target.name if rule.target else ""
    made = found(
        ROWS, "foreign-dnat-first", [rule], line=rule.line, service=service,
        target=target, hook=preemption.hook, when=preemption.when,
    )  # fmt: skip
    return as_remark(made) if preemption.when else made


def conditional(jump: ConditionalJump) -> Remark:
    """Return that connections meet kube-proxy's chain under conditions alone."""
    return remark("services-asked-if", jump.rule.line, hook=jump.hook, when=jump.when)


def _asked_if(*, hook: str, when: When) -> str:
    return f"{SERVICES} is asked when {clauses(when)}: other connections of {_WHOSE[hook]} do not come here"


def _first(*, target: str, hook: str, when: When) -> str:
    condition = f" when {clauses(when)}" if when else ""
    return f"{target}, asked by {hook} before {SERVICES}, takes the connection{condition}"


def _not_leading(*, hook: str) -> str:
    return f"nothing in nat {hook} leads to {SERVICES}: connections of {_WHOSE[hook]} do not come here"


REMARKS = {"services-asked-if": _asked_if}

ROWS = {
    "foreign-dnat-first": FindingRow(
        severity="high",
        sentence=_first,
        means="A rule of somebody else stands above the jump to KUBE-SERVICES and ends the nat table for "
        "connections to a service: DNAT, REDIRECT or ACCEPT.",
        matters="The service's chain is never asked for these connections: they go elsewhere, or keep an "
        "address that nobody has.",
        advice="Find out which program wrote the rule, by its comment and its chain, and make it leave out "
        "the service addresses, or take it away.",
    ),
    "hook-without-services": FindingRow(
        severity="high",
        sentence=_not_leading,
        means="A built-in chain of nat (PREROUTING, OUTPUT) has no jump to KUBE-SERVICES, although that chain "
        "is there.",
        matters="kube-proxy writes both jumps. Without one, connections that come this way meet no service at "
        "all; another program flushed the built-in chain, or a firewall was reloaded.",
        advice="Restart kube-proxy, which writes the jumps again, and find out what took them away.",
        reference="k/k#129128, #133767",
        absence=True,
    ),
}
