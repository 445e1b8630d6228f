"""Packets as bytes: built to be sent, read where they come out; IPv4 and IPv6."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

CLIENT_MAC, ROUTER_MAC, SERVER_MAC = (bytes.fromhex(f"0200000000{n}") for n in ("01", "02", "03"))
FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32}
CLIENT = "10.1.0.2"
_NUMBERS = {4: {"icmp": 1, "tcp": 6, "udp": 17}, 6: {"icmp": 58, "tcp": 6, "udp": 17}}
_LINK_TYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
_HEADERS = {4: 20, 6: 40}


class Sent(NamedTuple):
    """A packet to be sent; a port means nothing for icmp.

    `carried` stands behind the payload: what a program says, or the packet that an error is about. `seq` are the
    numbers of TCP: of its first byte, and of the next one that is awaited.
    """

    destination: str
    protocol: str
    sport: int
    dport: int
    flags: str = "SYN"
    icmp: tuple[int, int] = (8, 0)
    ttl: int = 64
    tos: int = 0
    payload: int = 0
    source: str = CLIENT
    carried: bytes = b""
    seq: tuple[int, int] = (1, 1)

    @property
    def family(self) -> int:
        return 6 if ":" in self.destination else 4

    @property
    def length(self) -> int:
        """The length in bytes, headers included."""
        return _HEADERS[self.family] + {"tcp": 20}.get(self.protocol, 8) + self.payload + len(self.carried)

    def answer(self) -> Sent:
        """The packet that answers this one."""
        icmp = {8: 0, 0: 8, 128: 129, 129: 128}.get(self.icmp[0], self.icmp[0]), self.icmp[1]
        flags = {"SYN": "SYN,ACK"}.get(self.flags, "ACK")
        return self._replace(
            source=self.destination,
            destination=self.source,
            sport=self.dport,
            dport=self.sport,
            flags=flags,
            icmp=icmp,
        )


class Seen(NamedTuple):
    """A packet that came out of the router."""

    source: str
    destination: str
    protocol: str
    sport: int
    dport: int
    ttl: int
    tos: int
    icmp: tuple[int, int] | None = None
    flags: int = 0


def checksum(data: bytes) -> int:
    padded = data + bytes(len(data) % 2)
    total = sum(int.from_bytes(padded[at : at + 2]) for at in range(0, len(padded), 2))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def frame(sent: Sent, link: tuple[bytes, bytes]) -> bytes:
    """The packet in an Ethernet frame; `link` are the addresses it goes from and to."""
    return link[1] + link[0] + _LINK_TYPES[sent.family] + packet(sent)


def packet(sent: Sent) -> bytes:
    """The packet as it goes over a wire."""
    version = socket.AF_INET if sent.family == 4 else socket.AF_INET6
    source, destination = (socket.inet_pton(version, one) for one in (sent.source, sent.destination))
    number = _NUMBERS[sent.family][sent.protocol]
    body = _body(sent) + bytes(sent.payload) + sent.carried
    covered = source + destination + struct.pack("!II", len(body), number) + body
    if sent.protocol == "icmp" and sent.family == 4:
        covered = body  # no pseudo header
    at = {"tcp": 16, "udp": 6, "icmp": 2}[sent.protocol]
    body = body[:at] + struct.pack("!H", checksum(covered) or 0xFFFF) + body[at + 2 :]
    if sent.family == 6:
        first = 6 << 28 | sent.tos << 20
        return struct.pack("!IHBB", first, len(body), number, sent.ttl) + source + destination + body
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, sent.tos, sent.length, sent.sport, 0, sent.ttl, number, 0, source, destination
    )
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def _body(sent: Sent) -> bytes:
    if sent.protocol == "tcp":
        flags = sum(FLAGS[name] for name in sent.flags.split(",") if name)
        return struct.pack("!HHIIBBHHH", sent.sport, sent.dport, *sent.seq, 5 << 4, flags, 1024, 0, 0)
    if sent.protocol == "udp":
        return struct.pack("!HHHH", sent.sport, sent.dport, 8 + sent.payload + len(sent.carried), 0)
    # An echo request is answered with the same identifier, whichever way it goes.
    return struct.pack("!BBHHH", *sent.icmp, 0, max(sent.sport, sent.dport), 1)


def read(data: bytes) -> Seen | None:
    """Read a packet; None for any other frame."""
    family = {kind: family for family, kind in _LINK_TYPES.items()}.get(data[12:14])
    if family is None:
        return None
    reader = _read_4 if family == 4 else _read_6
    return reader(data[14:])


def _read_4(data: bytes) -> Seen | None:
    addresses = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
    return _read_body(4, addresses, data[9], data[8], data[1], data[(data[0] & 15) * 4 :])


def _read_6(data: bytes) -> Seen | None:
    source, destination = (socket.inet_ntop(socket.AF_INET6, data[at : at + 16]) for at in (8, 24))
    tos = int.from_bytes(data[:2]) >> 4 & 0xFF
    return _read_body(6, (source, destination), data[6], data[7], tos, data[40:])


def _read_body(
    family: int, addresses: tuple[str, str], number: int, ttl: int, tos: int, body: bytes
) -> Seen | None:
    name = {number: name for name, number in _NUMBERS[family].items()}.get(number, "")
    if name == "icmp":
        return Seen(*addresses, name, 0, 0, ttl, tos, (body[0], body[1]))
    if not name:
        return None
    sport, dport = struct.unpack("!HH", body[:4])
    return Seen(*addresses, name, sport, dport, ttl, tos, None, body[13] if name == "tcp" else 0)
