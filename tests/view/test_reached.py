"""Who reaches a service and who does not: the word in the list, the cause in the remarks, causes of many once."""

from __future__ import annotations

import csv
import io
import re
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.engine.condition import Assumption, Condition
from iptviz.paths.fares import fails, surely_reached
from iptviz.paths.model import ClientPaths, Decider, EndpointRow
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from iptviz.view.blocks import Facts, Table
from iptviz.view.reached import MOST_CAUSES
from iptviz.view.registry import view_of
from iptviz.view.services import services_view
from tests.kubeproxy import numbered, saved
from tests.questions.made_reached import (
    ALL,
    ANSWER,
    CACHED,
    DEPENDS,
    FIRST,
    HALF,
    IN_PART,
    LOCAL,
    LOST,
    MARTIAN,
    NOBODY,
    NOT_BY_POD,
    NOT_DNATED,
    POLICY,
    RULE,
    TODAY,
    YES,
    entry,
    listed,
    not_rewritten,
    ways,
)  # fmt: skip

if TYPE_CHECKING:
    from iptviz.paths.model import FrontendPaths
    from iptviz.questions.services import ServicesResult
    from iptviz.view.blocks import Fact
    from iptviz.view.nodes import TableRow
    from tests.questions.made_reached import PathsOfPort

EMPTY = "fixtures/httpd-no-endpoints/dump.rules"
REFUSING = (
    '-A KUBE-PROXY-FIREWALL -d 203.0.113.20/32 -p tcp -m comment --comment "default/admin:http traffic not accepted '
    'by KUBE-FW-4CU5DJFIWYNNV2YR" -m tcp --dport 80 -j DROP'
)
BY_SET = (Assumption(Condition("source-cidr", "10.0.0.0/8"), holds=True),)


def rows(result: ServicesResult) -> list[dict[str, str]]:
    (table,) = services_view(result).of(Table)
    return [_row(table, row) for row in table.rows]


def _row(table: Table, row: TableRow) -> dict[str, str]:
    return {heading: cell.text for heading, cell in zip(table.columns.headings, row.cells, strict=True)} | {
        "mood": row.mood
    }


def facts(result: ServicesResult, label: str = "Not reached") -> list[Fact]:
    return [fact for block in services_view(result).of(Facts) for fact in block.facts if fact.label == label]


@pytest.mark.parametrize(
    ("way", "word", "remark", "mood"),
    [
        (YES, "yes", "", "good"),
        (NOT_BY_POD, "not by pod", "pod: DROP by the policy of filter FORWARD, line 7", "bad"),
        (NOBODY, "no", "outside, pod, node: DROP by the policy of filter FORWARD, line 7", "bad"),
        (IN_PART, "in part: pod", "pod: 50.00 %: REJECT by filter KUBE-POD-FW-A rule 3, line 67", "bad"),
        (ANSWER, "not by pod", "pod: the endpoint's answer: DROP by the policy of filter FORWARD, line 7", "bad"),
        (NOT_DNATED, "not by outside", "outside: not DNATed (nat PREROUTING rule 1, line 12)", "bad"),
        (MARTIAN, "not by outside", "outside: DROP by routing: martian source", "bad"),
        (LOST, "no", "outside, pod, node: the deciding rule is unknown", "bad"),
        (CACHED, "this node: pod, node", "", "good"),
        (DEPENDS, "depends: node",
         "node: depends: DROP by the policy of filter FORWARD, line 7 when 10.244.0.5 is local to this node", ""),
        (ways(entry(ALL, "DROP", POLICY, when=BY_SET * 3)), "depends",
         ("outside, pod, node: depends: DROP by the policy of filter FORWARD, line 7 when source in 10.0.0.0/8 and "
         "source in 10.0.0.0/8 and 1 more condition"), ""),
        (ways(entry(("outside",), "DROP", POLICY), entry(("pod",), "DROP", POLICY, share=HALF), entry(("node",))),
         "not by outside; in part: pod",
         ("outside: DROP by the policy of filter FORWARD, line 7; pod: 50.00 %: DROP by the policy of filter FORWARD, "
         "line 7"), "bad"),
        (ways(entry(("192.0.2.9",), "DROP", Decider("raw", "PREROUTING", None, None, ""))), "no",
         "192.0.2.9: DROP by the policy of raw PREROUTING", "bad"),
        (None, "?", "", ""),
    ],
)  # fmt: skip
def test_the_word_and_the_cause(way: FrontendPaths | None, word: str, remark: str, mood: str) -> None:
    kubernetes = rows(listed((YES,), (YES,), (way,)))[2]
    assert (kubernetes["SERVICE"], kubernetes["REACHED"]) == ("default/kubernetes:https", word)
    assert (kubernetes["REMARKS"], kubernetes["mood"]) == (remark, mood)


@pytest.mark.parametrize(
    ("port", "word"),
    [
        ((YES, YES, NOT_BY_POD), "node port not by pod"),
        ((NOBODY, YES, NOT_BY_POD), "cluster IP no"),
        ((YES, NOT_BY_POD, NOT_BY_POD), "load-balancer IP, node port not by pod"),
        ((YES, None, YES), "cluster IP, node port yes"),
        ((DEPENDS, IN_PART, YES), "load-balancer IP in part: pod"),
    ],
)
def test_of_several_frontends_the_worst_is_named(port: PathsOfPort, word: str) -> None:
    assert rows(listed((YES,), port))[1]["REACHED"] == word


def test_nothing_is_said_of_what_was_not_looked_at() -> None:
    result = listed(*((None,) for _ in range(7)))
    assert {row["REACHED"] for row in rows(result)} == {"?"}
    (services,) = facts(result, "Services")
    assert services.text == "7 service ports, 7 not known"


def test_services_are_counted_by_how_they_fare() -> None:
    (services,) = facts(listed((NOBODY,), (YES, YES, None), (DEPENDS,), (CACHED,)), "Services")
    assert services.text == (
        "7 service ports, 1 not reached by all clients, 1 depending on conditions, 1 not known"
    )
    assert services.mood == "bad"
    (well,) = facts(listed((CACHED,)), "Services")
    assert (well.text, well.mood) == ("7 service ports", "good")


def test_a_cause_of_several_services_is_told_once() -> None:
    one, two = facts(listed((NOT_BY_POD,), (YES, YES, NOT_BY_POD), (MARTIAN,)))
    assert one.text == (
        "default/admin:http, default/away:http (node port :30700) by pods: DROP by the policy of filter FORWARD, line 7"
    )
    assert two.text == "default/kubernetes:https by outside clients: DROP by routing: martian source"
    assert one.mood == two.mood == "bad"
    (part,) = facts(listed((YES,), (YES,), (IN_PART,)), "Partly reached")
    assert part.text == "default/kubernetes:https by pods: REJECT by filter KUBE-POD-FW-A rule 3, line 67"


def test_of_many_services_the_first_are_named_and_all_counted() -> None:
    (fact,) = facts(listed(*[(NOT_BY_POD,)] * 5))
    assert fact.text == (
        "5 service ports by pods: DROP by the policy of filter FORWARD, line 7 (default/admin:http, "
        "default/away:http, default/kubernetes:https ...)"
    )


def test_many_causes_are_cut_and_counted() -> None:
    rules = (Decider("filter", "FORWARD", number, number, "-A FORWARD -j DROP") for number in range(1, 12))
    many = listed(
        *[(ways(entry(ALL, "DROP", rule)),) for rule in rules], dump=saved(numbered(11, 1)).encode()
    )
    told = facts(many)
    assert len(told) == MOST_CAUSES + 1
    assert told[-1].text == "and by 3 more causes (see the list)"


def test_a_service_without_endpoints_is_refused_as_it_should_be() -> None:
    (port,) = iptviz.services(iptviz.load(EMPTY), no_endpoints=True).services
    rules = [answer.verdict.rule for answer in port.answers if answer.verdict]
    refusing = [Decider("filter", rule.chain, rule.number, rule.line, rule.text) for rule in rules]
    refused = tuple(ways(not_rewritten(ALL, "REJECT", by)) for by in refusing)
    result = listed(refused, dump=EMPTY, no_endpoints=True)
    (row,), rule = rows(result), rules[0]
    assert (row["REACHED"], row["SHARES"], row["mood"]) == (
        "no endpoints",
        f"REJECT, line {rule.line}",
        "bad",
    )
    assert "no endpoints" not in row["REMARKS"]
    fact, _ = facts(result)
    assert (fact.mood, "no endpoints: REJECT by filter KUBE-SERVICES rule 1" in fact.text) == ("", True)
    assert fails(result.reached[0])
    foreign = listed((ways(not_rewritten(ALL, "REJECT", POLICY)),), dump=EMPTY, no_endpoints=True)
    assert rows(foreign)[0]["REACHED"] == "no"


def test_without_a_local_endpoint_outside_clients_are_not_served_and_the_cause_is_named() -> None:
    away = iptviz.services(iptviz.load(TODAY)).services[1]
    verdict = away.answers[1].verdict
    assert verdict is not None
    by = Decider("filter", verdict.rule.chain, 1, verdict.rule.line, verdict.rule.text)
    dropped = ways(not_rewritten(("outside",), "DROP", by), entry(("pod", "node")))
    row = rows(listed((YES,), (YES, dropped, dropped)))[1]
    assert row["REACHED"] == "load-balancer IP, node port not by outside"
    assert row["REMARKS"].startswith(
        "outside: no local endpoints: DROP by filter KUBE-EXTERNAL-SERVICES rule 1, line "
    )


@pytest.mark.parametrize(
    ("port", "failing", "reached"),
    [
        ((YES,), False, True), ((CACHED,), False, True), ((NOBODY,), True, False), ((IN_PART,), True, False),
        ((DEPENDS,), False, False), ((None,), False, False),
    ],
)  # fmt: skip
def test_what_fails_for_sure_and_what_is_sure_to_work(
    port: PathsOfPort, failing: bool, reached: bool
) -> None:
    found = listed(port).reached[0]
    assert (fails(found), surely_reached(found)) == (failing, reached)


def test_endpoints_that_fail_by_one_cause_are_one_share() -> None:
    quarter = Fraction(1, 4)
    rows_ = [
        EndpointRow(f"10.244.0.{n}", 80, quarter, (), "REJECT" if n < 3 else "ACCEPT", RULE) for n in range(4)
    ]
    one = ClientPaths(
        ALL, (), untracked=False, endpoints=tuple(rows_), leftover=(), at_least=quarter, at_most=quarter
    )
    assert rows(listed((ways(one),)))[0]["REMARKS"].startswith(
        "outside, pod, node: 75.00 %: REJECT by filter KUBE-POD-FW-A rule 3, line 67"
    )


def test_the_usual_case_is_told_before_a_rare_one() -> None:
    rare = entry(("pod",), "DROP", RULE)._replace(when=BY_SET)
    usual = entry(("pod",), "DROP", POLICY)._replace(when=(BY_SET[0].opposite(),))
    (row, *_) = rows(listed((ways(rare, usual, entry(("outside", "node"))),)))
    assert row["REMARKS"].startswith(
        "pod: DROP by the policy of filter FORWARD, line 7 when source not in 10.0.0.0/8"
    )


def test_what_this_node_takes_that_should_get_to_endpoints_is_not_rewritten() -> None:
    rare = not_rewritten(("outside",), "DROP", RULE)._replace(when=BY_SET)
    usual = not_rewritten(("outside",), "LOCAL", None)._replace(when=(BY_SET[0].opposite(),))
    (row, *_) = rows(listed((ways(rare, usual, entry(("pod", "node"))),)))
    assert row["REMARKS"].startswith("outside: not DNATed when source not in 10.0.0.0/8")


def test_what_source_ranges_refuse_is_called_so() -> None:
    by = Decider("filter", "KUBE-PROXY-FIREWALL", 1, 27, REFUSING)
    (row, *_) = rows(
        listed(
            (YES, ways(entry(("outside", "node")), not_rewritten(("pod",), "DROP", by))),
        )
    )
    assert row["REACHED"] == "load-balancer IP not by pod"
    assert row["REMARKS"].startswith(
        "pod: not in loadBalancerSourceRanges: DROP by filter KUBE-PROXY-FIREWALL rule 1"
    )


def test_a_policy_of_nat_is_no_cause() -> None:
    by = Decider("nat", "PREROUTING", None, 5, ":PREROUTING ACCEPT [0:0]")
    (row, *_) = rows(listed((ways(not_rewritten(("outside",), "ACCEPT", by), entry(("pod", "node"))),)))
    assert row["REMARKS"].startswith("outside: not DNATed; ")


def test_what_conditions_decide_is_told_last_and_as_such() -> None:
    result = listed((DEPENDS,), (NOT_BY_POD,))
    (fact,) = facts(result, "Depends")
    assert fact.text == (
        "default/admin:http by this node: DROP by the policy of filter FORWARD, line 7 when 10.244.0.5 is local to "
        "this node"
    )
    assert fact.mood == ""
    told = [fact.label for block in services_view(result).of(Facts) for fact in block.facts]
    assert told.index("Not reached") < told.index("Depends")


def test_what_source_ranges_are_meant_to_refuse_is_no_cause_of_its_own() -> None:
    by = Decider("filter", "KUBE-PROXY-FIREWALL", 1, 27, REFUSING)
    ranged = not_rewritten(("outside",), "DROP", by)._replace(when=BY_SET)
    inside = entry(("outside",))._replace(when=(BY_SET[0].opposite(),))
    result = listed((YES, ways(ranged, inside, entry(("pod", "node")))))
    assert rows(result)[0]["REACHED"] == "load-balancer IP depends: outside"
    assert facts(result, "Depends") == []


def test_clients_of_whom_a_rule_lets_one_port_through_fail_nevertheless() -> None:
    port = Assumption(Condition("source-port", "32000"), holds=True)
    singled_out = entry(("pod",))._replace(when=(port,))
    usual = entry(("pod",), "DROP", POLICY)._replace(when=(port.opposite(),))
    result = listed((ways(singled_out, usual, entry(("outside", "node"))),))
    assert (rows(result)[0]["REACHED"], rows(result)[0]["mood"]) == ("not by pod", "bad")
    assert facts(result, "Services")[0].text == "7 service ports, 1 not reached by all clients"
    assert facts(result)[0].text.endswith("line 7 when source port not 32000")


def test_what_is_not_rewritten_is_one_cause_whatever_becomes_of_it() -> None:
    forwarded, kept = not_rewritten(ALL, "ACCEPT", FIRST), not_rewritten(ALL, "LOCAL", FIRST)
    (fact,) = facts(listed((ways(forwarded),), (ways(kept),)))
    assert fact.text.startswith("default/admin:http, default/away:http by outside clients")


TAKEN = "-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.9.90:8080"


def taken(rule: str = TAKEN) -> ServicesResult:
    """Return the services of a node on which a rule of somebody else comes before kube-proxy's."""
    jump = "-A PREROUTING -m comment"
    return iptviz.services(iptviz.load(saved(numbered(1, 2)).replace(jump, f"{rule}\n{jump}", 1).encode()))


def test_what_gets_to_no_endpoint_of_the_service_is_redirected() -> None:
    result = taken()
    (row,) = rows(result)
    assert (row["REACHED"], row["mood"]) == ("cluster IP redirected: outside, pod", "bad")
    assert row["REMARKS"] == "outside, pod: redirected to 10.244.9.90:8080, not an endpoint of the service"
    assert (fails(result.reached[0]), surely_reached(result.reached[0])) == (True, False)
    (fact,) = facts(result, "Redirected")
    assert fact.mood == "bad"
    fares = result.to_dict()["services"][0]["frontends"][0]["reached"]
    assert [(fare["clients"], fare["word"]) for fare in fares] == [
        (["outside", "pod"], "redirected"),
        (["node"], "yes"),
    ]


def test_what_is_redirected_under_a_condition_depends_on_it() -> None:
    (row,) = rows(taken(TAKEN.replace("-p tcp", "-i eth7 -p tcp")))
    assert row["REACHED"] == "cluster IP depends: outside, pod"
    assert row["REMARKS"].endswith("not an endpoint of the service when input interface is eth7")


def test_of_what_a_cut_dump_lacks_nothing_is_said_for_sure() -> None:
    whole = saved(numbered(1, 2))
    chain = "-A KUBE-SVC-"
    for text in (whole[: whole.rindex(chain)], whole[: whole.index(chain)]):
        dump = iptviz.load(text.encode())
        result = iptviz.services(dump)
        last = rows(result)[-1]
        assert last["REACHED"] == "?"
        assert not any(map(fails, result.reached[-1:]))
        assert not facts(result)
        lines = [
            fact
            for block in view_of(iptviz.trace(dump, ":30000"), fold=True).of(Facts)
            for fact in block.facts
        ]
        assert (lines[0].label.removesuffix(" 50.00 %"), lines[0].mood) == ("NOT KNOWN", "")
        assert ": this dump lacks " in lines[0].text
        assert not any("not DNATed" in fact.text for fact in lines)


def test_a_rule_among_those_of_services_redirects_as_well() -> None:
    first = "-A KUBE-SERVICES -d 10.96.0.0/16 -j DNAT --to-destination 192.0.2.1"
    rules = saved(numbered(1, 2)).replace("-A KUBE-SERVICES", f"{first}\n-A KUBE-SERVICES", 1)
    dump = iptviz.load(rules.encode())
    (row,) = rows(iptviz.services(dump))
    assert row["REACHED"] == "cluster IP redirected"
    lines = [
        fact.label
        for block in view_of(iptviz.trace(dump, "10.96.1.0"), fold=True).of(Facts)
        for fact in block.facts
    ]
    assert lines[0] == "REDIRECTED"


def test_of_two_services_at_one_address_the_second_is_redirected_to_the_first() -> None:
    text = saved(numbered(2, 1)).replace("10.96.1.1/32", "10.96.1.0/32")
    first, second = rows(iptviz.services(iptviz.load(text.encode())))
    assert (first["REACHED"], second["REACHED"]) == ("yes", "cluster IP redirected")


def test_a_range_of_ports_belongs_to_an_endpoint_of_the_service() -> None:
    text = re.sub(r"(--to-destination [0-9.]+):8080", r"\1-10.128.1.9:80-90", saved(numbered(1, 1)))
    dump = iptviz.load(text.encode())
    assert rows(iptviz.services(dump))[0]["REACHED"] == "yes"
    lines = [
        fact.label
        for block in view_of(iptviz.trace(dump, "10.96.1.0"), fold=True).of(Facts)
        for fact in block.facts
    ]
    assert lines[0] == "reached"


def test_clients_that_fail_under_different_conditions_are_told_apart() -> None:
    way = ways(
        entry(("outside",), "DROP", POLICY, when=BY_SET),
        entry(("pod",), "DROP", POLICY, when=LOCAL),
        entry(("node",)),
    )
    (outside, pod, _) = listed((way,)).reached[0][0].fares
    assert (outside.clients, pod.clients) == (("outside",), ("pod",))


def test_the_document_and_the_spreadsheet_have_it_for_each_frontend() -> None:
    result = listed((YES, NOT_BY_POD), (DEPENDS,))
    admin, away, *_ = result.to_dict()["services"]
    assert [fare["word"] for fare in admin["frontends"][0]["reached"]] == ["yes"]
    assert admin["frontends"][1]["reached"] == [
        {"clients": ["outside", "node"], "word": "yes", "at_least": {"probability": 1.0, "exact": "1/1"},
         "at_most": {"probability": 1.0, "exact": "1/1"}, "by": None, "reason": None},
        {"clients": ["pod"], "word": "no", "at_least": {"probability": 0.0, "exact": "0/1"},
         "at_most": {"probability": 0.0, "exact": "0/1"},
         "by": {"table": "filter", "chain": "FORWARD", "rule": None, "line": 7, "text": ":FORWARD DROP [0:0]",
                "others": 0},
         "reason": "DROP by the policy of filter FORWARD, line 7"},
    ]  # fmt: skip
    assert away["frontends"][0]["reached"][1]["word"] == "depends"
    read = list(
        csv.DictReader(io.StringIO(str(FORMATS["csv"].writer("services")(result, Style(), fold=True))))
    )
    assert read[0]["reached"] == "outside yes, pod yes, node yes; outside yes, pod no, node yes"
    assert (read[0]["not_reached_by"], read[0]["not_reached_line"]) == (":FORWARD DROP [0:0]", "7")
    assert (read[1]["not_reached_by"], read[1]["not_reached_line"]) == ("", "")
    at = read[0]["frontends"].split()[1]
    assert read[0]["reasons"] == f"{at} pod: DROP by the policy of filter FORWARD, line 7"
    assert read[1]["reasons"].startswith("node depends: DROP by the policy of filter FORWARD, line 7 when ")
    assert read[2]["reasons"] == ""
    unknown = listed(*((None,) for _ in range(7)))
    assert unknown.to_dict()["services"][0]["frontends"][0]["reached"] is None


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_the_word_is_the_last_to_be_dropped(width: int) -> None:
    result = listed((NOT_BY_POD,), (YES, YES, NOT_BY_POD))
    text = str(FORMATS["table"].writer("services")(result, Style(width=width), fold=True))
    text = " ".join(text.split())
    assert "node port not by pod" in text
    assert "(node port :30700) by pods: DROP by the policy of filter FORWARD, line 7" in text


def test_hostile_names_are_printed_as_they_can_be() -> None:
    bad = Decider("filter", "FOR\x1b[31m", 3, 7, "-A FOR\x1b[31m -j DROP")
    text = FORMATS["table"].writer("services")(listed((ways(entry(ALL, "DROP", bad)),)), Style(), fold=True)
    assert "\x1b" not in str(text)


def test_rules_of_services_that_decide_alike_are_counted_and_the_frontends_named() -> None:
    (fact,) = facts(iptviz.services(iptviz.load(TODAY), namespace="default"), "Not reached")[:1]
    assert fact.text == (
        "default/away:http (load-balancer IP 203.0.113.30:80, node port :30700) by outside clients: no local "
        "endpoints: DROP by 2 rules of filter KUBE-EXTERNAL-SERVICES (lines 22, 23)"
    )


def test_a_share_that_fails_for_sure_beside_conditions_is_a_failure() -> None:
    one = ClientPaths(ALL, (), untracked=False, endpoints=entry(ALL, "DROP", POLICY, share=HALF).endpoints,
                      leftover=(), at_least=Fraction(0), at_most=HALF)  # fmt: skip
    result = listed((ways(one),))
    assert rows(result)[0]["REACHED"] == "depends"
    (fact,) = facts(result, "Partly reached")
    assert fact.text.startswith("default/admin:http by outside clients, pods and this node: DROP")


def test_of_frontends_that_fail_alike_the_cause_is_told_that_no_condition_limits_with_where() -> None:
    result = iptviz.services(iptviz.load("fixtures/ways/reported/27-local-stale.rules"))
    web = next(row for row in rows(result) if row["SERVICE"] == "shop/web:http")
    assert web["REACHED"] == "load-balancer IP, node port not by outside"
    assert web["REMARKS"] == "outside at node port: DROP by filter KUBE-FIREWALL rule 1, line 105"
    same = rows(listed((YES,), (YES, NOT_BY_POD, NOT_BY_POD)))[1]
    assert same["REMARKS"] == "pod: DROP by the policy of filter FORWARD, line 7"


def test_of_two_causes_of_which_one_holds_both_are_told() -> None:
    (told,) = [
        fact.text
        for fact in facts(iptviz.services(iptviz.load("fixtures/ways/reported/27-local-stale.rules")))
        if "load-balancer IP" in fact.text
    ]
    assert told.endswith(
        "by outside clients: not DNATed when destination is not local to this node; "
        "otherwise DROP by filter KUBE-FIREWALL rule 1, line 105"
    )
