"""How a finding is known again, and what is read of a baseline."""

from __future__ import annotations

import json
import re

import pytest

import iptviz
from iptviz.errors import DumpError
from iptviz.questions.baseline import read_baseline
from tests.conftest import ROOT

TODAY = (ROOT / "fixtures/policies-today/dump.rules").read_text()


def prints(text: str) -> list[str]:
    result = iptviz.check(iptviz.load(text.encode()))
    return [result.fingerprint(one) for one in result.findings]


def counted(text: str) -> str:
    """The dump as iptables-save -c writes it."""
    return re.sub(r"^-A", "[7:420] -A", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "text",
    [
        "# a line more\n\n" + TODAY,
        counted(TODAY),
        re.sub(r"\[\d+:\d+\]", "[9:999]", TODAY),
        TODAY.replace("*filter\n", "*filter\n:MINE - [0:0]\n"),
        re.sub("# Completed on .*\n", "", TODAY),
    ],
    ids=["lines", "counters", "policies' counters", "a chain", "times"],
)
def test_a_finding_is_known_again(text: str) -> None:
    assert text != TODAY
    assert set(prints(TODAY)) <= set(prints(text))  # counters may show more


@pytest.mark.parametrize(
    ("old", "new"), [("default/away", "default/gone"), ("203.0.113.30", "203.0.113.31"), ("30700", "30701")]
)
def test_another_service_address_or_port_is_another_finding(old: str, new: str) -> None:
    assert set(prints(TODAY.replace(old, new))) - set(prints(TODAY))


def test_no_two_findings_are_taken_for_one() -> None:
    assert len(set(prints(TODAY))) == len(prints(TODAY)) > 3
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in prints(TODAY))


def test_a_finding_that_has_become_worse_is_another() -> None:
    result = iptviz.check(iptviz.load(TODAY.encode()))
    finding = result.findings[-1]
    assert result.fingerprint(finding) != result.fingerprint(finding._replace(severity="high"))
    assert result.fingerprint(finding) == result.fingerprint(
        finding._replace(certainty="if-complete", times=9)
    )


def test_a_baseline_is_read_back() -> None:
    result = iptviz.check(iptviz.load(TODAY.encode()))
    assert read_baseline(json.dumps(result.to_baseline()), "b.json") == set(prints(TODAY))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"schema": "iptviz.check.v1", "findings": []}',
        '{"schema": "iptviz.baseline.v1"}',
        '{"schema": "iptviz.baseline.v1", "findings": {}}',
        '{"schema": "iptviz.baseline.v1", "findings": [1]}',
        '{"schema": "iptviz.baseline.v1", "findings": [{"fingerprint": 1}]}',
        "[" * 100_000,
    ],
)
def test_what_is_no_baseline_is_refused(text: str) -> None:
    with pytest.raises(DumpError) as caught:
        read_baseline(text, "b.json")
    assert str(caught.value).startswith("b.json: not an iptviz baseline: it ")
    assert "create one with: iptviz check DUMP --write-baseline FILE" in str(caught.value)
    assert "line 1" not in str(caught.value)
