"""Where rules of the nat table stand on the way of a packet: by which jumps they are reached, in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.matching import rule_truth
from iptviz.rules.iptables import compiled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.condition import When
    from iptviz.engine.packet import Packet

_HOOKS = ("PREROUTING", "OUTPUT")

Place = tuple[int, ...]


class Places:
    """Finds the first way to rules of one table, from the hooks that nat has for new destinations."""

    def __init__(self, nat: Table) -> None:
        self._nat = nat
        self._by: dict[str, Rule | None] = {}

    def of(self, rule: Rule) -> Place:
        """Return what sorts rules in the order in which they are asked, the unreached last."""
        way = self._way_to(rule.chain)
        if way is None:
            return (len(_HOOKS), rule.line)
        first = way[0].chain if way else rule.chain
        return (_HOOKS.index(first), *(jump.number for jump in way), rule.number)

    def reached(self, rule: Rule) -> bool:
        """Whether jumps lead to a rule from PREROUTING or OUTPUT."""
        return self._way_to(rule.chain) is not None

    def needs(self, rule: Rule, packet: Packet) -> When:
        """Return what must hold of `packet` on the first way to a rule, and for the rule itself."""
        rules = (*(self._way_to(rule.chain) or ()), rule)
        needs = (need for each in rules for need in rule_truth(compiled(each), packet).needs)
        return tuple(dict.fromkeys(needs))

    def _way_to(self, chain: str) -> tuple[Rule, ...] | None:
        """Return the jumps of the first way to a chain, outermost first; None where nothing leads there."""
        if chain not in self._by:
            self._learn(chain)
        way: list[Rule] = []
        while chain not in _HOOKS:
            jump = self._by[chain]
            if jump is None:
                return None
            way.append(jump)
            chain = jump.chain
        return tuple(reversed(way))

    def _learn(self, chain: str) -> None:
        """Find by which jump a chain, and each on the ways to it, is entered first."""
        out: dict[str, list[Rule]] = {}
        seen, pending = {chain}, [chain]
        while pending:
            for jump in self._nat.rules_to(pending.pop()):
                out.setdefault(jump.chain, []).append(jump)
                if jump.chain not in seen:
                    seen.add(jump.chain)
                    pending.append(jump.chain)
        by: dict[str, Rule | None] = {}
        for hook in _HOOKS:
            entering = _last_first(out.get(hook, ()))
            while entering:
                jump = entering.pop()
                callee = jump.jump or ""
                if callee not in by:
                    by[callee] = jump
                    entering += _last_first(out.get(callee, ()))
        self._by |= dict.fromkeys(seen) | by


def _last_first(jumps: Iterable[Rule]) -> list[Rule]:
    return sorted(jumps, key=lambda jump: -jump.number)
