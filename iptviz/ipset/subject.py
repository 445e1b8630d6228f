"""What is known about a packet, as far as sets ask: the same blocks as those of a set's entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.ipset.blocks import Block, full
from iptviz.ipset.parts import (
    MAC_WIDTH,
    MARK_WIDTH,
    NAME_WIDTH,
    PORT_WIDTH,
    PROTOCOL_ONLY,
    mac_number,
    name_number,
    network_block,
)
from iptviz.ipset.words import ICMP, WITH_PORTS
from iptviz.records import NamedTuple
from iptviz.xtables.values.protocols import protocol_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.address import Network

_UNKNOWN = Block(0, 0)


class Subject(NamedTuple):
    """What is known about a packet; None is unknown.

    Attributes:
        source: the address it comes from, or a network that holds it.
        destination: the address it goes to, or a network that holds it.
        protocol: by name or number.
        source_port: of a protocol with ports.
        destination_port: of a protocol with ports.
        in_interface: the interface it came by; "" for a packet of the host itself.
        out_interface: the interface it leaves by; "" for a packet that has not been routed or stays.
        mark: its mark.
        mac: the MAC address of its sender, six bytes in hexadecimal with colons.
        icmp: type of an ICMP message, and its code.
    """

    source: Network | None = None
    destination: Network | None = None
    protocol: str | None = None
    source_port: int | None = None
    destination_port: int | None = None
    in_interface: str | None = None
    out_interface: str | None = None
    mark: int | None = None
    mac: str | None = None
    icmp: tuple[int, int | None] | None = None

    @property
    def family(self) -> int | None:
        """4 or 6, of whichever address is known."""
        address = self.source or self.destination
        return address.version if address else None


def known_part(dimension: str, subject: Subject, direction: str) -> Block:
    """Return what is known about the part of a packet that a set compares in one of its dimensions."""
    return _ASKED[dimension](subject, direction == "src")


def _address(subject: Subject, source: bool) -> Block:  # noqa: FBT001
    return network_block(subject.source if source else subject.destination)


def _port(subject: Subject, source: bool) -> Block:  # noqa: FBT001
    """Return protocol and port as get_port in net/netfilter/ipset/ip_set_getport.c takes them from a packet."""
    port = subject.source_port if source else subject.destination_port
    number = None if subject.protocol is None else protocol_number(subject.protocol)
    if number is None:
        return _UNKNOWN
    if number in ICMP:
        return _type_and_code(number, subject.icmp)
    if number not in WITH_PORTS:
        port = 0
    portless = Block(number << 16, PROTOCOL_ONLY)
    return portless if port is None else Block(portless.value | port, full(PORT_WIDTH))


def _type_and_code(protocol: int, icmp: tuple[int, int | None] | None) -> Block:
    """Return what stands in place of a port, as far as it is known: the type, and below it the code."""
    kind, code = (None, None) if icmp is None else icmp
    value, mask = protocol << 16, PROTOCOL_ONLY
    if kind is not None:
        value, mask = value | kind << 8, mask | 0xFF << 8
    if code is not None:
        value, mask = value | code, mask | 0xFF
    return Block(value, mask)


def _mac(subject: Subject, source: bool) -> Block:  # noqa: FBT001
    """Return the sender's address; which address `dst` compares has changed from one kernel to the next."""
    number = mac_number(subject.mac) if source and subject.mac is not None else None
    return _UNKNOWN if number is None else Block(number, full(MAC_WIDTH))


def _mark(subject: Subject, source: bool) -> Block:  # noqa: ARG001, FBT001
    return _UNKNOWN if subject.mark is None else Block(subject.mark, full(MARK_WIDTH))


def _name(subject: Subject, source: bool) -> Block:  # noqa: FBT001
    name = subject.in_interface if source else subject.out_interface
    if name == "":  # no entry is about this name, so that none matches
        return Block(0, full(NAME_WIDTH))
    number = None if name is None else name_number(name)
    return _UNKNOWN if number is None else Block(number, full(NAME_WIDTH))


_ASKED: dict[str, Callable[[Subject, bool], Block]] = {
    "ip": _address,
    "net": _address,
    "port": _port,
    "mac": _mac,
    "mark": _mark,
    "iface": _name,
}
