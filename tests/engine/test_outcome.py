"""What is told of several packets at once is so of each of them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.checks.wording import sentences
from iptviz.engine.condition import clauses
from iptviz.errors import PacketError
from iptviz.view.packet_labels import packet_cases
from tests.engine.test_journey import ask

if TYPE_CHECKING:
    from iptviz import PacketResult

MARKED = """
    mangle|-A FORWARD -s 10.0.0.0/8 -j MARK --set-mark 1
    mangle|-A FORWARD -m mark --mark 0x2 -j DROP
"""
HALF = "-m statistic --mode random --probability 0.5"
TWO_TARGETS = f"""
    nat|-A PREROUTING -d 10.96.0.10/32 {HALF} -j DNAT --to-destination 10.244.0.1
    nat|-A PREROUTING -d 10.96.0.10/32 -j DNAT --to-destination 192.168.1.10
"""
MIXED = "if some DNAT targets are local to this node and others are not"
OURS = {"local_ips": ("192.168.1.10",)}


UNKNOWN: dict[str, Any] = {
    "tcp_flags": None,
    "src": None, "in_iface": None, "out_iface": None, "local_ips": (), "mark": None, "protocol": None, "dport": None,
}  # fmt: skip


def answer(rules: str, **about: Any) -> PacketResult:
    return ask(rules, **UNKNOWN | about)


def test_a_mark_that_some_packets_of_a_case_have_is_not_told_of_all() -> None:
    _, *others = answer(MARKED, dst="11.0.0.1", **OURS).outcomes
    assert {outcome.first for outcome in others} == {()}
    assert {outcome.packet.mark.label for outcome in others} == {None}


def test_a_mark_that_all_packets_of_a_case_have_is_told() -> None:
    (outcome,) = answer(MARKED, src="10.0.0.1", dst="11.0.0.1", **OURS).outcomes
    assert outcome.packet.mark.text == "0x1"


def test_of_cases_that_are_told_as_one_the_way_names_its_own_clients() -> None:
    _, otherwise = packet_cases(answer(MARKED, dst="11.0.0.1", **OURS).outcomes)
    assert [clauses(outcome.client) for outcome in otherwise.outcomes] == ["source in 10.0.0.0/8"]


def test_dnat_targets_are_told_to_be_all_local_or_none_and_that_it_may_be_otherwise() -> None:
    result = answer(TWO_TARGETS, dst="10.96.0.10")
    first, second = packet_cases(result.outcomes)
    assert first.when == ("each DNAT target is local to this node",)
    assert second.when == ("each DNAT target is not local to this node",)
    assert any(text.startswith(MIXED) for text in sentences(result.notes))


def test_which_dnat_targets_are_local_is_not_asked_where_addresses_are_known() -> None:
    result = answer(TWO_TARGETS, dst="10.96.0.10", **OURS)
    assert {(outcome.route, outcome.packet.dnat, outcome.share) for outcome in result.outcomes} == {
        ("FORWARD", "10.244.0.1", Fraction(1, 2)),
        ("INPUT", "192.168.1.10", Fraction(1, 2)),
    }
    assert not any(text.startswith(MIXED) for text in sentences(result.notes))


def test_a_time_to_live_that_a_rule_lowers_may_not_suffice() -> None:
    rules = "mangle|-A PREROUTING -j TTL --ttl-dec 64"
    ways = {
        (clauses(outcome.when), outcome.verdict)
        for outcome in answer(rules, dst="11.0.0.1", ttl=None, **OURS).outcomes
    }
    assert ways == {
        ("time to live is 0:1 (as line 2 left it)", "DROP"),
        ("time to live is not 0:1 (as line 2 left it)", "ACCEPT"),
    }
    (kept,) = answer(rules, dst="11.0.0.1", ttl=66, **OURS).outcomes
    (expired,) = answer(rules, dst="11.0.0.1", ttl=65, **OURS).outcomes
    assert (kept.verdict, expired.verdict) == ("ACCEPT", "DROP")


def test_that_unseen_tables_do_nothing_is_said_where_the_other_case_is_not_told() -> None:
    listing = "Chain PREROUTING (policy ACCEPT)\ntarget     prot opt source               destination\n"
    (outcome,) = iptviz.packet(
        iptviz.load(listing.encode()), dst="11.0.0.1", local_ips=OURS["local_ips"]
    ).outcomes
    assert [need.condition.kind for need in outcome.first] == ["unseen-tables"]


def verdicts(rules: str, *assume: str) -> set[str]:
    return {outcome.verdict for outcome in answer(rules, dst="192.168.1.10", assume=assume, **OURS).outcomes}


COUNTED = """
    filter|-A INPUT -m recent --name L --rcheck --hitcount 2 -j ACCEPT
    filter|-A INPUT -m recent --name L --set
    filter|-A INPUT -m recent --name L --rcheck --hitcount 2 -j DROP
"""


def test_a_rule_between_may_have_counted_an_address_once_more() -> None:
    # Linux 6: of packets of one source, the second is dropped.
    assert verdicts(COUNTED) == {"ACCEPT", "DROP"}
    first, second = (f"in the recent list L (--hitcount 2) at line {line}" for line in (2, 4))
    assert verdicts(COUNTED, f"source is not {first}", f"source is {second}") == {"DROP"}


def test_an_address_that_a_rule_took_off_a_list_is_not_known_to_be_there() -> None:
    rules = """
        filter|-A INPUT -m recent --name L --set
        filter|-A INPUT -m recent --name L --remove
        filter|-A INPUT -m recent --name L --rcheck -j DROP
    """
    assert "ACCEPT" in verdicts(rules)  # as Linux 6 does
    assert verdicts(rules.replace("--remove", "--update")) == {"DROP"}


def test_which_rule_asks_is_to_be_said_where_several_do() -> None:
    once = "filter|-A INPUT -m limit --limit 3/hour -j DROP\n"
    assert verdicts(once, "limit 3/hour is not exceeded") == {"DROP"}
    twice = f"{once}filter|-A INPUT -p udp -m limit --limit 3/hour -j DROP\n"
    with pytest.raises(PacketError, match="does not name its rule, and several conditions"):
        verdicts(twice, "limit 3/hour is not exceeded")
    with pytest.raises(PacketError, match="no condition of the answer matches"):
        verdicts(once, "limit 9/hour is not exceeded")


def test_one_dnat_target_is_local_or_not() -> None:
    rules = TWO_TARGETS.replace(HALF, "")
    result = answer(rules, dst="10.96.0.10")
    assert {outcome.route for outcome in result.outcomes} == {"INPUT", "FORWARD"}
    assert not any(text.startswith(MIXED) for text in sentences(result.notes))


# --- who decides, where the same comes to all --------------------------------------------------------------------

TWO = "filter|-A FORWARD -s 10.0.0.5/32 -j {0}\nfilter|-A FORWARD -s 10.0.0.6/32 -j {0}\n"
OTHERS = "source not in 10.0.0.5/32,10.0.0.6/32"


def deciders(rules: str) -> list[tuple[str, object, str, bool]]:
    """The verdict of each outcome, the line of the rule that decided, of which clients, and whether of all."""
    outcomes = answer(rules, dst="11.0.0.1", **OURS).outcomes
    return [(one.verdict, one.by and one.by.line, clauses(one.client), one.certain) for one in outcomes]


def test_rules_that_drop_some_where_a_policy_or_another_rule_drops_the_rest_are_not_told_as_one() -> None:
    assert deciders(TWO.format("DROP") + "filter|:FORWARD DROP") == [("DROP", None, OTHERS, False)]
    assert deciders(TWO.format("DROP") + "filter|-A FORWARD -j DROP") == [("DROP", 4, OTHERS, False)]
    (rejected, dropped) = deciders(TWO.format("REJECT") + "filter|-A FORWARD -j DROP")
    assert (rejected[0], rejected[3], dropped) == ("REJECT", False, ("DROP", 4, "always", True))


def test_of_what_is_accepted_that_a_policy_let_it_on_is_told_of_all_or_of_some() -> None:
    by_policy = "filter|:FORWARD ACCEPT"
    assert deciders(TWO.format("ACCEPT") + by_policy) == [("ACCEPT", None, OTHERS, False)]
    later = "mangle|:POSTROUTING ACCEPT\nmangle|-A POSTROUTING -d 10.9.9.9/32 -j DROP"
    assert deciders(f"{TWO.format('ACCEPT')}{by_policy}\n{later}") == [("ACCEPT", None, OTHERS, True)]


def test_one_rule_that_decides_for_all_of_a_case_is_certain_whatever_else_is_not_known() -> None:
    rules = """
        filter|-A FORWARD -s 10.0.0.5/32 -j MARK --set-mark 1
        filter|-A FORWARD -j DROP
    """
    assert [told[2:] for told in deciders(rules)] == [
        ("source not in 10.0.0.5/32", True)
    ]  # the path is theirs


def test_rules_that_chance_decides_between_are_told_apart_and_certain() -> None:
    rules = f"filter|-A FORWARD {HALF} -j DROP\nfilter|-A FORWARD -j DROP"
    assert [(verdict, certain) for verdict, _, _, certain in deciders(rules)] == [("DROP", True)] * 2
