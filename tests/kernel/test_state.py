"""The kernel judges what rules remember and what tracking makes of packets, one small rule set at a time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from tests.engine.test_interpreter import dump_of
from tests.kernel.frames import Sent
from tests.kernel.lab import BACKENDS
from tests.kernel.random_tables import in_other_family
from tests.kernel.test_packets import asked, compare, judged, matched, predicted
from tests.kernel.wire import Wire, wire

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]


def load(lab: Wire, rules: str) -> iptviz.Dump:
    """Load rules as `dump_of` has them; what the router itself answers is dropped before it counts elsewhere."""
    lab.router.load(dump_of(f"{rules};raw|-A OUTPUT -j DROP"))
    return iptviz.load(lab.router.save("-c").encode())


def tried(lab: Wire, sent: Sent, before: iptviz.Dump, **more: object) -> tuple[iptviz.Dump, str]:
    """Send one packet of which `more` is known: the counters after it, and what disagrees, if anything does."""
    question = asked(sent, **more)
    there, _ = (lab.send_out if question["hook"] == "output" else lab.send)(sent)
    return judged(lab, sent, before, there, question)


# --- what begins a connection --------------------------------------------------------------------------------

STATES = (
    "filter|-A FORWARD -m conntrack --ctstate INVALID -j DROP;filter|-A FORWARD -m conntrack --ctstate UNTRACKED -j DROP;"
    "filter|-A FORWARD -m conntrack --ctstate NEW -j DROP;nat|-A PREROUTING"
)
ICMP = {
    4: (0, 3, 4, 5, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18),
    6: (1, 2, 3, 4, 128, 129, 130, 135, 137, 139, 140, 144),
}


@pytest.mark.parametrize("family", [4, 6])
def test_requests_alone_begin_connections_of_icmp(family: int) -> None:
    with wire("nft", family) as lab:
        before = load(lab, STATES)
        for kind in ICMP[family]:
            sent = Sent("10.2.0.2", "icmp", 4000 + kind, 0)
            sent = in_other_family(sent) if family == 6 else sent
            before, trouble = compare(lab, sent._replace(icmp=(kind, 0)), before)
            assert not trouble, trouble


FLAG_SETS = [
    ",".join(flags) for number in range(4) for flags in combinations(("SYN", "ACK", "FIN", "RST"), number)
]


@pytest.mark.parametrize("loose", [1, 0])
def test_of_tcp_syn_begins_a_connection_and_where_it_is_loose_ack(loose: int, tmp_path: Path) -> None:
    setting = tmp_path / "sysctl"
    setting.write_text(f"net.netfilter.nf_conntrack_tcp_loose = {loose}\n")
    with wire("legacy") as lab:
        before = load(lab, STATES)
        lab.router.run("sysctl", "-qw", setting.read_text().replace(" ", "").strip())
        for number, flags in enumerate(FLAG_SETS):
            before, trouble = tried(
                lab, Sent("10.2.0.2", "tcp", 5000 + number, 80, flags), before, sysctl=str(setting)
            )
            assert not trouble, trouble


def test_whether_routers_of_groups_are_tracked_hangs_on_the_kernel() -> None:
    with wire("nft", 6) as lab:
        before = load(lab, "filter|-A FORWARD -m conntrack --ctstate UNTRACKED -j DROP")
        for kind in (151, 152):
            sent = in_other_family(Sent("10.2.0.2", "icmp", 4000 + kind, 0))._replace(icmp=(kind, 0))
            lab.send(sent)
            after = iptviz.load(lab.router.save("-c").encode())
            outcomes = iptviz.packet(after, **asked(sent)).outcomes
            assert {outcome.when[0].condition.kind for outcome in outcomes} == {"untracked-type"}
            assert matched(before, after) in [predicted(outcome) for outcome in outcomes]
            before = after


# --- sets ----------------------------------------------------------------------------------------------------

SETS = """create pairs hash:ip,port family inet
add pairs 10.2.0.2,udp:80
add pairs 10.2.0.3,icmp:3/1
create hosts hash:ip family inet
add hosts 10.2.0.2
create both list:set
add both pairs
create nets hash:net,iface family inet
add nets 10.2.0.0/24,cli
"""
IN_SETS = ";".join(
    f"mangle|-A FORWARD -m set {member}"
    for member in (
        "--match-set pairs dst", "! --match-set pairs dst", "--match-set pairs dst,dst", "--match-set pairs dst,dst,src",
        "! --match-set pairs src --return-nomatch", "--match-set pairs dst --return-nomatch", "--match-set hosts dst,dst",
        "--match-set both dst", "! --match-set both dst,dst", "--match-set nets dst", "! --match-set nets dst",
    )
)  # fmt: skip


@pytest.mark.skipif(shutil.which("ipset") is None, reason="needs ipset")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_set_that_is_asked_with_too_few_directions_has_no_packet(backend: str, tmp_path: Path) -> None:
    sets = tmp_path / "ipset"
    with wire(backend) as lab:
        lab.router.run("ipset", "restore", stdin=SETS)
        sets.write_text(lab.router.run("ipset", "save"))
        before = load(lab, IN_SETS)
        for sent in (
            Sent("10.2.0.2", "udp", 4000, 80), Sent("10.2.0.3", "icmp", 4001, 0, icmp=(3, 1)),
            Sent("10.2.0.3", "icmp", 4002, 0, icmp=(3, 0)),
        ):  # fmt: skip
            before, trouble = tried(lab, sent, before, ipset=str(sets))
            assert not trouble, trouble


# --- who sends -----------------------------------------------------------------------------------------------

SENDS_AS = """
import os, socket, sys
gid, *groups = map(int, sys.argv[2:])
os.setgroups(groups)
os.setgid(gid)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", (sys.argv[1], 9))
"""
GROUPS = [
    "--gid-owner 4242", "--gid-owner 4242 --suppl-groups", "! --gid-owner 4242 --suppl-groups",
    "--uid-owner 7 --gid-owner 4242 --suppl-groups",
]  # fmt: skip
KNOWN: dict[str, Any] = {
    "src": "10.2.0.1",
    "dst": "10.2.0.2",
    "protocol": "udp",
    "dport": 9,
    "hook": "output",
    "uid": 0,
    "mark": 0,
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("groups", "told"), [((1, 4242), None), ((1,), None), ((4242,), True)])
def test_other_groups_of_a_program_are_not_known(
    backend: str, groups: tuple[int, ...], told: bool | None
) -> None:
    with wire(backend) as lab:
        for asked_for in GROUPS:
            lab.router.load(dump_of(f"filter|-A OUTPUT -p udp -m owner {asked_for} -j DROP"))
            sender = [sys.executable, "-c", SENDS_AS, "10.2.0.2", *map(str, groups)]
            subprocess.run(
                ["ip", "netns", "exec", lab.router.name, *sender], check=False, stderr=subprocess.DEVNULL
            )
            dump = iptviz.load(lab.router.save("-c").encode())
            (rule,) = dump.tables["filter"].rules()
            dropped = "DROP" if rule.counters and rule.counters.packets else "ACCEPT"
            verdicts = {one.verdict for one in iptviz.packet(dump, **KNOWN, gid=groups[0]).outcomes}
            sure = told or "--suppl-groups" not in asked_for or "--uid-owner" in asked_for
            assert verdicts == ({dropped} if sure else {"ACCEPT", "DROP"}), asked_for


# --- templates -----------------------------------------------------------------------------------------------

BEFORE_TRACKING = "".join(
    f";raw|-A PREROUTING -m {asked_for}"
    for asked_for in (
        "conntrack --ctstate NEW", "conntrack --ctstate INVALID", "conntrack --ctstate UNTRACKED", "conntrack ! --ctstate NEW",
        "conntrack --ctstate SNAT,DNAT", "conntrack --ctstatus CONFIRMED", "conntrack --ctstatus SEEN_REPLY,ASSURED",
        "conntrack --ctdir ORIGINAL", "conntrack --ctdir REPLY", "conntrack --ctorigsrc 10.1.0.2",
        "conntrack --ctorigsrc 0.0.0.0", "conntrack --ctproto udp", "conntrack ! --ctproto udp", "conntrack --ctproto 0",
        "conntrack --ctorigdstport 80", "conntrack --ctorigdstport 0", "state --state NEW",
    )
)  # fmt: skip
AFTER_TRACKING = "".join(
    f";filter|-A FORWARD -m conntrack {asked_for}"
    for asked_for in ("--ctstate UNTRACKED", "--ctstate NEW", "--ctstate INVALID", "--ctstatus CONFIRMED")
)
TEMPLATES = {
    "a zone": f"raw|-A PREROUTING -j CT --zone 5{BEFORE_TRACKING};raw|-A PREROUTING -j CT --notrack",
    "a zone of one direction": f"raw|-A PREROUTING -j CT --zone-orig 5{BEFORE_TRACKING};raw|-A PREROUTING -j NOTRACK",
    "events": "raw|-A PREROUTING -j CT --ctevents new;raw|-A PREROUTING -j CT --zone 3;raw|-A PREROUTING -j NOTRACK",
    "not tracked": f"raw|-A PREROUTING -j CT --notrack;raw|-A PREROUTING -j CT --zone 5{BEFORE_TRACKING}",
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_first_rule_with_ct_decides_and_its_template_is_a_blank_connection(backend: str) -> None:
    with wire(backend) as lab:
        for name, rules in TEMPLATES.items():
            before = load(lab, rules + AFTER_TRACKING)
            for number, protocol in enumerate(("udp", "icmp")):
                sent = Sent("10.2.0.2", protocol, 6000 + number + 10 * len(name), 80, icmp=(3, 0))
                before, trouble = compare(lab, sent, before)
                assert not trouble, f"{name}: {trouble}"
