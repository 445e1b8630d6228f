"""Health checks of load balancers that this node's rules end: kube-proxy itself answers them at node ports."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from iptviz.kube.families import NODE_PORTS
from iptviz.kube.frontends import Frontend
from iptviz.kube.health_checks import health_checks
from iptviz.paths.model import ACCEPT, LOCAL, rests_on_unread
from iptviz.paths.survey import Survey
from iptviz.xtables.values.protocols import read_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.kube.service_ports import ServicePort
    from iptviz.paths.model import Decider
    from iptviz.paths.survey import Evidence

_MOST = 32
"""So many ports are tried: each is followed on its own, and rules that end one nearly always end all."""

_NODE_PORT_RANGE = range(30_000, 32_768)
"""Where health check ports are, unless the API server was told otherwise."""


class EndedCheck(NamedTuple):
    """Health checks of a service that `by` ends; `port` is None where the dump does not have it."""

    service: str
    port: int | None
    outcome: str
    by: Decider


def ended_checks(dump: Dump, ports: Sequence[ServicePort], evidence: Evidence) -> Iterator[EndedCheck]:
    """Yield the health checks that no client's packets get to."""
    table = dump.tables.get("filter")
    if table is None or table.chains.get("INPUT") is None:
        return
    asked = [*islice(_named(dump), _MOST)] or [*islice(_unnamed(table, ports), 1)]
    survey = Survey(dump, evidence, "outside")
    for service, frontend, port in asked:
        entries = survey.paths(frontend, (), ()).entries
        rows = [rest for entry in entries for rest in entry.leftover if rest.share]
        known = not any(
            rests_on_unread(entry.when + rest.when) for entry in entries for rest in entry.leftover
        )
        if known and not any(rest.outcome in {LOCAL, ACCEPT} or rest.by is None for rest in rows):
            yield from (EndedCheck(service, port, rest.outcome, rest.by) for rest in rows[:1] if rest.by)


def _named(dump: Dump) -> Iterator[tuple[str, Frontend, int | None]]:
    """Yield the health check ports that kube-proxy has a rule for, from 1.21 on."""
    for frontend in health_checks(dump):
        yield f"{frontend.service.namespace}/{frontend.service.name}", frontend, frontend.port


def _unnamed(table: Table, ports: Sequence[ServicePort]) -> Iterator[tuple[str, Frontend, int | None]]:
    """Yield the services that have a health check port of which no rule of this release tells.

    They are asked for at a port that nothing names: where rules accept some ports of the range, theirs may be
    one of these.
    """
    if NODE_PORTS in table.chains:
        return
    own = [answer for port in ports for answer in port.answers if answer.local_only
           and answer.frontend.kind == "load-balancer-ip" and answer.service.name]  # fmt: skip
    if not own or _accepts_some(table):
        return
    taken = {answer.frontend.port for port in ports for answer in port.answers}
    free = next(number for number in reversed(_NODE_PORT_RANGE) if number not in taken)
    for answer in own:
        asked = Frontend("health-check", None, free, "tcp", answer.frontend.rule)
        yield f"{answer.service.namespace}/{answer.service.name}", asked, None


def _accepts_some(table: Table) -> bool:
    """Whether a rule that accepts names a port of the range."""
    return any(
        _meets_range(text)
        for rule in table.rules_with(" -j ACCEPT")
        for match in rule.matches
        for option in match.options
        if "port" in option.name
        for text in ",".join(option.values).split(",")
    )


def _meets_range(text: str) -> bool:
    ports = read_ports(text)
    return ports is None or (ports.last >= _NODE_PORT_RANGE[0] and ports.first <= _NODE_PORT_RANGE[-1])
