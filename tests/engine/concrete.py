"""A packet of which everything is known, and what the options of matches say of it: see interpreter.py."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from operator import attrgetter, eq, gt, lt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
address = ipaddress.ip_address


def without_dice(chance: str) -> bool:
    """Whether a chance comes true that is none."""
    return {0.0: False, 1.0: True}[float(chance)]


@dataclass
class Connection:
    """What tracking keeps: the packet as it came, who will answer, whether SNAT or DNAT changed it, a mark."""

    source: Address
    destination: Address
    answerer: Address
    protocol: int
    statuses: set[str] = field(default_factory=set)
    mark: int = 0
    direction = "ORIGINAL"
    answered: frozenset[str] = frozenset()


@dataclass
class Packet:
    """A packet, and where it stands. `local` are the node's addresses, `leaving` the one that it leaves by.

    `draw` says whether a chance comes true.
    """

    source: Address
    destination: Address
    protocol: str
    sport: int
    dport: int
    flags: frozenset[str]
    icmp: tuple[int, int]
    ttl: int
    tos: int
    length: int
    local: frozenset[Address]
    leaving: Address
    into: str
    out: str
    uid: int = -1
    gid: int = -1
    mark: int = 0
    route: str = ""
    tracking: str = "INVALID"
    connection: Connection | None = None
    draw: Callable[[str], bool] = without_dice

    dscp = property(lambda self: self.tos >> 2)
    ports = property(lambda self: {self.sport, self.dport})
    icmp_types = property(lambda self: {"any", f"{self.icmp[0]}", f"{self.icmp[0]}/{self.icmp[1]}"})
    states = property(lambda self: {self.tracking, *(self.connection.statuses if self.connection else ())})
    source_type = property(lambda self: self.type_of(self.source))
    destination_type = property(lambda self: self.type_of(self.destination))

    def type_of(self, one: Address) -> set[str]:
        """The types of an address: of IPv6 the one that it tells itself, and the one that routing tells.

        Routing knows no more of it here than whether it is the node's.
        """
        plain = "MULTICAST" if one.is_multicast else "UNICAST"
        if one.version == 6:
            return {"UNSPEC" if not int(one) else plain, "LOCAL" if one in self.local else ""}
        return {"LOCAL" if one in self.local else plain}


# --- matches: which part of a packet an option looks at, and how ---------------------------------------------


def network(text: str) -> tuple[int, int]:
    net, _, mask = text.partition("/")
    size = address(net).max_prefixlen
    bits = int(address(mask)) if "." in mask or ":" in mask else -1 << size - int(mask or size)
    return int(address(net)) & bits, bits


def _in_network(one: Address, text: str) -> bool:
    net, bits = network(text)
    return int(one) & bits == net


def _in_range(one: Address, text: str) -> bool:
    first, last = map(address, text.split("-"))
    return int(first) <= int(one) <= int(last)


def _between(number: int, text: str) -> bool:
    first, colon, last = text.partition(":")
    return int(first or 0) <= number <= int((last or 65535) if colon else first)


def masked(text: str) -> tuple[int, int]:
    value, _, mask = text.partition("/")
    return int(value, 0), int(mask or "0xffffffff", 0)


def _bits(number: int, text: str) -> bool:
    value, mask = masked(text)
    return number & mask == value


def _flags(flags: frozenset[str], text: str) -> bool:
    asked, wanted = (set(part.split(",")) for part in text.replace("ALL", "FIN,SYN,RST,PSH,ACK,URG").split())
    return flags & asked == wanted


def _interface(name: str, text: str) -> bool:
    return name.startswith(text[:-1]) if text.endswith("+") else name == text


def _any(values: Collection[str], text: str) -> bool:
    return not set(text.split(",")).isdisjoint(values)


def _types(types: Collection[str], text: str) -> bool:
    """Whether an address is of a type; of IPv6 it must be of all that it tells itself, and of one of the others."""
    wanted = set(text.split(","))
    if len(types) == 1:
        return not wanted.isdisjoint(types)
    told = wanted & {"UNSPEC", "UNICAST", "MULTICAST"}
    return told <= set(types) and (told == wanted or not (wanted - told).isdisjoint(types))


def _among(port: int, text: str) -> bool:
    return any(_between(port, one) for one in text.split(","))


def _any_among(ports: Collection[int], text: str) -> bool:
    return any(_among(port, text) for port in ports)


def _number(test: Callable[[int, int], bool]) -> Callable[[int, str], bool]:
    return lambda number, text: test(number, int(text, 0))


TESTS: dict[str, tuple[str, Callable[[Any, str], bool]]] = {
    "-s": ("source", _in_network),
    "-d": ("destination", _in_network),
    "-i": ("into", _interface),
    "-o": ("out", _interface),
    "-p": ("protocol", eq),
    **dict.fromkeys(("tcp --sport", "udp --sport", "sctp --sport"), ("sport", _between)),
    **dict.fromkeys(("tcp --dport", "udp --dport", "sctp --dport"), ("dport", _between)),
    "tcp --tcp-flags": ("flags", _flags),
    "multiport --sports": ("sport", _among),
    "multiport --dports": ("dport", _among),
    "multiport --ports": ("ports", _any_among),
    **dict.fromkeys(("icmp --icmp-type", "icmp6 --icmpv6-type"), ("icmp_types", _any)),
    "mark --mark": ("mark", _bits),
    "connmark --mark": ("connection.mark", _bits),
    **dict.fromkeys(("conntrack --ctstate", "state --state"), ("states", _any)),
    "conntrack --ctorigsrc": ("connection.source", _in_network),
    "conntrack --ctorigdst": ("connection.destination", _in_network),
    "conntrack --ctreplsrc": ("connection.answerer", _in_network),
    "conntrack --ctproto": ("connection.protocol", _number(eq)),
    "conntrack --ctdir": ("connection.direction", eq),
    "conntrack --ctstatus": ("connection.answered", _any),
    "iprange --src-range": ("source", _in_range),
    "iprange --dst-range": ("destination", _in_range),
    "length --length": ("length", _between),
    **dict.fromkeys(("ttl --ttl-eq", "hl --hl-eq"), ("ttl", _number(eq))),
    **dict.fromkeys(("ttl --ttl-lt", "hl --hl-lt"), ("ttl", _number(lt))),
    **dict.fromkeys(("ttl --ttl-gt", "hl --hl-gt"), ("ttl", _number(gt))),
    "tos --tos": ("tos", _bits),
    "dscp --dscp": ("dscp", _number(eq)),
    "addrtype --src-type": ("source_type", _types),
    "addrtype --dst-type": ("destination_type", _types),
    "owner --uid-owner": ("uid", _number(eq)),
    "owner --gid-owner": ("gid", _number(eq)),
    "statistic --mode": ("protocol", lambda _, mode: mode == "random"),
    "statistic --probability": ("draw", lambda draw, chance: draw(chance)),
    "comment --comment": ("protocol", lambda *_: True),
}
"""For each option, which part of a packet it looks at, and how."""


def holds(packet: Packet, option: str, text: str, negated: bool) -> bool:
    """Whether an option lets the packet pass; what looks at a connection fails without one, negated or not."""
    part, test = TESTS[option]
    if part.startswith("connection.") and packet.connection is None:
        return False
    return test(attrgetter(part)(packet), text) != negated
