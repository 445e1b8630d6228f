"""A rule made from its parts, as the grammar has taken them apart: what every quicker way must agree with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.rules.form import (
    GOTO,
    JUMP,
    NOTHING,
    RETURN,
    TARGET,
    UNCLEAR,
    Action,
    CompiledRule,
    Rewriting,
    Test,
    unreadable,
)
from iptviz.rules.reading.addresses import basic_tests
from iptviz.rules.reading.table import match_tests
from iptviz.rules.reading.targets import target_operand
from iptviz.rules.reading.words import QUOTED, opaque
from iptviz.xtables.targets import target_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.grammar.parts import RuleParts, Target
    from iptviz.rules.form import Place
    from iptviz.xtables.option import Option


def rule_of(place: Place, parts: RuleParts, has_chain: Callable[[str], bool], family: str) -> CompiledRule:
    """Return the rule at `place`; `has_chain` says whether its table has a chain of a name."""
    return CompiledRule(place, parts.chain, tuple(_tests(parts)), action_of(parts, has_chain, family))


def _tests(parts: RuleParts) -> Iterator[Test]:
    for option in parts.basics:
        yield from basic_tests(option)
    for match in parts.matches:
        yield from match_tests(match)
    for option, place in parts.unknown:
        if not option.name.startswith("-m ") and not _is_of_target(option, place, parts):
            yield opaque(option.text())
    if parts.problem:
        quote = f"a rule that cannot be read ({parts.problem})"
        yield Test(QUOTED, quote=quote, part="cannot be read")


def _is_of_target(option: Option, place: int, parts: RuleParts) -> bool:
    """Whether an option without a meaning belongs to the target: behind an unknown one, or in brackets.

    An unknown target is a condition of its own. In brackets iptables says what it could not print, such as
    `[unsupported revision]`.
    """
    behind = parts.target is not None and place > len(parts.matches)
    return behind and (option.name.startswith("[") or not target_spec(parts.target.name))  # type: ignore[union-attr]


def action_of(parts: RuleParts, has_chain: Callable[[str], bool], family: str) -> Action:
    """Return what a rule of a table of `family` (`ipv4`, `ipv6`) does.

    A chain takes precedence over a target of its name, as in iptables. A bare name that is neither is taken for
    a chain, which is then one that no line declares.
    """
    target = parts.target
    if target is None:
        return Action(UNCLEAR if parts.unclear else NOTHING)
    if target.goto or has_chain(target.name):
        return Action(GOTO if target.goto else JUMP, target.name)
    if target_spec(target.name) or target.options or parts.unknown:
        return _unprinted(target, family) if _lacks_options(parts) else target_action(target, family)
    return Action(JUMP, target.name)


def _lacks_options(parts: RuleParts) -> bool:
    """Whether iptables wrote that it could not print the target's options."""
    return any(
        option.name.startswith("[") and _is_of_target(option, place, parts) for option, place in parts.unknown
    )


def _unprinted(target: Target, family: str) -> Action:
    """Return the action of a target whose options are not known: where it sends to is not, if it sends."""
    made = target_action(target, family)
    if isinstance(made.operand, Rewriting):
        return made._replace(operand=unreadable(""))
    return made if made.operand is None else made._replace(known=False, operand=None)


def target_action(target: Target, family: str) -> Action:
    """Return the action of a target that is no chain."""
    if target.name == "RETURN":
        return Action(RETURN, target.name)
    spec = target_spec(target.name)
    if spec is None:
        return Action(TARGET, target.name, known=False)
    return Action(TARGET, target.name, target_operand(target, family), continues=spec.continues)
