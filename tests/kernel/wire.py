"""A router between two wires: packets go in by one, and what comes out by either is seen.

Both ends of both wires lie in one other namespace, so that a single process sends raw frames and captures what
the router makes of them. The router knows every address behind `srv`, so nothing waits for an answer to ARP or
to neighbour discovery, and the ends speak no IP of their own.
"""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import time
import uuid
from typing import TYPE_CHECKING

from tests.kernel.frames import CLIENT, CLIENT_MAC, ROUTER_MAC, SERVER_MAC, Seen, Sent, frame, packet, read
from tests.kernel.lab import Node
from tests.kernel.namespaces import inside
from tests.kernel.universe import in_family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUTER = ("10.1.0.1", "10.2.0.1")
PATIENCE = 0.02
"""How long to wait, in seconds, for a packet that may have been dropped."""
LONG_PATIENCE = 2.0
"""How long to wait, in seconds, for a packet that should have come."""


class Wire:
    """The router, and the far ends of its two wires."""

    def __init__(self, router: Node, near: socket.socket, far: socket.socket, own: socket.socket) -> None:
        self.router = router
        self.near = near
        self.far = far
        self.own = own

    def send(self, sent: Sent) -> tuple[Seen | None, Seen | None]:
        """Send a packet from the client; what came out at the server's side, and what came back."""
        self._forget()
        self.near.send(frame(sent, (CLIENT_MAC, ROUTER_MAC)))
        return self._outcome()

    def send_back(self, sent: Sent) -> tuple[Seen | None, Seen | None]:
        """Send a packet from the server's side; what came out there, and at the client's."""
        self._forget()
        self.far.send(frame(sent, (SERVER_MAC, ROUTER_MAC)))
        return self._outcome()

    def send_out(self, sent: Sent) -> tuple[Seen | None, Seen | None]:
        """Let the router itself send a packet; what came out at either side."""
        self._forget()
        with contextlib.suppress(OSError):  # a sender hears of a packet that was dropped, or has no route
            self.own.sendto(packet(sent), (sent.destination, 0))
        return self._outcome()

    def _forget(self) -> None:
        for end in (self.near, self.far):
            with contextlib.suppress(BlockingIOError):
                while True:
                    end.recv(65535)

    def late(self) -> tuple[Seen | None, Seen | None]:
        """Wait for what a busy machine has not delivered yet."""
        return self._outcome(LONG_PATIENCE)

    def _outcome(self, patience: float = PATIENCE) -> tuple[Seen | None, Seen | None]:
        until = time.monotonic() + patience
        while (left := until - time.monotonic()) > 0:
            select.select([self.far, self.near], [], [], left)  # asleep: others need the processor
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
def wire(backend: str, family: int = 4) -> Iterator[Wire]:
    """Make the router and its wires."""
    router, ends = (f"iptviz-{uuid.uuid4().hex[:8]}" for _ in range(2))
    subprocess.run(["ip", "netns", "add", router], check=True)
    subprocess.run(["ip", "netns", "add", ends], check=True)
    try:
        node = Node(router, backend, family)
        _set_up(node, ends)
        near, far = _sockets(ends, _open_end, "c0", "s0")
        (own,) = _sockets(router, _open_raw, str(family))
        with near, far, own:
            yield Wire(node, near, far, own)
    finally:
        subprocess.run(["ip", "netns", "del", router], check=False)
        subprocess.run(["ip", "netns", "del", ends], check=False)


def _mac(mac: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in mac)


_QUIET = ("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
# The router has no address of its own making, and tells of what it listens to once, at once.
_LACONIC = (
    "net.ipv6.conf.default.addr_gen_mode=1",
    "net.ipv6.conf.default.accept_ra=0",
    "net.ipv6.conf.default.mldv2_unsolicited_report_interval=1",
)
_ROUTING = {
    4: ("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.cli.rp_filter=0",
        "net.ipv4.conf.srv.rp_filter=0", "net.ipv4.icmp_ratelimit=0", "net.ipv4.icmp_msgs_per_sec=100000"),
    6: ("net.ipv6.conf.all.forwarding=1", "net.ipv6.icmp.ratelimit=0"),
}  # fmt: skip


def _set_up(node: Node, ends: str) -> None:
    subprocess.run(["ip", "netns", "exec", ends, "sysctl", "-qw", *_QUIET], check=True)
    node.run("sysctl", "-qw", *(_QUIET if node.family == 4 else _LACONIC))
    family = "" if node.family == 4 else "-6 "
    commands = [
        "link set lo up",
        f"link add cli address {_mac(ROUTER_MAC)} type veth peer name c0 address {_mac(CLIENT_MAC)} netns {ends}",
        f"link add srv address {_mac(ROUTER_MAC)} type veth peer name s0 address {_mac(SERVER_MAC)} netns {ends}",
        *(f"link set {name} up" for name in ("cli", "srv")),
        f"addr add {ROUTER[0]}/24 dev cli",
        f"addr add {ROUTER[1]}/24 dev srv",
        f"neigh add {CLIENT} lladdr {_mac(CLIENT_MAC)} dev cli",
        *(f"neigh add 10.2.0.{n} lladdr {_mac(SERVER_MAC)} dev srv" for n in range(2, 12)),
        f"{family}route add default via 10.2.0.2 dev srv",
        *(f"-n {ends} link set {name} up" for name in ("c0", "s0")),
    ]
    for command in commands:
        words = in_family(command, node.family).split()
        node.run("ip", *words, *(["nodad"] if words[0] == "addr" and node.family == 6 else []))
    node.run("sysctl", "-qw", *_ROUTING[node.family])
    time.sleep(0.05)  # until it has told


def _open_end(name: str) -> socket.socket:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    end.bind((name, 0))
    end.setblocking(False)
    return end


def _open_raw(family: str) -> socket.socket:
    version = socket.AF_INET if family == "4" else socket.AF_INET6
    return socket.socket(version, socket.SOCK_RAW, socket.IPPROTO_RAW)


def _sockets(namespace: str, opened: Callable[[str], socket.socket], *names: str) -> list[socket.socket]:
    with inside(namespace):
        return [opened(name) for name in names]
