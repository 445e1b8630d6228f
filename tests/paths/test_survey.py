"""Who is asked at a frontend, what is taken for granted, and which entries are one."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from iptviz.errors import PacketError
from iptviz.paths.surroundings import pod_networks
from iptviz.xtables.values.addresses import show_network
from tests.paths.small import CLUSTER_IP, PODS, TWO, dump_of, paths_of, service, told

EACH = ["1/2 10.244.1.5:8080 ACCEPT", "1/2 10.244.1.6:8080 ACCEPT"]
HIDDEN = [f"{row} as MASQUERADE" for row in EACH]
DROP = "filter|-A FORWARD {} -j DROP"


# --- the networks of pods --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "chains", "networks"),
    [
        (service(), ["KUBE-SVC-A"], [PODS]),
        (service(), ["KUBE-SVC-B"], [PODS]),  # that of another service's rule
        (service(pods=""), ["KUBE-SVC-A"], []),
        (["nat|-A POSTROUTING ! -s 10.1.0.0/16 -j MASQUERADE", *service()], ["KUBE-SVC-A"], [PODS]),
        (
            ["nat|-A POSTROUTING ! -s 10.1.0.0/16 -j MASQUERADE", *service(pods="")],
            ["KUBE-SVC-A"],
            ["10.1.0.0/16"],
        ),
        (["nat|-A POSTROUTING ! -s 10.1.0.0/16 -j ACCEPT", *service(pods="")], ["KUBE-SVC-A"], []),
        (["nat|-A POSTROUTING -s 10.1.0.0/16 -j MASQUERADE", *service(pods="")], ["KUBE-SVC-A"], []),
        (["filter|-A FORWARD ! -s 10.1.0.0/16 -j DROP", *service(pods="")], ["KUBE-SVC-A"], []),
    ],
)
def test_the_network_of_pods_is_one_that_is_not_masqueraded(
    rules: list[str], chains: list[str], networks: list[str]
) -> None:
    assert [show_network(one) for one in pod_networks(dump_of(*rules), chains)] == networks


# --- kinds of clients ------------------------------------------------------------------------------------------


def test_each_kind_of_client_is_told_by_where_it_sends_from() -> None:
    assert told(*service()) == {
        "outside": HIDDEN,
        "pod": EACH,
        f"node if source in {PODS}": EACH,
        f"node if source not in {PODS}": HIDDEN,
    }


def test_without_a_network_of_pods_all_may_be_told_alike() -> None:
    assert told(*service(pods="")) == {"outside, pod, node": EACH}


@pytest.mark.parametrize(
    ("rule", "clients", "entries"),
    [
        (f"-s {PODS} -m conntrack --ctstate NEW", "outside", {"outside": HIDDEN}),
        ("-s 127.0.0.0/8", "outside", {"outside": HIDDEN}),
        ("-m addrtype --src-type LOCAL", "outside", {"outside": HIDDEN}),
        ("-i lo -m conntrack --ctstate NEW", "outside", {"outside": HIDDEN}),
        ("-m mark --mark 0x1/0x1", "outside", {"outside": HIDDEN}),
        ("-m conntrack --ctstate INVALID", "outside", {"outside": HIDDEN}),
        (
            "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW",
            "outside",
            {"outside": HIDDEN},
        ),
        (
            "-s 10.244.1.5/32 -m conntrack --ctstate NEW",
            "pod",
            {"pod": EACH},
        ),  # an endpoint, which is told apart
        ("-s 198.51.100.0/24", "pod", {"pod": EACH}),
        ("-i eth0", "node", {f"node if source in {PODS}": EACH, f"node if source not in {PODS}": HIDDEN}),
    ],
)
def test_what_cannot_be_of_a_kind_of_client_is_no_condition(
    rule: str, clients: str, entries: dict[str, list[str]]
) -> None:
    assert told(*service(TWO, DROP.format(rule)), clients=clients) == entries


def test_a_client_at_an_address_arrives_unless_it_is_known_to_be_the_nodes() -> None:
    rules = service(TWO, "filter|-A OUTPUT -p tcp -j DROP")
    assert told(*rules, client="192.168.1.10") == {"192.168.1.10": HIDDEN}
    dropped = [f"{row.replace('ACCEPT', 'DROP')} by filter OUTPUT 1" for row in EACH]
    assert told(*rules, client="192.168.1.10", local=("192.168.1.10",)) == {"192.168.1.10": dropped}


@pytest.mark.parametrize("client", ["nobody", "fd00::1", "10.0.0.0/8"])
def test_other_clients_there_are_none(client: str) -> None:
    with pytest.raises(PacketError, match="client"):
        paths_of(*service(), client=client)


# --- what is taken for granted ---------------------------------------------------------------------------------


def assumed(**beside: Any) -> list[str]:
    return [one.text for one in paths_of(*service(), **beside).assumed]


def test_what_is_taken_for_granted_is_said_once() -> None:
    assert assumed() == [
        "connection state is NEW", "mark is 0x0", "connection mark is 0x0", "packet is not a later fragment",
        "source is not in the recent list any list", "destination is not local to this node",
        "input interface is not lo", "input is not a bridge port",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "assume", "opened", "entries"),
    [
        ("-m mark --mark 0x1", "mark is 0x1", "mark is 0x0", {"pod": "DROP"}),
        ("-m physdev --physdev-is-in", "input is a bridge port", "input is not a bridge port", {"pod": "DROP"}),
        ("-i eth0", "input interface is eth0", "input interface is not lo", {"pod": "DROP"}),
        ("-i eth0 -m conntrack --ctstate NEW", "not input interface is eth0", "input interface is not lo", {"pod": "ACCEPT"}),
        ("-s 10.244.9.0/24 -d 10.244.0.0/16", "source in 10.244.9.0/24", "", {"pod": "DROP"}),
    ],
)  # fmt: skip
def test_what_somebody_says_otherwise_is_not(
    rule: str, assume: str, opened: str, entries: dict[str, str]
) -> None:
    found = told(*service(TWO, DROP.format(rule)), clients="pod", assume=(assume,))
    assert {
        entry: {"DROP" if "DROP" in row else "ACCEPT" for row in rows} for entry, rows in found.items()
    } == {entry: {outcome} for entry, outcome in entries.items()}
    assert opened not in assumed(assume=(assume,), client="pod")


def test_what_can_be_of_no_client_is_refused() -> None:
    with pytest.raises(PacketError):
        paths_of(*service(), client="pod", assume=("source in 198.51.100.0/24",))


# --- entries ---------------------------------------------------------------------------------------------------


def test_entries_that_differ_in_who_decides_alone_are_one() -> None:
    rules = [
        f"filter|-A {chain} -p tcp -m conntrack --ctstate NEW -j DROP" for chain in ("FORWARD", "OUTPUT")
    ]
    (entry,) = paths_of(*service(TWO, *rules)).entries
    assert entry.clients == ("outside", "pod", "node")
    assert {row.by.chain for row in entry.endpoints if row.by} == {"FORWARD"}


def test_entries_that_differ_in_shares_are_not() -> None:
    found = told(*service(TWO, "nat|-A OUTPUT -j ACCEPT", pods=""))
    assert found == {"outside, pod, node": EACH}  # OUTPUT accepts behind KUBE-SERVICES
    found = told("nat|-A OUTPUT -j ACCEPT", *service(pods=""))
    assert found == {"outside, pod": EACH, "node": [f"1 {CLUSTER_IP}:80 ACCEPT"]}


@pytest.mark.parametrize(
    ("rule", "bounds"),
    [
        ("filter|-A FORWARD -d 10.244.1.5/32 -j DROP", (Fraction(1, 2), Fraction(1, 2))),
        ("filter|-A FORWARD -s 10.244.1.5/32 -j DROP", (Fraction(1, 2), Fraction(1, 2))),
        ("filter|-A FORWARD -d 10.244.1.5/32 -o eth1 -j DROP", (Fraction(1, 2), Fraction(1))),
        ("filter|-A FORWARD -m statistic --mode random --probability 0.5 -m conntrack --ctstate NEW -j DROP", (Fraction(1, 2), Fraction(1, 2))),
        ("filter|FORWARD DROP", (Fraction(0), Fraction(0))),
    ],
)  # fmt: skip
def test_what_works_lies_between_bounds(rule: str, bounds: tuple[Fraction, Fraction]) -> None:
    (entry,) = paths_of(*service(TWO, rule), client="pod").entries
    assert (entry.at_least, entry.at_most) == bounds
