"""What an answer about a packet hangs on is said together with the options that settle it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from typer.testing import CliRunner

import iptviz
from iptviz.checks.wording import sentences
from iptviz.cli.app import app
from iptviz.engine.condition import Condition
from iptviz.engine.condition_kinds import CONDITION_KINDS, MATCHES_SETTLED_BY
from iptviz.questions.packet_notes import settled_by
from iptviz.supplied.files import Supplied
from iptviz.view.blocks import Facts
from iptviz.view.registry import view_of
from tests.conftest import FIXTURES

SERVICE: dict[str, Any] = {"dst": "10.97.13.198", "dport": 79, "protocol": "tcp"}
DUMP = "fixtures/httpd-service/dump.rules"


def narrowing(**about: Any) -> list[str]:
    result = iptviz.packet(iptviz.load(DUMP), **(SERVICE | about))
    return [note for note in sentences(result.notes) if note.startswith("narrow the packet")]


def test_the_options_that_settle_the_answer_are_named_and_settle_it() -> None:
    (note,) = narrowing()
    assert note == (
        "narrow the packet with --src, --mark 0 (fits almost all packets arriving from the network), --local-ip or --addresses"
    )
    assert narrowing(src="203.0.113.7", mark=0) == ["narrow the packet with --local-ip or --addresses"]
    assert narrowing(src="203.0.113.7", mark=0, local_ips=("192.168.1.10",)) == []


ASKING = """*filter
-A FORWARD -m recent --rcheck --seconds 60 --name clients -j DROP
-A FORWARD -p icmp -m icmp --icmp-type 3/1 -j DROP
-A FORWARD -s 10.1.9.0/24 -j DROP
COMMIT
"""


def test_what_was_given_is_not_asked_for_but_said_more_exactly() -> None:
    dump = iptviz.load(ASKING.encode())
    recent = Supplied(
        "==> clients <==\nsrc=10.1.0.2 ttl: 64 last_seen: 4294937296 oldest_pkt: 1 4294937296\n", "clients"
    )
    known: dict[str, Any] = {"dst": "10.2.0.2", "protocol": "icmp", "local_ips": ("10.1.0.1",), "mark": 0}

    def advice(**about: Any) -> list[str]:
        notes = sentences(iptviz.packet(dump, **(known | about)).notes)
        return [note for note in notes if note.startswith("narrow the packet")]

    timed = iptviz.packet(dump, **known, src="10.1.0.2", icmp_type="8", recent=recent)
    assert any(note.startswith("how long ago an address came") for note in sentences(timed.notes))
    assert advice() == ["narrow the packet with --src, --icmp-type, --recent"]
    assert advice(src="10.1.0.2", recent=recent) == ["narrow the packet with --icmp-type"]
    assert advice(src="10.1.0.0/16", icmp_type="3", recent=recent) == [
        "narrow the packet with --src (one address), --icmp-type with a code"
    ]
    assert advice(src="10.1.0.2", icmp_type="3/1", recent=recent) == []


def test_every_option_that_is_named_exists() -> None:
    help_text = CliRunner().invoke(app, ["packet", "--help"], env={"COLUMNS": "200"}).output
    conditions = [Condition(kind, "") for kind in CONDITION_KINDS] + [
        Condition("match", text) for text in MATCHES_SETTLED_BY
    ]
    named = filter(None, map(settled_by, conditions))
    options = {option for text in named for option in re.findall(r"--[a-z-]+", text)}
    assert len(options) >= 20
    assert {option for option in options if option not in help_text} == set()


@pytest.mark.parametrize(
    ("condition", "option"),
    [
        (Condition("length", "40"), "--length"),
        (Condition("match", "-m icmp6 --icmpv6-type 128"), "--icmp-type"),
        (Condition("match", "-m tcp --tcp-flags SYN,ACK SYN"), "--tcp-flags"),
        (Condition("match", "-m owner --uid-owner 0"), "--uid and --gid"),
        (Condition("match", "-m string --string x"), None),
        (Condition("rate", "5/sec", rule=3), None),
        (Condition("recent", "KUBE-SEP-A"), "--recent"),
        (Condition("out-interface", "eth0"), "--out or --routes"),
        (Condition("mark", "0x1", since=7), "--mark 0 (fits almost all packets arriving from the network)"),
    ],
)
def test_what_no_option_settles_is_left_to_assume(condition: Condition, option: str | None) -> None:
    assert settled_by(condition) == option


CUT = """-A PREROUTING -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.2/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-B
-A KUBE-SVC-A ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
"""
DECLARED = ":KUBE-SERVICES - [0:0]\n:KUBE-SVC-A - [0:0]\n:KUBE-SVC-B - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n"


@pytest.mark.parametrize(
    ("address", "note"),
    [
        ("10.96.0.1", "KUBE-SVC-A leads to no endpoint in this incomplete dump"),
        ("10.96.0.2", "line 8: KUBE-SVC-B has no rules in this incomplete dump"),
    ],
)
def test_a_cut_dump_says_which_chains_on_the_way_it_lacks(address: str, note: str) -> None:
    def notes(text: str) -> list[str]:
        dump = iptviz.load(text.encode())
        result = iptviz.packet(dump, src="192.0.2.1", dst=address, protocol="tcp", dport=80, mark=0)
        return sentences(result.notes)

    assert any(one.startswith(note) for one in notes(f"*nat\n{DECLARED}{CUT}"))
    whole = f"*filter\nCOMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n{DECLARED}{CUT}COMMIT\n"
    assert not any("which lacks lines" in one for one in notes(whole))


FORWARDED: dict[str, Any] = SERVICE | {"src": "10.244.0.9", "mark": 0, "local_ips": ("192.168.1.10",)}
FORWARDING = "net.ipv4.ip_forward (assumed 1)"
FILTER = "rp_filter (assumed to drop nothing)"


@pytest.mark.parametrize(
    ("about", "settings", "named"),
    [
        ({}, "", [FORWARDING, FILTER]),
        ({"in_iface": "eth0"}, "net.ipv4.ip_forward = 1\n", [FILTER]),
        ({"in_iface": "eth0"}, "net.ipv4.conf.eth0.forwarding = 1\n", [FILTER]),
        ({"in_iface": "eth0"}, "net.ipv4.conf.all.rp_filter = 0\nnet.ipv4.conf.eth0.rp_filter = 0\n", [FORWARDING]),
        ({"in_iface": "eth0"}, "net.ipv4.conf.all.rp_filter = 0\nnet.ipv4.conf.eth1.rp_filter = 0\n", [FORWARDING, FILTER]),
        ({}, "net.ipv4.conf.all.rp_filter = 0\nnet.ipv4.conf.eth1.rp_filter = 0\n", [FORWARDING]),
        ({"dst": "192.168.1.10"}, "", [FILTER]),
        ({"hook": "output", "src": "192.168.1.10"}, "", []),
    ],
)  # fmt: skip
def test_settings_that_may_drop_the_packet_are_named(
    about: dict[str, Any], settings: str, named: list[str]
) -> None:
    sysctl = Supplied(settings or "vm.swappiness = 60\n", "sysctl")
    result = iptviz.packet(iptviz.load(DUMP), **(FORWARDED | about), sysctl=sysctl)
    notes = [note for note in sentences(result.notes) if "not visible" in note]
    expected = [f"not visible in an iptables dump: {', '.join(named)}; pass --sysctl"] if named else []
    assert notes == expected


def test_what_is_filtered_is_known_with_the_route_to_the_source() -> None:
    about = FORWARDED | {"in_iface": "eth0"}
    settings = "net.ipv4.ip_forward = 1\nnet.ipv4.conf.all.rp_filter = 1\nnet.ipv4.conf.eth0.rp_filter = 0\n"
    for routes, seen in (
        ("default dev eth0\n", False),
        ("default nexthop dev eth0 nexthop dev eth1\n", True),
        (None, True),
    ):
        given = None if routes is None else Supplied(routes.replace(" nexthop", "\n\tnexthop"), "routes")
        result = iptviz.packet(iptviz.load(DUMP), **about, sysctl=Supplied(settings, "sysctl"), routes=given)
        assert any("rp_filter" in note for note in sentences(result.notes)) is seen


def test_what_stands_for_the_setting_of_an_interface_is_said() -> None:
    about = FORWARDED | {"dst": "127.0.0.1", "in_iface": "eth0"}
    (note,) = (
        note for note in sentences(iptviz.packet(iptviz.load(DUMP), **about).notes) if note.startswith("net.")
    )
    assert note.startswith("net.ipv4.conf.all.route_localnet: if it is not 1")


def _said_of(text: str) -> str:
    result = iptviz.packet(iptviz.load(text.encode()), dst="10.96.0.1", protocol="tcp", dport=80)
    return "\n".join(sentences(result.notes))


@pytest.mark.parametrize(
    ("chains", "words"),
    [
        (
            ":KUBE-KUBELET-CANARY - [0:0]",
            "nftables mode (`nft list table ip kube-proxy`) or by a CNI plug-in",
        ),
        (
            ":KUBE-SERVICES - [0:0]\n:KUBE-NODE-PORT - [0:0]",
            "endpoints are not in iptables but in IPVS (`ipvsadm -Sn`)",
        ),
        (":KUBE-PORTALS-HOST - [0:0]", "userspace mode"),
    ],
)
def test_where_services_are_kept_elsewhere_these_rules_do_not_decide(chains: str, words: str) -> None:
    text = f"*nat\n:PREROUTING ACCEPT [0:0]\n{chains}\nCOMMIT\n"
    said = _said_of(text)
    assert "these rules do not decide where connections to service addresses go" in said
    assert words in said
    page = view_of(iptviz.packet(iptviz.load(text.encode()), dst="10.96.0.1"), fold=True)
    facts = {fact.label: fact.text for block in page.of(Facts) for fact in block.facts}
    assert "rules outside this dump" in facts["Depends on"]


def test_where_iptables_has_the_services_nothing_is_said_of_that() -> None:
    assert "service addresses" not in _said_of(
        "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n"
    )


def test_of_a_packet_to_a_node_without_its_nat_rules_that_is_said() -> None:
    text = (FIXTURES / "no-services" / "firewalld.rules").read_text()
    assert "KUBE-PROXY-CANARY (mangle, line 9) shows that kube-proxy ran on this node: firewalld" in _said_of(
        text
    )


ON_BRIDGES = """3: cni0: <BROADCAST,MULTICAST,UP> mtu 1500
    inet 10.244.1.1/24 brd 10.244.1.255 scope global cni0
4: eth0: <BROADCAST,MULTICAST,UP> mtu 1500
    inet 192.168.1.10/24 scope global eth0
"""
_NF_CALL = "net.bridge.bridge-nf-call-iptables"


@pytest.mark.parametrize(
    ("asked", "sysctl", "words"),
    [
        ({}, "", "if cni0 is a bridge, what it passes between its ports meets these rules only if"),
        ({}, f"{_NF_CALL} = 0\n", f"{_NF_CALL} is 0: what bridge cni0 passes between its ports meets none of these"),
        ({}, f"{_NF_CALL} = 1\n", ""),
        ({"dst": "10.244.2.7"}, "", ""),
        ({"dst": "10.244.1.1"}, "", ""),
        ({"src": "192.168.1.2", "dst": "192.168.1.3", "in_iface": "eth0"}, "", ""),
    ],
)  # fmt: skip
def test_what_rules_see_of_packets_within_a_bridge_is_said(
    asked: dict[str, Any], sysctl: str, words: str
) -> None:
    packet: dict[str, Any] = {"src": "10.244.1.5", "dst": "10.244.1.7", "in_iface": "cni0", "protocol": "udp"}
    dump = iptviz.load(b"*filter\n:FORWARD DROP [0:0]\nCOMMIT\n")
    packet |= {"addresses": Supplied(ON_BRIDGES, "addr"), **asked}
    packet |= {"sysctl": Supplied(sysctl, "sysctl")} if sysctl else {}
    notes = " ".join(sentences(iptviz.packet(dump, **packet).notes))
    assert ("between its ports" in notes) == bool(words)
    assert words in notes


def test_of_a_dump_that_ends_within_a_line_all_that_came_later_is_lost() -> None:
    text = "*nat\n-A PREROUTING -d 10.3.0.1/32 -j DNAT --to-destination 10.2.0.2\nCOMMIT\n*mangle\n:PREROUTING ACC"
    (outcome,) = iptviz.packet(
        iptviz.load(text.encode()), dst="10.3.0.1", mark=0, local_ips=("10.1.0.1",)
    ).outcomes
    (assumed,) = outcome.when
    assert assumed.text == "tables not in the dump (filter, raw, security) have no effect"
    whole = iptviz.packet(
        iptviz.load(f"{text}EPT [0:0]\nCOMMIT\n".encode()), dst="10.3.0.1", mark=0, local_ips=("10.1.0.1",)
    )
    assert [one.when for one in whole.outcomes] == [()]
