"""How services, frontends, endpoints and rules are called, wherever they are shown."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN
from iptviz.engine.condition import clauses
from iptviz.view.numbers import chance, counted, percent
from iptviz.view.text import printable

if TYPE_CHECKING:
    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.outcome import Endpoint, Masquerade
    from iptviz.kube.outcome import FrontendOutcome as Outcome
    from iptviz.kube.service import ServiceTrace

KIND_WORDS = {
    "cluster-ip": "cluster IP",
    "external-ip": "external IP",
    "load-balancer-ip": "load-balancer IP",
    "node-port": "node port",
}

ABSENT = "names no service of this dump"
"""What is said of a target that is not there."""


def dump_label(dump: Dump, *, complete: bool) -> str:
    """Return where a dump comes from, who wrote it, what it holds, and whether it lacks something."""
    parts = [
        dump.source,
        dump.tool or f"{dump.family}, no header",
        ", ".join(dump.tables),
        counted(dump.rule_count, "rule"),
        "complete" if complete else "INCOMPLETE, see the notes",
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


def seen_label(connections: int, everything: int) -> str:
    """Return how many connections the counters saw, and which share that is of the chain's."""
    share = f" = {percent(Fraction(connections, everything))}" if everything else ""
    return f"seen {connections:,}{share}"


def endpoint_label(endpoint: Endpoint) -> str:
    """Return the endpoint's address and port."""
    address = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return printable(address if endpoint.port is None else f"{address}:{endpoint.port}")


def line_label(rule: Rule) -> str:
    """Return where a rule stands."""
    return f"line {rule.line}"


def when_label(mark: Masquerade) -> str:
    """Say when a mark is set."""
    return printable(f"if {clauses(mark.needs)}" if mark.needs else "always")


def leftover_label(outcome: Outcome, *, complete: bool) -> str:
    """Say what becomes of connections that get no endpoint and that nothing refuses.

    To a kernel a chain without rules just returns; in a dump that lacks something, they may be what it lacks.
    """
    if outcome.empty_chains and not complete:
        chains = ", ".join(dict.fromkeys(hop.chain for hop in outcome.empty_chains))
        return printable(f"not known, since this incomplete dump has no rules of {chains}")
    return "no endpoint, destination unchanged"
