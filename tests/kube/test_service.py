"""Frontends of generated clusters: exact shares, masquerade, hairpin, refusals, affinity, and cases."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iptviz
from iptviz.engine.condition import clauses
from tests.conftest import FIXTURES
from tests.kube.clients import (
    CLIENTS,
    PODS,
    RANGES,
    full_service,
    met_by,
    service,
    shares_of,
)
from tests.kubeproxy import NEW, OLD, Cluster, Service, basics, saved
from tests.kubeproxy.truth import frontends_of, met

if TYPE_CHECKING:
    from iptviz.kube.service import ServiceTrace

ERAS = pytest.mark.parametrize("era", [OLD, NEW])
FAMILIES = pytest.mark.parametrize("family", [4, 6])


def asked(dump: iptviz.Dump, target: str) -> ServiceTrace:
    (one,) = iptviz.trace(dump, target).services
    return one


def fixture(name: str, target: str) -> ServiceTrace:
    return asked(iptviz.load(FIXTURES / name / "dump.rules"), target)


def check_truth(cluster: Cluster) -> iptviz.Dump:
    """Compare the usual outcome of each frontend, that of an ordinary outside client, with the truth."""
    dump = iptviz.load(saved(cluster).encode())
    assert cluster.truth
    for (target, protocol), truth in cluster.truth.items():
        one = asked(dump, f"{target}/{protocol}")
        assert shares_of(one.usual) == truth, target
        for outcome in one.outcomes:
            assert sum((end.share for end in outcome.endpoints), outcome.leftover) == 1
            assert all(end.before * end.chance == end.share for end in outcome.endpoints)
    return dump


def check_clients(dump: iptviz.Dump, cluster: Cluster, one: Service) -> None:
    """Compare what each kind of client meets at each frontend with what kube-proxy documents."""
    for target in frontends_of(cluster, one):
        trace = asked(dump, f"{target}/{one.protocol}")
        for client in CLIENTS[cluster.family]:
            assert met_by(trace, client) == met(cluster, one, target, client), (target, client)


@ERAS
@FAMILIES
@pytest.mark.parametrize("endpoints", range(21))
def test_shares_are_exact_for_any_number_of_endpoints(era: str, family: int, endpoints: int) -> None:
    check_truth(Cluster((service(family, endpoints, node_port=30080),), era, family, PODS[family]))


OPTIONS: list[dict[str, object]] = [
    {},
    {"affinity": 10800},
    {"protocol": "udp", "port": 53, "port_name": "dns"},
    {"protocol": "sctp", "affinity": 60},
    {"source_ranges": RANGES},
    {"local_only": True},
    {"local_only": True, "local": 1},
    {"local_only": True, "local": 4, "affinity": 10800},  # all are local: the node is still masqueraded
    {"local_only": True, "local": 2, "source_ranges": RANGES},
    {"local_only": True, "source_ranges": RANGES},
]


@ERAS
@FAMILIES
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ",".join(options) or "plain")
def test_every_client_meets_at_every_frontend_what_is_documented(
    era: str, family: int, options: dict[str, object]
) -> None:
    one = full_service(
        family, 4, **options | ({"source_ranges": RANGES[family]} if "source_ranges" in options else {})
    )
    cluster = Cluster((one,), era, family, PODS[family])
    check_clients(check_truth(cluster), cluster, one)


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Cluster, Service]:
    family, endpoints = draw(st.sampled_from([4, 6])), draw(st.integers(0, 12))
    one = full_service(
        family,
        endpoints,
        affinity=draw(st.sampled_from([None, 60, 10800])),
        protocol=draw(st.sampled_from(["tcp", "udp", "sctp"])),
        port=draw(st.integers(1, 65535)),
        port_name=draw(st.sampled_from(["", "http", "p-80"])),
        local_only=draw(st.booleans()),
        local=draw(st.integers(0, endpoints)),
        source_ranges=RANGES[family][: draw(st.integers(0, 2))],
        node_port=draw(st.sampled_from([None, 30000, 32767])),
    )
    others = tuple(service(family, draw(st.integers(0, 3)), number) for number in (2, 3))
    return Cluster((one, *others), draw(st.sampled_from([OLD, NEW])), family, PODS[family]), one


@given(clusters())
@settings(max_examples=25)
def test_any_cluster_is_answered_as_documented(drawn: tuple[Cluster, Service]) -> None:
    cluster, one = drawn
    check_clients(check_truth(cluster), cluster, one)


@ERAS
def test_services_beside_each_other_do_not_mix(era: str) -> None:
    check_truth(Cluster((*basics(), full_service(4, 3), service(4, 5, number=2)), era))


OUTSIDE, POD = "source not in 10.244.0.0/16", "source in 10.244.0.0/16"
ELSEWHERE = f"{OUTSIDE} and source is not local to this node"
NODE = f"{OUTSIDE} and source is local to this node"


@pytest.mark.parametrize(
    ("name", "target", "masquerade"),
    [
        ("httpd-service", "10.97.13.198", [(OUTSIDE, 66)]),
        ("httpd-service", ":32123", [("always", 33)]),
        ("httpd-today", "10.97.13.198", [(OUTSIDE, 67)]),
        ("httpd-today", ":32123", [("always", 32)]),
        ("policies-old", "192.0.2.80", [("always", 86)]),
        ("policies-old", "203.0.113.20", [("always", 39)]),
        ("policies-old", "203.0.113.10", []),
        ("policies-today", "203.0.113.20", [("always", 68)]),
        ("policies-today", "203.0.113.10", []),
        ("httpd-no-endpoints", "10.97.13.198", []),
    ],
)
def test_masquerade_is_told_with_its_condition_and_line(
    name: str, target: str, masquerade: list[tuple[str, int]]
) -> None:
    found = fixture(name, target).usual.masquerade
    assert [(clauses(one.needs), one.rule.line) for one in found] == masquerade


@pytest.mark.parametrize(
    ("name", "target", "verdicts"),
    [
        ("httpd-no-endpoints", "10.97.13.198", {"always": ("REJECT", 87)}),
        ("httpd-no-endpoints", ":32123", {"always": ("REJECT", 83)}),
        ("httpd-service", "10.97.13.198", {"always": None}),
        ("policies-old", ":30700", {OUTSIDE: ("DROP", 112), POD: None}),
        ("policies-today", ":30700", {ELSEWHERE: ("DROP", 23), POD: None, NODE: None}),
        ("policies-today", "203.0.113.30", {ELSEWHERE: ("DROP", 22), POD: None, NODE: None}),
    ],
)
def test_refusals_are_told_with_their_line(
    name: str, target: str, verdicts: dict[str, tuple[str, int] | None]
) -> None:
    outcomes = fixture(name, target).outcomes
    assert verdicts == {
        clauses(one.when): one.verdict and (one.verdict.kind, one.verdict.rule.line) for one in outcomes
    }


@pytest.mark.parametrize(("name", "refusing"), [("policies-old", 42), ("policies-today", 27)])
def test_source_ranges_refuse_all_others(name: str, refusing: int) -> None:
    admitted, last = fixture(name, "203.0.113.20").outcomes
    assert clauses(admitted.when) == "source in 192.0.2.0/25,198.51.100.0/24"
    assert shares_of(admitted) == [("10.244.1.9:8080", Fraction(1))]
    assert admitted.verdict is None
    assert last.verdict is not None
    assert last.leftover == 1
    assert (last.verdict.kind, last.verdict.rule.line) == ("DROP", refusing)


@ERAS
@FAMILIES
def test_each_endpoint_has_the_rule_that_masquerades_its_own_connections(era: str, family: int) -> None:
    text = saved(Cluster((service(family, 3),), era, family, PODS[family]))
    target = service(family, 3).cluster_ip
    hairpins = [end.hairpin for end in asked(iptviz.load(text.encode()), target).usual.endpoints]
    own = [address for address, _ in service(family, 3).endpoints]
    assert [
        f"-s {address}/" in hairpin.text for address, hairpin in zip(own, hairpins, strict=True) if hairpin
    ] == [True] * 3
    bare = "".join(line for line in text.splitlines(keepends=True) if f"-s {own[1]}/" not in line)
    hairpins = [end.hairpin for end in asked(iptviz.load(bare.encode()), target).usual.endpoints]
    assert [hairpin is None for hairpin in hairpins] == [False, True, False]


@ERAS
@pytest.mark.parametrize("seconds", [None, 60, 10800, 86400])
def test_session_affinity_has_the_seconds_of_the_dump(era: str, seconds: int | None) -> None:
    text = saved(Cluster((service(4, 3, affinity=seconds),), era))
    assert asked(iptviz.load(text.encode()), "10.97.20.1").affinity_seconds == seconds


def test_two_ways_to_one_endpoint_are_one_answer() -> None:
    text = saved(Cluster((service(4, 1),)))
    line = next(line for line in text.splitlines() if line.startswith("-A KUBE-SVC-") and "-> 10.244" in line)
    chain = line.split()[1]
    edited = text.replace(line, f"{line.replace(chain, f'{chain} -s 172.16.0.0/12', 1)}\n{line}")
    for outcome in asked(iptviz.load(edited.encode()), "10.97.20.1").outcomes:
        assert shares_of(outcome) == [("10.244.1.10:8080", Fraction(1))]
