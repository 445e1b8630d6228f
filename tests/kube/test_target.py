"""TARGET in all its forms, and what has none of them."""

from __future__ import annotations

import pytest

from iptviz.errors import TargetError
from iptviz.kube.target import (
    AddressTarget,
    ChainTarget,
    NameTarget,
    NodePortTarget,
    ParsedTarget,
    in_namespace,
    parse_target,
)

FORMS: list[tuple[str, ParsedTarget]] = [
    # addresses
    ("10.97.13.198", AddressTarget("10.97.13.198", None, None)),
    ("10.97.13.198:79", AddressTarget("10.97.13.198", 79, None)),
    ("10.97.13.198:79/tcp", AddressTarget("10.97.13.198", 79, "tcp")),
    ("10.97.13.198/udp", AddressTarget("10.97.13.198", None, "udp")),
    ("10.97.13.198:79/sctp", AddressTarget("10.97.13.198", 79, "sctp")),
    ("10.97.13.198:1", AddressTarget("10.97.13.198", 1, None)),
    ("10.97.13.198:65535", AddressTarget("10.97.13.198", 65535, None)),
    ("  10.97.13.198 ", AddressTarget("10.97.13.198", None, None)),
    ("fd00::1", AddressTarget("fd00::1", None, None)),
    ("[fd00::1]", AddressTarget("fd00::1", None, None)),
    ("[fd00::1]:443", AddressTarget("fd00::1", 443, None)),
    ("[fd00::1]:443/tcp", AddressTarget("fd00::1", 443, "tcp")),
    ("[fd00::1]/udp", AddressTarget("fd00::1", None, "udp")),
    ("fd00::1/udp", AddressTarget("fd00::1", None, "udp")),
    ("FD00:0:0:0:0:0:0:1", AddressTarget("fd00::1", None, None)),
    ("[FD00:0000::0001]:443", AddressTarget("fd00::1", 443, None)),
    ("fd00::1:443", AddressTarget("fd00::1:443", None, None)),  # without brackets no port can be told
    ("::1", AddressTarget("::1", None, None)),
    # node ports
    (":32123", NodePortTarget(32123, None)),
    (":32123/udp", NodePortTarget(32123, "udp")),
    # services
    ("default/httpd-service", NameTarget("default", "httpd-service", None)),
    ("default/httpd-service:http", NameTarget("default", "httpd-service", "http")),
    ("default/httpd-service:", NameTarget("default", "httpd-service", "")),
    ("httpd-service", NameTarget(None, "httpd-service", None)),
    ("kube-dns:dns-tcp", NameTarget(None, "kube-dns", "dns-tcp")),
    ("kube-dns:53", NameTarget(None, "kube-dns", "53")),
    ("team-7/web2", NameTarget("team-7", "web2", None)),
    ("ns1/tcp", NameTarget("ns1", "tcp", None)),  # a service called tcp, no protocol
    ("web.shop", NameTarget("shop", "web", None)),
    ("web.shop:http", NameTarget("shop", "web", "http")),
    ("web.shop.", NameTarget("shop", "web", None)),
    ("web.shop.svc", NameTarget("shop", "web", None)),
    ("web.shop.svc.cluster.local", NameTarget("shop", "web", None)),
    ("web.shop.svc.cluster.local:80", NameTarget("shop", "web", "80")),
    ("WEB.Shop.svc.my.domain.:80", NameTarget("shop", "web", "80")),
    ("web.svc.svc.cluster.local", NameTarget("svc", "web", None)),
    ("_http._tcp.web.shop.svc.cluster.local", NameTarget("shop", "web", "http", "tcp")),
    ("_dns._udp.kube-dns.kube-system.svc", NameTarget("kube-system", "kube-dns", "dns", "udp")),
    ("http://web.shop:80/healthz", NameTarget("shop", "web", "80", "tcp")),
    ("http://web.shop", NameTarget("shop", "web", "80", "tcp")),
    ("HTTPS://user:secret@WEB.shop.svc/a?b=c:7#d", NameTarget("shop", "web", "443", "tcp")),
    ("http://web/", NameTarget(None, "web", "80", "tcp")),
    ("grpc://web.shop", NameTarget("shop", "web", None, "tcp")),
    ("udp://kube-dns.kube-system:53", NameTarget("kube-system", "kube-dns", "53", "udp")),
    ("memcached://web.shop:11211", NameTarget("shop", "web", "11211")),  # which protocol, it does not tell
    ("tcp://10.0.0.1:80", AddressTarget("10.0.0.1", 80, "tcp")),
    ("http://[fd00::1]/x", AddressTarget("fd00::1", 80, "tcp")),
    ("http://[fd00::1]:8080", AddressTarget("fd00::1", 8080, "tcp")),
    ("10-244-1-17.shop.pod.cluster.local", AddressTarget("10.244.1.17", None, None)),
    ("10-244-1-17.web.shop.svc.cluster.local:80", AddressTarget("10.244.1.17", 80, None)),
    ("fd00--5.shop.pod.cluster.local", AddressTarget("fd00::5", None, None)),
    ("svc/web", NameTarget("svc", "web", None)),  # a namespace may be called svc: the dump tells
    ("32123", NodePortTarget(32123, None)),
    ("32123/udp", NodePortTarget(32123, "udp")),
    # chains
    ("f2b_sshd", ChainTarget("f2b_sshd")),
    ("IN_public_allow", ChainTarget("IN_public_allow")),
    ("KUBE-SVC-abc", ChainTarget("KUBE-SVC-abc")),
    ("KUBE-SVC-X2P42VLQEZCHLPKZ", ChainTarget("KUBE-SVC-X2P42VLQEZCHLPKZ")),
    ("KUBE-SEP-2ZFMABIBAPGHKA6E", ChainTarget("KUBE-SEP-2ZFMABIBAPGHKA6E")),
    ("KUBE-SERVICES", ChainTarget("KUBE-SERVICES")),
]


@pytest.mark.parametrize(("text", "target"), FORMS)
def test_each_form_is_read(text: str, target: ParsedTarget) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "65536",
        "web:65536",
        "http://web.shop:70000/",
        ":0",
        ":65536",
        ":99999",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "[fd00::1]:70000",
        "10.0.0.1:65536/tcp",
    ],
)
def test_ports_out_of_range_are_refused_and_said_so(text: str) -> None:
    with pytest.raises(TargetError, match=r"1 to 65535"):
        parse_target(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "9" * 5000,
        "www.example.com",
        "pod-0.web.shop.svc.cluster.local",
        "web..shop",
        ".web.shop",
        "http://",
        "http:///path",
        "http://user:secret@",
        "http://:80/",
        "http://web shop/",
        "10.96.0.10.",
        "10.97.13",
        "10.97.13.256",
        "10.97.13.198:",
        "10.97.13.198:http",
        "10.97.13.198/32",
        "10.97.13.198:79/icmp",
        "10.97.13.198:79:80",
        "10.0.0.1:\N{SUPERSCRIPT TWO}",
        "[fd00::1",
        "[fd00::1]443",
        "fd00:::1",
        ":http",
        ":-1",
        ":",
        ":" + "9" * 5000,
        "default/",
        "/web",
        "a/b/c",
        "Default/Web",
        "web service",
        "-o",
        "web-",
        "KUBE SVC",
        "shop/web\x1b[2J",
        "\udcff",
    ],
)
def test_nonsense_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(TargetError) as raised:
        parse_target(text)
    assert "\x1b" not in str(raised.value)
    assert raised.value.hint or "out of range" in str(raised.value)


@pytest.mark.parametrize(
    ("target", "version"), [("10.0.0.1", 4), ("10.0.0.1:80", 4), ("fd00::1", 6), ("[fd00::1]:80", 6)]
)
def test_an_address_tells_its_family(target: str, version: int) -> None:
    parsed = parse_target(target)
    assert isinstance(parsed, AddressTarget)
    assert parsed.version == version


@pytest.mark.parametrize(
    "text",
    ["10.97.13.198:79/tcp", "[fd00::1]:443/udp", "fd00::1", "default/web:http", "default/web", "web", "web:"],
)
def test_a_target_in_its_usual_spelling_reads_back(text: str) -> None:
    parsed = parse_target(text)
    assert isinstance(parsed, (AddressTarget, NameTarget))
    assert parsed.text == text


@pytest.mark.parametrize(
    ("text", "namespace", "expected"),
    [
        ("web", "shop", "shop/web"),
        ("web:http", "shop", "shop/web:http"),
        ("svc/web", "shop", "shop/web"),
        ("service/web:80", "shop", "shop/web:80"),
        ("shop/web", "shop", "shop/web"),
        ("http://web/", "shop", "tcp://web.shop:80"),
    ],
)
def test_a_namespace_may_be_given_beside_a_name(text: str, namespace: str, expected: str) -> None:
    assert in_namespace(text, namespace) == expected
    parsed = parse_target(expected)
    assert isinstance(parsed, NameTarget)
    assert parsed.namespace == namespace


@pytest.mark.parametrize("text", ["10.0.0.1", ":32123", "KUBE-SERVICES", "other/web", "web.other"])
def test_a_namespace_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(TargetError, match=r"not shop|--namespace shop"):
        in_namespace(text, "shop")
