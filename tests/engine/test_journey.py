"""One packet through all tables: order of hooks, routing, rewriting, marks, conditions, and every target."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.checks.wording import sentence, sentences
from iptviz.documents.packet_v1 import effect_text
from iptviz.engine.condition import clauses
from iptviz.engine.path import steps_of
from iptviz.engine.targets.table import TARGETS
from iptviz.errors import PacketError
from iptviz.grammar.reader import take_apart
from iptviz.supplied.files import Supplied

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.questions.packet import PacketResult

WEB: dict[str, Any] = {
    "src": "10.1.0.2", "dst": "10.2.0.2", "protocol": "tcp", "sport": 40000, "dport": 80, "mark": 0,
    "local_ips": ("10.1.0.1", "10.2.0.1"), "in_iface": "cli", "out_iface": "srv", "tcp_flags": "SYN",
    "length": 60, "ttl": 64, "tos": 0,
}  # fmt: skip
HOME = WEB | {"dst": "10.1.0.1"}


def ask(text: str, **about: Any) -> PacketResult:
    """Ask about a dump of rules `table|-A CHAIN ...`, `table|:CHAIN POLICY`."""
    tables: dict[str, list[str]] = {}
    for line in text.strip().splitlines():
        table, _, rule = line.strip().partition("|")
        tables.setdefault(table, []).append(rule)
    dump = "".join(
        "\n".join([f"*{table}", *sorted(rules, key=lambda rule: not rule.startswith(":")), "COMMIT", ""])
        for table, rules in tables.items()
    )
    return iptviz.packet(iptviz.load(dump.encode()), **(WEB | about))


def told(result: PacketResult) -> dict[str, str]:
    """Return for each case its outcomes."""
    cases: dict[str, list[str]] = {}
    for one in result.outcomes:
        words = [one.verdict, one.route, *(["to " + one.packet.dnat] if one.packet.dnat else [])]
        words += ["as " + one.packet.snat] if one.packet.snat else []
        words += [f"mark {one.packet.mark.text}"] if one.packet.mark.text != "0x0" else []
        cases.setdefault(clauses(one.when), []).append(f"{one.share} {' '.join(words)}")
    for shares in (
        Fraction(sum(o.share for o in result.outcomes if o.when == w))
        for w in {o.when for o in result.outcomes}
    ):
        assert shares == 1
    return {when: ", ".join(sorted(outcomes)) for when, outcomes in cases.items()}


def effects(result: PacketResult) -> list[str]:
    (outcome,) = result.outcomes
    return [effect_text(step) for step in steps_of(outcome.path)[0]]


def chains(result: PacketResult) -> list[str]:
    (outcome,) = result.outcomes
    return [f"{step.table} {step.chain}" for step in steps_of(outcome.path)[0] if step.rule]


EVERYWHERE = "\n".join(
    f"{table}|:{chain} ACCEPT\n{table}|-A {chain}"
    for table, names in {
        "raw": "PREROUTING OUTPUT", "mangle": "PREROUTING INPUT FORWARD OUTPUT POSTROUTING",
        "nat": "PREROUTING INPUT OUTPUT POSTROUTING", "filter": "INPUT FORWARD OUTPUT",
        "security": "INPUT FORWARD OUTPUT",
    }.items()
    for chain in names.split()
)  # fmt: skip


@pytest.mark.parametrize(
    ("about", "order"),
    [
        (WEB, ("raw PREROUTING, mangle PREROUTING, nat PREROUTING, mangle FORWARD, filter FORWARD, security FORWARD, "
              "mangle POSTROUTING, nat POSTROUTING")),
        (HOME, "raw PREROUTING, mangle PREROUTING, nat PREROUTING, mangle INPUT, filter INPUT, security INPUT, nat INPUT"),
        ({"hook": "output", "in_iface": None}, ("raw OUTPUT, mangle OUTPUT, nat OUTPUT, filter OUTPUT, security OUTPUT, "
                            "mangle POSTROUTING, nat POSTROUTING")),
        ({"ctstate": "ESTABLISHED"}, ("raw PREROUTING, mangle PREROUTING, mangle FORWARD, filter FORWARD, "
                                     "security FORWARD, mangle POSTROUTING")),
    ],
)  # fmt: skip
def test_the_hooks_come_in_the_kernels_order(about: dict[str, Any], order: str) -> None:
    assert chains(ask(EVERYWHERE, **about, assume=("this node tracks connections",))) == order.split(", ")


NOBODY_LISTED = Supplied("==> X <==\n", "recent")
CASES: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("filter|:FORWARD DROP", {}, {"always": "1 DROP FORWARD"}),
    ("filter|:INPUT DROP", {}, {"always": "1 ACCEPT FORWARD"}),
    ("filter|:INPUT DROP", HOME, {"always": "1 DROP INPUT"}),
    ("filter|-A INPUT -jDROP", HOME, {"always": "1 DROP INPUT"}),
    ("filter|-A INPUT ~j DROP", HOME, {
        "packet does not match ~j DROP": "1 ACCEPT INPUT",
        "packet matches ~j DROP and rules end at line 2, which cannot be read": "1 STOLEN INPUT",
        "packet matches ~j DROP and rules go on after line 2, which cannot be read": "1 ACCEPT INPUT"}),
    ("filter|-A FORWARD -j DROP", {"local_ips": ()},
     {"destination is not local to this node": "1 DROP FORWARD",
      "destination is local to this node": "1 ACCEPT INPUT"}),
    # DNAT is seen by routing and by the tables behind it
    (("nat|-A PREROUTING -d 10.2.0.2/32 -j DNAT --to-destination 10.2.0.3:81\n"
     "filter|-A FORWARD -d 10.2.0.3/32 -p tcp -m tcp --dport 81 -j DROP"), {},
     {"always": "1 DROP FORWARD to 10.2.0.3:81"}),
    ("nat|-A PREROUTING -j DNAT --to-destination 10.1.0.1", {}, {"always": "1 ACCEPT INPUT to 10.1.0.1:80"}),
    ("nat|-A PREROUTING -p tcp -j REDIRECT --to-ports 8080\nfilter|-A INPUT -p tcp -m tcp --dport 8080 -j DROP", {},
     {"always": "1 DROP INPUT to this node:8080"}),
    ("nat|-A OUTPUT -p tcp -j REDIRECT --to-ports 8080\nfilter|-A OUTPUT -d 127.0.0.1/32 -j DROP",
     {"hook": "output", "in_iface": None}, {"always": "1 DROP OUTPUT to 127.0.0.1:8080"}),
    ("nat|-A PREROUTING -j NETMAP --to 10.9.8.0/24\nfilter|-A FORWARD -d 10.9.8.2/32 -j DROP", {},
     {"always": "1 DROP FORWARD to 10.9.8.2:80"}),
    ("nat|-A POSTROUTING -j NETMAP --to 10.9.8.0/24", {}, {"always": "1 ACCEPT FORWARD as 10.9.8.2"}),
    ("nat|-A POSTROUTING -o srv -j MASQUERADE", {}, {"always": "1 ACCEPT FORWARD as MASQUERADE"}),
    ("nat|-A POSTROUTING -j SNAT --to-source 10.2.0.1:1024-2000", {},
     {"always": "1 ACCEPT FORWARD as 10.2.0.1:1024-2000"}),
    ("nat|-A POSTROUTING -o eth0 -j MASQUERADE", {"out_iface": None},
     {"output interface is eth0": "1 ACCEPT FORWARD as MASQUERADE",
      "output interface is not eth0": "1 ACCEPT FORWARD"}),
    # a range is no chance: which address it is hangs on the client
    ("nat|-A PREROUTING -j DNAT --to-destination 10.2.0.4-10.2.0.5\nfilter|-A FORWARD -d 10.2.0.4/31 -j DROP", {},
     {"always": "1 DROP FORWARD to 10.2.0.4-10.2.0.5:80"}),
    ("nat|-A PREROUTING -j DNAT --to-destination 10.2.0.4-10.2.0.5\nfilter|-A FORWARD -d 10.2.0.4/32 -j DROP", {},
     {"destination not in 10.2.0.4/32 (as line 2 left it)": "1 ACCEPT FORWARD to 10.2.0.4-10.2.0.5:80",
      "destination in 10.2.0.4/32 (as line 2 left it)": "1 DROP FORWARD to 10.2.0.4-10.2.0.5:80"}),
    # what comes to what it was has no status; where that hangs on a choice, it is a condition
    ("nat|-A PREROUTING -p tcp -j DNAT --to-destination 10.2.0.2:70-90\nfilter|-A FORWARD -m conntrack --ctstate DNAT -j DROP",
     {}, {"always": "1 ACCEPT FORWARD to 10.2.0.2:80"}),
    ("nat|-A PREROUTING -p tcp -j DNAT --to-destination :70-90\nfilter|-A FORWARD -p tcp -m tcp --dport 80 -j DROP",
     {"dport": 99}, {"destination port not 80 (as line 2 left it)": "1 ACCEPT FORWARD to 10.2.0.2:70-90",
                     "destination port 80 (as line 2 left it)": "1 DROP FORWARD to 10.2.0.2:70-90"}),
    (("nat|-A PREROUTING -p tcp -j DNAT --to-destination 10.2.0.2:70-90 --random\n"
     "filter|-A FORWARD -m conntrack --ctstate DNAT -j DROP"), {},
     {"packet does not match -m conntrack --ctstate DNAT": "1 ACCEPT FORWARD to 10.2.0.2:70-90",
      "packet matches -m conntrack --ctstate DNAT": "1 DROP FORWARD to 10.2.0.2:70-90"}),
    ("nat|-A PREROUTING -j REDIRECT\nfilter|-A INPUT -m conntrack --ctstate DNAT -j DROP", {},
     {"always": "1 DROP INPUT to this node:80"}),
    ("nat|-A PREROUTING -j REDIRECT\nfilter|-A INPUT -m conntrack --ctstate DNAT -j DROP", HOME,
     {"packet does not match -m conntrack --ctstate DNAT": "1 ACCEPT INPUT to this node:80",
      "packet matches -m conntrack --ctstate DNAT": "1 DROP INPUT to this node:80"}),
    ("nat|-A PREROUTING -j DNAT --to-destination 10.2.0.2-10.2.0.5\nfilter|-A INPUT -j DROP", {"dst": "10.3.0.1"},
     {"always": "1 ACCEPT FORWARD to 10.2.0.2-10.2.0.5:80"}),
    ("nat|-A PREROUTING -j DNAT --to-destination 10.2.0.1-10.2.0.5\nfilter|-A INPUT -j DROP", {"dst": "10.3.0.1"},
     {"each DNAT target is local to this node": "1 DROP INPUT to 10.2.0.1-10.2.0.5:80",
      "each DNAT target is not local to this node": "1 ACCEPT FORWARD to 10.2.0.1-10.2.0.5:80"}),
    ("nat|-A INPUT -j SNAT --to-source 10.1.0.1-10.1.0.9", HOME, {"always": "1 ACCEPT INPUT as 10.1.0.2"}),
    ("nat|-A INPUT -j SNAT --to-source 10.1.0.1-10.1.0.9 --random", HOME,
     {"always": "1 ACCEPT INPUT as 10.1.0.1-10.1.0.9"}),
    # marks
    ("mangle|-A PREROUTING -j MARK --set-xmark 0x4000/0x4000\nfilter|-A FORWARD -m mark --mark 0x4000/0x4000 -j DROP",
     {"mark": None}, {"always": "1 DROP FORWARD mark mark | 0x4000"}),
    ("mangle|-A PREROUTING -j MARK --xor-mark 0x1\nfilter|-A FORWARD -m mark --mark 0x1/0x1 -j DROP",
     {"mark": None}, {"mark is 0x1/0x1": "1 ACCEPT FORWARD mark mark ^ 0x1",
                      "mark is not 0x1/0x1": "1 DROP FORWARD mark mark ^ 0x1"}),
    (("mangle|-A PREROUTING -j MARK --set-mark 0x5\nmangle|-A PREROUTING -j MARK --and-mark 0x4\n"
     "mangle|-A PREROUTING -j MARK --or-mark 0x8"), {}, {"always": "1 ACCEPT FORWARD mark 0xc"}),
    (("mangle|-A PREROUTING -j MARK --set-mark 0x5\nmangle|-A PREROUTING -j CONNMARK --save-mark\n"
     "mangle|-A PREROUTING -j MARK --set-mark 0x0\nmangle|-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xf "
     "--ctmask 0x4"), {}, {"always": "1 ACCEPT FORWARD mark 0x4"}),
    ("mangle|-A PREROUTING -j CONNMARK --set-xmark 0x2/0xffffffff\nmangle|-A FORWARD -m connmark --mark 0x2 -j DROP",
     {}, {"always": "1 DROP FORWARD"}),
    (("raw|-A PREROUTING -j CT --notrack\nmangle|-A PREROUTING -j CONNMARK --set-xmark 0x2/0xffffffff\n"
     "nat|-A PREROUTING -j DNAT --to-destination 10.2.0.9\nfilter|-A FORWARD -m conntrack --ctstate UNTRACKED -j DROP"),
     {}, {"always": "1 DROP FORWARD"}),
    ("raw|-A PREROUTING -j NOTRACK\nfilter|-A FORWARD -m conntrack --ctstate NEW -j DROP", {},
     {"always": "1 ACCEPT FORWARD"}),
    (("raw|-A PREROUTING -i lo -j NOTRACK\nmangle|-A POSTROUTING -m conntrack --ctstatus CONFIRMED -j DROP\n"
      "mangle|-A PREROUTING -m conntrack ! --ctstatus CONFIRMED -j DROP\nfilter|-A INPUT -m conntrack --ctstate NEW -j DROP"),
     {"hook": "output", "in_iface": None, "dst": "10.1.0.1", "local_ips": ["10.1.0.1"]}, {"always": "1 DROP INPUT"}),
    (("mangle|-A PREROUTING -m mark --mark 0x0 -j HMARK --hmark-tuple src --hmark-mod 10\n"
     "filter|-A FORWARD -m mark --mark 0x1 -j DROP"), {},
     {"mark is not 0x1 (as line 2 left it)": "1 ACCEPT FORWARD mark None",
      "mark is 0x1 (as line 2 left it)": "1 DROP FORWARD mark None"}),
    # fields that targets change
    ("mangle|-A FORWARD -j TTL --ttl-set 9\nfilter|-A FORWARD -m ttl --ttl-eq 9 -j DROP", {}, {"always": "1 DROP FORWARD"}),
    ("mangle|-A FORWARD -j TTL --ttl-inc 5\nfilter|-A FORWARD -m ttl --ttl-eq 68 -j DROP", {}, {"always": "1 DROP FORWARD"}),
    ("mangle|-A FORWARD -j HL --hl-dec 1\nfilter|-A FORWARD -m ttl --ttl-eq 62 -j DROP", {}, {"always": "1 DROP FORWARD"}),
    ("filter|-A FORWARD -m ttl --ttl-eq 63 -j DROP", {}, {"always": "1 DROP FORWARD"}),
    ("filter|-A FORWARD -j ACCEPT", {"ttl": 1}, {"always": "1 DROP "}),
    ("mangle|-A FORWARD -j DSCP --set-dscp 0x0a\nfilter|-A FORWARD -m dscp --dscp-class AF11 -j DROP", {},
     {"always": "1 DROP FORWARD"}),
    ("mangle|-A FORWARD -j TOS --set-tos 0x10/0xff\nfilter|-A FORWARD -m tos --tos 0x10/0xff -j DROP", {},
     {"always": "1 DROP FORWARD"}),
    # what looks at bytes, or options, asks something else once they have been changed
    (('mangle|-A PREROUTING -m u32 --u32 "5&0xff=0x40" -j MARK --set-mark 1\n'
      'filter|-A FORWARD -m u32 --u32 "5&0xff=0x40" -j DROP\nfilter|-A FORWARD -m mark --mark 0 -j DROP'), {},
     {"packet matches -m u32 --u32 5&0xff=0x40 and packet does not match -m u32 --u32 5&0xff=0x40 (forwarded)":
      "1 ACCEPT FORWARD mark 0x1", "packet does not match -m u32 --u32 5&0xff=0x40": "1 DROP FORWARD mark None",
      "packet matches -m u32 --u32 5&0xff=0x40 and packet matches -m u32 --u32 5&0xff=0x40 (forwarded)":
      "1 DROP FORWARD mark None"}),
    (("mangle|-A FORWARD -p tcp -m tcpmss --mss 1:900 -j DROP\nmangle|-A FORWARD -p tcp -j TCPMSS --set-mss 800\n"
      "mangle|-A FORWARD -p tcp -m tcpmss --mss 1:900 -j ACCEPT\nmangle|-A FORWARD -j DROP"), {},
     {"packet does not match -m tcpmss --mss 1:900 and packet matches -m tcpmss --mss 1:900 (as line 3 left it)":
      "1 ACCEPT FORWARD",
      "packet does not match -m tcpmss --mss 1:900 and packet does not match -m tcpmss --mss 1:900 (as line 3 left it)":
      "1 DROP FORWARD", "packet matches -m tcpmss --mss 1:900": "1 DROP FORWARD"}),
    ("mangle|-A FORWARD -p tcp -j TCPMSS --set-mss 800\nmangle|-A FORWARD -m length --length 64 -j DROP", {},
     {"length is 64 (as line 2 left it)": "1 DROP FORWARD", "length is not 64 (as line 2 left it)": "1 ACCEPT FORWARD"}),
    # what stops
    ("filter|-A FORWARD -j REJECT --reject-with icmp-host-prohibited", {}, {"always": "1 REJECT FORWARD"}),
    ("filter|-A FORWARD -j QUEUE", {}, {"always": "1 QUEUE FORWARD"}),
    ("filter|-A FORWARD -j NFQUEUE --queue-num 3 --queue-bypass\nfilter|-A FORWARD -j DROP", {},
     {"no program listens on netfilter queue 3": "1 ACCEPT FORWARD",
      "a program listens on netfilter queue 3": "1 QUEUE FORWARD"}),
    ("mangle|-A PREROUTING -p tcp -j TPROXY --on-port 15001 --on-ip 0.0.0.0 --tproxy-mark 0x1/0x1", {},
     {"no program listens on TPROXY port 15001": "1 DROP  mark None",
      "a program listens on TPROXY port 15001 and routing does not deliver packets of mark 0x1 to this node":
      "1 DROP  mark None",
      "a program listens on TPROXY port 15001 and routing delivers packets of mark 0x1 to this node":
      "1 ACCEPT INPUT mark 0x1"}),
    ("filter|-A FORWARD -p tcp -j SYNPROXY --mss 1460", {}, {"always": "1 STOLEN FORWARD"}),
    ("filter|-A FORWARD -p tcp -j SYNPROXY", {"tcp_flags": "ACK"}, {
        "this ACK answers a SYN/ACK of SYNPROXY": "1 STOLEN FORWARD",
        "this ACK answers no SYN/ACK of SYNPROXY": "1 DROP FORWARD",
    }),
    ("filter|-A FORWARD -p tcp -j SYNPROXY --mss 1460\nfilter|-A FORWARD -j DROP", {"tcp_flags": "RST"},
     {"always": "1 DROP FORWARD"}),
    ("filter|-A FORWARD -j NOSUCH --level 1\nfilter|-A FORWARD -j DROP", {},
     {"rules end at target NOSUCH": "1 STOLEN FORWARD", "rules go on after target NOSUCH": "1 DROP FORWARD"}),
    # chances and conditions
    (("nat|-A PREROUTING -m statistic --mode random --probability 0.25 -j DNAT --to-destination 10.2.0.3\n"
     "nat|-A PREROUTING -j DNAT --to-destination 10.2.0.4\nfilter|-A FORWARD -d 10.2.0.4/32 -j DROP"), {},
     {"always": "1/4 ACCEPT FORWARD to 10.2.0.3:80, 3/4 DROP FORWARD to 10.2.0.4:80"}),
    ("filter|-A FORWARD -i eth0 -j ACCEPT\nfilter|-A FORWARD -i eth1 -j ACCEPT\nfilter|-A FORWARD -i eth+ -j DROP",
     {"in_iface": None},
     {"input interface is eth+ and input interface is not eth0, eth1": "1 DROP FORWARD",
      "input interface is eth0, eth1": "1 ACCEPT FORWARD", "input interface is not eth+": "1 ACCEPT FORWARD"}),
    ("filter|-A FORWARD -i eth0 -j A\nfilter|-A FORWARD -j DROP\nfilter|-A A -m mark --mark 0x1 -j RETURN",
     {"in_iface": None, "mark": None}, {"always": "1 DROP FORWARD mark None"}),
    ("filter|-A FORWARD -m recent --set --name X\nfilter|-A FORWARD -m recent --rcheck --name X -j DROP", {},
     {"always": "1 DROP FORWARD"}),
    # a list is changed as soon as a rule asks for it, whatever the rest of the rule says
    ("filter|-A FORWARD -m recent --set --name X -m length --length 9\nfilter|-A FORWARD -m recent --rcheck --name X -j DROP",
     {}, {"always": "1 DROP FORWARD"}),
    ("filter|-A FORWARD -m recent ! --set --name X\nfilter|-A FORWARD -m recent --rcheck --name X -j DROP", {},
     {"always": "1 DROP FORWARD"}),
    (("filter|-A FORWARD -s 10.1.0.2/32 -m recent --set --name X -m length --length 9\n"
     "filter|-A FORWARD -m recent ! --rcheck --name X -j DROP"), {"src": None},
     {"source not in 10.1.0.2/32 and source is not in the recent list X at line 3": "1 DROP FORWARD",
      "source not in 10.1.0.2/32 and source is in the recent list X at line 3": "1 ACCEPT FORWARD",
      "source in 10.1.0.2/32": "1 ACCEPT FORWARD"}),
    ("filter|-A FORWARD -m recent --remove --name X -j LOG\nfilter|-A FORWARD -m recent --rcheck --name X -j DROP", {},
     {"always": "1 ACCEPT FORWARD"}),
    ("filter|-A FORWARD -m recent ! --remove --name X -j LOG\nfilter|-A FORWARD -m recent --rcheck --name X -j DROP", {},
     {"always": "1 ACCEPT FORWARD"}),
    (("filter|-A FORWARD -m statistic --mode random --probability 0.25 -m recent --set --name X -m length --length 9\n"
     "filter|-A FORWARD -m recent --rcheck --name X -j DROP"), {"recent": NOBODY_LISTED},
     {"always": "1/4 DROP FORWARD, 3/4 ACCEPT FORWARD"}),
    ("filter|-A FORWARD -m recent --set --name X\nfilter|-A FORWARD -m recent --rcheck --hitcount 2 --name X -j DROP",
     {"recent": NOBODY_LISTED}, {"always": "1 ACCEPT FORWARD"}),
    ("filter|-A FORWARD -j SET --add-set s src\nfilter|-A FORWARD -m set --match-set s src -j DROP", {},
     {"packet is not in ipset s src (as line 2 left it)": "1 ACCEPT FORWARD",
      "packet is in ipset s src (as line 2 left it)": "1 DROP FORWARD"}),
]  # fmt: skip


EVERY_SECOND = "-m statistic --mode nth --every 2 --packet 0"
HALF = (Fraction(0), Fraction(1, 2))


@pytest.mark.parametrize(
    ("rules", "bounds"),
    [
        # one count leaves nothing open, nor one of what another lets pass
        (f"filter|-A FORWARD {EVERY_SECOND} -j DROP", {"DROP": (Fraction(1, 2),) * 2, "ACCEPT": (Fraction(1, 2),) * 2}),
        (f"filter|-A FORWARD {EVERY_SECOND} -j DROP\nfilter|-A FORWARD {EVERY_SECOND} -j REJECT",
         {"DROP": (Fraction(1, 2),) * 2, "REJECT": (Fraction(1, 4),) * 2, "ACCEPT": (Fraction(1, 4),) * 2}),
        (f"filter|:A -\nfilter|-A FORWARD {EVERY_SECOND} -j A\nfilter|-A FORWARD {EVERY_SECOND} -j REJECT\nfilter|-A A -j DROP",
         {"DROP": (Fraction(1, 2),) * 2, "REJECT": (Fraction(1, 4),) * 2, "ACCEPT": (Fraction(1, 4),) * 2}),
        # two counts of the same packets
        (f"filter|-A FORWARD {EVERY_SECOND} -j LOG\nfilter|-A FORWARD {EVERY_SECOND} -j DROP",
         {"DROP": (Fraction(0), Fraction(1)), "ACCEPT": (Fraction(0), Fraction(1))}),
        ((f"mangle|-A PREROUTING {EVERY_SECOND} -j MARK --set-mark 1\nfilter|-A FORWARD {EVERY_SECOND} -j REJECT\n"
         "filter|-A FORWARD -m mark --mark 1 -j DROP"),
         {"DROP": HALF, "REJECT": (Fraction(0), Fraction(1)), "ACCEPT": HALF}),
        ((f"nat|-A PREROUTING {EVERY_SECOND} -j DNAT --to-destination 10.2.0.3\nfilter|-A FORWARD -d 10.2.0.3/32 -j A\n"
         f"filter|:A -\nfilter|-A A {EVERY_SECOND} -j DROP"), {"DROP": HALF, "ACCEPT": (Fraction(0), Fraction(1, 2))}),
    ],
)  # fmt: skip
def test_counts_of_the_same_packets_give_bounds(
    rules: str, bounds: dict[str, tuple[Fraction, Fraction]]
) -> None:
    result = ask(rules)
    found = {
        one.verdict: (one.share, one.most)
        for one in result.outcomes
        if one.packet.dnat or "nat|" not in rules
    }
    assert found == bounds
    noted = any("another rule counts the same packets" in note for note in sentences(result.notes))
    assert noted == any(least != most for least, most in bounds.values())


def test_what_the_node_sends_to_itself_comes_back_in_by_lo_and_nat_is_not_asked_again() -> None:
    result = ask(
        """nat|-A OUTPUT -d 10.3.0.1/32 -p tcp -j DNAT --to-destination 10.1.0.1
        nat|-A PREROUTING -j DNAT --to-destination 10.2.0.2
        mangle|-A POSTROUTING -o lo -j MARK --set-mark 0x9
        filter|-A OUTPUT -o lo -j DROP
        filter|-A INPUT -i lo -m mark --mark 0x9 -j DROP""",
        dst="10.3.0.1", src="10.2.0.1", hook="output", in_iface=None,
    )  # fmt: skip
    assert told(result) == {"always": "1 DROP INPUT to 10.1.0.1:80 mark 0x9"}


def test_nat_is_not_asked_where_nothing_wants_connections_to_be_tracked() -> None:
    rules = "nat|-A PREROUTING -j MARK --set-mark 0x7\nfilter|-A FORWARD -p udp -j DROP"
    assert told(ask(rules)) == {"always": "1 ACCEPT FORWARD mark None"}  # a mark alone is no other fate
    assert told(ask(rules + "\nfilter|-A FORWARD -m mark --mark 0x7 -j DROP")) == {
        "this node tracks connections": "1 DROP FORWARD mark 0x7",
        "this node does not track connections": "1 ACCEPT FORWARD",
    }
    assert told(ask(rules, assume=("this node tracks connections",))) == {
        "always": "1 ACCEPT FORWARD mark 0x7"
    }
    assert told(ask(rules + "\nfilter|-A OUTPUT -m state --state NEW -j DROP")) == {
        "always": "1 ACCEPT FORWARD mark 0x7"
    }


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("135/0", "UNTRACKED"), ("143", "UNTRACKED"), ("128", "NEW"), ("139", "NEW"), ("129", "INVALID"),
        ("1", "INVALID"), ("137", "INVALID"),
    ],
)  # fmt: skip
def test_neighbours_are_not_tracked_and_requests_alone_begin_connections(kind: str, state: str) -> None:
    dump = iptviz.load(
        f"*filter\n-A FORWARD -s fd00::1/128 -m conntrack --ctstate {state} -j DROP\nCOMMIT\n".encode()
    )
    result = iptviz.packet(
        dump, src="fd00::1", dst="fd01::1", protocol="ipv6-icmp", icmp_type=kind, local_ips=("fd00::9",)
    )
    assert [one.verdict for one in result.outcomes] == ["DROP"]


BEGINNING = "filter|-A FORWARD -m conntrack --ctstate NEW -j ACCEPT\nfilter|-A FORWARD -m conntrack --ctstate INVALID -j DROP"


@pytest.mark.parametrize(
    ("flags", "sysctl", "verdict"),
    [("SYN", "1", "ACCEPT"), ("SYN,ACK", "1", "DROP"), ("ACK,PSH", "1", "ACCEPT"), ("ACK", "0", "DROP"),
     ("FIN,ACK", "1", "DROP"), ("RST", "1", "DROP"), ("", "1", "DROP")],
)  # fmt: skip
def test_what_cannot_begin_a_connection_of_tcp_is_invalid(
    flags: str, sysctl: str, verdict: str, tmp_path: Path
) -> None:
    setting = tmp_path / "sysctl"
    setting.write_text(f"net.netfilter.nf_conntrack_tcp_loose = {sysctl}\n")
    result = ask(BEGINNING, tcp_flags=flags, sysctl=str(setting))
    assert told(result) == {"always": f"1 {verdict} FORWARD"}
    noted = any("cannot begin a connection" in note for note in sentences(result.notes))
    assert noted == (verdict == "DROP")


def test_whether_multicast_routers_are_tracked_hangs_on_the_kernel() -> None:
    dump = iptviz.load(
        b"*filter\n-A FORWARD -s fd00::1/128 -m conntrack --ctstate UNTRACKED -j DROP\nCOMMIT\n"
    )
    result = iptviz.packet(
        dump, src="fd00::1", dst="fd01::1", protocol="ipv6-icmp", icmp_type="151", local_ips=("fd00::9",)
    )
    assert {(one.verdict, clauses(one.when)) for one in result.outcomes} == {
        ("DROP", "this kernel leaves ICMPv6 type 151 untracked"), ("ACCEPT", "this kernel tracks ICMPv6 type 151"),
    }  # fmt: skip


def test_what_leaves_or_comes_back_is_said_to_be_unknown_without_the_nodes_addresses() -> None:
    result = ask("filter|-A INPUT -j DROP", dst="10.3.0.1", hook="output", in_iface=None, local_ips=())
    assert told(result) == {"always": "1 ACCEPT OUTPUT"}
    assert any("--local-ip" in note for note in sentences(result.notes))


@pytest.mark.parametrize(("rules", "about", "expected"), CASES)
def test_a_packet_ends_where_the_kernel_ends_it(
    rules: str, about: dict[str, Any], expected: dict[str, str]
) -> None:
    assert told(ask(rules, **about)) == expected


GOES_ON = (
    "LOG", "NFLOG", "ULOG", "AUDIT --type accept", "CHECKSUM --checksum-fill", "CLASSIFY --set-class 1:1",
    "CONNSECMARK --save", "ECN --ecn-tcp-remove", "IDLETIMER --timeout 5 --label x", "LED --led-trigger-id x",
    "RATEEST --rateest-name x --rateest-interval 250ms --rateest-ewmalog 1s", "SECMARK --selctx x",
    "TCPMSS --set-mss 1000", "TCPOPTSTRIP --strip-options 5", "TEE --gateway 10.0.0.9", "TRACE", "ACCEPT", "DROP",
    "SNPT --src-pfx fd00::/64 --dst-pfx fd01::/64", "DNPT --src-pfx fd00::/64 --dst-pfx fd01::/64",
)  # fmt: skip


@pytest.mark.parametrize("target", GOES_ON)
def test_a_target_that_only_looks_on_lets_the_next_rule_be_asked(target: str) -> None:
    result = ask(f"mangle|-A PREROUTING -j {target}\nmangle|-A PREROUTING -j DROP")
    assert len(effects(result)) == {"ACCEPT": 1, "DROP": 1}.get(target, 2)


def test_no_target_is_untested() -> None:
    rules = [line.partition("|")[2] for text, _, _ in CASES for line in text.splitlines() if "|-A" in line]
    parts = [take_apart(rule) for rule in (*rules, *(f"-A C -j {target}" for target in GOES_ON))]
    assert {one.target.name for one in parts if one.target} >= set(TARGETS)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"src": "fd00::1"}, "IPv6, the dump is ipv4"),
        ({"dst": "10.0.0"}, "invalid address"),
        ({"dport": 65536}, "out of range"),
        ({"protocol": "icmp"}, "icmp has no ports"),
        ({"protocol": "nosuch"}, "unknown protocol"),
        ({"protocol": "ipv6-icmp", "dport": None, "sport": None}, "does not fit"),
        ({"hook": "forward"}, "unknown hook"),
        ({"hook": "output"}, "does not apply to locally generated"),
        ({"ctstate": "OLD"}, "unknown connection state"),
        ({"mark": "many"}, "invalid mark"),
        ({"tcp_flags": "SIN"}, "invalid TCP flags"),
        ({"protocol": "udp"}, "has no TCP flags"),
        ({"icmp_type": "8"}, "tcp has no ICMP type"),
        (
            {"protocol": "icmp", "sport": None, "dport": None, "tcp_flags": None, "icmp_type": "no"},
            "invalid ICMP type",
        ),
        ({"uid": 0}, "only apply to locally generated"),
        ({"length": -1}, "out of range"),
        ({"local_ips": ("fd00::1",)}, "IPv6, the dump is ipv4"),
        ({"assume": ("it rains",)}, "unknown condition"),
        (
            {"assume": ("statistic mode nth every 2 packet 0 at line 2 takes the packet",)},
            "cannot be assumed",
        ),
    ],
)
def test_a_packet_that_cannot_be_is_refused(about: dict[str, Any], message: str) -> None:
    with pytest.raises(PacketError, match=message):
        ask("filter|:FORWARD ACCEPT", **about)


def test_what_is_assumed_holds_and_is_said() -> None:
    rules = "filter|-A FORWARD -s 10.1.0.0/24 -j DROP"
    for text, verdict in (("source in 10.1.0.2/32", "DROP"), ("not source in 10.1.0.0/16", "ACCEPT")):
        result = ask(rules, src=None, assume=(text,))
        assert told(result) == {"always": f"1 {verdict} FORWARD"}
        assert sentence(result.notes[-1]).startswith("assumed: source ")


def test_why_a_rule_did_not_match_is_told() -> None:
    result = ask(
        "filter|-A FORWARD -p udp -j DROP\nfilter|-A FORWARD -j A\nfilter|-A FORWARD -s 10.1.0.9/32\n"
        "filter|-A A -m mark --mark 0x1 -j DROP\nfilter|-A A -i cli\nfilter|-A A ! -i cli -j DROP\n"
        "filter|-A FORWARD -j DROP",
        explain=True,
    )
    assert effects(result) == [
        "no match: -p udp", "jump A", "no match: -m mark --mark 0x1", "counted", "no match: ! -i cli",
        "no match: -s 10.1.0.9/32", "DROP",
    ]  # fmt: skip


def test_notes_say_what_the_answer_lacks() -> None:
    rules = """raw|:PREROUTING ACCEPT
        raw|-A PREROUTING -j NOWHERE
        filter|:FORWARD ACCEPT
        filter|:A -
        filter|-A FORWARD -g A
        filter|-A A -j A"""
    result = ask(rules, ctstate="ESTABLISHED")
    notes = "\n".join(sentences(result.notes))
    for words in (
        "jumps to NOWHERE",
        "A -> A is a loop",
        "no mangle, nat tables in the dump; assumed empty",
        "first packet",
    ):
        assert words in notes
    assert "no built-in chain" in "\n".join(sentences(ask("filter|:FORWARD ACCEPT").notes))


def test_sixty_chains_that_call_the_next_one_twice_are_one_answer() -> None:
    rules = [
        f"filter|-A C{n} -j C{n + 1}\nfilter|-A C{n} -s 10.0.0.{n}/32\nfilter|-A C{n} -j C{n + 1}"
        for n in range(60)
    ]
    result = ask("\n".join(["filter|-A FORWARD -j C0", *rules, "filter|-A C60"]), src=None)
    assert told(result) == {"always": "1 ACCEPT FORWARD"}
    assert not steps_of(result.outcomes[0].path)[1]


def test_a_mark_that_no_packet_gets_makes_no_mark_unknown() -> None:
    rules = """mangle|-A FORWARD -s 10.1.0.0/16 -j B
        mangle|-A B -m statistic --mode random --probability 0.5 -j C
        mangle|-A C ! -s 10.1.0.0/16 -j MARK --set-mark 0x5
        filter|-A FORWARD -m statistic --mode random --probability 0.5 -m set --match-set A src -j DROP"""
    assert {outcome.packet.mark.text for outcome in ask(rules, src=None).outcomes} == {"0x0"}
