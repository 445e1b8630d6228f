"""Endpoints that no rule tells apart are followed once: what is said of them is what is found of each alone."""

from __future__ import annotations

import os
import random
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest

from iptviz.engine.host import Host
from iptviz.paths import way
from iptviz.paths.alike import Alike
from iptviz.paths.survey import Survey
from iptviz.supplied.files import Supplied
from iptviz.xtables.address import parse_network
from tests.paths.small import dump_of, paths_of, service

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.paths.model import FrontendPaths
    from iptviz.xtables.address import Network

NODES = int(os.environ.get("IPTVIZ_RULE_SETS", "300")) // 20
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
BATCH = 5
START = {4: "10.244.1.5", 6: "fd00:10:244:1::5"}
SERVICE = {4: "10.96.0.10", 6: "fd00:10:96::10"}
PODS = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}


def network(text: str) -> Network:
    found = parse_network(text)
    assert found is not None
    return found


# --- which addresses rules tell apart --------------------------------------------------------------------------


def places(*rules: str, family: int = 4, networks: tuple[str, ...] = ()) -> Callable[..., list[int]]:
    """Return what numbers addresses by their place among those that rules tell apart."""
    alike = Alike([dump_of(*rules, family=family)], Host(), [network(one) for one in networks])
    return lambda *texts: [alike.endpoint(network(text)) for text in texts]


NEAR = {4: ("10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"), 6: ("fd00::4", "fd00::5", "fd00::6", "fd00::7")}


@pytest.mark.parametrize(
    ("rule", "family", "apart"),
    [
        ("filter|-A FORWARD -d 10.0.0.5/32 -j DROP", 4, [0, 1, 2, 2]),
        ("filter|-A FORWARD -d 10.0.0.4/31 -j DROP", 4, [0, 0, 1, 1]),
        ("filter|-A FORWARD -d 10.0.0.4/255.255.255.254 -j DROP", 4, [0, 0, 1, 1]),
        ("filter|-A FORWARD ! -d 10.0.0.0/8 -j DROP", 4, [0, 0, 0, 0]),
        ("filter|-A FORWARD -m iprange --dst-range 10.0.0.5-10.0.0.6 -j DROP", 4, [0, 1, 2, 3]),
        ("filter|-A FORWARD -m iprange ! --src-range 10.0.0.5-10.0.0.6 -j DROP", 4, [0, 1, 2, 3]),
        ("nat|-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.5:80", 4, [0, 1, 2, 2]),
        (
            "filter|-A FORWARD -m comment --comment 10.0.0.5 -j DROP",
            4,
            [0, 1, 2, 2],
        ),  # too many do no harm, as of ranges
        ("filter|-A FORWARD -m conntrack --ctreplsrc 10.0.0.5 -j DROP", 4, [0, 1, 2, 2]),
        ("filter|-A FORWARD -p tcp -m multiport --dports 80,443 -j DROP", 4, [0, 0, 0, 0]),
        ("filter|-A FORWARD -d fd00::5/128 -j DROP", 6, [0, 1, 2, 2]),
        ("filter|-A FORWARD -d fd00::4/127 -j DROP", 6, [0, 0, 1, 1]),
        ("filter|-A FORWARD -m iprange --dst-range fd00::5-fd00::6 -j DROP", 6, [0, 1, 2, 3]),
        ("nat|-A PREROUTING -p tcp -j DNAT --to-destination [fd00::5]:80", 6, [0, 1, 2, 2]),
        ("filter|-A FORWARD -d ::/0 -j DROP", 6, [0, 0, 0, 0]),
    ],
)
def test_addresses_are_told_apart_where_rules_name_them(rule: str, family: int, apart: list[int]) -> None:
    found = places(rule, family=family)(*NEAR[family])
    assert [place - found[0] for place in found] == apart


def test_networks_of_pods_are_told_apart_though_no_rule_is_about_them() -> None:
    assert places(networks=("10.0.0.6/31",))(*NEAR[4]) == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("rules", "networks", "apart"),
    [
        ((), ("10.0.0.5/32",), [0, 1, 0, 0]),
        (("filter|-A FORWARD -s 10.0.0.5/32 -j DROP",), ("10.0.0.5/32",), [0, 1, 0, 0]),
        ((), ("10.0.0.5/32", "10.0.0.6/32"), [0, 1, 2, 3]),  # one begins where the other ends
        ((), ("10.0.0.4/32", "10.0.0.6/32"), [1, 0, 3, 0]),
        (("filter|-A FORWARD -d 10.0.0.6/31 -j DROP",), ("10.0.0.5/32",), [0, 1, 2, 2]),
        (("filter|-A FORWARD -d 10.0.0.4/31 -j DROP",), ("10.0.0.5/32",), [0, 1, 2, 2]),
        (("filter|-A FORWARD -d 10.0.0.7/32 -j DROP",), ("10.0.0.4/30",), [0, 0, 0, 1]),
        (
            ("filter|-A FORWARD -m iprange --dst-range 10.0.0.5-10.0.0.6 -j DROP",),
            ("10.0.0.5/32",),
            [0, 1, 2, 3],
        ),
    ],
)
def test_what_lies_around_a_network_of_pods_is_alike_where_nothing_else_is_named(
    rules: tuple[str, ...], networks: tuple[str, ...], apart: list[int]
) -> None:
    found = places(*rules, networks=networks)(*NEAR[4])
    least = min(found)
    assert [place - least for place in found] == apart


def test_a_block_around_a_network_of_pods_is_not_one() -> None:
    alike = Alike([dump_of()], Host(), [network("10.0.0.16/28")])
    first, last = network("10.0.0.0"), network("10.0.0.255")
    assert alike.endpoint(first) == alike.endpoint(last)
    assert not alike.is_one(first, last)
    assert alike.is_one(network("10.0.0.16"), network("10.0.0.31"))


# --- which ports ------------------------------------------------------------------------------------------------

_LOCAL = "filter|-A {} -p tcp -m comment --comment {} -m addrtype --dst-type LOCAL -m tcp --dport {} -j DROP"


@pytest.mark.parametrize("chain", ["KUBE-EXTERNAL-SERVICES", "KUBE-SERVICES"])
@pytest.mark.parametrize("comment", ['"shop/away:http has no local endpoints"', "shop/away"])
def test_a_node_port_that_is_refused_tells_no_others_apart(chain: str, comment: str) -> None:
    alike = Alike([dump_of(_LOCAL.format(chain, comment, 30700))], Host())
    ports = {port: alike.frontend(None, port)[1] for port in (80, 30600, 30700, 30800)}
    assert ports[80] == ports[30600] == ports[30800] != ports[30700]
    assert alike.frontend(network("10.96.0.1"), 80) != alike.frontend(network("10.96.0.1"), 30700)


@pytest.mark.parametrize(
    "rule",
    [
        _LOCAL.format("FORWARD", "x", 30700),
        _LOCAL.format("KUBE-EXTERNAL-SERVICES", "x", "30700:30710"),
        _LOCAL.format("KUBE-EXTERNAL-SERVICES", "x", 30700).replace("-p tcp", "-s 10.0.0.0/8 -p tcp"),
    ],
)
def test_other_rules_about_ports_do(rule: str) -> None:
    alike = Alike([dump_of(rule)], Host())
    assert alike.frontend(None, 30600) != alike.frontend(None, 30800)


def test_rules_of_services_are_not_looked_at() -> None:
    rules = service(["10.0.0.5", "10.0.0.6"], pods="")
    found = places(*rules)(*NEAR[4])
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    "rule",
    ["filter|-A FORWARD -d 10.0.0.1/255.0.0.255 -j DROP", "mangle|-A FORWARD -s 10.0.0.1/0.0.0.255 -j DROP"],
)
def test_masks_with_holes_tell_more_apart_than_stretches(rule: str) -> None:
    assert not Alike([dump_of(rule)], Host()).is_known
    assert Alike([dump_of(rule.replace("/255.0.0.255", "/32").replace("/0.0.0.255", "/32"))], Host()).is_known


def test_so_do_sets() -> None:
    assert not Alike([dump_of()], Host(sets={"S": object()})).is_known  # type: ignore[dict-item]


# --- a service with many endpoints -----------------------------------------------------------------------------


def many(count: int, family: int) -> list[str]:
    return [str(ip_address(START[family]) + number) for number in range(count)]


class _Foreign:
    """Makes rules of others that name some of many endpoints."""

    def __init__(self, dice: random.Random, endpoints: list[str], family: int) -> None:
        self._dice, self._endpoints = dice, endpoints
        self._size = 32 if family == 4 else 128
        self._masks = family == 4

    def _match(self) -> str:
        dice = self._dice
        side, other = dice.choice([("-d", "dst"), ("-d", "dst"), ("-s", "src")])
        one, two = sorted(dice.sample(self._endpoints[way.FEW :], 2), key=ip_address)
        mask = self._size - dice.choice([0, 1, 2, 3, 5])
        wide = f"{ip_address(int(ip_address(one)) >> self._size - mask << self._size - mask)}/{mask}"
        ways = [
            f"{side} {one}/{self._size}", f"{side} {wide}", f"! {side} {wide}",
            f"-m iprange --{other}-range {one}-{two}", f"-m iprange ! --{other}-range {one}-{two}",
            f"-p tcp -m tcp --{other[0]}port {dice.choice(['8080', '80', '8000:8079', '40000:'])}",
            f"-m set --match-set {dice.choice('AB')} {other}", f"-m conntrack --ctreplsrc {one}",
            f"-m addrtype --{other}-type LOCAL", "-m conntrack --ctstate NEW", "-m mark --mark 0x4000/0x4000",
            "-m statistic --mode random --probability 0.50000000000",
        ]  # fmt: skip
        ways += ways[:5] * 3
        if self._masks and dice.random() < 0.15:
            ways += [f"{side} {one}/0.0.0.255"]
        return " ".join(sorted({dice.choice(ways) for _ in range(dice.choice([1, 1, 2]))}, key=_basics_first))

    def rule(self) -> str:
        table, chain, targets = self._dice.choice(_PLACES)
        match = self._match()
        while match.count("-s ") > 1 or match.count("-d ") > 1:
            match = self._match()
        return f"{table}|-A {chain} {match} -j {self._dice.choice(targets)}"


def _basics_first(text: str) -> bool:
    return text.startswith("-m")


_PLACES = [
    *[("filter", "FORWARD", ["DROP", "REJECT", "DROP"])] * 6,
    ("filter", "INPUT", ["DROP", "ACCEPT"]),
    ("filter", "OUTPUT", ["DROP", "REJECT"]), ("mangle", "FORWARD", ["DROP", "MARK --set-xmark 0x4000/0x4000"]),
    ("mangle", "PREROUTING", ["DROP", "ACCEPT"]), ("mangle", "POSTROUTING", ["DROP", "MARK --set-xmark 0x0/0x4000"]),
    ("nat", "POSTROUTING", ["ACCEPT", "MASQUERADE", "RETURN"]), ("raw", "PREROUTING", ["NOTRACK", "DROP"]),
]  # fmt: skip


def _node(seed: int) -> tuple[list[str], int, dict[str, Any]]:
    """Return the rules of a node, its family, and what is supplied beside them."""
    dice = random.Random(seed)
    family = dice.choice([4, 4, 6])
    endpoints = many(dice.randint(40, 48), family)
    foreign = _Foreign(dice, endpoints, family)
    some = str(ip_network(f"{START[family]}/{29 if family == 4 else 125}", strict=False))
    pods = dice.choice([*[PODS[family]] * 6, some, ""])
    rules = service(endpoints, address=SERVICE[family], pods=pods)
    planted = [foreign.rule() for _ in range(dice.randint(2, 4))]
    known: dict[str, Any] = {"client": dice.choice(["outside", "pod", "node"])}
    if family == 4 and dice.random() < 0.15:
        known["ipset"] = Supplied(
            f"create A hash:ip family inet\nadd A {endpoints[20]}\ncreate B hash:ip family inet\n", "ipset"
        )
    return [*planted, *rules], family, known


def _paths(rules: list[str], family: int, known: dict[str, Any]) -> FrontendPaths:
    return paths_of(*rules, target=SERVICE[family], family=family, **known)


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + NODES, BATCH))
def test_sharing_changes_nothing(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(first, min(first + BATCH, FIRST_SEED + NODES)):
        node = _node(seed)
        shared = _paths(*node)
        with monkeypatch.context() as patched:
            patched.setattr(Survey, "few", 10**9)
            alone = _paths(*node)
        assert shared == alone, f"seed {seed}: {node[0][:3]}"


def test_of_many_endpoints_few_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    followed = []
    original = way.Way._followed

    def counted(self: way.Way, client: Any, packet: Any) -> int:
        followed.append(packet)
        return original(self, client, packet)

    monkeypatch.setattr(way.Way, "_followed", counted)
    found = paths_of(*service(many(300, 4), "filter|-A FORWARD -d 10.244.1.200/32 -j DROP"), client="pod")
    (entry,) = found.entries
    assert [row.address for row in entry.endpoints if row.outcome == "DROP"] == ["10.244.1.200"]
    assert len(entry.endpoints) == 300
    assert len(followed) < 2 * way.FEW
