"""What is found in dumps that somebody changed, as data: which id, how bad, how sure, where, of which service."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.checks.finding import CERTAIN, IF_COMPLETE, Finding, distinct
from iptviz.checks.wording import sentence, sentences
from iptviz.intake.remark import remark
from iptviz.kube.names import ServiceName
from iptviz.paths.fares import fails
from iptviz.questions.report import report
from tests import kubeproxy
from tests.conftest import FIXTURES
from tests.kubectl import objects
from tests.kubeproxy import NEW, Cluster

if TYPE_CHECKING:
    from pathlib import Path

TARGET = "10.97.13.198"
SERVICE = "KUBE-SVC-X2P42VLQEZCHLPKZ"
HTTPD = (FIXTURES / "httpd-service" / "dump.rules").read_text()
REFUSED = (FIXTURES / "httpd-no-endpoints" / "dump.rules").read_text()
NAME = ServiceName("default", "httpd-service", "", "comment")


def trace(text: str) -> iptviz.TraceResult:
    return iptviz.trace(iptviz.load(text.encode()), TARGET)


def without(pattern: str, text: str = HTTPD) -> str:
    """Return the dump without the lines that match."""
    return re.sub(rf"^.*{pattern}.*\n", "", text, flags=re.MULTILINE)


# What was changed, and the finding that comes of it: id, severity, certainty, the lines of the evidence.
CHANGED: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    "nothing": (HTTPD, []),
    "no endpoints": (REFUSED, [("no-endpoints", "high", CERTAIN)]),
    "a table cut off": (
        HTTPD.replace("COMMIT\n", "", 1), [("partial-dump", "medium", CERTAIN)],
    ),
    "an empty endpoint chain": (
        without("-A KUBE-SEP-2ZFMABIBAPGHKA6E "),
        [("service-chain-empty", "high", CERTAIN)],
    ),
    "no way in": (
        without("-A PREROUTING .*KUBE-SERVICES"), [("hook-without-services", "high", CERTAIN)],
    ),
    "a rule of another program above": (
        HTTPD.replace("-A PREROUTING ", f"-A PREROUTING -d {TARGET}/32 -j ACCEPT\n-A PREROUTING ", 1),
        [("foreign-dnat-first", "high", CERTAIN)],
    ),
    "an endpoint above the others": (  # one finding of one cause, with that rule and each endpoint as evidence
        re.sub(r" -m statistic --mode random --probability 0.25\d+", "", HTTPD, count=1),
        [("endpoint-shadowed", "high", CERTAIN)],
    ),
    "a last rule that is not sure": (
        HTTPD.replace("-j KUBE-SEP-2ZFMABIBAPGHKA6E", "-j RETURN"), [("connections-lost", "high", CERTAIN)],
    ),
    "a chain that is not there": (
        without("(?:-A |:)KUBE-SEP-2ZFMABIBAPGHKA6E "),
        [("dangling-jump", "high", CERTAIN)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGED)
def test_what_was_changed_is_found(case: str) -> None:
    text, expected = CHANGED[case]
    found = [one for one in trace(text).findings if one.severity != "info"]
    assert [one[:3] for one in found] == expected
    for one in found:
        lines = text.splitlines()
        assert all(lines[piece.line - 1].startswith(piece.text) for piece in one.evidence)
        assert one.times == max(len(one.evidence), 1)
        assert one.service in {None, NAME}


def test_in_a_dump_that_lacks_lines_an_absence_is_not_certain() -> None:
    whole = without("-A PREROUTING .*KUBE-SERVICES")
    (lost,) = (one for one in trace(whole).findings if one.severity != "info")
    assert lost.certainty == CERTAIN
    cut = whole.replace("COMMIT\n", "", 1)
    certainty = {one.id: one.certainty for one in trace(cut).findings if one.severity != "info"}
    assert certainty == {"partial-dump": CERTAIN, "hook-without-services": IF_COMPLETE}


def test_every_gap_is_a_finding_of_its_kind() -> None:
    refused = "# Table `nat' is incompatible, use 'nft' tool.\n*filter\nCOMMIT\n"
    for text, expected in (
        (refused, ["nat-unreadable"]),
        (refused.replace("nat", "mangle"), ["partial-dump"]),
        ("-A NOBODY-KNOWS -j ACCEPT\n", ["partial-dump"]),  # an excerpt, which is told once
        (
            "Chain INPUT (policy DROP)\ntarget prot opt source destination\n",
            ["lossy-listing", "lossy-listing", "lossy-listing"],
        ),
    ):
        found = iptviz.graph(iptviz.load(text.encode())).findings
        assert sorted(one.id for one in found) == sorted(expected)


def test_frontends_that_suffer_alike_are_one_finding() -> None:
    (found,) = iptviz.services(iptviz.load(REFUSED.encode()), no_endpoints=True).findings
    assert found.times == len(found.evidence) == 2
    assert sentence(found) == (
        "default/httpd-service has no endpoints: kube-proxy's rules reject connections to 10.97.13.198:79/tcp, :32123/tcp"
    )


def test_a_policy_local_without_an_endpoint_here_is_no_missing_endpoint() -> None:
    result = iptviz.trace(iptviz.load("fixtures/policies-today/dump.rules"), "203.0.113.30")
    assert [(one.id, one.service and one.service.name) for one in result.findings] == [("local-drop", "away")]


def test_what_an_incomplete_dump_lacks_is_no_fault_of_the_service() -> None:
    cut = HTTPD[: HTTPD.index(f"-A {SERVICE} ")]
    found = {one.id: one.severity for one in trace(cut).findings}
    assert found["service-unseen"] == "info"
    assert "no-endpoints" not in found


def test_two_services_at_one_address_are_evidence_both() -> None:
    one, two = (
        kubeproxy.Service(name, f"10.96.7.{place}", (("10.244.1.1", 80),), load_balancer_ips=("203.0.113.1",))
        for place, name in enumerate(("web", "api"), 1)
    )
    dump = iptviz.load(kubeproxy.saved(Cluster((one, two))).encode())
    (found,) = (one for one in iptviz.services(dump).findings if one.severity != "info")
    assert (found.id, found.times, found.service and found.service.name) == ("vip-collision", 2, "api")


def test_leftovers_are_bad_only_where_something_leads_to_them() -> None:
    rules = "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-PORTALS-HOST - [0:0]\n{}COMMIT\n*filter\nCOMMIT\n"
    severities = [
        [one.severity for one in iptviz.services(iptviz.load(rules.format(jump).encode())).findings]
        for jump in ("", "-A PREROUTING -j KUBE-PORTALS-HOST\n")
    ]
    assert severities == [["low"], ["high"]]


def test_a_node_that_never_synced_is_critical() -> None:
    text = "*nat\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-SERVICES - [0:0]\nCOMMIT\n*filter\nCOMMIT\n"
    (found,) = iptviz.services(iptviz.load(text.encode())).findings
    assert (found.id, found.severity) == ("skeleton-only", "critical")


def test_chains_without_any_service_are_no_fault_where_kube_proxy_has_written_them() -> None:
    text = (
        "*nat\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-NODEPORTS - [0:0]\n:KUBE-SERVICES - [0:0]\n"
        "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\nCOMMIT\n*filter\nCOMMIT\n"
    )
    result = iptviz.services(iptviz.load(text.encode()))
    assert result.findings == ()
    (note,) = result.to_dict()["notes"]
    assert note.startswith("kube-proxy has written its chains, and no service among them")


@pytest.mark.parametrize(("synced", "said"), [(False, 1), (True, 0)])
def test_services_of_another_family_that_were_never_written_are_told(synced: bool, said: int) -> None:
    jump = "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n" if synced else ""
    other = (
        "# Generated by ip6tables-save v1.8.9 on Mon Nov 23 12:00:00 2026\n*nat\n:KUBE-MARK-MASQ - [0:0]\n"
        f":KUBE-NODEPORTS - [0:0]\n:KUBE-SERVICES - [0:0]\n{jump}COMMIT\n"
    )
    node = iptviz.load_node((kubeproxy.saved(kubeproxy.numbered(1, 1)) + other).encode())
    notes = iptviz.services(node).to_dict()["notes"]
    assert [note.startswith("dump 2 (ipv6): KUBE-SERVICES is there") for note in notes] == [True] * said


# --- saying it once --------------------------------------------------------------------------------------------


def test_what_concerns_several_services_is_said_once_and_of_none_alone() -> None:
    first = Finding("chain-loop", "high", CERTAIN, (), NAME, (("chains", ("A",)),), line=3)
    other = first._replace(service=NAME._replace(name="web"))
    assert distinct([first, first]) == (first,)
    assert distinct([first, other, remark("no-names"), remark("no-names")]) == (
        first._replace(service=None),
        remark("no-names"),
    )
    assert distinct([first, first._replace(line=4)]) == (first, first._replace(line=4))


# --- in documents ----------------------------------------------------------------------------------------------


def test_a_document_words_what_is_found() -> None:
    document: dict[str, Any] = json.loads(json.dumps(trace(REFUSED).to_dict()))
    (found,) = document["findings"]
    assert list(found) == [
        "id", "severity", "certainty", "message", "service", "evidence", "evidence_left_out", "count", "why",
        "advice",
    ]  # fmt: skip
    assert (found["id"], found["severity"], found["certainty"]) == ("no-endpoints", "high", "certain")
    assert found["service"] == {
        "namespace": "default", "name": "httpd-service", "port_name": "", "named_by": "comment",
    }  # fmt: skip
    assert "has no endpoints" in found["evidence"][0]["text"]
    assert "kubectl get endpointslices" in found["advice"]


def test_of_much_evidence_a_document_shows_twenty_pieces() -> None:
    jumps = "".join(f"-A INPUT -s 10.0.0.{number}/32 -j GONE\n" for number in range(30))
    document = iptviz.graph(iptviz.load(f"*filter\n:INPUT ACCEPT [0:0]\n{jumps}COMMIT\n".encode())).to_dict()
    (found,) = document["findings"]
    assert (len(found["evidence"]), found["evidence_left_out"], found["count"]) == (20, 10, 30)
    assert found["message"] == document["notes"][0]


def test_a_packet_meets_broken_jumps_as_findings_and_the_rest_as_notes() -> None:
    text = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j GONE\nCOMMIT\n"
    result = iptviz.packet(iptviz.load(text.encode()), dst="10.0.0.1", ctstate="ESTABLISHED")
    assert [one.id for one in result.findings] == ["dangling-jump"]
    assert len(result.notes) > 1
    assert result.to_dict()["findings"][0]["message"] == sentences(result.notes)[0]


def test_a_comparison_has_its_differences_as_findings(tmp_path: Path) -> None:
    cluster = Cluster((*kubeproxy.basics(), *kubeproxy.numbered(2, 3).services), NEW)
    items = objects(cluster)
    items.remove(next(one for one in reversed(items) if one["kind"] == "Service"))
    path = tmp_path / "kubectl.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    result = iptviz.verify(iptviz.load(kubeproxy.saved(cluster).encode()), [str(path)])
    document = result.to_dict()
    assert len(document["findings"]) == len(document["differences"]) > 0
    extra = next(one for one in document["findings"] if one["id"] == "service-extra")
    assert (extra["severity"], extra["service"]["named_by"]) == ("critical", "comment")
    assert extra["evidence"][0]["line"] > 0


def test_the_report_looks_into_the_services_that_something_is_wrong_with() -> None:
    dump = iptviz.load("fixtures/policies-today/dump.rules")
    found = report(dump)
    severe = (one for one in found.services.findings if one.severity in {"critical", "high"})
    wrong = {one.service.text for one in severe if one.service}
    wrong |= {
        port.name
        for port, reached in zip(found.services.services, found.services.reached, strict=True)
        if fails(reached)
    }
    shown = {service.text for answer in found.answers for service in _services(answer)}
    assert shown == wrong != set()


def _services(answer: object) -> list[ServiceName]:
    return [one.service for one in answer.services] if isinstance(answer, iptviz.TraceResult) else []


def test_a_finding_says_what_and_what_to_do() -> None:
    result = iptviz.check(iptviz.load("fixtures/httpd-no-endpoints/dump.rules"), select="no-endpoints")
    (one,) = result.findings
    (shape,) = result.to_dict()["findings"]
    assert (one.message, one.advice) == (shape["message"], shape["advice"])


@pytest.mark.parametrize("ids", ["no-endpoints, nat-flushed", ["no-endpoints", "nat-flushed"]])
def test_ids_are_one_text_or_several(ids: str | list[str]) -> None:
    dump = iptviz.load("fixtures/httpd-no-endpoints/dump.rules")
    assert set(iptviz.check(dump, select=ids).looked_for) == {"no-endpoints", "nat-flushed"}
    assert not {"no-endpoints", "nat-flushed"} & set(iptviz.check(dump, ignore=ids).looked_for)
