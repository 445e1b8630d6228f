"""The kernel judges who takes a packet: types of addresses, any router's address, sockets that TPROXY chooses."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, NamedTuple

import pytest

import iptviz
from iptviz.checks.wording import sentence
from tests.kernel.frames import Sent
from tests.kernel.lab import BACKENDS
from tests.kernel.namespaces import inside
from tests.kernel.random_tables import in_other_family
from tests.kernel.test_packets import asked, known_of_tracking, matched, predicted
from tests.kernel.wire import wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from iptviz.engine.outcome import Outcome
    from tests.kernel.test_packets import Rules
    from tests.kernel.wire import Wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]


def shown(lab: Wire, *what: str) -> str:
    """Return what `ip` prints of the router."""
    return "".join(lab.router.run("ip", f"-{lab.router.family}", *words.split()) for words in what)


ROUTES = ("route show table all", "rule")


class Asking:
    """Sends packets to the router, and asks about them with what `ip` prints of it."""

    def __init__(self, lab: Wire, place: Path) -> None:
        self.lab = lab
        self.place = place
        self.before = iptviz.load(lab.router.save("-c").encode())

    def given(self, **files: str) -> dict[str, str]:
        """Write files to hand in."""
        for name, text in files.items():
            (self.place / name).write_text(text)
        return {name: str(self.place / name) for name in files}

    def counted(self) -> tuple[Rules, iptviz.Dump]:
        """Return the rules that have counted packets since this was asked last, and the dump now."""
        after = iptviz.load(self.lab.router.save("-c").encode())
        found = matched(self.before, after)
        self.before = after
        return found, after

    def outcomes(self, sent: Sent, **more: object) -> tuple[tuple[Outcome, ...], Rules]:
        """Send a packet; what is said of it, and the rules that counted it."""
        self.lab.send(sent)
        counted, after = self.counted()
        assume = (*known_of_tracking(after), *more.pop("assume", ()))  # type: ignore[misc]
        question = asked(sent, out_iface=None, **more)
        return iptviz.packet(after, **question, assume=assume).outcomes, counted


def by_a_program(lab: Wire, sent: Sent, mark: int = 0) -> None:
    """Let a program of the router send a packet from an address and a port of its own, for many or for one."""
    six = sent.family == 6
    level, option = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if six else (socket.IPPROTO_IP, socket.IP_TOS)
    with (
        inside(lab.router.name),
        socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sender.setsockopt(level, option, sent.tos)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if six:
            sender.setsockopt(level, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("srv"))
        sender.bind((sent.source, sent.sport))
        with contextlib.suppress(OSError):  # there is no route, or the packet was dropped
            sender.sendto(b"", (sent.destination, sent.dport))


def of_family(sent: Sent, family: int) -> Sent:
    return sent if family == 4 else in_other_family(sent)


# --- TPROXY ----------------------------------------------------------------------------------------------------

PROXIED = """*mangle
-A PREROUTING -p udp -j TPROXY --on-port 5000 --on-ip {any} --tproxy-mark 0x1/0x1
-A PREROUTING -p udp
-A INPUT -p udp -m mark --mark 0x1
COMMIT
*nat
-A PREROUTING -p udp -m addrtype --dst-type LOCAL
-A PREROUTING -p udp -m addrtype ! --dst-type LOCAL
COMMIT
*filter
-A INPUT -p udp -m addrtype --dst-type LOCAL
-A INPUT -p udp -m conntrack --ctstate NEW
-A FORWARD -p udp
COMMIT
"""
BY_MARK = ("rule add fwmark 0x1 lookup 100", "route add local default dev lo table 100")
LISTENS = "a program listens on TPROXY port 5000"
SETTINGS = """net.ipv4.conf.all.src_valid_mark = {}
net.ipv4.conf.cli.src_valid_mark = 0
net.ipv4.conf.all.accept_local = 0
net.ipv4.conf.cli.accept_local = 0
"""
TRANSPARENT = {4: (socket.IPPROTO_IP, 19), 6: (socket.IPPROTO_IPV6, 75)}


@contextlib.contextmanager
def listening(lab: Wire) -> Iterator[None]:
    """Listen on the port with a socket that takes packets for any address."""
    family = lab.router.family
    with (
        inside(lab.router.name),
        socket.socket((socket.AF_INET, socket.AF_INET6)[family == 6], socket.SOCK_DGRAM) as one,
    ):
        one.setsockopt(*TRANSPARENT[family], 1)
        one.bind(("", 5000))
        yield


@pytest.mark.parametrize(("backend", "family"), [("legacy", 4), ("nft", 4), ("nft", 6)])
def test_what_tproxy_takes_needs_a_route_to_this_node(backend: str, family: int, tmp_path: Path) -> None:
    other, own = (of_family(Sent(to, "udp", 4000, 80), family) for to in ("10.2.0.5", "10.1.0.1"))
    with wire(backend, family) as lab, listening(lab):
        lab.router.load(PROXIED.format(any={4: "0.0.0.0", 6: "::"}[family]))
        asking = Asking(lab, tmp_path)
        for step, (sent, verdict, route) in enumerate(
            [(other, "DROP", ""), (own, "ACCEPT", "INPUT"), (other, "ACCEPT", "INPUT")]
        ):
            for command in BY_MARK if step == 2 else ():
                lab.router.run("ip", f"-{family}", *command.split())
            routes = asking.given(routes=shown(lab, *ROUTES), sysctl=SETTINGS.format(0))
            (outcome,), counted = asking.outcomes(
                sent._replace(sport=4000 + step), assume=(LISTENS,), **routes
            )
            assert (outcome.verdict, outcome.route, predicted(outcome)) == (verdict, route, counted)
        if family == 4:  # the source is looked up with the mark: so it is this node's, which nobody else has
            lab.router.run("sysctl", "-qw", "net.ipv4.conf.all.src_valid_mark=1")
            routes = asking.given(routes=shown(lab, *ROUTES), sysctl=SETTINGS.format(1))
            (outcome,), counted = asking.outcomes(other._replace(sport=4009), assume=(LISTENS,), **routes)
            assert (outcome.verdict, outcome.route, predicted(outcome)) == ("DROP", "", counted)
            lab.router.run("sysctl", "-qw", "net.ipv4.conf.all.src_valid_mark=0")
        # Nobody tells of routes: it is for routing to say.
        told, counted = asking.outcomes(other._replace(sport=4010), assume=(LISTENS,))
        said = {one.when[-1].text: one for one in told}
        assert {text: one.verdict for text, one in said.items()} == {
            "routing delivers packets of mark 0x1 to this node": "ACCEPT",
            "routing does not deliver packets of mark 0x1 to this node": "DROP",
        }  # fmt: skip
        assert predicted(said["routing delivers packets of mark 0x1 to this node"]) == counted


# --- types of addresses ----------------------------------------------------------------------------------------


class Addresses(NamedTuple):
    """Types that rules ask for, in lists, and what there is in the lab beside its two networks."""

    asked: tuple[str, ...]
    commands: tuple[str, ...]
    destinations: tuple[str, ...]


TYPES = {
    4: Addresses(
        ("UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE,UNREACHABLE,PROHIBIT", "LOCAL,BROADCAST", "UNICAST,MULTICAST",
         "LOCAL --limit-iface-in", "UNICAST,BROADCAST --limit-iface-in"),
        ("route add unreachable 10.7.0.0/24", "route add blackhole 10.7.1.0/24", "route add prohibit 10.7.2.0/24",
         "addr add 10.8.1.1/31 dev cli", "addr add 10.8.2.1/30 dev cli", "addr add 10.8.3.1/24 brd 10.8.3.77 dev cli",
         "addr add 10.8.4.1/32 dev cli"),
        ("10.1.0.1", "10.2.0.1", "10.1.0.255", "10.1.0.0", "10.2.0.5", "10.9.9.9", "10.7.0.1", "10.7.1.1", "10.7.2.1",
         "224.0.0.1", "255.255.255.255", "10.8.1.0", "10.8.1.1", "10.8.2.0", "10.8.2.3", "10.8.3.77", "10.8.3.255", "10.8.4.1"),
    ),
    6: Addresses(
        ("UNICAST", "LOCAL", "ANYCAST", "MULTICAST", "UNREACHABLE", "UNSPEC", "LOCAL,MULTICAST", "UNICAST,LOCAL",
         "UNICAST,MULTICAST", "LOCAL,ANYCAST,UNREACHABLE", "UNICAST,UNREACHABLE", "MULTICAST,UNREACHABLE",
         "LOCAL --limit-iface-in", "UNICAST --limit-iface-in", "UNICAST,LOCAL --limit-iface-in"),
        ("route add unreachable fd10:7::/64", "route add blackhole fd10:7:1::/64", "addr add fd10:8::1/127 dev cli nodad",
         "addr add fd10:8:1::1/126 dev cli nodad", "addr add fd10:8:2::1/128 dev cli nodad", "route add fd10:8:3::/64 dev srv",
         "route add fd10:8:4::/64 via fd10:2::2 dev srv"),
        ("fd10:1::1", "fd10:2::1", "fd10:1::", "fd10:2::", "fd10:2::5", "fd10:9::1", "fd10:7::1", "fd10:7:1::1", "ff02::1",
         "fd10:8::", "fd10:8::1", "fd10:8:1::", "fd10:8:2::", "fd10:8:3::", "fd10:8:4::", "::1.2.3.4"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("backend", "family"), [("nft", 4), ("legacy", 6)])
def test_addresses_are_of_the_types_that_the_kernel_gives_them(
    backend: str, family: int, tmp_path: Path
) -> None:
    types = TYPES[family]
    asking_rules = "".join(
        f"-A PREROUTING -p udp -m addrtype {negated}--dst-type {one}\n"
        for one in types.asked
        for negated in ("", "! ")
    )
    reverse = "".join(f"-A PREROUTING -p udp -m addrtype --src-type {one}\n" for one in types.asked)
    rules = f"*raw\n{asking_rules}{reverse}COMMIT\n*filter\n-A INPUT -p udp\n-A FORWARD -p udp\n-A OUTPUT -j DROP\nCOMMIT\n"
    troubles = []
    with wire(backend, family) as lab:
        for command in types.commands:
            lab.router.run("ip", f"-{family}", *command.split())
        lab.router.load(rules)
        asking = Asking(lab, tmp_path)
        # What people hand in is either all tables, or the main one with the addresses.
        whole = asking.given(routes=shown(lab, *ROUTES)) | asking.given(addresses=shown(lab, "addr"))
        parts = [
            {"routes": whole["routes"]},
            asking.given(addresses=shown(lab, "addr")) | asking_main(asking, lab),
        ]
        for number, destination in enumerate(types.destinations):
            sent = of_family(Sent("10.2.0.5", "udp", 4000 + number, 80), family)._replace(
                destination=destination
            )
            lab.send(sent)
            counted, after = asking.counted()
            for given in parts:
                question = asked(sent, **{"local_ips": (), "out_iface": None, **given})
                told = iptviz.packet(after, **question).outcomes
                if len(told) != 1 or predicted(told[0]) != counted:
                    troubles.append(
                        f"{destination} {sorted(given)}: {[(one.verdict, one.when, sorted(predicted(one) - counted), sorted(counted - predicted(one))) for one in told]}"
                    )
    assert not troubles, "\n".join(troubles)


def texts(result: iptviz.PacketResult) -> list[str]:
    return [sentence(note) for note in result.notes]


def asking_main(asking: Asking, lab: Wire) -> dict[str, str]:
    """Hand in the main table alone."""
    (asking.place / "main").write_text(shown(lab, "route"))
    return {"routes": str(asking.place / "main")}


# --- what the router itself sends to many ----------------------------------------------------------------------

SENT_TO_MANY = """*raw
-A PREROUTING -p udp
-A OUTPUT -p udp
COMMIT
*mangle
-A OUTPUT -p udp
-A POSTROUTING -p udp
-A INPUT -i srv -p udp
-A INPUT -i lo -p udp
COMMIT
*nat
-A PREROUTING -p udp
-A INPUT -p udp
-A OUTPUT -p udp
-A POSTROUTING -p udp
COMMIT
*filter
-A INPUT -p udp -m conntrack --ctstate NEW
-A INPUT -p udp -m addrtype --dst-type {}
-A OUTPUT -p udp
COMMIT
"""
COMING_BACK = {
    ("raw", "PREROUTING", 1),
    ("mangle", "INPUT", 1),
    ("filter", "INPUT", 1),
    ("filter", "INPUT", 2),
}
"""The rules that count the copy: nat had its say when it was sent."""


@pytest.mark.parametrize(("backend", "family"), [("nft", 4), ("legacy", 6)])
def test_a_copy_of_what_is_sent_to_many_comes_back(backend: str, family: int, tmp_path: Path) -> None:
    destinations = {4: ("255.255.255.255", "10.2.0.255"), 6: ("ff02::1",)}[family]
    with wire(backend, family) as lab:
        lab.router.load(SENT_TO_MANY.format({4: "BROADCAST", 6: "MULTICAST"}[family]))
        asking = Asking(lab, tmp_path)
        given = asking.given(routes=shown(lab, *ROUTES), addresses=shown(lab, "addr"))
        for number, destination in enumerate(destinations):
            sent = of_family(Sent("10.2.0.5", "udp", 4000 + number, 80, source="10.2.0.1"), family)
            sent = sent._replace(destination=destination)
            by_a_program(lab, sent)
            counted, after = asking.counted()
            result = iptviz.packet(after, **asked(sent, out_iface="srv", **given))
            (outcome,) = result.outcomes
            assert (outcome.verdict, outcome.route) == ("ACCEPT", "OUTPUT")
            assert {*counted} == {*predicted(outcome), *COMING_BACK}
            assert any(f"a copy of what it sends to {destination}" in note for note in texts(result))


def test_what_is_sent_to_any_router_stays_on_this_one(tmp_path: Path) -> None:
    sent = Sent("fd10:2::", "udp", 4000, 80, source="fd10:2::1")
    with wire("nft", 6) as lab:
        lab.router.load(SENT_TO_MANY.format("ANYCAST"))
        asking = Asking(lab, tmp_path)
        given = asking.given(routes=shown(lab, "route"), addresses=shown(lab, "addr"))
        by_a_program(lab, sent)
        counted, after = asking.counted()
        (outcome,) = iptviz.packet(after, **asked(sent, out_iface=None, local_ips=(), **given)).outcomes
        assert (outcome.verdict, outcome.route, predicted(outcome)) == ("ACCEPT", "INPUT", counted)


# --- link-local addresses -----------------------------------------------------------------------------------------

BY_LINK = """*filter
-A INPUT -p udp
-A FORWARD -p udp
-A FORWARD -i cli -o cli -p udp
COMMIT
"""
LINKS = ("addr add fe80::1/64 dev cli nodad", "addr add fe80::2/64 dev srv nodad")
SENT_ALONG_LINKS = (
    ("fd10:1::2", "fe80::1", "INPUT"), ("fd10:1::2", "fe80::2", "FORWARD"), ("fe80::5", "fd10:1::9", "FORWARD"),
    ("fe80::5", "fd10:2::2", ""),
)  # fmt: skip
"""Source and destination of what comes in by cli, and which chain is asked about it; empty: none."""


@pytest.mark.parametrize("backend", BACKENDS)
def test_link_local_addresses_are_those_of_one_link(backend: str, tmp_path: Path) -> None:
    with wire(backend, 6) as lab:
        for command in LINKS:
            lab.router.run("ip", *command.split())
        lab.router.load(BY_LINK)
        asking = Asking(lab, tmp_path)
        for number, (source, destination, route) in enumerate(SENT_ALONG_LINKS):
            sent = Sent(destination, "udp", 4100 + number, 80, source=source)
            given = asking.given(addresses=shown(lab, "addr"), routes=shown(lab, *ROUTES))
            (outcome,), counts = asking.outcomes(sent, **given)
            assert predicted(outcome) == counts, f"{source} to {destination}: {counts}"
            assert {chain for _, chain, _ in counts} == ({route} if route else set())
