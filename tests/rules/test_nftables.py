"""What rules of nft do to a packet of which all is told, and what they leave open; as `man nft` and the kernel say."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

import iptviz
from iptviz.engine.condition import clauses
from iptviz.engine.path import steps_of
from iptviz.nft.read import read_ruleset
from iptviz.node.load import load_node
from iptviz.rules.nftables import NftRules
from iptviz.xtables.address import parse_network

WEB: dict[str, Any] = {
    "src": "10.1.0.2", "dst": "10.2.0.2", "protocol": "tcp", "sport": 40000, "dport": 80, "mark": 0,
    "local_ips": ("10.1.0.1", "10.2.0.1"), "in_iface": "cli", "out_iface": "srv", "tcp_flags": "SYN",
    "length": 60, "ttl": 64, "tos": 0,
}  # fmt: skip
SETS = """
  set hosts { type ipv4_addr; elements = { 10.2.0.2, 10.3.0.1 } }
  set nets { type ipv4_addr; flags interval; elements = { 10.2.0.0/31, 10.3.0.1-10.3.0.9 } }
  set none { type ipv4_addr; }
  set pinned { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 3h; elements = { 10.1.0.2 expires 2h } }
  set pairs { type ipv4_addr . inet_proto . inet_service; elements = { 10.2.0.2 . tcp . 80 } }
  map marks { type inet_service : mark; elements = { 80 : 0x7 } }
"""


def ask(rules: str, *, family: str = "ip", chains: str = "", **about: Any) -> iptviz.PacketResult:
    """Ask about rules in a chain at hook forward, and other chains of the table."""
    head = "type filter hook forward priority filter; policy accept;"
    text = f"table {family} t {{\n{SETS}\n chain f {{\n {head}\n {rules}\n }}\n {chains}\n}}\n"
    return iptviz.packet(load_node(text.encode()), **(WEB | about))


def told(result: iptviz.PacketResult) -> dict[str, str]:
    """Return for each case what becomes of the packet, with its mark where that has changed."""
    cases: dict[str, list[str]] = {}
    for one in result.outcomes:
        mark = f" {one.packet.mark.text}" if one.packet.mark.text != "0x0" else ""
        share = f"{one.share} " if one.share != 1 else ""
        cases.setdefault(clauses(one.when), []).append(f"{share}{one.verdict}{mark}")
    return {when: ", ".join(sorted(outcomes)) for when, outcomes in cases.items()}


MATCHING = [
    "ip saddr 10.1.0.2", "ip daddr 10.2.0.0/24", "ip daddr != 10.3.0.0/24", "ip daddr 10.2.0.1-10.2.0.3",
    "ip daddr { 10.3.0.1, 10.2.0.2 }", "ip daddr != { 10.3.0.1, 10.2.0.3 }", "ip daddr @hosts", "ip saddr != @hosts",
    "ip daddr != @nets", "ip daddr != @none", "ip saddr @pinned", "ip daddr . meta l4proto . th dport @pairs",
    "ip saddr . meta l4proto . th dport != @pairs", "tcp dport 80", "tcp dport != 81", "tcp dport 79-81",
    "tcp dport { 22, 80-90 }", "tcp dport < 81", "tcp dport >= 80", "th sport 40000", "meta l4proto tcp",
    "meta l4proto { udp, tcp }", "meta l4proto != { udp, icmp }", "ip protocol tcp", "tcp flags syn",
    "tcp flags & (fin|syn|rst|ack) == syn", "tcp flags & (syn|ack) != ack", "tcp flags ! ack", "ct state new",
    "ct state { new, established }", "ct state != established", "ct state vmap { new : continue }",
    "meta mark 0x0", "meta mark & 0x4000 == 0x0", "meta mark != 0x1", "ct mark 0x0", "ct direction original",
    "ct status ! dnat", "iifname \"cli\"", "iifname \"c*\"", "iifname != { \"srv\", \"lo\" }", "oif \"srv\"",
    "oifname \"s*\"", "meta length 60", "meta length 40-100", "ip ttl 63", "ip ttl < 64", "ip dscp cs0",
    "fib daddr type != local", "fib saddr type != local", "meta nfproto ipv4", "meta protocol ip",
    "numgen random mod 3 < 3", "meta random & 2147483647 < 2147483648",
]  # fmt: skip
NOT_MATCHING = [
    "ip saddr 10.1.0.3", "ip daddr @none", "ip daddr @nets", "ip saddr != @pinned",
    "ip daddr . meta l4proto . th dport != @pairs", "tcp dport != { 22, 80-90 }", "udp dport 80", "udp dport != 81",
    "icmp type echo-request", "icmp type != echo-request", "tcp flags ack", "ct state established,related",
    "ct state ! new", "meta mark 0x1", "meta mark & 0x4000 != 0x0", "iifname \"srv\"", "oifname != \"srv\"",
    "meta length > 60", "fib daddr type local", "meta nfproto ipv6", "numgen random mod 3 3-9",
    "ct original ip daddr 10.2.0.3", "ct status dnat", "meta skuid 0", "meta skuid != 0",
]  # fmt: skip


@pytest.mark.parametrize("match", MATCHING)
def test_a_match_holds(match: str) -> None:
    assert told(ask(f"{match} drop" if "vmap" not in match else f"{match}\n drop")) == {"always": "DROP"}


@pytest.mark.parametrize("match", NOT_MATCHING)
def test_a_match_does_not_hold(match: str) -> None:
    assert told(ask(f"{match} drop")) == {"always": "ACCEPT"}


@pytest.mark.parametrize(
    ("rule", "condition"),
    [
        ("meta cpu 3 drop", "packet matches meta cpu 3"),
        ("meta cpu != 3 drop", "packet does not match meta cpu 3"),
        ("fib saddr . iif oif missing drop", "packet matches fib saddr . iif oif missing"),
        ("limit rate 5/second drop", "limit 5/second at line 12 is not exceeded"),
        ("limit rate over 5/second drop", "limit 5/second at line 12 is exceeded"),
        ("jhash ip saddr mod 2 vmap { 0 : drop, 1 : accept }", "packet matches jhash ip saddr mod 2 0"),
        ("socket transparent 1 drop", "packet matches socket transparent 1"),
        ("some thing nobody knows drop", "packet matches some thing nobody knows"),
        ("ip ttl 81-5 drop", "packet matches ip ttl 81-5"),  # nft lists two comparisons so, of two fields
        ("ip ttl != 81-5 drop", "packet does not match ip ttl 81-5"),
        ("tcp dport 1000-81 drop", "packet matches tcp dport 1000-81"),
        ("ip daddr 10.2.0.9-10.2.0.1 drop", "packet matches ip daddr 10.2.0.9-10.2.0.1"),
    ],
)
def test_what_nobody_understands_is_a_condition(rule: str, condition: str) -> None:
    assert told(ask(rule))[condition] == "DROP"


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("tcp sport != 1 tcp dport != 2", "DROP"),
        ("tcp sport != 40000 tcp dport != 80", "ACCEPT"),
        (
            "tcp dport != 2 tcp sport != 40000",
            "ACCEPT",
        ),  # nft lists those that it joined in the order of the bytes
        ("tcp sport != 40000 counter tcp dport != 2", "ACCEPT"),
        ("tcp sport != 40000 tcp dport != { 2, 3 }", "ACCEPT"),
        ("tcp sport != 40000 tcp dport != 2-3", "ACCEPT"),
        ("tcp sport != 40000 tcp dport 80", "ACCEPT"),
        ("udp sport != 40000 udp dport != 2", "ACCEPT"),
        ("ip saddr != 10.1.0.2 ip daddr != 10.9.9.9", "ACCEPT"),
        ("ip protocol != tcp ip daddr != 10.9.9.9", "ACCEPT"),
        ("meta l4proto != tcp ip ttl != 9", "ACCEPT"),
        ("ip dscp != cs0 ip length != 9", "ACCEPT"),
    ],
)
def test_what_no_nft_joins_must_differ_each_by_itself(rule: str, verdict: str) -> None:
    assert told(ask(f"{rule} drop")) == {"always": verdict}


@pytest.mark.parametrize(
    "rule",
    [
        "tcp sport != 40000 tcp dport != 2", "tcp sport != 1 tcp dport != 80", "ip ttl != 9 ip protocol != tcp",
        "ip length != 60 ip id != 7 ip ttl != 64", "tcp sport != 40001 tcp sport != 40000 tcp dport != 2",
    ],
)  # fmt: skip
def test_of_two_fields_of_which_one_differs_nft_may_have_made_one(rule: str) -> None:
    found = told(ask(f"{rule} drop"))
    ends = {
        verdict: [when for when, one in found.items() if one == verdict] for verdict in ("ACCEPT", "DROP")
    }
    assert all(when.endswith(" at line 12 as one") for when in ends["DROP"]), found
    assert any(when.endswith(" at line 12 one by one") for when in ends["ACCEPT"]), found


def test_what_was_joined_is_known_by_what_is_said() -> None:
    pair = "tcp sport != 40000 tcp dport != 2"
    for said, verdict in (("as one", "DROP"), ("one by one", "ACCEPT")):
        assume = f"the kernel compares {pair} at line 12 {said}"
        assert told(ask(f"{pair} drop", assume=(assume,))) == {"always": verdict}


def test_a_field_that_is_not_known_may_differ() -> None:
    one, other = "source port 40000", "source port not 40000"
    pair = "the kernel compares tcp sport != 40000 tcp dport != 2 at line 12"
    assert told(ask("tcp sport != 40000 tcp dport != 2 drop", sport=None)) == {
        other: "DROP", f"{one} and {pair} as one": "DROP", f"{one} and {pair} one by one": "ACCEPT",
    }  # fmt: skip


def test_the_last_element_of_a_hash_is_what_is_left() -> None:
    assert set(told(ask("symhash mod 2 vmap { 0 : drop, 1 : accept }")).values()) == {"DROP", "ACCEPT"}


@pytest.mark.parametrize(
    ("rule", "told_of_it"),
    [
        ("numgen random mod 3 vmap { 0 : drop, 1 : accept, 2 : accept }", "1/3 DROP, 2/3 ACCEPT"),
        ("numgen random mod 4 vmap { 0 : drop, 1 : drop, 2 : jump away }", "1/4 REJECT, 1/2 DROP, 1/4 ACCEPT"),
        ("numgen random mod 3 vmap { 0 : drop, 2 : drop }", "1/3 ACCEPT, 2/3 DROP"),
        ("numgen random mod 4 offset 10 vmap { 10-12 : drop }", "1/4 ACCEPT, 3/4 DROP"),
        ("numgen inc mod 2 vmap { 0 : drop, 1 : accept }", "1/2 ACCEPT, 1/2 DROP"),
        ("meta random & 2147483647 < 715827883 drop", "715827883/2147483648 DROP, 1431655765/2147483648 ACCEPT"),
        ("numgen random mod 2 == 0 drop\n numgen random mod 2 == 0 drop", "1/4 ACCEPT, 1/4 DROP, 1/2 DROP"),
        ("meta mark set numgen random mod 2 map { 0 : 0x1, 1 : 0x2 } meta mark 0x1 drop", "1/2 ACCEPT 0x2, 1/2 DROP 0x1"),
    ],
)  # fmt: skip
def test_numbers_that_are_drawn_are_chances(rule: str, told_of_it: str) -> None:
    found = told(ask(rule, chains="chain away { reject }"))
    assert sorted(found["always"].split(", ")) == sorted(told_of_it.split(", "))


@pytest.mark.parametrize(
    ("rules", "end"),
    [
        ("meta mark set 0x1 meta mark 0x1 drop", "DROP 0x1"),
        ("meta mark set 0x1 meta mark 0x0 drop", "ACCEPT 0x1"),
        ("meta mark { 0x0, 0x1 } meta mark set 0x1", "ACCEPT 0x1"),
        ("meta mark vmap { 0x0 : jump one, 0x1 : drop }", "ACCEPT 0x1"),
        ("meta mark set meta mark | 0x4000 meta mark set meta mark ^ 0x4001 tcp dport 81 drop", "ACCEPT 0x1"),
        ("meta mark set tcp dport map @marks drop", "DROP 0x7"),
        ("meta mark set tcp dport map { 81 : 0x1 } drop", "ACCEPT"),
        ("ct mark set 0x3 meta mark set ct mark", "ACCEPT 0x3"),
        ("ip ttl set 5 ip ttl 5 drop", "DROP"),
        ("update @pinned { ip saddr } counter", "ACCEPT"),
        ("jump one\n meta mark 0x1 drop", "DROP 0x1"),
        ("goto one\n drop", "ACCEPT 0x1"),
        ("meta mark set 0x2 return\n drop", "ACCEPT 0x2"),
        ("jump back\n drop", "DROP 0x2"),
        ("ip daddr { 10.2.0.2, 10.2.0.3 } meta mark set 0x5 goto one\n drop", "ACCEPT 0x1"),
        ("ip daddr . tcp dport vmap { 10.2.0.2 . 80 : drop, 10.2.0.0/24 . 81 : accept }", "DROP"),
        ("ip daddr vmap { 10.3.0.1 : drop }\n tcp dport 80 reject", "REJECT"),
        ("tcp dport vmap { 22 : accept, * : drop }", "DROP"),
        ('log prefix "seen " drop', "DROP"),
        ("notrack\n ct state untracked drop", "ACCEPT"),
        ("tproxy to :80 meta mark set 0x1 drop", ""),
    ],
)
def test_later_statements_see_what_earlier_ones_did(rules: str, end: str) -> None:
    chains = "chain one { meta mark set 0x1 }\n chain back { meta mark set 0x2 return\n meta mark set 0x3 }"
    found = told(ask(rules, chains=chains))
    assert (found == {"always": end}) if end else len(found) == 2


def test_what_is_put_into_a_set_on_the_way_is_asked_anew() -> None:
    rule = "update @pinned { ip saddr }\n ip saddr @pinned drop"
    assert told(ask(rule, src="10.1.0.9")) == {
        "packet matches ip saddr @pinned (as line 12 left it)": "DROP",
        "packet does not match ip saddr @pinned (as line 12 left it)": "ACCEPT",
    }


def test_an_inet_table_is_asked_about_both_families() -> None:
    rules = "ip daddr 10.2.0.2 drop\n ip6 daddr fd00::2 drop\n meta nfproto ipv6 reject"
    assert told(ask(rules, family="inet")) == {"always": "DROP"}
    six: dict[str, Any] = {"src": "fd00::1", "dst": "fd00::2", "local_ips": ("fd00::9",)}
    assert told(ask(rules, family="inet", **six)) == {"always": "DROP"}
    assert told(ask(rules, family="inet", **(six | {"dst": "fd00::3"}))) == {"always": "REJECT"}


def test_steps_cite_lines_of_the_listing() -> None:
    (outcome,) = ask("ip daddr 10.2.0.2 jump one", chains="chain one { tcp dport 80 counter drop }").outcomes
    steps = [
        (one.table, one.chain, one.rule and (one.rule.number, one.rule.line))
        for one in steps_of(outcome.path)[0]
    ]
    assert steps == [("ip t", "f", (1, 12)), ("ip t", "one", (1, 14))]
    assert outcome.by is not None
    assert outcome.by.text == "tcp dport 80 counter drop"


def test_of_long_maps_those_elements_are_made_that_a_packet_may_find() -> None:
    elements = ", ".join(
        f"10.96.{high}.{low} . tcp . 80 : goto drops" for high in range(40) for low in range(250)
    )
    text = f"""table ip t {{
      map vips {{ type ipv4_addr . inet_proto . inet_service : verdict; elements = {{ {elements} }} }}
      chain drops {{ drop }}
      chain f {{ type filter hook forward priority 0; ip daddr . meta l4proto . th dport vmap @vips }}
    }}"""
    rules = NftRules(read_ruleset(text.encode()), "ipv4")
    (rule,) = rules.tables["ip t"].rules_of("f")
    assert rule.more is not None
    assert len(rule.more.towards(parse_network("10.96.3.7"), 80)) == 1
    assert not rule.more.towards(parse_network("10.97.3.7"), 80)
    assert len(rule.more.towards(None)) == 10_000
    assert len(rule.more.towards(parse_network("10.96.3.0/24"), 80)) == 250


def test_shares_of_many_endpoints_are_exact() -> None:
    elements = ", ".join(f"{number} : 10.2.0.{number + 2}" for number in range(7))
    text = f"""table ip t {{ chain n {{ type nat hook prerouting priority dstnat;
      dnat ip to numgen random mod 7 map {{ {elements} }} }} }}"""
    outcomes = iptviz.packet(load_node(text.encode()), **WEB).outcomes
    assert [one.share for one in outcomes] == [Fraction(1, 7)] * 7
    assert len({one.packet.dnat for one in outcomes}) == 7
