"""A router between two wires: packets go in by one, and what comes out by either is seen.

Both ends of both wires lie in one other namespace, so that a single process sends raw frames and captures what
the router makes of them. The router knows every address behind `srv`, so nothing waits for an answer to ARP.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.kernel.lab import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT, ROUTER = "10.1.0.2", ("10.1.0.1", "10.2.0.1")
CLIENT_MAC, ROUTER_MAC, SERVER_MAC = (bytes.fromhex(f"0200000000{n}") for n in ("01", "02", "03"))
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}
FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32}
PATIENCE = 0.02
"""How long to wait, in seconds, for a packet that may have been dropped."""


class Sent(NamedTuple):
    """A packet to be sent; a port means nothing for icmp."""

    destination: str
    protocol: str
    sport: int
    dport: int
    flags: str = "SYN"
    icmp: tuple[int, int] = (8, 0)
    ttl: int = 64
    tos: int = 0
    payload: int = 0

    @property
    def length(self) -> int:
        """The length in bytes, header included."""
        return 20 + {"tcp": 20}.get(self.protocol, 8) + self.payload


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


def frame(sent: Sent) -> bytes:
    """The packet as an Ethernet frame from the client to the router."""
    source, destination = socket.inet_aton(CLIENT), socket.inet_aton(sent.destination)
    body = _body(sent) + bytes(sent.payload)
    if sent.protocol != "icmp":
        pseudo = source + destination + struct.pack("!BBH", 0, PROTOCOLS[sent.protocol], len(body))
        at = 16 if sent.protocol == "tcp" else 6
        body = body[:at] + struct.pack("!H", checksum(pseudo + body) or 0xFFFF) + body[at + 2 :]
    else:
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, sent.tos, sent.length, sent.sport, 0, sent.ttl, PROTOCOLS[sent.protocol], 0,
        source, destination,
    )  # fmt: skip
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return ROUTER_MAC + CLIENT_MAC + b"\x08\x00" + header + body


def _body(sent: Sent) -> bytes:
    if sent.protocol == "tcp":
        flags = sum(FLAGS[name] for name in sent.flags.split(",") if name)
        return struct.pack("!HHIIBBHHH", sent.sport, sent.dport, 1, 1, 5 << 4, flags, 1024, 0, 0)
    if sent.protocol == "udp":
        return struct.pack("!HHHH", sent.sport, sent.dport, 8 + sent.payload, 0)
    return struct.pack("!BBHHH", *sent.icmp, 0, sent.sport, 1)


def read(data: bytes) -> Seen | None:
    """Read an IPv4 packet; None for any other frame."""
    if data[12:14] != b"\x08\x00":
        return None
    header, protocol = data[14:34], data[23]
    body = data[14 + (header[0] & 15) * 4 :]
    name = {number: name for name, number in PROTOCOLS.items()}.get(protocol, "")
    addresses = socket.inet_ntoa(header[12:16]), socket.inet_ntoa(header[16:20])
    if name == "icmp":
        return Seen(*addresses, name, 0, 0, header[8], header[1], (body[0], body[1]))
    sport, dport = struct.unpack("!HH", body[:4])
    flags = body[13] if name == "tcp" else 0
    return Seen(*addresses, name, sport, dport, header[8], header[1], None, flags)


class Wire:
    """The router, and the far ends of its two wires."""

    def __init__(self, router: Node, near: socket.socket, far: socket.socket) -> None:
        self.router = router
        self.near = near
        self.far = far

    def send(self, sent: Sent) -> tuple[Seen | None, Seen | None]:
        """Send a packet; what came out at the server's side, and what came back."""
        for end in (self.near, self.far):
            with contextlib.suppress(BlockingIOError):
                while True:
                    end.recv(65535)
        self.near.send(frame(sent))
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            there, back = _received(self.far), _received(self.near)
            if there or back:
                return there, back
        return None, None


def _received(end: socket.socket) -> Seen | None:
    """Return the next packet that came out of the router; what we sent ourselves is seen here, too."""
    with contextlib.suppress(BlockingIOError):
        while True:
            data, address = end.recvfrom(65535)
            if address[2] != socket.PACKET_OUTGOING and (seen := read(data)):
                return seen
    return None


@contextlib.contextmanager
def wire(backend: str) -> Iterator[Wire]:
    """Make the router and its wires."""
    router, ends = (f"iptviz-{uuid.uuid4().hex[:8]}" for _ in range(2))
    subprocess.run(["ip", "netns", "add", router], check=True)
    subprocess.run(["ip", "netns", "add", ends], check=True)
    try:
        node = Node(router, backend, 4)
        _set_up(node, ends)
        near, far = _sockets(ends)
        with near, far:
            yield Wire(node, near, far)
    finally:
        subprocess.run(["ip", "netns", "del", router], check=False)
        subprocess.run(["ip", "netns", "del", ends], check=False)


def _mac(mac: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in mac)


def _set_up(node: Node, ends: str) -> None:
    commands = [
        "link set lo up",
        f"link add cli address {_mac(ROUTER_MAC)} type veth peer name c0 address {_mac(CLIENT_MAC)} netns {ends}",
        f"link add srv address {_mac(ROUTER_MAC)} type veth peer name s0 address {_mac(SERVER_MAC)} netns {ends}",
        *(f"link set {name} up" for name in ("cli", "srv")),
        f"addr add {ROUTER[0]}/24 dev cli",
        f"addr add {ROUTER[1]}/24 dev srv",
        f"neigh add {CLIENT} lladdr {_mac(CLIENT_MAC)} dev cli",
        *(f"neigh add 10.2.0.{n} lladdr {_mac(SERVER_MAC)} dev srv" for n in range(2, 12)),
        "route add default via 10.2.0.2 dev srv",
        *(f"-n {ends} link set {name} up" for name in ("c0", "s0")),
    ]
    for command in commands:
        node.run("ip", *command.split())
    node.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0",
             "net.ipv4.conf.cli.rp_filter=0", "net.ipv4.conf.srv.rp_filter=0", "net.ipv4.icmp_ratelimit=0",
             "net.ipv4.icmp_msgs_per_sec=100000")  # fmt: skip


def _sockets(namespace: str) -> tuple[socket.socket, socket.socket]:
    """Open the far ends; a socket stays in the namespace that its thread was in when it was opened."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(str(Path("/run/netns") / namespace), os.O_RDONLY)
    try:
        if libc.setns(there, 0):
            raise OSError(ctypes.get_errno(), "setns")
        opened = []
        for name in ("c0", "s0"):
            end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            end.bind((name, 0))
            end.setblocking(False)
            opened.append(end)
    finally:
        libc.setns(home, 0)
        os.close(home)
        os.close(there)
    return opened[0], opened[1]
