"""What others than today's kube-proxy left behind, and frontends that two services claim."""

from __future__ import annotations

import iptviz
from iptviz.checks import leftovers
from iptviz.checks.wording import sentence, sentences
from iptviz.checks.wording import text as text_of
from iptviz.kube.published import published_ports
from tests import kubeproxy
from tests.conftest import FIXTURES
from tests.kubeproxy import Cluster, Service

HEAD = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-HOSTPORTS - [0:0]
:KUBE-HP-ABCDEFGHIJKLMNOP - [0:0]
:KUBE-PORTALS-CONTAINER - [0:0]
:KUBE-PORTALS-HOST - [0:0]
"""
RULES = """-A KUBE-PORTALS-CONTAINER -d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https" -m tcp --dport 443 -j REDIRECT --to-ports 33245
-A KUBE-HOSTPORTS -p tcp -m comment --comment "web_shop hostport 8081" -m tcp --dport 8081 -j KUBE-HP-ABCDEFGHIJKLMNOP
-A KUBE-HP-ABCDEFGHIJKLMNOP -p tcp -m comment --comment "web_shop hostport 8081" -m tcp -j DNAT --to-destination 10.244.1.5:8080
COMMIT
"""
JUMP = '-A PREROUTING -m comment --comment "handle ClusterIPs" -j KUBE-PORTALS-CONTAINER\n'


def texts(text: str) -> list[str]:
    return [text_of(one) for one in leftovers.left(iptviz.load(text.encode()))]


def test_leftovers_are_named_for_what_they_are_and_whether_they_act() -> None:
    userspace, host_ports = texts(f"{HEAD}{JUMP}{RULES}")
    assert userspace == (
        "KUBE-PORTALS-CONTAINER and 1 more: kube-proxy's userspace mode, the default before 1.2; "
        "line 7 still jumps there"
    )
    assert host_ports == (
        "KUBE-HOSTPORTS and 1 more: host ports of dockershim, which Kubernetes 1.24 removed; "
        "no rule jumps there any more"
    )
    assert texts(f"{HEAD}{RULES}")[0].endswith("no rule jumps there any more")
    cut = f"{HEAD}{RULES}".removesuffix("COMMIT\n")
    assert texts(cut)[0].endswith("no rule of this dump jumps there")
    assert texts(kubeproxy.saved(kubeproxy.numbered(1, 1))) == []
    assert texts("*filter\n:KUBE-PORTALS-HOST - [0:0]\nCOMMIT\n") == []


def test_a_rule_that_leads_to_what_ends_nothing_is_told() -> None:
    text = (FIXTURES / "checks/proxy-leftover/fault-led-to.rules").read_text()
    (idle,) = texts(text)
    assert idle == (
        "KUBE-LOAD-BALANCER and 2 more: kube-proxy's IPVS mode, which the iptables mode has replaced; "
        "line 12 still jumps there, where no rule ends anything"
    )
    (acting,) = texts(
        text.replace("dst,dst -j RETURN", "dst,dst -j REJECT --reject-with icmp-port-unreachable")
    )
    assert acting.endswith("line 12 still jumps there")


def test_the_list_of_services_speaks_of_them() -> None:
    notes = sentences(iptviz.services(iptviz.load(f"{HEAD}{JUMP}{RULES}".encode())).notes)
    assert any("line 5: KUBE-PORTALS-CONTAINER and 1 more" in note for note in notes)


def test_their_ports_are_published_by_them() -> None:
    found = published_ports(iptviz.load(f"{HEAD}{RULES}".encode()))
    assert [(one.text, one.by) for one in found] == [
        ("10.96.0.1:443/tcp", "kube-proxy, userspace mode"),
        (":8081/tcp", "dockershim host port"),
    ]


def test_a_frontend_of_two_services_is_told() -> None:
    one = Service("web", "10.96.7.1", (("10.244.1.1", 80),), load_balancer_ips=("203.0.113.1",))
    two = Service("api", "10.96.7.2", (("10.244.1.2", 80),), load_balancer_ips=("203.0.113.1",))
    dump = iptviz.load(kubeproxy.saved(Cluster((one, two))).encode())
    (note,) = iptviz.services(dump).notes
    lines = [
        rule.line for rule in dump.tables["nat"].rules_of("KUBE-SERVICES") if "203.0.113.1/" in rule.text
    ]
    assert sentence(note) == (
        f"line {lines[1]}: 203.0.113.1:80/tcp of default/api is default/web's, too: "
        f"line {lines[0]} comes first and gets the connections"
    )


def test_old_external_ips_of_two_rules_are_of_one_service() -> None:
    one = Service("web", "10.96.7.1", (("10.244.1.1", 80),), external_ips=("192.0.2.1",))
    dump = iptviz.load(kubeproxy.saved(Cluster((one,), kubeproxy.OLD)).encode())
    assert not iptviz.services(dump).notes
