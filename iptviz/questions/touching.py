"""What checks find that touches what was asked: of some service ports alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.examined import Examined
from iptviz.checks.finding import findings_among
from iptviz.checks.registry import EXPLAINING, OF_SERVICES, as_checked, beside, examine
from iptviz.kube.find import find
from iptviz.kube.frontends import SERVICE_KINDS
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import ports_of
from iptviz.kube.target import AddressTarget
from iptviz.paths.many_fares import reached_in
from iptviz.xtables.address import full_mask
from iptviz.xtables.values.addresses import show_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump
    from iptviz.engine.packet import Packet
    from iptviz.kube.frontends import Frontend
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
) -> tuple[Finding, ...] | None:
    """Return what checks find about the service ports that were traced; `paths` are those of each."""
    frontends = [traced.frontend for traced in services]
    return _touching(node, dump, frontends, evidence, dict(zip(frontends, paths, strict=False)))


def touching_ports(examined: Examined) -> tuple[Finding, ...] | None:
    """Return what checks find about the service ports of a dump, None where it has none."""
    return _found(examined) if examined.ports else None


def _found(examined: Examined) -> tuple[Finding, ...]:
    return findings_among(examine(examined, (*EXPLAINING, *OF_SERVICES)))


def with_noted(noted: tuple[Finding, ...], found: Sequence[Finding] | None) -> tuple[Finding, ...]:
    """Return what the notes of an answer find, as checks see it, and what these find besides.

    `found` is what checks find about the service ports of the answer, None where it is about none.
    """
    return noted if found is None else beside(as_checked(noted, found), found)


def touching_packet(
    node: Snapshot, dump: Dump, asked: Packet, evidence: Evidence
) -> tuple[Finding, ...] | None:
    """Return what checks find about the service port that a packet is for."""
    if asked.destination is None or asked.destination.mask != full_mask(asked.destination.version):
        return None
    target = AddressTarget(show_host(asked.destination), asked.destination_port, asked.protocol)
    found = find(dump, target)
    if found.wanted or asked.destination_port is None:
        return None  # an endpoint, or any port of an address
    return _touching(node, dump, found.frontends, evidence)


def _touching(
    node: Snapshot,
    dump: Dump,
    frontends: Iterable[Frontend],
    evidence: Evidence,
    known: Mapping[Frontend, FrontendPaths] | None = None,
) -> tuple[Finding, ...] | None:
    """Return what checks find about the service ports that frontends are of, at all of theirs.

    The paths of some frontends may be known.
    """
    asked = [one for one in frontends if one.kind in SERVICE_KINDS]
    if not asked:
        return None
    rules, ports = ports_of(dump, asked, Naming(dump, ()))
    reached = reached_in(rules, ports, evidence, known=known)
    return _found(Examined(node, dump, rules, tuple(ports), reached, evidence)) if ports else None
