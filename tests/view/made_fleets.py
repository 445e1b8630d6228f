"""Answers about fleets, made by hand: what a comparison of nodes would say, without reading a rule."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from iptviz.checks.finding import CERTAIN, Evidence, Finding
from iptviz.checks.services import Places
from iptviz.checks.traffic import Stopped
from iptviz.compare.ports.form import EndpointForm, FrontendForm, PortForm
from iptviz.fleets.differing import OddFinding, Rightly, grouped
from iptviz.fleets.summary import NodeFacts, Noticed, Summary, Unreadable
from iptviz.intake.remark import remark
from iptviz.kube.names import ServiceName
from iptviz.questions.fleet import FleetResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iptviz.fleets.differing import FleetId

SAVED = 1_795_428_000.0
"""2026-11-23T10:00:00Z."""

STOPPED = Stopped(
    "policy DROP of FORWARD", "DROP", ((("pod", "node"), ""),), ("shop/web:http",), 4, 1, 2, ("shop/web",)
)

_SEVERITIES = {
    "share-differs": "medium", "property-differs": "medium", "mode-differs": "medium", "era-differs": "low",
    "hostport-gone": "high",
}  # fmt: skip


def facts(name: str, **told: Any) -> NodeFacts:
    usual: dict[str, Any] = {
        "source": f"dumps/{name}.txt", "mode": "iptables", "era": "1.27 or newer", "releases": (27, 28),
        "backend": "nf_tables", "cnis": ("Calico",), "saved": SAVED, "complete": True, "services": 812,
    }  # fmt: skip
    return NodeFacts(name, **(usual | told))


def place_set(places: Iterable[int]) -> int:
    return sum(1 << place for place in set(places))


def service(number: int) -> ServiceName:
    return ServiceName(f"team-{number % 7}", f"svc-{number}", "http", "comment")


def frontend(number: int, endpoints: Sequence[str] = ()) -> FrontendForm:
    ends = tuple(EndpointForm(end, 80, Fraction(1, len(endpoints))) for end in endpoints)
    return FrontendForm(
        "cluster-ip", f"10.96.{number // 200}.{number % 200}", 80, "tcp", ends, Fraction(0), None, None
    )


def port(number: int, endpoints: Sequence[str] = ("10.244.0.5",)) -> PortForm:
    return PortForm(service(number), "tcp", (frontend(number, endpoints),), None, None, None, (), None)


def odd(
    id_: FleetId, places: Iterable[int], of: int, number: int | None = None, /, *ends: str, **values: Any
) -> OddFinding:
    """Return a finding about the service with a number, or about whole nodes."""
    named = None if number is None else service(number)
    family, protocol = ("", "") if number is None else ("ipv4", "tcp")
    at = values.pop("at", None)
    severity = _SEVERITIES.get(id_, "critical")
    return OddFinding(
        id_, severity, family, named, protocol, at, ends, place_set(places), of, tuple(values.items())
    )


def noticed(
    id_: str, severity: str, places: Iterable[int], name: ServiceName | None, /, **values: Any
) -> Noticed:
    evidence = (Evidence(7, "-A FORWARD -j DROP"),)
    finding = Finding(id_, severity, CERTAIN, evidence, name, tuple(values.items()))
    return Noticed(finding, place_set(places), finding.message)


def fleet_of(nodes: Sequence[NodeFacts], findings: Sequence[OddFinding], **more: Any) -> FleetResult:
    """Return an answer; its groups follow from the findings."""
    ports: dict[Any, Any] = {}
    everywhere = (1 << len(nodes)) - 1
    for one in findings:
        if one.service is not None:
            key = (one.family, *one.service[:3], one.protocol)
            lacking = sum(
                {
                    same.nodes
                    for same in findings
                    if same.service == one.service and same.id == "service-missing"
                }
            )
            ports[key] = {port(0)._replace(service=one.service): everywhere & ~lacking}
    summary = Summary(tuple(nodes), ports, more.pop("noticed", {}), more.pop("unreadable", ()))
    usual: dict[str, Any] = {"truth": "majority", "rightly": (), "notes": (), "compared": 812}
    apart = more.pop("apart", 0)
    return FleetResult(
        summary, groups=grouped(everywhere & ~apart, findings), odd=tuple(findings), **(usual | more)
    )


def agreeing(count: int = 60, **more: Any) -> FleetResult:
    """Return an answer about nodes that agree."""
    return fleet_of([facts(f"node-{number}") for number in range(1, count + 1)], (), **more)


def sixty() -> FleetResult:
    """Return an answer about sixty nodes: one stands still, one lacks services, two are in IPVS mode."""
    nodes = [facts(f"node-{number}") for number in range(1, 61)]
    nodes[6] = nodes[6]._replace(saved=SAVED - 7_300)
    for place in (40, 41):
        nodes[place] = nodes[place]._replace(mode="ipvs", era="", releases=())
    nodes[58] = nodes[58]._replace(complete=False, cnis=("Calico", "CNI"))
    findings = [
        odd("hook-missing", [11], 60, hooks=("OUTPUT", "PREROUTING")),
        odd("stale-node", [6], 60, ports=3, seconds=7_300.0),
        *(odd("service-missing", [29], 58, number) for number in range(300, 420)),
        odd("service-missing", [30], 58, 7, at=frontend(7)),
        *(odd("endpoint-extra", [6], 58, number, f"10.244.1.{number}:80") for number in (3, 4, 5)),
        *(odd("endpoint-missing", [6], 58, number, f"10.244.2.{number}:80", f"10.244.3.{number}:80") for number in (3, 4, 5)),
        odd("endpoint-missing", [29, 30], 58, 6, *(f"10.244.9.{end}:80" for end in range(9))),
        odd("service-extra", [30], 58, 500),
        odd("hostport-gone", [12], 58, ports=(":443/tcp", ":80/tcp")),
        odd("mode-differs", [40, 41], 60, here="ipvs", elsewhere="iptables", most=True),
        odd("property-differs", [13, 14], 58, 9, what="affinity", here=None, elsewhere=10_800),
        odd("share-differs", [15], 58, 10, "10.244.0.5:80"),
        odd("era-differs", [16], 58, here="1.20 to 1.23", elsewhere="1.27 or newer", most=True),
    ]  # fmt: skip
    causes = {
        ("forward-drop", "critical", ""): noticed("forward-drop", "critical", [4], None, stopped=STOPPED),
        **{
            ("no-endpoints", "high", service(number).text): noticed(
                "no-endpoints", "high", range(60), service(number),
                names=(service(number).text,), places=Places((f"10.96.0.{number}:80/tcp",), "REJECT", Fraction(1), Fraction(1)),
            )
            for number in (20, 21)
        },
    }  # fmt: skip
    return fleet_of(
        nodes,
        findings,
        noticed=causes,
        rightly=(Rightly("local policy", 12), Rightly("topology", 3)),
        notes=(
            remark("fleet-incomplete", nodes=("node-59",)),
            remark("fleet-clocks", first=SAVED - 7_300, last=SAVED, nodes=("node-7",)),
        ),
        unreadable=(
            Unreadable("dumps/node-61.txt", "file is empty"),
            Unreadable("dumps/README.bin", "no iptables rules found"),
        ),
    )


def large(nodes: int = 5_000, odd_count: int = 200, ports: int = 300) -> FleetResult:
    """Return an answer about thousands of nodes, of which some hundred differ, each in its own way."""
    named = [
        facts(f"ip-10-{number // 250}-{number % 250}.eu-central-1.compute.internal")
        for number in range(nodes)
    ]
    findings = []
    for number in range(ports):
        lacking = {(number * step) % odd_count * 7 for step in range(1, 4 + number % 5)}
        findings.append(odd("endpoint-missing", lacking, nodes, number, f"10.244.1.{number % 250}:80"))
        extra = {(number * step) % odd_count * 11 for step in range(1, 3)}
        findings.append(odd("endpoint-extra", extra, nodes, number, f"10.244.2.{number % 250}:80"))
    findings += [
        odd("service-missing", range(nodes // 2, nodes // 2 + 900), nodes, ports + number)
        for number in range(60)
    ]
    return fleet_of(named, findings, compared=5_000)
