"""What is found on one node is said of others only where it is found there, too."""

from __future__ import annotations

import itertools
import os
import random
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import service_ports
from iptviz.node.snapshot import as_snapshot
from iptviz.paths.many_fares import Elsewhere, reached_in
from iptviz.paths.shared import SharedPaths
from iptviz.paths.surroundings import DumpSurroundings
from iptviz.paths.survey import Survey
from iptviz.questions.ways import Beside, evidence_of
from tests.fleetmaker import Setup, fleet_with
from tests.paths.small import dump_of, service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.paths.fares import Reached

ROUNDS = int(os.environ.get("IPTVIZ_FLEETS", "1"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
MACHINES = 2 if ROUNDS == 1 else 3
MOST_RULES = 2 if ROUNDS == 1 else 6
SETUPS = {
    "own network": Setup(own_network=True),
    "one network": Setup(),
    "interface": Setup(own_network=True, detect="bridge"),
    "IPv6": Setup(own_network=True, families=(6,)),
    "counters": Setup(own_network=True, release="1.24", counters=True),
}

OFTEN = {"own network", "counters"}
"""What is tried in every run."""

RULES = {
    4: (
        "filter|-A FORWARD -d {own} -j DROP", "filter|-A FORWARD -d {other} -j DROP", "filter|-A FORWARD -s {own} -j DROP",
        "filter|-A FORWARD -s {other} -p tcp -j DROP", "filter|-A FORWARD -d {end}/32 -j DROP",
        "filter|-A FORWARD -s {end}/32 -j REJECT --reject-with icmp-port-unreachable",
        "filter|-A FORWARD -d 10.244.0.0/23 -j DROP", "filter|-A FORWARD -m iprange --dst-range 10.244.2.0-10.244.2.127 -j DROP",
        "filter|-A FORWARD -p tcp -m tcp --dport {port} -j DROP", "filter|-A FORWARD ! -s {own} -m mark --mark 0x4000/0x4000 -j DROP",
        "filter|-A INPUT -p tcp -m tcp --dport 30000:30100 -j DROP", "filter|-A OUTPUT -d {other} -j DROP",
        "raw|-A PREROUTING -d {own} -j NOTRACK", "mangle|-A FORWARD -d {own} -j DROP", "nat|-A POSTROUTING -s {own} -j ACCEPT",
        "nat|-A POSTROUTING -d {other} -j MASQUERADE", "nat|-A KUBE-SERVICES -s {own} -j RETURN",
        "nat|-A KUBE-NODEPORTS -s 10.0.0.0/8 -j RETURN", "filter|-A KUBE-FORWARD -d {other} -j DROP",
        "nat|-A PREROUTING -s {own} -p tcp -m tcp --dport {port} -j ACCEPT",
    ),
    6: (
        "filter|-A FORWARD -d {own} -j DROP", "filter|-A FORWARD -s {other} -j DROP", "filter|-A FORWARD -d {end}/128 -j DROP",
        "filter|-A FORWARD -p tcp -m tcp --dport {port} -j DROP", "nat|-A POSTROUTING -s {own} -j ACCEPT",
    ),
}  # fmt: skip
"""What others may have added on a node. `own` and `other` are networks of its pods and of another node's."""


BETWEEN_PODS = {
    4: "filter|-A FORWARD -d 10.244.0.0/23 -j DROP", 6: "filter|-A FORWARD -d fd00:10:244::/63 -j DROP",
}  # fmt: skip
"""The same rule on all nodes, in whose network the pods of the first are, and of no other."""


def planted(text: str, rule: str) -> str:
    """Return a dump with a rule as the first of its chain."""
    table, _, line = rule.partition("|")
    chain = line.split()[1]
    if f"*{table}\n" not in text:
        return f"{text}*{table}\n:{chain} ACCEPT [0:0]\n{line}\nCOMMIT\n"
    before, head, rest = text.partition(f"*{table}\n")
    own, commit, after = rest.partition("COMMIT\n")
    lines = own.splitlines(keepends=True)
    at = next((place for place, each in enumerate(lines) if f"-A {chain} " in each), len(lines))
    return "".join([before, head, *lines[:at], f"{line}\n", *lines[at:], commit, after])


def variants(text: str, number: int, dice: random.Random) -> Iterator[str]:
    """Yield a node's dump, and the same with changes."""
    family = 6 if "fd00:" in text else 4
    network = "10.244.{}.0/24" if family == 4 else "fd00:10:244:{:x}::/64"
    destinations = [line.rpartition(" ")[2] for line in text.splitlines() if "--to-destination" in line]
    end, _, port = dice.choice(destinations).rpartition(":")
    yield text
    for rule in dice.sample(RULES[family], min(MOST_RULES, len(RULES[family]))):
        yield planted(
            text,
            rule.format(
                own=network.format(number), other=network.format((number + 1) % MACHINES + 1), end=end.strip("[]"), port=port,
            ),
        )  # fmt: skip
    yield planted(text, BETWEEN_PODS[family])
    yield text.replace(":FORWARD ACCEPT", ":FORWARD DROP")
    yield text.replace("-A POSTROUTING", "-A OF-OTHERS").replace(
        ":POSTROUTING ACCEPT [0:0]\n", ":POSTROUTING ACCEPT [0:0]\n:OF-OTHERS - [0:0]\n"
    )


def found_at(dump: Dump, elsewhere: Elsewhere | None) -> tuple[tuple[Reached, ...], ...]:
    rules = DispatchingRules(dump)
    ports = service_ports(rules, Naming(dump, ()))
    known = evidence_of(as_snapshot(dump), dump.family, Beside())
    return reached_in(rules, ports, known, elsewhere=elsewhere)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + ROUNDS))
@pytest.mark.parametrize("setup", [name for name in SETUPS if ROUNDS > 1 or name in OFTEN])
def test_a_node_fares_alone_as_after_others(setup: str, seed: int) -> None:
    fleet = fleet_with([], seed, MACHINES, SETUPS[setup], 6)
    dice = random.Random(f"{setup} {seed}")
    elsewhere = Elsewhere()
    nodes = [
        list(variants(fleet.texts[name], number, dice)) for number, name in enumerate(sorted(fleet.texts), 1)
    ]
    for text in itertools.chain(
        *zip(*reversed(nodes), strict=True)
    ):  # the last one first: its rules drop the least
        dump = iptviz.load(text.encode())
        assert found_at(dump, elsewhere) == found_at(dump, None)


def company(number: int, *rules: str, ends: tuple[str, ...] = ("10.244.{}.5", "10.244.{}.6")) -> object:
    """Return what a service of some endpoints has in common with those of other nodes, on one in whose network
    others' `rules` stand first."""
    own, other = (f"10.244.{each}.0/24" for each in (number, number + 4))
    made = [rule.format(own=own, other=other) for rule in rules]
    dump = dump_of(*made, *service([end.format(number) for end in ends], pods=own))
    asked = DispatchingRules(dump)
    known = evidence_of(as_snapshot(dump), dump.family, Beside())
    shared = SharedPaths(Survey(DumpSurroundings(dump), known), asked)
    ports = service_ports(asked, Naming(dump, ()))
    answer = next(answer for port in ports for answer in port.answers if answer.endpoints)
    met = shared.company(answer)
    assert met is not None
    return shared.anywhere(met)


@pytest.mark.parametrize(
    "rules",
    [
        (),
        ("filter|-A FORWARD -s {own} -j ACCEPT",),
        ("filter|-A FORWARD -d 10.244.0.0/16 -j DROP",),
        ("filter|-A FORWARD -d 10.250.1.5/32 -j DROP", "mangle|-A FORWARD -s 10.96.0.0/12 -j DROP"),
    ],
)
def test_nodes_are_alike_whose_rules_lie_the_same_way_around_their_pods(rules: tuple[str, ...]) -> None:
    assert company(1, *rules) == company(2, *rules) is not None


@pytest.mark.parametrize(
    "rules",
    [
        ("filter|-A FORWARD -s {other} -j ACCEPT",),
        ("filter|-A FORWARD -d 10.244.1.0/24 -j DROP",),
        (
            "filter|-A FORWARD -d 10.244.0.0/23 -j DROP",
        ),  # one has all pods of the one node, and none of the other
        ("filter|-A FORWARD -m iprange --dst-range 10.244.1.9-10.244.1.12 -j DROP",),
    ],
)
def test_others_are_not(rules: tuple[str, ...]) -> None:
    assert company(1, *rules) != company(2, *rules)


def test_nodes_are_not_that_differ_in_a_rule_a_policy_or_where_endpoints_are() -> None:
    dropped = "filter|-A FORWARD -p tcp -m tcp --dport 8080 -j DROP"
    assert company(1, dropped) != company(2)
    assert company(1, "filter|FORWARD DROP") != company(2)
    assert company(1, ends=("10.244.{}.5", "10.250.0.1")) != company(2)
    assert company(1, ends=("10.244.{}.5", "10.250.0.1")) == company(2, ends=("10.250.7.1", "10.244.{}.9"))


def test_where_other_rules_lead_to_services_that_is_not_known() -> None:
    assert company(1, "nat|-A PREROUTING -s 10.9.0.0/16 -j KUBE-SVC-A") is None


def test_an_endpoint_that_a_rule_about_one_frontend_names_is_like_none() -> None:
    refused = (
        "filter|-A KUBE-EXTERNAL-SERVICES -d 10.244.2.5/32 -p tcp -m tcp --dport 80 -j REJECT",
        "filter|-A KUBE-EXTERNAL-SERVICES -p tcp -m addrtype --dst-type LOCAL -m tcp --dport 8080 -j DROP",
    )
    for rule in refused:
        assert company(2, rule) is None
    assert company(1, refused[0]) == company(3, refused[0]) is not None


@pytest.mark.parametrize("setup", ["own network", "counters"])
def test_of_nodes_that_differ_in_their_pods_alone_few_connections_are_followed(
    setup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = fleet_with([], 3, 4, SETUPS[setup], 30)
    followed: list[int] = []
    original = Survey.paths

    def counted(*words: object) -> object:
        followed[-1] += 1
        return original(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(Survey, "paths", counted)
    elsewhere = Elsewhere()
    for name in sorted(fleet.texts):
        followed.append(0)
        found_at(iptviz.load(fleet.texts[name].encode()), elsewhere)
    assert followed[0] > 1.5 * followed[-1]
