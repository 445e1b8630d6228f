"""What CI systems read of a check: SARIF, JUnit's XML, and workflow commands of GitHub Actions."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

import iptviz
from iptviz.checks.finding import SEVERITIES, plain
from iptviz.checks.registry import OF_SERVICES, catalogue, diagnosis_of
from iptviz.render.findings import LEVELS, message_of
from iptviz.render.github import github_text
from iptviz.render.junit import junit_text
from iptviz.render.sarif import sarif_text
from tests.conftest import EVERYTHING, FIXTURES, ROOT
from tests.render.hostile_texts import HARMFUL, LONG
from tests.render.questions import dump_of, hostile
from tests.render.readers import check_sarif, github_texts, junit_texts, said_by_sarif, sarif_texts

if TYPE_CHECKING:
    from pathlib import Path

TODAY = "fixtures/policies-today/dump.rules"
FAULTS = sorted(FIXTURES.glob("checks/*/fault*.rules"))


@cache
def checked(path: str = TODAY) -> dict[str, Any]:
    document: dict[str, Any] = iptviz.check(iptviz.load(path)).to_dict()
    return document


def several(count: int, severity: str = "high", what: str = "no-endpoints") -> dict[str, Any]:
    """A document with so many findings of one kind."""
    document = checked("fixtures/httpd-no-endpoints/dump.rules")
    (first,) = [one for one in document["findings"] if one["id"] == "no-endpoints"]
    found = [
        first | {"id": what, "severity": severity, "message": f"number {number}", "line": None}
        for number in range(count)
    ]
    return document | {"findings": found, "looked_for": list(dict.fromkeys([*document["looked_for"], what]))}


def log_of(document: dict[str, Any]) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(sarif_text(document))
    check_sarif(log)
    return log


def results_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = log_of(document)["runs"][0]["results"]
    return results


def suites_of(document: dict[str, Any]) -> ET.Element:
    return ET.fromstring(junit_text(document))


# --- of all three ----------------------------------------------------------------------------------------------


OF_EACH = FAULTS if EVERYTHING else list({path.parent.name: path for path in FAULTS}.values())
"""A fault of each diagnosis; where everything is wanted, each."""


@pytest.mark.parametrize("path", OF_EACH, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_finding_is_in_each_format(path: Path) -> None:
    document = checked(str(path.relative_to(ROOT)))
    found = [one["id"] for one in document["findings"]]
    bad = {one["id"] for one in document["findings"] if one["severity"] != "info"}
    assert [one["ruleId"] for one in results_of(document)] == found
    told = [case for case in suites_of(document).iter("testcase") if len(case) and case[0].tag != "skipped"]
    assert [case.get("name") for case in told] == [what for what in document["looked_for"] if what in found]
    assert {
        case.get("name") for case in suites_of(document).iter("testcase") if case.find("failure") is not None
    } == bad
    assert re.findall(r"^::\w+ title=([\w -]+)", github_text(document), re.MULTILINE) == [
        *found,
        "iptviz check",
    ]


def test_all_severities_have_a_level_and_only_information_is_a_note() -> None:
    assert list(LEVELS) == list(SEVERITIES)
    assert [severity for severity, level in LEVELS.items() if level == "note"] == ["info"]


@pytest.mark.parametrize("text", [*HARMFUL.values(), LONG], ids=[*HARMFUL, "long"])
def test_texts_of_a_dump_are_texts(text: str) -> None:
    """More of that is in test_every_format: here is that each reader gets along with every text."""
    document = iptviz.check(dump_of(hostile(text))).to_dict()
    assert len(document["findings"]) > 2
    assert len(sarif_texts(sarif_text(document))) > 100
    assert len(junit_texts(junit_text(document))) > 100
    assert len(github_texts(github_text(document))) > 10
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", sarif_text(document) + github_text(document)
    )
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]", junit_text(document))  # fmt: skip


def test_no_line_of_a_dump_is_taken_for_a_command() -> None:
    text = "::error file=x::y ::stop-commands::z ##[error]x"
    for line in github_text(iptviz.check(dump_of(hostile(text))).to_dict()).splitlines():
        assert re.match(
            r"::(?:error|warning|notice) title=[\w -]+(?:,file=[^:,]*(?:,line=\d+)?)?::[^:]", line
        )


# --- SARIF -----------------------------------------------------------------------------------------------------


def test_the_log_has_a_rule_for_all_that_was_looked_for() -> None:
    document = checked()
    (run,) = log_of(document)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == document["looked_for"]
    for rule in rules:
        made = diagnosis_of(rule["id"])
        assert said_by_sarif(rule["shortDescription"]["text"]) == plain(made.title)
        assert said_by_sarif(rule["fullDescription"]["text"]) == plain(made.means)
        for words in (made.means, made.matters, made.advice):
            assert plain(words) in said_by_sarif(rule["help"]["text"])
            assert words in rule["help"]["markdown"]
        assert rule["defaultConfiguration"]["level"] == LEVELS[made.severities[0]]
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in run["results"])


def test_a_result_says_where_and_how_bad() -> None:
    document = checked()
    for finding, result in zip(document["findings"], results_of(document), strict=True):
        assert result["level"] == LEVELS[finding["severity"]]
        assert said_by_sarif(result["message"]["text"]) == message_of(finding)
        places = [*result["locations"], *result.get("relatedLocations", [])]
        lines = [piece["line"] for piece in finding["evidence"] if piece["line"]]
        first, *others = [place["physicalLocation"]["region"]["startLine"] for place in places]
        assert first == (finding["line"] or lines[0])
        assert sorted([first, *others]) == sorted(lines)
        assert result["properties"]["count"] == finding["count"]


def test_what_stands_in_no_line_stands_in_the_file() -> None:
    document = several(1)
    document["findings"][0] |= {"evidence": [], "line": None}
    (result,) = results_of(document)
    assert result["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": document["dump"]["source"]}}}
    ]


def test_a_finding_is_known_again_where_lines_move_and_counters_count() -> None:
    text = (ROOT / TODAY).read_text()
    moved = "# one\n# two\n" + re.sub(r"\[\d+:\d+\]", "[7:777]", text)
    prints = [
        [one["partialFingerprints"] for one in results_of(iptviz.check(iptviz.load(each.encode())).to_dict())]
        for each in (text, moved, text.replace("default/away", "default/gone"))
    ]
    assert prints[0] == prints[1]
    old, new = ({one["iptviz/v1"] for one in found} for found in prints[1:])
    assert old & new
    assert old - new
    assert len(old) == len(prints[1])
    assert all(set(one) == {"primaryLocationLineHash", "iptviz/v1"} for one in prints[0])


@pytest.mark.parametrize(
    ("source", "uri"),
    [
        ("dumps/node 1.rules", "dumps/node%201.rules"),
        ("../node.rules", "../node.rules"),
        (str(ROOT / TODAY), TODAY),  # GitHub wants paths inside the checkout
        ("/var/tmp/node.rules", "file:///var/tmp/node.rules"),
        ("node.tar.gz:var/log/iptables.txt", "node.tar.gz%3Avar/log/iptables.txt"),
        ("https://evil.example/%2e", "https%3A//evil.example/%252e"),
        ("<stdin>", "%3Cstdin%3E"),
        ("\udcff.rules", "%FF.rules"),
    ],
)  # fmt: skip
def test_a_path_is_a_relative_uri_where_it_can_be(source: str, uri: str) -> None:
    document = several(1)
    document["dump"] = document["dump"] | {"source": source}
    (result,) = results_of(document)
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": uri}
    assert unquote(uri, errors="surrogateescape").removeprefix("file://") in {source, TODAY}


# --- JUnit -----------------------------------------------------------------------------------------------------


def test_a_suite_has_a_test_for_all_that_was_looked_for() -> None:
    document = checked()
    root = suites_of(document)
    (suite,) = root
    bad = {one["id"] for one in document["findings"] if one["severity"] != "info"}
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == document["looked_for"]
    assert {case.get("classname") for case in cases} == {"iptviz.check"}
    for counted in (root, suite):
        assert [counted.get(name) for name in ("tests", "failures", "errors", "skipped")] == [
            str(len(cases)), str(len(bad)), "0", "0",
        ]  # fmt: skip
    assert suite.get("name") == document["dump"]["source"]


def test_a_failure_has_the_rules_and_what_to_do() -> None:
    document = checked()
    finding = next(one for one in document["findings"] if one["id"] == "local-drop")
    (failure,) = suites_of(document).findall(".//testcase[@name='local-drop']/failure")
    assert (failure.get("type"), failure.get("message")) == ("high", finding["message"])
    first, *lines = (failure.text or "").split("\n")
    assert first == f"high: {finding['message']}"
    assert lines == [
        *(f"line {piece['line']}: {piece['text']}" for piece in finding["evidence"]),
        f"Why: {finding['why']}",
        f"Do: {finding['advice']}",
    ]


def test_findings_of_one_kind_are_one_failure() -> None:
    (case,) = suites_of(several(3)).findall(".//testcase[@name='no-endpoints']")
    assert [one.tag for one in case] == ["failure"]
    (failure,) = case
    assert failure.get("message") == "number 0 (and 2 more)"
    assert re.findall("^high: (.*)$", failure.text or "", re.MULTILINE) == [
        "number 0",
        "number 1",
        "number 2",
    ]


def test_information_passes_and_is_told() -> None:
    root = suites_of(several(2, "info"))
    (case,) = root.findall(".//testcase[@name='no-endpoints']")
    assert [one.tag for one in case] == ["system-out"]
    assert (case.findtext("system-out") or "").count("info: number") == 2
    assert root.get("failures") == "0"


def test_each_dump_of_a_node_is_a_suite() -> None:
    node = iptviz.load_node("fixtures/httpd-dual-stack/dump.rules", "fixtures/httpd-dual-stack/dump6.rules")
    root = suites_of(iptviz.check(node).to_dict())
    one, two = root
    assert [suite.get("name") for suite in root] == [
        "fixtures/httpd-dual-stack/dump.rules", "fixtures/httpd-dual-stack/dump6.rules",
    ]  # fmt: skip
    assert int(root.get("tests", "")) == 2 * int(one.get("tests", "")) == 2 * int(two.get("tests", ""))


NOWHERE = "fixtures/no-services/flushed-nat.rules"


def test_where_there_is_no_service_tests_of_services_are_skipped_and_say_why() -> None:
    document = checked(NOWHERE)
    root = suites_of(document)
    of_services = {what for name in OF_SERVICES for what in catalogue(name).diagnoses}
    skipped = {
        str(case.get("name")): one.get("message")
        for case in root.iter("testcase")
        for one in case.iter("skipped")
    }
    assert set(skipped) == of_services & set(document["looked_for"])
    assert set(skipped.values()) == set(document["notes"])
    counts = [(one.get("tests"), one.get("failures"), one.get("skipped")) for one in (root, root[0])]
    assert counts == [(str(len(document["looked_for"])), "0", str(len(skipped)))] * 2


def test_tests_are_skipped_for_the_dump_alone_that_has_no_service() -> None:
    node = iptviz.load_node("fixtures/httpd-dual-stack/dump.rules", "fixtures/no-services/firewalld.rules")
    one, other = suites_of(iptviz.check(node).to_dict())
    assert one.get("skipped") == "0"
    assert other.get("skipped") != "0"
    assert {skipped.get("message") for skipped in other.iter("skipped")} == {"This dump has no service port."}


def test_where_there_is_no_service_each_format_says_why() -> None:
    document = checked(NOWHERE)
    (why,) = document["notes"]
    ((*_, last),) = [github_texts(github_text(document))]
    assert last == "no findings (checked: no service (none there); tables nat of " + NOWHERE + ")"
    assert f"::notice title=iptviz check::{why}%0Ano findings" in github_text(document)
    (run,) = log_of(document)["runs"]
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    assert said_by_sarif(told["message"]["text"]) == why
    assert "invocations" not in log_of(checked())["runs"][0]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"min_severity": "critical", "below": 4}, "no findings of severity critical; 4 findings below"),
        ({"in_baseline": 2}, "no new findings"),
        ({}, "no findings"),
    ],
)
def test_nothing_found_is_said_of_what_was_asked_for(fields: dict[str, Any], said: str) -> None:
    (only,) = commands_of(several(0) | fields)
    assert only.startswith(f"::notice title=iptviz check::{said} (checked")


def test_a_line_that_the_evidence_quotes_is_not_named_twice() -> None:
    document = several(1)
    pieces = [{"line": 5, "text": "-A X 5"}, {"line": 7, "text": "-A X 7"}]
    document["findings"][0] |= {"evidence": pieces, "line": 7, "message": "line 7: gone"}
    assert re.search(r",line=7::gone%0Aline 5: ", github_text(document))
    (failure,) = suites_of(document).iter("failure")
    assert (failure.get("message"), (failure.text or "").startswith("high: gone\n")) == ("gone", True)
    (result,) = results_of(document)
    assert result["message"]["text"] == "gone"
    document["findings"][0] |= {"line": 9, "message": "line 9: gone"}
    assert re.search(r",line=9::line 9: gone%0A", github_text(document))
    assert results_of(document)[0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 9


# --- GitHub ----------------------------------------------------------------------------------------------------


def commands_of(document: dict[str, Any]) -> list[str]:
    return github_text(document).splitlines()


def test_an_annotation_stands_at_the_line_of_the_rule() -> None:
    first, *_, last = commands_of(checked())
    finding = checked()["findings"][0]
    line = finding["evidence"][0]["line"]
    assert first.startswith(
        f"::error title=local-drop,file={TODAY},line={line}::{finding['message']}%0Aline {line}%3A"[:-3]
    )
    assert last.startswith("::notice title=iptviz check::1 high, 1 medium, 4 info (checked: 7 service ports")


@pytest.mark.parametrize(
    ("severity", "command", "most"),
    [("critical", "error", 10), ("high", "error", 10), ("medium", "warning", 10), ("low", "warning", 10), ("info", "notice", 9)],
)  # fmt: skip
def test_a_step_shows_ten_of_each_kind_and_the_rest_is_counted(
    severity: str, command: str, most: int
) -> None:
    *shown, last = commands_of(several(25, severity))
    assert len(shown) == most
    assert all(line.startswith(f"::{command} title=no-endpoints,") for line in shown)
    assert f"::25 {severity}; of these without an annotation: {25 - most} no-endpoints (checked:" in last


def test_kinds_have_room_of_their_own() -> None:
    mixed = several(12)
    mixed["findings"] += several(12, "low")["findings"] + several(12, "info")["findings"]
    commands = [line.split(" ")[0] for line in commands_of(mixed)]
    assert {one: commands.count(one) for one in commands} == {"::error": 10, "::warning": 10, "::notice": 10}
    assert (
        "12 high, 12 low, 12 info; of these without an annotation: 7 no-endpoints" in commands_of(mixed)[-1]
    )


def test_nothing_found_is_said_of_what_was_looked_at() -> None:
    (only,) = commands_of(several(0))
    assert only.startswith(
        "::notice title=iptviz check::no findings (checked: 5 service ports; tables nat, filter of"
    )


def test_a_long_message_is_cut_before_it_is_escaped() -> None:
    document = several(1)
    document["findings"][0] |= {"message": "%" * 5_000}
    (command, *properties_and_message) = github_texts(github_text(document))
    assert command == "error"
    assert properties_and_message[3] == "%" * 4_093 + "..."


def test_of_many_rules_the_first_are_quoted_and_the_others_counted() -> None:
    document = several(1)
    pieces = [{"line": number, "text": f"-A X {number}"} for number in range(1, 21)]
    document["findings"][0] |= {"evidence": pieces, "evidence_left_out": 392}
    told = github_texts(github_text(document))
    assert [text for text in told if text.startswith("line ")] == [
        "line 1: -A X 1",
        "line 2: -A X 2",
        "line 3: -A X 3",
    ]
    assert "and 409 more" in told
    assert "\nand 392 more\n" in (suites_of(document).findtext(".//failure") or "")


@pytest.mark.parametrize("source", ["<stdin>", "<bytes>", "<stream>"])
def test_what_is_no_file_has_no_file(source: str) -> None:
    document = several(1)
    document["dump"] = document["dump"] | {"source": source}
    assert commands_of(document)[0].startswith("::error title=no-endpoints::")


def test_signs_that_mean_something_to_the_runner_are_escaped() -> None:
    document = several(1)
    document["dump"] = document["dump"] | {"source": "a:b,c%d\r\ne.rules"}
    document["findings"][0] |= {"message": "a:b,c%d\r\ne::f"}
    first = commands_of(document)[0]
    line = document["findings"][0]["evidence"][0]["line"]
    assert first.startswith(
        f"::error title=no-endpoints,file=a%3Ab%2Cc%25d\\x0d\\x0ae.rules,line={line}::a:b,c%25d\\x0d\\x0ae::f%0A"
    )
