"""Health checks of load balancers that this node's rules end: kube-proxy itself answers them at node ports."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from iptviz.engine.effects import UNKNOWN
from iptviz.kube.families import NODE_PORTS
from iptviz.kube.frontends import Frontend
from iptviz.kube.health_checks import health_checks
from iptviz.paths.model import ACCEPT, LOCAL, rests_on_unread
from iptviz.paths.surroundings import DumpSurroundings
from iptviz.paths.survey import Survey
from iptviz.paths.usual import leads_outward
from iptviz.records import NamedTuple
from iptviz.xtables.values.protocols import read_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.engine.condition import Assumption, When
    from iptviz.kube.service_ports import ServicePort
    from iptviz.paths.model import Decider, LeftoverRow
    from iptviz.paths.survey import Evidence

_MOST = 32
"""So many ports are tried: each is followed on its own, and rules that end one nearly always end all."""

_NODE_PORT_RANGE = range(30_000, 32_768)
"""Where health check ports are, unless the API server was told otherwise."""


class EndedCheck(NamedTuple):
    """Health checks of a service that `by` ends, where all of `when` hold.

    `port` is None where the dump does not have it.
    """

    service: str
    port: int | None
    outcome: str
    by: Decider
    when: When = ()


def ended_checks(dump: Dump, ports: Sequence[ServicePort], evidence: Evidence) -> Iterator[EndedCheck]:
    """Yield the health checks that no outside client's packets get to, or none that come by an uplink."""
    table = dump.tables.get("filter")
    if table is None or table.chains.get("INPUT") is None:
        return
    asked = [*islice(_named(dump), _MOST)] or [*islice(_unnamed(table, ports), 1)]
    survey = Survey(DumpSurroundings(dump), evidence, "outside")
    for service, frontend, port in asked:
        entries = survey.paths(frontend, (), ()).entries
        rows = [rest._replace(when=entry.when + rest.when) for entry in entries for rest in entry.leftover
                if rest.share]  # fmt: skip
        ended = _always(rows) or _by_uplink(rows)
        if ended is not None and ended.by is not None:
            uplink = tuple(one for one in ended.when if _is_uplink(one))
            yield EndedCheck(service, port, ended.outcome, ended.by, () if _always(rows) else uplink)


def _always(rows: Sequence[LeftoverRow]) -> LeftoverRow | None:
    """Return what ends all health checks, first of several, where none gets through and all rules were read."""
    open_too = any(rests_on_unread(row.when) or _gets_through(row) for row in rows)
    return None if open_too else next(iter(rows), None)


def _by_uplink(rows: Sequence[LeftoverRow]) -> LeftoverRow | None:
    """Return what ends all that come in by an interface which leads outward."""
    ended = (row for row in rows if not _gets_through(row) and not rests_on_unread(row.when))
    for row in ended:
        elsewhere = {one.opposite() for one in row.when if _is_uplink(one)}
        if elsewhere and not any(_gets_through(other) and elsewhere.isdisjoint(other.when) for other in rows):
            return row
    return None


def _gets_through(row: LeftoverRow) -> bool:
    return row.outcome in {LOCAL, ACCEPT, UNKNOWN} or row.by is None


def _is_uplink(one: Assumption) -> bool:
    condition = one.condition
    return one.holds and condition.kind == "in-interface" and all(map(leads_outward, condition.values))


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
