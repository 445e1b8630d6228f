"""Targets of the nat table: where a connection is sent, and as whom it appears.

Source: net/netfilter/nf_nat_core.c. Of a range of addresses the kernel picks one by a hash of the client's
address, the same for the same client: no chance, so the packet's address is then one of the range.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from iptviz.engine.effects import Effect, Stop, TargetCall
from iptviz.engine.packet import ConnectionTuple, Packet
from iptviz.xtables.address import Network, join_endpoint, parse_network, parse_range, split_nat_range
from iptviz.xtables.values.protocols import read_nat_ports

if TYPE_CHECKING:
    from collections.abc import Mapping


def _remembered(packet: Packet) -> ConnectionTuple:
    """Return what the connection's first packet looked like before any rewriting."""
    return packet.original or ConnectionTuple(
        packet.source, packet.destination, packet.source_port, packet.destination_port
    )


def _covering(text: str) -> Network | None:
    """Return the address, or the smallest network that holds all addresses of a range."""
    ends = parse_range(text)
    if ends is None:
        return None
    first, last = ends
    open_bits = (first.value ^ last.value).bit_length()
    mask = first.mask >> open_bits << open_bits
    return Network(first.version, first.value & mask, mask)


def _port(text: str | None, current: int | None) -> int | None:
    """Return the port that is chosen: the only one there is, the packet's own, or an unknown one."""
    if not text:
        return current
    ports = read_nat_ports(text)
    return ports.first if ports and ports.first == ports.last else None


def _host_text(network: Network | None) -> str | None:
    if network is None:
        return None
    kind = ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address
    full = (1 << (32 if network.version == 4 else 128)) - 1
    return str(kind(network.value)) if network.mask == full else None


def _shown(addresses: str, port: int | None, ports: str | None) -> str:
    text = join_endpoint(addresses, port)
    return text if port is not None or not ports else f"{text}:{ports}"


def dnat(call: TargetCall) -> Effect:
    """DNAT: the destination becomes an address, and perhaps a port."""
    addresses, ports = split_nat_range(call.target.value("--to-destination") or "")
    destination = _covering(addresses) if addresses else call.packet.destination
    port = _port(ports, call.packet.destination_port)
    shown = _shown(addresses or _host_text(destination) or "its address", port, ports)
    return _to(call, destination, port, shown)


def _to(
    call: TargetCall, destination: Network | None, port: int | None, shown: str, *, local: bool | None = None
) -> Effect:
    """Send the connection elsewhere; what stays as it was does not count as rewritten."""
    packet = call.packet
    changed: tuple[tuple[str, int], ...] = packet.changed
    fields: Mapping[str, object] = {"destination": destination, "destination_port": port}
    for field, value in fields.items():
        if value is None or (field == "destination" and _host_text(destination) is None):
            changed = packet._replace(changed=changed).lost(field, call.rule.line)
    same = destination == packet.destination and port == packet.destination_port and destination is not None
    after = packet._replace(
        destination=destination,
        destination_port=port,
        to_this_node=packet.to_this_node if same else local,
        statuses=packet.statuses if same else packet.statuses | {"DNAT"},
        original=_remembered(packet),
        dnat=shown,
        changed=changed,
    )
    return Stop("ACCEPT", after, f"{call.target.name}: destination becomes {shown}")


def redirect(call: TargetCall) -> Effect:
    """REDIRECT: to this node itself, by loopback or by the address of the interface it came in by."""
    ports = call.target.value("--to-ports") or ""
    port = _port(ports, call.packet.destination_port)
    family = call.rule.table.saving.family
    if call.hook == "OUTPUT":
        address = "::1" if family == "ipv6" else "127.0.0.1"
        return _to(call, parse_network(address), port, _shown(address, port, ports), local=True)
    where = f"this node:{port}" if port is not None else f"this node:{ports}" if ports else "this node"
    return _to(call, None, port, where, local=True)


def _from(call: TargetCall, source: Network | None, shown: str, port: int | None) -> Effect:
    packet = call.packet
    changed = packet.changed
    if _host_text(source) is None:
        changed = packet.lost("source", call.rule.line)
    same = source == packet.source and source is not None and port in {None, packet.source_port}
    after = packet._replace(
        source=source,
        source_port=port,
        statuses=packet.statuses if same else packet.statuses | {"SNAT"},
        original=_remembered(packet),
        snat=shown,
        changed=changed,
    )
    becomes = "that of the interface it leaves by" if shown == "MASQUERADE" else shown
    return Stop("ACCEPT", after, f"{call.target.name}: source becomes {becomes}")


def snat(call: TargetCall) -> Effect:
    """SNAT: the source becomes an address; its port stays if it is free."""
    addresses, ports = split_nat_range(call.target.value("--to-source") or "")
    source = _covering(addresses) if addresses else call.packet.source
    port = _port(ports, call.packet.source_port)
    shown = _shown(addresses or _host_text(source) or "its address", _port(ports, None), ports)
    return _from(call, source, shown, port)


def masquerade(call: TargetCall) -> Effect:
    """MASQUERADE: the source becomes the address of the interface by which the packet leaves."""
    ports = call.target.value("--to-ports") or ""
    return _from(call, None, "MASQUERADE", _port(ports, call.packet.source_port))


def netmap(call: TargetCall) -> Effect:
    """NETMAP: the network part of the address is exchanged, the destination's before routing."""
    network = parse_network(call.target.value("--to") or "")
    before = call.hook in {"PREROUTING", "OUTPUT"}
    own = call.packet.destination if before else call.packet.source
    mapped = None
    if network is not None and own is not None:
        value = network.value | (own.value & ~network.mask & own.mask)
        mapped = Network(own.version, value, own.mask | network.mask)
    shown = _host_text(mapped) or call.target.value("--to") or "something unknown"
    if before:
        port = call.packet.destination_port
        return _to(call, mapped, port, _shown(shown, port, ""))
    return _from(call, mapped, shown, call.packet.source_port)
