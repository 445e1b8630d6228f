"""The JSON `iptviz.packet.v1`: exactly the shape of the contract, with the fields added to it."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from iptviz.engine.marks import known_mark
from iptviz.engine.packet import Packet
from iptviz.questions.packet_values import address_text, icmp_text
from iptviz.xtables.address import Network, parse_network
from tests.view.test_packet import ASKED, FIXTURE, INSIDE, httpd_result, many, refused


def document(result: Any) -> Any:
    """Return the document as a reader of the JSON has it."""
    return json.loads(json.dumps(result.to_dict(), allow_nan=False))


CONDITION = {
    "text": "source not in 10.244.0.0/16",
    "kind": "source-cidr",
    "value": "10.244.0.0/16",
    "values": ["10.244.0.0/16"],
    "since": None,
    "holds": False,
}
DUMP = {
    "source": FIXTURE,
    "family": "ipv4",
    "tool": "iptables-save v1.8.9",
    "tables": ["nat", "filter"],
    "rules": 63,
    "backend": "legacy",
    "mode": "iptables",
    "complete": True,
}
PACKET = {
    "src": "10.244.0.9",
    "dst": "10.97.13.198",
    "protocol": "tcp",
    "sport": None,
    "dport": 79,
    "hook": "prerouting",
    "in": "eth0",
    "out": None,
    "ctstate": "NEW",
    "mark": None,
    "tcp_flags": None,
    "icmp_type": None,
    "length": None,
    "ttl": None,
    "tos": None,
    "mac": None,
    "uid": None,
    "gid": None,
}


def test_the_document_is_that_of_the_contract() -> None:
    found = document(httpd_result())
    outcomes = found.pop("outcomes")
    assert found == {
        "schema": "iptviz.packet.v1",
        "dump": DUMP,
        "packet": PACKET,
        "assumed": [],
        "notes": ["A note."],
        "findings": [],
    }
    path = outcomes[0].pop("path")
    assert outcomes[0] == {
        "verdict": "ACCEPT",
        "probability": 0.25,
        "exact": "1/4",
        "when": [CONDITION],
        "first": [CONDITION],
        "path_of": [],
        "route": "FORWARD",
        "line": None,
        "text": None,
        "dnat": "10.244.1.17:80",
        "snat": "MASQUERADE",
        "mark": "mark | 0x4000",
        "mark_bits": "0x4000/0x4000",
        "path_complete": True,
    }
    assert path[4] == {
        "table": "nat",
        "chain": "KUBE-SVC-X2P42VLQEZCHLPKZ",
        "rule": 1,
        "line": 76,
        "effect": "jump KUBE-SEP-2ZFMABIBAPGHKA6E",
        "text": "-A KUBE-SVC-X2P42VLQEZCHLPKZ -m statistic --mode random --probability 0.25000000000 "
        "-j KUBE-SEP-2ZFMABIBAPGHKA6E",
    }
    assert path[7] == {
        "table": "filter",
        "chain": "FORWARD",
        "rule": None,
        "line": None,
        "effect": "policy ACCEPT",
        "text": None,
    }


def test_a_refusal_names_the_line_that_decided_and_no_route() -> None:
    (outcome,) = document(refused())["outcomes"]
    assert (outcome["verdict"], outcome["route"], outcome["line"]) == ("REJECT", None, 83)
    assert (outcome["dnat"], outcome["snat"], outcome["when"]) == (None, None, [])


def test_what_was_assumed_is_there() -> None:
    found = document(httpd_result()._replace(given=(INSIDE.opposite(),)))
    assert found["assumed"] == [CONDITION]


def test_all_that_is_known_of_the_packet_is_there() -> None:
    packet = ASKED._replace(
        source_port=4711,
        mark=known_mark(0x4000),
        tcp_flags=frozenset({"SYN", "ACK"}),
        icmp_type=(8, None),
        length=60,
        ttl=64,
        tos=0,
        mac="02:00:00:00:00:01",
        owner=(0, 7),
        out_interface="",
    )
    found = document(httpd_result()._replace(asked=packet))["packet"]
    assert found == PACKET | {
        "sport": 4711,
        "mark": "0x4000",
        "tcp_flags": ["ACK", "SYN"],
        "icmp_type": "8",
        "length": 60,
        "ttl": 64,
        "tos": 0,
        "mac": "02:00:00:00:00:01",
        "uid": 0,
        "gid": 7,
        "out": "",
    }


def test_nothing_known_is_null() -> None:
    found = document(httpd_result()._replace(asked=Packet(state=None), hook="output"))["packet"]
    assert {name for name, value in found.items() if value is not None} == {"hook"}


def test_two_hundred_outcomes_are_all_there_and_sum_to_one() -> None:
    outcomes = document(many())["outcomes"]
    assert len(outcomes) == 200
    assert sum(Fraction(outcome["exact"]) for outcome in outcomes) == 1


def bounded(least: Fraction, most: Fraction) -> Any:
    """Return an answer of which one outcome has only bounds."""
    result = refused()
    return result._replace(outcomes=(result.outcomes[0]._replace(share=least, at_most=most),))


def test_a_share_of_which_only_bounds_are_known_is_null_and_never_reads_as_0() -> None:
    (outcome,) = document(bounded(Fraction(0), Fraction(1, 2)))["outcomes"]
    assert (outcome["probability"], outcome["exact"]) == (None, None)
    assert outcome["at_least"] == {"probability": 0.0, "exact": "0/1"}
    assert outcome["at_most"] == {"probability": 0.5, "exact": "1/2"}


def test_a_share_whose_bounds_meet_is_exact() -> None:
    (outcome,) = document(bounded(Fraction(1, 2), Fraction(1, 2)))["outcomes"]
    half = {"probability": 0.5, "exact": "1/2"}
    assert outcome["at_least"] == outcome["at_most"] == half
    assert half.items() <= outcome.items()


@pytest.mark.parametrize("text", ["10.0.0.1", "10.0.0.0/8", "fd00::1", "fd00::/64", "0.0.0.0/0"])
def test_an_address_reads_back(text: str) -> None:
    network = parse_network(text)
    assert address_text(network) == text


def test_a_mask_with_holes_is_written_out() -> None:
    assert address_text(Network(4, 0x0A000001, 0xFF0000FF)) == "10.0.0.1/255.0.0.255"
    assert address_text(None) is None


def test_an_icmp_type_has_its_code_where_that_is_known() -> None:
    assert [icmp_text(one) for one in (None, (8, 0), (3, None))] == [None, "8/0", "3"]
