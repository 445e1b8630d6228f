"""Targets of the nat table: where a connection is sent, and as whom it appears.

Source: net/netfilter/nf_nat_core.c. Of a range of addresses the kernel picks one by a hash of the client's
address, the same for the same client: no chance, so the packet's address is then one of the range.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from iptviz.engine.effects import Effect, Stop, TargetCall
from iptviz.engine.masquerading import masqueraded
from iptviz.engine.packet import ConnectionTuple, Packet
from iptviz.rules.form import UNKNOWN_PORTS, is_unreadable
from iptviz.xtables.address import Network, full_mask, join_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iptviz.rules.form import Rewriting


def _remembered(packet: Packet) -> ConnectionTuple:
    """Return what the connection's first packet looked like before any rewriting."""
    return packet.original or ConnectionTuple(
        packet.source, packet.destination, packet.source_port, packet.destination_port
    )


def _port(asked: Rewriting, current: int | None) -> int | None:
    """Return the port that is chosen: the only one there is, the packet's own, or an unknown one."""
    return asked.port if asked.ports else current


def _is_host(network: Network | None) -> bool:
    return network is not None and network.mask == full_mask(network.version)


def _host_text(network: Network | None) -> str | None:
    if network is None or not _is_host(network):
        return None
    kind = ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address
    return str(kind(network.value))


def _shown(addresses: str, port: int | None, ports: str) -> str:
    if is_unreadable(addresses) or ports == UNKNOWN_PORTS:
        return addresses
    text = join_endpoint(addresses, port)
    return text if port is not None or not ports else f"{text}:{ports}"


def dnat(call: TargetCall) -> Effect:
    """DNAT: the destination becomes an address, and perhaps a port."""
    asked: Rewriting = call.operand
    destination = asked.network if asked.addresses else call.packet.destination
    port = _port(asked, call.packet.destination_port)
    shown = _shown(asked.addresses or _host_text(destination) or "its address", port, asked.ports)
    return _to(call, destination, port, shown)


def _to(
    call: TargetCall, destination: Network | None, port: int | None, shown: str, *, local: bool | None = None
) -> Effect:
    """Send the connection elsewhere; what stays as it was does not count as rewritten."""
    packet = call.packet
    changed: tuple[tuple[str, int], ...] = packet.changed
    fields: Mapping[str, object] = {"destination": destination, "destination_port": port}
    for field, value in fields.items():
        if value is None or (field == "destination" and not _is_host(destination)):
            changed = packet._replace(changed=changed).lost(field, call.line)
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
    return Stop("ACCEPT", after, f"{call.name}: destination becomes {shown}")


def redirect(call: TargetCall) -> Effect:
    """REDIRECT: to this node itself, by loopback or by the address of the interface it came in by."""
    asked: Rewriting = call.operand
    port = _port(asked, call.packet.destination_port)
    if call.hook == "OUTPUT":
        shown = _shown(asked.addresses, port, asked.ports)
        return _to(call, asked.network, port, shown, local=True)
    where = f":{port}" if port is not None else f":{asked.ports}" if asked.ports else ""
    return _to(call, None, port, f"this node{where}", local=True)


def _from(call: TargetCall, source: Network | None, shown: str, port: int | None, text: str = "") -> Effect:
    packet = call.packet
    changed = packet.changed
    if not _is_host(source):
        changed = packet.lost("source", call.line)
    same = source == packet.source and source is not None and port in {None, packet.source_port}
    after = packet._replace(
        source=source,
        source_port=port,
        statuses=packet.statuses if same else packet.statuses | {"SNAT"},
        original=_remembered(packet),
        snat=shown,
        snat_by=call.rule.place,
        changed=changed,
    )
    return Stop("ACCEPT", after, text or f"{call.name}: source becomes {shown}")


def snat(call: TargetCall) -> Effect:
    """SNAT: the source becomes an address; its port stays if it is free."""
    asked: Rewriting = call.operand
    source = asked.network if asked.addresses else call.packet.source
    shown = _shown(asked.addresses or _host_text(source) or "its address", _port(asked, None), asked.ports)
    return _from(call, source, shown, _port(asked, call.packet.source_port))


def masquerade(call: TargetCall) -> Effect:
    """MASQUERADE: the source becomes the address of the interface by which the packet leaves."""
    port = _port(call.operand, call.packet.source_port)
    source = masqueraded(call.host, call.packet)
    shown = _host_text(source)
    if shown is None:
        return _from(call, None, "MASQUERADE", port, f"{call.name} (SNAT to outgoing interface's IP)")
    return _from(call, source, shown, port, f"{call.name} (SNAT to {shown} of {call.packet.out_interface})")


def netmap(call: TargetCall) -> Effect:
    """NETMAP: the network part of the address is exchanged, the destination's before routing."""
    asked: Rewriting = call.operand
    before = call.hook in {"PREROUTING", "OUTPUT"}
    own = call.packet.destination if before else call.packet.source
    mapped = asked.network
    if asked.network is not None and own is not None:
        value = asked.network.value | (own.value & ~asked.network.mask & own.mask)
        mapped = Network(own.version, value, own.mask | asked.network.mask)
    shown = _host_text(mapped) or asked.addresses or "an unknown address"
    if before:
        port = call.packet.destination_port
        return _to(call, mapped, port, _shown(shown, port, ""))
    return _from(call, mapped, shown, call.packet.source_port)
