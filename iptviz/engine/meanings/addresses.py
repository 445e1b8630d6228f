"""Addresses, protocols and interfaces: the basic options, iprange, addrtype."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.condition_kinds import Interface
from iptviz.engine.meanings.truth import Truth, known, question, unknown
from iptviz.xtables.address import Network, full_mask, parse_network, parse_range
from iptviz.xtables.values.protocols import protocol_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.grammar.parts import Match
    from iptviz.xtables.option import Option


def _source(option: Option, packet: Packet) -> Truth:
    return _address("source", packet.source, option, packet)


def _destination(option: Option, packet: Packet) -> Truth:
    return _address("destination", packet.destination, option, packet)


def _address(side: str, address: Network | None, option: Option, packet: Packet) -> Truth:
    # Of several addresses iptables makes several rules, of which one is enough.
    holds = [_lies_in(address, parse_network(text)) for text in option.values[0].split(",")]
    if True in holds:
        return known(option, holds=True)
    if None in holds:
        return question(f"{side}-cidr", option.values[0], option, packet.since(side))
    return known(option, holds=False)


def _lies_in(address: Network | None, network: Network | None) -> bool | None:
    """Whether an address is in `network`; None where that is not known."""
    if network is not None and network.mask == 0:
        return True
    if network is None or address is None or (network.meets(address) and not network.contains(address)):
        return None
    return network.contains(address)


def _protocol(option: Option, packet: Packet) -> Truth:
    wanted = protocol_name(option.values[0])
    if wanted == "all":
        return known(option, holds=True)
    if packet.protocol is None:
        return question("protocol", wanted, option)
    return known(option, holds=wanted == packet.protocol)


def _in_interface(option: Option, packet: Packet) -> Truth:
    return _interface("in-interface", packet.in_interface, option)


def _out_interface(option: Option, packet: Packet) -> Truth:
    return _interface("out-interface", packet.out_interface, option)


def _interface(kind: str, name: str | None, option: Option) -> Truth:
    if option.values[0] == "+":
        return known(option, holds=True)  # iptables keeps no name for it, so it matches everywhere
    if name is None:
        return question(kind, option.values[0], option)
    return known(option, holds=Interface(option.values[0]).contains(Interface(name)))


def _fragment(option: Option, packet: Packet) -> Truth:
    # Connection tracking reassembles, so where it runs no later fragment is ever seen.
    if packet.fragment is None:
        return question("fragment", "", option)
    return known(option, holds=packet.fragment)


def _family(_option: Option, _packet: Packet) -> Truth:
    return True


BASICS: dict[str, Callable[[Option, Packet], Truth]] = {
    "-s": _source,
    "-d": _destination,
    "-p": _protocol,
    "-i": _in_interface,
    "-o": _out_interface,
    "-f": _fragment,
    "-4": _family,
    "-6": _family,
}
_NO_VALUE = {"-f", "-4", "-6"}


def basic_truth(option: Option, packet: Packet) -> Truth:
    """Return the truth of a basic option about `packet`."""
    if not option.values and option.name not in _NO_VALUE:
        return unknown(option.text())
    return BASICS[option.name](option, packet)


def iprange(_match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """Whether an address lies between two others."""
    side, address = _SIDES[option.name], getattr(packet, _SIDES[option.name])
    ends = parse_range(option.values[0])
    if address is None or ends is None:
        return question(f"{side}-range", option.values[0], option, packet.since(side))
    first, last = ends
    if address.version != first.version:
        return known(option, holds=False)
    lowest, highest = address.value, address.value | (full_mask(address.version) & ~address.mask)
    if first.value <= lowest and highest <= last.value:
        return known(option, holds=True)
    if highest < first.value or last.value < lowest:
        return known(option, holds=False)
    return question(f"{side}-range", option.values[0], option, packet.since(side))


_SIDES = {"--src-range": "source", "--dst-range": "destination"}


def addrtype(match: Match, packet: Packet, host: Host) -> list[Truth]:
    """Whether an address is of a type, as the node's routing sees it."""
    if match.option("--limit-iface-in") or match.option("--limit-iface-out"):
        return [unknown(match.text())]  # then LOCAL means local to one interface
    return [_address_type(option, packet, host) for option in match.options]


def _address_type(option: Option, packet: Packet, host: Host) -> Truth:
    side = "source" if option.name == "--src-type" else "destination"
    wanted = option.values[0].upper().split(",")
    local, address = (
        (packet.to_this_node, packet.destination) if side == "destination" else (None, packet.source)
    )
    if local is None:
        local = host.is_local(address)
    if local and address is None:
        return known(option, holds="LOCAL" in wanted)
    kind = "LOCAL" if local else host.address_type(address) if address is not None else None
    if kind is not None:
        return known(option, holds=kind in wanted)
    if local is False and wanted == ["LOCAL"]:
        return known(option, holds=False)
    if wanted == ["MULTICAST"] and address is not None and not host.may_be_multicast(address):
        return known(option, holds=False)  # the address alone tells; a broadcast hangs on the node's networks
    if side == "destination" and packet.dnat and wanted == ["LOCAL"]:
        return question("endpoint-local", "DNAT", option)  # another question than before the rewriting
    rewritten = packet.dnat if side == "destination" and packet.dnat else ""
    asked = Condition(f"{side}-type", option.values[0], rewritten=rewritten, since=packet.since(side))
    return Assumption(asked, holds=not option.negated)
