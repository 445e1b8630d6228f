"""Marks that kube-proxy and kubelet give packets: to be masqueraded, to be dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.families import (
    FAMILIES,
    IPVS,
    KUBE_PROXY,
    KUBELET,
    MARK_DROP,
    MARK_MASQUERADE,
    family_of,
)
from iptviz.records import NamedTuple
from iptviz.rules.iptables import compiled
from iptviz.xtables.values.numbers import read_mark

if TYPE_CHECKING:
    from collections.abc import Collection

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

_DEFAULT_BITS = {family.name: family.bits for family in FAMILIES if family.bits}


FILTER_HOOKS = ("INPUT", "FORWARD", "OUTPUT")
"""The built-in chains of the filter table."""


def hooks_leading_to(table: Table, chain: str, hooks: Collection[str] = FILTER_HOOKS) -> set[str]:
    """Return those built-in chains of a table, `hooks`, from which `chain` is reached, itself if it is one."""
    seen, pending = {chain}, [chain]
    while pending:
        callers = {rule.chain for rule in table.rules_to(pending.pop())} - seen
        seen |= callers
        pending += callers
    return seen & set(hooks)


def _marks_asked(rule: Rule) -> int | None:
    """Return the bits that a rule wants to be set in the mark; None where it asks something else."""
    names = {match.name for match in rule.matches} - {"comment"}
    option = next((match.option("--mark") for match in rule.matches if match.name == "mark"), None)
    asked = read_mark(option.values[0]) if option and not option.negated and option.values else None
    if asked is None or names != {"mark"} or rule.parts.basics or asked.value != asked.mask:
        return None
    return asked.value


def bits_set(rule: Rule) -> int:
    """Return the bits that a MARK rule surely sets; 0 for any other rule.

    `--set-xmark V/M` makes the mark (mark & ~M) ^ V, so only bits in both are set whatever the mark was.
    """
    value = rule.target.value("--set-xmark") if rule.target and rule.target.name == "MARK" else None
    mark = read_mark(value or "")
    return mark.value & mark.mask if mark else 0


def bits_cleared(rule: Rule) -> int:
    """Return the bits that a MARK rule surely takes from the mark; 0 for any other rule."""
    value = rule.target.value("--set-xmark") if rule.target and rule.target.name == "MARK" else None
    mark = read_mark(value or "")
    return mark.mask & ~mark.value if mark else 0


def asks_for_mark(rule: Rule) -> bool:
    """Whether a rule is asked of marked packets alone: it names a mark, or one above lets go what has none."""
    above = rule.table.rules_of(rule.chain)[: rule.number - 1]
    let_go = (compiled(one) for one in above if one.target is not None and one.target.name == "RETURN")
    return any(test.kind == "mark" for test in compiled(rule).tests) or any(
        [(test.kind, test.negated) for test in one.tests] == [("mark", True)] for one in let_go
    )


def marking_rules(dump: Dump) -> list[Rule]:
    """Return the MARK rules of others than kube-proxy and kubelet, by line."""
    rules = (rule for table in dump.tables.values() for rule in table.rules_with("-j MARK"))
    return sorted(filter(_is_of_others, rules), key=lambda rule: rule.line)


def _is_of_others(rule: Rule) -> bool:
    family = family_of(rule.chain, rule.table.name)
    return family is None or family.writer not in {KUBE_PROXY, KUBELET, IPVS}


def hides_mark(nat: Table | None) -> bool:
    """Whether a rule of the chain that marks for masquerading does not show what it sets."""
    rules = nat.rules_of(MARK_MASQUERADE) if nat is not None else ()
    actions = (compiled(rule).action for rule in rules)
    return any(action.name == "MARK" and action.operand is None for action in actions)


class MarkedDrop(NamedTuple):
    """Who drops what bears the mark to be dropped: rules of the filter table, and the hooks that ask them."""

    rules: tuple[Rule, ...]
    hooks: tuple[str, ...]


class Marks:
    """Tells masquerade and drop marks apart, by the bits that the dump's own marking chains set."""

    def __init__(self, nat: Table | None) -> None:
        self._bits = {
            chain: next(filter(None, map(bits_set, nat.rules_of(chain) if nat else ())), default)
            for chain, default in _DEFAULT_BITS.items()
        }

    @property
    def masquerade_bits(self) -> int:
        """The bits that mark what is to be masqueraded."""
        return self._bits[MARK_MASQUERADE]

    @property
    def drop_bits(self) -> int:
        """The bits that mark what is to be dropped."""
        return self._bits[MARK_DROP]

    def masquerades(self, rule: Rule) -> bool:
        """Whether `rule` marks a packet for masquerading."""
        return self._sets(rule, MARK_MASQUERADE)

    def drops(self, rule: Rule) -> bool:
        """Whether `rule` marks a packet for dropping (kubelet's mark, up to Kubernetes 1.26)."""
        return self._sets(rule, MARK_DROP)

    def dropped_by(self, filter_table: Table | None) -> MarkedDrop:
        """Return who drops what bears the mark to be dropped; nobody where the dump has no such rule."""
        if filter_table is None:
            return MarkedDrop((), ())
        rules = tuple(
            rule for rule in filter_table.rules_with("-j DROP") if _marks_asked(rule) == self._bits[MARK_DROP]
        )
        hooks = {hook for rule in rules for hook in hooks_leading_to(filter_table, rule.chain)}
        return MarkedDrop(rules, tuple(hook for hook in FILTER_HOOKS if hook in hooks))

    def _sets(self, rule: Rule, chain: str) -> bool:
        # A jump counts too: kube-proxy only makes sure that the chain exists, its rule is kubelet's.
        return compiled(rule).jump == chain or bool(bits_set(rule) & self._bits[chain])
