"""Connections that the kernel tracks, in all forms in which it and conntrack print them."""

from __future__ import annotations

import pytest

from iptviz.errors import DumpError
from iptviz.node.evidence import READERS, supplied_as
from iptviz.supplied.conntrack import Flow, TrackedConnection, read_connections
from iptviz.supplied.files import Supplied
from iptviz.xtables.address import parse_network

# All of this was printed by conntrack 1.4.7 and by Linux 6.18.
TCP = (
    "tcp      6 431999 ESTABLISHED src=10.1.0.2 dst=10.3.0.1 sport=49146 dport=80 "
    "src=10.2.0.2 dst=10.2.0.1 sport=8080 dport=49146 [ASSURED] mark=7 use=1\n"
)
UDP = (
    "udp      17 29 src=127.0.0.1 dst=127.0.0.1 sport=39782 dport=80 [UNREPLIED] "
    "src=127.0.0.1 dst=127.0.0.1 sport=8080 dport=39782 mark=0 zone=5 use=2\n"
)
PING = "icmp     1 29 src=10.1.0.2 dst=10.2.0.2 type=8 code=0 id=7 src=10.2.0.2 dst=10.1.0.2 type=0 code=0 id=7 mark=0 use=1\n"
SIX = (
    "ipv6     10 udp      17 29 src=0000:0000:0000:0000:0000:0000:0000:0001 dst=fd00:0000:0000:0000:0000:0000:0000:0002 "
    "sport=43358 dport=80 [UNREPLIED] src=fd00:0000:0000:0000:0000:0000:0000:0002 "
    "dst=0000:0000:0000:0000:0000:0000:0000:0001 sport=80 dport=43358 mark=0 zone=0 use=2\n"
)
SUMMARY = "conntrack v1.4.7 (conntrack-tools): {} flow entries have been shown.\n"
STATISTICS = (
    "cpu=0   \tfound=0 invalid=0 insert=0 insert_failed=0 drop=0 early_drop=0 error=0 search_restart=0\n"
)


def flow(source: str, destination: str, sport: int, dport: int) -> Flow:
    ends = parse_network(source), parse_network(destination)
    assert ends[0] is not None
    assert ends[1] is not None
    return Flow(*ends, sport, dport)  # type: ignore[arg-type]


def read(text: str) -> tuple[TrackedConnection, ...]:
    found = read_connections(text, "list")
    assert found.whole
    return found.connections


def test_both_directions_tell_what_nat_has_made_of_a_connection() -> None:
    (one,) = read(TCP)
    assert one.original == flow("10.1.0.2", "10.3.0.1", 49146, 80)
    assert one.reply == flow("10.2.0.2", "10.2.0.1", 8080, 49146)
    assert (one.protocol, one.state, one.replied, one.assured, one.mark, one.zone) == (
        6,
        "ESTABLISHED",
        True,
        True,
        7,
        None,
    )
    assert one.place == ("list", 1)


@pytest.mark.parametrize("prefix", ["", "ipv4     2 "])
def test_the_extended_form_is_that_of_proc(prefix: str) -> None:
    (one,) = read(f"{prefix}{UDP}")
    assert (one.protocol, one.state, one.replied, one.assured, one.mark, one.zone) == (
        17,
        "",
        False,
        False,
        0,
        5,
    )


def test_addresses_of_ipv6_may_be_written_in_full() -> None:
    (one,) = read(SIX)
    assert one.original == flow("::1", "fd00::2", 43358, 80)


def test_icmp_has_types() -> None:
    (one,) = read(PING)
    assert (one.original.icmp_type, one.reply.icmp_type) == ((8, 0), (0, 0))
    assert one.original.source_port is None


@pytest.mark.parametrize(
    "counted",
    [
        "tcp 6 9 ESTABLISHED src=10.1.0.2 dst=10.3.0.1 sport=1 dport=2 packets=3 bytes=180 src=10.2.0.2 dst=10.1.0.2 sport=2 dport=1 packets=2 bytes=9 [ASSURED] mark=0 secctx=u:r:t:s0 delta-time=9 id=31\n",
        "tcp 6 src=10.1.0.2 dst=10.3.0.1 sport=1 dport=2 src=10.2.0.2 dst=10.1.0.2 sport=2 dport=1 [OFFLOAD] mark=0 use=1\n",
        "tcp 6 9 SYN_SENT src=10.1.0.2 dst=10.3.0.1 sport=1 dport=2 zone-orig=1 src=10.2.0.2 dst=10.1.0.2 sport=2 dport=1 use=1\n",
        "unknown  4 9 src=10.1.0.2 dst=10.3.0.1 src=10.2.0.2 dst=10.1.0.2 use=1\n",
    ],
)  # fmt: skip
def test_what_else_may_stand_in_a_line_is_passed_over(counted: str) -> None:
    (one,) = read(counted)
    assert one.reply.source == parse_network("10.2.0.2")


def test_lines_of_the_tools_are_none() -> None:
    assert len(read(f"*** Output of conntrack -S ***\n{STATISTICS}{TCP}{SUMMARY.format(1)}")) == 1


def test_what_is_cut_off_is_not_whole() -> None:
    for cut in (TCP + UDP[:90], TCP + UDP[:-8], TCP + UDP[:3]):
        found = read_connections(cut, "list")
        assert [one.protocol for one in found.connections] == [6]
        assert not found.whole
        assert not found.tells(4)
    assert not read_connections(TCP + SUMMARY.format(2), "list").whole
    for text in (TCP + SUMMARY.format(2), SUMMARY.format(2) + TCP):  # standard error may come first
        (piece,) = supplied_as("conntrack", Supplied(text, "list"))
        assert not READERS["conntrack"](piece).whole
    assert read_connections(TCP.rstrip("\n"), "list").whole  # as when it is pasted


def test_a_family_that_is_not_listed_may_have_connections() -> None:
    found = read_connections(TCP, "list")
    assert found.tells(4)
    assert not found.tells(6)
    assert not read_connections("", "list").tells(4)


def test_a_part_of_the_list_is_not_whole() -> None:
    for command in ("conntrack -L -p tcp", "conntrack -L | head -2"):
        (piece,) = supplied_as("conntrack", Supplied(f"root@node-1:~# {command}\n{TCP}", "list"))
        assert not READERS["conntrack"](piece).whole, command


@pytest.mark.parametrize(
    "text", [f"{TCP}what is this\n{UDP}", "what is this\n", f"{TCP}tcp 6 9 src=10.0.0.1\n{UDP}"]
)
def test_any_other_line_is_refused(text: str) -> None:
    with pytest.raises(DumpError, match=r"list:\d: not a tracked connection"):
        read_connections(text, "list")


GRE = (
    "ipv4     2 gre      47 27 timeout=30, stream_timeout=180 src=10.1.0.9 dst=10.2.0.9 srckey=0x0 dstkey=0x5 [UNREPLIED] "
    "src=10.2.0.9 dst=10.1.0.9 srckey=0x5 dstkey=0x0 mark=0 zone=0 use=2\n"
)


def test_what_proc_prints_of_gre_is_a_connection() -> None:
    one, other = read(f"{GRE}ipv4     2 {UDP}")
    assert (one.protocol, one.state, one.replied, one.original.source_port) == (47, "", False, None)
    assert other.protocol == 17


OF_ALL_FAMILIES = TCP.replace("src=10.2.0.2 dst=10.2.0.1", "src=fd00::1 dst=fd00::2")


@pytest.mark.parametrize(
    "wrong",
    [
        OF_ALL_FAMILIES,
        TCP.replace("dst=10.3.0.1", "dst=fd00::1"),
        TCP.replace("sport=49146", "sport=99999"),
        TCP.replace("dport=49146", "dport=65536"),
        TCP.replace("tcp      6", "tcp      300"),
        TCP.replace("src=10.1.0.2", "src=10.1.0.2/8"),
        TCP.replace("mark=7", "mark=4294967296"),
        UDP.replace("zone=5", "zone=65536"),
        PING.replace("type=8", "type=300"),
    ],
)
def test_what_no_connection_has_is_refused_with_its_line(wrong: str) -> None:
    for text, line in ((f"{UDP}{wrong}{SIX}", 2), (f"{UDP}{wrong}", 2), (wrong, 1)):
        with pytest.raises(DumpError, match=rf"list:{line}: not a tracked connection"):
            read_connections(text, "list")
