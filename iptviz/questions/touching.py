"""What checks find that touches what was asked: of some service ports alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.examined import Examined
from iptviz.checks.finding import findings_among
from iptviz.checks.registry import OF_SERVICES, examine
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.find import find
from iptviz.kube.frontend_answer import FrontendAnswer, FrontendAnswers, answer_of_trace
from iptviz.kube.frontends import SERVICE_KINDS
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import ServicePort, port_with
from iptviz.kube.target import AddressTarget
from iptviz.paths.fares import Reached, reached_in, reached_of
from iptviz.xtables.address import full_mask
from iptviz.xtables.values.addresses import show_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump
    from iptviz.engine.packet import Packet
    from iptviz.kube.service import ServiceTrace
    from iptviz.node.snapshot import Snapshot
    from iptviz.paths.model import FrontendPaths
    from iptviz.paths.survey import Evidence


def touching_trace(
    node: Snapshot,
    dump: Dump,
    services: Sequence[ServiceTrace],
    paths: Sequence[FrontendPaths],
    evidence: Evidence,
) -> tuple[Finding, ...]:
    """Return what checks find about the service ports that were traced; `paths` are those of each."""
    whole = dump.complete
    ways = {traced.frontend: way for traced, way in zip(services, paths, strict=False)}
    answers = [
        answer_of_trace(traced, complete=whole)
        for traced in services
        if traced.frontend.kind in SERVICE_KINDS
    ]
    ports = _ports(dump, answers)
    reached = tuple(
        reached_of(port.answers, tuple(ways.get(answer.frontend) for answer in port.answers))
        for port in ports
    )
    return touching_ports(node, dump, ports, reached, evidence)


def touching_ports(
    node: Snapshot,
    dump: Dump,
    ports: tuple[ServicePort, ...],
    reached: tuple[tuple[Reached, ...], ...],
    evidence: Evidence,
) -> tuple[Finding, ...]:
    """Return what checks find about service ports, of which `reached` tells how clients fare."""
    if not ports:
        return ()
    examined = Examined(node, dump, DispatchingRules(dump), ports, reached, evidence)
    return findings_among(examine(examined, OF_SERVICES))


def touching_packet(node: Snapshot, dump: Dump, asked: Packet, evidence: Evidence) -> tuple[Finding, ...]:
    """Return what checks find about the service port that a packet is for."""
    if asked.destination is None or asked.destination.mask != full_mask(asked.destination.version):
        return ()
    target = AddressTarget(show_host(asked.destination), asked.destination_port, asked.protocol)
    found = find(dump, target)
    if found.wanted or asked.destination_port is None:
        return ()  # an endpoint, or any port of an address
    rules = DispatchingRules(dump)
    answering = FrontendAnswers(rules)
    ports = _ports(dump, [answering.of(one) for one in found.frontends if one.kind in SERVICE_KINDS])
    return touching_ports(node, dump, ports, reached_in(rules, ports, evidence), evidence)


def _ports(dump: Dump, answers: Iterable[FrontendAnswer]) -> tuple[ServicePort, ...]:
    """Return the service ports that answers are of, as far as they were asked for."""
    naming = Naming(dump, ())
    together: dict[tuple[object, ...], list[FrontendAnswer]] = {}
    for answer in answers:
        named = answer.service.name
        key = answer.service, answer.frontend.protocol, "" if named else answer.frontend.text
        together.setdefault(key, []).append(answer)
    return tuple(port_with(dump, some, naming) for some in together.values())
