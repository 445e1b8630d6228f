"""Virtual servers as ipvsadm 1.31 prints them, and the answers on a node in IPVS mode that make use of them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import iptviz
from iptviz.checks.wording import sentences
from iptviz.errors import DumpError
from iptviz.supplied.ipvs import RealServer, VirtualServer, read_ipvs

if TYPE_CHECKING:
    from pathlib import Path

LISTED = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.1:443 rr
  -> 192.168.1.10:6443            Masq    1      0          0         
TCP  10.96.20.1:80 rr persistent 10800
  -> 10.244.0.5:8080              Masq    1      0          0         
  -> 10.244.1.6:8080              Masq    3      2          1         
  -> 10.244.1.7:8080              Masq    0      0          4         
TCP  192.168.1.10:30080 wrr
  -> 10.244.0.5:8080              Masq    1      0          0         
  -> 10.244.1.6:8080              Masq    3      0          0         
UDP  10.96.0.10:53 rr
TCP  [fd00::a]:80 lc
  -> [fd00:1::5]:8080             Masq    1      0          0         
FWM  17 wlc
  -> 10.244.0.5:0                 Route   1      0          0         
"""  # noqa: W291 - as it is printed
SAVED = """\
-A -t 10.96.0.1:443 -s rr
-a -t 10.96.0.1:443 -r 192.168.1.10:6443 -m -w 1
-A -t 10.96.20.1:80 -s rr -p 10800
-a -t 10.96.20.1:80 -r 10.244.0.5:8080 -m -w 1
-a -t 10.96.20.1:80 -r 10.244.1.6:8080 -m -w 3
-a -t 10.96.20.1:80 -r 10.244.1.7:8080 -m -w 0
-A -t 192.168.1.10:30080 -s wrr
-a -t 192.168.1.10:30080 -r 10.244.0.5:8080 -m -w 1
-a -t 192.168.1.10:30080 -r 10.244.1.6:8080 -m -w 3
-A -u 10.96.0.10:53 -s rr
-A -t [fd00::a]:80 -s lc
-a -t [fd00::a]:80 -r [fd00:1::5]:8080 -m -w 1
-A -f 17 -s wlc
-a -f 17 -r 10.244.0.5:0 -g -w 1
"""
STATISTICS = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.96.20.1:80                      12       84       72     6K    9123
  -> 10.244.0.5:8080                     6       42       36     3K    4561
"""
RULES = """\
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-NODE-PORT - [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT
-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
COMMIT
"""


def without_lines(virtual: VirtualServer) -> VirtualServer:
    servers = tuple(server._replace(line=0) for server in virtual.servers)
    return virtual._replace(line=0, servers=servers)


def test_both_forms_say_the_same() -> None:
    listed, saved = read_ipvs(LISTED, "ipvs"), read_ipvs(SAVED, "ipvs")
    assert list(map(without_lines, listed)) == list(map(without_lines, saved))
    assert [one.line for one in listed] == [4, 6, 10, 13, 14, 16]
    web = listed[1]
    assert (web.protocol, web.address, web.port, web.scheduler, web.persistent) == (
        "tcp",
        "10.96.20.1",
        80,
        "rr",
        10800,
    )
    assert web.servers[1] == RealServer("10.244.1.6:8080", 3, "masq", 8)
    assert (listed[5].protocol, listed[5].address, listed[5].port) == ("fwmark", "", None)


def test_rr_takes_turns_and_wrr_weighs() -> None:
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    shares = [one.shares for one in read_ipvs(LISTED, "ipvs")]
    assert shares[:4] == [(1,), (half, half, 0), (quarter, 3 * quarter), ()]


@pytest.mark.parametrize(("scheduler", "alone"), [("lc", (1,)), ("sh", (1,)), ("wlc", (1,)), ("ovf", None)])
def test_what_others_pick_is_not_known_but_of_the_only_server(
    scheduler: str, alone: tuple[int, ...] | None
) -> None:
    first = f"-A -t 10.96.0.1:80 -s {scheduler}\n-a -t 10.96.0.1:80 -r 10.244.0.5:80 -m -w 1\n"
    drained = "-a -t 10.96.0.1:80 -r 10.244.0.6:80 -m -w 0\n"
    assert [one.shares for one in read_ipvs(first, "ipvs")] == [alone]
    assert [one.shares for one in read_ipvs(first + drained, "ipvs")] == [None]


def test_how_packets_get_to_a_server_is_read_from_both_forms() -> None:
    listed = "TCP 10.0.0.1:80 rr\n-> 10.0.0.2:80 Route 1 0 0\n-> 10.0.0.3:80 Tunnel 1 0 0\n-> 10.0.0.4:80 Local 1 0 0\n"
    saved = "-A -t 10.0.0.1:80 -s rr\n" + "".join(
        f"-a -t 10.0.0.1:80 -r 10.0.0.{last}:80 {flag} -w 1\n"
        for last, flag in ((2, "-g"), (3, "-i"), (4, "-m"))
    )
    forwards = [[server.forward for server in read_ipvs(text, "ipvs")[0].servers] for text in (listed, saved)]
    assert forwards == [["route", "tunnel", "local"], ["route", "tunnel", "masq"]]


def test_statistics_show_no_weights_and_add_nothing_to_what_does() -> None:
    (alone,) = read_ipvs(STATISTICS, "ipvs")
    assert (alone.scheduler, alone.shares, alone.servers) == (
        "",
        None,
        (RealServer("10.244.0.5:8080", None, "", 5),),
    )
    assert read_ipvs(STATISTICS + LISTED, "ipvs")[0].scheduler == "rr"
    assert len(read_ipvs(LISTED + STATISTICS, "ipvs")) == 6


@pytest.mark.parametrize(
    "text", ["nonsense", "-> 10.0.0.1:80 Masq 1 0 0", "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -w 1", "-A -x 1"]
)
def test_anything_else_is_an_error_with_its_line(text: str) -> None:
    with pytest.raises(DumpError, match="neither a virtual nor a real server") as caught:
        read_ipvs(f"\n{text}\n", "ipvs")
    assert str(caught.value).startswith("ipvs:2")


@given(
    st.lists(
        st.sampled_from(
            [
                *LISTED.split("\n"),
                *SAVED.split("\n"),
                *STATISTICS.split("\n"),
                "-a",
                "-A -t",
                "->",
                "-A -t a -s",
            ]
        )
    )
)
def test_no_order_of_lines_breaks_the_reader(lines: list[str]) -> None:
    try:
        found = read_ipvs("\n".join(lines), "ipvs")
    except DumpError:
        return
    assert len({(one.protocol, one.at) for one in found}) == len(found)
    assert all(one.shares is None or sum(one.shares) in {0, 1} for one in found)


def node(tmp_path: Path, ipvs: str = LISTED, command: str = "ipvsadm -Ln") -> iptviz.Snapshot:
    path = tmp_path / "node.txt"
    path.write_text(f"root@node-1:~# iptables-save\n{RULES}root@node-1:~# {command}\n{ipvs}root@node-1:~# \n")
    return iptviz.load_node(str(path))


def test_packet_says_where_ipvs_sends_it(tmp_path: Path) -> None:
    given_node = node(tmp_path)
    asked = iptviz.packet(given_node, dst="10.96.20.1", dport=80, protocol="tcp")
    assert any("IPVS" in note and "10.244.1.6:8080 50 %" in note for note in sentences(asked.notes))
    other = iptviz.packet(given_node, dst="10.96.20.2", dport=80, protocol="tcp")
    assert not any("goes to" in note for note in sentences(other.notes))


def test_a_node_in_iptables_mode_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "node.txt"
    rules = RULES.replace("KUBE-NODE-PORT", "KUBE-NODEPORTS").replace(
        "-m set --match-set KUBE-CLUSTER-IP dst,dst ", ""
    )
    path.write_text(f"$ iptables-save\n{rules}$ ipvsadm -Ln\n{LISTED}")
    given_node = iptviz.load_node(str(path))
    assert not iptviz.trace(given_node, "10.96.20.1:80").services
    asked = iptviz.packet(given_node, dst="10.96.20.1", dport=80, protocol="tcp")
    assert not any("IPVS (" in note for note in sentences(asked.notes))
