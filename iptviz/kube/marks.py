"""Marks that kube-proxy and kubelet give packets: to be masqueraded, to be dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.families import FAMILIES, MARK_DROP, MARK_MASQUERADE
from iptviz.rules.iptables import compiled
from iptviz.xtables.values.numbers import read_mark

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

_DEFAULT_BITS = {family.name: family.bits for family in FAMILIES if family.bits}


def bits_set(rule: Rule) -> int:
    """Return the bits that a MARK rule surely sets; 0 for any other rule.

    `--set-xmark V/M` makes the mark (mark & ~M) ^ V, so only bits in both are set whatever the mark was.
    """
    value = rule.target.value("--set-xmark") if rule.target and rule.target.name == "MARK" else None
    mark = read_mark(value or "")
    return mark.value & mark.mask if mark else 0


class Marks:
    """Tells masquerade and drop marks apart, by the bits that the dump's own marking chains set."""

    def __init__(self, nat: Table | None) -> None:
        self._bits = {
            chain: next(filter(None, map(bits_set, nat.rules_of(chain) if nat else ())), default)
            for chain, default in _DEFAULT_BITS.items()
        }

    def masquerades(self, rule: Rule) -> bool:
        """Whether `rule` marks a packet for masquerading."""
        return self._sets(rule, MARK_MASQUERADE)

    def drops(self, rule: Rule) -> bool:
        """Whether `rule` marks a packet for dropping (kubelet's mark, up to Kubernetes 1.26)."""
        return self._sets(rule, MARK_DROP)

    def _sets(self, rule: Rule, chain: str) -> bool:
        # A jump counts too: kube-proxy only makes sure that the chain exists, its rule is kubelet's.
        return compiled(rule).jump == chain or bool(bits_set(rule) & self._bits[chain])
