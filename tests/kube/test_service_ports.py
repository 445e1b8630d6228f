"""Service ports: grouped as people think of them, and the fast reading of plain chains equals the engine's."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.compare.ports.of_rules import port_form
from iptviz.engine.chance import NEVER, total
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.frontend_answer import FrontendAnswers, answer_of_trace
from iptviz.kube.naming import Naming
from iptviz.kube.service import trace_frontend
from iptviz.kube.service_ports import ServicePort, service_ports
from tests import kubeproxy
from tests.conftest import ROOT, SHARED
from tests.kubeproxy import NEW, OLD, Cluster

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.compare.ports.form import PortForm

FILES = sorted([*ROOT.glob("fixtures/*/dump*"), *SHARED.glob("kubernetes/*.rules")])
OPTIONS: list[dict[str, object]] = [
    {}, {"affinity": 10800}, {"local_only": True, "local": 2}, {"local_only": True, "local": 0},
    {"protocol": "udp"}, {"external_ips": ("192.0.2.1",), "load_balancer_ips": ("203.0.113.1",)},
    {"load_balancer_ips": ("203.0.113.1",), "source_ranges": ("198.51.100.0/24",)},
]  # fmt: skip


def both_ways(dump: iptviz.Dump) -> int:
    """Compare the fast reading of every frontend with the engine's answer; how many were read fast."""
    rules = DispatchingRules(dump)
    answers = FrontendAnswers(rules)
    compared = 0
    for frontend in rules.frontends():
        plain = answers.plain_answer(frontend)
        if plain is not None:
            trace = trace_frontend(dump, frontend)
            followed = answer_of_trace(trace, complete=dump.complete)
            assert plain._replace(service=followed.service, plain=False, everywhere=None) == followed
            if plain.everywhere is not None:
                met = [
                    [(end.address, end.port, end.share) for end in one.endpoints] for one in trace.outcomes
                ]
                assert [(end.address, end.port, end.share) for end in plain.everywhere.endpoints] in met
            compared += 1
    return compared


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}-{path.name}" for path in FILES])
def test_plain_chains_are_read_as_the_engine_follows_them(path: Path) -> None:
    dumps, _ = iptviz.load_all(str(path))
    assert sum(map(both_ways, dumps)) > 0


@pytest.mark.parametrize("era", [OLD, NEW])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ",".join(options) or "plain")
def test_generated_chains_are_read_as_the_engine_follows_them(options: dict[str, object], era: str) -> None:
    cluster = kubeproxy.numbered(3, 3, era=era, **options)  # type: ignore[arg-type]
    assert both_ways(iptviz.load(kubeproxy.saved(cluster).encode())) >= 3


def test_shares_of_thousands_are_rounded_as_the_engine_rounds_them() -> None:
    dump = iptviz.load(kubeproxy.saved(kubeproxy.numbered(1, 4_600, node_ports=False)).encode())
    assert both_ways(dump) == 1
    (answer,) = (answer for port in ports_of(dump) for answer in port.answers)
    assert answer.rounded
    assert total(end.share or NEVER for end in answer.endpoints) == 1
    assert "shares-rounded-at" in {note.id for note in iptviz.services(dump).notes}


ODD = {
    "a second target": "-A KUBE-SVC-A -p udp -j RETURN",
    "an endpoint twice": "-A KUBE-SVC-A -j KUBE-SEP-A",
    "no number": "-A KUBE-SVC-A -m statistic --mode random --probability 0.5.5 -j KUBE-SEP-A",
    "nth": "-A KUBE-SVC-A -m statistic --mode nth --every 2 --packet 0 -j KUBE-SEP-A",
    "a range": "-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9:80",
    "a mark that drops": "-A KUBE-MARK-MASQ -j DROP",
    "a goto": "-A KUBE-SVC-A -g KUBE-SEP-A",
    "a late mark": "-A KUBE-SEP-A -s 10.0.0.1/32 -j KUBE-MARK-MASQ",
}


@pytest.mark.parametrize("rule", ODD.values(), ids=ODD)
def test_what_departs_from_the_form_is_left_to_the_engine(rule: str) -> None:
    dump = iptviz.load(
        f"""*nat
:KUBE-SERVICES - [0:0]
:KUBE-MARK-MASQ - [0:0]
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "a/b cluster IP" -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-SVC-A -m comment --comment "a/b -> 10.0.0.1:80" -j KUBE-SEP-A
-A KUBE-SEP-A -s 10.0.0.1/32 -m comment --comment a/b -j KUBE-MARK-MASQ
-A KUBE-SEP-A -p tcp -m comment --comment a/b -m tcp -j DNAT --to-destination 10.0.0.1:80
{rule}
COMMIT
""".encode()
    )
    rules = DispatchingRules(dump)
    (frontend,) = rules.frontends()
    answers = FrontendAnswers(rules)
    assert answers.plain_answer(frontend) is None
    assert answers.of(frontend).frontend == frontend


# --- what a service port is --------------------------------------------------------------------------------


def ports_of(dump: iptviz.Dump) -> list[ServicePort]:
    return service_ports(DispatchingRules(dump), Naming(dump))


def only(dump_text: str) -> ServicePort:
    (one,) = ports_of(iptviz.load(dump_text.encode()))
    return one


def policies(form: PortForm) -> tuple[str | None, str | None]:
    return form.internal_policy, form.external_policy


def full(**options: object) -> kubeproxy.Service:
    service = replace(kubeproxy.numbered(1, 3).services[0], node_port=30080)
    service = replace(service, external_ips=("192.0.2.80",), load_balancer_ips=("203.0.113.10",))
    return replace(service, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("era", [OLD, NEW])
def test_all_frontends_of_a_service_port_are_one(era: str) -> None:
    dump = iptviz.load(kubeproxy.saved(Cluster((full(),), era)).encode())
    (one,) = ports_of(dump)
    assert one.name == "team-0/service-0:http"
    assert [answer.frontend.kind for answer in one.answers] == [
        "cluster-ip", "external-ip", "load-balancer-ip", "node-port",
    ]  # fmt: skip
    assert {len(answer.endpoints) for answer in one.answers} == {3}
    assert policies(port_form(dump, one)) == ("Cluster", "Cluster")
    assert sum(end.share or 0 for end in one.endpoints) == 1


@pytest.mark.parametrize("era", [OLD, NEW])
@pytest.mark.parametrize("local", [0, 1])
def test_a_local_policy_is_seen_and_its_endpoints_are_known(era: str, local: int) -> None:
    dump = iptviz.load(kubeproxy.saved(Cluster((full(local_only=True, local=local),), era)).encode())
    (one,) = ports_of(dump)
    assert policies(port_form(dump, one)) == ("Cluster", "Local")
    node_port = one.answers[-1]
    assert [end.share for end in node_port.endpoints] == [Fraction(1)] * local
    assert (node_port.verdict is None) == bool(local)
    assert len(one.endpoints) == 3


@pytest.mark.parametrize("era", [OLD, NEW])
def test_what_a_service_admits_and_remembers_is_told(era: str) -> None:
    ranges = ("198.51.100.0/24", "192.0.2.0/25")
    one = only(kubeproxy.saved(Cluster((full(source_ranges=ranges, affinity=600),), era)))
    assert set(one.source_ranges) == set(ranges)
    assert one.affinity == 600


@pytest.mark.parametrize("era", [OLD, NEW])
def test_a_service_without_endpoints_is_one_too(era: str) -> None:
    one = only(kubeproxy.saved(kubeproxy.numbered(1, 0, era=era)))
    assert [answer.frontend.text for answer in one.answers] == ["10.96.1.0:80/tcp", ":30000/tcp"]
    assert not one.endpoints
    assert one.verdict is not None
    assert one.verdict.kind == "REJECT"
    assert one.balance is None


def test_one_port_of_two_protocols_is_two_service_ports() -> None:
    udp = replace(full(), protocol="udp")
    found = ports_of(iptviz.load(kubeproxy.saved(Cluster((full(), udp))).encode()))
    assert [(one.name, one.protocol, len(one.answers)) for one in found] == [
        ("team-0/service-0:http", "tcp", 4),
        ("team-0/service-0:http", "udp", 4),
    ]


def test_a_health_check_port_belongs_to_its_service() -> None:
    text = kubeproxy.saved(Cluster((full(local_only=True, local=1, health_check=32000),)))
    assert only(text).health_check == 32000


def test_what_an_incomplete_dump_lacks_is_named() -> None:
    text = kubeproxy.saved(kubeproxy.numbered(1, 2))
    gone = next(
        line for line in text.splitlines() if line.startswith("-A KUBE-SEP-") and "DNAT" in line
    ).split()[1]
    kept = [line for line in text.splitlines() if not line.startswith((f"-A {gone} ", f":{gone} ", "COMMIT"))]
    one = only("\n".join([*kept, ""]))
    assert one.usual.unseen == (gone,)
    assert len(one.endpoints) == 1
    assert only(text).usual.unseen == ()


def test_every_corpus_service_is_a_service_port_once() -> None:
    for path in FILES:
        for dump in iptviz.load_all(str(path))[0]:
            texts = [answer.frontend.text for one in ports_of(dump) for answer in one.answers]
            assert sorted(texts) == sorted(one.text for one in DispatchingRules(dump).frontends())
