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


def chosen_chains(dump: Dump, met: Iterable[tuple[str, str]]) -> tuple[dict[str, set[str]], str]:
    """Return which chains a page holds, by table: none named is all of them; and a word on what it lacks.

    `met` are the tables and names of those on the ways of the answers.
    """
    if dump.rule_count <= MOST_RULES:
        return {}, ""
    chosen: dict[str, set[str]] = {name: set() for name in dump.tables}
    for name, chain in met:
        chosen.setdefault(name, set()).add(chain)
    for name, table in dump.tables.items():
        small = (chain for chain in table.chain_names() if not chain.startswith(_OF_SERVICES))
        chosen[name] |= {chain for chain in small if len(table.rules_of(chain)) < MOST_RULES // 20}
    rules = f"{dump.rule_count:,}"
    return (
        chosen,
        f"This dump has {rules} rules: the page shows the chains of the answers above and the general ones.",
    )


def browsed(table: Table, chosen: set[str] | None) -> dict[str, Any]:
    """Return the chosen chains of a table, or all: `{name: {"policy": text, "rules": [[line, ...]]}}`."""
    return {
        printable(name): {
            "policy": printable(table.chains[name].policy or ""),
            "rules": list(_rules(table, name)),
        }
        for name in table.chain_names()
        if chosen is None or name in chosen
    }


def _rules(table: Table, name: str) -> Iterator[list[Any]]:
    """Yield each rule: its line, its text, where it leads, and the share that it sends to an endpoint.

    The shares are those of `iptviz.kube.balance.endpoint_shares`.
    """
    rules = table.rules_of(name)
    shares = endpoint_shares(rules)
    for rule in rules:
        share = percent(shares[rule]) if rule in shares else ""
        yield [rule.line, printable(rule.text), printable(rule.jump or ""), share]
