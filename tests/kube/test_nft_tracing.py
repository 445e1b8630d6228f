"""What kube-proxy's own table does with new connections, in every shape: shares, policies, refusals, marks.

What is expected stands here by hand: it is what kube-proxy means to write for these services.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from iptviz.engine.condition import clauses
from iptviz.kube.nftables.finding import find
from iptviz.kube.nftables.frontends import Frontends
from iptviz.kube.nftables.table import ProxyTable, table_in
from iptviz.kube.nftables.tracing import trace_frontend
from iptviz.kube.target import parse_target
from iptviz.nft.read import read_ruleset

if TYPE_CHECKING:
    from iptviz.kube.outcome import FrontendOutcome
    from iptviz.kube.service import ServiceTrace

LISTINGS = Path(__file__).parent.parent / "nft" / "listings"
SHAPES = ("1.29", "1.30", "1.34", "1.36", "1.37")
FILES = (
    *(f"every-{shape}.listing" for shape in SHAPES),
    "every-1.34.trixie.listing",
    "every-1.37.sid.listing",
)
FILES = (*FILES, "every-1.36.json")

IN_POD, AT_NODE = "source in 10.244.0.0/16", "source is local to this node"
OUTSIDE = "source not in 10.244.0.0/16 and source is not local to this node"
ON_NODE = "source not in 10.244.0.0/16 and source is local to this node"
UNLESS_POD = "unless source in 10.244.0.0/16"
API = "10.244.0.7:8443 1/3, 10.244.1.7:8443 1/3, 10.244.2.7:8443 1/3"
WEB = "10.244.0.5:8080 1/3, 10.244.1.5:8080 1/3, 10.244.2.5:8080 1/3"
STICKY = "10.244.0.11:8080 1/3, 10.244.1.11:8080 1/3, 10.244.2.11:8080 1/3"

EXPECTED: dict[str, tuple[str, str, list[tuple[str, str, str]]]] = {
    "10.96.20.1:80": ("cluster-ip", "shop/web:http", [("", WEB, UNLESS_POD)]),
    "10.96.0.1:443": ("cluster-ip", "default/kubernetes:https", [("", "192.168.1.10:6443 1", UNLESS_POD)]),
    "10.96.20.10:7": (
        "cluster-ip", "shop/seven:echo",
        [("", ", ".join(f"10.244.{at % 3}.{20 + at}:7 1/7" for at in range(7)), UNLESS_POD)],
    ),
    "203.0.113.10:80": (
        "external-ip", "shop/front:http", [("", "10.244.0.6:8080 1/2, 10.244.1.6:8080 1/2", "always")],
    ),
    ":30080": ("node-port", "shop/front:http", [("", "10.244.0.6:8080 1/2, 10.244.1.6:8080 1/2", "always")]),
    "203.0.113.20:443": (
        "external-ip", "shop/api",
        [(OUTSIDE, "10.244.0.7:8443 1", ""), (IN_POD, API, ""), (ON_NODE, API, "always")],
    ),
    "203.0.113.30:80": (
        "external-ip", "shop/away:http",
        [(OUTSIDE, "DROP", ""), (IN_POD, "10.244.2.9:8080 1", ""), (ON_NODE, "10.244.2.9:8080 1", "always")],
    ),
    ":30700": (
        "node-port", "shop/away:http",
        [(OUTSIDE, "DROP", ""), (IN_POD, "10.244.2.9:8080 1", ""), (ON_NODE, "10.244.2.9:8080 1", "always")],
    ),
    "10.96.20.6:6379": ("cluster-ip", "shop/cache:redis", [("", "10.244.0.8:6379 1", UNLESS_POD)]),
    "10.96.20.7:6379": ("cluster-ip", "shop/gone:redis", [("", "DROP", "")]),
    "10.96.20.8:80": ("cluster-ip", "shop/empty:http", [("", "REJECT", "")]),
    ":30600": ("node-port", "shop/empty:http", [("", "REJECT", "")]),
    "10.96.20.9:80": ("cluster-ip", "shop/sticky:http", [("", STICKY, UNLESS_POD)]),
}  # fmt: skip
"""By TARGET the kind of the frontend, the service, and for each case when it is, what it gets, and when SNAT is."""

RANGES = "source in 192.168.1.0/24,198.51.100.0/24,203.0.113.40/32"


def table_of(name: str) -> ProxyTable:
    found = table_in(read_ruleset((LISTINGS / name).read_bytes(), name), "ipv4")
    assert found is not None
    return found


def traced(table: ProxyTable, target: str) -> ServiceTrace:
    (frontend,) = find(table, parse_target(target)).frontends
    return trace_frontend(table, frontend)


def told(outcome: FrontendOutcome) -> tuple[str, str, str]:
    ends = ", ".join(f"{end.text} {end.share}" for end in outcome.endpoints)
    marks = [" and ".join(need.opposite().text for need in mark.needs) for mark in outcome.masquerade]
    masqueraded = " or ".join(f"unless {mark}" if mark else "always" for mark in marks)
    assert (outcome.verdict is None) == bool(ends)
    when = clauses(outcome.when) if outcome.when else ""
    return when, ends or (outcome.verdict.kind if outcome.verdict else ""), masqueraded


@pytest.mark.parametrize("name", FILES)
def test_every_shape_shares_out_refuses_and_marks_as_kube_proxy_means_it(name: str) -> None:
    table = table_of(name)
    for target, (kind, service, cases) in EXPECTED.items():
        found = traced(table, target)
        assert (found.frontend.kind, found.service.text) == (kind, service)
        assert [told(outcome) for outcome in found.outcomes] == cases, target


@pytest.mark.parametrize("name", FILES[1:])
def test_source_ranges_admit_some_sources_alone(name: str) -> None:
    found = traced(table_of(name), "203.0.113.40:80")
    assert found.frontend.kind == "load-balancer-ip"
    admitted, others = found.outcomes
    assert told(admitted) == (RANGES, "10.244.1.8:8080 1", "always")
    assert told(others)[1] == "DROP"
    assert Frontends(table_of(name)).source_ranges(found.frontend) == ("192.168.1.0/24", "198.51.100.0/24")


@pytest.mark.parametrize("name", FILES)
def test_affinity_has_the_timeout_of_its_sets(name: str) -> None:
    table = table_of(name)
    assert traced(table, "10.96.20.9:80").affinity_seconds == 10800
    assert traced(table, "10.96.20.1:80").affinity_seconds is None


@pytest.mark.parametrize("name", FILES)
def test_a_refusal_is_that_of_its_own_element(name: str) -> None:
    verdict = traced(table_of(name), "10.96.20.8:80").usual.verdict
    assert verdict is not None
    assert (verdict.kind, verdict.answer, verdict.rule.comment) == (
        "REJECT", "icmp-port-unreachable", "shop/empty:http",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("target", "frontends"),
    [
        ("10.96.20.2", ["10.96.20.2:80/udp"]),
        ("shop/front", ["10.96.20.2:80/udp", "192.0.2.80:80/udp", "203.0.113.10:80/udp", ":30080/udp"]),
        ("front.shop.svc", ["10.96.20.2:80/udp", "192.0.2.80:80/udp", "203.0.113.10:80/udp", ":30080/udp"]),
        ("shop/front:https", []),
        ("kube-dns", ["10.96.0.10:53/tcp", "10.96.0.10:53/udp"]),
        ("kube-system/kube-dns:dns-tcp", ["10.96.0.10:53/tcp"]),
        ("svc/web", ["10.96.20.1:80/tcp"]),
        ("10.96.0.10:53/udp", ["10.96.0.10:53/udp"]),
        ("10.96.0.10:54", []),
        (":30900", [":30900/udp"]),
        ("192.168.1.10:30900", ["192.168.1.10:30900/udp"]),
        ("10.244.0.6", ["10.96.20.2:80/udp", "203.0.113.10:80/udp", "192.0.2.80:80/udp", ":30080/udp"]),
        ("10.244.0.6:8080", ["10.96.20.2:80/udp", "203.0.113.10:80/udp", "192.0.2.80:80/udp", ":30080/udp"]),
        ("10.244.0.6:8081", []),
        ("10.99.99.99", []),
        ("fd00::1", []),
    ],
)
def test_a_target_names_frontends(target: str, frontends: list[str]) -> None:
    found = find(table_of("every-1.36.listing"), parse_target(target))
    assert sorted(one.text for one in found.frontends) == sorted(frontends)
    assert bool(found.wanted) == (target.startswith("10.244.0.6") and bool(frontends))


def test_an_endpoint_stands_where_its_element_or_chain_does() -> None:
    table = table_of("every-1.30.listing")
    lines = (LISTINGS / "every-1.30.listing").read_text().splitlines()
    for end in traced(table, "10.96.20.1:80").usual.endpoints:
        assert f"dnat to {end.text}" in lines[end.rule.line - 1]
        assert f"__{end.address}/{end.port}" in lines[end.via.line - 1]
        assert end.hairpin is not None
        assert f"ip saddr {end.address} " in lines[end.hairpin.line - 1]
    frontend = traced(table, "10.96.20.1:80").frontend
    assert "10.96.20.1 . tcp . 80 : goto" in lines[frontend.rule.line - 1]
    assert frontend.rule.text == lines[frontend.rule.line - 1].strip().removeprefix("elements = { ").rstrip(
        ", }"
    )
