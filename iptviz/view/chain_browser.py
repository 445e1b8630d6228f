"""The chains that a page lets one browse: each rule with its line, where it leads, and what an endpoint gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.kube.balance import endpoint_shares
from iptviz.kube.families import CLUSTER_CHAIN, ENDPOINT_CHAIN, LOCAL_CHAINS, SERVICES
from iptviz.view.numbers import percent
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table

_OF_SERVICES = (SERVICES, CLUSTER_CHAIN, *LOCAL_CHAINS, ENDPOINT_CHAIN)
MOST_RULES = 6_000
"""Of a larger dump, the page browses the general chains and those on the ways of the answers alone."""


def chosen_chains(dump: Dump, met: Iterable[tuple[str, str]]) -> tuple[dict[str, list[str]], str]:
    """Return which chains a page holds, by table: none named is all of them; and a word on what it lacks.

    `met` are the tables and names of those on the ways of the answers.
    """
    if dump.rule_count <= MOST_RULES:
        return {}, ""
    wanted = set(met)
    chosen = {
        name: [chain for chain in table.chain_names() if (name, chain) in wanted or _is_general(table, chain)]
        for name, table in dump.tables.items()
    }
    rules = f"{dump.rule_count:,}"
    return (
        chosen,
        f"This dump has {rules} rules: the page shows the chains of the answers above and the general ones.",
    )


def _is_general(table: Table, chain: str) -> bool:
    return not chain.startswith(_OF_SERVICES) and len(table.rules_of(chain)) < MOST_RULES // 20


def browsed(table: Table, chosen: Iterable[str] | None) -> dict[str, Any]:
    """Return the chosen chains of a table, or all: `{name: {"policy": text, "rules": [[line, ...]]}}`."""
    return {
        printable(name): {
            "policy": printable(table.chains[name].policy or ""),
            "rules": list(_rules(table, name)),
        }
        for name in (table.chain_names() if chosen is None else chosen)
    }


def _rules(table: Table, name: str) -> Iterator[list[Any]]:
    """Yield each rule: its line, its text, where it leads, and the share that it sends to an endpoint.

    The shares are those of `iptviz.kube.balance.endpoint_shares`.
    """
    rules = table.rules_of(name)
    ways = [rule.jump or "" for rule in rules]
    shares = endpoint_shares(rules) if any(way.startswith(ENDPOINT_CHAIN) for way in ways) else {}
    for rule, way in zip(rules, ways, strict=True):
        share = percent(shares[rule]) if rule in shares else ""
        yield [rule.line, printable(rule.text), printable(way), share]
