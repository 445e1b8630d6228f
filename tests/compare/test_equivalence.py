"""Two dumps of kube-proxy treat all new connections to services alike, or a packet tells them apart."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

import pytest

import iptviz
from iptviz.compare.fates.equivalence import equivalence
from iptviz.questions.services import services
from tests import kubeproxy
from tests.compare.judged import At, ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.compare.fates.endings import TellingPacket
    from iptviz.compare.fates.equivalence import Equivalence

CLUSTER = kubeproxy.numbered(12, 3)
TEXT = kubeproxy.saved(CLUSTER)
SIXTH = CLUSTER.services[6]
OF_SIXTH = [f"{SIXTH.cluster_ip}:80/tcp", f":{SIXTH.node_port}/tcp"]
SERVICES = [
    each
    for service in CLUSTER.services
    for each in (f"{service.cluster_ip}:80/tcp", f":{service.node_port}/tcp")
]
ENDPOINT = f"{SIXTH.endpoints[1][0]}:8080"


def compare(old: str, new: str) -> Equivalence:
    mine, theirs = (
        [each.examined for each in services(iptviz.load(text.encode())).answers if each.examined]
        for text in (old, new)
    )
    return equivalence(mine, theirs)


def differing(found: Equivalence) -> list[str]:
    return [each for one in found.different for each in (one.frontend, *one.alike)]


def instead(text: str, pattern: str, new: str, count: int = 1) -> str:
    made, replaced = re.subn(pattern, new, text, count=count, flags=re.MULTILINE)
    assert replaced, pattern
    return made


def before_filter(rule: str, chain: str = "FORWARD") -> Callable[[str], str]:
    """The text with a rule as the first of a chain of table filter."""

    def planted(text: str) -> str:
        head, table, rest = text.partition("*filter\n")
        assert table
        return head + table + instead(rest, rf"^-A {chain} ", rf"{rule}\n\g<0>")

    return planted


def into_raw(text: str, rule: str) -> str:
    return f"{text}*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{rule}\nCOMMIT\n"


def in_other_order(_text: str) -> str:
    made = kubeproxy.saved(kubeproxy.Cluster(CLUSTER.services[::-1], pod_cidr=CLUSTER.pod_cidr))
    assert made != TEXT
    return made


LIMITED = "-A FORWARD -p icmp -m limit --limit 3/min -j LOG"
ALIKE: dict[str, Callable[[str], str]] = {
    "nothing": lambda text: text,
    "counters": lambda text: re.sub("^-A ", "[12:345] -A ", text, flags=re.MULTILINE),
    "fewer digits": lambda text: instead(text, "0.33333333349", "0.33332999982", 0),
    "services in another order": in_other_order,
    "no comments": lambda text: re.sub(r' -m comment --comment "[^"]*"', "", text),
    "a chain that comes back": lambda text: before_filter("-A FORWARD -j MINE\n-A MINE -s 192.0.2.0/24 -j RETURN")(
        text.replace("*filter\n", "*filter\n:MINE - [0:0]\n")
    ),
    "a rule about another port": before_filter("-A INPUT -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -j DROP", "INPUT"),
    "a rule that logs": before_filter(LIMITED),
    "an empty table": lambda text: f"{text}*security\n:INPUT ACCEPT [0:0]\nCOMMIT\n",
    "another address that is none of a service": lambda text: into_raw(text, "-A PREROUTING -d 192.0.2.7/32 -p icmp -j DROP"),
}  # fmt: skip


@pytest.mark.parametrize("change", ALIKE.values(), ids=ALIKE)
def test_what_is_no_difference_is_none(change: Callable[[str], str]) -> None:
    found = compare(TEXT, change(TEXT))
    assert (found.alike, found.different, found.not_known) == (True, (), ())
    assert found.frontends == len(SERVICES)


class Case(NamedTuple):
    """A change, the frontends that then differ, and what is so of the packets that tell the sides apart."""

    change: Callable[[str], str]
    frontends: list[str]
    is_so: Callable[[TellingPacket], bool] = lambda _packet: True
    old: str = ""
    new: str = ""


def _from(network: str) -> Callable[[TellingPacket], bool]:
    return lambda packet: ip_address(packet.source or "::") in ip_network(network)


DIFFERENT: dict[str, Case] = {
    "another endpoint": Case(
        lambda text: instead(text, f"--to-destination {re.escape(ENDPOINT)}", "--to-destination 10.128.9.9:8080"),
        OF_SIXTH, old=ENDPOINT, new="10.128.9.9:8080"),
    "another port of an endpoint": Case(
        lambda text: instead(text, f"--to-destination {re.escape(ENDPOINT)}", f"--to-destination {ENDPOINT[:-1]}1"),
        OF_SIXTH, old=ENDPOINT, new=f"{ENDPOINT[:-1]}1"),
    "another share": Case(
        lambda text: instead(text, r'(team-6/service-6:http -> .*--probability) 0\.5\d*', r"\1 0.40000000037"), OF_SIXTH),
    "no service": Case(
        lambda text: instead(text, rf"^-A KUBE-SERVICES -d {SIXTH.cluster_ip}/32 .*\n", ""), OF_SIXTH[:1]),
    "a network that is refused": Case(
        before_filter("-A FORWARD -s 192.0.2.0/24 -j DROP"), SERVICES, _from("192.0.2.0/24")),
    "a port that is refused": Case(
        before_filter("-A FORWARD -p tcp -m tcp --sport 7777 -j DROP"), SERVICES, lambda packet: packet.source_port == 7777),
    "an interface that is refused": Case(
        before_filter("-A FORWARD -i eth7 -j DROP"), SERVICES, lambda packet: packet.in_interface == "eth7"),
    "an endpoint that may not reach itself": Case(
        lambda text: instead(text, rf"^-A KUBE-SEP-\S+ -s {SIXTH.endpoints[1][0]}/32 .*\n", ""),
        OF_SIXTH[:1], _from(f"{SIXTH.endpoints[1][0]}/32")),
    "no masquerading for the network of pods": Case(
        lambda text: instead(text, r"^-A KUBE-SVC-\S+ ! -s 10.128.0.0/9 -d " + SIXTH.cluster_ip + r"/32 .*\n", ""), OF_SIXTH[:1],
        lambda packet: not _from("10.128.0.0/9")(packet)),
    "no masquerading at all": Case(
        lambda text: instead(text, r"^-A KUBE-POSTROUTING .*-j MASQUERADE.*\n", ""), SERVICES),
    "an address that is refused before nat": Case(
        lambda text: into_raw(text, f"-A PREROUTING -d {SIXTH.cluster_ip}/32 -s 198.18.0.0/15 -j DROP"),
        OF_SIXTH[:1], _from("198.18.0.0/15")),
    "what the node sends": Case(
        before_filter(f"-A OUTPUT -d {SIXTH.endpoints[1][0]}/32 -j REJECT", "OUTPUT"), OF_SIXTH,
        lambda packet: packet.hook == "output"),
    "the answers of an endpoint": Case(
        before_filter(f"-A FORWARD -s {SIXTH.endpoints[1][0]}/32 -p tcp -m tcp --sport 8080 --tcp-flags SYN,ACK SYN,ACK -j DROP"), OF_SIXTH),
    "a set that nobody shows": Case(
        before_filter("-A FORWARD -m set --match-set bad src -j DROP"), SERVICES,
        lambda packet: [each.text for each in packet.when] == ["packet is in ipset bad src"]),
}  # fmt: skip


@pytest.mark.parametrize("case", DIFFERENT.values(), ids=DIFFERENT)
def test_a_packet_tells_two_dumps_apart(case: Case) -> None:
    for way in (False, True):
        texts = (TEXT, case.change(TEXT))
        found = compare(*(texts[::-1] if way else texts))
        assert found.alike is False
        assert sorted(differing(found)) == sorted(case.frontends)
        for one in found.different:
            assert case.is_so(one.packet), one.packet
            assert one.old != one.new
            ends = [
                {end.endpoint for end in side} for side in ((one.new, one.old) if way else (one.old, one.new))
            ]
            assert not case.old or (case.old in ends[0] and case.new in ends[1])


def test_a_state_of_a_rule_is_the_same_on_both_sides_where_the_rule_is() -> None:
    rule = before_filter("-A FORWARD -m limit --limit 3/min -j DROP")
    found = compare(rule(TEXT), before_filter("-A FORWARD -p icmp -j ACCEPT")(rule(TEXT)))
    assert found.alike is True
    line = 1 + rule(TEXT).splitlines().index("-A FORWARD -m limit --limit 3/min -j DROP")
    assert [each.text for each in found.same if each.kind == "rate"] == [f"limit 3/min at line {line}"]


def test_two_rules_that_count_may_be_one_or_two() -> None:
    """Whether a rule of the one side and another of the other side are used up together nobody knows."""
    old = before_filter("-A FORWARD -m limit --limit 3/min -j DROP")(TEXT)
    new = before_filter("-A FORWARD -m limit --limit 3/min -j REJECT")(TEXT)
    found = compare(old, new)
    assert found.alike is not True


def test_a_family_that_one_side_alone_has_is_not_compared() -> None:
    six = kubeproxy.Cluster(
        (kubeproxy.Service("web", "fd00::1", (("fd00:1::1", 80),)),), family=6, pod_cidr="fd00:1::/64"
    )
    found = compare(kubeproxy.saved(six), TEXT)
    assert found.alike is None
    assert {each.why for each in found.not_known} == {"no dump of the family"}
    assert "[fd00::1]:80/tcp" in found.not_known[0].frontends


def test_a_chain_that_is_cut_off_may_do_anything() -> None:
    """The end of FORWARD may not be shown, whose policy is DROP: nobody knows what is accepted there."""
    whole = "*filter\n:FORWARD DROP\n-A FORWARD -s 192.0.2.0/24 -j DROP\nCOMMIT\n"
    cut = whole.removesuffix("COMMIT\n")
    at = At("10.3.0.1", "tcp", 80)
    assert ask(whole, whole, at) == ask(whole, whole, at)._replace(apart=None, open_by=None)
    for old, new in ((cut, cut), (whole, cut), (cut, whole)):
        found = ask(old, new, at)
        assert (found.apart, found.open_by) == (None, "chains not in the dump")


@pytest.mark.parametrize("era", ["1.2", "1.12", "1.20", "1.29"])
def test_the_same_services_of_an_era_are_alike_and_a_lost_endpoint_is_not(era: str) -> None:
    cluster = kubeproxy.numbered(3, 3, era=era)
    text = kubeproxy.saved(cluster)
    assert compare(text, text).alike is True
    first = cluster.services[0]
    fewer = kubeproxy.saved(
        kubeproxy.Cluster((kubeproxy.Service(**{**vars(first), "endpoints": first.endpoints[:2]}), *cluster.services[1:]),
                          era=era, pod_cidr=cluster.pod_cidr))  # fmt: skip
    found = compare(text, fewer)
    assert sorted(differing(found)) == sorted([f"{first.cluster_ip}:80/tcp", f":{first.node_port}/tcp"])


def test_whether_an_address_is_the_nodes_is_asked_of_both_sides() -> None:
    """What is not tracked may be for this node, as that for a DNS cache: so may the same where it is tracked."""
    address = SIXTH.cluster_ip
    old = re.sub(r"^-A (PREROUTING|OUTPUT) .*-j KUBE-SERVICES\n", "", TEXT, flags=re.MULTILINE)
    new = into_raw(
        old, "\n".join(f"-A {hook} -d {address}/32 -j CT --notrack" for hook in ("PREROUTING", "OUTPUT"))
    )
    for sides in ((old, new), (new, old)):
        found = compare(*sides)
        assert (found.alike, found.different) == (True, ())


def test_no_source_that_masquerading_chooses_is_a_services_address() -> None:
    """The answer to a masqueraded connection goes to an address of the node, which no cluster IP is."""
    refusing = into_raw(TEXT, f"-A PREROUTING -d {SIXTH.cluster_ip}/32 -j DROP")
    for sides in ((TEXT, refusing), (refusing, TEXT)):
        assert differing(compare(*sides)) == OF_SIXTH[:1]


def test_a_packet_is_told_with_all_that_its_ends_rest_on() -> None:
    """An endpoint at some times alone, and another that is lost: how the packet ends hangs on the time, too."""
    first, second = (f"{address}:8080" for address, _ in SIXTH.endpoints[:2])
    timed = instead(
        TEXT, rf"^(-A KUBE-SVC-\S+ )(.*-> {re.escape(first)}\")", r"\1-m time --timestart 08:00:00 \2"
    )
    found = compare(
        timed, instead(timed, re.escape(f"--to-destination {second}"), "--to-destination 10.128.9.9:8080")
    )
    assert differing(found)
    assert {each.condition.kind for one in found.different for each in one.packet.when} >= {"time"}


def test_many_endpoints_are_compared_and_a_changed_one_is_found() -> None:
    cluster = kubeproxy.numbered(1, 150, node_ports=False)
    text = kubeproxy.saved(cluster)
    address = cluster.services[0].endpoints[70][0]
    changed = text.replace(f"--to-destination {address}:8080", "--to-destination 10.129.77.7:8080")
    assert compare(text, text).alike is True
    (one,) = compare(text, changed).different
    assert {end.endpoint for end in one.old} ^ {end.endpoint for end in one.new} == {
        f"{address}:8080",
        "10.129.77.7:8080",
    }
