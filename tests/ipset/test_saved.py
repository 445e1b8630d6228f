"""Sets: what `ipset save` prints, and which packets are in them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.errors import DumpError
from iptviz.ipset.blocks import Block, Level, full, spanning
from iptviz.ipset.saved import Subject, read_ipsets
from iptviz.xtables.address import Network, parse_network

SETS = """\
create hosts hash:ip family inet hashsize 1024 maxelem 65536 timeout 300 counters comment skbinfo bucketsize 12
add hosts 10.0.0.1 timeout 5 packets 3 bytes 4 comment "10.0.0.3 nomatch" skbmark 0x10/0xffff skbprio 1:10
add hosts 10.0.1.0/30
add hosts 10.0.2.6-10.0.2.1
create masked hash:ip family inet netmask 24
add masked 10.0.5.77
create macs hash:mac
add macs 02:fc:00:00:00:01
create ipmacs bitmap:ip,mac range 10.0.0.0-10.0.0.255
add ipmacs 10.0.0.1,02:FC:00:00:00:01
add ipmacs 10.0.0.2
create hashmacs hash:ip,mac
add hashmacs 10.0.0.1,2:fc:0:0:0:1
create marks hash:ip,mark family inet markmask 0x000000ff
add marks 10.0.0.1,0x00000063
add marks 10.0.0.2,1-5
create ports bitmap:port range 0-1000
add ports 80-90
add ports tcp:443
create nets hash:net
add nets 10.0.0.0/8
add nets 10.1.0.0/16 nomatch comment "all of it"
add nets 10.1.2.0/24
create pairs hash:net,net
add pairs 10.0.0.0/8,192.168.0.0/16
add pairs 10.1.0.0/16,192.168.0.0/16 nomatch
add pairs 10.0.0.0/8,192.168.7.0/24 nomatch
create services hash:ip,port
add services 10.0.0.1,80
add services 10.0.0.1,icmp:8/0
add services 10.0.0.1,icmp:echo-reply
add services 10.0.0.1,gre:0
add services 10.0.0.2,udp:80-90
create flows hash:ip,port,ip
add flows 10.0.0.1,tcp:80,10.0.0.9
create netflows hash:net,port,net
add netflows 10.0.0.0/8,tcp:80,192.168.0.0/16
add netflows 10.0.0.0/8,tcp:80,192.168.7.0/24 nomatch
create devices hash:net,iface
add devices 10.0.0.0/8,eth0
add devices 10.1.0.0/16,eth1
add devices 10.2.0.0/16,physdev:eth1
add devices 0.0.0.0/0,ppp wildcard
create six hash:net family inet6
add six fd00::/8
add six fd00:1::/64 nomatch
create all hash:net,iface
add all 0.0.0.0/0,eth0
create empty hash:ip
create list list:set size 8
add list six
add list nets
add list services
create lost list:set
add lost nets
add lost gone
COMMIT
"""
A1, A2, A3 = (parse_network(f"10.0.0.{last}") for last in (1, 2, 3))
MAC, OTHER = "02:fc:00:00:00:01", "02:fc:00:00:00:02"


def web(source: str | None, destination: str | None = None, **known: Any) -> Subject:
    return Subject(parse_network(source or ""), parse_network(destination or ""), **known)


# set and directions, packet, answer
CASES: list[tuple[str, Subject, bool | None]] = [
    # addresses
    ("hosts src", web("10.0.0.1"), True),
    ("hosts dst", web("10.0.0.1"), None),
    ("hosts dst", web("10.0.0.1", "10.0.0.7"), False),
    ("hosts src", web("10.0.0.3"), False),
    ("hosts src", web("10.0.1.3"), True),
    ("hosts src", web("10.0.1.4"), False),
    ("hosts src", web("10.0.2.6"), True),
    ("hosts src", web("10.0.2.7"), False),
    ("hosts src", web("10.0.1.0/30"), True),
    ("hosts src", web("10.0.1.0/29"), None),
    ("hosts src", web("10.7.0.0/16"), False),
    ("hosts src", web("fd00::1"), False),
    ("hosts src", Subject(), None),
    ("hosts src,dst,src", web("10.0.0.1"), True),
    ("empty src", Subject(), False),
    ("masked src", web("10.0.5.1"), True),
    ("masked src", web("10.0.5.0/25"), True),
    ("masked src", web("10.0.6.1"), False),
    # MAC addresses
    ("macs src", Subject(mac=MAC), True),
    ("macs src", Subject(mac=OTHER), False),
    ("macs src", Subject(), None),
    ("macs dst", Subject(mac=MAC), None),
    ("ipmacs src,src", web("10.0.0.1", mac=MAC.upper()), True),
    ("ipmacs src,src", web("10.0.0.1", mac=OTHER), False),
    ("ipmacs src,src", web("10.0.0.1"), None),
    ("ipmacs src,src", web("10.0.0.2", mac=OTHER), True),
    ("ipmacs src,src", web("10.0.0.2"), None),
    ("ipmacs src,src", web("10.0.0.3"), False),
    ("hashmacs src,src", web("10.0.0.1", mac=MAC), True),
    # marks
    ("marks src,src", web("10.0.0.1", mark=0x163), True),
    ("marks src,src", web("10.0.0.1", mark=0x64), False),
    ("marks src,src", web("10.0.0.2", mark=5), True),
    ("marks src,src", web("10.0.0.2", mark=6), False),
    ("marks src,src", web("10.0.0.1"), None),
    # ports
    ("ports dst", web(None, protocol="tcp", destination_port=80), True),
    ("ports dst", web(None, protocol="udp", destination_port=443), True),
    ("ports dst", web(None, protocol="sctp", destination_port=80), False),
    ("ports dst", web(None, protocol="icmp"), False),
    ("ports dst", web(None, destination_port=80), None),
    ("ports src", web(None, protocol="tcp", destination_port=80), None),
    ("ports dst", web("fd00::1", protocol="6", destination_port=80), True),
    # networks
    ("nets src", web("10.2.0.1"), True),
    ("nets src", web("10.1.0.1"), False),
    ("nets src", web("10.1.2.1"), True),
    ("nets src", web("10.2.0.0/16"), True),
    ("nets src", web("10.1.0.0/16"), None),
    ("nets src", web("10.1.3.0/24"), False),
    ("nets src", web("10.0.0.0/8"), None),
    ("nets src", web("0.0.0.0/0"), None),
    # two networks: the first one's prefix counts before the second one's
    ("pairs src,dst", web("10.2.0.1", "192.168.1.1"), True),
    ("pairs src,dst", web("10.1.0.1", "192.168.1.1"), False),
    ("pairs src,dst", web("10.2.0.1", "192.168.7.1"), False),
    ("pairs dst,src", web("10.2.0.1", "192.168.1.1"), False),
    # protocols and ports
    ("services dst,dst", web(None, "10.0.0.1", protocol="tcp", destination_port=80), True),
    ("services dst,dst", web(None, "10.0.0.1", protocol="udp", destination_port=80), False),
    ("services dst,dst", web(None, "10.0.0.1", protocol="tcp"), None),
    ("services dst,dst", web(None, "10.0.0.2", protocol="tcp"), False),
    ("services dst,src", web(None, "10.0.0.2", protocol="udp", source_port=90), True),
    ("services dst,dst", web(None, "10.0.0.1", protocol="icmp", icmp=(8, 0)), True),
    ("services dst,dst", web(None, "10.0.0.1", protocol="icmp", icmp=(0, 0)), True),
    ("services dst,dst", web(None, "10.0.0.1", protocol="icmp", icmp=(8, 1)), False),
    ("services dst,dst", web(None, "10.0.0.1", protocol="gre"), True),
    ("services dst,dst", web(None, "10.0.0.1", protocol="no-such-protocol"), None),
    ("services dst,dst", web(None, "10.0.0.1", protocol="icmp", icmp=(8, None)), None),
    ("services dst,dst", web(None, "10.0.0.1", protocol="icmp", icmp=(3, None)), False),
    ("services dst", web(None, "10.0.0.1", protocol="tcp", destination_port=80), False),
    ("services dst,dst,src", web(None, "10.0.0.1", protocol="tcp", destination_port=80), True),
    ("flows src,dst,dst", web("10.0.0.1", "10.0.0.9", protocol="tcp", destination_port=80), True),
    ("flows src,dst,src", web("10.0.0.1", "10.0.0.9", protocol="tcp", destination_port=80), False),
    ("netflows src,dst,dst", web("10.9.9.9", "192.168.1.1", protocol="tcp", destination_port=80), True),
    ("netflows src,dst,dst", web("10.9.9.9", "192.168.7.1", protocol="tcp", destination_port=80), False),
    # interfaces: only the most specific network that is there counts
    ("devices src,src", web("10.5.0.1", in_interface="eth0"), True),
    ("devices src,src", web("10.5.0.1", in_interface="eth1"), False),
    ("devices src,src", web("10.1.0.1", in_interface="eth1"), True),
    ("devices src,src", web("10.1.0.1", in_interface="eth0"), False),
    ("devices src,src", web("10.0.0.0/8", in_interface="eth0"), None),
    ("devices src,src", web("10.1.7.0/24", in_interface="eth0"), False),
    ("devices src,src", web("10.1.7.0/24", in_interface="eth1"), True),
    ("devices src,src", web("11.0.0.1", in_interface="ppp7"), True),
    ("devices src,src", web("11.0.0.1", in_interface="pp"), False),
    ("devices src,src", web("11.0.0.1", in_interface=""), False),
    ("devices src,dst", web("11.0.0.1", out_interface="ppp"), True),
    ("devices src,src", web("11.0.0.1"), None),
    ("devices src,src", web("10.2.0.1", in_interface="br0"), None),
    # families
    ("six src", web("fd00:2::1"), True),
    ("six src", web("fd00:1::1"), False),
    ("six src", web("10.0.0.1"), False),
    ("six dst", web("10.0.0.1"), False),
    ("all src,src", web(None, "10.0.0.1", in_interface="eth0"), True),
    ("all src,src", web(None, in_interface="eth0"), None),
    ("all src,src", web(None, in_interface="eth1"), False),
    # lists
    ("list src", web("10.2.0.1"), True),
    ("list src", web("10.1.0.1"), False),
    ("list src,dst", web("10.1.0.1"), False),
    ("list src,src", web("11.0.0.1"), False),
    ("list src,src", web("fd00:2::1"), True),
    ("lost src", web("10.2.0.1"), True),
    ("lost src", web("10.1.0.1"), None),
]


@pytest.mark.parametrize(("question", "subject", "expected"), CASES)
def test_a_packet_is_in_a_set_or_not_or_it_is_not_known(
    question: str, subject: Subject, expected: bool | None
) -> None:
    sets = read_ipsets(SETS, "sets")
    name, _, directions = question.partition(" ")
    assert sets[name].matches(subject, tuple(directions.split(",")), sets) is expected


@pytest.mark.parametrize(
    ("question", "source", "expected"),
    [
        ("nets src", "10.1.0.1", True),
        ("nets src", "10.2.0.1", False),
        ("nets src", "11.0.0.1", False),
        ("nets src", "10.1.3.0/24", True),
        ("nets src", "10.0.0.0/8", None),
        ("hosts src", "10.0.0.1", True),
        ("list src", "10.1.0.1", True),
        ("list src", "10.2.0.1", False),
    ],
)
def test_return_nomatch_turns_it_round(question: str, source: str, expected: bool | None) -> None:
    sets = read_ipsets(SETS, "sets")
    name, _, direction = question.partition(" ")
    assert sets[name].matches(web(source), (direction,), sets, return_nomatch=True) is expected


LISTED = """\
Name: nets
Type: hash:net
Revision: 7
Header: family inet hashsize 1024 maxelem 65536
Size in memory: 696
References: 1
Number of entries: 2
Members:
10.0.0.0/8
10.1.0.0/16 nomatch

Name: macs
Type: hash:mac
Revision: 1
Header: hashsize 1024
Members:
02:fc:00:00:00:01
"""


def test_a_listing_says_the_same_as_what_is_saved() -> None:
    sets = read_ipsets(LISTED, "sets")
    assert set(sets) == {"nets", "macs"}
    sources = ("10.2.0.1", "10.1.0.1", "11.0.0.1")
    assert [sets["nets"].matches(web(source), ("src",), sets) for source in sources] == [True, False, False]
    assert sets["macs"].matches(Subject(mac=MAC), ("src",), sets) is True


def listed(count: int, members: str, header: str = "family inet") -> str:
    return f"Name: s\nType: hash:ip\nHeader: {header}\nNumber of entries: {count}\nMembers:\n{members}"


@pytest.mark.parametrize(
    "text",
    [
        listed(0, ""),
        listed(1, "10.0.0.1\n10.0.0.2\n"),  # one was added meanwhile
        listed(2, "10.0.0.1 timeout 1\n", "family inet timeout 2"),  # one has run out meanwhile
        LISTED.replace("Number of entries: 2\n", ""),  # of an old release
        listed(1, "10.0.0.1\n") + "create t hash:ip\nadd t 10.0.0.1\nadd t 10.0.0.2\n",
        "create t hash:ip\nadd t 10.0.0.1\n" + listed(1, "10.0.0.1\n"),
    ],
)
def test_a_listing_of_all_members_is_read(text: str) -> None:
    assert read_ipsets(text, "sets")


def test_members_that_are_saved_below_a_cut_list_are_not_its_own() -> None:
    with pytest.raises(DumpError, match='sets:4: the set "s" lists 1 of 2 members'):
        read_ipsets(listed(2, "10.0.0.1\n") + "create t hash:ip\nadd t 10.0.0.1\n", "sets")


NEW = "create s hash:ip,port\n"
WRONG = {
    "word": ("nonsense", 'sets:1: cannot parse ipset line "nonsense"'),
    "flush": ("create s hash:ip\nflush s\n", 'sets:2: cannot parse ipset line "flush s"'),
    "type": ("create s hash:odd\n", 'sets:1: unknown set type "hash:odd"'),
    "without members": (
        "Name: s\nType: hash:ip\nHeader: family inet\nNumber of entries: 3\n",
        'sets:4: the members of the set "s" are not listed',
    ),
    "without all members": (
        LISTED.replace("10.1.0.0/16 nomatch\n", ""),
        'sets:7: the set "nets" lists 1 of 2 members',
    ),
    "cut": (
        "Name: s\nType: hash:ip\nHeader: family inet\nNumber of entries: 3\nMembers:\n",
        'sets:4: the set "s" lists 0 of 3',
    ),
    "twice": ("create s hash:ip\ncreate s hash:ip\n", 'sets:2: the set "s" is created twice'),
    "absent": ("add s 10.0.0.1\n", 'sets:1: adds to the set "s"'),
    "family": ("create s hash:ip family decnet\n", 'sets:1: invalid family "decnet"'),
    "netmask": ("create s hash:ip netmask 33\n", "invalid mask"),
    "bitmask": ("create s hash:ip bitmask ::1\n", "invalid mask"),
    "markmask": ("create s hash:ip,mark markmask 0x1ffffffff\n", "invalid markmask"),
    "other family": (
        "create s hash:ip\nadd s fd00::1\n",
        'sets:2: invalid entry "fd00::1"',
    ),
    "name": ("create s hash:ip\nadd s example.org\n", "sets:2:"),
    "zero byte": ("create s hash:ip\nadd s 10.0.0.1\0\n", "sets:2:"),
    "parts": (NEW + "add s 10.0.0.1\n", "sets:2:"),
    "port": (NEW + "add s 10.0.0.1,65536\n", "sets:2:"),
    "huge port": (NEW + "add s 10.0.0.1," + "9" * 5000, "sets:2:"),
    "other digits": (NEW + "add s 10.0.0.1,\u0668\u0660\n", "sets:2:"),
    "protocol": (NEW + "add s 10.0.0.1,odd:80\n", "sets:2:"),
    "protocol number": (NEW + "add s 10.0.0.1,256:80\n", "sets:2:"),
    "message": (NEW + "add s 10.0.0.1,icmp:odd\n", "sets:2:"),
    "message number": (NEW + "add s 10.0.0.1,icmp:256/0\n", "sets:2:"),
    "mac": ("create s hash:mac\nadd s 02:fc\n", "sets:2:"),
    "mark": ("create s hash:ip,mark\nadd s 10.0.0.1,4294967296\n", "sets:2:"),
    "marks": ("create s hash:ip,mark\nadd s 10.0.0.1,1-2-3\n", "sets:2:"),
    "interface": ("create s hash:net,iface\nadd s 10.0.0.0/8,sixteen-letters-\n", "sets:2:"),
    "member first": ("Name: s\nMembers:\n10.0.0.1\n", 'sets:3: adds to the set "s"'),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_set_is_told(text: str, message: str) -> None:
    with pytest.raises(DumpError) as raised:
        read_ipsets(text, "sets")
    assert message in str(raised.value)
    assert raised.value.hint
    assert len(raised.value.what) < 300


def test_ranges_take_no_more_than_a_few_blocks() -> None:
    text = NEW + "add s 0.0.0.1-255.255.255.254,tcp:1-65534\n"
    sets = read_ipsets(text, "sets")
    subject = web("77.1.2.3", protocol="tcp", source_port=8080)
    assert sets["s"].matches(subject, ("src", "src"), sets) is True


def test_a_hundred_thousand_hosts_are_asked_at_once() -> None:
    hosts = (f"add s 10.{number >> 16}.{number >> 8 & 255}.{number & 255}\n" for number in range(100_000))
    sets = read_ipsets("create s hash:ip\n" + "".join(hosts), "sets")
    start = time.process_time()
    for source in ("10.1.0.9", "11.0.0.1", "10.0.0.0/8", "12.0.0.0/8", None):
        for _ in range(100):
            sets["s"].matches(web(source), ("src",), sets)
    assert time.process_time() - start < 10


@given(st.integers(0, 255), st.integers(0, 255))
def test_blocks_are_exactly_the_range(one: int, other: int) -> None:
    low, high = sorted((one, other))
    blocks = list(spanning(low, high, 8))
    inside = [number for number in range(256) for value, mask in blocks if number & mask == value]
    assert inside == list(range(low, high + 1))
    assert len(blocks) <= 16


def test_a_name_may_hold_blanks() -> None:
    """As ipset 7.17 saves a set that was created as "a b": the kernel takes any name, and nothing quotes it."""
    text = """\
create a hash:ip family inet hashsize 1024 maxelem 65536
add a 10.1.1.1
create a b hash:ip family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x9abb7624
add a b 10.9.9.9
add a b 10.9.9.8 timeout 5 comment "a b c"
create a b c bitmap:port range 0-65535
add a b c 30080
create LS list:set size 8
add LS a b
"""
    sets = read_ipsets(text, "sets")
    assert list(sets) == ["a", "a b", "a b c", "LS"]
    assert sets["LS"].members == ["a b"]
    held = {
        name: sets[name].matches(Subject(source=parse_network("10.9.9.9")), ("src",), sets)
        for name in ("a", "a b", "LS")
    }
    assert held == {"a": False, "a b": True, "LS": True}


byte = st.integers(0, 255)


@given(st.lists(st.tuples(byte, byte), max_size=8), st.tuples(byte, byte))
def test_blocks_that_meet_are_found_whatever_their_masks(
    entries: list[tuple[int, int]], sought: tuple[int, int]
) -> None:
    blocks = {Block(value & mask, mask) for value, mask in entries}
    asked = Block(sought[0] & sought[1], sought[1])
    for wanted in blocks:
        level = Level()
        for block in blocks:
            level.add((block,), nomatch=block == wanted)
        meets = not (wanted.value ^ asked.value) & wanted.mask & asked.mask
        contains = wanted.mask & asked.mask == wanted.mask
        assert [whole for flag, whole in level.meeting(asked) if flag] == ([contains] if meets else [])
        assert any(level.around(asked)) == (meets and contains)


PREFIXES = st.tuples(st.integers(0, 255), st.integers(24, 32), st.booleans())


@given(st.lists(PREFIXES, max_size=6, unique_by=lambda row: (row[0] >> 32 - row[1], row[1])), PREFIXES)
def test_an_answer_about_a_network_is_true_of_each_of_its_addresses(
    entries: list[tuple[int, int, bool]], sought: tuple[int, int, bool]
) -> None:
    added = (f"add s 10.0.0.{last}/{length}{' nomatch' * flag}\n" for last, length, flag in entries)
    sets = read_ipsets("create s hash:net\n" + "".join(added), "sets")
    network = parse_network(f"10.0.0.{sought[0]}/{sought[1]}")
    assert network is not None
    answer = sets["s"].matches(Subject(source=network), ("src",), sets)
    hosts = (
        Network(4, value, full(32)) for value in range(network.value, network.value + (1 << 32 - sought[1]))
    )
    each = {sets["s"].matches(Subject(source=host), ("src",), sets) for host in hosts}
    assert None not in each
    assert answer is None or each == {answer}
