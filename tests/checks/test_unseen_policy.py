"""Services that kube-proxy refuses where an internal policy Local may be why: up to 1.23 no rule tells which it is.

Truth: FilterEndpoints in pkg/proxy/topology.go of 1.21 to 1.23 left a proxier the endpoints of its own node, unless
the external policy is Local, too; of a service without any it wrote what it writes of one that has none at all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import iptviz
from tests import kubeproxy
from tests.kubeproxy import Cluster, Service

WRITTEN = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-CANARY - [0:0]
:KUBE-SERVICES - [0:0]
-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "shop/cache:redis has no endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30379 -j REJECT --reject-with icmp-port-unreachable
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A KUBE-SERVICES -d 10.96.20.4/32 -p tcp -m comment --comment "shop/cache:redis has no endpoints" -m tcp --dport 6379 -j REJECT --reject-with icmp-port-unreachable
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-MARK-DROP - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-PROXY-CANARY - [0:0]
:KUBE-SEP-TGTSEOF4KKGQQKRC - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-67NZLRHBNDSAWJRO - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-SEP-TGTSEOF4KKGQQKRC -s 10.244.1.5/32 -m comment --comment "shop/web:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-TGTSEOF4KKGQQKRC -p tcp -m comment --comment "shop/web:http" -m tcp -j DNAT --to-destination 10.244.1.5:8080
-A KUBE-SERVICES -d 10.96.20.1/32 -p tcp -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-67NZLRHBNDSAWJRO
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-67NZLRHBNDSAWJRO ! -s 10.244.0.0/16 -d 10.96.20.1/32 -p tcp -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-67NZLRHBNDSAWJRO -m comment --comment "shop/web:http" -j KUBE-SEP-TGTSEOF4KKGQQKRC
COMMIT
"""
"""What kube-proxy 1.23 writes of shop/cache, whose internal policy is Local, on a node that has no pod of it."""

KNOWN = "shop/cache:redis has no endpoints: kube-proxy's rules reject connections to "
OPEN = (
    "shop/cache:redis has no endpoints, or internalTrafficPolicy=Local and none on this node: kube-proxy's rules "
    "reject connections to "
)
PODS = (("10.244.1.7", 6379), ("10.244.2.7", 6379))
CACHE = Service(
    "cache", "10.96.20.4", PODS, port=6379, port_name="redis", namespace="shop", internal_local=True
)
OUTSIDE: dict[str, Any] = {"local_only": True, "load_balancer_ips": ("203.0.113.9",), "health_check": 32000}


def cluster(era: str, **options: object) -> Cluster:
    web = Service("web", "10.96.20.1", (("10.244.1.5", 8080),), port_name="http", namespace="shop")
    return Cluster((web, replace(CACHE, **options)), era)  # type: ignore[arg-type]


def said(text: str) -> list[tuple[str, str, str]]:
    """What is said of services that are refused: `check`, and `services` and `trace` word for word the same."""
    dump = iptviz.load(text.encode())
    (found,) = iptviz.check(dump, select=["no-endpoints", "local-drop"]).findings or (None,)
    if found is None:
        return []
    for other in (iptviz.services(dump), iptviz.trace(dump, "shop/cache:redis")):
        assert found.message in {one.message for one in other.findings}
    return [(found.id, found.message, found.why)]


def test_both_reasons_are_told_where_nothing_tells_which_it_is() -> None:
    ((what, message, why),) = said(WRITTEN)
    assert (what, message) == ("no-endpoints", f"{OPEN}10.96.20.4:6379/tcp, :30379/tcp")
    assert why.startswith("Where internalTrafficPolicy is Local, clients on this node get")


def test_a_part_of_a_dump_tells_it_no_better() -> None:
    part = iptviz.load(WRITTEN[: WRITTEN.index("*nat")].encode())
    (found,) = iptviz.check(part, select=["no-endpoints"]).findings
    assert found.message.startswith(OPEN)


@pytest.mark.parametrize("era", ["1.21", "1.22", "1.23"])
@pytest.mark.parametrize("gone", [False, True])
def test_the_dump_is_the_same_and_so_is_what_is_said(era: str, gone: bool) -> None:
    text = kubeproxy.saved(cluster(era, endpoints=() if gone or era == "1.21" else PODS))  # a gate, off there
    assert [message for _, message, _ in said(text)] == [f"{OPEN}10.96.20.4:6379/tcp"]


@pytest.mark.parametrize("era", ["1.14", "1.18", "1.24", "1.25", "1.29"])
def test_other_releases_refuse_what_has_none_at_all(era: str) -> None:
    ((what, message, why),) = said(kubeproxy.saved(cluster(era, endpoints=())))
    assert (what, message) == ("no-endpoints", f"{KNOWN}10.96.20.4:6379/tcp")
    assert why == "Clients get `connection refused` at once, or time out, on every node."


def test_since_the_policy_leaves_a_trace_it_is_told() -> None:
    ((what, message, _),) = said(kubeproxy.saved(cluster("1.25")))
    assert what == "local-drop"
    assert "has internalTrafficPolicy=Local and no endpoint on this node" in message


def test_where_the_external_policy_is_local_the_internal_one_did_nothing() -> None:
    ((what, message, _),) = said(kubeproxy.saved(cluster("1.23", endpoints=(), **OUTSIDE)))
    assert what == "no-endpoints"
    assert message.startswith(KNOWN)


def test_several_are_one_finding_and_those_that_are_known_another() -> None:
    services = (
        CACHE, replace(CACHE, name="other", cluster_ip="10.96.20.5"),
        replace(CACHE, name="sure", cluster_ip="10.96.20.6", endpoints=(), **OUTSIDE),
        Service("web", "10.96.20.1", (("10.244.1.5", 8080),), port_name="http", namespace="shop"),
    )  # fmt: skip
    dump = iptviz.load(kubeproxy.saved(Cluster(services, "1.23")).encode())
    texts = [found.message for found in iptviz.check(dump, select=["no-endpoints"]).findings]
    assert [text.split(":")[0] for text in sorted(texts)] == ["2 service ports (shop/cache", "shop/sure"]
    assert "have no endpoints, or internalTrafficPolicy=Local and none on this node" in min(texts)
