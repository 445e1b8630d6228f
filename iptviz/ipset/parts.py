"""The parts of an entry of `ipset save`, one for each dimension of its set, as blocks of integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.ipset.blocks import Block, full, spanning
from iptviz.ipset.words import ICMP, TCP, UDP, WITH_PORTS, icmp_number
from iptviz.records import NamedTuple
from iptviz.xtables.address import Network, parse_range
from iptviz.xtables.values.headers import read_mac
from iptviz.xtables.values.numbers import read_dashed_range
from iptviz.xtables.values.protocols import LAST_PORT, protocol_number

if TYPE_CHECKING:
    from collections.abc import Callable

# How wide the integers are: of an address, of a protocol before a port, of a mark, of a name, of a MAC address.
WIDTHS = {4: 32, 6: 128}
PORT_WIDTH, MARK_WIDTH, NAME_WIDTH, MAC_WIDTH = 24, 32, 128, 49
PROTOCOL_ONLY = 0xFF << 16

_NAME_BYTES = NAME_WIDTH // 8  # IFNAMSIZ of the kernel
# Above the 48 bits of an address: with it alone, an entry stands for any packet that has an address.
HAS_MAC = 1 << 48


def address_bits(family: int | None) -> int:
    """Return the mask of one address; that of no family is empty."""
    return 0 if family is None else full(WIDTHS[family])


class SetOptions(NamedTuple):
    """What the options of `create` say about all entries of a set.

    Attributes:
        family: 4 or 6; None for a set that takes both, as one of ports does.
        bits: the bits of an address that count (options `netmask` and `bitmask`).
        mark_bits: the bits of a mark that count (option `markmask`).
        both_ports: whether a port stands for that of TCP and of UDP alike, as in bitmap:port.
    """

    family: int | None
    bits: int
    mark_bits: int
    both_ports: bool


def address_part(text: str, options: SetOptions) -> list[Block] | None:
    """Read an address, a network or a range `10.0.0.1-10.0.0.9`; None for what is none of the set's family."""
    ends = parse_range(text)
    if ends is None or ends[0].version != options.family:
        return None
    first, last = ends
    if "-" not in text:
        return [Block(first.value & options.bits, first.mask & options.bits)]
    low, high = sorted((first.value, last.value))
    masked = (
        Block(value & options.bits, mask & options.bits)
        for value, mask in spanning(low, high, WIDTHS[options.family])
    )
    return list(dict.fromkeys(masked))


def port_part(text: str, options: SetOptions) -> list[Block] | None:
    """Read `80`, `tcp:80`, `udp:80-90`, `icmp:8/0`, `icmp:echo-request` or `gre:0`; no protocol is TCP."""
    name, colon, rest = text.rpartition(":")
    protocol = protocol_number(name) if colon else TCP
    if protocol is None:
        return None
    ports = _ports(protocol, rest)
    if ports is None:
        return None
    protocols = (TCP, UDP) if options.both_ports else (protocol,)
    return [
        Block(number << 16 | value, PROTOCOL_ONLY | mask)
        for number in protocols
        for value, mask in spanning(*ports, 16)
    ]


def _ports(protocol: int, text: str) -> tuple[int, int] | None:
    """Return first and last port; type and code of ICMP stand for a port, and other protocols have port 0."""
    if protocol in ICMP:
        joined = icmp_number(protocol, text)
        return None if joined is None else (joined, joined)
    ports = read_dashed_range(text)
    if ports is None or max(ports) > LAST_PORT:
        return None
    return (min(ports), max(ports)) if protocol in WITH_PORTS else (0, 0)


def mac_part(text: str, options: SetOptions) -> list[Block] | None:  # noqa: ARG001
    """Read a MAC address; an empty text is any address, as the kernel fills it in with the first packet's."""
    if not text:
        return [Block(HAS_MAC, HAS_MAC)]
    number = mac_number(text)
    return None if number is None else [Block(number, full(MAC_WIDTH))]


def mac_number(text: str) -> int | None:
    """Return a MAC address as an integer, marked as one that is there; None for what is no MAC address."""
    address = read_mac(text)
    return None if address is None else HAS_MAC | int.from_bytes(address, "big")


def mark_part(text: str, options: SetOptions) -> list[Block] | None:
    """Read a mark, decimal or hexadecimal, or a range of marks."""
    marks = read_dashed_range(text)
    if marks is None or max(marks) > full(MARK_WIDTH):
        return None
    return [
        Block(value & options.mark_bits, mask & options.mark_bits)
        for value, mask in spanning(min(marks), max(marks), MARK_WIDTH)
    ]


def name_part(text: str, options: SetOptions) -> list[Block] | None:  # noqa: ARG001
    """Read the name of an interface."""
    number = name_number(text)
    return None if number is None else [Block(number, full(NAME_WIDTH))]


def name_number(text: str) -> int | None:
    """Return a name as the kernel holds it, filled up with zeros; None for one that no interface can have."""
    name = text.encode("utf-8", "surrogatepass")
    if not 0 < len(name) < _NAME_BYTES or b"\0" in name:
        return None
    return int.from_bytes(name.ljust(_NAME_BYTES, b"\0"), "big")


def beginning(block: Block) -> Block:
    """Return the block of all names that begin with that of `block` (entries with the flag `wildcard`)."""
    zeros = len(block.value.to_bytes(_NAME_BYTES, "big").rstrip(b"\0"))
    return Block(block.value, full(NAME_WIDTH) ^ full(8 * (_NAME_BYTES - zeros)))


PARTS: dict[str, Callable[[str, SetOptions], list[Block] | None]] = {
    "ip": address_part,
    "net": address_part,
    "port": port_part,
    "mac": mac_part,
    "mark": mark_part,
    "iface": name_part,
}


def network_block(network: Network | None) -> Block:
    """Return what is known of an address; all of it may be unknown."""
    return Block(0, 0) if network is None else Block(network.value, network.mask)
