"""Rules in kube-proxy's chains that are about no service: they are no frontends of one without endpoints."""

from __future__ import annotations

import pytest

import iptviz
from iptviz.kube.dispatching import DispatchingRules, all_frontends
from iptviz.kube.frontend_answer import FrontendAnswers
from tests.conftest import ROOT

FILTER = "*filter\n:INPUT ACCEPT [0:0]\n:{chain} - [0:0]\n-A INPUT -j {chain}\n-A {chain} {rule}\nCOMMIT\n"
NAMED = '-m comment --comment "shop/web:http has no endpoints"'


def kinds(chain: str, rule: str) -> list[str]:
    """The kinds of the frontends that one rule of filter makes."""
    dump = iptviz.load(FILTER.format(chain=chain, rule=rule).encode())
    return [frontend.kind for frontend in all_frontends(dump)]


@pytest.mark.parametrize("chain", ["KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL"])
@pytest.mark.parametrize(
    "rule",
    [
        "-p tcp -m tcp --dport 80 -j DROP",
        "-p udp -j DROP",
        "-m conntrack --ctstate NEW -j DROP",
        "-j REJECT",
        "-p tcp -m addrtype --dst-type LOCAL -j DROP",
        "-p tcp -m addrtype ! --dst-type LOCAL -m tcp --dport 80 -j DROP",
        "-p tcp -m comment --comment blocked -m tcp --dport 80 -j DROP",
    ],
)  # fmt: skip
def test_a_rule_about_everything_is_no_frontend(chain: str, rule: str) -> None:
    assert kinds(chain, rule) == []


@pytest.mark.parametrize(
    "rule",
    [
        f"-p tcp {NAMED} -m addrtype --dst-type LOCAL -m tcp --dport 30080 -j REJECT",
        f"-p tcp {NAMED} -m tcp --dport 30080 -j REJECT",
        "-p tcp -m addrtype --dst-type LOCAL -m tcp --dport 30080 -j REJECT",
    ],
)  # fmt: skip
def test_a_refused_node_port_is_one(rule: str) -> None:
    assert kinds("KUBE-EXTERNAL-SERVICES", rule) == ["node-port"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("marked-below", "cluster-ip"), ("other-ports", "cluster-ip"), ("marked-too-late", "node-port")],
)
def test_marks_that_come_too_late_do_not_count(name: str, kind: str) -> None:
    dump = iptviz.load((ROOT / f"fixtures/checks/no-masquerade/fault-{name}.rules").read_bytes())
    rules = DispatchingRules(dump)
    (answer,) = (FrontendAnswers(rules).of(one) for one in rules.frontends() if one.kind == kind)
    assert answer.endpoints
    assert not answer.masquerades_others
