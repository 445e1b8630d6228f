"""Marks of kubelet's that others set: what bears them is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.kube.marks import Marks, bits_cleared, bits_set, hooks_leading_to, marking_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

_BEFORE = {
    "raw": {"PREROUTING": "INPUT", "OUTPUT": "OUTPUT"},
    "mangle": {"PREROUTING": "INPUT", "INPUT": "INPUT", "OUTPUT": "OUTPUT"},
    "nat": {"PREROUTING": "INPUT", "OUTPUT": "OUTPUT"},
}
"""By table the hooks whose marks the filter table meets, and in which of its hooks."""

_NARROW = {"-s", "-d"}


def check(node: Examined) -> Iterator[Finding]:
    """Yield the rules of others that set the mark by which kubelet drops."""
    tables = node.dump.tables
    marks = Marks(tables.get("nat"))
    dropping = marks.dropped_by(tables.get("filter"))
    if not dropping.hooks:
        return
    others = marking_rules(node.dump)
    cleared = any(bits_cleared(rule) & marks.drop_bits for rule in others)
    for rule in others:
        table = tables[rule.table.name]
        hooks = [hook for hook in _met_in(table, rule) if hook in dropping.hooks]
        if bits_set(rule) & marks.drop_bits == marks.drop_bits and hooks:
            wide = not cleared and _NARROW.isdisjoint(option.name for option in rule.parts.basics)
            by = dropping.rules[0]
            yield found(drop_mark_set, [rule, *dropping.rules], line=rule.line, state="all" if wide else "some",
                rule=f"{table.name} {rule.chain} rule {rule.number}", mark=hex(marks.drop_bits),
                dropped=f"{by.chain} (line {by.line})", hooks=tuple(hooks),
            )  # fmt: skip


def _met_in(table: Table, rule: Rule) -> list[str]:
    """Return the hooks of the filter table that meet what a rule marks."""
    before = _BEFORE.get(table.name, {})
    leading = hooks_leading_to(table, rule.chain, before)
    return sorted({before[hook] for hook in leading})


@diagnosis({"all": "high", "some": "info"})
def drop_mark_set(*, rule: str, mark: str, dropped: str, hooks: tuple[str, ...]) -> str:
    """A rule of another program sets the mark by which kubelet drops packets.

    kubelet's KUBE-FIREWALL drops packets with mark 0x8000, unless --iptables-drop-bit says otherwise: only
    KUBE-MARK-DROP should set it. A program that sets the whole mark sets that bit, too.

    Why: Marked packets are dropped by accident: connections to the node itself, to endpoints in
    its network and to its kubelet, or those that it opens.

    Do: Have the other program set only bits of its own, with a mask (--set-xmark 0x1/0x1). kubelet's bit can be
    moved by --iptables-drop-bit up to 1.27.
    """
    return f"{rule} sets {mark} in marks, and {dropped} drops packets with it in {' and '.join(hooks)}"
