"""Packets of connections that each carry the number of theirs, whatever a node rewrites: IPv4, TCP and UDP.

A number is a multiple of 16. TCP carries it as the first sequence number of both sides, UDP as its payload.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

SYN, RST, PSH, ACK = 2, 4, 8, 16
SYN_ACK = SYN | ACK
REQUEST, ANSWER = SYN, SYN_ACK
"""What begins a connection, and what answers that; UDP tells them apart as TCP does."""
DATA = PSH | ACK
STEP = 16
"""Numbers of connections are that far apart."""
_TCP, _UDP, _ICMP = 6, 17, 1
_NUMBERS = {"tcp": _TCP, "udp": _UDP}
_NAMES = {number: name for name, number in _NUMBERS.items()}
_SEGMENT = struct.Struct("!HHIIBBHHH")


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
    ends = socket.inet_aton(segment.source) + socket.inet_aton(segment.destination)
    number = _NUMBERS[segment.protocol]
    body = _tcp(segment) if segment.protocol == "tcp" else _udp(segment)
    at = 16 if segment.protocol == "tcp" else 6
    total = _checksum(ends + struct.pack("!HH", number, len(body)) + body)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, 64, number, 0) + ends
    header = header[:10] + _checksum(header) + header[12:]
    return header + body[:at] + total + body[at + 2 :]


def _tcp(segment: Segment) -> bytes:
    first = segment.number + (not segment.flags & SYN)
    heard = segment.heard + 1 if segment.flags & ACK else 0
    body = _SEGMENT.pack(segment.sport, segment.dport, first, heard, 5 << 4, segment.flags, 8192, 0, 0)
    return body + (b"word" if segment.flags & PSH else b"")


def _udp(segment: Segment) -> bytes:
    return struct.pack("!HHHHIB", segment.sport, segment.dport, 13, 0, segment.number, segment.flags)


def _checksum(data: bytes) -> bytes:
    """The one's complement of the one's complement sum, which is a remainder of dividing by 2^16 - 1."""
    rest = int.from_bytes(data + bytes(len(data) % 2)) % 0xFFFF
    return (0xFFFF - rest or 0xFFFF).to_bytes(2)


def read(data: bytes) -> Segment | Refusal | None:
    """Read an IPv4 packet; None for any that is neither TCP, nor UDP of ours, nor an ICMP error about such."""
    if len(data) < 28 or data[0] >> 4 != 4:
        return None
    body = data[(data[0] & 15) * 4 :]
    source = socket.inet_ntoa(data[12:16])
    if data[9] == _ICMP:
        about = read(body[8:]) if body[0] == 3 else None
        return Refusal(about.number, source, (body[0], body[1])) if about else None
    name = _NAMES.get(data[9])
    if name is None:
        return None
    sport, dport = struct.unpack_from("!HH", body)
    number, flags, first = _numbers(body) if name == "tcp" else _payload(body)
    return Segment(name, source, sport, socket.inet_ntoa(data[16:20]), dport, number, flags, first)


def _numbers(body: bytes) -> tuple[int, int, int]:
    """The number of the connection, the flags, and the sequence number of this packet itself."""
    first, heard = struct.unpack_from("!II", body, 4)
    flags = body[13]
    return _rounded(heard - 1 if flags & ACK and flags != DATA else first), flags, first


def _payload(body: bytes) -> tuple[int, int, int]:
    number, flags = struct.unpack_from("!IB", body, 8) if len(body) >= 13 else (0, 0)
    return number, flags, number


def _rounded(number: int) -> int:
    return number & 0xFFFFFFFF & -STEP
