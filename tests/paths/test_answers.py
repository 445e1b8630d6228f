"""The answer's way back, the client's next packet, and what the node sends to itself, told from netfilter's rules."""

from __future__ import annotations

from typing import Any

import pytest

import iptviz
from tests.paths.small import CLUSTER_IP, dump_of, service, told

ONE, HOST = ("10.244.1.5",), ("192.168.1.10",)
PORT: Any = {"target": ":30080"}
LOCAL, AWAY = "if 192.168.1.10 is local to this node", "if 192.168.1.10 is not local to this node"
NOT_BACK = "answer DROP by NOTRACK: the answer keeps the endpoint's address, which the client does not know"


def pod_meets(*more: str, endpoints: tuple[str, ...] = ONE) -> dict[str, list[str]]:
    return told(*service(endpoints, *more), clients="pod")


@pytest.mark.parametrize(
    ("rule", "meets"),
    [
        ("filter|-A FORWARD -s 10.244.1.5/32 -j DROP", "answer DROP by filter FORWARD 1"),
        ("filter|-A FORWARD -s 10.244.1.5/32 -p tcp -m tcp --sport 8080 -j REJECT", "answer REJECT by filter FORWARD 1"),
        ("filter|-A FORWARD -s 10.244.1.5/32 -p tcp -m tcp --sport 80 -j DROP", ""),  # nat has yet to put it back
        ("filter|-A FORWARD -s 10.96.0.10/32 -j DROP", ""),
        ("mangle|-A POSTROUTING -s 10.244.1.5/32 -j DROP", "answer DROP by mangle POSTROUTING 1"),
        ("raw|-A PREROUTING -s 10.244.1.5/32 -j NOTRACK", NOT_BACK),
        ("filter|-A FORWARD -m conntrack --ctstate ESTABLISHED -j DROP", "answer DROP by filter FORWARD 1"),
        ("filter|-A FORWARD -m conntrack --ctstate RELATED,INVALID,UNTRACKED -j DROP", ""),
        ("filter|-A FORWARD -m conntrack --ctorigdst 10.96.0.10 -m conntrack --ctstate ESTABLISHED -j DROP", "answer DROP by filter FORWARD 1"),
        ("filter|-A FORWARD -m conntrack ! --ctorigdst 10.96.0.10 -j DROP", ""),
        ("filter|-A FORWARD -m conntrack --ctdir REPLY -j DROP", "answer DROP by filter FORWARD 1"),
        ("filter|-A FORWARD -p tcp -m tcp --tcp-flags SYN,ACK ACK -j DROP", "DROP by filter FORWARD 1"),  # the next packet
        ("filter|-A FORWARD -p tcp -m tcp --tcp-flags SYN,ACK SYN,ACK -j DROP", "answer DROP by filter FORWARD 1"),
        ("mangle|-A PREROUTING -m conntrack --ctstatus SEEN_REPLY -m conntrack --ctdir ORIGINAL -j DROP", "DROP by mangle PREROUTING 1"),
        ("raw|-A PREROUTING -m conntrack --ctstate DNAT -j DROP", ""),  # there is no connection yet
        ("raw|-A PREROUTING -m conntrack --ctstatus CONFIRMED -j DROP", ""),
        ("filter|-A FORWARD -m conntrack --ctstate DNAT -m conntrack --ctdir REPLY -j DROP", "answer DROP by filter FORWARD 1"),
    ],
)  # fmt: skip
def test_an_answer_meets_rules_as_it_is_then(rule: str, meets: str) -> None:
    words = f"1 10.244.1.5:8080 {meets}" if meets.startswith("DROP") else f"1 10.244.1.5:8080 ACCEPT {meets}"
    assert pod_meets(rule) == {"pod": [words.strip()]}


def test_an_untracked_answer_to_a_masqueraded_client_is_for_the_node() -> None:
    """nat gives no address back, so that FORWARD does not see it."""
    rules = service(
        ONE, "raw|-A PREROUTING -s 10.244.1.5/32 -j NOTRACK", "filter|-A FORWARD -s 10.244.1.5/32 -j REJECT"
    )
    assert told(*rules, clients="outside") == {
        "outside": [f"1 10.244.1.5:8080 ACCEPT as MASQUERADE {NOT_BACK}"]
    }
    assert told(*rules, clients="pod") == {
        "pod": ["1 10.244.1.5:8080 ACCEPT answer REJECT by filter FORWARD 1"]
    }


def test_of_a_range_the_answer_comes_from_the_address_that_was_chosen() -> None:
    rules = ("filter|-A FORWARD -d 10.244.1.5/32 -j ACCEPT", "filter|-A FORWARD -s 10.244.1.5/32 -j DROP")
    chosen = "if destination in 10.244.1.5/32 (as line 31 left it)"
    found = told(*service(["10.244.1.5-10.244.1.6"], *rules), clients="outside")
    assert found == {
        "outside": [
            f"1 10.244.1.5-10.244.1.6:8080 ACCEPT as MASQUERADE {chosen} answer DROP by filter FORWARD 2",
            f"1 10.244.1.5-10.244.1.6:8080 ACCEPT as MASQUERADE {chosen.replace('in 1', 'not in 1')}",
        ]
    }


def test_of_a_range_of_ports_it_comes_from_the_port_that_was_chosen() -> None:
    rules = service((), "nat|-A KUBE-SVC-A -p tcp -j DNAT --to-destination 10.244.1.5:81-90")
    rule = "filter|-A FORWARD -p tcp -m tcp --sport 85 -m conntrack --ctstate ESTABLISHED -j DROP"
    chosen = "if destination port 85 (as line 29 left it)"
    found = told(*rules, rule, clients="pod")
    assert found["pod if source port not 85"] == [
        f"1 10.244.1.5:81-90 ACCEPT {chosen} answer DROP by filter FORWARD 1",
        f"1 10.244.1.5:81-90 ACCEPT {chosen.replace('port 85', 'port not 85')}",
    ]


# --- endpoints that may be this node ---------------------------------------------------------------------------


def test_the_answer_of_an_endpoint_that_is_this_node_comes_from_an_address_of_it() -> None:
    rule = "filter|-A OUTPUT -m addrtype --src-type LOCAL -j DROP"
    assert pod_meets(rule, endpoints=HOST) == {
        "pod": [
            f"1 192.168.1.10:8080 ACCEPT {LOCAL} answer DROP by filter OUTPUT 1",
            f"1 192.168.1.10:8080 ACCEPT {AWAY}",
        ]
    }
    assert pod_meets(rule.replace("--src", "! --src"), endpoints=HOST) == {
        "pod": ["1 192.168.1.10:8080 ACCEPT"]
    }


def test_the_answer_of_a_pod_comes_from_no_address_of_this_node() -> None:
    assert pod_meets("filter|-A FORWARD -m addrtype --src-type LOCAL -j DROP") == {
        "pod": ["1 10.244.1.5:8080 ACCEPT"]
    }


def test_what_the_node_sends_to_itself_comes_in_again() -> None:
    found = told(
        *service(HOST, "filter|-A INPUT -p tcp -m tcp --dport 8080 -j DROP", pods=""), clients="node"
    )
    assert found["node if source port not 8080"] == [
        f"1 192.168.1.10:8080 DROP by filter INPUT 1 {LOCAL}", f"1 192.168.1.10:8080 ACCEPT {AWAY}"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "meets"),
    [
        ("filter|-A INPUT -s 10.9.0.1/32 -j DROP", None),
        ("filter|-A INPUT -s 192.168.1.10/32 -j DROP", "DROP by filter INPUT 1 as 192.168.1.10"),
    ],
)
def test_what_comes_in_again_is_masqueraded_already_the_next_packet_too(rule: str, meets: str | None) -> None:
    snat = "nat|-A POSTROUTING -p tcp -j SNAT --to-source 192.168.1.10"
    found = told(*service(HOST, snat, rule, pods=""), client="10.9.0.1", local=("10.9.0.1", "192.168.1.10"))
    assert found == {"10.9.0.1": [f"1 192.168.1.10:8080 {meets or 'ACCEPT as 192.168.1.10'}"]}


# --- ports of this node ----------------------------------------------------------------------------------------


def test_what_the_node_asks_of_its_own_port_and_nobody_takes_is_delivered_to_it() -> None:
    rules = service((), "nat|-A KUBE-NODEPORTS -p tcp -j RETURN", port=True, pods="")
    assert told(*rules, **PORT) == {"outside, pod, node": ["1 :30080 LOCAL"]}
    refused = told(*rules, "filter|-A INPUT -p tcp -m tcp --dport 30080 -j REJECT", **PORT)
    assert refused == {"outside, pod, node": ["1 :30080 REJECT by filter INPUT 1"]}


def test_an_answer_comes_by_where_the_request_left_though_no_rule_looked_on() -> None:
    """OUTPUT sees lo, by which the node would ask its own port; nat sends the connection elsewhere."""
    rules = service(ONE, "filter|-A INPUT -i lo -j DROP", "raw|-A PREROUTING -i lo -j DROP", port=True)
    rules = [rule for rule in rules if "POSTROUTING" not in rule]
    found = told(*rules, client="192.168.1.10", local=("192.168.1.10",), **PORT)
    assert (
        "1 10.244.1.5:8080 ACCEPT if output interface is not lo (rewritten to 10.244.1.5)"
        in found["192.168.1.10"]
    )


def test_who_rewrites_sources_is_told() -> None:
    foreign = "nat|-A POSTROUTING -s 10.244.0.0/16 ! -o cni0 -j MASQUERADE"
    dump = dump_of(*service(ONE, foreign))
    (paths,) = iptviz.trace(dump, CLUSTER_IP).paths
    found = {
        (client, row.snat_by.number if row.snat_by else None)
        for entry in paths.entries
        for client in entry.clients
        for row in entry.endpoints
        if client != "node"
    }
    assert found == {("outside", 1), ("pod", 2), ("pod", None)}
