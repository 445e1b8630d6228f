"""What the rules of a chain are that is no service's, where they lead, and who leads there."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from iptviz.intake.remark import remark
from iptviz.kube.families import NODE_PORTS, SERVICES
from iptviz.kube.names import suffix_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.intake.remark import Remark

_MOST_RULES = 5
_TO_READ = 1_000
"""Of a chain with more rules than that nobody is told in one line where they lead."""


def about_chain(dump: Dump, name: str) -> Iterator[Remark]:
    """Yield what the rules of a chain are, where they lead and who leads there, in every table that has it."""
    tables = [table for table in dump.tables.values() if name in table.chains]
    for table in tables:
        yield from _in_table(table, name)
    if tables:
        yield remark("chain-around", chain=name)


def _in_table(table: Table, name: str) -> Iterator[Remark]:
    chain, rules = table.chains[name], table.rules_of(name)
    partly = table.shown.may_lack(name)
    yield remark(
        "chain-holds", table=table.name, chain=name, at=chain.line, count=len(rules), policy=chain.policy,
        partly=partly, of_services=_of_services(table, name, partly=partly),
    )  # fmt: skip
    yield from (remark("chain-rule", rule.line, text=rule.text) for rule in rules[:_MOST_RULES])
    if len(rules) > _MOST_RULES:
        yield remark("chain-more", count=len(rules) - _MOST_RULES)
    if rules and len(rules) <= _TO_READ:
        ends = (rule.jump or (rule.target.name if rule.target else "") for rule in rules)
        yield remark("chain-leads", names=tuple(filter(None, dict.fromkeys(ends))), chain=name)
    callers = dict.fromkeys(rule.chain for rule in islice(table.rules_to(name), _TO_READ))
    lines = tuple(rule.line for rule in islice(table.rules_to(name), _MOST_RULES + 1))
    if callers:
        yield remark("chain-called", chain=name, callers=tuple(callers), lines=lines)
    elif not chain.is_built_in and table.shown.is_whole:
        yield remark("chain-not-called", chain=name, table=table.name)


def _of_services(table: Table, chain: str, *, partly: bool) -> str:
    """Return what a chain of nat has to do with services, if that is known."""
    if table.name != "nat":
        return ""
    if chain in {SERVICES, NODE_PORTS}:
        return "all"
    return "none" if suffix_of(chain) and not partly and table.shown.is_whole else ""
