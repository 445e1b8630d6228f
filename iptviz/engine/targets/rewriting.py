"""Targets of the nat table: where a connection is sent, and as whom it appears.

Source: net/netfilter/nf_nat_core.c. Of a range of addresses the kernel picks one by a hash of the client's
address, the same for the same client: no chance, so the packet's address is then one of the range. A connection
has the status DNAT or SNAT if something of it is changed (nf_nat_setup_info), not if it comes to what it was.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from iptviz.engine.effects import Effect, Stop, TargetCall
from iptviz.engine.host import FIXED_TYPES
from iptviz.engine.masquerading import addresses_of, masqueraded
from iptviz.engine.meanings.connections import PERHAPS
from iptviz.engine.packet import ConnectionTuple, Packet
from iptviz.rules.form import UNKNOWN_PORTS, is_unreadable
from iptviz.xtables.address import Network, full_mask, join_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iptviz.engine.host import Host
    from iptviz.rules.form import Rewriting


def _remembered(packet: Packet) -> ConnectionTuple:
    """Return what the connection's first packet looked like before any rewriting."""
    return packet.original or ConnectionTuple(
        packet.source, packet.destination, packet.source_port, packet.destination_port
    )


def _port(asked: Rewriting, current: int | None, *, drawn: bool = True) -> int | None:
    """Return the port that is chosen: the only one, the packet's own where it will do, or an unknown one.

    Where the rule names no ports, `drawn` says whether one is drawn if it is randomized: a destination's is not.
    """
    if not asked.ports:
        return None if asked.randomized and drawn else current
    if asked.port is not None or asked.randomized or current is None or not _spans(asked.port_span, current):
        return asked.port
    return current


def _spans(ends: tuple[int, int] | None, number: int) -> bool:
    return ends is not None and ends[0] <= number <= ends[1]


def _keeps_port(asked: Rewriting, current: int | None, port: int | None) -> bool | None:
    """Whether the packet's own port is the one that is chosen; None where that is not known."""
    if port is not None and current is not None:
        return port == current
    if not asked.ports:  # one of 64,000 that is drawn is taken for another one
        return not asked.randomized
    if current is None or asked.port is not None:
        return None
    return None if asked.port_span is None or _spans(asked.port_span, current) else False


def _keeps_address(asked: Rewriting, current: Network | None, address: Network | None) -> bool | None:
    """Whether the packet's own address is the one that is chosen; None where that is not known.

    A rule of which the address cannot be read is taken to name another one.
    """
    if is_unreadable(asked.addresses):
        return False
    if current is None or not _is_host(current):
        return None if address is None or current is None or current.meets(address) else False
    if _is_host(address):
        return address == current
    if asked.span is not None:
        return None if _spans(asked.span, current.value) else False
    return None


def _with_status(packet: Packet, status: str, kept: tuple[bool | None, bool | None]) -> frozenset[str]:
    """Return the statuses of a connection; `kept` says of its address and its port whether they stay."""
    if False in kept:
        return packet.statuses | {status}
    return packet.statuses | {PERHAPS[status]} if None in kept else packet.statuses


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
    if port is not None or not ports:
        return join_endpoint(addresses, port)
    return f"[{addresses}]:{ports}" if ":" in addresses else f"{addresses}:{ports}"


def dnat(call: TargetCall) -> Effect:
    """DNAT: the destination becomes an address, and perhaps a port."""
    asked: Rewriting = call.operand
    destination = asked.network if asked.addresses else call.packet.destination
    port = _port(asked, call.packet.destination_port, drawn=False)
    shown = _shown(asked.addresses or _host_text(destination) or "its address", port, asked.ports)
    return _to(call, destination, port, shown, local=False if _are_others(asked, call.host) else None)


def _are_others(asked: Rewriting, host: Host) -> bool:
    """Whether none of several addresses is known to be this node's."""
    several = asked.network if asked.span is not None else None
    if several is None or host.local is None or any(network.meets(several) for _, network in FIXED_TYPES):
        return False
    return not any(own.version == several.version and _spans(asked.span, own.value) for own in host.local)


def _to(
    call: TargetCall, destination: Network | None, port: int | None, shown: str, *, local: bool | None = None
) -> Effect:
    """Send the connection elsewhere; what stays as it was does not count as rewritten."""
    packet, asked = call.packet, call.operand
    changed: tuple[tuple[str, int], ...] = packet.changed
    fields: Mapping[str, object] = {"destination": destination, "destination_port": port}
    for field, value in fields.items():
        if value is None or (field == "destination" and not _is_host(destination)):
            changed = packet._replace(changed=changed).lost(field, call.line)
    address = _keeps_address(asked, packet.destination, destination) if asked.addresses or local else True
    if address is None and local and call.host.is_local(packet.destination) is False:
        address = False
    same = destination == packet.destination and port == packet.destination_port and destination is not None
    after = packet._replace(
        destination=destination,
        destination_port=port,
        to_this_node=packet.to_this_node if same else local,
        statuses=_with_status(
            packet,
            "DNAT",
            (address, _keeps_port(asked._replace(randomized=False), packet.destination_port, port)),
        ),
        original=_remembered(packet),
        dnat=shown,
        changed=changed,
    )
    return Stop("ACCEPT", after, f"{call.name}: destination becomes {shown}")


def redirect(call: TargetCall) -> Effect:
    """REDIRECT: to this node itself, by loopback or by the first address of the interface it came in by.

    Source: net/netfilter/nf_nat_redirect.c, which drops where that interface has none.
    """
    asked: Rewriting = call.operand
    port = _port(asked, call.packet.destination_port, drawn=False)
    if call.hook == "OUTPUT":
        shown = _shown(asked.addresses, port, asked.ports)
        return _to(call, asked.network, port, shown, local=True)
    where = f":{port}" if port is not None else f":{asked.ports}" if asked.ports else ""
    own = None if call.host.version == _SIX else addresses_of(call.host, call.packet.in_interface)
    if own == ():
        return Stop("DROP", call.packet, f"REDIRECT: {call.packet.in_interface} has no address")
    return _to(call, own[0] if own else None, port, f"this node{where}", local=True)


_SIX = 6  # of IPv6 the kernel takes an address of the scope of the packet's destination


def _from(call: TargetCall, source: Network | None, shown: str, port: int | None, text: str = "") -> Effect:
    packet, asked = call.packet, call.operand
    changed = packet.changed
    if not _is_host(source):
        changed = packet.lost("source", call.line)
    if port is None and packet.source_port is not None:
        changed = packet._replace(changed=changed).lost("source_port", call.line)
    kept = _keeps_address(asked, packet.source, source), _keeps_port(asked, packet.source_port, port)
    after = packet._replace(
        source=source,
        source_port=port,
        statuses=_with_status(packet, "SNAT", kept),
        original=_remembered(packet),
        snat=shown,
        snat_by=call.rule.place,
        changed=changed,
    )
    return Stop("ACCEPT", after, text or f"{call.name}: source becomes {shown}")


def snat(call: TargetCall) -> Effect:
    """SNAT: the source becomes an address, unless it is one of several; its port stays if it will do."""
    asked: Rewriting = call.operand
    packet = call.packet
    port = _port(asked, packet.source_port)
    fits = asked.ports == "" or (packet.source_port is not None and port == packet.source_port)
    own = packet.source
    stays = (
        own is not None and _is_host(own) and _spans(asked.span, own.value) and fits and not asked.randomized
    )
    source = own if stays or not asked.addresses else asked.network
    named = "" if stays else asked.addresses
    shown = _shown(
        named or _host_text(source) or "its address", _port(asked, None), "" if stays else asked.ports
    )
    return _from(call, source, shown, port)


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
