"""Frontends of kube-proxy's table of one form are followed once: what is said of the others is what is so of them."""

from __future__ import annotations

import os
from random import Random
from typing import TYPE_CHECKING

import pytest

from iptviz.kube.nftables.forms import forms_of
from iptviz.kube.nftables.ports import answer_of, native_ports
from iptviz.kube.nftables.table import proxy_table
from iptviz.kube.nftables.tracing import trace_frontend
from iptviz.node.load import load_node
from iptviz.questions.native_services import reached_at
from iptviz.questions.ways import Beside, evidence_of
from tests.kubeproxy import numbered
from tests.nftproxy import SHAPES, Node, listed
from tests.paths.random_listings import listing as random_listing

if TYPE_CHECKING:
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.node.listing import NftListing
    from iptviz.node.snapshot import Snapshot

FIRST = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
COUNT = int(os.environ.get("IPTVIZ_LISTINGS", "12"))
FOLLOWED = 8
"""Of a listing so many frontends at most are followed one by one."""


def of_text(text: str) -> tuple[Snapshot, NftListing, ProxyTable]:
    node = load_node(text.encode())
    found = node.listing("ipv4")
    table = proxy_table(found) if found is not None else None
    assert found is not None
    assert table is not None
    return node, found, table


def check(text: str, random: Random) -> None:
    """Each frontend is answered, and fares, as it does where it alone is looked at."""
    node, found, table = of_text(text)
    ports = native_ports(table)
    places = [(port, place) for port in range(len(ports)) for place in range(len(ports[port].answers))]
    for port, place in places:
        answer = ports[port].answers[place]
        assert answer == answer_of(trace_frontend(table, answer.frontend)), answer.frontend.text
    known = evidence_of(node, "ipv4", Beside())
    by_decider = random.random() < 0.5
    together = reached_at(found, ports, known, by_decider=by_decider)
    for port, place in random.sample(places, min(FOLLOWED, len(places))):
        answer = ports[port].answers[place]
        alone = reached_at(found, [ports[port]._replace(answers=(answer,))], known, by_decider=by_decider)
        assert alone[0][0] == together[port][place], answer.frontend.text


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_a_frontend_fares_alone_as_among_others(seed: int) -> None:
    random = Random(seed)
    check(random_listing(random), random)


@pytest.mark.parametrize("shape", SHAPES)
def test_services_that_differ_in_nothing_have_one_form(shape: str) -> None:
    text = listed(Node(numbered(12, 3, local=1)), shape)
    _, _, table = of_text(text)
    frontends = [answer.frontend for port in native_ports(table) for answer in port.answers]
    assert len({forms_of(table).of(one).number for one in frontends}) == 2  # a cluster IP and a node port
    check(text, Random(1))
