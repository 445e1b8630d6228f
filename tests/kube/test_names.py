"""Service names in kube-proxy's comments, of all releases, and the hashes that the generator writes."""

from __future__ import annotations

import pytest

from iptviz.kube.comments import service_of_comment
from iptviz.kube.names import NAMELESS, ServiceName
from tests.kubeproxy import chain_hash

WEB = ServiceName("shop", "web", "http", "comment")
API = ServiceName("shop", "api", "", "comment")

# Every form of a comment that names a service port; {} is the service port's name.
FORMS = [
    "{} cluster IP",
    "{} external IP",
    "{} loadbalancer IP",
    "other traffic to {} will be dropped by KUBE-PROXY-FIREWALL",
    "{}",
    "{} -> 10.244.0.5:8080",
    "{} -> [fd00:10:244::5]:8080",
    "Balancing rule 0 for {}",
    "Balancing rule 117 for {}",
    "masquerade LOCAL traffic for {} LB IP",
    "route LOCAL traffic for {} LB IP to service chain",
    "masquerade traffic for {} external destinations",
    "pod traffic for {} external destinations",
    "masquerade LOCAL traffic for {} external destinations",
    "route LOCAL traffic for {} external destinations",
    "{} has no endpoints",
    "{} has no local endpoints",
    "{} traffic not accepted by KUBE-FW-TLEJTH2VCYBKUDCH",
]

# How a service port is written: with a port's name, without (1.20 and later), without but a colon (to 1.18).
SPELLINGS = [("shop/web:http", WEB), ("shop/api", API), ("shop/api:", API)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("spelling", "service"), SPELLINGS)
def test_every_form_of_comment_names_its_service(form: str, spelling: str, service: ServiceName) -> None:
    assert service_of_comment(form.format(spelling)) == service


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("kube-system/kube-dns:dns-tcp", ("kube-system", "kube-dns", "dns-tcp")),
        ("a/b:c", ("a", "b", "c")),
        ("team-7/0-web:8080", ("team-7", "0-web", "8080")),
        ("openshift-dns/dns-default:dns cluster IP", ("openshift-dns", "dns-default", "dns")),
    ],
)
def test_names_may_hold_hyphens_and_digits(comment: str, expected: tuple[str, str, str]) -> None:
    assert service_of_comment(comment) == (*expected, "comment")


@pytest.mark.parametrize(
    "comment",
    [
        None,
        "",
        "kubernetes service portals",
        "kubernetes service nodeports; NOTE: this must be the last rule in this chain",
        "kubernetes service traffic requiring SNAT",
        "kubernetes postrouting rules",
        "kubernetes forwarding rules",
        "kubernetes forwarding conntrack pod source rule",
        "kubernetes externally-visible service portals",
        "kubernetes health check service ports",
        "kubernetes load balancer firewall",
        "block incoming localnet connections",
        "Redirect pods trying to reach external loadbalancer VIP to clusterIP",
        "local-with-fallback NAT",
        "flanneld masq",
        "cali:6gwbT8clXdHdC1b1",
        "DefaultAllow ingress isolation for namespace: default",
        "shop/web:http\x1b[2J",
        "shop/<script>",
        "Shop/Web",
        "shop/web/http",
        "/web",
        "shop/",
        "-shop/web",
        "shop/web-",
        "https://example.com/path",
    ],
)
def test_what_is_no_service_names_none(comment: str | None) -> None:
    assert service_of_comment(comment) is None


@pytest.mark.parametrize(
    ("service", "text"),
    [(WEB, "shop/web:http"), (API, "shop/api"), (NAMELESS, "")],
)
def test_a_name_reads_as_people_write_it(service: ServiceName, text: str) -> None:
    assert service.text == text


# Input and result as published: dumps, logs and upstream's own tests.
HASHES = [
    ("default/kubernetes:https", "tcp", "", "NPX46M4PTMTKRN6Y"),
    ("kube-system/kube-dns:dns-tcp", "tcp", "", "ERIFXISQEP7F7OF4"),
    ("kube-system/kube-dns:dns", "udp", "", "TCOU7JCQXEZGVUNU"),
    ("kube-system/kube-dns:metrics", "tcp", "", "JD5MR3NA4I4DYORP"),
    ("default/memory-service:", "tcp", "", "RCFZYSCVQORLOLVD"),
    ("default/nodeport-service", "tcp", "", "QATUYZLPU4I4HE4S"),
    ("default/nginx:", "tcp", "", "4N57TFCL4MD7ZTDA"),
    ("default/nginx", "tcp", "", "2CMXP7HKUVJN7L6M"),
    ("default/httpd-service:", "tcp", "", "X2P42VLQEZCHLPKZ"),
    ("kube-system/kube-dns:dns", "udp", "10.32.0.2:53", "SZZ7MOWKTWUFXIJT"),
    ("kube-system/kube-dns:dns-tcp", "tcp", "10.32.0.2:53", "UJJNLSZU6HL4F5UO"),
    ("kube-system/kube-dns:dns", "udp", "10.244.0.4:53", "WXWGHGKZOCNYRYI7"),
    ("default/kanali:app-port", "tcp", "172.17.0.4:8080", "FD2E3TSMHWTXH2RF"),
    ("ns1/svc1:p80", "sctp", "", "GFCIFIA5VTFSTMSM"),
    ("ns1/svc1:p80", "sctp", "10.180.0.1:80", "RFW33Y6OHVBQ4W3M"),
]


@pytest.mark.parametrize(("service_port", "protocol", "endpoint", "expected"), HASHES)
def test_generated_chains_are_called_as_in_published_dumps(
    service_port: str, protocol: str, endpoint: str, expected: str
) -> None:
    assert chain_hash(service_port + protocol + endpoint) == expected
