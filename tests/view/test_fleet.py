"""What is shown of a fleet: the verdict first, groups of nodes, the most harmful first, and the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iptviz.fleets.differing import Rightly
from iptviz.fleets.summary import Unreadable
from iptviz.intake.remark import remark
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from iptviz.view.blocks import Facts, HeatMap, Notes, Table
from iptviz.view.fleet import fleet_page_view, fleet_view
from iptviz.view.heat import heat_map
from iptviz.view.node_names import node_names
from tests.view.made_fleets import agreeing, facts, fleet_of, large, odd, sixty
from tests.view.test_check import facts_of

if TYPE_CHECKING:
    from iptviz.fleets.summary import NodeFacts
    from iptviz.questions.fleet import FleetResult
    from iptviz.view.blocks import View


def table(view: View, name: str) -> list[list[str]]:
    return [
        [cell.text for cell in row.cells]
        for one in view.of(Table)
        if one.columns.name == name
        for row in one.rows
    ]


def below(view: View, which: str) -> list[str]:
    (groups,) = (one for one in view.of(Table) if one.columns.name == "groups")
    (row,) = (row for row in groups.rows if row.cells[3].text == which)
    return [line.text for line in row.below]


def lead(result: FleetResult) -> dict[str, str]:
    (block,) = fleet_view(result).lead
    assert isinstance(block, Facts)
    return {fact.label: fact.text for fact in block.facts}


def nodes(count: int) -> list[NodeFacts]:
    return [facts(f"node-{number}") for number in range(1, count + 1)]


# --- the verdict ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (agreeing(60), "all 60 nodes agree on 812 service ports"),
        (agreeing(1), "1 node with 812 service ports; no other to compare it with"),
        (agreeing(0), "no node read"),
        (agreeing(60, truth="api"), "all 60 nodes agree with the API on 812 service ports"),
        (agreeing(1, truth="api", compared=1), "the node agrees with the API on 1 service port"),
        (
            fleet_of(nodes(3), [odd("service-missing", [1], 3, 1)]),
            "2 of 3 nodes agree on 812 service ports; 1 node differs",
        ),
        (
            fleet_of(nodes(2), [odd("service-missing", [0, 1], 2, 1)], truth="api"),
            "0 of 2 nodes agree with the API on 812 service ports; 2 nodes differ",
        ),
        (sixty(), "48 of 60 nodes agree on 812 service ports; 11 nodes differ; 1 incomplete dump"),
    ],
)
def test_the_first_line_is_the_verdict(result: FleetResult, verdict: str) -> None:
    assert lead(result)["Verdict"] == verdict
    text = FORMATS["table"].writer("fleet")(result, Style(), fold=True)
    assert " ".join(text.splitlines()[0].split()) == f"Verdict {verdict}"


def test_the_second_line_is_the_worst_node() -> None:
    assert lead(sixty())["Worst"].startswith(
        "node-7: rules are out of date: 3 service ports behind the others"
    )
    assert "Worst" not in lead(agreeing())


def test_what_would_make_a_lie_of_the_verdict_stands_beside_it() -> None:
    result = agreeing(2, notes=(remark("fleet-tie", count=2), remark("fleet-name-twice", names=("a",))))
    assert lead(result)["Note"].startswith("no majority for 2 service ports")
    ((others,),) = [block.texts for block in fleet_view(result).of(Notes)]
    assert others.startswith("the same node name several times: a")


def test_a_brief_answer_is_the_verdict() -> None:
    text = FORMATS["table"].writer("fleet")(sixty(), Style(), fold=True, brief=True)
    assert [line.split()[0] for line in text.splitlines() if line[0] != " "] == [
        "Verdict",
        "Worst",
        "Note",
        "Not",
    ]


def test_nodes_that_were_not_compared_do_not_agree() -> None:
    bare = [*nodes(3), facts("bare", services=0, mode="cut"), facts("other")]
    note = remark("fleet-other-cluster", nodes=("other",), others=3)
    result = fleet_of(
        bare, [odd("endpoint-missing", [0], 3, 1, "10.244.0.9:80")], notes=(note,), apart=0b11000
    )
    verdict = "2 of 5 nodes agree on 812 service ports; 1 node differs; 2 nodes not compared"
    assert lead(result)["Verdict"] == verdict
    rows = table(fleet_view(result), "groups")
    assert [row[3] for row in rows] == ["node-2, node-3", "node-1", "bare, other"]
    assert {row.title: row.states for row in heat_map(result).rows}["bare, other"] == "?"


def test_a_node_whose_dump_is_cut_does_not_agree() -> None:
    result = fleet_of([*nodes(3), facts("cut", complete=False)], ())
    assert lead(result)["Verdict"] == "3 of 4 nodes agree on 812 service ports; 1 incomplete dump"


# --- groups --------------------------------------------------------------------------------------------------


def test_most_nodes_come_first_then_odd_ones_the_most_harmful_first() -> None:
    rows = table(fleet_view(sixty()), "groups")
    assert rows[0][1:] == [
        "49", "", "node-[1-6], node-[8-11], node-[18-29], node-[32-40], node-[43-60]", "as most nodes have it",
    ]  # fmt: skip
    assert [(row[2], row[3]) for row in rows[1:]] == [
        ("critical", "node-7"), ("critical", "node-12"), ("critical", "node-30"), ("critical", "node-31"),
        ("high", "node-13"), ("medium", "node-41, node-42"), ("medium", "node-14, node-15"),
        ("medium", "node-16"), ("low", "node-17"),
    ]  # fmt: skip
    numbers = {row[3].partition(",")[0]: row[0] for row in rows}
    assert numbers["node-[1-6]"] == "1"
    assert sorted(map(int, numbers.values())) == list(range(1, 11))


def test_service_ports_are_counted_and_the_first_are_shown() -> None:
    view = fleet_view(sixty())
    (row,) = (row for row in table(view, "groups") if row[3] == "node-30")
    assert row[4] == "120 service ports are missing; 1 service port lacks endpoints"
    assert below(view, "node-30")[:4] == [
        "team-6/svc-300:http/tcp is missing",
        "team-6/svc-6:http/tcp lacks endpoints 10.244.9.0:80, 10.244.9.1:80, 10.244.9.2:80 and 6 more",
        "team-0/svc-301:http/tcp is missing",
        "and 118 more differences (--all)",
    ]
    assert len(below(fleet_view(sixty(), fold=False), "node-30")) == 122


def test_what_to_do_is_said_once() -> None:
    (groups,) = (one for one in fleet_view(sixty()).of(Table) if one.columns.name == "groups")
    advice = [line.text for row in groups.rows for line in row.below if line.label]
    assert len(advice) == len(set(advice)) > 4


def test_a_frontend_alone_and_a_property_are_named() -> None:
    view = fleet_view(sixty())
    assert "team-0/svc-7:http/tcp at cluster IP 10.96.0.7:80 is missing" in below(view, "node-31")
    assert (
        below(view, "node-14, node-15")[0]
        == "team-2/svc-9:http/tcp: session affinity none instead of 10800 s"
    )


def test_of_many_groups_the_worst_are_shown() -> None:
    view = fleet_view(large())
    assert len(table(view, "groups")) == 11
    assert facts_of(view)["More"]
    (groups,) = (one for one in fleet_view(large(), fold=False).of(Table) if one.columns.name == "groups")
    assert sum(int(row.cells[1].text.replace(",", "")) for row in groups.rows) == 5_000


# --- the map -------------------------------------------------------------------------------------------------


def test_a_row_of_the_map_has_a_sign_for_each_way_to_differ() -> None:
    heat = heat_map(sixty())
    signs = {row.names[0]: row.states for row in heat.rows}
    titles = [column.title for column in heat.columns]
    assert titles[:4] == [
        "the node itself", "team-6/svc-6:http/tcp", "team-6/svc-300:http/tcp and 119 more",
        "team-3/svc-3:http/tcp and 2 more",
    ]  # fmt: skip
    assert signs["node-1"] == "." * 8
    assert signs["node-7"][:4] == "!..*"
    assert signs["node-30"][:4] == ".-X."
    assert signs["node-31"] == ".-..XS.."
    assert heat.rows[0].names[0] == "node-1"
    assert sum(len(row.names) for row in heat.rows) == 60
    assert heat.alike == 812 - 120 - 8
    assert [sign for sign, _ in heat.signs] == [".", "-", "*", "X", "S", "~", "!"]


def test_nodes_that_do_not_show_a_port_are_not_said_to_have_it() -> None:
    result = fleet_of(nodes(4), [odd("endpoint-missing", [1], 3, 5, "10.244.0.9:80")])
    ((key, forms),) = result.summary.ports.items()
    form = next(iter(forms))
    known = result._replace(summary=result.summary._replace(ports={key: {form: 0b0111}}))
    assert {row.title: row.states for row in heat_map(known).rows} == {
        "node-1, node-3": ".", "node-2": "-", "node-4": "?",
    }  # fmt: skip


def test_ports_of_two_families_are_told_apart() -> None:
    first = odd("service-missing", [1], 2, 5)
    heat = heat_map(fleet_of(nodes(2), [first, first._replace(family="ipv6", nodes=1)]))
    assert {column.title for column in heat.columns} == {
        "team-5/svc-5:http/tcp ipv4", "team-5/svc-5:http/tcp ipv6",
    }  # fmt: skip


def test_a_text_has_the_map_as_signs_below_a_ruler() -> None:
    view = fleet_view(sixty())
    rows = table(view, "map")
    assert rows[1] == ["1", "node-30", ".-X....."]
    (columns,) = (one.columns for one in view.of(Table) if one.columns.name == "map")
    assert columns.headings[2] == "12345678"
    assert not view.of(HeatMap)
    assert len(fleet_page_view(sixty()).of(HeatMap)) == 1
    assert table(fleet_view(agreeing()), "map") == []


# --- all the rest --------------------------------------------------------------------------------------------


def test_facts_count_nodes() -> None:
    said = facts_of(fleet_view(sixty()))
    assert (
        said["Rightly different"] == "12 service ports by Local policy, 3 service ports by topology (zones)"
    )
    assert said["Modes"] == "iptables (58), ipvs (2)"
    assert said["Backends"] == "nf_tables"
    assert said["CNIs"] == "Calico, CNI (1)"
    assert said["Saved"] == "oldest 2026-11-23T07:58:20Z (node-7), newest 2026-11-23T10:00:00Z, 2 hours apart"
    assert said["Incomplete"] == "1 of 60 dumps"
    told = facts_of(fleet_view(agreeing(rightly=(Rightly("mode", 1),))))
    assert told["Rightly different"] == "1 service port by modes of kube-proxy"
    assert told["Saved"] == "2026-11-23T10:00:00Z"


def test_causes_that_check_finds_name_their_nodes() -> None:
    first, second = table(fleet_view(sixty()), "findings")
    assert first[:4] == ["critical", "forward-drop", "1", "node-5"]
    assert second[:4] == ["high", "no-endpoints", "60", "node-[1-60]"]
    assert second[4].endswith("(and 1 more such finding)")


def test_what_cannot_be_read_has_its_reason() -> None:
    assert table(fleet_view(sixty()), "unreadable")[0] == ["dumps/node-61.txt", "file is empty"]
    many = agreeing(2, unreadable=tuple(Unreadable(f"{number}", "file is empty") for number in range(40)))
    assert len(table(fleet_view(many), "unreadable")) == 10
    assert facts_of(fleet_view(many))["More"] == "30 more sources (--all)"
    assert len(table(fleet_view(many, fold=False), "unreadable")) == 40


@pytest.mark.parametrize("style", [Style(), Style(width=60), Style(ascii_only=True)])
def test_thousands_of_nodes_fit_a_terminal(style: Style) -> None:
    text = FORMATS["table"].writer("fleet")(large(), style, fold=True)
    assert len(text.splitlines()) < 250


# --- names of nodes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["node-1", "node-2"], "node-1, node-2"),
        ([f"node-{number}" for number in range(1, 58)], "node-[1-57]"),
        (["node-3", "node-1", "node-2", "node-9"], "node-[1-3], node-9"),
        ([f"node-{number:02d}" for number in range(8, 13)], "node-[08-12]"),
        ([f"ip-10-0-0-{one}.eu-1.internal" for one in (4, 5, 6)], "ip-10-0-0-[4-6].eu-1.internal"),
        (["node-", "node-0", "node-1"], "node-, node-0, node-1"),
        (["n1", "n1", "n2"], "n1, n1, n2"),
        (["n1", "n01", "n2", "n02", "n03"], "n1, n2, n[01-03]"),
        ([f"w{number:03d}" for number in (9, 10, 98, 99, 100, 101)], "w009, w010, w[098-101]"),
        ([f"w{number}" for number in (9, 10, 11)], "w[9-11]"),
        (
            ["a1000000000000001", "a1000000000000002", "a1000000000000003"],
            "a1000000[000000001-000000003]",
        ),
        (["a", "b", "c", "d", "e"], "a, b, c, d, e"),
        (["a", "b", "c", "d", "e", "f"], "a, b, c, d and 2 more"),
        ([*"abcd", *(f"n{one}" for one in range(1_000, 3_001)), "z"], "a, b, c, d and 2,002 more"),
        (["a\x1b1", "a\x1b2", "a\x1b3"], "a\\x1b[1-3]"),
    ],
)
def test_names_of_many_nodes_are_few_words(names: list[str], text: str) -> None:
    assert node_names(names) == text


def test_all_names_are_there_where_all_are_wanted() -> None:
    assert node_names([*"abcdefgh"], None) == "a, b, c, d, e, f, g, h"
