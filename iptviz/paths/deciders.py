"""Where the rule or policy stands that decides: in which dump, of several backends, and beside what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.hooks import hooks_leading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
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


def hook_of(dump: Dump, by: Decider, clients: frozenset[str]) -> str:
    """Return the hook of whose chains the rule is one; of several the one that packets of these clients pass."""
    table = dump.tables.get(by.table)
    hooks = hooks_leading(table, by.chain) if table else set()
    passed = ("FORWARD", "INPUT", "OUTPUT") if {"pod", "outside"} & clients else ("OUTPUT", "INPUT")
    return next((hook for hook in (*passed, *sorted(hooks)) if hook in hooks), "")


def is_by_chance(dump: Dump, by: Decider) -> bool:
    """Whether a rule takes packets by chance, or one in so many."""
    rules = _rules_from(dump, by)[:1]
    return any(match.name == "statistic" for rule in rules for match in rule.matches)


def accepts_below(dump: Dump, by: Decider) -> list[Rule]:
    """Return the rules of the same chain that accept what the one above them ends."""
    below = _rules_from(dump, by)[1:]
    return [rule for rule in below if rule.target is not None and rule.target.name == "ACCEPT"]


def _rules_from(dump: Dump, by: Decider) -> tuple[Rule, ...]:
    """Return the rule that decides, and those below it; none for a policy, or in another dump."""
    table = dump.tables.get(by.table)
    return tuple(table.rules_of(by.chain)[by.number - 1 :]) if table and by.number and is_in(dump, by) else ()
