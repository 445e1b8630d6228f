"""The kernel judges what rules remember and what tracking makes of packets, one small rule set at a time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from tests.engine.test_interpreter import dump_of
from tests.kernel.frames import Sent
from tests.kernel.lab import BACKENDS, NOTHING
from tests.kernel.random_tables import in_other_family
from tests.kernel.test_packets import asked, compare, judged, matched, predicted
from tests.kernel.universe import in_family
from tests.kernel.wire import Wire, wire

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]


def load(lab: Wire, rules: str) -> iptviz.Dump:
    """Load rules as `dump_of` has them; what the router itself answers is dropped before it counts elsewhere."""
    lab.router.load(NOTHING + dump_of(f"{rules};raw|-A OUTPUT -j DROP"))
    return iptviz.load(lab.router.save("-c").encode())


BY_THE_NODE: dict[str, Any] = {
    "hook": "output", "in_iface": None, "mac": None, "uid": 0, "gid": 0, "out_iface": None,
}  # fmt: skip
"""What is said of a packet that the router sends."""


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
IN_SETS = [
    "--match-set pairs dst", "! --match-set pairs dst", "--match-set pairs dst,dst", "--match-set pairs dst,dst,src",
    "! --match-set pairs src --return-nomatch", "--match-set pairs dst --return-nomatch", "--match-set hosts dst,dst",
    "--match-set both dst", "! --match-set both dst,dst", "--match-set nets dst", "! --match-set nets dst",
]  # fmt: skip


@pytest.mark.skipif(shutil.which("ipset") is None, reason="needs ipset")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_set_that_is_asked_with_too_few_directions_has_no_packet(backend: str, tmp_path: Path) -> None:
    sets = tmp_path / "ipset"
    with wire(backend) as lab:
        lab.router.run("ipset", "restore", stdin=SETS)
        sets.write_text(lab.router.run("ipset", "save"))
        before = load(lab, ";".join(f"mangle|-A FORWARD -m set {member}" for member in IN_SETS))
        for sent in (
            Sent("10.2.0.2", "udp", 4000, 80), Sent("10.2.0.3", "icmp", 4001, 0, icmp=(3, 1)),
            Sent("10.2.0.3", "icmp", 4002, 0, icmp=(3, 0)),
        ):  # fmt: skip
            lab.send(sent)
            after = iptviz.load(lab.router.save("-c").encode())
            counts, before = matched(before, after), after
            for number, member in enumerate(IN_SETS, 1):
                dump = iptviz.load(dump_of(f"filter|-A FORWARD -m set {member} -j DROP").encode())
                (outcome,) = iptviz.packet(dump, **asked(sent, ipset=str(sets))).outcomes
                assert (outcome.verdict == "DROP") == bool(counts["mangle", "FORWARD", number]), member
                if sent.protocol == "icmp":  # a type without its code leaves open what hangs on that
                    without = asked(sent, ipset=str(sets), icmp_type=str(sent.icmp[0]))
                    assert outcome.verdict in {one.verdict for one in iptviz.packet(dump, **without).outcomes}


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


# --- rewriting that changes nothing --------------------------------------------------------------------------

STATUS = (
    "filter|-A FORWARD -m conntrack --ctstate DNAT;filter|-A INPUT -m conntrack --ctstate DNAT;filter|-A INPUT -j DROP;"
    "nat|-A POSTROUTING -m conntrack --ctstate DNAT;mangle|-A PREROUTING -p udp"
)


def each_to_its_target(chain: str, targets: Iterable[str], first: int) -> str:
    """Rules of nat: what comes from port `first` goes to the first target, and so on."""
    return "".join(
        f"nat|-A {chain} -p udp -m udp --sport {port} -j {target};"
        for port, target in enumerate(targets, first)
    )


KEEPING: list[tuple[str, str]] = [
    ("REDIRECT", "10.1.0.1"), ("REDIRECT", "10.2.0.1"), ("REDIRECT", "10.2.0.2"), ("REDIRECT --to-ports 70-90", "10.1.0.1"),
    ("REDIRECT --to-ports 80", "10.1.0.1"), ("REDIRECT --to-ports 81", "10.1.0.1"),
    ("DNAT --to-destination 10.2.0.2", "10.2.0.2"), ("DNAT --to-destination 10.2.0.2:80", "10.2.0.2"),
    ("DNAT --to-destination 10.2.0.2:70-90", "10.2.0.2"), ("DNAT --to-destination 10.2.0.2:70-90", "10.2.0.3"),
    ("DNAT --to-destination 10.2.0.2 --random", "10.2.0.2"), ("DNAT --to-destination :70-90", "10.2.0.2"),
    ("NETMAP --to 10.2.0.0/24", "10.2.0.2"),
]  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_destination_that_comes_to_what_it_was_is_not_rewritten(backend: str, tmp_path: Path) -> None:
    with wire(backend) as lab:
        addresses = tmp_path / "addresses"
        addresses.write_text(lab.router.run("ip", "addr"))
        before = load(lab, each_to_its_target("PREROUTING", [target for target, _ in KEEPING], 3000) + STATUS)
        for port, (target, destination) in enumerate(KEEPING, 3000):
            sent = Sent(destination, "udp", port, 80)
            before, trouble = tried(lab, sent, before, addresses=str(addresses))
            assert not trouble, f"{target}: {trouble}"


CHOSEN = [
    "DNAT --to-destination 10.2.0.2-10.2.0.3", "DNAT --to-destination 10.2.0.2-10.2.0.3 --persistent",
    "DNAT --to-destination 10.2.0.2-10.2.0.3:70-90", "DNAT --to-destination 10.2.0.2:70-90 --random",
    "DNAT --to-destination 10.2.0.2:1080-1090/75", "DNAT --to-destination 10.2.0.4-10.2.0.5",
    "DNAT --to-destination 10.2.0.2:90-99",
]  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_whether_a_choice_came_to_what_was_there_is_open(backend: str) -> None:
    rules = "filter|-A FORWARD -m conntrack --ctstate DNAT -j DROP;filter|-A INPUT -j DROP"
    cases = [(target, destination) for target in CHOSEN for destination in ("10.2.0.2", "10.2.0.3")]
    with wire(backend) as lab:
        dump = load(lab, each_to_its_target("PREROUTING", [target for target, _ in cases], 4000) + rules)
        for port, (target, destination) in enumerate(cases, 4000):
            sent = Sent(destination, "udp", port, 80)
            verdicts = {
                one.verdict for one in iptviz.packet(dump, **asked(sent, local_ips=("10.1.0.1",))).outcomes
            }
            there, _ = lab.send(sent)
            there = there or (lab.late()[0] if verdicts == {"ACCEPT"} else None)
            assert ("ACCEPT" if there else "DROP") in verdicts, target
            sure = CHOSEN.index(target) > 4 or (destination == "10.2.0.3" and "-10.2.0.3" not in target)
            assert len(verdicts) == (1 if sure else 2), target


LOOPED = (
    "filter|-A INPUT -p udp -m conntrack --ctstate SNAT;filter|-A INPUT -p udp;filter|-A INPUT -p udp -m udp --sport 5000:5999;"
    "filter|-A INPUT -s 10.2.0.1 -p udp;filter|-A INPUT -j DROP"
)
STAYING: list[tuple[str, str, str]] = [
    ("MASQUERADE", "10.2.0.1", "10.1.0.1"), ("MASQUERADE", "169.254.20.10", "10.1.0.1"), ("MASQUERADE", "127.0.0.1", "127.0.0.1"),
    ("MASQUERADE", "169.254.20.10", "169.254.20.10"), ("SNAT --to-source 10.2.0.1", "10.2.0.1", "10.1.0.1"),
    ("SNAT --to-source 10.2.0.1-10.2.0.5", "10.2.0.1", "10.1.0.1"), ("SNAT --to-source 10.2.0.1:5000-5999", "10.2.0.1", "10.1.0.1"),
    ("SNAT --to-source 10.2.0.3", "10.2.0.1", "10.1.0.1"), ("MASQUERADE --to-ports 5000-5999", "10.2.0.1", "10.1.0.1"),
    ("SNAT --to-source 10.2.0.1-10.2.0.5:5000-5999", "10.2.0.1", "10.1.0.1"),
]  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_source_that_comes_to_what_it_was_is_not_rewritten(backend: str, tmp_path: Path) -> None:
    with wire(backend) as lab:
        lab.router.run("ip", "addr", "add", "169.254.20.10/32", "dev", "lo")
        addresses = tmp_path / "addresses"
        addresses.write_text(lab.router.run("ip", "addr"))
        rules = each_to_its_target("POSTROUTING", [target for target, _, _ in STAYING], 5000) + LOOPED
        lab.router.load(dump_of(f"{rules};filter|-A OUTPUT -p icmp -j DROP"))
        before = iptviz.load(lab.router.save("-c").encode())
        for port, (target, source, destination) in enumerate(STAYING, 5000):
            sent = Sent(destination, "udp", port, 80, source=source)
            before, trouble = tried(lab, sent, before, addresses=str(addresses), **BY_THE_NODE)
            assert not trouble, f"{target}: {trouble}"


@pytest.mark.parametrize("backend", BACKENDS)
def test_redirect_drops_where_the_interface_has_no_address(backend: str, tmp_path: Path) -> None:
    with wire(backend) as lab:
        lab.router.run("ip", "addr", "flush", "dev", "cli")
        addresses = tmp_path / "addresses"
        addresses.write_text(lab.router.run("ip", "addr"))
        before = load(lab, "nat|-A PREROUTING -p udp -j REDIRECT;filter|-A INPUT;filter|-A FORWARD")
        more = {"addresses": str(addresses), "local_ips": ("10.2.0.1",)}
        _, trouble = tried(lab, Sent("10.2.0.2", "udp", 3900, 80), before, **more)
        assert not trouble, trouble


# --- lists of addresses --------------------------------------------------------------------------------------


def on_lists(*rules: str) -> str:
    """Rules of FORWARD, or of the table and the chain that stand before them, with the match's name left out."""
    return ";".join(
        rule if "|" in rule else f"filter|-A FORWARD {rule}"
        for rule in (one.replace("recent", "-m recent") for one in rules)
    )


LISTS = {
    "another match fails": on_lists("-p udp recent --set --name A -m udp --dport 99", "recent --rcheck --name A -j DROP"),
    "a match before fails": on_lists("-p udp -m udp --dport 99 recent --set --name B", "recent --rcheck --name B -j DROP"),
    "a mark is asked for": on_lists("recent --set --name C -m mark --mark 5", "recent --rcheck --name C -j DROP"),
    "never, but listed": on_lists("recent ! --set --name D -j DROP", "recent --rcheck --name D"),
    "one mask a list": on_lists("recent --set --name E --mask 255.255.255.0", "recent --rcheck --name E -j DROP"),
    "one mask a list, too": on_lists("recent --set --name F", "recent --rcheck --name F --mask 255.255.0.0 -j DROP"),
    "removed": on_lists("recent --set --name G", "recent --remove --name G", "recent --rcheck --name G -j DROP"),
    "removed by what fails": on_lists(
        "recent --set --name H", "recent ! --remove --name H", "recent --rcheck --name H -j DROP"),
    "counted": on_lists(
        "recent --set --name I", "recent --rcheck --name I --hitcount 2 -j DROP", "recent --update --name I --hitcount 1",
        "recent --rcheck --name I --hitcount 2 --seconds 9", "recent ! --update --name I --hitcount 4",
        "recent --rcheck --name I --hitcount 3", "recent --rcheck --name I --hitcount 4 -j DROP"),
    "source and destination": on_lists(
        "recent --set --name J", "recent --rcheck --name J --rdest -j DROP", "recent --set --name J --rdest",
        "recent --rcheck --name J --rdest"),
    "times to live": on_lists(
        "mangle|-A PREROUTING recent --set --name K", "recent --rcheck --name K --rttl",
        "mangle|-A POSTROUTING recent --rcheck --name K --rttl", "mangle|-A POSTROUTING -j TTL --ttl-dec 5",
        "mangle|-A POSTROUTING recent --rcheck --name K --rttl -j DROP"),
    "rewritten": on_lists(
        "raw|-A PREROUTING recent --set --name L --rdest", "nat|-A PREROUTING -p udp -j DNAT --to-destination 10.2.0.3",
        "recent --rcheck --name L --rdest -j DROP", "mangle|-A POSTROUTING recent --set --name L --rdest",
        "nat|-A POSTROUTING recent --rcheck --name L --rdest"),
    "other tables": on_lists(
        "raw|-A PREROUTING recent --set --name M", "mangle|-A PREROUTING recent --rcheck --name M", "recent --remove --name M",
        "mangle|-A POSTROUTING recent --rcheck --name M -j DROP"),
    "a chain": on_lists(
        "filter|:X -", "recent --set --name N -j X", "recent --rcheck --name N", "filter|-A X recent --remove --name N -p tcp",
        "filter|-A X recent --rcheck --name N"),
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", [4, 6])
def test_lists_change_as_soon_as_rules_ask_for_them(backend: str, family: int, tmp_path: Path) -> None:
    recent = tmp_path / "recent"
    recent.write_text("".join(f"==> {name} <==\n" for name in "ABCDEFGHIJKLMN"))
    with wire(backend, family) as lab:
        for port, (name, rules) in enumerate(LISTS.items(), 7000):
            if family == 6 and "--mask" in rules:
                continue
            before = load(lab, in_family(rules, family))
            sent = Sent("10.2.0.2", "udp", port, 80)
            sent = in_other_family(sent) if family == 6 else sent
            _, trouble = tried(lab, sent, before, recent=str(recent))
            assert not trouble, f"{name}: {trouble}"


# --- what is changed on the way, and asked again -------------------------------------------------------------

TTL_IS_64 = '-m u32 --u32 "0x5&0xff=0x40"'
ASKED_AGAIN = {
    "a time to live": (
        (f"mangle|-A PREROUTING {TTL_IS_64} -j MARK --set-mark 1;filter|-A FORWARD {TTL_IS_64} -j DROP;"
        "filter|-A FORWARD -m mark --mark 0 -j DROP"),
        ({"ttl": 64}, {"ttl": 9})),
    "a time to live that a rule sets": (
        (f"mangle|-A PREROUTING {TTL_IS_64} -j ACCEPT;mangle|-A PREROUTING -j TTL --ttl-set 64;mangle|-A PREROUTING {TTL_IS_64} "
        "-j MARK --set-mark 1;filter|-A FORWARD -m mark --mark 0 -j DROP"), ({"ttl": 64}, {"ttl": 9})),
    "a type of service": (
        ('mangle|-A PREROUTING -m u32 --u32 "0>>16&0xff=0x10" -j ACCEPT;mangle|-A PREROUTING -j TOS --set-tos 0x10/0xff;'
        'mangle|-A PREROUTING -m u32 --u32 "0>>16&0xff=0x10" -j DROP'), ({"tos": 0x10}, {"tos": 0})),
    "a segment size": (
        ("mangle|-A FORWARD -p tcp -m tcpmss --mss 1:900 -j ACCEPT;mangle|-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j "
        "TCPMSS --set-mss 800;mangle|-A FORWARD -p tcp -m tcpmss --mss 1:900 -j DROP"), ({},)),
    "an option": (
        ("mangle|-A FORWARD -p tcp -m tcp --tcp-option 2 -j ACCEPT;mangle|-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j "
        "TCPMSS --set-mss 800;mangle|-A FORWARD -p tcp -m tcp --tcp-option 2 -j DROP"), ({},)),
    "a length": (
        ("mangle|-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 800;"
        "mangle|-A FORWARD -m length --length 44 -j DROP"), ({},)),
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_rule_changed_may_answer_otherwise_when_it_is_asked_again(backend: str) -> None:
    with wire(backend) as lab:
        for number, (name, (rules, packets)) in enumerate(ASKED_AGAIN.items()):
            before = load(lab, rules)
            for port, about in enumerate(packets, 8000 + 10 * number):
                sent = Sent("10.2.0.2", "tcp", port, 80)._replace(**about)  # type: ignore[arg-type]
                lab.send(sent)
                after = iptviz.load(lab.router.save("-c").encode())
                seen, before = matched(before, after), after
                unknown = {"ttl": None, "tos": None, "length": 40} if about else {"length": 40}
                outcomes = iptviz.packet(after, **asked(sent, **unknown)).outcomes
                assert seen in [predicted(outcome) for outcome in outcomes], f"{name} {about}: {seen}"


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_comes_by_lo_has_no_address_of_the_link(backend: str) -> None:
    mac = "--mac-source 02:00:00:00:00:01"
    with wire(backend) as lab:
        lab.router.load(
            NOTHING
            + dump_of(f"filter|-A INPUT -m mac {mac};filter|-A INPUT -m mac ! {mac};filter|-A INPUT -j DROP")
        )
        before = iptviz.load(lab.router.save("-c").encode())
        _, trouble = tried(lab, Sent("10.1.0.1", "udp", 8900, 80, source="10.2.0.1"), before, **BY_THE_NODE)
        assert not trouble, trouble


# --- counts --------------------------------------------------------------------------------------------------

EVERY_SECOND = "-p udp -m statistic --mode nth --every 2 --packet 0"
MARKED = "".join(
    f";filter|-A FORWARD -m mark --mark {mark}/3 -j {end}"
    for mark, end in enumerate(("ACCEPT", "DROP", "REJECT", "ACCEPT"))
)
COUNTS = {
    "the same packets": (
        f"mangle|-A PREROUTING {EVERY_SECOND} -j MARK --set-xmark 1/1;"
        f"mangle|-A PREROUTING {EVERY_SECOND} -j MARK --set-xmark 2/2{MARKED}"
    ),
    "the same packets in another table": (
        f"mangle|-A PREROUTING {EVERY_SECOND} -j MARK --set-xmark 1/1;"
        f"mangle|-A FORWARD {EVERY_SECOND} -j MARK --set-xmark 2/2{MARKED}"
    ),
    "what another lets pass": (
        f"nat|-A PREROUTING {EVERY_SECOND} -j DNAT --to-destination 10.2.0.3;nat|-A PREROUTING {EVERY_SECOND} -j DNAT "
        "--to-destination 10.2.0.4;filter|-A FORWARD -d 10.2.0.4/32 -j DROP;filter|-A FORWARD -d 10.2.0.3/32 -j REJECT"
    ),
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_counts_of_the_same_packets_have_shares_within_bounds(backend: str) -> None:
    with wire(backend) as lab:
        for number, (name, rules) in enumerate(COUNTS.items()):
            before = load(lab, rules)
            sents = [Sent("10.2.0.2", "udp", 9000 + 100 * number + place, 80) for place in range(40)]
            outcomes = iptviz.packet(before, **asked(sents[0])).outcomes
            for sent in sents:
                lab.send(sent)
            counts = matched(before, iptviz.load(lab.router.save("-c").encode()))
            for outcome in outcomes:
                if outcome.by is not None:
                    count = counts["filter", "FORWARD", outcome.by.number]
                    assert outcome.share * len(sents) <= count <= outcome.most * len(sents), name
            exact = {outcome.verdict: outcome.share for outcome in outcomes if outcome.at_most is None}
            cascade = {"REJECT": Fraction(1, 2), "DROP": Fraction(1, 4), "ACCEPT": Fraction(1, 4)}
            assert exact == (cascade if number == 2 else {}), name
