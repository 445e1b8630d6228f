"""The document of a fleet: what the contract says stands in it, whole, and records for spreadsheets that end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iptviz.checks.finding import SEVERITIES
from iptviz.documents.fleet_v1 import time_text
from iptviz.documents.records import records_of
from tests.view.made_fleets import agreeing, facts, fleet_of, large, odd, sixty

SIXTY = sixty().to_dict()


def finding(what: str) -> dict[str, Any]:
    return next(one for one in SIXTY["findings"] if one["id"] == what)


def test_the_document_has_the_fields_of_the_contract() -> None:
    assert SIXTY["schema"] == "iptviz.fleet.v1"
    assert json.loads(json.dumps(SIXTY)) == SIXTY
    assert SIXTY["nodes"][6] == {
        "node": "node-7", "source": "dumps/node-7.txt", "group": 4, "mode": "iptables", "era": "1.27 or newer",
        "backend": "nf_tables", "cnis": ["Calico"], "saved": "2026-11-23T07:58:20Z", "complete": True, "services": 812,
    }  # fmt: skip
    assert SIXTY["groups"][0] == {"id": 1, "nodes": 49, "example": "node-1"}
    assert sum(group["nodes"] for group in SIXTY["groups"]) == len(SIXTY["nodes"]) == 60
    assert SIXTY["unreadable"][0] == {"source": "dumps/node-61.txt", "reason": "file is empty"}
    assert SIXTY["rightly"][0] == {"why": "local policy", "ports": 12}
    assert (SIXTY["truth"], SIXTY["compared"], SIXTY["agrees"]) == ("majority", 812, False)
    assert len(SIXTY["notes"]) == 2


def test_a_finding_names_its_nodes_its_service_and_its_endpoints() -> None:
    found = finding("endpoint-missing")
    assert found["nodes"] == ["node-7"]
    assert (found["of"], found["severity"], found["frontend"], found["family"]) == (
        58,
        "critical",
        None,
        "ipv4",
    )
    assert found["service"]["name"] == "svc-3"
    assert found["endpoints"] == ["10.244.2.3:80", "10.244.3.3:80"]
    assert found["message"] == (
        "team-3/svc-3:http/tcp lacks endpoints 10.244.2.3:80, 10.244.3.3:80 on node-7, there on most nodes"
    )
    assert found["advice"].startswith("kube-proxy on this node is behind")
    of_frontend = next(one for one in SIXTY["findings"] if one["frontend"])
    assert of_frontend["frontend"]["address"] == "10.96.0.7"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("hook-missing", "nat OUTPUT, PREROUTING lead to no services on node-12, unlike on most nodes"),
        ("hostport-gone", "host ports :443/tcp, :80/tcp are missing on node-13, there on most nodes"),
        ("service-extra", "team-3/svc-500:http/tcp is extra on node-31, not on most nodes"),
        (
            "mode-differs",
            "kube-proxy in ipvs mode on node-41, node-42; kube-proxy in iptables mode on most nodes",
        ),
        ("era-differs", "rules of kube-proxy 1.20 to 1.23 on node-17, of 1.27 or newer on most nodes"),
        (
            "property-differs",
            "team-2/svc-9:http/tcp: session affinity none instead of 10800 s on node-14, node-15",
        ),
    ],
)
def test_a_message_stands_by_itself(what: str, message: str) -> None:
    found = finding(what)
    assert found["message"] == message
    assert (found["service"] is None) == (found["family"] is None)


def test_against_the_api_the_message_names_it() -> None:
    result = fleet_of([facts("a")], [odd("endpoint-extra", [0], 1, 5, "10.244.0.9:80")], truth="api")
    (found,) = result.to_dict()["findings"]
    assert (
        found["message"] == "team-5/svc-5:http/tcp still leads to endpoint 10.244.0.9:80 on a, not in the API"
    )


def test_what_check_finds_stands_apart_and_counts_where_that_is_asked() -> None:
    first, *others = SIXTY["checks"]
    assert (first["id"], first["nodes"], first["of"], first["example"]) == (
        "forward-drop",
        ["node-5"],
        60,
        "node-5",
    )
    assert first["evidence"] == [{"line": 7, "text": "-A FORWARD -j DROP"}]
    assert [len(one["nodes"]) for one in others] == [60, 60]
    of_findings = dict.fromkeys(SEVERITIES, 0)
    for one in SIXTY["findings"]:
        of_findings[one["severity"]] += 1
    assert SIXTY["counts"] == of_findings
    counted = sixty()._replace(checks_count=True).to_dict()["counts"]
    assert counted["high"] == of_findings["high"] + 2


def test_a_node_of_which_little_is_known_has_nulls() -> None:
    unknown = facts("a", saved=None, backend="", cnis=())
    (node,) = fleet_of([unknown], ()).to_dict()["nodes"]
    assert (node["saved"], node["backend"], node["cnis"], node["group"]) == (None, None, [], 1)
    assert agreeing(0).to_dict()["groups"] == []


@pytest.mark.parametrize(
    ("saved", "text"), [(0.0, "1970-01-01T00:00:00Z"), (1e300, "1e+300"), (1.5, "1970-01-01T00:00:01Z")]
)
def test_a_time_is_utc_and_one_that_no_calendar_has_is_a_number(saved: float, text: str) -> None:
    assert time_text(saved) == text


def test_records_are_one_for_each_finding_however_many_nodes_have_it() -> None:
    document = large().to_dict()
    names, records = records_of(document)
    found = [dict(zip(names, record, strict=True)) for record in records]
    assert len(found) == len(document["findings"]) == 660
    of_many = max(found, key=lambda one: one["node_count"])
    assert (of_many["node_count"], of_many["nodes"].count(" ")) == (900, 102)
    assert of_many["nodes"].endswith(" and 800 more")
    assert max(len(str(value)) for one in found for value in one.values()) < 32_767


def test_records_tell_of_differences_checks_and_what_was_not_read() -> None:
    names, records = records_of(SIXTY)
    found = [dict(zip(names, record, strict=True)) for record in records]
    assert list(dict.fromkeys(one["kind"] for one in found)) == ["difference", "check", "unreadable"]
    (at,) = {one["frontend"] for one in found if one["frontend"]}
    assert at == "10.96.0.7:80/tcp"
    assert (found[-1]["message"], found[-1]["advice"]) == ("dumps/README.bin", "no iptables rules found")
