"""Rows: who decides, what is asked of one endpoint and what of all, and what reaches none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.paths.small import CLUSTER_IP, TWO, service, told

EACH = ["1/2 10.244.1.5:8080 ACCEPT", "1/2 10.244.1.6:8080 ACCEPT"]
PORT: Any = {"target": ":30080"}


def each(words: str) -> list[str]:
    return [row.replace("ACCEPT", words) for row in EACH]


def pod_meets(*more: str, **beside: Any) -> dict[str, list[str]]:
    return told(*service(TWO, *more), clients="pod", **beside)


# --- who decides -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (["raw|-A PREROUTING -p tcp -j DROP"], "DROP by raw PREROUTING 1"),
        (
            ["mangle|-A FORWARD -p udp -j DROP", "mangle|-A FORWARD -p tcp -j DROP"],
            "DROP by mangle FORWARD 2",
        ),
        (["filter|FORWARD DROP"], "DROP by filter FORWARD policy"),
        (["filter|-A FORWARD -j MINE", "filter|-A MINE -p tcp -j REJECT"], "REJECT by filter MINE 1"),
        (["filter|-A FORWARD -p tcp -j NFQUEUE --queue-num 1"], "QUEUE by filter FORWARD 1"),
    ],
)
def test_the_rule_or_policy_that_decides_is_named(rules: list[str], words: str) -> None:
    expected = [f"1 {CLUSTER_IP}:80 {words}"] if "raw" in words else each(words)
    assert next(iter(pod_meets(*rules).values())) == expected


def test_others_that_decide_alike_are_counted() -> None:
    rules = [f"filter|-A FORWARD -i eth{number} -j DROP" for number in range(3)]
    found = pod_meets(*rules, "filter|FORWARD DROP")
    assert found == {"pod": each("DROP by filter FORWARD policy and 3 more")}


# --- what is asked of one endpoint, and of all -----------------------------------------------------------------


def test_what_is_asked_of_one_endpoint_stands_in_its_rows() -> None:
    assert pod_meets("filter|-A FORWARD -d 10.244.1.5/32 -o eth1 -j DROP") == {
        "pod": [
            "1/2 10.244.1.5:8080 DROP by filter FORWARD 1 if output interface is eth1 (rewritten to 10.244.1.5)",
            "1/2 10.244.1.5:8080 ACCEPT if output interface is not eth1 (rewritten to 10.244.1.5)",
            EACH[1],
        ]
    }


def test_what_is_asked_of_the_client_tells_entries_apart() -> None:
    assert pod_meets("filter|-A FORWARD -s 10.244.9.9/32 -j DROP") == {
        "pod if source in 10.244.9.9/32": each("DROP by filter FORWARD 1"),
        "pod if source not in 10.244.9.9/32": EACH,
    }


def test_what_is_asked_of_a_client_for_one_endpoint_alone_stands_in_its_rows() -> None:
    assert pod_meets("filter|-A FORWARD -s 10.244.9.9/32 -d 10.244.1.5/32 -j DROP") == {
        "pod": [
            "1/2 10.244.1.5:8080 DROP by filter FORWARD 1 if source in 10.244.9.9/32",
            "1/2 10.244.1.5:8080 ACCEPT if source not in 10.244.9.9/32",
            EACH[1],
        ]
    }


def test_a_chance_after_nat_shares_an_endpoint_out() -> None:
    rule = "filter|-A FORWARD -d 10.244.1.5/32 -m conntrack --ctstate NEW -m statistic --mode random --probability 0.25 -j DROP"
    assert sorted(pod_meets(rule)["pod"]) == [
        EACH[1], "1/8 10.244.1.5:8080 DROP by filter FORWARD 1", "3/8 10.244.1.5:8080 ACCEPT"
    ]  # fmt: skip


# --- what reaches no endpoint ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "entries"),
    [
        ("nat|-A PREROUTING -j ACCEPT", {"outside, pod": [f"1 {CLUSTER_IP}:80 ACCEPT"], "node": EACH}),
        ("nat|-A PREROUTING -m statistic --mode random --probability 0.5 -j ACCEPT",
         {"outside, pod": [row.replace("1/2", "1/4") for row in EACH] + [f"1/2 {CLUSTER_IP}:80 ACCEPT"], "node": EACH}),
    ],
)  # fmt: skip
def test_what_nothing_rewrites_goes_on_or_is_the_nodes_own(rule: str, entries: dict[str, list[str]]) -> None:
    assert told(rule, *service(pods="")) == entries


@pytest.mark.parametrize(
    ("rule", "entries"),
    [
        (f"-d {CLUSTER_IP}/32", {
            "pod untracked if destination is local to this node": [f"1 {CLUSTER_IP}:80 LOCAL"],  # a DNS cache's
            "pod untracked if destination is not local to this node": [f"1 {CLUSTER_IP}:80 ACCEPT"],
        }),
        ("! -d 10.0.0.0/8", {"pod": EACH}),
        ("! -d 10.244.0.0/16 -i eth0", {
            "pod untracked if input interface is eth0": [f"1 {CLUSTER_IP}:80 ACCEPT"],
            "pod if input interface is not eth0": EACH,
        }),
    ],
)  # fmt: skip
def test_nat_is_not_asked_about_what_is_not_tracked(rule: str, entries: dict[str, list[str]]) -> None:
    assert told(*service(TWO, f"raw|-A PREROUTING {rule} -j NOTRACK"), clients="pod") == entries


def test_a_broken_endpoint_leaves_its_share_over() -> None:
    rules = [one.replace("-p tcp -m tcp -j DNAT --to-destination 10.244.1.6", "-p udp -m udp -j DNAT --to-destination 10.244.1.6") for one in service()]  # fmt: skip
    assert told(*rules, clients="pod") == {"pod": [EACH[0], f"1/2 {CLUSTER_IP}:80 ACCEPT"]}


# --- ports of the node -----------------------------------------------------------------------------------------


def test_the_node_asks_its_port_at_the_loopback_address_too() -> None:
    found = told(*service(port=True), clients="node", **PORT)
    setting = "net.ipv4.conf.all.route_localnet"
    lost = each("DROP by no route from 127.0.0.0/8 to another host, where route_localnet is not 1")
    assert found == {
        "node if destination not in 127.0.0.0/8": EACH,
        f"node if destination in 127.0.0.0/8 and {setting}=1": EACH,
        f"node if destination in 127.0.0.0/8 and {setting} is not 1": lost,
    }


def test_where_ports_are_not_for_the_loopback_address_it_is_delivered_there() -> None:
    rules = [one.replace("-m addrtype --dst-type LOCAL", "! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL") for one in service(port=True)]  # fmt: skip
    assert told(*rules, clients="node", **PORT) == {
        "node if destination not in 127.0.0.0/8": EACH,
        "node if destination in 127.0.0.0/8": ["1 :30080 LOCAL"],
    }
