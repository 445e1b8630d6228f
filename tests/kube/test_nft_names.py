"""Names of chains in nftables mode: what they tell, and whether their hash is that of what stands behind it."""

from __future__ import annotations

import pytest

from iptviz.kube.nftables.names import hash_of, read_chain

PUBLISHED = {
    "ns1/svc1/tcp/p80": "ULMVA6XW",
    "ns1/svc1/tcp/p80__10.180.0.1/80": "5OJB2KTY",
    "ns2/svc2/tcp/p80": "42NFTM6N",
    "ns5/svc5/tcp/p80__10.180.0.3/80": "GTK6MW7G",
    "kproxy-lab/backend-api/tcp/http": "YVSKLJHA",
    "default/kubernetes/tcp/https": "2QRHZV4L",
}
"""Hashes in kube-proxy's own tests (pkg/proxy/nftables/proxier_test.go) and in the listing of a node that was published."""


@pytest.mark.parametrize("hashed", PUBLISHED)
def test_a_hash_is_that_which_kube_proxy_writes(hashed: str) -> None:
    assert hash_of(hashed) == PUBLISHED[hashed]


@pytest.mark.parametrize(
    ("chain", "kind", "service", "protocol", "endpoint", "by"),
    [
        ("service-ULMVA6XW-ns1/svc1/tcp/p80", "service", "ns1/svc1:p80", "tcp", "", "hash"),
        ("local-GJT5PWHS-shop/api/udp/", "local", "shop/api", "udp", "", "hash"),
        ("external-ULMVA6XW-ns1/svc1/tcp/p80", "external", "ns1/svc1:p80", "tcp", "", "hash"),
        ("firewall-AAAAAAAA-ns1/svc1/tcp/p80", "firewall", "ns1/svc1:p80", "tcp", "", "chain"),
        (
            "endpoint-5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80",
            "endpoint", "ns1/svc1:p80", "tcp", "10.180.0.1:80", "hash",
        ),
        (
            "endpoint-AAAAAAAA-a/b.c/sctp/__fd00.10.244..5/8080",
            "endpoint", "a/b.c", "sctp", "[fd00:10:244::5]:8080", "chain",
        ),
        (
            "affinity-FXF2QUIK-shop/sticky/udp/http__10.244.0.11/8080",
            "affinity", "shop/sticky:http", "udp", "10.244.0.11:8080", "hash",
        ),
    ],
)  # fmt: skip
def test_a_name_tells_the_service_port_and_the_endpoint(
    chain: str, kind: str, service: str, protocol: str, endpoint: str, by: str
) -> None:
    own = read_chain(chain)
    assert own is not None
    assert (own.kind, own.service.text, own.protocol, own.endpoint) == (kind, service, protocol, endpoint)
    assert own.service.named_by == by
    assert own.suffix == chain.split("-")[1]


def test_a_name_that_was_cut_has_a_hash_and_no_more() -> None:
    own = read_chain("service-ULMVA6XW-a-very-long-namespace/a-ve...")
    assert own is not None
    assert (own.kind, own.suffix, own.service.text, own.protocol) == ("service", "ULMVA6XW", "", "")


@pytest.mark.parametrize(
    "chain",
    [
        "services",
        "service-endpoints-check",
        "service-web",
        "KUBE-SVC-ABCDEFGHIJKLMNOP",
        "service-ULMVA6XW-a/b",
    ],
)
def test_other_chains_tell_nothing(chain: str) -> None:
    assert read_chain(chain) is None
