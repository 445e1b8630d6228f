"""Whose rules end connections in chains of kube-proxy and kubelet: their own, of every era, and those of others."""

from __future__ import annotations

import re

import pytest

import iptviz
from iptviz.kube.refusals import is_own_refusal
from tests.kubeproxy import saved
from tests.kubeproxy.features import POSSIBLE, cluster_with

_ENDING = {"DROP", "REJECT"}
_COMMENT = re.compile(r'-m comment --comment (?:"[^"]*"|\S+) ')


@pytest.mark.parametrize("place", sorted(POSSIBLE))
def test_what_kube_proxy_writes_is_its_own(place: tuple[str, str]) -> None:
    text = saved(cluster_with(*place)[0])
    for form in (text, _COMMENT.sub("", text)):
        for rule in iptviz.load(form.encode()).tables["filter"].rules() if "*filter" in form else ():
            if rule.target and rule.target.name in _ENDING and rule.chain != "KUBE-FORWARD":
                assert is_own_refusal("filter", rule.chain, rule.text)


@pytest.mark.parametrize(
    "rule",
    [
        "-A KUBE-SERVICES -j DROP",
        "-A KUBE-SERVICES -p udp -j DROP",
        "-A KUBE-SERVICES -p tcp -m tcp --dport 80 -j DROP",
        "-A KUBE-SERVICES -m conntrack --ctstate NEW -j DROP",
        "-A KUBE-SERVICES -d 10.96.0.0/16 -j REJECT --reject-with icmp-port-unreachable",
        "-A KUBE-SERVICES ! -d 10.96.0.1/32 -j DROP",
        "-A KUBE-SERVICES -s 192.0.2.1/32 -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j DROP",
        "-A KUBE-EXTERNAL-SERVICES -j DROP",
        "-A KUBE-EXTERNAL-SERVICES -m addrtype ! --dst-type LOCAL -j DROP",
        "-A KUBE-NODEPORTS -p tcp -m tcp --dport 32000 -j DROP",
        "-A KUBE-PROXY-FIREWALL -p tcp -j DROP",
        "-A KUBE-FIREWALL -s 10.244.0.0/16 -j DROP",
        "-A KUBE-FIREWALL -d 10.244.0.0/16 -j DROP",
        "-A KUBE-FORWARD -s 10.244.0.0/16 -j DROP",
        "-A INPUT -m mark --mark 0x8000/0x8000 -j DROP",
        "-A cali-FORWARD -d 10.96.0.1/32 -j DROP",
    ],
)
def test_what_names_no_service_and_no_mark_is_others(rule: str) -> None:
    assert not is_own_refusal("filter", rule.split()[1], rule)
