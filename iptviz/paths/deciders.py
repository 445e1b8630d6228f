"""Which dump of a node holds the rule or policy that decides: those of both backends are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.dump.model import Dump
    from iptviz.paths.model import Decider


def is_in(dump: Dump, by: Decider) -> bool:
    """Whether a rule or policy stands in a dump."""
    table = dump.tables.get(by.table)
    chain = table.chains.get(by.chain) if table else None
    if chain is None:
        return False
    if by.number is None:
        return chain.line == by.line
    return by.number <= len(chain.rules) and chain.rules[by.number - 1].line == by.line


def dump_of(dumps: Iterable[Dump], by: Decider) -> Dump | None:
    """Return the first dump that holds a rule or policy."""
    return next((dump for dump in dumps if is_in(dump, by)), None)
