"""Packets of connections that each carry the number of theirs, whatever a node rewrites: TCP, UDP and SCTP.

A number is a multiple of 16. TCP carries it as the first sequence number of both sides, UDP as its payload,
SCTP as the tag of both sides.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

SYN, RST, PSH, ACK = 2, 4, 8, 16
SYN_ACK = SYN | ACK
REQUEST, ANSWER = SYN, SYN_ACK
"""What begins a connection, and what answers that; UDP tells them apart as TCP does."""
DATA = PSH | ACK
STEP = 16
"""Numbers of connections are that far apart."""
_TCP, _UDP, _SCTP = 6, 17, 132
_NUMBERS = {"tcp": _TCP, "udp": _UDP, "sctp": _SCTP}
_NAMES = {number: name for name, number in _NUMBERS.items()}
_ICMP, _ICMP6 = (1, 3), (58, 1)
"""The protocols of errors, and the type that says that a destination is not reached."""
_SEGMENT = struct.Struct("!HHIIBBHHH")
_SHORT = {4: 28, 6: 48}


class Segment(NamedTuple):
    """A packet of connection `number`; `heard` is the sequence number that it confirms, if it confirms any."""

    protocol: str
    source: str
    sport: int
    destination: str
    dport: int
    number: int
    flags: int = REQUEST
    heard: int = 0

    def answer(self) -> Segment:
        """What a server answers to a request."""
        return self._replace(
            source=self.destination, sport=self.dport, destination=self.source, dport=self.sport,
            flags=ANSWER, heard=self.number,
        )  # fmt: skip


class Refusal(NamedTuple):
    """An ICMP error that tells the sender of connection `number` that it will not be: type and code."""

    number: int
    source: str
    icmp: tuple[int, int]


def packet(segment: Segment) -> bytes:
    """The packet as it goes over a wire."""
    family = socket.AF_INET6 if ":" in segment.source else socket.AF_INET
    ends = socket.inet_pton(family, segment.source) + socket.inet_pton(family, segment.destination)
    number, (body_of, at) = _NUMBERS[segment.protocol], _BODIES[segment.protocol]
    body = body_of(segment)
    if at is not None:
        total = _checksum(ends + struct.pack("!HH", number, len(body)) + body)
        body = body[:at] + total + body[at + 2 :]
    if family == socket.AF_INET6:
        return struct.pack("!IHBB", 6 << 28, len(body), number, 64) + ends + body
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, 64, number, 0) + ends
    return header[:10] + _checksum(header) + header[12:] + body


def _tcp(segment: Segment) -> bytes:
    first = segment.number + (not segment.flags & SYN)
    heard = segment.heard + 1 if segment.flags & ACK else 0
    body = _SEGMENT.pack(segment.sport, segment.dport, first, heard, 5 << 4, segment.flags, 8192, 0, 0)
    return body + (b"word" if segment.flags & PSH else b"")


def _udp(segment: Segment) -> bytes:
    return struct.pack("!HHHHIB", segment.sport, segment.dport, 13, 0, segment.number, segment.flags)


_CHUNKS = {REQUEST: 1, ANSWER: 2, DATA: 10}
"""INIT, INIT ACK, which gives the client a cookie, and COOKIE ECHO."""
_COOKIE = struct.pack("!HH", 7, 8) + b"word"


def _sctp(segment: Segment) -> bytes:
    tag = 0 if segment.flags == REQUEST else segment.number
    begins = struct.pack("!IIHHI", segment.number, 1 << 16, 1, 1, segment.number)
    data = {REQUEST: begins, ANSWER: begins + _COOKIE, DATA: b"word"}[segment.flags]
    chunk = struct.pack("!BBH", _CHUNKS[segment.flags], 0, 4 + len(data)) + data
    head = struct.pack("!HHI", segment.sport, segment.dport, tag)
    return head + struct.pack("<I", _crc32c(head + bytes(4) + chunk)) + chunk


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRCS = tuple(map(_crc_of, range(256)))


def _crc32c(data: bytes) -> int:
    """The checksum of SCTP (RFC 9260, appendix A)."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest = rest >> 8 ^ _CRCS[(rest ^ byte) & 0xFF]
    return rest ^ 0xFFFFFFFF


_BODIES: dict[str, tuple[Callable[[Segment], bytes], int | None]] = {
    "tcp": (_tcp, 16),
    "udp": (_udp, 6),
    "sctp": (_sctp, None),
}
"""How the body of a packet is made, and where the checksum stands that headers of all protocols share."""


def _checksum(data: bytes) -> bytes:
    """The one's complement of the one's complement sum, which is a remainder of dividing by 2^16 - 1."""
    rest = int.from_bytes(data + bytes(len(data) % 2)) % 0xFFFF
    return (0xFFFF - rest or 0xFFFF).to_bytes(2)


def read(data: bytes) -> Segment | Refusal | None:
    """Read a packet; None for any that is neither TCP, nor UDP or SCTP of ours, nor an error about such."""
    version = data[0] >> 4 if data else 0
    if len(data) < _SHORT.get(version, len(data) + 1):
        return None
    if version == 4:
        protocol, body = data[9], data[(data[0] & 15) * 4 :]
        source, destination = (socket.inet_ntop(socket.AF_INET, data[at : at + 4]) for at in (12, 16))
    else:
        protocol, body = data[6], data[40:]
        source, destination = (socket.inet_ntop(socket.AF_INET6, data[at : at + 16]) for at in (8, 24))
    if protocol in {_ICMP[0], _ICMP6[0]}:
        about = read(body[8:]) if (protocol, body[0]) in {_ICMP, _ICMP6} else None
        return Refusal(about.number, source, (body[0], body[1])) if isinstance(about, Segment) else None
    name = _NAMES.get(protocol)
    if name is None:
        return None
    sport, dport = struct.unpack_from("!HH", body)
    number, flags, first = _READERS[name](body)
    return Segment(name, source, sport, destination, dport, number, flags, first)


def _numbers(body: bytes) -> tuple[int, int, int]:
    """The number of the connection, the flags, and the sequence number of this packet itself."""
    if len(body) < 14:  # an error quotes that little
        return 0, 0, 0
    first, heard = struct.unpack_from("!II", body, 4)
    flags = body[13]
    return _rounded(heard - 1 if flags & ACK and flags != DATA else first), flags, first


def _payload(body: bytes) -> tuple[int, int, int]:
    number, flags = struct.unpack_from("!IB", body, 8) if len(body) >= 13 else (0, 0)
    return number, flags, number


def _tags(body: bytes) -> tuple[int, int, int]:
    flags = {chunk: flags for flags, chunk in _CHUNKS.items()}.get(body[12], 0) if len(body) >= 20 else 0
    number = int.from_bytes(body[16:20] if flags == REQUEST else body[4:8])
    return number, flags, number


def _rounded(number: int) -> int:
    return number & 0xFFFFFFFF & -STEP


_READERS = {"tcp": _numbers, "udp": _payload, "sctp": _tags}
