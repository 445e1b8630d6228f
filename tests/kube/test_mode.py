"""How a node's services are kept, with the line that shows it; all who ask are told the same."""

from __future__ import annotations

import pytest

import iptviz
from iptviz.checks.wording import sentences
from iptviz.kube.era import era_of
from iptviz.kube.mode import Mode, mode_of

USERSPACE = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-PORTALS-CONTAINER - [0:0]
:KUBE-PORTALS-HOST - [0:0]
-A PREROUTING -m comment --comment "handle ClusterIPs; NOTE: this must be before the NodePort rules" -j KUBE-PORTALS-CONTAINER
-A KUBE-PORTALS-CONTAINER -d 10.0.0.1/32 -p tcp -m comment --comment "default/kubernetes:https" -m tcp --dport 443 -j REDIRECT --to-ports 33245
COMMIT
"""
CANARY = "*mangle\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n"
CASES = [
    ("*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n", Mode("iptables", 2)),
    ("*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-NODE-PORT - [0:0]\nCOMMIT\n", Mode("ipvs", 3)),
    ("*nat\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\nCOMMIT\n",
     Mode("ipvs", 3)),
    (USERSPACE, Mode("userspace", 3)),
    (f"{CANARY}{USERSPACE}", Mode("userspace", 6)),
    (USERSPACE.replace(":KUBE-PORTALS-HOST", ":KUBE-SERVICES"), Mode("iptables", 4)),
    (CANARY, Mode("elsewhere", 2)),
    (f"*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n{CANARY}", Mode("elsewhere", 5)),
    ("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", Mode("none")),
    ("*filter\n:KUBE-SERVICES - [0:0]\nCOMMIT\n", Mode("none")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_the_mode_has_its_evidence(text: str, expected: Mode) -> None:
    dump = iptviz.load(text.encode())
    assert mode_of(dump) == expected
    assert era_of(dump).mode == expected.name


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_who_finds_nothing_is_told_of_the_mode(text: str, expected: Mode) -> None:
    said = "\n".join(sentences(iptviz.trace(iptviz.load(text.encode()), "10.97.13.198").notes))
    words = {
        "ipvs": "IPVS mode",
        "userspace": "userspace mode",
        "elsewhere": "kubelet runs",
        "none": "",
        "iptables": "",
    }
    assert words[expected.name] in said or "no nat table" in said
    assert ("never wrote here" in said) == (expected.name in {"elsewhere", "none"} and "*nat" in text)


def test_a_node_in_userspace_mode_is_not_said_to_have_no_kube_proxy() -> None:
    dump = iptviz.load(USERSPACE.encode())
    for notes in (iptviz.trace(dump, "10.0.0.1").notes, iptviz.services(dump).notes):
        text = "\n".join(sentences(notes))
        assert "kube-proxy runs in userspace mode here (line 3)" in text
        assert "endpoints are not in iptables" in text
        assert "never wrote here" not in text
