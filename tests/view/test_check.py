"""What is shown of a check, and of what it finds beside other answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import iptviz
from iptviz.checks.finding import IF_COMPLETE, Evidence, plain
from iptviz.intake.remark import remark
from iptviz.view.blocks import Facts, Table, View
from iptviz.view.check import check_view
from iptviz.view.found import found_facts, unfound

if TYPE_CHECKING:
    from iptviz.checks.finding import Finding

HEALTHY = iptviz.check(iptviz.load("fixtures/httpd-today/dump.rules"))
REFUSED = iptviz.check(iptviz.load("fixtures/httpd-no-endpoints/dump.rules"), select=["no-endpoints"])
BROKEN = REFUSED.findings[0]._replace(evidence=(Evidence(7, "-A X -j REJECT"),), line=0)

LOCAL, PUBLIC = (
    finding
    for finding in iptviz.check(iptviz.load("fixtures/policies-today/dump.rules")).findings
    if finding.id in {"local-drop", "external-ip-public"}
)


def shown(*findings: Finding, fold: bool = True, **more: Any) -> View:
    return check_view(HEALTHY._replace(findings=findings, **more), fold=fold)


def rows_of(view: View) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for table in view.of(Table) for row in table.rows]


def below(view: View) -> list[str]:
    return [line.text for table in view.of(Table) for row in table.rows for line in row.below]


def facts_of(view: View) -> dict[str, str]:
    return {fact.label: fact.text for facts in view.of(Facts) for fact in facts.facts}


def test_a_row_is_how_bad_it_is_and_what_and_below_it_stand_the_rules_and_advice() -> None:
    view = shown(BROKEN)
    ((severity, what, dump, words),) = rows_of(view)
    assert (severity, what, dump) == ("high", "no-endpoints", "")
    assert words.startswith("default/httpd-service has no endpoints")
    assert below(view) == ["line 7: -A X -j REJECT", plain(BROKEN.why), plain(BROKEN.todo)]
    told = [line for table in view.of(Table) for row in table.rows for line in row.below]
    assert [line.label for line in told] == ["", "Why", "Do"]
    assert ("connection refused", True) in told[1].pieces


def test_a_line_that_the_evidence_quotes_is_not_named_twice() -> None:
    assert not rows_of(shown(BROKEN._replace(line=7)))[0][-1].startswith("line")
    assert rows_of(shown(BROKEN._replace(line=8)))[0][-1].startswith("line 8: default/httpd-service")


def test_what_a_lost_line_may_prove_wrong_says_so() -> None:
    assert rows_of(shown(BROKEN._replace(certainty=IF_COMPLETE)))[0][-1].endswith(
        " (if the dump is complete)"
    )


def test_much_evidence_is_folded_but_never_a_single_line() -> None:
    for count, quoted, more in (
        (3, 3, ""),
        (4, 4, ""),
        (5, 3, "and 2 more lines"),
        (412, 3, "and 409 more lines"),
    ):
        lines = tuple(Evidence(number, f"-A X {number}") for number in range(1, count + 1))
        finding = BROKEN._replace(evidence=lines, times=count)
        told = below(shown(finding))
        assert sum(line.startswith("line ") for line in told) == quoted
        assert [line for line in told if line.startswith("and ")] == [f"{more} (--all)"] * bool(more)
        assert sum(line.startswith("line ") for line in below(shown(finding, fold=False))) == count


def test_information_is_folded_and_named() -> None:
    info = BROKEN._replace(severity="info")
    folded = shown(BROKEN, info)
    assert [row[0] for row in rows_of(folded)] == ["high"]
    assert facts_of(folded)["Info"] == "1 more: no-endpoints (--all)"
    assert facts_of(shown(info))["Info"] == "1: no-endpoints (--all)"
    for view in (shown(BROKEN, info, fold=False), shown(BROKEN, info, selected=True)):
        assert [row[0] for row in rows_of(view)] == ["high", "info"]
        assert "Info" not in facts_of(view)


def test_nothing_found_is_said_of_what_was_looked_at() -> None:
    facts = facts_of(shown())
    assert facts["Checked"].endswith(": no findings")
    assert "5 service ports" in facts["Checked"]
    assert "rules of" in facts["Checked"]
    assert "routes" in facts["Not visible"]
    selected = facts_of(shown(looked_for=("nat-flushed",), selected=True))["Checked"]
    assert selected.startswith("only for nat-flushed, ")


def test_what_is_left_out_is_counted() -> None:
    facts = facts_of(shown(left_out=1, known=(BROKEN, BROKEN)))
    assert facts["Left out"] == "1 finding not selected"
    assert facts["Baseline"] == "2 known findings left out"


def test_other_answers_name_what_is_more_than_information_the_worst_first() -> None:
    assert list(found_facts([BROKEN._replace(severity="info")])) == []
    worst = LOCAL._replace(severity="critical")
    first, second = found_facts([BROKEN, BROKEN._replace(severity="info"), BROKEN, worst])
    assert first.text == f"critical: {worst.message} (iptviz explain local-drop)"
    assert second.text == f"high: {BROKEN.message} (iptviz explain no-endpoints)"


def test_of_many_findings_the_others_are_named() -> None:
    others = [BROKEN._replace(id=what) for what in ("nat-flushed", "input-drop")]
    *_, last = found_facts([BROKEN, LOCAL, PUBLIC._replace(severity="high"), *others])
    assert last.text == "also nat-flushed, input-drop: see iptviz check"


def test_a_note_that_is_a_finding_is_told_once() -> None:
    said = remark("udp-flows")
    other = BROKEN._replace(line=99)
    assert unfound([BROKEN, other, said], [BROKEN, other]) == [other, said]
    assert unfound([BROKEN, said], [BROKEN._replace(severity="info")]) == [BROKEN, said]
