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
        own = answer_of(trace_frontend(table, answer.frontend))
        assert answer == own, answer.frontend.text
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


def planted(text: str, chain: str, rule: str) -> str:
    head = f"\tchain {chain} {{\n"
    assert head in text
    return text.replace(head, f"{head}\t\t{rule}\n", 1)


ABOUT_ONE = {
    "a rule before services": ("services", "ip daddr 10.96.1.2 accept"),
    "a rule that drops": ("filter-forward", "ip daddr 10.128.1.5 drop"),
    "a network that ends among endpoints": ("filter-forward", "ip daddr 10.128.1.0/30 drop"),
    "one that sends to endpoints": ("filter-forward", "ip saddr 10.128.1.4 drop"),
}


@pytest.mark.parametrize("about", ABOUT_ONE)
def test_who_is_told_apart_by_a_rule_is_told_so(about: str) -> None:
    text = listed(Node(numbered(6, 2, local=1)), "1.36")
    chain, rule = ABOUT_ONE[about]
    if chain == "filter-forward":
        text += f"table ip other {{\n\tchain all {{\n\t\ttype filter hook forward priority 5; policy accept;\n\t\t{rule}\n\t}}\n}}\n"
    else:
        text = planted(text, chain, rule)
    node, found, table = of_text(text)
    ports = native_ports(table)
    fares = reached_at(found, ports, evidence_of(node, "ipv4", Beside()))
    assert len({each[0].fares for each in fares}) > 1
    check(text, Random(2))


def test_an_endpoint_with_a_hairpin_of_its_own_is_told_apart() -> None:
    text = listed(Node(numbered(3, 2, local=1)), "1.36")
    text = text.replace("10.128.1.2 . 10.128.1.2 . tcp . 8080,\n\t\t\t     ", "", 1)
    _, _, table = of_text(text)
    forms = {forms_of(table).of(port.answers[0].frontend).number for port in native_ports(table)}
    assert len(forms) == 2
    check(text, Random(3))
