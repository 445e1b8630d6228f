"""Where IPVS sends connections, as far as the output of ipvsadm beside the rules tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.intake.remark import remark
from iptviz.kube.mode import mode_of
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.engine.packet import Packet
    from iptviz.intake.remark import Remark
    from iptviz.node.snapshot import Snapshot
    from iptviz.supplied.ipvs import VirtualServer


def of_packet(node: Snapshot, dumps: Iterable[Dump], packet: Packet) -> Iterator[Remark]:
    """Yield what IPVS does with a packet that arrives at one of its addresses."""
    if packet.destination is None or not any(mode_of(dump).name == "ipvs" for dump in dumps):
        return
    for source, server, whole in node.virtual_servers:
        if _is_met(server, packet):
            yield remark("ipvs-server", server=server, place=f"{source}:{server.line}", whole=whole)


def _is_met(server: VirtualServer, packet: Packet) -> bool:
    return (
        parse_network(server.address) == packet.destination
        and packet.protocol in {None, server.protocol}
        and packet.destination_port in {None, server.port}
    )
