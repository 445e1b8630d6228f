"""What matches say of packets of which more is known, and of those of which nothing is."""

from __future__ import annotations

from fractions import Fraction

import pytest

from iptviz.dump.model import Dump
from iptviz.engine.assume import read_assumption
from iptviz.engine.condition import clauses
from iptviz.engine.host import Host
from iptviz.engine.marks import known_mark
from iptviz.engine.matching import rule_truth
from iptviz.engine.meanings.table import MEANINGS
from iptviz.engine.packet import ConnectionTuple, Listing, Packet, Past
from iptviz.errors import PacketError
from iptviz.grammar.reader import take_apart
from iptviz.rules.iptables import compiled
from iptviz.rules.reading.table import MATCHES
from iptviz.rules.unprinted import AS_PRINTED, CHANCE_LOST, MARK, NODE_PORT, PORT
from iptviz.xtables.address import Network, parse_network


def network(text: str) -> Network:
    found = parse_network(text)
    assert found is not None
    return found


SYN = Packet(
    "tcp", network("10.96.0.10"), 80, source=network("10.244.0.9"), source_port=40000, in_interface="cni0",
    out_interface="", mark=known_mark(0x4001), connmark=known_mark(0x10), tcp_flags=frozenset({"SYN"}),
    length=60, ttl=64, tos=0x2D, mac="02:00:00:00:00:01", packet_type="unicast", owner=(1000, 100),
)  # fmt: skip
CHANGED = SYN.with_bytes(7, "tcp_options")
LISTED = SYN._replace(
    listed=(Listing("X", ("", network("10.244.0.9"), None), 0xFFFFFFFF, seen=1, afresh=False, ttl=64),)
)
PING = Packet("icmp", network("10.96.0.10"), icmp_type=(8, 0), source=network("10.244.0.0/16"))
UNKNOWN = Packet(state=None)
DONE = SYN._replace(
    destination=network("10.244.1.17"),
    dnat="10.244.1.17:80",
    statuses=frozenset({"DNAT"}),
    original=ConnectionTuple(SYN.source, SYN.destination, 40000, 80),
)
NOBODY = SYN._replace(owner=None)
PASSING = NOBODY._replace(route="FORWARD")
OWN = SYN._replace(route="OUTPUT", in_interface="", mac=None)
BACK_BY_LO = OWN._replace(route="INPUT", in_interface="lo")
UNTRACKED = SYN._replace(state="UNTRACKED")
LATER = SYN._replace(state="ESTABLISHED")
LOCAL = Host(local=frozenset({network("192.168.1.10")}))
CONNECTED = "connection state is not INVALID,UNTRACKED"
SIX = Packet("ipv6-icmp", network("fd00::1"), icmp_type=(128, 0))
GROUPS = SIX._replace(destination=network("fe00::/7"))

CASES: list[tuple[str, Packet, bool | str | Fraction]] = [
    ("-s 10.244.0.0/16", SYN, True),
    ("! -s 10.244.0.9/32", SYN, False),
    ("-s 10.244.0.0/24", PING, "source in 10.244.0.0/24"),
    ("-s 10.0.0.0/8", PING, True),
    ("-d 10.96.0.10", SYN, True),
    ("-f", SYN, False),
    ("! -s 10.0.0.0/255.0.0.255", PING, "source not in 10.0.0.0/255.0.0.255"),
    ("-i cni+", SYN, True),
    ("-i cni", SYN, False),
    ("! -i eth0", SYN, True),
    ("-o eth0", SYN, False),
    ("! -o eth0", SYN, True),
    ("-o +", SYN, True),
    ("-i +", UNKNOWN, True),
    ("-p tcp", UNKNOWN, "protocol is tcp"),
    ("-p tcp -m tcp --sport 40000", SYN, True),
    ("-p tcp -m tcp --sport 0:65535", UNKNOWN._replace(protocol="tcp"), True),
    ("-p tcp -m tcp --sport 1024:2000", UNKNOWN._replace(protocol="tcp"), "source port 1024:2000"),
    ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", SYN, True),
    ("-p tcp -m tcp --syn", SYN, True),
    ("-p tcp -m tcp ! --syn", SYN, False),
    ("-p tcp -m tcp --tcp-flags ALL NONE", SYN, False),
    ("-p tcp -m tcp --tcp-flags SYN,ACK SYN,ACK", SYN, False),
    ("-p tcp -m tcp --tcp-option 5", SYN, "packet matches -m tcp --tcp-option 5"),
    ("-p tcp -m multiport --dports 79,80", SYN, True),
    ("-p tcp -m multiport --sports 79,80", SYN, False),
    ("-p tcp -m multiport --ports 40000:40001", SYN, True),
    ("-p tcp -m multiport ! --ports 81", SYN, True),
    ("-p tcp -m multiport --ports 81", SYN._replace(source_port=None), "packet matches -m multiport --ports 81"),
    ("-p icmp -m icmp --icmp-type 8", PING, True),
    ("-p icmp -m icmp --icmp-type echo-request", PING, True),
    ("-p icmp -m icmp --icmp-type 8/1", PING, False),
    ("-p icmp -m icmp --icmp-type any", PING, True),
    ("-p icmp -m icmp ! --icmp-type 0", PING, True),
    ("-p icmp -m icmp --icmp-type 3/4", PING._replace(icmp_type=(3, None)), "packet matches -m icmp --icmp-type 3/4"),
    ("-p ipv6-icmp -m icmp6 --icmpv6-type 128", SIX, True),
    ("-m length --length 60", SYN, True),
    ("-m length --length 61:", SYN, False),
    ("-m length ! --length 0:59", SYN, True),
    ("-m length ! --length 0:59", UNKNOWN, "length is not 0:59"),
    ("-m ttl --ttl-eq 64", SYN, True),
    ("-m ttl --ttl-lt 64", SYN, False),
    ("-m ttl --ttl-gt 63", SYN, True),
    ("-m hl --hl-eq 64", UNKNOWN, "time to live is 64"),
    ("-m dscp --dscp 0x0b", SYN, True),
    ("-m dscp --dscp-class EF", SYN, False),
    ("-m dscp --dscp-class AF11", SYN._replace(tos=0x28), True),
    ("-m tos --tos 0x2d/0xff", SYN, True),
    ("-m tos --tos Minimize-Delay", SYN, False),
    ("-m ecn --ecn-ip-ect 1", SYN, True),
    ("-m ecn --ecn-tcp-cwr", SYN, "packet matches -m ecn --ecn-tcp-cwr"),
    ("-m mac --mac-source 02:00:00:00:00:01", SYN, True),
    ("-m mac --mac-source 02:00:00:00:00:02", SYN, False),
    ("-m mac --mac-source 02:00:00:00:00:01", BACK_BY_LO, False),
    ("-m mac ! --mac-source 02:00:00:00:00:01", BACK_BY_LO, False),
    ("-m pkttype --pkt-type unicast", SYN, True),
    ("-m pkttype --pkt-type multicast", UNKNOWN, "packet matches -m pkttype --pkt-type multicast"),
    ("-m owner --uid-owner 1000", SYN, True),
    ("-m owner --uid-owner 0-999", SYN, False),
    ("-m owner --gid-owner 100", SYN, True),
    ("-m owner --gid-owner 100 --suppl-groups", SYN, True),
    ("-m owner ! --gid-owner 100 --suppl-groups", SYN, False),
    ("-m owner --gid-owner 7 --suppl-groups", SYN, "packet matches -m owner --gid-owner 7 --suppl-groups"),
    ("-m owner ! --gid-owner 7 --suppl-groups", SYN, "packet does not match -m owner --gid-owner 7 --suppl-groups"),
    ("-m owner --uid-owner 7 --gid-owner 7 --suppl-groups", SYN, False),
    ("-m owner ! --gid-owner 7 --suppl-groups", PASSING, False),
    ("-m owner ! --gid-owner 7", PASSING, True),
    ("-m owner --socket-exists", SYN, True),
    ("-m owner --socket-exists", NOBODY, "packet matches -m owner --socket-exists"),
    ("-m owner --uid-owner 0", NOBODY, "packet matches -m owner --uid-owner 0"),
    ("-m owner --uid-owner 0", PASSING, False),
    ("-m owner ! --uid-owner 0", PASSING, True),
    ("-m owner --socket-exists", PASSING, False),
    ("-m iprange --src-range 10.244.0.1-10.244.0.20", SYN, True),
    ("-m iprange --src-range 10.244.0.10-10.244.0.20", SYN, False),
    ("-m iprange --src-range 10.244.0.0-10.244.0.20", PING, "source in 10.244.0.0-10.244.0.20"),
    ("-m iprange --dst-range 10.0.0.0-10.255.255.255", PING, True),
    ("-m iprange --dst-range fd00::1-fd00::9", SIX, True),
    ("-m addrtype --dst-type LOCAL", SYN, False),
    ("-m addrtype --dst-type LOCAL", SYN._replace(destination=network("192.168.1.10")), True),
    ("-m addrtype --dst-type LOCAL", SYN._replace(destination=network("127.0.0.2")), True),
    ("-m addrtype --src-type LOCAL", SYN._replace(source=network("192.168.1.10")), True),
    ("-m addrtype --dst-type MULTICAST", SYN._replace(destination=network("224.0.0.1")), True),
    ("-m addrtype --dst-type BROADCAST", SYN._replace(destination=network("255.255.255.255")), True),
    ("-m addrtype --dst-type UNICAST", SYN, "destination is of type UNICAST"),
    ("-m addrtype --dst-type BLACKHOLE,UNREACHABLE,PROHIBIT", SYN, False),
    ("-m addrtype --dst-type UNICAST,THROW", SYN, "destination is of type UNICAST"),
    ("-m addrtype --dst-type UNICAST", SIX, True),
    ("-m addrtype ! --dst-type UNICAST", SIX, False),
    ("-m addrtype --dst-type MULTICAST", SIX, False),
    ("-m addrtype --dst-type LOCAL,MULTICAST", SIX, False),
    ("-m addrtype --dst-type UNICAST,MULTICAST", SIX, False),
    ("-m addrtype --dst-type UNICAST,UNREACHABLE", SIX, "destination is of type UNREACHABLE"),
    ("-m addrtype --dst-type ANYCAST", SIX, "destination is of type ANYCAST"),
    ("-m addrtype --dst-type UNICAST", GROUPS, "destination not in ::/128,::ffff:0.0.0.0/96,ff00::/8"),
    ("-m addrtype ! --dst-type MULTICAST", GROUPS, "destination not in ff00::/8"),
    ("-m addrtype --dst-type UNICAST,UNREACHABLE", GROUPS,
     "packet matches -m addrtype --dst-type UNICAST,UNREACHABLE"),
    ("-m addrtype --dst-type LOCAL --limit-iface-in", SYN, False),
    ("-m addrtype ! --dst-type LOCAL --limit-iface-in", SYN, True),
    ("-m addrtype --dst-type MULTICAST --limit-iface-in", SYN._replace(destination=network("224.0.0.1")), True),
    ("-m addrtype ! --dst-type LOCAL --limit-iface-in", SYN._replace(destination=network("192.168.1.10")),
     "packet does not match -m addrtype --dst-type LOCAL --limit-iface-in"),
    ("-m addrtype --dst-type LOCAL --limit-iface-in", SYN._replace(destination=network("127.0.0.1")), False),
    ("-m addrtype --dst-type UNICAST --limit-iface-in", SYN._replace(destination=network("127.0.0.1")), True),
    ("-m addrtype --src-type LOCAL --dst-type LOCAL --limit-iface-in", SYN,
     "packet matches -m addrtype --src-type LOCAL --dst-type LOCAL --limit-iface-in"),
    ("-m mark --mark 0x4001", SYN, True),
    ("-m mark --mark 0x4000/0x4000", SYN, True),
    ("-m mark ! --mark 0x4000/0x4000", SYN, False),
    ("-m mark --mark 0x8000/0x4000", SYN, False),
    ("-m connmark --mark 0x10/0xff", SYN, True),
    ("-m connmark ! --mark 0x10/0xff", UNTRACKED, False),
    ("-m connmark --mark 0x10", UNKNOWN, f"{CONNECTED} and connection mark is 0x10"),
    ("-m connmark ! --mark 0x10", UNKNOWN, f"{CONNECTED} and connection mark is not 0x10"),
    ("-m connmark --mark 0x0/0x0", UNKNOWN, CONNECTED),
    ("-m connmark ! --mark 0x0/0x0", UNKNOWN, False),
    ("-m connmark --mark 0x10", LATER._replace(connmark=UNKNOWN.connmark), "connection mark is 0x10"),
    ("-m conntrack --ctstate NEW", UNKNOWN, "connection state is NEW"),
    ("-m conntrack --ctstate RELATED,ESTABLISHED", SYN, False),
    ("-m conntrack --ctstate DNAT", SYN, False),
    ("-m conntrack --ctstate DNAT", DONE, True),
    ("-m conntrack ! --ctstate SNAT", DONE, True),
    ("-m conntrack --ctstate DNAT", LATER, "packet matches -m conntrack --ctstate DNAT"),
    ("-m conntrack --ctstate UNTRACKED --ctorigsrc 1.2.3.4", UNTRACKED, True),
    ("-m conntrack --ctorigsrc 10.244.0.9", UNTRACKED, False),
    ("-m state --state UNTRACKED", UNTRACKED, True),
    ("-m conntrack --ctdir ORIGINAL", SYN, True),
    ("-m conntrack --ctorigdst 10.96.0.10", DONE, True),
    ("-m conntrack --ctreplsrc 10.244.1.17", DONE, True),
    ("-m conntrack --ctorigdstport 80", DONE, True),
    ("-m conntrack --ctreplsrcport 81", DONE, False),
    ("-m conntrack --ctorigdst 10.96.0.10", LATER, "packet matches -m conntrack --ctorigdst 10.96.0.10"),
    ("-m conntrack --ctstatus ASSURED", SYN, False),
    ("-m conntrack --ctstatus SEEN_REPLY", LATER, True),
    ("-m conntrack --ctproto 6", SYN, True),
    ("-m conntrack --ctproto 1", Packet(state="RELATED", protocol="icmp"), "packet matches -m conntrack --ctproto 1"),
    ("-m conntrack --ctproto 17", Packet(state="RELATED", protocol="icmp", past=Past(protocol="udp")), True),
    ("-m conntrack --ctexpire 5", SYN, "packet matches -m conntrack --ctexpire 5"),
    ("-m recent --set --name X", SYN, True),
    ("-m recent --rcheck --name X", LISTED, True),
    ("-m recent --rcheck --seconds 9 --rttl --name X", LISTED, True),
    ("-m recent --rcheck --rttl --name X", LISTED._replace(ttl=63), False),
    ("-m recent --rcheck --rttl --name X", LISTED._replace(ttl=63, route="FORWARD"), True),
    ("-m recent --rcheck --hitcount 2 --name X", LISTED,
     "source is in the recent list X (--hitcount 2) at line 2"),
    ("-m recent --rcheck --hitcount 2 --name X",
     LISTED._replace(listed=(LISTED.listed[0]._replace(afresh=True),)), False),
    ("-m recent --rcheck --name X --rdest", LISTED, "source is in the recent list X (--rdest) at line 2"),
    ("-m recent --rcheck --name X", LISTED._replace(source=network("10.244.0.8")),
     "source is in the recent list X at line 2"),
    ("-m recent --rcheck --name X", LISTED._replace(source=None), "source is in the recent list X at line 2"),
    ("-m recent --rcheck --name X", LISTED._replace(listed=(LISTED.listed[0]._replace(seen=0, afresh=True),)), False),
    ("-m statistic --mode nth --every 4 --packet 0", SYN, Fraction(1, 4)),
    ("-m statistic --mode nth ! --every 4 --packet 0", SYN, Fraction(3, 4)),
    ("-m statistic --mode nth --every 4 --packet 0", SYN._replace(counted="counted"),
     "statistic mode nth every 4 packet 0 at line 2 takes the packet"),
    ("-m limit --limit 3/hour", SYN, "limit 3/hour at line 2 is not exceeded"),
    ("-m hashlimit --hashlimit-above 3/sec --hashlimit-name x", SYN,
     "hashlimit-above 3/sec hashlimit-name x at line 2 is exceeded"),
    ("-m connlimit --connlimit-above 5", SYN, "packet matches -m connlimit --connlimit-above 5 at line 2"),
    ("-m quota --quota 5", SYN, "quota 5 at line 2 is not used up"),
    ("-m time --timestart 08:00", SYN, "now is timestart 08:00"),
    ("-m physdev --physdev-is-in", SYN, "input is a bridge port"),
    ("-m physdev --physdev-is-in", OWN, False),
    ("-m physdev ! --physdev-is-in", BACK_BY_LO, True),
    ("-m physdev --physdev-is-bridged", OWN, False),
    ("-m physdev ! --physdev-in eth0", OWN, True),
    ("-m set --match-set A dst", DONE, "packet is in ipset A dst (rewritten to 10.244.1.17:80)"),
    ("-m string --algo bm --string x", SYN, "packet matches -m string --algo bm --string x"),
    ('-m u32 ! --u32 "0>>22=1"', SYN, "packet matches -m u32 ! --u32 0>>22=1"),
    ("-m bpf --bytecode 1,6", DONE, "packet matches -m bpf --bytecode 1,6 (rewritten to 10.244.1.17:80)"),
    ('-m u32 --u32 "5&0xff=0x40"', PASSING, "packet matches -m u32 --u32 5&0xff=0x40 (forwarded)"),
    ("-m string --algo bm --string x", PASSING, "packet matches -m string --algo bm --string x"),
    ('-m u32 --u32 "0=1"', CHANGED, "packet matches -m u32 --u32 0=1 (as line 7 left it)"),
    ("-m tcpmss ! --mss 1:500", SYN, "packet does not match -m tcpmss --mss 1:500"),
    ("-m tcpmss --mss 1:500", CHANGED, "packet matches -m tcpmss --mss 1:500 (as line 7 left it)"),
    ("-m ecn --ecn-tcp-ece", CHANGED, "packet matches -m ecn --ecn-tcp-ece (as line 7 left it)"),
    ("-p tcp -m tcp --tcp-option 2", CHANGED, "packet matches -m tcp --tcp-option 2 (as line 7 left it)"),
    ("-m mac --mac-source 02:00:00:00:00:01", SYN._replace(in_interface="lo"), False),
    ("-m mac ! --mac-source 02:00:00:00:00:01", SYN._replace(in_interface="lo"), False),
    ("-m comment --comment x", UNKNOWN, True),
    ("-m nfacct --nfacct-name localhost_nps_accepted_pkts", UNKNOWN, True),
    ("-m nfacct --nfacct-name x", SYN, "packet matches -m nfacct --nfacct-name x"),
    ("-p udp -m udp --dport 80", SYN._replace(protocol="udp"), True),
    ("-p udplite -m udplite --dport 81", SYN._replace(protocol="udplite"), False),
    ("-p sctp -m sctp --dport 80", SYN._replace(protocol="sctp"), True),
    ("-p dccp -m dccp --dport 80", SYN._replace(protocol="dccp"), True),
    ("-m conntrack --ctorigdstport 80", SYN, True),
    ("-m conntrack --ctorigdstport 80", SYN._replace(protocol="dccp"), "packet matches -m conntrack --ctorigdstport 80"),
    ("-p tcp -m tcp --dport 0120", SYN, True),
    ("-p dccp -m dccp --dport 0120", SYN._replace(protocol="dccp"), False),
    ("-p tcp -m multiport --dports 0x50", SYN, True),
    ("-m pkttype --pkt-type host", SYN, True),
    ("-m tos --tos Minimize-Cost/0x02", SYN, "packet matches -m tos --tos Minimize-Cost/0x02"),
    ("-p tcp -m tcp --tcp-flags SYN,FLAG SYN", SYN, "packet matches -m tcp --tcp-flags SYN,FLAG SYN"),
    ("-m statistic --mode random --probability 1", SYN, True),
]  # fmt: skip


@pytest.mark.parametrize(("text", "packet", "expected"), CASES)
def test_a_match_says_what_the_kernel_says(
    text: str, packet: Packet, expected: bool | str | Fraction
) -> None:
    (rule,) = Dump(f"*filter\n-A CHAIN {text}\nCOMMIT\n".encode()).tables["filter"].rules_of("CHAIN")
    chance, needs = rule_truth(compiled(rule), packet, LOCAL)
    if isinstance(expected, str):
        assert (clauses(needs), chance) == (expected, Fraction(1))
        for need in needs:
            assert read_assumption(need.text) == need
            assert read_assumption(f"not {need.text}") == need.opposite()
    else:
        assert (chance, needs) == (Fraction(expected), ())


@pytest.mark.parametrize(("text", "expected"), [("-p 60", 0), ("! -p 44", 1)])
def test_no_protocol_of_ipv6_is_an_extension_header(text: str, expected: int) -> None:
    (rule,) = Dump(f"*filter\n-A CHAIN {text}\nCOMMIT\n".encode()).tables["filter"].rules_of("CHAIN")
    assert rule_truth(compiled(rule), UNKNOWN, Host(version=6)) == (Fraction(expected), ())


def test_no_row_is_untested() -> None:
    parts = [take_apart(f"-A CHAIN {text}") for text, _, _ in CASES]
    assert {match.name for one in parts for match in one.matches} >= set(MATCHES)
    dump = Dump("".join(["*filter\n", *(f"-A CHAIN {text}\n" for text, _, _ in CASES)]).encode())
    tests = [test for rule in dump.tables["filter"].rules() for test in compiled(rule).tests]
    inner = {test.operand.test.kind for test in tests if test.kind == "tracked"}
    lost = {PORT, NODE_PORT, MARK, CHANCE_LOST, AS_PRINTED}  # what tests/questions/test_unprinted.py asks
    native = {"changing-set", "listener", "merged"}  # what tests/rules/test_nftables.py asks
    native |= {"both-ports"}  # and test_both_ports.py beside it
    assert {test.kind for test in tests} | inner | lost | native == set(MEANINGS)


@pytest.mark.parametrize("text", ["", "the moon is full", "source", "source of type"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(PacketError, match="unknown condition"):
        read_assumption(text)
