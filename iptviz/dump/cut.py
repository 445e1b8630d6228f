"""Lines that were cut at a column, by a terminal or a form: they end within a word, a quote or a pair."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from iptviz.xtables.targets import target_names, target_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")

_MOST = 200
"""So many rules of a built-in chain are looked at: a cut at a column meets most of its lines."""

_ENDS_EARLY = ("unterminated quote", "has no value")
"""What is said of rules whose text ends before they do."""


def cut_rules(table: Table) -> Iterator[Rule]:
    """Yield the rules of built-in chains whose lines end too early."""
    for hook in HOOKS:
        if table.runs_of(hook):
            yield from filter(_is_cut, map(table.rule_at, _starts(table, hook)))


def _starts(table: Table, hook: str) -> Iterator[int]:
    return (start for start, _ in islice(table.spans_of(hook), _MOST))


def _is_cut(rule: Rule) -> bool:
    parts = rule.parts
    if parts.problem.endswith(_ENDS_EARLY):
        return True
    name = "" if parts.target is None or parts.target.options else parts.target.name
    if not name or name in rule.table.chains or target_spec(name) or not rule.text.endswith(f" {name}"):
        return False
    return any(other.startswith(name) for other in target_names()) or _begins_a_chain(name, rule)


def _begins_a_chain(name: str, rule: Rule) -> bool:
    return any(other.startswith(name) for other in rule.table.chains)
