"""Packets of all kinds: any protocol that rules name, options of TCP, extension headers of IPv6; built to be sent."""

from __future__ import annotations

import random
import socket
import struct
from typing import Any, NamedTuple

from tests.kernel.frames import CLIENT, CLIENT_MAC, FLAGS, ROUTER_MAC, checksum
from tests.kernel.universe import in_family
from tests.kernel.wire import ROUTER

Dice = random.Random

NUMBERS = {
    "icmp": 1, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "ipcomp": 108,
    "sctp": 132, "udplite": 136,
}  # fmt: skip
WITH_PORTS = {"tcp", "udp", "dccp", "sctp", "udplite"}
BROADCAST_MAC = b"\xff" * 6
TO_ALL = {4: "10.1.0.255", 6: "ff02::1"}


class Rare(NamedTuple):
    """A packet to be sent; what does not belong to its protocol means nothing.

    `options` are those of TCP; `extensions` are numbers of IPv6 extension headers, in order.
    """

    family: int
    source: str
    destination: str
    protocol: str
    sport: int
    dport: int
    flags: str = "SYN"
    icmp: tuple[int, int] = (8, 0)
    ttl: int = 64
    tos: int = 0
    payload: bytes = b""
    options: bytes = b""
    extensions: tuple[int, ...] = ()

    @property
    def is_own(self) -> bool:
        return self.source == in_family(ROUTER[1], self.family)

    def packet(self) -> bytes:
        """The packet as it goes over a wire."""
        version = socket.AF_INET if self.family == 4 else socket.AF_INET6
        ends = b"".join(socket.inet_pton(version, one) for one in (self.source, self.destination))
        body = self._body(ends)
        number = NUMBERS[self.protocol]
        if self.family == 6:
            first, headers = _extended(self.extensions, number)
            head = struct.pack("!IHBB", 6 << 28 | self.tos << 20, len(headers + body), first, self.ttl)
            return head + ends + headers + body
        head = struct.pack("!BBHHHBBH", 0x45, self.tos, 20 + len(body), 1, 0, self.ttl, number, 0) + ends
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body

    def frame(self) -> bytes:
        """The packet in an Ethernet frame of the client."""
        link = _GROUP_LINKS.get(self.destination, ROUTER_MAC)
        return link + CLIENT_MAC + (b"\x08\x00" if self.family == 4 else b"\x86\xdd") + self.packet()

    def asked(self) -> dict[str, Any]:
        """All that can be said of the packet, in the words of the question."""
        ports = self.protocol in WITH_PORTS
        own = self.is_own
        told: dict[str, Any] = {
            "src": self.source, "dst": self.destination, "protocol": self.protocol,
            "sport": self.sport if ports else None, "dport": self.dport if ports else None,
            "length": len(self.packet()), "ttl": self.ttl, "tos": self.tos, "mark": 0,
            "tcp_flags": self.flags if self.protocol == "tcp" else None,
            "icmp_type": f"{self.icmp[0]}/{self.icmp[1]}" if self.protocol in {"icmp", "ipv6-icmp"} else None,
            "hook": "output" if own else "prerouting",
        }  # fmt: skip
        return told | ({"uid": 0, "gid": 0} if own else {"mac": "02:00:00:00:00:01", "in_iface": "cli"})

    def _body(self, ends: bytes) -> bytes:
        built = _BODIES.get(self.protocol, _opaque)(self)
        at = _CHECKSUMS.get(self.protocol)
        if at is None:
            return built
        if self.protocol == "sctp":
            return built[:at] + struct.pack("<I", _crc32c(built)) + built[at + 4 :]
        length = len(built)
        number = NUMBERS["udp" if self.protocol == "udplite" else self.protocol]  # so tracking wants it
        covered = ends + struct.pack("!II", length, number) + built
        total = checksum(built if self.protocol == "icmp" else covered) or 0xFFFF
        return built[:at] + struct.pack("!H", total) + built[at + 2 :]


_GROUP_LINKS = {TO_ALL[4]: BROADCAST_MAC, TO_ALL[6]: bytes.fromhex("333300000001")}


def _tcp(rare: Rare) -> bytes:
    flags = sum(FLAGS[name] for name in rare.flags.split(","))
    words = 5 + len(rare.options) // 4
    head = struct.pack("!HHIIBBHHH", rare.sport, rare.dport, 1, 1, words << 4, flags, 1024, 0, 0)
    return head + rare.options + rare.payload


def _udp(rare: Rare) -> bytes:
    covers_all = rare.protocol == "udplite"  # which has there how much the checksum covers
    length = 0 if covers_all else 8 + len(rare.payload)
    return struct.pack("!HHHH", rare.sport, rare.dport, length, 0) + rare.payload


def _icmp(rare: Rare) -> bytes:
    return struct.pack("!BBHHH", *rare.icmp, 0, rare.sport, 1) + rare.payload


def _sctp(rare: Rare) -> bytes:
    return struct.pack("!HHII", rare.sport, rare.dport, 0, 0) + struct.pack(
        "!BBHIIHHI", 1, 0, 20, 1, 1500, 1, 1, 1
    )


def _dccp(rare: Rare) -> bytes:
    return struct.pack("!HHBBHBBHII", rare.sport, rare.dport, 5, 0, 0, 1, 0, 0, 1, 0)


def _ah(rare: Rare) -> bytes:
    inside = struct.pack("!HHHH", rare.sport, rare.dport, 8, 0)
    return struct.pack("!BBHII", 17, 4, 0, rare.dport, 1) + bytes(12) + inside


def _esp(rare: Rare) -> bytes:
    return struct.pack("!II", rare.dport, 1) + bytes(16)


def _opaque(rare: Rare) -> bytes:
    return bytes(4) + rare.payload


_BODIES = {
    "tcp": _tcp, "udp": _udp, "udplite": _udp, "icmp": _icmp, "ipv6-icmp": _icmp, "sctp": _sctp, "dccp": _dccp,
    "ah": _ah, "esp": _esp,
}  # fmt: skip
_CHECKSUMS = {"tcp": 16, "udp": 6, "udplite": 6, "icmp": 2, "ipv6-icmp": 2, "sctp": 8, "dccp": 6}

HOP_BY_HOP, ROUTING, FRAGMENT, FOR_DESTINATION = 0, 43, 44, 60
_EXTENSIONS = {
    HOP_BY_HOP: bytes.fromhex("0104") + bytes(4),
    FOR_DESTINATION: bytes.fromhex("0104") + bytes(4),
    ROUTING: bytes.fromhex("0300") + bytes(4),  # nothing is left of it
    FRAGMENT: bytes.fromhex("0000") + bytes(4),  # the only fragment
}


def _extended(extensions: tuple[int, ...], number: int) -> tuple[int, bytes]:
    """The number of the first header, and all extension headers before the body."""
    following = [*extensions, number][1:]
    headers = b"".join(
        bytes([after, 0]) + _EXTENSIONS[one] for one, after in zip(extensions, following, strict=True)
    )
    return (extensions[0] if extensions else number), headers


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


_PROTOCOLS = [
    "tcp",
    "tcp",
    "tcp",
    "udp",
    "udp",
    "icmp",
    "sctp",
    "dccp",
    "udplite",
    "gre",
    "esp",
    "ah",
    "ipcomp",
]
_OF_SIX = {"icmp": "ipv6-icmp", "ah": "esp"}
"""In place of what is another protocol over IPv6, or none: AH is an extension header there."""
_TCP_OPTIONS = [b"", bytes.fromhex("020405b4"), bytes.fromhex("0204021801030307"), bytes.fromhex("04020101")]
_ICMP_TYPES = {4: [(8, 0), (13, 0), (17, 0)], 6: [(128, 0), (135, 0), (143, 0)]}


def random_rare(dice: Dice, family: int, hook: str, number: int) -> Rare:
    """Return a packet of a connection of its own."""
    protocol = dice.choice(_PROTOCOLS)
    fitting = _OF_SIX.get(protocol, protocol) if family == 6 else protocol
    to = dice.choice(["10.2.0.2", "10.2.0.3", "10.3.0.1", "10.1.0.1", "10.2.0.1"])
    destination = in_family(to, family)
    if hook == "prerouting" and fitting == "udp" and dice.random() < 0.2:
        destination = TO_ALL[family]
    extensions = [one for one in (HOP_BY_HOP, ROUTING, FOR_DESTINATION, FRAGMENT) if dice.random() < 0.25]
    return Rare(
        family,
        in_family(CLIENT if hook == "prerouting" else ROUTER[1], family),
        destination,
        fitting,
        1024 + number % 60_000,
        dice.choice([80, 81, 443, 1000]),
        flags=dice.choice(["SYN", "SYN", "ACK"]),
        icmp=dice.choice(_ICMP_TYPES[family]),
        ttl=dice.choice([64, 64, 255, 2]),
        tos=dice.choice([0, 0x10, 0x28, 0x03]),
        payload=dice.choice([b"", b"GET /index", bytes(40)]),
        options=dice.choice(_TCP_OPTIONS),
        extensions=tuple(extensions) if family == 6 and hook == "prerouting" else (),
    )
