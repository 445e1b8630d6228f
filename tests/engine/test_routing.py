"""What the kernel does to packets beside its rules: by its settings where they are known, else as conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from iptviz.engine.condition import clauses
from iptviz.engine.path import ROUTING, steps_of
from iptviz.supplied.files import Supplied
from tests.engine.test_journey import ask

if TYPE_CHECKING:
    from iptviz.engine.outcome import Outcome

NOTHING = "filter|:FORWARD ACCEPT"
NODE_PORT = "nat|-A OUTPUT -d 127.0.0.1 -j DNAT --to-destination 10.2.0.5:8080"
TO_LOOPBACK = "nat|-A PREROUTING -j DNAT --to-destination 127.0.0.1:8080"
OUTPUT = {
    "hook": "output", "src": "127.0.0.1", "dst": "127.0.0.1", "in_iface": None, "out_iface": None,
}  # fmt: skip
ALL, CLI = "net.ipv4.conf.all.", "net.ipv4.conf.cli."
ROUTES = Supplied("default via 10.2.0.2 dev srv\n10.1.0.0/24 dev cli\n10.2.0.0/24 dev srv\n", "routes")


def sysctls(*settings: str) -> Supplied | None:
    lines = (f"{setting.replace('=', ' = ')}\n" for setting in settings)
    return Supplied("".join(lines), "sysctl") if settings else None


def cases(rules: str, *settings: str, **about: Any) -> dict[str, str]:
    """Ask about a packet; the verdict of each case."""
    result = ask(rules, **{"sysctl": sysctls(*settings), **about})
    return {clauses(outcome.first) if outcome.first else "": outcome.verdict for outcome in result.outcomes}


def why(outcome: Outcome) -> str:
    steps, _ = steps_of(outcome.path)
    return steps[-1].effect if steps and steps[-1].kind == ROUTING else ""


ASKED = {f"{ALL}route_localnet=1": "ACCEPT", "": "DROP"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ((), ASKED),
        ((f"{ALL}route_localnet=1",), {"": "ACCEPT"}),
        ((f"{ALL}route_localnet=0",), {f"{CLI}route_localnet=1": "ACCEPT", "": "DROP"}),
        ((f"{CLI}route_localnet=0",), ASKED),
        ((f"{CLI}route_localnet=1",), {"": "ACCEPT"}),
        ((f"{ALL}route_localnet=0", f"{CLI}route_localnet=0"), {"": "DROP"}),
        ((f"{ALL}route_localnet=0", "net.ipv4.conf.srv.route_localnet=1", f"{CLI}route_localnet=0"), {"": "DROP"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("rules", [TO_LOOPBACK, NOTHING])
def test_either_setting_lets_packets_to_loopback_in(
    rules: str, settings: tuple[str, ...], expected: object
) -> None:
    destination = "127.0.0.1" if rules == NOTHING else "10.9.9.9"
    assert cases(rules, *settings, dst=destination) == expected


def test_where_the_interface_is_not_known_it_is_asked_which_one_it_is() -> None:
    settings = (f"{ALL}route_localnet=0", f"{CLI}route_localnet=1", "net.ipv4.conf.srv.route_localnet=0")
    assert cases(TO_LOOPBACK, *settings, dst="10.9.9.9", in_iface=None) == {
        "input interface is cli": "ACCEPT",
        "": "DROP",
    }
    off = (f"{ALL}route_localnet=0", f"{CLI}route_localnet=0")
    assert cases(TO_LOOPBACK, *off, dst="10.9.9.9", in_iface=None) == {"": "DROP"}
    alone = cases(TO_LOOPBACK, off[0], dst="10.9.9.9", in_iface=None)
    assert alone == {"net.ipv4.conf.*.route_localnet=1": "ACCEPT", "": "DROP"}


def test_what_comes_in_by_lo_is_no_martian() -> None:
    assert cases(NOTHING, src="127.0.0.1", dst="127.0.0.1", in_iface="lo") == {"": "ACCEPT"}
    unknown = cases(NOTHING, src="127.0.0.9", dst="127.0.0.1", in_iface=None)
    assert unknown == {"input interface is lo": "ACCEPT", f"{ALL}route_localnet=1": "ACCEPT", "": "DROP"}


def test_a_node_port_of_loopback_needs_a_route() -> None:
    assert cases(NODE_PORT, **OUTPUT, routes=ROUTES) == ASKED
    lost = ask(
        NODE_PORT + "\nfilter|-A OUTPUT -j REJECT",
        **OUTPUT,
        sysctl=sysctls(f"{ALL}route_localnet=0", "net.ipv4.conf.srv.route_localnet=0"),
        routes=ROUTES,
    )
    assert [why(outcome) for outcome in lost.outcomes] == [
        "no route from 127.0.0.0/8 to another host, where route_localnet is not 1"
    ]
    to_itself = NODE_PORT.replace("10.2.0.5", "10.2.0.1")
    assert cases(to_itself, **OUTPUT) == {"": "ACCEPT"}
    assert cases(NODE_PORT, **(OUTPUT | {"local_ips": ()})) == {
        f"{ALL}route_localnet=1 and each DNAT target is not local to this node": "ACCEPT",
        "each DNAT target is local to this node": "ACCEPT",
        "each DNAT target is not local to this node": "DROP",
    }  # fmt: skip


def test_a_program_sends_nothing_from_loopback_to_others() -> None:
    about = OUTPUT | {"dst": "10.2.0.9"}
    assert cases(NOTHING, **about) == ASKED


def test_a_source_that_is_not_known_is_taken_as_no_martian() -> None:
    for source in (None, "0.0.0.0/0", "10.0.0.0/8"):
        assert cases(NOTHING, src=source) == {"": "ACCEPT"}


@pytest.mark.parametrize("source", ["224.0.0.1", "239.1.0.0/16", "255.255.255.255", "0.0.0.0"])
def test_no_host_has_such_a_source(source: str) -> None:
    assert cases(NOTHING, src=source) == {"": "DROP"}


def test_an_own_address_comes_from_no_wire_unless_the_node_accepts_it() -> None:
    asked = {f"{ALL}accept_local=1": "ACCEPT", "": "DROP"}
    assert cases(NOTHING, src="10.2.0.1") == asked
    assert cases(NOTHING, f"{ALL}accept_local=1", src="10.2.0.1") == {"": "ACCEPT"}
    unknown = cases(NOTHING, src="10.2.0.1", dst="224.0.0.1", local_ips=())
    assert unknown == {"": "ACCEPT"}  # nobody knows that it is the node's


def test_what_is_for_a_group_is_delivered_to_who_has_joined_it() -> None:
    assert cases(NOTHING, dst="255.255.255.255") == {"": "ACCEPT"}
    joined = {"this node has joined 224.0.0.5": "ACCEPT", "": "DROP"}
    assert cases(NOTHING, dst="224.0.0.5") == joined
    assert cases(NOTHING, dst="239.0.0.0/8") == {"": "ACCEPT"}  # of many groups nobody asks


@pytest.mark.parametrize(
    ("settings", "in_iface", "expected"),
    [
        ((), "cli", {"": "ACCEPT"}),
        (("net.ipv4.ip_forward=1",), "cli", {"": "ACCEPT"}),
        (("net.ipv4.ip_forward=0",), "cli", {"": "DROP"}),
        (("net.ipv4.ip_forward=0",), None, {"": "DROP"}),
        (("net.ipv4.ip_forward=0", f"{CLI}forwarding=1"), "cli", {"": "ACCEPT"}),
        (("net.ipv4.ip_forward=1", f"{CLI}forwarding=0"), "cli", {"": "DROP"}),
        (("net.ipv4.ip_forward=0", f"{CLI}forwarding=1"), None, {"input interface is cli": "ACCEPT", "": "DROP"}),
        (("net.ipv4.ip_forward=1", f"{CLI}forwarding=0"), None, {"input interface is cli": "DROP", "": "ACCEPT"}),
        (("net.ipv6.conf.all.forwarding=0",), "cli", {"": "ACCEPT"}),
    ],
)  # fmt: skip
def test_what_is_not_forwarded_is_dropped(
    settings: tuple[str, ...], in_iface: str | None, expected: object
) -> None:
    assert cases(NOTHING, *settings, in_iface=in_iface) == expected


def test_the_setting_that_forbids_forwarding_is_named() -> None:
    for settings, name in (
        (("net.ipv4.ip_forward=0",), "net.ipv4.ip_forward"),
        ((f"{CLI}forwarding=0",), f"{CLI}forwarding"),
    ):
        (outcome,) = ask(NOTHING, sysctl=sysctls(*settings)).outcomes
        assert why(outcome) == f"not forwarded: {name} is 0"


SIX: dict[str, Any] = {"src": "fd10:1::2", "dst": "fd10:2::2", "local_ips": ("fd10:1::1",)}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (("net.ipv6.conf.all.forwarding=0",), {"": "DROP"}),
        (("net.ipv6.conf.cli.forwarding=0", "net.ipv4.ip_forward=0"), {"": "ACCEPT"}),
        (("net.ipv6.conf.all.forwarding=0", "net.ipv6.conf.cli.force_forwarding=1"), {"": "ACCEPT"}),
    ],
)
def test_of_ipv6_the_setting_of_all_counts(settings: tuple[str, ...], expected: object) -> None:
    assert cases("filter|-A FORWARD -s fd10:9::/64 -j DROP", *settings, **SIX) == expected


@pytest.mark.parametrize(
    ("source", "value", "expected"),
    [
        ("10.9.0.9", 1, "rp_filter is 1: the source is routed by srv, not by cli"),
        ("10.9.0.9", 2, ""),
        ("10.9.0.9", 0, ""),
        ("10.1.0.9", 1, ""),
        (None, 1, ""),
    ],
)
def test_a_source_with_another_way_back_is_filtered(source: str | None, value: int, expected: str) -> None:
    settings = sysctls(f"{ALL}rp_filter=0", f"{CLI}rp_filter={value}")
    (outcome,) = ask(NOTHING, src=source, sysctl=settings, routes=ROUTES).outcomes
    assert why(outcome) == expected


def test_a_source_without_a_way_back_is_filtered() -> None:
    routes = Supplied("10.1.0.0/24 dev cli\n10.2.0.0/24 dev srv\nblackhole 10.7.0.0/16\n", "routes")
    settings = sysctls(f"{ALL}rp_filter=2", f"{CLI}rp_filter=0")
    found = {
        source: why(ask(NOTHING, src=source, sysctl=settings, routes=routes).outcomes[0])
        for source in ("10.9.0.9", "10.7.0.9", "10.2.0.9")
    }
    assert found == {
        "10.9.0.9": "rp_filter: no route to the source", "10.7.0.9": "rp_filter: the route to the source is blackhole",
        "10.2.0.9": "",
    }  # fmt: skip


def test_without_the_setting_of_either_kind_nothing_is_filtered() -> None:
    (outcome,) = ask(NOTHING, src="10.9.0.9", sysctl=sysctls(f"{ALL}rp_filter=1"), routes=ROUTES).outcomes
    assert outcome.verdict == "ACCEPT"


# --- routing rules ------------------------------------------------------------------------------------------

TABLES = """default via 10.2.0.2 dev srv
default dev cli table 100
0:\tfrom all lookup local
100:\tfrom all fwmark 0x40/0x40 lookup 100
32766:\tfrom all lookup main
"""
MARK = "-j MARK --set-xmark 0x40/0x40"
SENT: dict[str, Any] = {"hook": "output", "src": "10.2.0.1", "in_iface": None}


@pytest.mark.parametrize(
    ("rule", "about", "expected"),
    [
        ("", {}, {"": "ACCEPT"}),
        (f"mangle|-A PREROUTING {MARK}", {}, {"": "DROP"}),
        (f"filter|-A FORWARD {MARK}", {}, {"": "ACCEPT"}),
        ("", {"mark": None}, {"mark is 0x40/0x40": "DROP", "": "ACCEPT"}),
        (f"mangle|-A OUTPUT {MARK}", SENT, {"": "DROP"}),
        (f"filter|-A OUTPUT {MARK}", SENT, {"": "ACCEPT"}),
        (f"raw|-A OUTPUT {MARK}", SENT, {"output interface is cli": "DROP", "": "ACCEPT"}),
        (f"nat|-A OUTPUT {MARK}\nnat|-A OUTPUT -p tcp -j DNAT --to-destination 10.2.0.6", SENT, {"": "DROP"}),
    ],
)
def test_the_mark_chooses_the_interface(rule: str, about: dict[str, Any], expected: object) -> None:
    rules = f"{rule}\nmangle|-A POSTROUTING -o cli -j DROP".strip()
    assert cases(rules, **{"out_iface": None, "routes": Supplied(TABLES, "routes"), **about}) == expected


def test_what_a_program_sends_goes_by_the_mark_of_its_socket_first() -> None:
    rules = "mangle|-A OUTPUT -j MARK --set-mark 0x1\nfilter|-A OUTPUT -o cli -j DROP"
    about = SENT | {"out_iface": None, "routes": Supplied(TABLES, "routes")}
    assert cases(rules, **about, mark=0x40) == {"": "DROP"}
    assert cases(rules, **about, mark=0) == {"": "ACCEPT"}


@pytest.mark.parametrize(
    ("rule", "about", "expected"),
    [
        ("from 10.2.0.0/24 lookup 100", SENT | {"protocol": "udp", "tcp_flags": None}, None),  # is it bound to its address?
        ("from 10.2.0.0/24 lookup 100", SENT, "cli"),  # a stream is routed once more, with its address
        ("from 10.9.0.0/24 lookup 100", SENT, "srv"),
        ("from all oif cli lookup 100", SENT, None),
        ("from all oif cli lookup 100", {}, "srv"),
        ("from all uidrange 0-9 lookup 100", SENT, None),
        ("from all uidrange 0-9 lookup 100", SENT | {"uid": 9, "gid": 9}, "cli"),
        ("from all uidrange 0-9 lookup 100", {}, "cli"),
        ("from all iif lo lookup 100", SENT, "cli"),
        ("from all iif lo lookup 100", {}, "srv"),
        ("from all ipproto tcp dport 80 lookup 100", {}, "cli"),
        ("from all iif cli lookup 100", {"in_iface": None}, None),
    ],
)  # fmt: skip
def test_rules_choose_the_interface(rule: str, about: dict[str, Any], expected: str | None) -> None:
    routes = Supplied(TABLES.replace("from all fwmark 0x40/0x40 lookup 100", rule), "routes")
    asked = cases("mangle|-A POSTROUTING -o cli -j DROP", out_iface=None, routes=routes, **about)
    told = {
        "cli": {"": "DROP"},
        "srv": {"": "ACCEPT"},
        None: {"output interface is cli": "DROP", "": "ACCEPT"},
    }
    assert asked == told[expected]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("from all unreachable", "route is unreachable"),
        ("from all to 10.2.0.2 blackhole", "route is blackhole"),
        ("from all to 10.9.0.2 blackhole", ""),
    ],
)
@pytest.mark.parametrize("about", [{}, SENT])
def test_a_rule_may_refuse(rule: str, said: str, about: dict[str, Any]) -> None:
    routes = Supplied(TABLES.replace("from all fwmark 0x40/0x40 lookup 100", rule), "routes")
    (outcome,) = ask(NOTHING, out_iface=None, routes=routes, **about).outcomes
    assert (why(outcome), outcome.verdict) == (said, "DROP" if said else "ACCEPT")


def test_what_ipv6_refuses_is_not_sent_to_loopback() -> None:
    routes = Supplied(
        "unreachable fd10:9::/64 dev lo metric 1024 pref medium\nfd10:2::/64 dev srv pref medium\n", "routes"
    )
    about = SENT_SIX | {"dst": "fd10:9::1", "local_ips": ("fd10:2::1",), "hook": "output", "in_iface": None}
    (outcome,) = ask("filter|-A OUTPUT -s fd10:8::/64 -j DROP", routes=routes, **about).outcomes
    assert why(outcome) == "route is unreachable"


def test_a_source_that_is_led_to_this_node_is_a_martian() -> None:
    about = {"out_iface": None, "routes": Supplied(LED_HERE, "routes")}
    marking = f"mangle|-A PREROUTING {MARK}\nfilter|-A INPUT -s 10.9.0.0/16 -j DROP"
    asks_mark, accepts = f"{ALL}src_valid_mark=", f"{ALL}accept_local="
    assert cases(marking, f"{asks_mark}0", f"{CLI}src_valid_mark=0", **about) == {"": "ACCEPT"}
    assert cases(marking, f"{asks_mark}1", f"{accepts}1", **about) == {"": "ACCEPT"}
    (lost,) = ask(
        marking, sysctl=sysctls(f"{asks_mark}1", f"{accepts}0", f"{CLI}accept_local=0"), **about
    ).outcomes
    assert why(lost) == "martian source: an address of this node, and accept_local is not 1"
    assert set(cases(marking, **about)) == {f"{ALL}src_valid_mark=1 and {ALL}accept_local is not 1", ""}


@pytest.mark.parametrize(("version", "expected"), [(4, "ACCEPT"), (6, "DROP")])
def test_ipv6_calls_local_what_any_route_leads_here(version: int, expected: str) -> None:
    rules = "0:\tfrom all lookup local\n9:\tfrom all lookup 100\n32766:\tfrom all lookup main\n"
    end = " metric 1024 pref medium" if version == 6 else ""
    routes = Supplied(f"local default dev lo table 100{end}\ndefault dev srv{end}\n{rules}", "routes")
    about = (
        {"src": "10.1.0.2", "dst": "10.9.0.9"}
        if version == 4
        else SENT_SIX | {"dst": "fd10:9::1", "local_ips": ("fd10:2::1",)}
    )
    led = {
        "out_iface": None,
        "routes": routes,
        "sysctl": sysctls(f"{ALL}accept_local=1"),
        "src": about["src"],
    }
    network = {4: "10.0.0.0/8", 6: "fd10::/16"}[version]
    rule = f"filter|-A INPUT -s {network} -m addrtype --dst-type LOCAL -j DROP"
    assert cases(rule, **about | led) == {"": expected}


def test_what_ipv6_calls_local_may_be_forwarded() -> None:
    rules = "0:\tfrom all lookup local\n9:\tfrom all iif lo lookup 100\n32766:\tfrom all lookup main\n"
    text = "local default dev lo table 100 metric 1024 pref medium\ndefault dev srv metric 1024 pref medium\n"
    about = SENT_SIX | {"src": "fd10:1::2", "dst": "fd10:9::1", "local_ips": ("fd10:2::1",)}
    rule = "filter|-A FORWARD -s fd10::/16 -m addrtype --dst-type LOCAL -j DROP"
    (outcome,) = ask(rule, **about | {"routes": Supplied(text + rules, "routes")}).outcomes
    assert (outcome.verdict, outcome.route) == (
        "DROP",
        "FORWARD",
    )  # the match asks as for a packet of this node


def test_the_mark_of_mangle_may_lead_nowhere() -> None:
    routes = Supplied(TABLES.replace("lookup 100", "prohibit"), "routes")
    (outcome,) = ask(f"mangle|-A OUTPUT {MARK}", out_iface=None, routes=routes, **SENT).outcomes
    assert why(outcome) == "route is prohibit"


@pytest.mark.parametrize("about", [{}, SENT])
def test_without_a_route_nothing_goes_on(about: dict[str, Any]) -> None:
    routes = Supplied("10.1.0.0/24 dev cli\n", "routes")
    (outcome,) = ask(NOTHING, out_iface=None, routes=routes, **about).outcomes
    assert why(outcome) == "no route to the destination"
    unknown = cases(NOTHING, out_iface=None, routes=routes, local_ips=(), **about)
    arriving = {"destination is local to this node": "ACCEPT", "": "DROP"}
    assert unknown == ({"": "ACCEPT"} if about else arriving)  # it may be an address of the node


PLAIN = sysctls(f"{ALL}src_valid_mark=0", f"{CLI}src_valid_mark=0")
LED_HERE = TABLES.replace("default dev cli table 100", "local default dev lo table 100")


def test_a_route_of_a_mark_may_lead_to_this_node() -> None:
    about = {"out_iface": None, "routes": Supplied(LED_HERE, "routes"), "sysctl": PLAIN}
    rules = "filter|-A INPUT -m addrtype --dst-type LOCAL -j DROP\nfilter|-A FORWARD -j REJECT"
    assert cases(rules, **about, mark=0x40) == {"": "ACCEPT"}
    assert cases(rules, **about, mark=0) == {"": "REJECT"}
    assert cases(rules, **about, mark=None) == {"mark is 0x40/0x40": "ACCEPT", "": "REJECT"}
    sent = f"mangle|-A OUTPUT {MARK}\nmangle|-A INPUT -i lo -m addrtype ! --dst-type LOCAL -j DROP"
    assert cases(sent, **about, **SENT) == {"": "DROP"}


PROXY = "mangle|-A PREROUTING -j TPROXY --on-port 15001 --on-ip 0.0.0.0 --tproxy-mark 0x40/0x40"
LISTENING = {"assume": ("a program listens on TPROXY port 15001",)}


def test_tproxy_needs_a_route_for_its_mark() -> None:
    asked = {
        "a program listens on TPROXY port 15001 and routing delivers packets of mark 0x40 to this node": "ACCEPT",
        "": "DROP",
    }
    assert cases(PROXY) == asked
    assert cases(PROXY, routes=ROUTES) == asked  # without ip rule nobody knows
    led = {"out_iface": None, "routes": Supplied(LED_HERE, "routes"), "sysctl": PLAIN, **LISTENING}
    (outcome,) = ask(
        f"{PROXY}\nnat|-A PREROUTING -m addrtype --dst-type LOCAL -j DNAT --to 10.2.0.9", **led
    ).outcomes
    assert (outcome.verdict, outcome.route, outcome.packet.dnat) == ("ACCEPT", "INPUT", None)
    (lost,) = ask(
        f"{PROXY}\nfilter|-A FORWARD -j REJECT",
        routes=Supplied(TABLES, "routes"),
        out_iface=None,
        **LISTENING,
    ).outcomes
    assert why(lost) == "TPROXY: routing does not deliver mark 0x40 to this node"
    (own,) = ask(PROXY, dst="10.2.0.1", **LISTENING).outcomes
    assert (own.verdict, own.route) == ("ACCEPT", "INPUT")


BRIDGE = {"in_iface": "cni0", "out_iface": "cni0"}
NEXT_ONE = "filter|-A FORWARD -m ttl --ttl-eq 63 -j DROP"


def test_what_stays_on_an_interface_may_be_bridged() -> None:
    bridged = "packet is bridged within cni0"
    assert cases(NEXT_ONE, **BRIDGE) == {bridged: "ACCEPT", "": "DROP"}
    assert cases(NEXT_ONE, "net.bridge.bridge-nf-call-iptables=0", **BRIDGE) == {"": "DROP"}
    assert cases(NEXT_ONE, in_iface="cni0") == {"": "DROP"}  # it leaves by another
    assert cases(NEXT_ONE, in_iface="cni0", out_iface=None) == {bridged: "ACCEPT", "": "DROP"}
    assert cases(NEXT_ONE, **BRIDGE, ttl=None) == {
        f"time to live is 63 and {bridged}": "DROP", "time to live is 64 and packet is not bridged within cni0": "DROP", "": "ACCEPT",
    }  # fmt: skip
    assert cases(NOTHING, **BRIDGE, ttl=1) == {bridged: "ACCEPT", "": "DROP"}
    (outcome,) = ask(NOTHING, **BRIDGE).outcomes
    assert outcome.packet.ttl == 63  # nobody asks


ON_BRIDGE = {"in_iface": "br0", "out_iface": "br0", "src": "10.2.0.7", "dst": "10.2.0.5"}
_FORWARDING_OFF = "net.ipv4.ip_forward=0"


def test_a_bridge_passes_on_what_is_not_forwarded() -> None:
    bridged = "packet is bridged within br0"
    assert cases(NOTHING, _FORWARDING_OFF, **ON_BRIDGE) == {bridged: "ACCEPT", "": "DROP"}
    known = (_FORWARDING_OFF, "net.bridge.bridge-nf-call-iptables=0")
    assert cases(NOTHING, *known, **ON_BRIDGE) == {"": "DROP"}
    assert cases(NOTHING, _FORWARDING_OFF, **{**ON_BRIDGE, "in_iface": "eth0", "out_iface": "eth0"}) == {
        "": "DROP"
    }
    dnat = "nat|-A PREROUTING -d 10.3.0.1 -j DNAT --to-destination 10.2.0.5"
    assert cases(dnat, _FORWARDING_OFF, **{**ON_BRIDGE, "dst": "10.3.0.1"}) == {"": "DROP"}


@pytest.mark.parametrize(
    ("name", "asked"), [("lxcbr0", True), ("br-lan", True), ("cali12ab34cd56e", False), ("eth0", False)]
)
def test_what_goes_back_to_its_sender_hangs_on_the_port_of_a_bridge(name: str, asked: bool) -> None:
    dnat = "nat|-A PREROUTING -d 10.3.0.1 -j DNAT --to-destination 10.2.0.7"
    found = cases(dnat, in_iface=name, out_iface=name, src="10.2.0.7", dst="10.3.0.1")
    without = f"packet is bridged within {name} and {name} does not send back by the port from which a packet came (no hairpin mode)"
    assert found == ({without: "DROP", "": "ACCEPT"} if asked else {"": "ACCEPT"})


MOVED = """default via 10.2.0.2 dev srv
10.2.0.0/24 dev srv
default dev cli table 200
10:\tfrom all tos 0x10 lookup 200
100:\tfrom all lookup local
32766:\tfrom all lookup main
"""


def test_rules_before_the_nodes_own_addresses_leave_open_who_gets_a_packet() -> None:
    about: dict[str, Any] = {"routes": Supplied(MOVED, "routes"), "out_iface": None, "dst": "10.2.0.1"}
    rules = "filter|-A FORWARD -j REJECT"
    here = "routing delivers packets of mark 0x0 to this node"
    assert cases(rules, **about, tos=None) == {here: "ACCEPT", "": "REJECT"}
    assert cases(rules, **about, tos=0x10) == {"": "REJECT"}
    assert cases(rules, **about, tos=0) == {"": "ACCEPT"}


SENT_SIX = {
    "src": "fd10:2::1",
    "dst": "fd10:2::",
    "protocol": "udp",
    "tcp_flags": None,
    "out_iface": None,
    "local_ips": (),
}
OWN_SIX = "1: lo: <UP>\n    inet6 ::1/128 scope host\n2: srv: <UP>\n    inet6 fd10:2::{} scope global\n"


@pytest.mark.parametrize(
    ("own", "settings", "expected"),
    [
        ("1/64", (), "INPUT"),
        ("1/64", ("net.ipv6.conf.srv.forwarding=1",), "INPUT"),
        ("1/64", ("net.ipv6.conf.srv.forwarding=0",), "FORWARD"),
        ("1/127", (), "FORWARD"),
        ("1/128", (), "FORWARD"),
    ],
)
def test_a_router_has_the_first_address_of_its_networks(
    own: str, settings: tuple[str, ...], expected: str
) -> None:
    about = SENT_SIX | {"src": "fd10:1::2", "addresses": Supplied(OWN_SIX.format(own), "addr")}
    (outcome,) = ask("filter|-A INPUT -s fd10:9::/64 -j DROP", sysctl=sysctls(*settings), **about).outcomes
    assert outcome.route == expected


@pytest.mark.parametrize(
    ("destination", "expected"), [("10.2.0.255", "INPUT"), ("10.2.0.7", "INPUT"), ("10.2.0.254", "FORWARD")]
)
def test_addresses_with_their_networks_tell_broadcasts(destination: str, expected: str) -> None:
    shown = "1: lo: <UP>\n    inet 127.0.0.1/8 scope host lo\n2: srv: <UP>\n    inet 10.2.0.1/24 brd 10.2.0.7 scope global srv\n"
    objects = '[{"ifname":"lo","addr_info":[{"local":"127.0.0.1","prefixlen":8}]},{"ifname":"srv","addr_info":[{"local":"10.2.0.1","prefixlen":24,"broadcast":"10.2.0.7"}]}]'
    for form in (shown, objects):
        (outcome,) = ask(NOTHING, dst=destination, local_ips=(), addresses=Supplied(form, "addr")).outcomes
        assert outcome.route == expected


def test_of_what_is_sent_to_a_group_a_program_chooses_the_interface() -> None:
    about = SENT | {"dst": "239.1.2.3", "out_iface": None, "routes": Supplied(TABLES, "routes")}
    asked = cases("mangle|-A POSTROUTING -o cli -j DROP", **about)
    assert asked == {"output interface is cli": "DROP", "": "ACCEPT"}


def test_tables_without_their_rules_leave_the_interface_open() -> None:
    routes = Supplied("\n".join(TABLES.splitlines()[:2]), "routes")
    asked = cases("mangle|-A POSTROUTING -o cli -j DROP", out_iface=None, routes=routes)
    assert asked == {"output interface is cli": "DROP", "": "ACCEPT"}
