"""A service's name for a packet's destination: its cluster IP is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from iptviz.errors import AbsentError, PacketError, TargetError, quoted
from iptviz.intake.remark import remark
from iptviz.kube.find import find
from iptviz.kube.target import NameTarget, parse_target
from iptviz.xtables.address import join_endpoint, parse_network, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.intake.remark import Remark
    from iptviz.kube.frontends import Frontend
    from iptviz.node.snapshot import Snapshot
    from iptviz.questions.packet_fields import PacketFields


def by_name(node: Snapshot, said: PacketFields) -> tuple[PacketFields, tuple[Remark, ...]]:
    """Return what is said of a packet with an address for a name, and what the name is read as.

    A service that has a single port is asked at that, as if it had been named.

    Raises:
        AbsentError: no service with a cluster IP has the name.
        PacketError: several services have it, or two ports are named.
    """
    typed = said.get("dst") or ""
    target = _named(typed)
    if target is None:
        return said, ()
    found = list(_at_cluster_ips(node, target))
    if not found:
        if target.namespace is None:
            return said, ()  # a word that is no address, and whoever reads it says so
        raise AbsentError(
            f"no service with a cluster IP matches {quoted(typed)} in this dump",
            where=node.dump.source,
            hint="list them: iptviz services DUMP",
        )
    services = sorted({f"{one.service.namespace}/{one.service.name}" for one in found})
    if len(services) > 1:
        raise PacketError(f"--dst {typed} matches several services", hint=f"pick one: {', '.join(services)}")
    address = found[0].address or ""
    known = _known(target, [one for one in found if one.address == address])
    for name, value in known.items():
        if said.get(name) not in {None, value, str(value)}:
            raise PacketError(f"--dst {typed} and --{name} {said.get(name)} differ", hint="drop one of them")
    only = {} if target.port_name else _only_port(said, found)
    at = join_endpoint(address, (only or known).get("dport"))
    filled: dict[str, Any] = {**said, **known, **only, "dst": address}
    read_as = remark(
        "read-as-cluster-ip", typed=services[0], endpoint=at, only=str(only.get("protocol") or "")
    )
    return cast("PacketFields", filled), (read_as,)


def _named(typed: str) -> NameTarget | None:
    """Return the service that a destination names; None for an address, a network or any other text."""
    if parse_network(split_endpoint(typed)[0].strip("[]")) is not None:
        return None
    try:
        target = parse_target(typed)
    except TargetError:
        return None
    return target if isinstance(target, NameTarget) else None


def _at_cluster_ips(node: Snapshot, target: NameTarget) -> Iterator[Frontend]:
    for dump in node.dumps:
        for frontend in find(dump, target).frontends:
            if frontend.kind == "cluster-ip" and parse_network(frontend.address or "") is not None:
                yield frontend


_OF_PROTOCOLS = {"tcp_flags": "tcp", "icmp_type": "icmp"}
"""What can be said of packets of one protocol alone."""


def _only_port(said: PacketFields, found: list[Frontend]) -> dict[str, Any]:
    """Return protocol and port of a service that has one alone, unless the packet is said to have others."""
    ports = {(one.port, one.protocol) for one in found}
    if len(ports) != 1:
        return {}
    port, protocol = ports.pop()
    own = {"dport": port, "protocol": protocol}
    fits = all(said.get(name) in {None, value, str(value)} for name, value in own.items())
    fits = fits and all(said.get(name) is None or protocol == of for name, of in _OF_PROTOCOLS.items())
    return own if fits and port is not None else {}


def _known(target: NameTarget, found: list[Frontend]) -> dict[str, Any]:
    """Return port and protocol where the name was given with a port, as far as they are one."""
    if target.port_name is None:
        return {}
    ports, protocols = {one.port for one in found}, {one.protocol for one in found}
    known: dict[str, Any] = {"dport": ports.pop()} if len(ports) == 1 else {}
    return known | ({"protocol": protocols.pop()} if len(protocols) == 1 else {})
