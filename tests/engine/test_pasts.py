"""What nat may have made of a connection, told from one packet of it: tests/kernel/test_connections.py asks the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.checks.wording import text
from iptviz.engine.path import CONNECTION, steps_of
from iptviz.errors import PacketError
from iptviz.supplied.files import Supplied
from tests.engine.test_journey import WEB, ask, told

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.questions.packet import PacketResult

DNAT = "nat|-A PREROUTING -d 10.3.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.2.0.2:8080"
TWO = (
    "nat|-A PREROUTING -d 10.3.0.1/32 -p tcp -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.2.0.3:9090"
    f"\n{DNAT}"
)
MASQUERADE = "nat|-A POSTROUTING -o srv -j MASQUERADE"
DROPS = "filter|-A FORWARD -d 10.2.0.2/32 -j DROP"
ESTABLISHED: dict[str, Any] = {"ctstate": "ESTABLISHED", "tcp_flags": "ACK"}
SERVED = ESTABLISHED | {"dst": "10.3.0.1"}
REPLY = ESTABLISHED | {
    "src": "10.2.0.2",
    "sport": 8080,
    "dst": "10.1.0.2",
    "dport": 40000,
    "in_iface": "srv",
    "out_iface": None,
}
MASKED = REPLY | {"dst": "10.2.0.1"}


def cases(result: PacketResult) -> dict[str, str]:
    """Each case with what becomes of the packet, without its share, which is 1: nothing is left to chance."""
    return {when: fate.removeprefix("1 ") for when, fate in told(result).items()}


def test_the_first_packet_may_have_been_sent_to_each_target() -> None:
    assert cases(ask(f"{TWO}\n{DROPS}", **SERVED)) == {
        "the connection was DNATed to 10.2.0.2:8080": "DROP FORWARD to 10.2.0.2:8080",
        "the connection was DNATed to 10.2.0.3:9090": "ACCEPT FORWARD to 10.2.0.3:9090",
        "nat has not rewritten the connection": "ACCEPT FORWARD",
    }


def test_what_a_case_says_can_be_assumed() -> None:
    for assumed, verdict in (
        ("the connection was DNATed to 10.2.0.2:8080", "DROP"),
        ("the connection was DNATed to 10.2.0.3:9090", "ACCEPT"),
        ("nat has not rewritten the connection", "ACCEPT"),
    ):
        (outcome,) = ask(f"{TWO}\n{DROPS}", **SERVED, assume=(assumed,)).outcomes
        assert outcome.verdict == verdict, assumed


def test_what_was_sent_elsewhere_nat_has_rewritten() -> None:
    both = ("the connection was DNATed to 10.2.0.2:8080", "nat has not rewritten the connection")
    for assume in (both, both[::-1]):
        with pytest.raises(PacketError, match="contradicts"):
            ask(DNAT, **SERVED, assume=assume)


def test_of_another_target_nothing_is_known() -> None:
    with pytest.raises(PacketError, match="cannot follow the packet if the connection was DNATed to"):
        ask(DNAT, **SERVED, assume=("the connection was DNATed to 10.9.9.9:80",))


def test_a_reply_gets_back_the_address_that_the_client_asked_for() -> None:
    assert cases(ask(DNAT, **REPLY)) == {
        "the connection was DNATed to 10.2.0.2:8080": "ACCEPT FORWARD as 10.3.0.1:80",
        "nat has not rewritten the connection": "ACCEPT FORWARD",
    }


def test_a_source_that_is_not_known_may_be_a_target() -> None:
    assert cases(ask(DNAT, **(REPLY | {"src": None}))) == {
        "the connection was DNATed to the packet's source": "ACCEPT FORWARD as the address that the client asked for",
        "nat has not rewritten the connection": "ACCEPT FORWARD",
    }


def test_where_the_addresses_of_the_node_are_not_known_it_is_asked_of_the_target() -> None:
    found = cases(ask(DNAT, **SERVED, local_ips=()))
    assert found["the connection was DNATed to 10.2.0.2:8080 and 10.2.0.2 is local to this node"].startswith(
        "ACCEPT INPUT"
    )


def test_rules_of_nat_are_not_told_as_asked_in_vain() -> None:
    (one,) = ask(
        DNAT, **SERVED, explain=True, assume=("the connection was DNATed to 10.2.0.2:8080",)
    ).outcomes
    assert [(step.table, step.kind, step.rule) for step in steps_of(one.path)[0]] == [
        ("nat", CONNECTION, None)
    ]


def test_where_several_frontends_lead_there_it_is_one_of_them() -> None:
    other = DNAT.replace("10.3.0.1", "10.3.0.9")
    (one,) = ask(f"{DNAT}\n{other}", **REPLY, assume=("the connection was DNATed to 10.2.0.2:8080",)).outcomes
    assert one.packet.snat == "the address that the client asked for"


def test_a_frontend_is_found_through_chains() -> None:
    chains = """nat|:SVC -
        nat|:SEP -
        nat|-A PREROUTING -d 10.3.0.1/32 -p tcp -m tcp --dport 80 -j SVC
        nat|-A SVC -j SEP
        nat|-A SEP -p tcp -j DNAT --to-destination 10.2.0.2:8080"""
    (one,) = ask(chains, **REPLY, assume=("the connection was DNATed to 10.2.0.2:8080",)).outcomes
    assert one.packet.snat == "10.3.0.1:80"


def test_a_reply_to_an_address_of_this_node_may_be_for_somebody_whom_it_masquerades() -> None:
    found = cases(ask(f"{MASQUERADE}\nfilter|-A INPUT -j DROP", **MASKED))
    assert found.pop("nat has not rewritten the connection") == "DROP INPUT"
    assert set(found.values()) == {"DROP INPUT to the client", "ACCEPT FORWARD to the client"}
    assert all("the connection was SNATed to 10.2.0.1" in when for when in found)


def test_a_network_of_sources_may_have_been_given() -> None:
    mapped = "nat|-A POSTROUTING -o srv -j NETMAP --to 10.9.0.0/24"
    assert "the connection was SNATed to 10.9.0.2" in " ".join(
        cases(ask(mapped, **(REPLY | {"dst": "10.9.0.2"})))
    )


@pytest.mark.parametrize(
    "rule",
    [
        "nat|-A POSTROUTING -o cli -j MASQUERADE",  # the connection left by srv
        "nat|-A POSTROUTING -d 10.2.0.9/32 -j MASQUERADE",  # it went to somebody else
        "nat|-A POSTROUTING -p udp -j MASQUERADE",
        "nat|-A POSTROUTING -j SNAT --to-source 10.2.0.7",  # which is not where the reply goes
    ],
)
def test_rules_that_cannot_have_met_the_connection_have_not_rewritten_it(rule: str) -> None:
    assert cases(ask(rule, **MASKED)) == {"nat has not rewritten the connection": "ACCEPT INPUT"}


def test_what_is_masqueraded_is_so_where_it_leaves_alone() -> None:
    assert cases(ask(f"{DNAT}\n{MASQUERADE}", **SERVED)) == {
        "the connection was DNATed to 10.2.0.2:8080": "ACCEPT FORWARD to 10.2.0.2:8080 as MASQUERADE",
        "nat has not rewritten the connection": "ACCEPT FORWARD",
    }
    assert cases(ask(MASQUERADE, **SERVED)) == {
        "the connection was masqueraded": "ACCEPT FORWARD as MASQUERADE",
        "nat has not rewritten the connection": "ACCEPT FORWARD",
    }


def test_statuses_are_those_of_the_connection() -> None:
    rules = f"""{DNAT}
        filter|-A FORWARD -m conntrack --ctstate NEW -j ACCEPT
        filter|-A FORWARD -m conntrack --ctstate SNAT -j DROP
        filter|-A FORWARD -m conntrack --ctstate DNAT -j REJECT
        filter|-A FORWARD -m conntrack ! --ctstatus SEEN_REPLY -j DROP"""
    assert cases(ask(rules, **SERVED)) == {
        "the connection was DNATed to 10.2.0.2:8080": "REJECT FORWARD to 10.2.0.2:8080",
        "nat has not rewritten the connection": "ACCEPT FORWARD",
    }
    assured = "packet matches -m conntrack --ctstatus ASSURED"
    assert cases(ask(rules.replace("SEEN_REPLY", "ASSURED"), **SERVED)) == {
        "the connection was DNATed to 10.2.0.2:8080": "REJECT FORWARD to 10.2.0.2:8080",
        f"nat has not rewritten the connection and {assured}": "ACCEPT FORWARD",
        f"nat has not rewritten the connection and {assured.replace('matches', 'does not match')}": "DROP FORWARD",
    }


def test_the_tuple_of_the_first_packet_stays() -> None:
    rules = (
        f"{DNAT}\nfilter|-A FORWARD -m conntrack --ctorigdst 10.3.0.1 -m conntrack --ctorigdstport 80 -j DROP"
    )
    was = ("the connection was DNATed to 10.2.0.2:8080",)
    for about in (SERVED, REPLY):
        (one,) = ask(rules, **about, assume=was).outcomes
        assert one.verdict == "DROP"


def test_what_is_not_tracked_is_not_rewritten() -> None:
    (one,) = ask(f"{DNAT}\nraw|-A PREROUTING -j NOTRACK", **SERVED).outcomes
    assert (one.when, one.packet.dnat) == ((), None)


@pytest.mark.parametrize(
    "about", [{"dst": None}, {"protocol": None, "dport": None, "sport": None, "tcp_flags": None}]
)
def test_of_a_packet_that_is_told_loosely_no_target_is_told(about: dict[str, Any]) -> None:
    result = ask(DNAT, **(SERVED | about))
    kinds = {need.condition.kind for outcome in result.outcomes for need in outcome.when}
    assert "rewriting" in kinds
    assert "dnat" not in kinds


def test_of_many_targets_none_is_told() -> None:
    many = "\n".join(
        f"nat|-A PREROUTING -p tcp -m statistic --mode random --probability 0.01 -j DNAT --to-destination 10.4.0.{number}"
        for number in range(1, 80)
    )
    assert cases(ask(many, **SERVED)) == {"nat has not rewritten the connection": "ACCEPT FORWARD"}


# --- related packets -------------------------------------------------------------------------------------------------


def test_nat_is_asked_about_a_connection_that_was_expected() -> None:
    rules = f"""{DNAT}
        filter|-A FORWARD -m conntrack --ctstate RELATED -m conntrack --ctstatus EXPECTED -d 10.2.0.2/32 -j DROP"""
    (one,) = ask(rules, dst="10.3.0.1", ctstate="RELATED").outcomes
    assert [need.text for need in one.when] == ["no NAT helper has rewritten the connection"]
    assert (one.verdict, one.packet.dnat) == ("DROP", "10.2.0.2:8080")


def test_nat_is_not_asked_about_an_error() -> None:
    error = {
        "src": "10.2.0.2", "dst": "10.1.0.2", "protocol": "icmp", "icmp_type": "3/3", "sport": None, "dport": None,
        "tcp_flags": None, "ctstate": "RELATED",
    }  # fmt: skip
    assert cases(ask(DNAT, **error)) == {
        "the connection was DNATed to 10.2.0.2": "ACCEPT FORWARD as 10.3.0.1",
        "nat has not rewritten the connection": "ACCEPT FORWARD",
    }


def test_a_related_packet_of_unknown_protocol_may_be_either() -> None:
    about = {
        "dst": "10.3.0.1",
        "protocol": None,
        "sport": None,
        "dport": None,
        "tcp_flags": None,
        "ctstate": "RELATED",
    }
    found = cases(ask("nat|-A PREROUTING -d 10.3.0.1/32 -j DNAT --to-destination 10.2.0.2", **about))
    assert {fate for when, fate in found.items() if "protocol is not icmp" in when} == {
        "ACCEPT FORWARD to 10.2.0.2"
    }


# --- a list of connections -------------------------------------------------------------------------------------------

LISTED = (
    "tcp 6 99 ESTABLISHED src=10.1.0.2 dst=10.3.0.1 sport=40000 dport=80 src=10.2.0.3 dst=10.2.0.1 sport=9090 dport=40000 "
    "[ASSURED] mark=5 use=1\n"
    "tcp 6 99 SYN_SENT src=10.1.0.2 dst=10.3.0.1 sport=40001 dport=80 [UNREPLIED] src=10.2.0.2 dst=10.1.0.2 sport=8080 "
    "dport=40001 mark=0 use=1\n"
    "tcp 6 99 ESTABLISHED src=10.1.0.2 dst=10.3.0.1 sport=40002 dport=80 src=10.2.0.4 dst=10.1.0.2 sport=80 dport=40002 "
    "[ASSURED] mark=0 zone=3 use=1\n"
)
LIST = Supplied(LISTED, "connections")


def test_a_list_settles_what_nat_makes_of_a_packet() -> None:
    rules = f"{TWO}\nfilter|-A FORWARD -m connmark --mark 0x5 -m conntrack --ctstatus ASSURED -d 10.2.0.3/32 -j DROP"
    for about in (SERVED, SERVED | {"ctstate": "NEW"}):
        result = ask(rules, **about, conntrack=LIST)
        (one,) = result.outcomes
        assert (one.verdict, one.when, one.packet.dnat) == ("DROP", (), "10.2.0.3:9090")
        assert result.asked.state == "ESTABLISHED"


def test_a_list_tells_both_tuples() -> None:
    rules = """filter|-A FORWARD -m conntrack --ctreplsrc 10.2.0.3 -m conntrack --ctreplsrcport 9090 -j DROP
        filter|-A FORWARD -m conntrack ! --ctrepldst 10.2.0.1 -j REJECT"""
    (one,) = ask(f"{DNAT}\n{rules}", **SERVED, conntrack=LIST).outcomes
    assert (one.verdict, one.when) == ("DROP", ())


def test_a_reply_is_found_in_a_list() -> None:
    about = REPLY | {"src": "10.2.0.3", "sport": 9090, "dst": "10.2.0.1"}
    (one,) = ask(f"{TWO}\nfilter|-A INPUT -j DROP", **about, conntrack=LIST).outcomes
    assert (one.verdict, one.when, one.route, one.packet.dnat, one.packet.snat) == (
        "ACCEPT", (), "FORWARD", "10.1.0.2:40000", "10.3.0.1:80")  # fmt: skip


def test_what_has_no_answer_yet_is_new_and_nat_is_not_asked_again() -> None:
    rules = f"{TWO}\nfilter|-A FORWARD -m conntrack --ctstate NEW -m conntrack --ctstatus CONFIRMED -j DROP"
    (one,) = ask(rules, dst="10.3.0.1", sport=40001, conntrack=LIST).outcomes
    assert one.share == 1
    assert (one.verdict, one.packet.dnat) == ("DROP", "10.2.0.2:8080")
    (back,) = ask(rules, **(REPLY | {"dport": 40001}), conntrack=LIST).outcomes
    assert (back.verdict, back.packet.snat) == ("ACCEPT", "10.3.0.1:80")


def test_an_expected_connection_that_is_listed_has_begun() -> None:
    (one,) = ask(TWO, dst="10.3.0.1", sport=40001, ctstate="RELATED", conntrack=LIST).outcomes
    assert (one.when, one.packet.dnat, one.packet.state) == ((), "10.2.0.2:8080", "RELATED")


def test_a_connection_of_another_zone_is_another() -> None:
    about = SERVED | {"sport": 40002}
    with pytest.raises(PacketError, match="no tracked connection"):
        ask(TWO, **about, conntrack=LIST)
    (one,) = ask(f"{TWO}\nraw|-A PREROUTING -j CT --zone 3", **about, conntrack=LIST).outcomes
    assert one.packet.dnat == "10.2.0.4:80"


def test_what_is_not_listed_is_new_or_not_established() -> None:
    about = {"dst": "10.3.0.1", "sport": 5}
    assert sum(one.share for one in ask(TWO, **about, conntrack=LIST).outcomes) == 1
    with pytest.raises(PacketError, match="it is not ESTABLISHED"):
        ask(TWO, **(SERVED | about), conntrack=LIST)


@pytest.mark.parametrize(
    "text", [LISTED[:-40], f"{LISTED}conntrack v1.4.7 (conntrack-tools): 9 flow entries have been shown.\n"]
)
def test_what_is_not_listed_may_have_been_cut_off(text: str) -> None:
    result = ask(DNAT, **(SERVED | {"sport": 5}), conntrack=Supplied(text, "connections"))
    assert {need.condition.kind for one in result.outcomes for need in one.when} == {"dnat", "rewriting"}
    assert not [note for note in result.notes if note.id == "narrowed-by" and "--conntrack" in str(note)]


def test_a_syn_begins_another_connection_where_one_is_over() -> None:
    over = Supplied(LISTED.replace("99 ESTABLISHED", "99 TIME_WAIT"), "connections")
    for about in ({"tcp_flags": "SYN"}, {"tcp_flags": None}):
        result = ask(DNAT, dst="10.3.0.1", **about, conntrack=over)
        assert [one.packet.dnat for one in result.outcomes] == ["10.2.0.2:8080"]
        assert "connection-over" in {note.id for note in result.notes}
    (last,) = ask(DNAT, dst="10.3.0.1", tcp_flags="ACK", conntrack=over).outcomes
    assert last.packet.dnat == "10.2.0.3:9090"


# --- flags of TCP in a listed connection: the kernel judges them in tests/kernel/test_connections.py --------------------

IN_ITS_STATE = {
    # state in the list, way, flags: the state of the packet, and where it goes or as whom it appears
    ("SYN_SENT", "there", "ACK"): ("INVALID", None),
    ("SYN_SENT", "there", "RST"): ("NEW", "10.2.0.3:9090"),
    ("SYN_SENT", "back", "FIN,ACK"): ("INVALID", None),
    ("SYN_SENT", "back", "SYN,ACK"): ("ESTABLISHED", "10.3.0.1:80"),
    ("SYN_RECV", "back", "SYN"): ("INVALID", None),
    ("ESTABLISHED", "there", "SYN,ACK"): ("INVALID", None),
    ("ESTABLISHED", "there", "SYN"): ("ESTABLISHED", "10.2.0.3:9090"),
    ("ESTABLISHED", "there", "FIN"): ("INVALID", None),
    ("ESTABLISHED", "there", "PSH,ACK"): ("ESTABLISHED", "10.2.0.3:9090"),
    ("ESTABLISHED", "back", "SYN"): ("INVALID", None),
    ("ESTABLISHED", "back", "SYN,FIN"): ("INVALID", None),
    ("LAST_ACK", "there", "SYN,ACK"): ("INVALID", None),
    ("TIME_WAIT", "there", "SYN"): ("NEW", "10.2.0.2:8080"),
    ("TIME_WAIT", "there", "SYN,ACK"): ("INVALID", None),
    ("TIME_WAIT", "back", "SYN"): ("NEW", None),
    ("CLOSE", "back", "SYN"): ("INVALID", None),
    ("CLOSE", "back", "RST,ACK"): ("ESTABLISHED", "10.3.0.1:80"),
}  # fmt: skip


def in_state(state: str) -> Supplied:
    """The first connection of the list in a state; what was never answered says so."""
    first = LISTED.splitlines()[0].replace("ESTABLISHED", state)
    unanswered = first.replace(" src=10.2.0.3", " [UNREPLIED] src=10.2.0.3")
    return Supplied(f"{unanswered if state == 'SYN_SENT' else first}\n", "connections")


@pytest.mark.parametrize("ctstate", ["NEW", "ESTABLISHED"])
@pytest.mark.parametrize(("case", "answer"), IN_ITS_STATE.items(), ids=map(" ".join, IN_ITS_STATE))
def test_flags_belong_to_a_listed_connection_or_not(
    case: tuple[str, str, str], answer: tuple[str, str | None], ctstate: str
) -> None:
    state, way, flags = case
    back = REPLY | {"src": "10.2.0.3", "sport": 9090, "dst": "10.2.0.1"}
    about = ({"dst": "10.3.0.1"} if way == "there" else back) | {"tcp_flags": flags, "ctstate": ctstate}
    result = ask(DNAT, **about, conntrack=in_state(state))
    (one,) = result.outcomes
    assert (result.asked.state, one.when) == (answer[0], ())
    assert (one.packet.dnat if way == "there" else one.packet.snat) == answer[1]
    said = [text(note) for note in result.notes if note.id.startswith("connection-")]
    overruled = ctstate == "ESTABLISHED" != answer[0]
    assert [", not ESTABLISHED as --ctstate says" in text for text in said] == [overruled]
    assert "begins-no-connection" not in {note.id for note in result.notes}


def test_who_reset_a_connection_tells_whether_a_syn_begins_another() -> None:
    for flags in ("SYN", None):
        result = ask(DNAT, dst="10.3.0.1", tcp_flags=flags, conntrack=in_state("CLOSE"))
        assert cases(result) == {
            "connection state is NEW": "ACCEPT FORWARD to 10.2.0.2:8080",
            "connection state is not NEW": "ACCEPT FORWARD to 10.2.0.3:9090 as 10.2.0.1",
        }
        assert not [note for note in result.notes if note.id == "narrowed-by" and "--ctstate" in text(note)]
    (one,) = ask(DNAT, **SERVED | {"tcp_flags": "SYN"}, conntrack=in_state("CLOSE")).outcomes
    assert (one.packet.state, one.packet.dnat) == ("ESTABLISHED", "10.2.0.3:9090")


@pytest.mark.parametrize(
    ("assumed", "is_so"),
    [
        ("the connection was DNATed to 10.2.0.3:9090", True),
        ("the connection was DNATed to 10.2.0.2:8080", False),
        ("the connection was not DNATed to 10.2.0.2:8080", True),
        ("the connection was not DNATed to 10.2.0.3:9090", False),
        ("the connection was SNATed to 10.2.0.1", True),
        ("the connection was masqueraded", True),
        ("the connection was SNATed to 10.2.0.9", False),
        ("packet is a reply", False),
        ("packet is not a reply", True),
        ("nat has not rewritten the connection", False),
        ("nat has rewritten the connection", True),
    ],
)
def test_what_a_list_settles_is_not_assumed_otherwise(assumed: str, is_so: bool) -> None:
    if is_so:
        (one,) = ask(TWO, **SERVED, conntrack=LIST, assume=(assumed,)).outcomes
        assert one.packet.dnat == "10.2.0.3:9090"
        return
    with pytest.raises(PacketError, match="contradicts"):
        ask(TWO, **SERVED, conntrack=LIST, assume=(assumed,))


@pytest.mark.parametrize("ports", ["", "sport=0 dport=0 "])
def test_a_list_tells_no_ports_of_what_is_tracked_without(ports: str) -> None:
    entry = f"unknown 33 9 src=10.1.0.2 dst=10.2.0.2 {ports}src=10.2.0.2 dst=10.1.0.2 {ports}mark=0 use=1\n"
    about = {"src": "10.1.0.2", "dst": "10.2.0.2", "protocol": "dccp", "sport": 40000, "dport": 80}
    result = ask(
        DNAT, **about, tcp_flags=None, ctstate="ESTABLISHED", conntrack=Supplied(entry, "connections")
    )
    assert "connection-found" in {note.id for note in result.notes}


def test_only_ports_that_a_protocol_has_are_asked_for() -> None:
    entry = "gre 47 9 src=10.1.0.2 dst=10.2.0.2 srckey=0x0 dstkey=0x{0} [UNREPLIED] src=10.2.0.2 dst=10.1.0.{0} srckey=0x{0} dstkey=0x0 mark=0 use=1\n"
    both = Supplied(entry.format(5) + entry.format(6), "connections")
    gre = {"src": None, "dst": "10.2.0.2", "protocol": "gre", "sport": None, "dport": None, "tcp_flags": None}
    (said,) = [
        text(note)
        for note in ask(DNAT, **gre, ctstate="ESTABLISHED", conntrack=both).notes
        if note.id == "connections-match"
    ]
    assert said == "the packet may be of 2 tracked connections; pass --src to tell which"


def test_several_connections_that_fit_are_cases() -> None:
    both = LISTED.replace("[UNREPLIED] ", "").replace("SYN_SENT", "ESTABLISHED")
    result = ask(f"{TWO}\n{DROPS}", **(SERVED | {"sport": None}), conntrack=Supplied(both, "connections"))
    assert {one.verdict: one.packet.dnat for one in result.outcomes} == {
        "DROP": "10.2.0.2:8080",
        "ACCEPT": "10.2.0.3:9090",
    }
    assert "connections-match" in {note.id for note in result.notes}


def test_an_error_is_of_a_connection_of_the_list() -> None:
    error = {
        "src": "10.2.0.9", "dst": "10.2.0.1", "protocol": "icmp", "icmp_type": "11/0", "sport": None, "dport": None,
        "tcp_flags": None, "ctstate": "RELATED", "in_iface": "srv",
    }  # fmt: skip
    (one,) = ask(f"{TWO}\n{MASQUERADE}", **error, conntrack=LIST).outcomes
    assert (one.when, one.route, one.packet.dnat, one.packet.snat) == ((), "FORWARD", "10.1.0.2", "10.3.0.1")


def test_an_error_may_be_of_several_connections() -> None:
    both = LISTED.replace("dst=10.3.0.1 sport=40001", "dst=10.3.0.7 sport=40001").replace(
        "src=10.2.0.2", "src=10.2.0.3"
    )
    both = both.replace("sport=8080", "sport=9090").replace(
        "dst=10.1.0.2 sport=9090", "dst=10.2.0.1 sport=9090"
    )
    error = {
        "src": "10.2.0.9", "dst": "10.2.0.1", "protocol": "icmp", "icmp_type": "11/0", "sport": None, "dport": None,
        "tcp_flags": None, "ctstate": "RELATED", "in_iface": "srv",
    }  # fmt: skip
    (one,) = ask(f"{TWO}\n{MASQUERADE}", **error, conntrack=Supplied(both, "connections")).outcomes
    assert (one.packet.dnat, one.packet.snat) == ("10.1.0.2", "the address that the client asked for")
    other = both.replace("src=10.1.0.2 dst=10.3.0.7", "src=10.1.0.9 dst=10.3.0.7")
    result = ask(f"{TWO}\n{MASQUERADE}", **error, conntrack=Supplied(other, "connections"))
    assert "connections-match" in {note.id for note in result.notes}
    assert "the client" in {one.packet.dnat for one in result.outcomes}


def test_what_this_node_masquerades_of_its_own_alone() -> None:
    owned = "nat|-A POSTROUTING -m owner --uid-owner 0 -j MASQUERADE"
    assert "the connection was SNATed to 10.2.0.1" in " ".join(cases(ask(owned, **MASKED)))


def test_lists_of_a_bundle_are_used(tmp_path: Path) -> None:
    (tmp_path / "iptables-save.txt").write_text(
        "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 10.3.0.1/32 -p tcp -j DNAT --to-destination 10.2.0.2:8080\nCOMMIT\n"
    )
    (tmp_path / "conntrack.txt").write_text(LISTED)
    about: dict[str, Any] = WEB | {"dst": "10.3.0.1"}
    result = iptviz.packet(iptviz.load_node(str(tmp_path)), **about)
    assert {one.packet.dnat for one in result.outcomes} == {"10.2.0.3:9090"}
