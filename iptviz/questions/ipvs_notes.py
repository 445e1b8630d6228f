"""Where IPVS sends connections, as far as the output of ipvsadm beside the rules tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.intake.remark import remark
from iptviz.kube.mode import mode_of
from iptviz.kube.target import AddressTarget, NodePortTarget, parse_target
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.engine.packet import Packet
    from iptviz.intake.remark import Remark
    from iptviz.node.snapshot import PlacedServer, Snapshot
    from iptviz.supplied.ipvs import VirtualServer


def of_target(node: Snapshot, dumps: Iterable[Dump], target: str) -> Iterator[Remark]:
    """Yield where IPVS sends connections to a TARGET, by address or node port; of a name, what ipvsadm shows."""
    parsed = parse_target(target)
    if isinstance(parsed, AddressTarget | NodePortTarget):
        yield from _told(node, dumps, lambda server: _is_of_target(server, parsed))
    else:
        yield from shown(node, dumps)


def of_packet(node: Snapshot, dumps: Iterable[Dump], packet: Packet) -> Iterator[Remark]:
    """Yield what IPVS does with a packet that arrives at one of its addresses."""
    if packet.destination is not None:
        yield from _told(node, dumps, lambda server: (
            parse_network(server.address) == packet.destination
            and packet.protocol in {None, server.protocol}
            and packet.destination_port in {None, server.port}
        ))  # fmt: skip


def shown(node: Snapshot, dumps: Iterable[Dump]) -> Iterator[Remark]:
    """Yield how many virtual servers ipvsadm shows."""
    servers = _servers(node, dumps)
    if servers:
        first = servers[0]
        yield remark("ipvs-servers", place=f"{first.source}:{first.server.line}", count=len(servers))


def _servers(node: Snapshot, dumps: Iterable[Dump]) -> list[PlacedServer]:
    ipvs = node.evidence and any(mode_of(dump).name == "ipvs" for dump in dumps)
    return node.virtual_servers if ipvs else []


def _told(
    node: Snapshot, dumps: Iterable[Dump], is_wanted: Callable[[VirtualServer], bool]
) -> Iterator[Remark]:
    for source, server, whole in _servers(node, dumps):
        if is_wanted(server):
            place = f"{source}:{server.line}"
            yield remark("ipvs-server", server=server, place=place, whole=whole)


def _is_of_target(server: VirtualServer, target: AddressTarget | NodePortTarget) -> bool:
    if target.protocol not in {None, server.protocol}:
        return False
    if isinstance(target, NodePortTarget):
        return server.port == target.port
    return parse_network(server.address) == parse_network(target.address) and target.port in {
        None,
        server.port,
    }
