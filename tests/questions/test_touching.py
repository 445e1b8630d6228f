"""What checks find of the services that were asked for, and of no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import iptviz
from iptviz.checks.wording import sentence
from tests.conftest import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.checks.finding import Finding

CHECKS = FIXTURES / "checks"
DROPPED = CHECKS / "forward-drop" / "fault.rules"
PUBLISHED = CHECKS / "hostport-preempts" / "fault.rules"


def told(findings: Iterable[Finding]) -> dict[str, str]:
    """Return the sentences of findings above info by id."""
    return {finding.id: sentence(finding) for finding in findings if finding.severity != "info"}


def test_a_trace_has_what_is_found_of_its_service() -> None:
    found = told(iptviz.trace(iptviz.load(DROPPED), "10.96.0.50:80").findings)
    assert found == {
        "forward-drop": "policy DROP of FORWARD drops connections of pods to shop/web:http",
    }


def test_of_one_client_it_is_said_what_that_one_meets() -> None:
    result = iptviz.trace(iptviz.load(DROPPED), "10.96.0.50:80", client="10.244.1.9")
    assert told(result.findings) == {
        "forward-drop": "policy DROP of FORWARD drops connections of 10.244.1.9 to shop/web:http",
    }


def test_a_packet_has_what_is_found_of_the_service_that_it_is_for() -> None:
    dump = iptviz.load(PUBLISHED)
    ways = [
        told(iptviz.packet(dump, dst="10.97.20.77", protocol="tcp", dport=port).findings) for port in (80, 81)
    ]
    assert [("hostport-preempts" in found) for found in ways] == [True, False]


def test_a_list_of_services_has_what_is_found_of_those_listed() -> None:
    dump = iptviz.load(DROPPED)
    assert "forward-drop" in told(iptviz.services(dump).findings)
    assert told(iptviz.services(dump, namespace="nowhere").findings) == {}
