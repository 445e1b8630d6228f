"""The view of a packet's fate: how it is called, its cases, what is folded and what is said below."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.marks import UNKNOWN_MARK, Mark, Origin, known_mark
from iptviz.engine.outcome import Outcome
from iptviz.engine.packet import Packet
from iptviz.engine.path import MATCHED, MISSED, POLICY, Path, Step, joined
from iptviz.intake.remark import remark
from iptviz.questions.packet import PacketResult
from iptviz.rules.iptables import dump_rule
from iptviz.view.blocks import Facts, Heading, Tree
from iptviz.view.nodes import Fold, Spoken, TreeRow
from iptviz.view.packet import PATHS, packet_view
from iptviz.view.packet_labels import (
    asked_label,
    circumstances_label,
    fate_label,
    packet_cases,
    rewritten_labels,
    share_label,
)
from iptviz.view.packet_picture import packet_picture
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.view.blocks import Fact
    from iptviz.view.nodes import Node

FIXTURE = "fixtures/httpd-service/dump.rules"
SVC = "KUBE-SVC-X2P42VLQEZCHLPKZ"
INSIDE = Assumption(Condition("source-cidr", "10.244.0.0/16"), holds=True)
ASKED = Packet(
    "tcp", parse_network("10.97.13.198"), 79, source=parse_network("10.244.0.9"), in_interface="eth0"
)


def path(steps: Iterable[Step]) -> Path | None:
    """Return the way through `steps`."""
    way: Path | None = None
    for step in steps:
        way = joined(way, step)
    return way


class Stops:
    """Makes stops at rules of a dump."""

    def __init__(self, dump: iptviz.Dump, packet: Packet) -> None:
        self.dump = dump
        self.packet = packet

    def at(self, table: str, chain: str, number: int, effect: str = "", kind: str = MATCHED) -> Step:
        """Return the stop at rule `number` of a chain; 0 is its policy."""
        rule = self.dump.tables[table].chains[chain].rules[number - 1] if number else None
        effect = effect or (f"jump {rule.jump}" if rule else "ACCEPT")
        return Step(table, chain, rule, effect, self.packet, kind=kind if rule else POLICY)


def httpd(number: int, when: tuple[Assumption, ...], *, masquerade: bool, dump: iptviz.Dump) -> Outcome:
    """Return what becomes of a connection that gets endpoint `number` (from 1) of the httpd service."""
    stops = Stops(dump, ASKED)
    choice = stops.at("nat", SVC, number)
    sep = dump_rule(choice.rule).jump if choice.rule else None
    assert sep
    dnat = stops.at("nat", sep, 2)
    target = dump_rule(dnat.rule).target if dnat.rule else None
    address = target.value("--to-destination") if target else ""
    mark = [
        stops.at("nat", "KUBE-SERVICES", 9),
        stops.at("nat", "KUBE-MARK-MASQ", 1, "mark 0x4000/0x4000"),
    ]
    steps = [
        stops.at("nat", "PREROUTING", 1),
        *(mark if masquerade else []),
        stops.at("nat", "KUBE-SERVICES", 10),
        choice,
        dnat._replace(effect=f"DNAT to {address}"),
        stops.at("filter", "FORWARD", 1),
        stops.at("filter", "FORWARD", 0),
        stops.at("nat", "POSTROUTING", 1),
        stops.at("nat", "KUBE-POSTROUTING", 1, "MASQUERADE")
        if masquerade
        else stops.at("nat", "POSTROUTING", 0),
    ]
    packet = ASKED._replace(dnat=address)
    if masquerade:
        packet = packet._replace(snat="MASQUERADE", mark=UNKNOWN_MARK.set_xmark(0x4000, 0x4000))
    return Outcome("ACCEPT", Fraction(1, 4), when, "FORWARD", None, packet, path(steps), when)


def httpd_result() -> PacketResult:
    """Return the answer about the httpd service of the fixture, outside and otherwise inside the cluster."""
    dump = iptviz.load(FIXTURE)
    inside = [
        httpd(number, (INSIDE,), masquerade=False, dump=dump)._replace(first=()) for number in range(1, 5)
    ]
    outside = [httpd(number, (INSIDE.opposite(),), masquerade=True, dump=dump) for number in range(1, 5)]
    return PacketResult(
        dump, ASKED, "prerouting", (*outside, *inside), (remark("damaged", reason="A note."),), complete=True
    )


def one_case() -> PacketResult:
    """Return the answer inside the cluster alone."""
    result = httpd_result()
    inside = tuple(one._replace(when=()) for one in result.outcomes[4:])
    return result._replace(outcomes=inside, notes=())


def many(count: int = 200) -> PacketResult:
    """Return an answer with many outcomes of one case, which all begin alike."""
    result = one_case()
    first = result.outcomes[0]
    outcomes = tuple(
        first._replace(
            share=Fraction(1, count), packet=first.packet._replace(dnat=f"10.0.{i // 250}.{i % 250}:80")
        )
        for i in range(count)
    )
    return result._replace(outcomes=outcomes)


def refused() -> PacketResult:
    """Return an answer of which a part is rejected."""
    dump = iptviz.load("fixtures/httpd-no-endpoints/dump.rules")
    rule = next(
        rule
        for rules in dump.tables["filter"].chains.values()
        for rule in rules.rules
        if rule.target and rule.target.name == "REJECT"
    )
    step = Step("filter", rule.chain, rule, "REJECT", ASKED)
    outcome = Outcome("REJECT", Fraction(1), (), "", rule, ASKED, path([step]))
    return PacketResult(dump, ASKED, "output", (outcome,), (), complete=False)


def all_nodes(nodes: Iterable[Node]) -> list[Node]:
    """Return nodes and all below them."""
    return [one for node in nodes for one in (node, *all_nodes(node.children))]


def nodes_of(result: PacketResult, *, fold: bool = True) -> tuple[Node, ...]:
    """Return the first level of an answer's tree."""
    (tree,) = packet_view(result, fold=fold).of(Tree)
    return tree.nodes


def facts_of(result: PacketResult) -> tuple[Fact, ...]:
    """Return what is said above an answer's tree, and below it."""
    return tuple(fact for block in packet_view(result).of(Facts) for fact in block.facts)


def kinds(result: PacketResult, *wanted: str, fold: bool = True) -> list[Node]:
    """Return the nodes of these kinds."""
    return [node for node in all_nodes(nodes_of(result, fold=fold)) if node.kind in wanted]


def texts(nodes: Iterable[Node]) -> list[str]:
    """Return what nodes that are no rows say."""
    return [node.text for node in nodes if isinstance(node, Spoken)]


def cells(node: Node) -> tuple[str, ...]:
    """Return what the cells of a row say."""
    assert isinstance(node, TreeRow)
    return tuple(cell.text for cell in node.cells)


# --- what things are called ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packet", "text"),
    [
        (ASKED, "tcp packet from 10.244.0.9 to 10.97.13.198:79"),
        (Packet(), "packet from an unknown source to an unknown destination"),
        (Packet(source_port=9), "packet from an unknown source, port 9 to an unknown destination"),
        (
            Packet("udp", parse_network("fd00::1"), 53, source=parse_network("10.0.0.0/8")),
            "udp packet from 10.0.0.0/8 to [fd00::1]:53",
        ),
    ],
)
def test_a_packet_is_called_by_what_is_known(packet: Packet, text: str) -> None:
    assert asked_label(packet) == text


def test_the_circumstances_name_all_that_is_known() -> None:
    packet = ASKED._replace(
        mark=known_mark(0x10),
        tcp_flags=frozenset({"SYN", "ACK"}),
        ttl=64,
        owner=(0, None),
        out_interface="cni0",
    )
    assert circumstances_label(packet, "prerouting") == (
        "arrives at this node on eth0 (hook prerouting), leaves by cni0, connection state NEW, mark 0x10, "
        "TCP flags ACK,SYN, TTL 64, uid 0"
    )
    bare = Packet(state=None, tcp_flags=frozenset())
    assert circumstances_label(bare, "output") == "locally generated (hook output), TCP flags none"


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        (known_mark(0), "0x0"),
        (UNKNOWN_MARK, None),
        (UNKNOWN_MARK.set_xmark(0x4000, 0x4000), "0x4000/0x4000"),
        (UNKNOWN_MARK.set_xmark(0, 0x4000), "0x0/0x4000"),
        (UNKNOWN_MARK.set_xmark(1, 0), "mark ^ 0x1"),
        (Mark(Origin("connmark"), 0xFF, 0), "connmark & 0xff"),
    ],
)
def test_a_mark_is_written_as_iptables_does_where_that_says_it(mark: Mark, text: str | None) -> None:
    assert mark.label == text


@pytest.mark.parametrize(
    ("verdict", "route", "text"),
    [
        ("ACCEPT", "INPUT", "ACCEPT, delivered to this node"),
        ("ACCEPT", "FORWARD", "ACCEPT, forwarded"),
        ("ACCEPT", "OUTPUT", "ACCEPT, sent"),
        ("ACCEPT", "", "ACCEPT"),
        ("DROP", "INPUT", "DROP"),
        ("STOLEN", "", "STOLEN"),
    ],
)
def test_a_fate_is_the_verdict_and_where_the_packet_is(verdict: str, route: str, text: str) -> None:
    assert fate_label(Outcome(verdict, Fraction(1), (), route, None, ASKED, None)) == text


def test_a_refusal_says_how_and_by_which_line() -> None:
    (node,) = kinds(refused(), "refused")
    assert cells(node) == ("100 %", "REJECT with icmp-port-unreachable", "", "", "", "line 83")


def test_what_is_rewritten_is_told_and_what_is_as_before_is_not() -> None:
    outcome = httpd_result().outcomes[0]
    assert rewritten_labels(outcome, ASKED) == ("to 10.244.1.17:80", "masqueraded", "mark 0x4000/0x4000")
    assert rewritten_labels(outcome, outcome.packet)[2] == ""
    snat = outcome._replace(packet=ASKED._replace(snat="192.0.2.1"))
    assert rewritten_labels(snat, ASKED) == ("", "from 192.0.2.1", "")


# --- cases and ways ------------------------------------------------------------------------------------------


def test_outcomes_with_the_same_conditions_are_one_case() -> None:
    cases = packet_cases(httpd_result().outcomes)
    assert [(case.letter, case.when, len(case.outcomes)) for case in cases] == [
        ("A", ("source not in 10.244.0.0/16",), 4),
        ("B", ("otherwise",), 4),
    ]


def test_a_single_case_has_no_letter_and_no_heading_unless_it_has_conditions() -> None:
    assert kinds(one_case(), "case") == []
    result = httpd_result()
    (case,) = kinds(result._replace(outcomes=result.outcomes[:4]), "case")
    assert texts([case]) == ["when source not in 10.244.0.0/16"]


def test_the_first_way_is_shown_whole_with_number_line_effect_and_rule() -> None:
    first, *_ = kinds(one_case(), "accepted")
    assert [node.kind for node in first.children] == ["step"] * 8
    assert cells(first.children[3]) == (
        "nat",
        "KUBE-SEP-2ZFMABIBAPGHKA6E",
        "rule 2",
        "line 37",
        "DNAT to 10.244.1.17:80",
        "-p tcp -m tcp -j DNAT --to-destination 10.244.1.17:80",
    )
    assert cells(first.children[-1]) == ("nat", "POSTROUTING", "", "", "policy ACCEPT", "")


def test_later_ways_show_where_they_differ() -> None:
    _, second, *_ = kinds(one_case(), "accepted")
    told = [node.text if isinstance(node, Fold) else cells(node)[3] for node in second.children]
    assert told == [
        "same first 2 steps as above (through nat KUBE-SERVICES, line 67)",
        "line 77",
        "line 39",
        "same last 4 steps as above (from filter FORWARD, line 94)",
    ]


def test_unfolded_every_way_is_whole() -> None:
    outcomes = kinds(one_case(), "accepted", fold=False)
    assert [len(node.children) for node in outcomes] == [8] * 4
    assert kinds(many(), "fold", fold=False) == []
    assert len(kinds(many(), "accepted", fold=False)) == 200


def test_the_same_way_again_is_one_line() -> None:
    _, second, *_ = kinds(many(), "accepted")
    (node,) = second.children
    assert texts([node]) == ["same first 8 steps as above (through nat POSTROUTING, policy)"]


@pytest.mark.parametrize("count", [16, 17, 200])
def test_many_outcomes_are_folded_with_the_right_numbers(count: int) -> None:
    nodes = nodes_of(many(count))
    shown = [node for node in nodes if node.kind == "accepted"]
    assert len(shown) == (16 if count == 16 else 10)
    assert [bool(node.children) for node in shown] == [True] * 4 + [False] * (len(shown) - 4)
    told = texts(nodes)
    assert told[0] == f"{len(shown) - 4} more paths not shown (--all)"
    if count == 200:
        assert told[1] == "and 190 more, 0.50 % each, 95.00 % together (--all)"
    assert len(told) == (1 if count == 16 else 2)


def test_of_many_cases_not_every_way_is_shown() -> None:
    result = one_case()
    whens = [(Assumption(Condition("in-interface", f"eth{i}"), holds=True),) for i in range(10)]
    outcomes = tuple(
        outcome._replace(when=when, first=when, packet=outcome.packet._replace(snat=f"192.0.2.{i}"))
        for i, when in enumerate(whens)
        for outcome in result.outcomes
    )
    nodes = kinds(result._replace(outcomes=outcomes), "accepted")
    assert len(nodes) == 40
    assert sum(bool(node.children) for node in nodes) == PATHS


def test_rules_that_did_not_match_are_of_their_own_kind_and_long_runs_are_shortened() -> None:
    result = one_case()
    (first, *_) = result.outcomes
    stops = Stops(result.dumps[0], ASKED)
    missed = [stops.at("nat", "KUBE-SERVICES", 1, "destination", MISSED)] * 40
    outcome = first._replace(share=Fraction(1), path=path([*missed, stops.at("nat", "POSTROUTING", 0)]))
    result = result._replace(outcomes=(outcome,))
    assert len(kinds(result, "miss")) == 10
    assert texts(kinds(result, "fold")) == ["30 more rules that did not match (--all)"]
    assert len(kinds(result, "miss", fold=False)) == 40


def test_a_long_way_is_shortened_in_its_middle_and_one_cut_off_says_so() -> None:
    result = one_case()
    stops = Stops(result.dumps[0], ASKED)
    way = path([stops.at("nat", "POSTROUTING", 1)] * 2_500)
    outcome = result.outcomes[0]._replace(share=Fraction(1), path=way)
    result = result._replace(outcomes=(outcome,))
    assert len(kinds(result, "step")) == 10
    assert texts(kinds(result, "fold")) == [
        "1,990 more steps (--all)",
        "path too long: the rest is not shown",
    ]
    assert len(kinds(result, "step", fold=False)) == 2_000


# --- what is said below --------------------------------------------------------------------------------------


def test_the_facts_sum_up_each_case_and_name_all_conditions() -> None:
    facts = facts_of(httpd_result())
    assert [fact[:3] for fact in facts] == [
        (
            "Case A",
            "100 % ACCEPT, forwarded: to 4 destinations, masqueraded, by policy, when source not in 10.244.0.0/16",
            "good",
        ),
        (
            "Case B",
            "100 % ACCEPT, forwarded: to 4 destinations, by policy, otherwise",
            "good",
        ),
        ("Depends on", "whether source in 10.244.0.0/16", ""),
    ]


def test_cases_that_come_to_the_same_are_one_and_that_others_decide_is_said() -> None:
    rule, other = iptviz.load(FIXTURE).tables["nat"].chains["KUBE-SERVICES"].rules[:2]
    first = refused().outcomes[0]._replace(when=(INSIDE,), first=(INSIDE,), by=rule)
    tcp = Assumption(Condition("protocol", "tcp"), holds=True)
    (case,) = packet_cases((first, first._replace(when=(tcp,), first=(tcp,), by=other)))
    assert (case.letter, case.when) == ("", ("source in 10.244.0.0/16", "protocol is tcp"))
    assert not case.outcomes[0].certain


def test_cases_that_are_told_by_the_same_words_are_told_once() -> None:
    tcp, udp = (Assumption(Condition("protocol", name), holds=True) for name in ("tcp", "udp"))
    one = refused().outcomes[0]
    cases = [((INSIDE, tcp), (INSIDE,)), ((udp,), (udp,)), ((INSIDE, udp.opposite()), (INSIDE,))]
    (case,) = packet_cases(tuple(one._replace(when=when, first=first) for when, first in cases))
    assert case.when == ("source in 10.244.0.0/16", "protocol is udp")


def test_what_was_assumed_is_said() -> None:
    facts = facts_of(one_case()._replace(given=(INSIDE,)))
    assert ("Assumed", "source in 10.244.0.0/16") in [fact[:2] for fact in facts]


def test_what_no_dump_shows_is_assumed_once_and_is_no_case() -> None:
    unseen = Assumption(Condition("unseen-tables", "raw"), holds=True)
    one, other = httpd_result().outcomes[0], httpd_result().outcomes[-1]
    inside = one._replace(when=(unseen, INSIDE), first=(unseen, INSIDE))
    outside = other._replace(when=(unseen, INSIDE.opposite()), first=(unseen,))
    result = httpd_result()._replace(outcomes=(inside, outside))
    facts = [fact[:2] for fact in facts_of(result)]
    assert [case.when for case in packet_cases(result.outcomes)] == [
        ("source in 10.244.0.0/16",),
        ("otherwise",),
    ]
    assert facts[2] == ("Assumed", "tables not in the dump (raw) have no effect")
    assert ("Depends on", "whether source in 10.244.0.0/16") in facts


def test_an_incomplete_dump_and_a_refusal_are_said() -> None:
    assert "INCOMPLETE, see the notes" in packet_view(refused()).source
    assert [fact[:3] for fact in facts_of(refused())] == [
        ("Verdict", "100 % REJECT with icmp-port-unreachable: line 83", "bad"),
        ("Depends on", "what is missing in this dump (see the notes)", ""),
    ]


def within(least: Fraction, most: Fraction, count: int = 200) -> PacketResult:
    """Return an answer with many outcomes of which bounds are known."""
    result = many(count)
    outcomes = tuple(one._replace(share=least, at_most=most) for one in result.outcomes)
    return result._replace(outcomes=outcomes)


def test_a_fold_of_outcomes_with_bounds_tells_the_bounds_and_no_sum() -> None:
    folds = [node.text for node in nodes_of(within(Fraction(0), Fraction(1, 2))) if isinstance(node, Fold)]
    assert folds[-1] == "and 190 more, 0 % to 50.00 % each (--all)"


@pytest.mark.parametrize(("most", "text"), [(Fraction(1, 2), "0 % to 50.00 %"), (Fraction(0), "0 %")])
def test_bounds_that_meet_are_one_share(most: Fraction, text: str) -> None:
    assert share_label(within(Fraction(0), most, 1).outcomes[0]) == text


def test_the_picture_has_bounds_where_shares_are_not_known() -> None:
    picture = packet_picture(within(Fraction(0), Fraction(1, 2), 4))
    ends = [box.lines[-1] for box in picture.boxes if box.id.startswith("end/")]
    assert ends == ["0 % to 50.00 %"] * 4
    assert "0 % to 100 %" in {link.lines[-1] for link in picture.links}  # of four together no more than all


# --- the picture ---------------------------------------------------------------------------------------------


def test_the_picture_leads_from_the_packet_to_every_end() -> None:
    picture = packet_picture(httpd_result())
    ends = [box for box in picture.boxes if box.id.startswith("end/")]
    assert len(ends) == 8
    assert ends[0].lines[-1] == "A: 25.00 %"
    assert {link.tail for link in picture.links} | {link.head for link in picture.links} == {
        box.id for box in picture.boxes
    }
    (entry,) = [link for link in picture.links if link.tail == "packet"]
    assert entry.lines == ("A, B: 100 %",)


def test_many_ends_are_folded_into_one_box_and_shares_stay_whole() -> None:
    picture = packet_picture(many())
    (folded,) = [box for box in picture.boxes if box.kind == "fold"]
    assert folded.lines == ("190 more ends", "95.00 %", "(--all)")
    assert {link.lines[-1] for link in picture.links if link.head.startswith("nat/")} == {"100 %"}
    assert len(packet_picture(many(), fold=False).boxes) == 200 + 7


def test_a_chain_that_gave_the_packet_back_is_left_by_no_arrow() -> None:
    stops = Stops(iptviz.load(FIXTURE), ASKED)
    steps = [
        stops.at("nat", "PREROUTING", 1),
        stops.at("nat", "KUBE-SERVICES", 11),  # the jump to the node ports, of which none matches
        stops.at("nat", "PREROUTING", 0),
    ]
    way = Outcome("ACCEPT", Fraction(1), (), "INPUT", None, ASKED, path(steps), ())
    picture = packet_picture(one_case()._replace(outcomes=(way,)))
    assert [(link.tail, link.head) for link in picture.links] == [
        ("packet", "nat/PREROUTING"),
        ("nat/PREROUTING", "nat/KUBE-SERVICES"),
        ("nat/PREROUTING", "end/0"),
    ]


# --- the first lines ------------------------------------------------------------------------------------------


def lead_of(**asked: Any) -> list[tuple[str, str]]:
    dump = iptviz.load("fixtures/httpd-no-endpoints/dump.rules")
    heading, facts = packet_view(iptviz.packet(dump, dst="10.97.13.198", **asked)).lead
    assert isinstance(heading, Heading)
    assert isinstance(facts, Facts)
    return [(fact.label, fact.text) for fact in facts.facts]


FROM_POD = {"src": "10.244.0.9", "protocol": "tcp", "dport": 79, "mark": 0}
REFUSED = "100 % REJECT with icmp-port-unreachable: line 87"


def test_the_verdict_comes_first_with_the_line_that_decides() -> None:
    assert lead_of(**FROM_POD, local_ips=("192.168.1.10",)) == [("Verdict", REFUSED)]


def test_few_cases_are_told_with_their_conditions() -> None:
    missed = "not DNATed (10.97.13.198:79 is a service address: default/httpd-service)"
    when = "when destination is local to this node"
    accepted = f"100 % ACCEPT, delivered to this node, {missed}: by policy, {when}"
    assert lead_of(**FROM_POD) == [("Case A", accepted), ("Case B", f"{REFUSED}, otherwise")]


def test_many_cases_are_counted() -> None:
    assert lead_of() == [("Verdict", "depends on conditions: ACCEPT in 3 cases, REJECT in 2 cases")]
