"""CSV of traces and packets: every share, exactly, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from fractions import Fraction

import pytest

import iptviz
from iptviz.questions.api_differences import Difference
from iptviz.questions.verify import VerifyResult
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from tests.render.test_hostile import BY_CHAIN, BY_COMMENT, every_text, traced


def rows(question: str, result: object) -> list[dict[str, str]]:
    text = str(FORMATS["csv"].writer(question)(result, Style(), fold=True))
    return list(csv.DictReader(io.StringIO(text)))


def test_each_case_sums_to_one() -> None:
    result = iptviz.trace(iptviz.load("fixtures/policies-today/dump.rules"), "default/shop")
    found = rows("trace", result)
    sums: dict[tuple[str, str], Fraction] = {}
    for row in found:
        if row["clients"]:
            assert (row["share"], row["exact"]) == ("", "")
            continue
        key = row["frontend"], row["when"]
        sums[key] = sums.get(key, Fraction(0)) + Fraction(row["exact"])
        assert float(row["share"]) == round(float(Fraction(row["exact"])), 10)
    assert len(sums) > 4
    assert set(sums.values()) == {Fraction(1)}


def test_what_gets_no_endpoint_has_a_row_with_its_verdict() -> None:
    result = iptviz.trace(iptviz.load("fixtures/httpd-no-endpoints/dump.rules"), "10.97.13.198")
    row, *others = rows("trace", result)
    assert {other["outcome"] for other in others if other["clients"]} == {"REJECT"}
    assert (row["endpoint"], row["exact"], row["verdict"], row["verdict_line"]) == ("", "1/1", "REJECT", "87")


def test_counters_are_there_where_the_dump_has_them() -> None:
    result = iptviz.trace(iptviz.load("fixtures/httpd-nft/dump.rules"), ":32123")
    chosen = [row for row in rows("trace", result) if not row["clients"]]
    assert [row["connections"] for row in chosen] == ["260", "230", "250", "260"]


def test_a_packets_outcomes_are_rows() -> None:
    dump = iptviz.load("fixtures/httpd-service/dump.rules")
    result = iptviz.packet(dump, src="10.9.9.9", dst="10.97.13.198", protocol="tcp", dport=79, mark=0)
    found = rows("packet", result)
    assert sum(Fraction(row["exact"]) for row in found) == len({row["when"] for row in found})
    assert {row["destination"] for row in found} == {
        f"10.244.{end}:80" for end in ("1.17", "1.18", "2.20", "2.21")
    }
    assert {row["mark"] for row in found} == {"0x4000"}


def test_a_jump_graph_has_a_row_for_each_rule_that_leads_somewhere() -> None:
    dump = iptviz.load("fixtures/policies-today/dump.rules")
    found = rows("graph", iptviz.graph(dump))
    leading = [rule for table in dump.tables.values() for rule in table.rules() if rule.jump in table.chains]
    assert sorted(int(row["line"]) for row in found) == sorted(rule.line for rule in leading)
    assert {(row["table"], row["chain"], row["to"]) for row in found} == {
        (rule.table.name, rule.chain, rule.jump) for rule in leading
    }


def test_a_difference_from_the_api_is_a_row() -> None:
    dump = iptviz.load("fixtures/httpd-service/dump.rules")
    rule = dump.tables["nat"].chains["KUBE-SERVICES"].rules[0]
    missing = Difference("missing-endpoint", "default/a", "tcp", ":1", "10.0.0.1:80", "", rule)
    extra = missing._replace(kind="extra-endpoint", share=Fraction(1, 3), rule=None)
    found = rows("verify", VerifyResult(dump, None, 1, (missing, extra), (), ()))
    assert [row["line"] for row in found] == [str(rule.line), ""]
    assert [(row["share"], row["exact"]) for row in found] == [("", ""), ("0.3333333333", "1/3")]
    assert found[0]["api"] == "10.0.0.1:80"


@pytest.mark.parametrize("sign", "=+-@\uff1d\uff0b\uff0d\uff20")
def test_a_cell_that_begins_like_a_formula_begins_with_a_quote(sign: str) -> None:
    difference = Difference("extra-service", f"{sign}1", "tcp", "", "", "", None)
    dump = iptviz.load("fixtures/httpd-service/dump.rules")
    (row,) = rows("verify", VerifyResult(dump, None, 1, (difference,), (), ()))
    assert row["service"] == f"'{sign}1"


@every_text
def test_a_hostile_text_is_a_text(text: str) -> None:
    for target in (BY_CHAIN, BY_COMMENT):
        for row in rows("trace", traced(text, target)):
            assert None not in row
            assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())
