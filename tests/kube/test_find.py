"""From TARGET to frontends and endpoints, in saved fixtures and among addresses that look alike."""

from __future__ import annotations

from fractions import Fraction

import pytest

import iptviz
from iptviz.kube.find import Found, find
from iptviz.kube.target import parse_target
from tests.conftest import FIXTURES
from tests.kubeproxy import NEW, OLD, Cluster, Service, saved

HTTPD = ("10.97.13.198:79/tcp", ":32123/tcp")
HTTPD_6 = ("[fd00:10:96::79]:79/tcp", ":32123/tcp")
DNS = ("10.96.0.10:53/udp", "10.96.0.10:53/tcp", "10.96.0.10:9153/tcp")
SHOP = ("10.97.20.1:80/tcp", "192.0.2.80:80/tcp", "203.0.113.10:80/tcp", ":30080/tcp")
ADMIN = ("10.97.20.2:80/tcp", "203.0.113.20:80/tcp")
AWAY = ("10.97.20.3:80/tcp", "203.0.113.30:80/tcp", ":30700/tcp")

# fixture -> TARGET -> the frontends it names, or that lead to it
FOUND: dict[str, dict[str, tuple[str, ...]]] = {
    "httpd-service/dump.rules": {
        "10.97.13.198": HTTPD[:1],
        "10.97.13.198:79": HTTPD[:1],
        "10.97.13.198:79/tcp": HTTPD[:1],
        "10.97.13.198:79/udp": (),
        "10.97.13.198:80": (),
        "10.97.13.19": (),
        "10.96.0.10": DNS,
        "10.96.0.10:53": DNS[:2],
        "10.96.0.10:53/udp": DNS[:1],
        "10.96.0.10/udp": DNS[:1],
        "10.96.0.1": ("10.96.0.1:443/tcp",),
        ":32123": HTTPD[1:],
        ":32123/tcp": HTTPD[1:],
        ":32123/udp": (),
        ":3212": (),
        ":79": (),
        "default/httpd-service": HTTPD,
        "default/httpd-service:": HTTPD,
        "default/httpd-service:http": (),
        "httpd-service": HTTPD,
        "httpd": (),
        "kube-dns": DNS,
        "kube-dns:dns": DNS[:1],
        "kube-system/kube-dns:metrics": DNS[2:],
        "default/kube-dns": (),
        "10.244.1.17": HTTPD,
        "10.244.1.17:80": HTTPD,
        "10.244.1.17:8080": (),
        "10.244.1.17:8": (),
        "10.244.1.1": (),
        "10.244.0.2": DNS,
        "10.244.0.2:53": DNS[:2],
        "10.244.0.2:53/udp": DNS[:1],
        "10.244.0.2:9153": DNS[2:],
        "KUBE-SVC-X2P42VLQEZCHLPKZ": HTTPD,
        "KUBE-SEP-2ZFMABIBAPGHKA6E": HTTPD,
        "KUBE-SEP-2ZFMABIBAPGHKA6X": (),
        "KUBE-POSTROUTING": (),
    },
    "httpd-today/dump.rules": {
        "KUBE-EXT-EHNHZY2AA2RZYURI": HTTPD[1:],
        "KUBE-SVC-EHNHZY2AA2RZYURI": HTTPD,
        "default/httpd-service:": HTTPD,
    },
    "httpd-no-endpoints/dump.rules": {
        "10.97.13.198": HTTPD[:1],
        ":32123": HTTPD[1:],
        "default/httpd-service": HTTPD,
        "10.244.1.17": (),
    },
    "httpd-dual-stack/dump.rules": {"10.97.13.198": HTTPD[:1], "fd00:10:96::79": ()},
    "httpd-dual-stack/dump6.rules": {
        "fd00:10:96::79": HTTPD_6[:1],
        "[fd00:10:96::79]:79": HTTPD_6[:1],
        "FD00:0010:0096:0:0:0:0:0079": HTTPD_6[:1],
        "fd00:10:96::7": (),
        "fd00:10:244:1::17": HTTPD_6,
        "[fd00:10:244:1::17]:80": HTTPD_6,
        "[fd00:10:244:1::17]:8": (),
        "fd00:10:244:1::1": (),
        ":32123": HTTPD_6[1:],
        "httpd-service": HTTPD_6,
        "10.97.13.198": (),
    },
    "policies-old/dump.rules": {
        "shop": SHOP,
        "default/shop:http": SHOP,
        "192.0.2.80": SHOP[1:2],  # two rules, one frontend
        "203.0.113.10": SHOP[2:3],
        "KUBE-SVC-BILYYKAKWI7RYELB": SHOP,
        "KUBE-XLB-BILYYKAKWI7RYELB": SHOP[2:],
        "KUBE-FW-BILYYKAKWI7RYELB": SHOP[2:3],
        "KUBE-FW-4CU5DJFIWYNNV2YR": ADMIN[1:],
        "10.244.1.7": SHOP,
    },
    "policies-today/dump.rules": {
        "shop": SHOP,
        "away": AWAY,
        "default/admin": ADMIN,
        "203.0.113.20": ADMIN[1:],
        "203.0.113.30": AWAY[1:2],
        ":30700": AWAY[2:],
        "KUBE-SVC-BILYYKAKWI7RYELB": SHOP,
        "KUBE-SVL-BILYYKAKWI7RYELB": SHOP[1:],
        "KUBE-EXT-BILYYKAKWI7RYELB": SHOP[1:],
        "KUBE-FW-4CU5DJFIWYNNV2YR": ADMIN[1:],
        "KUBE-SVC-4CU5DJFIWYNNV2YR": ADMIN,
        "10.244.0.7:8080": SHOP,
    },
}


def found(fixture: str, target: str) -> Found:
    return find(iptviz.load(FIXTURES / fixture), parse_target(target))


def texts(result: Found) -> list[str]:
    return sorted(frontend.text for frontend in result.frontends)


@pytest.mark.parametrize(
    ("fixture", "target", "expected"),
    [(fixture, target, expected) for fixture, rows in FOUND.items() for target, expected in rows.items()],
)
def test_a_target_names_these_frontends_and_no_others(
    fixture: str, target: str, expected: tuple[str, ...]
) -> None:
    assert texts(found(fixture, target)) == sorted(expected)


@pytest.mark.parametrize(
    ("fixture", "target", "kind", "line"),
    [
        ("httpd-service/dump.rules", "10.97.13.198", "cluster-ip", 67),
        ("httpd-service/dump.rules", ":32123", "node-port", 34),
        ("policies-old/dump.rules", "192.0.2.80", "external-ip", 87),
        ("policies-old/dump.rules", "203.0.113.10", "load-balancer-ip", 89),
        ("policies-today/dump.rules", "192.0.2.80", "external-ip", 115),
        ("policies-today/dump.rules", "203.0.113.30", "load-balancer-ip", 120),
        ("policies-today/dump.rules", "203.0.113.20", "load-balancer-ip", 118),
        ("httpd-no-endpoints/dump.rules", "10.97.13.198", "cluster-ip", 87),
        ("httpd-no-endpoints/dump.rules", ":32123", "node-port", 83),
    ],
)
def test_a_frontend_knows_its_kind_and_the_line_that_leads_on(
    fixture: str, target: str, kind: str, line: int
) -> None:
    (frontend,) = found(fixture, target).frontends
    assert (frontend.kind, frontend.rule.line) == (kind, line)


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        ("10.244.1.17", [37]),
        ("10.244.1.17:80", [37]),
        ("KUBE-SEP-2ZFMABIBAPGHKA6E", [37]),
        ("KUBE-SVC-X2P42VLQEZCHLPKZ", []),
        ("10.97.13.198", []),
        ("default/httpd-service", []),
    ],
)
def test_an_endpoint_is_named_by_its_dnat_rule(target: str, lines: list[int]) -> None:
    wanted = found("httpd-service/dump.rules", target).wanted
    assert [rule.line for rule in wanted] == lines
    assert all("-j DNAT --to-destination 10.244.1.17:80" in rule.text for rule in wanted)


ALIKE = (
    Service("web", "10.97.20.1", (("10.244.0.1", 80),), node_port=30008, namespace="b"),
    Service("web", "10.97.20.10", (("10.244.0.10", 80),), namespace="ab"),
    Service("web2", "10.97.20.100", (("10.244.0.1", 8080),), port=8080, namespace="b"),
    Service("we", "10.97.20.101", (("10.244.0.100", 80),), node_port=30080, namespace="b"),
)


@pytest.mark.parametrize("era", [OLD, NEW])
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("10.97.20.1", ["10.97.20.1:80/tcp"]),
        ("10.97.20.10", ["10.97.20.10:80/tcp"]),
        ("10.97.20.100:8080", ["10.97.20.100:8080/tcp"]),
        ("10.97.20.100:80", []),
        (":30008", [":30008/tcp"]),
        (":3000", []),
        ("b/web", ["10.97.20.1:80/tcp", ":30008/tcp"]),
        ("web", ["10.97.20.1:80/tcp", "10.97.20.10:80/tcp", ":30008/tcp"]),
        ("b/we", ["10.97.20.101:80/tcp", ":30080/tcp"]),
        ("10.244.0.1:80", ["10.97.20.1:80/tcp", ":30008/tcp"]),
        ("10.244.0.1", ["10.97.20.1:80/tcp", "10.97.20.100:8080/tcp", ":30008/tcp"]),
        ("10.244.0.10", ["10.97.20.10:80/tcp"]),
        ("web.b", ["10.97.20.1:80/tcp", ":30008/tcp"]),
        ("web.b.svc.cluster.local:80", ["10.97.20.1:80/tcp"]),
        ("web.b:30008", [":30008/tcp"]),
        ("web:8080", []),
        ("http://web2.b:8080/x", ["10.97.20.100:8080/tcp"]),
        ("http://web2.b/x", []),
        ("udp://web2.b:8080", []),
        ("svc/web2", ["10.97.20.100:8080/tcp"]),
        ("service/web", ["10.97.20.1:80/tcp", "10.97.20.10:80/tcp", ":30008/tcp"]),
        ("30080", [":30080/tcp"]),
        ("10-244-0-10.ab.pod.cluster.local", ["10.97.20.10:80/tcp"]),
    ],
)
def test_names_that_begin_alike_do_not_mix(era: str, target: str, expected: list[str]) -> None:
    dump = iptviz.load(saved(Cluster(ALIKE, era)).encode())
    assert texts(find(dump, parse_target(target))) == sorted(expected)


def test_a_namespace_that_is_called_svc_is_one() -> None:
    services = (*ALIKE, Service("web2", "10.97.20.7", (("10.244.0.7", 80),), namespace="svc"))
    dump = iptviz.load(saved(Cluster(services)).encode())
    assert texts(find(dump, parse_target("svc/web2"))) == ["10.97.20.7:80/tcp"]


NAMED_PORT = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-4N57TFCL4MD7ZTDA - [0:0]
:KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.9/32 -p tcp -m comment --comment "default/web:http cluster IP" -m tcp --dport http -j KUBE-SVC-4N57TFCL4MD7ZTDA
-A KUBE-SVC-4N57TFCL4MD7ZTDA -j KUBE-SEP-AAAAAAAAAAAAAAAA
-A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m tcp -j DNAT --to-destination 10.244.0.2:8080
COMMIT
"""


@pytest.mark.parametrize("target", ["10.96.0.9:80", "default/web:http", "10.244.0.2:8080"])
def test_a_port_written_as_a_service_s_name_is_that_port(target: str) -> None:
    """As `iptables -L` lists it: http of /etc/services is 80."""
    (service,) = iptviz.trace(iptviz.load(NAMED_PORT.encode()), target).services
    assert (service.frontend.text, len(service.outcomes)) == ("10.96.0.9:80/tcp", 1)
    assert [(end.address, end.port, end.share) for end in service.usual.endpoints] == [
        ("10.244.0.2", 8080, Fraction(1))
    ]
