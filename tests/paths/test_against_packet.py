"""The paths of `trace` agree with `packet`, and both with the interpreter, for concrete clients of random nodes.

A client meets exactly one entry, and of that rows whose shares are exactly those of the interpreter, which tries
all ways that dice may fall: where it is sent, as whom, who stops it, whether it is answered. A long run:

    IPTVIZ_RULE_SETS=20000 IPTVIZ_FIRST_SEED=1000000 pytest -n auto tests/paths/test_against_packet.py
"""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import iptviz
from tests.engine.interpreter import read
from tests.paths.comparison import NotToldError, outcomes_of, said_of, works
from tests.paths.conditions import Facts, all_hold
from tests.paths.connections import laws
from tests.paths.nodes import clients_of, node_of

if TYPE_CHECKING:
    from fractions import Fraction

    from tests.engine.interpreter import Rules
    from tests.paths.conditions import Shape
    from tests.paths.connections import Laws, Sent
    from tests.paths.nodes import Node

NODES = int(os.environ.get("IPTVIZ_RULE_SETS", "50"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
BATCH = 25
CLIENTS = 2
"""So many of each kind."""
EVIDENCE = 3
"""Of every third node its addresses and routes are supplied."""

_NEVER = r"^.* -m (?:recent --rcheck|physdev --physdev-is-in) .*\n"
_ALWAYS = r"-m recent --set --name \S+ --mask \S+ --rsource |-m physdev ! --physdev-is-in "
_TAKEN_FOR_GRANTED = re.compile(f"{_NEVER}|{_ALWAYS}", re.MULTILINE)


class Asked(NamedTuple):
    """A node, its dump, what is supplied beside it, and the rules as usual clients meet them.

    No list remembers these, and they come by no bridge's port.
    """

    node: Node
    dump: iptviz.Dump
    beside: dict[str, Any]
    rules: Rules


def asked_of(seed: int) -> Asked:
    node = node_of(seed)
    named = re.findall(r"to-destination (?:\[?([\da-f]*:[\da-f:]+)|([\d.]+))", node.rules)
    others = {*("".join(one) for one in named), *node.site.strangers}
    known = {} if seed % EVIDENCE else node.site.evidence(others)
    return Asked(node, iptviz.load(node.rules.encode()), known, read(_TAKEN_FOR_GRANTED.sub("", node.rules)))


def traced(asked: Asked, client: str = "") -> Shape:
    """Return what `trace` says of the frontend of the node's protocol."""
    result = iptviz.trace(asked.dump, asked.node.target, client=client, **asked.beside)
    services: list[Shape] = result.to_dict()["services"]
    return next(one for one in services if one["frontend"]["protocol"] == asked.node.protocol)


def packet_says(asked: Asked, sent: Sent) -> dict[Any, Fraction]:
    node = asked.node
    arrives: dict[str, Any] = (
        {"in_iface": sent.interface, "assume": ["input is not a bridge port"]} if sent.interface else {}
    )
    known: dict[str, Any] = asked.beside or {"local_ips": [*node.site.own, node.site.loopback]}
    flags: dict[str, Any] = {"tcp_flags": "SYN"} if sent.protocol == "tcp" else {}
    result = iptviz.packet(
        asked.dump, src=sent.source, dst=sent.destination, protocol=sent.protocol, sport=sent.sport,
        dport=sent.dport, mark="0x0", hook="prerouting" if sent.interface else "output", **known, **arrives, **flags,
    )  # fmt: skip
    return outcomes_of(result.to_dict()["outcomes"], sent, node.site)


def trouble_with(node: Node, sent: Sent, service: Shape, kind: str, true: Laws) -> str:
    """What disagrees in what is said of one client; empty where nothing does."""
    if not all_hold(service["assumed"], Facts(sent, node.site)):
        return f"it is not as is assumed: {service['assumed']}"
    said = said_of(service["paths"], sent, node.site, kind)
    if len(said) != 1:
        return f"{len(said)} entries apply"
    (one,) = said
    if one.whole != true.whole:
        return f"\n  paths       {_shown(one.whole)}\n  interpreter {_shown(true.whole)}"
    if not one.at_least <= works(true.whole) <= one.at_most:
        return f"{works(true.whole)} works, not between {one.at_least} and {one.at_most}"
    return ""


def _shown(law: dict[Any, Fraction]) -> str:
    return "; ".join(sorted(f"{share} {tuple(end)}" for end, share in law.items()))


def _trouble(asked: Asked, sent: Sent, service: Shape, kind: str) -> str:
    true = laws(asked.rules, sent, asked.node.site)
    wrong = trouble_with(asked.node, sent, service, kind, true)
    if wrong:
        return wrong
    packet = packet_says(asked, sent)
    if packet != true.first:
        return f"\n  packet      {_shown(packet)}\n  interpreter {_shown(true.first)}"
    return ""


def troubles_of(seed: int, told: Counter[str]) -> list[str]:
    """What is wrong with what is said of a node's clients; `told` counts what was compared."""
    asked = asked_of(seed)
    by_kind = traced(asked)
    if any(one["kind"] == "destination-type" and one["holds"] for one in by_kind["assumed"]):
        asked = asked._replace(node=asked.node.where_address_is_own())
    troubles = []
    clients = clients_of(asked.node, seed, CLIENTS)
    for number, sent in enumerate(clients):
        questions = [(by_kind, sent.kind)]
        if number == seed % len(clients) and (asked.beside or sent.kind != "node"):
            questions += [(traced(asked, sent.source), sent.source)]
        for service, kind in questions:
            try:
                wrong = _trouble(asked, sent, service, kind)
                told["compared"] += 1
            except NotToldError as reason:
                told[str(reason)] += 1
                continue
            if wrong:
                troubles.append(f"{asked.node.story}\n  {kind} {sent}: {wrong}")
    return troubles


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + NODES, BATCH))
def test_each_client_fares_as_the_entry_says_that_it_meets(first: int) -> None:
    told = Counter[str]()
    for seed in range(first, min(first + BATCH, FIRST_SEED + NODES)):
        troubles = troubles_of(seed, told)
        assert not troubles, "\n".join(troubles)
    assert told["compared"] > 0.9 * told.total()
