"""The rules behind an answer, by line: what one quotes where the dump itself is not at hand."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from iptviz.view.numbers import counted
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.kube.service import ServiceTrace
    from iptviz.questions.trace import TraceResult
    from iptviz.rules.form import Place

MOST_RULES = 60
"""More rules than this are not quoted where long lists are folded."""


def rule_lines(result: TraceResult, *, fold: bool) -> tuple[str, ...]:
    """Return the rules on the way, each with its line and table, in order; folded, the first of them."""
    return quoted_rules((rule for service in result.services for rule in _rules(service)), fold=fold)


def quoted_rules(rules: Iterable[Place], *, fold: bool) -> tuple[str, ...]:
    """Return rules as they stand, each once with its line and table, in order; folded, the first of them.

    What JSON has, which has no lines, stands by its chain and number.
    """
    ordered = sorted(dict.fromkeys(map(_quoted, rules)), key=itemgetter(0))
    shown = ordered[:MOST_RULES] if fold else ordered
    width = len(str(shown[-1][0])) if shown else 0
    lines = [f"{place or line:>{width}}  {table:6}  {text}" for line, place, table, text in shown]
    if len(shown) < len(ordered):
        lines.append(f"and {counted(len(ordered) - len(shown), 'more rule')} (--all)")
    return tuple(lines)


def _quoted(rule: Place) -> tuple[int, str, str, str]:
    """Return the line of a rule, or 0 and its place in words; then its table and its text."""
    place = "" if rule.line else f"{rule.chain} rule {rule.number}:"
    return rule.line, printable(place), printable(rule.table.name), printable(rule.text)


def _rules(service: ServiceTrace) -> Iterator[Place]:
    yield service.frontend.rule
    for outcome in service.outcomes:
        yield from (hop.via for hop in outcome.hops)
        yield from (mark.rule for mark in outcome.masquerade)
        yield from (end.rule for end in outcome.others)
        for end in outcome.endpoints:
            yield from (rule for rule in (end.via, end.rule, end.hairpin) if rule is not None)
        if outcome.verdict is not None:
            yield outcome.verdict.rule
