"""The chains that a page lets one browse: each rule with its line, where it leads, and what an endpoint gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.engine.chance import CERTAIN
from iptviz.engine.matching import raw_chance
from iptviz.kube.names import ENDPOINT_CHAIN, MARK_MASQUERADE
from iptviz.view.numbers import percent
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

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
        small = (chain for chain in table.chain_names() if not chain.startswith("KUBE-S"))
        chosen[name] |= {chain for chain in small if len(table.rules_of(chain)) < MOST_RULES // 20}
    rules = f"{dump.rule_count:,}"
    return (
        chosen,
        f"This dump has {rules} rules: the page holds the chains of the answers above and the general ones.",
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

    The shares are a new client's, of what enters the chain; below a rule that may take some of it under a
    condition there are none.
    """
    left: Fraction | None = CERTAIN
    for rule in table.rules_of(name):
        jump, share = rule.jump or "", ""
        if left is not None and jump.startswith(ENDPOINT_CHAIN) and _by_chance_alone(rule):
            share = percent(left * raw_chance(rule))
            left -= left * raw_chance(rule)
        elif not _lets_pass(rule):
            left = None
        yield [rule.line, printable(rule.text), printable(jump), share]


def _by_chance_alone(rule: Rule) -> bool:
    parts = rule.parts
    matches = {match.name for match in parts.matches}
    return not (parts.basics or parts.unknown or parts.problem or matches - {"comment", "statistic"})


def _lets_pass(rule: Rule) -> bool:
    """Tell whether all of a new client's connections go on behind a rule."""
    remembered = (rule.jump or "").startswith(ENDPOINT_CHAIN) and any(
        m.name == "recent" for m in rule.matches
    )
    return rule.target is None or rule.jump == MARK_MASQUERADE or remembered
