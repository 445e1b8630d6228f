"""The kernel judges what its settings do to packets beside the rules: each case with the settings either way."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pytest

import iptviz
from tests.kernel.frames import Sent
from tests.kernel.lab import BACKENDS
from tests.kernel.test_packets import asked, matched, trouble_with
from tests.kernel.universe import in_family
from tests.kernel.wire import Wire, wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from iptviz.engine.outcome import Outcome
    from tests.kernel.frames import Seen
    from tests.kernel.test_packets import Rules

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

COUNTING = """
*raw
-A PREROUTING
-A OUTPUT
COMMIT
*mangle
-A PREROUTING
-A INPUT
-A FORWARD
-A OUTPUT
-A POSTROUTING
COMMIT
*filter
-A INPUT -j DROP
-A FORWARD -m conntrack --ctstate NEW
-A OUTPUT -p udp
-A OUTPUT -j DROP
COMMIT
*nat
-A PREROUTING
-A OUTPUT
"""
"""Rules that count, so that it shows how far a packet came; the router's own answers are dropped."""
ROUTES = "default via 10.2.0.2 dev srv\n10.1.0.0/24 dev cli\n10.2.0.0/24 dev srv\n"
ROUTES_6 = "default via fd10:2::2 dev srv\nfd10:1::/112 dev cli\nfd10:2::/112 dev srv\n"
INNER, OUTER = "net.ipv4.conf.cli.", "net.ipv4.conf.srv."
ALL, SIX = "net.ipv4.conf.all.", "net.ipv6.conf."


class Case(NamedTuple):
    """A packet, to rules, with settings of which each line is tried on its own."""

    sent: Sent
    settings: tuple[str, ...]
    rules: str = ""
    hook: str = "prerouting"


def _case(rules: str = "", *settings: str, hook: str = "prerouting", **about: str) -> Case:
    sent = Sent(**{"destination": "10.2.0.5", "protocol": "udp", "sport": 0, "dport": 80, **about})  # type: ignore[arg-type]
    return Case(sent, ("", *settings), rules, hook)


_TO_LOOPBACK = "-A PREROUTING -p udp -j DNAT --to-destination 127.0.0.1:8080"
_NODE_PORT = "-A OUTPUT -d 127.0.0.1 -p udp -j DNAT --to-destination 10.2.0.5:8080"
_LOCALNET = (f"{ALL}route_localnet=1", f"{INNER}route_localnet=1", f"{OUTER}route_localnet=1")
_OWN = (
    f"{ALL}accept_local=1",
    f"{INNER}accept_local=1",
    f"{OUTER}accept_local=1",
    *(f"{ALL}accept_local=1 {ALL}rp_filter={number}" for number in (1, 2)),
)
CASES = {
    "to loopback": _case("", *_LOCALNET, destination="127.0.0.1"),
    "DNAT to loopback": _case(_TO_LOOPBACK, *_LOCALNET),
    "from loopback": _case("", *_LOCALNET, f"{ALL}route_localnet=1 {ALL}rp_filter=2", source="127.0.0.5"),
    "from 127.0.0.1": _case(
        "", *_LOCALNET, f"{ALL}route_localnet=1 {ALL}accept_local=1", *_OWN, source="127.0.0.1"
    ),
    "from a group": _case("", *_LOCALNET, f"{ALL}accept_local=1", source="224.0.0.9"),
    "from everywhere": _case(source="255.255.255.255"),
    "from nowhere": _case("", f"{ALL}accept_local=1", source="0.0.0.0"),
    "from nowhere, to the node": _case(source="0.0.0.0", destination="10.1.0.1"),
    "to nowhere": _case(destination="0.0.0.0"),
    "from an address of the node's other side": _case("", *_OWN, source="10.2.0.1"),
    "from the node's address, to the node": _case("", *_OWN, source="10.1.0.1", destination="10.2.0.1"),
    "DNAT from the node's address": _case(_TO_LOOPBACK, *_LOCALNET, *_OWN, source="10.2.0.1"),
    "forwarded": _case(
        "",
        "net.ipv4.ip_forward=0",
        f"{INNER}forwarding=0",
        f"{OUTER}forwarding=0",
        f"net.ipv4.ip_forward=0 {INNER}forwarding=1",
    ),
    "delivered": _case("", "net.ipv4.ip_forward=0", destination="10.1.0.1"),
    "from behind the other side": _case(
        "", f"{ALL}rp_filter=1", f"{INNER}rp_filter=1", f"{INNER}rp_filter=2", f"{OUTER}rp_filter=1", source="10.9.0.9"
    ),
    "from behind the other side, to the node": _case("", f"{ALL}rp_filter=1", source="10.9.0.9", destination="10.1.0.1"),
    "from where it should": _case("", f"{ALL}rp_filter=1", f"{ALL}rp_filter=2"),
    "a node port of loopback": _case(
        _NODE_PORT, *_LOCALNET, hook="output", source="127.0.0.1", destination="127.0.0.1"
    ),
    "a node port of loopback, to the node": _case(
        _NODE_PORT.replace("10.2.0.5", "10.2.0.1"), *_LOCALNET, hook="output", source="127.0.0.1", destination="127.0.0.1"
    ),
    "the node to itself, DNAT to loopback": _case(
        "-A OUTPUT -d 10.2.0.1 -p udp -j DNAT --to-destination 127.0.0.1:8080", *_LOCALNET,
        hook="output", source="10.2.0.1", destination="10.2.0.1",
    ),
    "the node to another, DNAT to loopback": _case(
        "-A OUTPUT -d 10.2.0.5 -p udp -j DNAT --to-destination 127.0.0.1:8080", *_LOCALNET,
        hook="output", source="10.2.0.1",
    ),
}  # fmt: skip
_OFF = f"{SIX}all.forwarding=0"
CASES_6 = {
    "forwarded": _case("", _OFF, f"{SIX}cli.forwarding=0"),
    "delivered": _case("", _OFF, destination="10.1.0.1"),
    "DNAT to loopback": _case("-A PREROUTING -p udp -j DNAT --to-destination [::1]:8080"),
    "to loopback": _case(destination="::1"),
    "from loopback": _case(source="::1"),
    "from a group": _case(source="ff02::9"),
    "from nowhere": _case(source="::"),
    "from nowhere, to the node": _case(source="::", destination="10.1.0.1"),
    "from the link": _case(source="fe80::9"),
    "from the link, to the node": _case(source="fe80::9", destination="10.1.0.1"),
    "from an address of the node": _case(source="10.2.0.1"),
    "a node port of loopback": _case(
        "-A OUTPUT -d ::1 -p udp -j DNAT --to-destination [fd10:2::5]:8080",
        hook="output", source="::1", destination="::1",
    ),
}  # fmt: skip


def settings_of(lab: Wire) -> str:
    names = ("net.ipv4.conf", "net.ipv4.ip_forward") if lab.router.family == 4 else ("net.ipv6.conf",)
    return lab.router.run("sysctl", *names)


@contextlib.contextmanager
def changed(lab: Wire, settings: str) -> Iterator[str]:
    """Change settings for a while; yield what `sysctl -a` prints of them."""
    before = settings_of(lab)
    if settings:
        lab.router.run("sysctl", "-qw", *settings.split())
    after = settings_of(lab)
    yield after
    old = {*before.splitlines()} - {*after.splitlines()}
    # To write a setting of all writes those of the interfaces, which are put back after it.
    ordered = sorted(old, key=lambda line: ("ip_forward" not in line, ".all." not in line))
    for line in ordered:
        lab.router.run("sysctl", "-qw", line.replace(" ", ""))


def sent_by(lab: Wire, sent: Sent, hook: str) -> Seen | None:
    """Send a packet; what came out of the router at the server's side, or at the client's."""
    with contextlib.suppress(OSError):  # which is what a program hears of a packet that finds no route
        there, _ = lab.send_out(sent) if hook == "output" else lab.send(sent)
        return there
    return None


def question(sent: Sent, hook: str, folder: Path, sysctls: str) -> dict[str, object]:
    (folder / "routes").write_text(ROUTES_6 if sent.family == 6 else ROUTES)
    (folder / "sysctl").write_text(sysctls)
    local = hook == "output"
    return asked(
        sent, hook=hook, in_iface=None if local else "cli", out_iface=None, mac=None, uid=0 if local else None,
        gid=0 if local else None, routes=str(folder / "routes"), sysctl=str(folder / "sysctl"),
    )  # fmt: skip


def of_hook(counts: Rules, hook: str) -> Rules:
    """Leave out what the router itself sends when its settings change, or to refuse a packet."""
    return Counter({rule: count for rule, count in counts.items() if hook == "output" or rule[1] != "OUTPUT"})


def same(one: Outcome, other: Outcome) -> bool:
    return (one.verdict, one.route, one.packet.dnat) == (other.verdict, other.route, other.packet.dnat)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("backend", BACKENDS)
def test_settings_do_what_is_predicted(backend: str, family: int, tmp_path: Path) -> None:
    troubles = []
    number = 5000
    with wire(backend, family) as lab:
        for name, case in (CASES if family == 4 else CASES_6).items():
            lab.router.load(f"{COUNTING}{case.rules}\nCOMMIT\n")
            for settings in case.settings:
                number += 1
                source, destination = (
                    in_family(one, family) for one in (case.sent.source, case.sent.destination)
                )
                sent = case.sent._replace(sport=number, source=source, destination=destination)
                before = iptviz.load(lab.router.save("-c").encode())
                with changed(lab, settings) as sysctls:
                    there = sent_by(lab, sent, case.hook)
                    after = iptviz.load(lab.router.save("-c").encode())
                about = question(sent, case.hook, tmp_path, sysctls)
                outcomes = iptviz.packet(after, **about).outcomes  # type: ignore[arg-type]
                trouble = trouble_with(sent, outcomes, of_hook(matched(before, after), case.hook), there)
                unsettled = iptviz.packet(after, **(about | {"sysctl": None})).outcomes  # type: ignore[arg-type]
                filtered = "rp_filter" in settings or "forward" in settings  # which are taken not to drop
                if not trouble and not filtered and not any(same(one, outcomes[0]) for one in unsettled):
                    trouble = f"not among the cases without the settings: {unsettled}"
                if trouble:
                    troubles.append(f"{name}, {settings or 'as usual'}: {trouble}")
    assert not troubles, "\n".join(troubles)
