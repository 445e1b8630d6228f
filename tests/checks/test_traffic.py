"""What is said of rules of others that end or rewrite connections: of whom, to what, when, and by which rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.checks.registry import catalogue
from iptviz.checks.wording import sentence
from tests.conftest import FIXTURES, SHARED

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.checks.finding import Finding

CASES = SHARED.parent / "cases"
OURS = {what for name in ("traffic", "lost_sources", "policies") for what in catalogue(name).diagnoses}
_WEB = "shop/web:http"

SAYS = {
    "filter|-A FORWARD -d 10.244.1.5/32 -j DROP": [
        f"high: rule 1 of FORWARD drops connections of outside clients and pods to some endpoints of {_WEB}"
    ],
    "filter|-A FORWARD -s 10.244.1.0/24 -j DROP": [
        f"high: rule 1 of FORWARD drops answers of some endpoints of {_WEB} to outside clients",
        f"high: rule 1 of FORWARD drops connections of pods to {_WEB}, when source in 10.244.1.0/24",
    ],
    "filter|-A FORWARD ! -s 203.0.113.0/24 -p tcp -m tcp --dport 8080 -j DROP": [
        (
            f"high: rule 1 of FORWARD drops connections of pods to {_WEB}, and of outside clients, "
            "when source not in 203.0.113.0/24"
        )
    ],
    "filter|-A FORWARD ! -i eth0 -j DROP": [
        f"high: rule 1 of FORWARD drops connections of pods to {_WEB}, when input interface is not eth0"
    ],
    "filter|-A FORWARD -i eth0 -j DROP": [
        f"info: rule 1 of FORWARD drops connections of outside clients to {_WEB}, when input interface is eth0"
    ],
    "filter|-A FORWARD -m statistic --mode random --probability 0.5 -m conntrack --ctstate NEW -j DROP": [
        f"high: rule 1 of FORWARD drops by chance some connections of outside clients and pods to {_WEB}"
    ],
    "filter|-A FORWARD -p tcp -j NFQUEUE --queue-num 1": [
        f"info: rule 1 of FORWARD lets a program decide on connections of outside clients and pods to {_WEB}"
    ],
    "filter|-A OUTPUT -d 10.244.1.5/32 -j REJECT --reject-with icmp-port-unreachable": [
        f"high: rule 1 of OUTPUT rejects connections of the node to some endpoints of {_WEB}"
    ],
    "filter|-A FORWARD -s 10.244.1.5/32 -j DROP": [
        f"high: rule 1 of FORWARD drops answers of some endpoints of {_WEB} to outside clients and pods"
    ],
    "nat|-A POSTROUTING -o eth0 -j MASQUERADE": [
        (
            "info: nat POSTROUTING rule 1 rewrites the source of pods on the path to 1 service port (shop/web:http), "
            "when output interface is eth0"
        )
    ],
    "nat|-A POSTROUTING ! -o lo -j MASQUERADE": [
        "high: nat POSTROUTING rule 1 rewrites the source of pods on the path to 1 service port (shop/web:http)"
    ],
    # Not usual clients, or nobody knows whom.
    "filter|-A FORWARD -s 10.244.1.9/32 -j DROP": [],
    "filter|-A FORWARD -s 203.0.113.0/24 -j DROP": [],
    "filter|-A FORWARD -i docker0 -j DROP": [],
    "filter|-A FORWARD -m set --match-set bad src -j DROP": [],
    "filter|-A FORWARD -p tcp -m connlimit --connlimit-above 100 -j REJECT --reject-with tcp-reset": [],
    "filter|-A INPUT -p tcp -m tcp --dport 30000:32767 -j DROP": [],
    "filter|-A OUTPUT -m owner --uid-owner 1000 -j DROP": [],
    "nat|-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE": [],
    "nat|-A POSTROUTING -m set --match-set masq dst -j MASQUERADE": [],
}
"""Rules above all of a hook, and what is said of each."""


def above(table: str, rule: str) -> str:
    """A node with a service of two endpoints, a cluster IP and a node port, and a rule above all of its hook."""
    text = (FIXTURES / "checks/forward-drop/near-blocklist.rules").read_text()
    own = [line for line in text.splitlines() if "198.51.100.0" not in line]
    hook = " ".join(rule.split()[:2])
    at = next(place for place in range(own.index(f"*{table}"), len(own)) if own[place].startswith(f"{hook} "))
    return "\n".join([*own[:at], rule, *own[at:], ""])


def said(result: iptviz.CheckResult) -> list[str]:
    return [f"{one.severity}: {sentence(one)}" for one in ours(result)]


def ours(result: iptviz.CheckResult) -> list[Finding]:
    return [one for one in result.findings if one.id in OURS]


@pytest.mark.parametrize("rule", SAYS)
def test_what_is_said_of_a_rule(rule: str) -> None:
    assert said(iptviz.check(iptviz.load(above(*rule.split("|")).encode()))) == SAYS[rule]


def test_each_kind_of_client_has_the_rule_that_ends_its_connections() -> None:
    text = above("filter", "-A FORWARD -d 10.244.0.0/16 -j DROP").replace(":OUTPUT ACCEPT", ":OUTPUT DROP")
    assert said(iptviz.check(iptviz.load(text.encode()))) == [
        f"high: rule 1 of FORWARD drops connections of outside clients and pods to {_WEB}",
        f"high: policy DROP of OUTPUT drops connections of the node to {_WEB}",
    ]


def test_where_pods_come_in_is_known_of_addresses() -> None:
    from iptviz.supplied.files import Supplied

    dump = iptviz.load(above("filter", "-A FORWARD -i br7 -j DROP").encode())
    assert said(iptviz.check(dump)) == []
    addresses = Supplied("7: br7    inet 10.244.1.1/24 brd 10.244.1.255 scope global br7\n", "addresses")
    assert said(iptviz.check(dump, addresses=addresses)) == [
        f"high: rule 1 of FORWARD drops connections of pods to {_WEB}, when input interface is br7"
    ]


OF_CASES = {
    "exact/w-forward-drop": {"forward-drop": 85},
    "exact/w-post-masq-all": {"foreign-masquerade": 30},
    "exact/masquerade-by-somebody-else": {},
    "exact/w-filter-rejects-same-address": {},
    "meet/docker-forward-drop": {"forward-drop": 16},
    "meet/ufw-policy-drop": {"forward-drop": 16},
    "meet/netavark": {},
    "reports/02-healthcheck-input-drop": {"input-drop": 89},
    "reports/02b-healthcheck-1.29": {"replies-dropped": 15, "input-drop": 15},
    "reports/05-extra-masquerade": {"foreign-masquerade": 69},
    "reports/07-kube-router-stale-pod": {"stale-pod-policy": 67},
    "reports/22-docker-forward-drop": {"forward-drop": 16},
    "reports/24-flannel-same-node": {"foreign-masquerade": 84},
    "reports/26-docker-raw-drop": {},
    "reports/31-forward-drop-first": {"forward-drop": 30},
    "reports/40-plain": {},
    "reports/50-npm-after-kube-forward": {"policy-after-kube-forward": 98, "policy-drops-services": 105},
    "deep/established-to-service-sees-endpoint": {},
    "cni/duplicate-hostport": {},
    "meet/base-nft/nft": {},
    "meet/docker-nft/nft": {},
    "meet/ufw-enabled-nft/nft": {"forward-drop": 16},
    "meet/shorewall-rekube-nft/nft": {},
    "cni/bridge-cni-first-nft/nft": {},
    "cni/libvirt-kube-first-nft/nft": {},
    "cni/ptp-kube-first-legacy/legacy": {},
}
"""What is found in cases of reports and experiments, each with the line of its first evidence."""


@pytest.mark.parametrize("case", OF_CASES)
def test_a_case_is_told(case: str) -> None:
    path = CASES / f"{case}.rules"
    if not path.exists():
        pytest.skip("needs the cases")
    found = ours(iptviz.check(iptviz.load(path)))
    assert {one.id: one.evidence[0].line for one in found} == OF_CASES[case]


def test_two_rules_that_end_the_same_are_two_findings() -> None:
    path = CASES / "exact/w-raw-drop.rules"
    if not path.exists():
        pytest.skip("needs the cases")
    found = ours(iptviz.check(iptviz.load(path)))
    assert [(one.id, one.evidence[0].line) for one in found] == [
        ("rule-drops-services", 107),
        ("rule-drops-services", 108),
    ]


def test_rules_of_the_other_backend_are_told_in_words() -> None:
    path = CASES / "meet/ferm-noflush-nft"
    if not path.exists():
        pytest.skip("needs the cases")
    assert said(iptviz.check(iptviz.load_node(str(path)))) == [
        (
            "high: policy DROP of FORWARD (legacy rules, line 4) drops connections of outside clients and pods to 2 of 2 "
            "service ports (default/web:http, default/empty)"
        )
    ]


@pytest.mark.parametrize(
    "cut",
    [
        '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes loa',
        "-A FORWARD -j KUBE-SERV",
        "-A FORWARD -j",
    ],
)
def test_nothing_rests_on_a_rule_that_cannot_be_read(cut: str) -> None:
    text = above("filter", cut).replace(' service portals" -j KUBE-SERVICES', ' service portals" -j KUBE')
    result = iptviz.check(iptviz.load(text.encode()))
    assert said(result) == []
    assert "partial-dump" in {one.id for one in result.findings}


def test_service_ports_of_one_name_are_counted_once() -> None:
    cut = "-j KUBE-EXT-67NZLRHBNDSAWJRO"
    text = above("filter", "-A FORWARD -j DROP").replace(cut, cut[:-5], 1)
    (one,) = [words for words in said(iptviz.check(iptviz.load(text.encode()))) if "FORWARD" in words]
    assert one == f"high: rule 1 of FORWARD drops connections of pods to {_WEB}"


_LEGACY_MASQUERADE = """
# Warning: iptables-legacy tables present, use iptables-legacy-save to see them
# Generated by iptables-legacy-save v1.8.9 on Mon Nov 23 12:00:00 2026
*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -j MASQUERADE
COMMIT
"""
_FLANNEL = """\
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE
COMMIT
"""


def test_a_rule_of_the_other_backend_that_masquerades_is_named_alone(tmp_path: Path) -> None:
    text = above("filter", "-A INPUT -i lo -j ACCEPT").replace("v1.8.9", "v1.8.9 (nf_tables)")
    head, _, end = text.rpartition("COMMIT\n")
    head = head.replace(":KUBE-MARK-MASQ", ":FLANNEL-POSTRTG - [0:0]\n:KUBE-MARK-MASQ")
    path = tmp_path / "node.txt"
    path.write_text(head + _FLANNEL + end + _LEGACY_MASQUERADE)
    (one,) = said(iptviz.check(iptviz.load_node(str(path))))
    line = path.read_text().splitlines().index("-A POSTROUTING -j MASQUERADE") + 1
    assert one == (
        f"high: nat POSTROUTING rule 1 (legacy rules, line {line}) rewrites the source of pods "
        f"on the path to 1 service port ({_WEB})"
    )
