"""The chains that a page lets one browse: shares of new clients, and none where a condition may take some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.engine.packet import Packet
from iptviz.engine.survey import survey
from iptviz.kube.balance import endpoint_shares
from iptviz.kube.families import ENDPOINT_CHAIN, SERVICE_CHAINS
from iptviz.kube.frontends import value_of
from iptviz.rules.iptables import compiled, rule_table
from iptviz.view.chain_browser import browsed
from tests import kubeproxy
from tests.conftest import ROOT, SHARED
from tests.kubeproxy.eras import ERAS

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.dump.table import Table

CHANCE = "-m statistic --mode random --probability 0.50000000000"


def shares(*rules: str) -> list[str]:
    """Return the share that each rule of a chain sends to an endpoint."""
    lines = (f"-A KUBE-SVC-A {rule}" for rule in rules)
    chains = (":KUBE-SVC-A - [0:0]", ":KUBE-SEP-A - [0:0]", ":KUBE-SEP-B - [0:0]", ":KUBE-MARK-MASQ - [0:0]")
    dump = iptviz.load("\n".join(("*nat", *chains, *lines, "COMMIT", "")).encode())
    return [rule[3] for rule in browsed(dump.tables["nat"], None)["KUBE-SVC-A"]["rules"]]


def test_each_gets_its_part_of_what_is_left() -> None:
    assert shares(f"{CHANCE} -j KUBE-SEP-A", "-j KUBE-SEP-B") == ["50.00 %", "50.00 %"]
    assert shares(f"{CHANCE} -j KUBE-SEP-A", f"{CHANCE} -j KUBE-SEP-B") == ["50.00 %", "25.00 %"]


def test_marks_comments_and_lists_of_known_clients_take_nothing_from_new_ones() -> None:
    known = "-m recent --rcheck --seconds 60 --reap --name KUBE-SEP-A --mask 255.255.255.255 --rsource"
    rules = (
        "! -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ",
        f"{known} -j KUBE-SEP-A",
        '-m comment --comment "counts"',
        f'-m comment --comment "a -> b" {CHANCE} -j KUBE-SEP-A',
    )
    assert shares(*rules) == ["", "", "", "50.00 %"]


def test_behind_what_may_take_some_there_are_no_shares() -> None:
    for taking in ("-s 10.0.0.1/32 -j KUBE-SEP-A", "-m mark --mark 0x1/0x1 -j RETURN", "-p tcp -j ACCEPT"):
        assert shares(taking, "-j KUBE-SEP-B") == ["", ""]


FILES = sorted([*ROOT.glob("fixtures/*/dump.rules"), *SHARED.glob("kubernetes/*.rules")])


def followed(table: Table, name: str) -> int:
    """Compare what endpoints get of a chain with where the engine sends new clients; how many rules agree."""
    rules = table.rules_of(name)
    shares = endpoint_shares(rules)
    ends = [end for rule in shares for end in table.rules_of(rule.jump or "") if value_of(end, "-p")]
    if len(ends) < len(shares):
        return 0  # grep left out an endpoint
    packet = Packet(protocol=value_of(ends[0], "-p") if ends else None, unlisted=(ENDPOINT_CHAIN,))
    for case in survey(rule_table(table), packet, list(map(compiled, rules))).cases if shares else ():
        arrivals = [case.arrivals[rule] for rule in shares]
        assert [arrival.before * arrival.chance for arrival in arrivals] == list(shares.values())
    return len(shares)


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}-{path.name}" for path in FILES])
def test_shares_are_those_of_the_engine(path: Path) -> None:
    dumps, _ = iptviz.load_all(str(path))
    tables = [dump.tables["nat"] for dump in dumps if "nat" in dump.tables]
    assert sum(followed(table, name) for table in tables for name in table.chain_names()) > 0


@pytest.mark.parametrize("era", ERAS)
def test_shares_are_those_of_the_engine_in_every_release(era: str) -> None:
    for options in ({}, {"affinity": 10800}, {"local_only": True, "local": 2}):
        cluster = kubeproxy.numbered(2, 5, era=era, **options)  # type: ignore[arg-type]
        table = iptviz.load(kubeproxy.saved(cluster).encode()).tables["nat"]
        chains = [name for name in table.chain_names() if name.startswith(SERVICE_CHAINS)]
        assert sum(followed(table, name) for name in chains) >= 10
