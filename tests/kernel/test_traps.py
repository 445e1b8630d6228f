"""The kernel judges each match, each target and each trap of control flow, one small rule set at a time."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

import iptviz
from tests.engine.test_interpreter import dump_of
from tests.kernel.frames import FLAGS, Sent
from tests.kernel.lab import BACKENDS
from tests.kernel.random_tables import in_other_family
from tests.kernel.test_packets import asked, compare, matched, trouble_with
from tests.kernel.wire import wire

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

PACKETS = [
    ("10.2.0.2", "tcp", 80), ("10.2.0.2", "udp", 81), ("10.2.0.3", "icmp", 0), ("10.3.0.1", "tcp", 443),
    ("10.3.0.1", "udp", 80), ("10.1.0.1", "tcp", 80), ("10.2.0.1", "udp", 53),
]  # fmt: skip

# Each is a rule set: `table|rule`; a leading `:` declares a chain.
TRAPS: dict[str, str] = {
    "goto then RETURN": "filter|:A -;filter|:B -;filter|-A FORWARD -j A;filter|-A FORWARD -p tcp -j DROP;"
                        "filter|-A A -g B;filter|-A A -j DROP;filter|-A B -p tcp -j RETURN;filter|-A B",
    "goto from a built-in ends in its policy": "filter|:FORWARD DROP;filter|:A -;filter|-A FORWARD -g A;"
                                               "filter|-A FORWARD -j ACCEPT;filter|-A A -p udp -j ACCEPT",
    "RETURN in a built-in": "filter|:FORWARD DROP;filter|-A FORWARD -p tcp -j RETURN;filter|-A FORWARD -j ACCEPT",
    "a rule without target": "filter|-A FORWARD -p tcp;filter|-A FORWARD -p tcp -j DROP",
    "an empty chain": "filter|:A -;filter|-A FORWARD -j A;filter|-A FORWARD -p icmp -j DROP",
    "MARK then mark": "mangle|-A PREROUTING -p tcp -j MARK --set-xmark 0x4000/0x4000;"
                      "mangle|-A PREROUTING -j MARK --or-mark 0x1;filter|-A FORWARD -m mark --mark 0x4000/0x4000 -j DROP;"
                      "filter|-A INPUT -m mark --mark 0x1/0x1 -j DROP",
    "every operation on marks": "mangle|-A PREROUTING -j MARK --set-mark 0xff/0xf;mangle|-A PREROUTING -j MARK --and-mark 0x3c;"
                                "mangle|-A PREROUTING -j MARK --xor-mark 0x11;mangle|-A FORWARD -m mark --mark 0x2d;"
                                "mangle|-A FORWARD -m mark --mark 0x0/0x2;mangle|-A FORWARD -m mark ! --mark 0x2d -j DROP",
    "marks of connections": "mangle|-A PREROUTING -j MARK --set-mark 0x77;mangle|-A PREROUTING -j CONNMARK --save-mark "
                            "--nfmask 0x70 --ctmask 0xff;mangle|-A PREROUTING -j MARK --set-mark 0x1;"
                            "mangle|-A FORWARD -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff;"
                            "mangle|-A FORWARD -m mark --mark 0x70;mangle|-A FORWARD -m connmark --mark 0x70 -j DROP",
    "marks of connections, set": "mangle|-A PREROUTING -j CONNMARK --set-mark 0x5;mangle|-A FORWARD -m connmark --mark 0x5/0x4 "
                                 "-j CONNMARK --and-mark 0x4;mangle|-A FORWARD -m connmark --mark 0x4 -j DROP",
    "DNAT then filter": "nat|-A PREROUTING -d 10.3.0.1/32 -p tcp -j DNAT --to-destination 10.2.0.3:8080;"
                        "filter|-A FORWARD -d 10.2.0.3/32 -p tcp -m tcp --dport 8080;filter|-A FORWARD -d 10.3.0.1/32 -j DROP",
    "DNAT to the node": "nat|-A PREROUTING -d 10.3.0.1/32 -j DNAT --to-destination 10.2.0.1;filter|-A INPUT -j DROP;"
                        "filter|-A FORWARD -j DROP",
    "DNAT ends the table": "nat|-A PREROUTING -d 10.3.0.1/32 -j DNAT --to-destination 10.2.0.3;"
                           "nat|-A PREROUTING -j DNAT --to-destination 10.2.0.4",
    "SNAT and MASQUERADE": "nat|-A POSTROUTING -p tcp -j SNAT --to-source 10.9.0.9;nat|-A POSTROUTING -p udp -j MASQUERADE",
    "NETMAP": "nat|-A PREROUTING -d 10.3.0.0/24 -j NETMAP --to 10.2.0.0/24;nat|-A POSTROUTING -j NETMAP --to 10.9.0.0/24",
    "NOTRACK": "raw|-A PREROUTING -p tcp -j NOTRACK;nat|-A PREROUTING -j DNAT --to-destination 10.2.0.4;"
               "filter|-A FORWARD -m conntrack --ctstate UNTRACKED -j DROP;filter|-A FORWARD -m conntrack --ctstate NEW",
    "before tracking there is no connection": "raw|-A PREROUTING -m conntrack --ctstate NEW -j DROP;"
               "raw|-A PREROUTING -m conntrack --ctstate INVALID;raw|-A PREROUTING -m connmark ! --mark 0x1 -j DROP",
    "virtual states": "nat|-A PREROUTING -d 10.3.0.1/32 -j DNAT --to-destination 10.2.0.3;filter|-A FORWARD -m conntrack "
                      "--ctstate DNAT -j DROP;filter|-A FORWARD -m conntrack ! --ctstate SNAT",
    "tuples of connections": "nat|-A PREROUTING -d 10.3.0.1/32 -p tcp -j DNAT --to-destination 10.2.0.3:99;"
        "filter|-A FORWARD -m conntrack --ctorigdst 10.3.0.1;filter|-A FORWARD -m conntrack --ctreplsrc 10.2.0.3;"
        "filter|-A FORWARD -p tcp -m conntrack --ctorigdstport 443;filter|-A FORWARD -p tcp -m conntrack --ctreplsrcport 99;"
        "filter|-A FORWARD -m conntrack --ctstatus NONE;filter|-A FORWARD -m conntrack --ctstatus CONFIRMED;"
        "filter|-A FORWARD -m conntrack --ctdir REPLY;filter|-A FORWARD -m conntrack --ctproto udp",
    "a port only": "nat|-A PREROUTING -p udp -j DNAT --to-destination :99;filter|-A FORWARD -p udp -m udp --dport 99 -j DROP",
    "iprange and multiport": "filter|-A FORWARD -m iprange --dst-range 10.2.0.3-10.3.0.0 -j DROP;filter|-A FORWARD -p tcp "
                             "-m multiport ! --dports 80,100:442 -j DROP;filter|-A FORWARD -p udp -m multiport --ports 81",
    "addrtype": "filter|-A INPUT -m addrtype --dst-type LOCAL;filter|-A FORWARD -m addrtype --dst-type LOCAL -j DROP;"
                "mangle|-A PREROUTING -m addrtype ! --dst-type LOCAL;mangle|-A PREROUTING -m addrtype --src-type LOCAL -j DROP",
    "lengths and times to live": "mangle|-A PREROUTING -m ttl --ttl-eq 64;mangle|-A FORWARD -m ttl --ttl-eq 63;"
        "mangle|-A FORWARD -m length --length 28 -j TTL --ttl-set 9;mangle|-A POSTROUTING -m ttl --ttl-lt 10;"
        "mangle|-A POSTROUTING -m length ! --length 28:40 -j DROP",
    "type of service": "mangle|-A PREROUTING -p tcp -j DSCP --set-dscp-class AF11;mangle|-A PREROUTING -p udp -j TOS "
        "--set-tos 0x10/0x3f;mangle|-A FORWARD -m dscp --dscp 0x0a;mangle|-A FORWARD -m tos --tos 0x10/0x10;"
        "mangle|-A FORWARD -m tos ! --tos 0x00/0xff -m ecn ! --ecn-ip-ect 0 -j DROP",
    "flags and types": "filter|-A FORWARD -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN;filter|-A FORWARD -p tcp -m tcp ! --syn "
        "-j DROP;filter|-A FORWARD -p icmp -m icmp --icmp-type 8/0;filter|-A FORWARD -p icmp -m icmp --icmp-type any -j DROP",
    "addresses of the link": "mangle|-A PREROUTING -m mac --mac-source 02:00:00:00:00:01;"
                             "mangle|-A PREROUTING -m mac ! --mac-source 02:00:00:00:00:01 -j DROP",
    "interfaces": "filter|-A FORWARD -i cli -o srv;filter|-A FORWARD -i c+ ! -o s+ -j DROP;filter|-A FORWARD ! -i cli -j DROP;"
                  "filter|-A FORWARD -i cl;filter|-A INPUT ! -i srv",
    "masks with holes": "filter|-A FORWARD -s 10.0.0.2/255.0.0.255;filter|-A FORWARD ! -d 10.0.0.2/255.0.0.255 -j DROP",
    "targets that look on": "mangle|-A PREROUTING -j NFLOG --nflog-group 5;mangle|-A PREROUTING -j CHECKSUM --checksum-fill;"
        "mangle|-A POSTROUTING -j CLASSIFY --set-class 1:1;mangle|-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS "
        "--set-mss 1000;mangle|-A FORWARD -j AUDIT --type accept;mangle|-A FORWARD -j DROP",
    "a queue that nobody reads": "filter|-A FORWARD -p udp -m udp --dport 81 -m statistic --mode random --probability 0 -j "
                                 "NFQUEUE --queue-num 5;filter|-A FORWARD",
    "recent": "mangle|-A PREROUTING -m recent --set --name seen;mangle|-A PREROUTING -m recent --rcheck --name seen;"
              "mangle|-A FORWARD -m recent ! --rcheck --name seen -j DROP",
    "nat where nothing wants connections": "nat|-A PREROUTING -j MARK --set-mark 0x5;nat|-A PREROUTING -j ACCEPT;"
                                           "filter|-A FORWARD -m mark --mark 0x5 -j DROP",
    "certain chances": "filter|-A FORWARD -m statistic --mode random --probability 1;"
                       "filter|-A FORWARD -m statistic --mode random ! --probability 1 -j DROP",
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_trap_does_what_is_predicted(backend: str) -> None:
    with wire(backend) as lab:
        port = 2000
        for name, rules in TRAPS.items():
            # What the router itself answers is dropped before it counts elsewhere.
            lab.router.load(dump_of(f"{rules};raw|-A OUTPUT -j DROP"))
            before = iptviz.load(lab.router.save("-c").encode())
            for destination, protocol, dport in PACKETS:
                port += 1
                before, trouble = compare(lab, Sent(destination, protocol, port, dport), before)
                assert not trouble, f"{name}: {trouble}"


# What the node itself sends: the interface is that of before nat in OUTPUT, that of after it in POSTROUTING;
# what goes to the node itself comes back in by lo with its connection, and nat is not asked again.
SENT_OUT = """*nat
-A OUTPUT -d 10.3.0.1/32 -p udp -j DNAT --to-destination 10.1.0.2
-A OUTPUT -d 10.3.0.2/32 -p udp -j DNAT --to-destination 10.1.0.1
-A PREROUTING -p udp
-A INPUT -p udp
-A POSTROUTING -o lo -p udp
COMMIT
*raw
-A PREROUTING -i lo -p udp -m conntrack --ctstate NEW
-A PREROUTING -p udp -m conntrack --ctstatus CONFIRMED
-A PREROUTING -i lo -p udp -j CT --notrack
-A PREROUTING -i lo -p udp -m conntrack --ctstate UNTRACKED
-A OUTPUT -p udp -m conntrack --ctstatus CONFIRMED
-A OUTPUT -o srv
COMMIT
*mangle
-A PREROUTING -i lo -p udp -m conntrack --ctstate NEW
-A PREROUTING -i lo -p udp -m conntrack ! --ctstatus CONFIRMED
-A OUTPUT -p udp -m conntrack --ctstatus CONFIRMED
-A POSTROUTING -p udp -m conntrack --ctstatus CONFIRMED
-A INPUT -i lo -p udp -m conntrack --ctstatus SEEN_REPLY,CONFIRMED
-A OUTPUT -p udp -j MARK --set-mark 0x9
-A INPUT -i lo -p udp -m mark --mark 0x9
-A POSTROUTING -o srv
-A POSTROUTING -o cli
-A POSTROUTING -o lo -p udp
COMMIT
*filter
-A OUTPUT -o srv
-A OUTPUT -o cli
-A OUTPUT -o lo -p udp
-A INPUT -i lo -p udp -j DROP
COMMIT
"""
ROUTES = "default via 10.2.0.2 dev srv\n10.1.0.0/24 dev cli\n10.2.0.0/24 dev srv\n"


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_the_node_sends_leaves_by_its_route_or_comes_back(backend: str, tmp_path: Path) -> None:
    routes = tmp_path / "routes"
    routes.write_text(ROUTES)
    with wire(backend) as lab:
        lab.router.load(SENT_OUT)
        before = iptviz.load(lab.router.save("-c").encode())
        for number, destination in enumerate(["10.2.0.2", "10.3.0.1", "10.3.0.2", "10.2.0.1", "10.1.0.2"]):
            sent = Sent(destination, "udp", 5000 + number, 80, source="10.2.0.1")
            there, back = lab.send_out(sent)
            after = iptviz.load(lab.router.save("-c").encode())
            result = iptviz.packet(after, **asked(sent, out_iface=None, routes=str(routes)))
            seen = there or back
            trouble = trouble_with(sent, result.outcomes, matched(before, after), seen)
            assert not trouble, trouble
            before = after


ANSWERS = [
    ("tcp", "tcp-reset", ("tcp", FLAGS["RST"] | FLAGS["ACK"], None)),
    ("udp", "icmp-port-unreachable", ("icmp", 0, (3, 3))),
    ("udp", "icmp-host-prohibited", ("icmp", 0, (3, 10))),
    ("tcp", "icmp-admin-prohibited", ("icmp", 0, (3, 13))),
    ("udp", "icmp-net-unreachable", ("icmp", 0, (3, 0))),
]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_refusal_is_answered_as_it_says(backend: str) -> None:
    with wire(backend) as lab:
        for number, (protocol, kind, expected) in enumerate(ANSWERS):
            lab.router.load(f"*filter\n-A FORWARD -p {protocol} -j REJECT --reject-with {kind}\nCOMMIT\n")
            sent = Sent("10.2.0.2", protocol, 3000 + number, 80)
            (outcome,) = iptviz.packet(iptviz.load(lab.router.save().encode()), **asked(sent)).outcomes
            assert outcome.verdict == "REJECT"
            there, back = lab.send(sent)
            assert there is None
            assert back is not None
            assert (back.protocol, back.flags, back.icmp) == expected


NTH = (
    "*filter\n"
    "-A FORWARD -m statistic --mode nth --every 3 --packet 0 -j DROP\n"
    "-A FORWARD -m statistic --mode nth --every 2 --packet 0 -j ACCEPT\n"
    "-A FORWARD -m statistic --mode nth ! --every 4 --packet 0 -j DROP\n"
    "COMMIT\n"
)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_in_every_n_is_exact_over_full_turns(backend: str) -> None:
    with wire(backend) as lab:
        lab.router.load(NTH)
        before = iptviz.load(lab.router.save("-c").encode())
        sents = [Sent("10.2.0.2", "udp", 4000 + number, 80) for number in range(120)]
        result = iptviz.packet(before, **asked(sents[0]))
        for sent in sents:
            lab.send(sent)
        counts = matched(before, iptviz.load(lab.router.save("-c").encode()))
    by_rule = {one.by.number if one.by else 0: one.share for one in result.outcomes if one.verdict == "DROP"}
    assert by_rule == {1: Fraction(1, 3), 3: Fraction(1, 4)}
    assert {number: 120 * share for number, share in by_rule.items()} == {
        number: counts["filter", "FORWARD", number] for number in by_rule
    }


# What is for many: broadcasts and what is for all hosts go to INPUT, another group's packets nowhere.
FOR_MANY = """filter|-A INPUT -d 255.255.255.255/32;filter|-A INPUT -m addrtype --dst-type LOCAL;
filter|-A INPUT -m addrtype --dst-type BROADCAST;filter|-A INPUT -m addrtype --dst-type MULTICAST;
filter|-A INPUT -p udp;filter|-A FORWARD -p udp""".replace("\n", "")


def counts_of(dump: iptviz.Dump) -> list[int]:
    chains = dump.tables["filter"].chains
    rules = (*chains["INPUT"].rules, *chains["FORWARD"].rules)
    return [rule.counters.packets if rule.counters else 0 for rule in rules]


@pytest.mark.parametrize("backend", BACKENDS)
def test_broadcasts_and_groups_are_delivered_or_dropped(backend: str) -> None:
    with wire(backend) as lab:
        lab.router.load(dump_of(f"{FOR_MANY};raw|-A OUTPUT -j DROP"))
        before = iptviz.load(lab.router.save("-c").encode())
        for port, destination in enumerate(("255.255.255.255", "224.0.0.1"), 3000):
            before, trouble = compare(lab, Sent(destination, "udp", port, 9), before)
            assert not trouble, f"{destination}: {trouble}"
        assert counts_of(before) == [1, 0, 1, 1, 2, 0]
        for port, destination in enumerate(("239.1.2.3", "224.0.0.77"), 3002):
            sent = Sent(destination, "udp", port, 9)
            assert lab.send(sent)[0] is None
            joined, other = iptviz.packet(before, **asked(sent)).outcomes
            assert [need.text for need in joined.when] == [f"this node has joined {destination}"]
            assert (joined.verdict, other.verdict) == ("ACCEPT", "DROP")
        assert counts_of(iptviz.load(lab.router.save("-c").encode())) == counts_of(before)


@pytest.mark.parametrize("backend", BACKENDS)
def test_so_it_is_with_groups_of_ipv6(backend: str) -> None:
    def to_group(destination: str, port: int) -> Sent:
        return in_other_family(Sent("10.2.0.2", "udp", port, 9))._replace(destination=destination)

    rules = dump_of("filter|-A INPUT -p udp;filter|-A FORWARD -p udp;raw|-A OUTPUT -j DROP")
    with wire(backend, 6) as lab:
        lab.router.load(rules)
        before = iptviz.load(lab.router.save("-c").encode())
        before, trouble = compare(lab, to_group("ff02::1", 3000), before)
        assert not trouble, trouble
        assert counts_of(before) == [1, 0]
        sent = to_group("ff05::77", 3001)
        assert lab.send(sent)[0] is None
        joined, other = iptviz.packet(before, **asked(sent)).outcomes
        assert (joined.verdict, other.verdict) == ("ACCEPT", "DROP")
        assert counts_of(iptviz.load(lab.router.save("-c").encode())) == [1, 0]
