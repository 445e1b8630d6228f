"""A node between clients outside, pods of its own, and pods elsewhere; connections through it are real packets.

The far end of each of its three links lies in a namespace of its own, and a single process is every client and every
server there: whoever the node sends a rewritten connection to answers it. What the node itself takes or sends is seen,
and sent, through raw sockets in the node; its listeners are the kernel's own.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import subprocess
import time
import uuid
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from iptviz.supplied.files import Supplied
from tests.kernel import segments
from tests.kernel.attempts import NODE, Attempt, Fate
from tests.kernel.lab import Node
from tests.kernel.namespaces import inside
from tests.kernel.segments import ANSWER, DATA, REQUEST, RST, STEP, Refusal, Segment
from tests.kernel.site import LINKS, Site

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PATIENCE = 0.012
"""How long to wait, in seconds, for anything to come after the last packet."""
LONG_PATIENCE = 0.6
_BATCH = 48
_IGNORE_OUTGOING, _SOL_PACKET, _ROOMY = 23, 263, 33
_ROOM = 8 << 20
_MAC = bytes.fromhex("020000000002")
_TYPES = {4: 0x0800, 6: 0x86DD}
_HEADERS = {
    family: _MAC + bytes.fromhex("020000000003") + kind.to_bytes(2) for family, kind in _TYPES.items()
}


class Crossroads:
    """The node, and what is around it."""

    def __init__(self, node: str, site: Site, around: dict[str, socket.socket], own: _Own) -> None:
        self.name = node
        self.site = site
        self.around = around
        self.own = own
        self._numbers = count(STEP, STEP)
        self._fates: dict[int, Fate] = {}
        self._names = {end: name for name, end in around.items()}

    def load(self, backend: str, rules: str) -> None:
        """Load rules beside those that the other backend has."""
        Node(self.name, backend, self.site.family).load(rules)

    def nft(self, *words: str, stdin: str = "") -> str:
        """Run nft in the node; its standard output."""
        return Node(self.name, "nft", self.site.family).run("nft", *words, stdin=stdin)

    def route_localnet(self, value: str) -> None:
        """Let connections from and to loopback addresses leave the loopback device (1), or not (0)."""
        Node(self.name, "legacy", 4).run("sysctl", "-qw", f"net.ipv4.conf.all.route_localnet={value}")

    def listen(self, ports: Iterable[tuple[str, int]]) -> None:
        """Let programs of the node listen on ports, at all of its addresses."""
        with inside(self.name):
            self.own.listen(ports)

    def beside(self) -> dict[str, Supplied]:
        """What the node's own tools tell of its addresses and routes."""
        node = Node(self.name, "legacy", self.site.family)
        routes = ("ip", f"-{self.site.family}", "route", "show", "table", "all")
        commands = {"addresses": ("ip", "addr"), "routes": routes}
        return {name: Supplied(node.run(*command), name) for name, command in commands.items()}

    def forget(self) -> None:
        """Empty the lists of -m recent."""
        with inside(self.name), contextlib.suppress(FileNotFoundError):
            for path in Path("/proc/thread-self/net/xt_recent").iterdir():
                path.write_text("/\n")

    def attempt(self, attempts: Sequence[Attempt], patience: float = PATIENCE) -> list[Fate]:
        """Open connections; return what became of each."""
        self._fates = {}
        for place, attempt in enumerate(attempts):
            number = next(self._numbers)
            sport = 1024 + number // STEP % 60_000
            self._fates[number] = Fate(attempt, sport)
            first = Segment(
                attempt.protocol, attempt.source, sport, attempt.destination, attempt.port, number
            )
            self._send(attempt.client, first)
            if place % _BATCH == 0:
                self._take(0)
        until = time.monotonic() + patience
        while not all(fate.is_over for fate in self._fates.values()):
            if self._take(max(until - time.monotonic(), 0)):
                until = time.monotonic() + patience
            elif time.monotonic() >= until:
                break
        self.own.hang_up()
        return list(self._fates.values())

    def _send(self, place: str, segment: Segment) -> None:
        data = segments.packet(segment)
        if place != NODE:
            self.around[place].send(_HEADERS[self.site.family] + data)
            return
        with contextlib.suppress(OSError):  # what a sender hears of a packet that was dropped, or has no way
            self.own.sender.sendto(data, (segment.destination, 0))

    def _take(self, patience: float) -> bool:
        """Take what has come, and answer it; whether anything came."""
        ready, _, _ = select.select([*self._names, *self.own.hearing], [], [], patience)
        for end in ready:
            place = self._names.get(end, NODE)
            with contextlib.suppress(BlockingIOError):
                while True:
                    found = segments.read(self.own.hear(end) if place == NODE else end.recv(2048)[14:])
                    if found and (fate := self._fates.get(found.number)):
                        self._meet(fate, place, found)
        return bool(ready)

    def _meet(self, fate: Fate, place: str, found: Segment | Refusal) -> None:
        if isinstance(found, Refusal):
            if place == fate.attempt.client:
                fate.refused = "icmp {}/{}".format(*found.icmp)
        elif found.flags == REQUEST:
            self._arrived(fate, place, found)
        elif found.flags == DATA:
            fate.went_on = True
        elif place == fate.attempt.client and _is_back(fate, found):
            self._heard(fate, found)

    def _arrived(self, fate: Fate, place: str, found: Segment) -> None:
        again = fate.arrived is not None
        fate.arrived, fate.at = found, place
        if place == NODE and found.protocol == "tcp":
            return  # the kernel's own listener answers
        if not again and (place == NODE or fate.rewritten):
            self._send(place, found.answer())

    def _heard(self, fate: Fate, found: Segment) -> None:
        if found.flags & RST:
            fate.refused = fate.refused or "reset"
        elif found.flags == ANSWER and not fate.answered:
            fate.answered = True
            more = found.answer()._replace(flags=DATA, heard=found.heard)
            self._send(fate.attempt.client, more)
            if found.protocol == "tcp":
                self._send(fate.attempt.client, more._replace(flags=RST | segments.ACK))


def _is_back(fate: Fate, found: Segment) -> bool:
    """Whether a packet is the answer that the client waits for, to where it sent and from there."""
    asked = fate.attempt
    return (found.source, found.sport, found.destination, found.dport) == (
        asked.destination, asked.port, asked.source, fate.sport,
    )  # fmt: skip


class _Own:
    """The node's own sockets: one that sends, those that hear what it takes, and its listeners."""

    def __init__(self, family: int) -> None:
        self._version = socket.AF_INET if family == 4 else socket.AF_INET6
        self.sender = socket.socket(self._version, socket.SOCK_RAW, socket.IPPROTO_RAW)
        errors = socket.IPPROTO_ICMP if family == 4 else socket.IPPROTO_ICMPV6
        self.hearing = [
            _roomy(socket.socket(self._version, socket.SOCK_RAW, protocol))
            for protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP, socket.IPPROTO_SCTP, errors)
        ]
        if family == 6:
            for one in self.hearing:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        self.listeners: dict[tuple[str, int], socket.socket] = {}

    def hear(self, end: socket.socket) -> bytes:
        """Take a packet that came to the node; of IPv6, the kernel gives no header, which is made anew."""
        if self._version == socket.AF_INET:
            return end.recv(2048)
        data, told, _, (source, *_) = end.recvmsg(2048, 64)
        destination = next(some[:16] for _, kind, some in told if kind == socket.IPV6_PKTINFO)
        head = struct.pack("!IHBB", 6 << 28, len(data), end.proto, 64)
        return head + socket.inet_pton(self._version, source) + destination + data

    def listen(self, ports: Iterable[tuple[str, int]]) -> None:
        for protocol, port in set(ports) - set(self.listeners):
            kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
            made = socket.socket(self._version, kind)
            made.setblocking(False)
            made.bind(("", port))
            if protocol == "tcp":
                made.listen(4096)
            self.listeners[protocol, port] = made

    def hang_up(self) -> None:
        for listener in self.listeners.values():
            with contextlib.suppress(OSError):
                while True:
                    if listener.type == socket.SOCK_STREAM:
                        listener.accept()[0].close()
                    else:
                        listener.recv(64)

    def close(self) -> None:
        for one in (self.sender, *self.hearing, *self.listeners.values()):
            one.close()


def _roomy(end: socket.socket) -> socket.socket:
    end.setsockopt(socket.SOL_SOCKET, _ROOMY, _ROOM)
    end.setblocking(False)
    return end


def _far_end(name: str, family: int) -> socket.socket:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_TYPES[family]))
    end.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    end.bind((name, 0))
    return _roomy(end)


@contextlib.contextmanager
def crossroads(site: Site | None = None) -> Iterator[Crossroads]:
    """Make the node and what is around it."""
    site = site or Site()
    node, *others = (f"iptviz-{uuid.uuid4().hex[:8]}" for _ in range(1 + len(LINKS)))
    around = dict(zip(LINKS, others, strict=True))
    with contextlib.ExitStack() as made:
        for name in (node, *others):
            subprocess.run(["ip", "netns", "add", name], check=True)
            made.callback(subprocess.run, ["ip", "netns", "del", name], check=False)
        _set_up(Node(node, "legacy", site.family), around, site)
        ends = {}
        for link, name in around.items():
            with inside(name):
                ends[link] = made.enter_context(_far_end(f"far-{link}", site.family))
        with inside(node):
            own = _Own(site.family)
        made.callback(own.close)
        yield Crossroads(node, site, ends, own)


_SYSCTLS = (
    "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
    "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0",
    "net.ipv4.icmp_ratelimit=0", "net.ipv4.icmp_msgs_per_sec=1000000", "net.ipv4.icmp_msgs_burst=100000",
    "net.ipv4.tcp_synack_retries=0", "net.ipv4.tcp_syncookies=0", "net.ipv4.tcp_max_syn_backlog=65536",
)  # fmt: skip
_SYSCTLS_6 = (
    "net.ipv6.conf.all.forwarding=1", "net.ipv6.icmp.ratelimit=0", "net.ipv6.conf.default.addr_gen_mode=1",
    "net.ipv6.conf.default.accept_ra=0", "net.ipv6.conf.default.mldv2_unsolicited_report_interval=1",
)  # fmt: skip
_QUIET = ("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")


def _set_up(node: Node, around: dict[str, str], site: Site) -> None:
    for name in around.values():
        subprocess.run(["ip", "netns", "exec", name, "sysctl", "-qw", *_QUIET], check=True)
    node.run("sysctl", "-qw", *_SYSCTLS, *(_QUIET if site.family == 4 else _SYSCTLS_6))
    mac = ":".join(f"{byte:02x}" for byte in _MAC)
    commands = ["link set lo up"]
    for link in LINKS:
        name = site.interfaces[link]
        commands += [
            f"link add {name} address {mac} type veth peer name far-{link} netns {around[link]}",
            f"link set {name} arp off up",  # every address behind it is reached without a question
        ]
    commands += site.commands()
    node.run("ip", f"-{site.family}", "-batch", "-", stdin="\n".join(commands) + "\n")
    for link, name in around.items():
        subprocess.run(["ip", "-n", name, "link", "set", f"far-{link}", "up"], check=True)
