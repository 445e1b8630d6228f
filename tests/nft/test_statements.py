"""What is read of single rules: their statements, as `man nft` defines them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from iptviz.nft.expressions import (
    AnonymousSet,
    Binary,
    CatchAll,
    Concatenation,
    Ct,
    Element,
    Expression,
    Extension,
    Fib,
    Hash,
    MapLookup,
    Meta,
    Numgen,
    Payload,
    Prefix,
    Range,
    RawPayload,
    SetReference,
    Value,
    Wildcard,
    network_of,
)  # fmt: skip
from iptviz.nft.statement_reader import read_rule
from iptviz.nft.statements import (
    ANY_BIT,
    NO_BIT,
    Assign,
    ConnectionLimit,
    Counter,
    Dup,
    Limit,
    Log,
    Match,
    Nat,
    Notrack,
    ObjectStatement,
    Queue,
    Quota,
    Reject,
    SetUpdate,
    Statement,
    Synproxy,
    Tproxy,
    Unread,
    Verdict,
    VerdictMap,
    Xt,
)  # fmt: skip
from iptviz.nft.tokens import milliseconds
from iptviz.xtables.address import Network
from tests.nft.told import said


def ip(text: str) -> Value:
    address = ip_address(text)
    return Value(f"ipv{address.version}_addr", int(address))


def port(number: int) -> Value:
    return Value("inet_service", number)


def number(value: int) -> Value:
    return Value("integer", value)


def mark(value: int) -> Value:
    return Value("mark", value)


def one_of(*keys: Expression) -> AnonymousSet:
    return AnonymousSet(tuple(map(Element, keys)))


def state(bits: int) -> Value:
    return Value("ct_state", bits)


SADDR, DADDR, DPORT = Payload("ip", "saddr"), Payload("ip", "daddr"), Payload("tcp", "dport")
MARK, STATE, PROTOCOL = Meta("mark"), Ct("state"), Meta("l4proto")
TRIPLE = Concatenation((DADDR, PROTOCOL, Payload("th", "dport")))
TCP = Match(PROTOCOL, "==", Value("inet_proto", 6))
RANDOM = Numgen("random", 2)


def chosen(*data: Expression | Verdict) -> AnonymousSet:
    return AnonymousSet(tuple(Element(number(at), one) for at, one in enumerate(data)))


CASES: dict[str, tuple[Statement, ...]] = {
    "ip saddr 10.0.0.0/8 drop": (Match(SADDR, "==", Prefix(ip("10.0.0.0"), 8)), Verdict("drop")),
    "ip saddr != 10.0.0.1-10.0.0.9": (Match(SADDR, "!=", Range(ip("10.0.0.1"), ip("10.0.0.9"))),),
    "ip saddr { 10.0.0.1, 10.0.0.2 }": (Match(SADDR, "==", one_of(ip("10.0.0.1"), ip("10.0.0.2"))),),
    "ip saddr != @hosts": (Match(SADDR, "!=", SetReference("hosts")),),
    "ip saddr & 0.0.0.255 == 0.0.0.5": (Match(Binary("&", SADDR, ip("0.0.0.255")), "==", ip("0.0.0.5")),),
    "ip6 daddr fd00::1": (Match(Payload("ip6", "daddr"), "==", ip("fd00::1")),),
    "tcp dport ssh": (Match(DPORT, "==", port(22)),),
    "tcp dport >= 1024": (Match(DPORT, ">=", port(1024)),),
    "tcp dport != 80-90": (Match(DPORT, "!=", Range(port(80), port(90))),),
    "tcp dport != { 80, 8000-8080 }": (Match(DPORT, "!=", one_of(port(80), Range(port(8000), port(8080)))),),
    "tcp dport != { 22 }": (Match(DPORT, "!=", port(22)),),
    "ct state new": (Match(STATE, ANY_BIT, state(8)),),
    "ct state established,related accept": (Match(STATE, ANY_BIT, state(6)), Verdict("accept")),
    "ct state 0x2,0x4": (Match(STATE, ANY_BIT, state(6)),),
    "ct state != established": (Match(STATE, "!=", state(2)),),
    "ct state ! invalid,new": (Match(STATE, NO_BIT, state(9)),),
    "ct state { new, untracked }": (Match(STATE, "==", one_of(state(8), state(64))),),
    "tcp flags syn / fin,syn,rst,ack": (
        Match(Binary("&", Payload("tcp", "flags"), Value("tcp_flag", 23)), "==", Value("tcp_flag", 2)),
    ),
    "tcp flags & (fin|syn|rst|ack) == syn": (
        Match(Binary("&", Payload("tcp", "flags"), Value("tcp_flag", 23)), "==", Value("tcp_flag", 2)),
    ),
    "tcp flags != fin,syn / fin,syn": (
        Match(Binary("&", Payload("tcp", "flags"), Value("tcp_flag", 3)), "!=", Value("tcp_flag", 3)),
    ),
    "ct original ip saddr 10.0.0.1": (Match(Ct("saddr", "original", "ip"), "==", ip("10.0.0.1")),),
    "ct reply proto-src 80": (Match(Ct("proto-src", "reply"), "==", port(80)),),
    "meta mark & 0x00004000 != 0x00000000": (Match(Binary("&", MARK, mark(0x4000)), "!=", mark(0)),),
    "mark and 0x4000 != 0": (Match(Binary("&", MARK, mark(0x4000)), "!=", mark(0)),),
    "meta mark set meta mark & 0xfffffff0 | 0x5": (
        Assign(MARK, Binary("|", Binary("&", MARK, mark(0xFFFFFFF0)), mark(5))),
    ),
    "meta mark set mark or 0x1 and 0x3": (Assign(MARK, Binary("|", MARK, mark(1))),),
    "meta mark set meta mark << 2": (Assign(MARK, Binary("<<", MARK, number(2))),),
    "ct mark set meta mark": (Assign(Ct("mark"), MARK),),
    "meta mark set ip saddr map @m": (Assign(MARK, MapLookup(SADDR, SetReference("m"))),),
    "meta mark set ip saddr map { 10.0.0.1 : 0x1, * : 2 }": (
        Assign(MARK, MapLookup(SADDR, AnonymousSet((Element(ip("10.0.0.1"), mark(1)), Element(CatchAll(), mark(2)))))),
    ),
    "ip dscp set cs1": (Assign(Payload("ip", "dscp"), Value("dscp", 8)),),
    'iifname "cali*"': (Match(Meta("iifname"), "==", Wildcard("ifname", "cali")),),
    'iifname "odd\\*"': (Match(Meta("iifname"), "==", Value("ifname", "odd*")),),
    "iif lo": (Match(Meta("iif"), "==", Value("iface_index", "lo")),),
    "meta l4proto tcp": (TCP,),
    "meta l4proto 6": (TCP,),
    "meta l4proto ipv6-icmp": (Match(PROTOCOL, "==", Value("inet_proto", 58)),),
    "ip protocol tcp tcp dport 80": (
        Match(Payload("ip", "protocol"), "==", Value("inet_proto", 6)), Match(DPORT, "==", port(80)),
    ),
    "icmp type echo-request": (Match(Payload("icmp", "type"), "==", Value("icmp_type", 8)),),
    "icmpv6 type nd-router-advert": (Match(Payload("icmpv6", "type"), "==", Value("icmpv6_type", 134)),),
    "fib daddr type local": (Match(Fib(("daddr",), "type"), "==", Value("fib_addrtype", 2)),),
    "fib saddr . iif oif missing": (Match(Fib(("saddr", "iif"), "oif"), "==", Value("boolean", 0)),),
    "fib saddr . iif oif 0": (Match(Fib(("saddr", "iif"), "oif"), "==", Value("boolean", 0)),),
    "exthdr frag exists": (Match(Extension("exthdr", "frag"), "==", Value("boolean", 1)),),
    "tcp option maxseg size 500": (Match(Extension("tcp option", "maxseg", "size"), "==", number(500)),),
    "@th,16,16 22": (Match(RawPayload("th", 16, 16), "==", number(22)),),
    'meta hour "10:00"-"17:00"': (Match(Meta("hour"), "==", Range(Value("hour", "10:00"), Value("hour", "17:00"))),),
    "ct expiration < 1m30s": (Match(Ct("expiration"), "<", Value("time", 90_000)),),
    "meta random & 2147483647 < 715827883": (
        Match(Binary("&", Meta("random"), number(2147483647)), "<", number(715827883)),
    ),
    "ip daddr . meta l4proto . th dport vmap @services": (VerdictMap(TRIPLE, SetReference("services")),),
    "ip daddr . meta l4proto . th dport @s": (Match(TRIPLE, "==", SetReference("s")),),
    "ip saddr . tcp dport { 10.0.0.0/8 . 80-90 }": (
        Match(Concatenation((SADDR, DPORT)), "==", Concatenation((Prefix(ip("10.0.0.0"), 8), Range(port(80), port(90))))),
    ),
    "numgen random mod 2 vmap { 0 : goto a, 1 : jump b/c }": (
        VerdictMap(RANDOM, chosen(Verdict("goto", "a"), Verdict("jump", "b/c"))),
    ),
    "numgen inc mod 10 offset 5 5-7": (Match(Numgen("inc", 10, 5), "==", Range(number(5), number(7))),),
    "jhash ip saddr mod 4 seed 0x10 offset 1 2": (Match(Hash("jhash", SADDR, 4, 16, 1), "==", number(2)),),
    "symhash mod 2 1": (Match(Hash("symhash", None, 2), "==", number(1)),),
    "dnat to 10.0.0.1:8080": (Nat("dnat", "ip", ip("10.0.0.1"), port(8080)),),
    "dnat to :8080": (Nat("dnat", "ip", None, port(8080)),),
    "dnat to 10.0.0.1-10.0.0.5:80-90 random,persistent": (
        Nat("dnat", "ip", Range(ip("10.0.0.1"), ip("10.0.0.5")), Range(port(80), port(90)), ("persistent", "random")),
    ),
    "dnat ip addr . port to numgen random mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 81 }": (
        Nat("dnat", "ip", MapLookup(RANDOM, chosen(
            Concatenation((ip("10.0.0.1"), port(80))), Concatenation((ip("10.0.0.2"), port(81))),
        ))),
    ),
    "dnat to numgen random mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }": (
        Nat("dnat", "ip", MapLookup(RANDOM, chosen(ip("10.0.0.1"), ip("10.0.0.2")))),
    ),
    "dnat ip6 to [fd00::1]:80": (Nat("dnat", "ip6", ip("fd00::1"), port(80)),),
    "snat ip prefix to 10.0.0.0/24": (Nat("snat", "ip", Prefix(ip("10.0.0.0"), 24), is_prefix=True),),
    "masquerade to :1024-2048 fully-random": (
        Nat("masquerade", "ip", None, Range(port(1024), port(2048)), ("fully-random",)),
    ),
    "redirect to :tcp dport map { 80 : 8080 }": (
        Nat("redirect", "ip", None, MapLookup(DPORT, AnonymousSet((Element(port(80), port(8080)),)))),
    ),
    "redirect to tcp dport map { 80 : 8080 }": (
        Nat("redirect", "ip", None, MapLookup(DPORT, AnonymousSet((Element(port(80), port(8080)),)))),
    ),
    "tproxy to 127.0.0.1:50080": (Tproxy("ip", ip("127.0.0.1"), port(50080)),),
    "reject": (Reject("icmp", 3),),
    "reject with icmp type admin-prohibited": (Reject("icmp", 13),),
    "reject with icmpx 3": (Reject("icmpx", 3),),
    "reject with tcp reset": (Reject("tcp reset"),),
    "limit rate over 10/second burst 7 packets drop": (Limit(10, "packets", "second", 7, over=True), Verdict("drop")),
    "limit rate 10/minute": (Limit(10, "packets", "minute", 5),),
    "limit rate 2 kbytes/second": (Limit(2048, "bytes", "second", 0),),
    "ct count over 5 drop": (ConnectionLimit(5, over=True), Verdict("drop")),
    "quota over 2 kbytes": (Quota(2048, over=True),),
    "counter packets 3 bytes 4 accept": (Counter(3, 4), Verdict("accept")),
    "counter drop": (Counter(), Verdict("drop")),
    'counter name "http"': (ObjectStatement("counter", Value("string", "http")),),
    'ct helper set "ftp"': (ObjectStatement("ct helper", Value("string", "ftp")),),
    'log prefix "a: b" level debug flags tcp sequence,options': (
        Log("a: b", (("flags", "tcp options"), ("flags", "tcp sequence"), ("level", "debug"))),
    ),
    "update @recent { ip saddr timeout 5m limit rate 10/second } drop": (
        SetUpdate("update", "recent", SADDR, None, (Limit(10, "packets", "second", 5),), 300_000), Verdict("drop"),
    ),
    "add @m { ip saddr : 0x5 }": (SetUpdate("add", "m", SADDR, Value("", 5)),),
    "meter m size 65535 { ip saddr counter }": (SetUpdate("meter", "m", SADDR, None, (Counter(),)),),
    "set update ip saddr timeout 1h @s": (SetUpdate("update", "s", SADDR, timeout=3_600_000),),
    "queue flags bypass to 3-5": (Queue(Range(number(3), number(5)), ("bypass",)),),
    "queue num 3 bypass,fanout": (Queue(number(3), ("bypass", "fanout")),),
    "notrack": (Notrack(),),
    'dup to 10.0.0.5 device "lo"': (Dup(ip("10.0.0.5"), Value("ifname", "lo")),),
    "synproxy mss 1460 wscale 7 timestamp sack-perm": (Synproxy(1460, 7, ("sack-perm", "timestamp")),),
    'ct state new # xt_comment counter xt match "statistic" jump X': (
        Match(STATE, ANY_BIT, state(8)), Xt("", "comment"), Counter(), Xt("match", "statistic"), Verdict("jump", "X"),
    ),
    "ip saddr 10.0.0.1 odd { 1, drop } thing accept": (
        Match(SADDR, "==", ip("10.0.0.1")), Unread("odd { 1, drop } thing"), Verdict("accept"),
    ),
    "jump { ip saddr 10.0.0.1 drop; } accept": (Unread("jump { ip saddr 10.0.0.1 drop; }"), Verdict("accept")),
    "tcp dport": (Unread("tcp dport"),),
    "ip saddr nonsense": (Match(SADDR, "==", Value("ipv4_addr", "nonsense")),),
}  # fmt: skip


@pytest.mark.parametrize("text", CASES)
def test_a_rule_is_what_its_words_mean(text: str) -> None:
    assert said(read_rule(text, "ip").statements) == said(CASES[text])


def test_the_comment_of_a_rule_stands_anywhere() -> None:
    assert read_rule('accept comment "x; y {"', "ip").comment == "x; y {"
    read = read_rule('ip saddr 10.0.0.1 comment "first" counter packets 0 bytes 0 drop', "ip")
    assert read.comment == "first"
    assert read.statements[1:] == (Counter(0, 0), Verdict("drop"))


@pytest.mark.parametrize(
    ("family", "answer"), [("ip", ("icmp", 3)), ("ip6", ("icmpv6", 4)), ("inet", ("icmpx", 1))]
)
def test_a_plain_reject_answers_by_the_family(family: str, answer: tuple[str, int]) -> None:
    assert read_rule("reject", family).statements == (Reject(*answer),)


@pytest.mark.parametrize(
    ("text", "time"),
    [("3h", 10_800_000), ("1d2h3m4s5ms", 93_784_005), ("5ms", 5), ("90", 90_000), ("", None), ("3x", None)],
)
def test_times_are_milliseconds(text: str, time: int | None) -> None:
    assert milliseconds(text) == time


def test_addresses_are_networks() -> None:
    assert network_of(Prefix(ip("10.1.2.3"), 8)) == Network(4, 10 << 24, 255 << 24)
    assert network_of(ip("fd00::1")) == Network(6, int(ip_address("fd00::1")), (1 << 128) - 1)
    assert network_of(port(80)) is None
    assert network_of(Range(ip("10.0.0.1"), ip("10.0.0.2"))) is None
