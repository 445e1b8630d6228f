"""What an answer says of rules that were not printed as they are, and of shares that hold for one backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.rules.addressless import shows_no_address
from iptviz.rules.iptables import dump_rule, rule_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.kube.service import ServiceTrace


def unprinted_notes(dump: Dump, met: Iterable[Rule]) -> Iterator[Item]:
    """Yield what of a dump was not printed, and how far shares hold; `met` are rules on the ways of an answer.

    What all is well with imports no words.
    """
    met = list(dict.fromkeys(met))
    dnats = [rule for rule in met if shows_no_address(rule)]
    counting = [rule for rule in met if "--mode nth" in rule.text] if dump.backend != "nf_tables" else []
    if counting:
        from iptviz.checks.counting import nth

        yield from nth(dump, counting)
    if dnats or _hides_something(dump):
        from iptviz.checks import unprinted

        yield from unprinted.notes(dump, dnats)


def _hides_something(dump: Dump) -> bool:
    """Whether ports, marks or chances are lost, or native rules may be cut short: few rules are looked at."""
    tables = [rule_table(table).unprinted for table in dump.tables.values()]
    return any(one.found or one.narrower for one in tables)


def ways_of(services: Sequence[ServiceTrace]) -> Iterator[Rule]:
    """Yield the rules that lead to endpoints, and those that send connections there."""
    for end in (end for traced in services for outcome in traced.outcomes for end in outcome.endpoints):
        yield dump_rule(end.via)
        yield dump_rule(end.rule)


def suspects(dump: Dump) -> Iterator[Rule]:
    """Yield the rules of a dump that may be on some way, and need a word: a search of bytes."""
    nat = dump.tables.get("nat")
    if nat is not None:
        yield from nat.rules_with("--mode nth")
        yield from rule_table(nat).unprinted.addresses()
