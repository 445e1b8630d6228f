"""Why a finding matters and what to do is told as far as it is about the case, with what the dump knows."""

from __future__ import annotations

import pytest

import iptviz
from iptviz.checks.registry import diagnosis_of
from tests.conftest import FIXTURES


@pytest.mark.parametrize(
    ("dump", "what", "said", "unsaid"),
    [
        ("22-docker-forward-drop", "forward-drop", "iptables -A FORWARD -s 10.244.0.0/16", "rule drops"),
        ("31-forward-drop-first", "forward-drop", "Where a rule drops", "policy"),
        ("27-local-stale", "local-drop", "clients of a node port outside", "cluster IP"),
        ("42-internal-local-none", "local-drop", "connect to the cluster IP", "node port"),
        ("61-hostport-takes-services", "hostport-preempts", "update the plug-in", "POD-NETWORK"),
    ],
)
def test_what_is_not_about_the_case_is_not_told(dump: str, what: str, said: str, unsaid: str) -> None:
    checked = iptviz.check(iptviz.load(FIXTURES / f"ways/reported/{dump}.rules"))
    (finding,) = [one for one in checked.findings if one.id == what]
    told = f"{finding.why} {finding.advice}"
    assert said in told
    assert unsaid not in told
    (shape,) = [one for one in checked.to_dict()["findings"] if one["id"] == what]
    assert (shape["why"], shape["advice"]) == (finding.why.replace("`", ""), finding.advice)


def test_documentation_is_about_all_cases() -> None:
    made = diagnosis_of("forward-drop")
    assert "Where the policy drops" in made.advice
    assert "Where a rule drops" in made.advice
    assert "POD-NETWORK" in made.advice
    assert "Do (" not in made.means


def message(dump: str, what: str) -> tuple[str, list[int]]:
    findings = iptviz.check(iptviz.load(FIXTURES / f"ways/reported/{dump}.rules")).findings
    (finding,) = [one for one in findings if one.id == what]
    return finding.message, [piece.line for piece in finding.evidence if piece.text]


def test_a_missing_jump_is_told_as_missing_with_how_many_suffer() -> None:
    words, lines = message("63-no-prerouting-jump", "hook-without-services")
    assert words.startswith("nat PREROUTING has no jump to KUBE-SERVICES: ")
    assert words.endswith("no service works for pods and other hosts (5 of 5 service ports)")
    assert not lines


def test_jumps_to_host_ports_that_mean_all_addresses_are_evidence() -> None:
    words, lines = message("61-hostport-takes-services", "hostport-preempts")
    assert words.endswith("; the jumps of lines 72, 74 lack --dst-type LOCAL: all addresses are meant")
    assert {72, 74} <= set(lines)


def test_a_host_port_is_at_no_address_of_a_service() -> None:
    dump = iptviz.load(FIXTURES / "ways/reported/61-hostport-takes-services.rules")
    (paths,) = iptviz.trace(dump, "10.244.1.90:443").paths
    texts = [one.text for one in paths.assumed]
    assert "destination not in 10.96.0.1/32,10.97.20.77/32,192.0.2.10/32" in texts
