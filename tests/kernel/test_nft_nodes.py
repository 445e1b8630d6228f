"""The kernel judges nodes of nftables mode: where clients of every kind get, at every frontend of random nodes.

A long run, of nodes that nobody has tried:

    sudo IPTVIZ_REQUIRE_KERNEL=1 IPTVIZ_NODES=1000 IPTVIZ_FIRST_SEED=1000000 .venv/bin/python -m pytest -n auto \\
        tests/kernel/test_nft_nodes.py
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from iptviz.node.load import load_node
from tests.kernel.crossroads import crossroads
from tests.kernel.lab import node as lab_node
from tests.kernel.nft_judge import disagreements
from tests.kernel.nft_nodes import (
    is_as_documented,
    put,
    site_for,
    try_again,
    try_all,
    unlikely_shares,
)
from tests.nft.answers import answers
from tests.nft.told import ruleset_of, told
from tests.nftproxy import SHAPES, listed
from tests.nftproxy.random_nodes import random_node

if TYPE_CHECKING:
    from iptviz.supplied.files import Supplied
    from tests.kernel.crossroads import Crossroads
    from tests.nftproxy.random_nodes import RandomNode

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

NODES = int(os.environ.get("IPTVIZ_NODES", "100"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
CHUNK = 25


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + NODES, CHUNK))
def test_clients_get_where_is_documented_and_said(first: int) -> None:
    number = (first - FIRST_SEED) // CHUNK
    family = (4, 6)[number % 2]
    with crossroads(site_for(family, calico=number % 4 > 1)) as lab:
        for seed in range(first, min(first + CHUNK, FIRST_SEED + NODES)):
            check(lab, random_node(seed, family), lab.beside() if seed % 3 == 0 else {})


def check(lab: Crossroads, node: RandomNode, beside: dict[str, Supplied]) -> None:
    """Try a node's frontends; `beside` is what is handed in with its listing."""
    listing = put(lab, node)
    assert without_merged(listing) == without_merged(listed(node.node, node.release))
    every = try_all(lab, node)
    doubtful = [one for one in every if not is_as_documented(node, lab.site, one)]
    again = try_again(lab, doubtful) if doubtful else []
    wrong = [one for one in again if not is_as_documented(node, lab.site, one)]
    assert not wrong, f"{node}\n{wrong[0].frontend} {wrong[0].fate.attempt} {wrong[0].fate}"
    assert not (found := list(unlikely_shares(node, lab.site, every))), found
    said = list(disagreements(lab, load_node(listing.encode()), every, beside))
    assert not said, f"{node}\n" + "\n".join(said[:3])


def without_merged(text: str) -> dict[str, object]:
    """What a rule set says, without source ranges: neighbours among those become one network."""
    return {name: what for name, what in told(ruleset_of(text)).items() if not _RANGES.search(name)}


_RANGES = re.compile(r"chain firewall-\w{8}-|set firewall-allow$")


# --- forms of a listing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "release"), list(enumerate(SHAPES)))
def test_a_listing_its_json_and_one_of_what_it_loads_get_one_answer(number: int, release: str) -> None:
    family = (4, 6)[number % 2]
    asked = random_node(FIRST_SEED // len(SHAPES) * len(SHAPES) + number, family)
    with lab_node("nft", family) as lab:
        lab.run("nft", "-f", "-", stdin=listed(asked.node, asked.release))
        forms = [lab.run("nft", *form, "list", "ruleset") for form in ((), ("-j",))]
        lab.run("nft", "-f", "-", stdin=f"flush ruleset\n{forms[0]}")
        forms.append(lab.run("nft", "list", "ruleset"))
    targets = {f"{one.namespace}/{one.name}" for one in asked.services}
    text, *others = (answers(form.encode(), targets) for form in forms)
    assert asked.release == release
    assert all(other == text for other in others), asked
