"""Rules of an nf_tables dump that may be all that is left of native ones of nft.

iptables-nft-save prints a native rule without the sets, ranges and concatenations that it does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.rules.form import RETURN, TARGET
from iptviz.xtables.values.protocols import WITH_PORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.rules.form import CompiledRule

_HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
_VERDICTS = {"ACCEPT", "DROP", "RETURN", "DNAT"}
"""What ends a native rule that is printed cut short; another one makes iptables-nft-save refuse the table."""


def rules_cut_short(table: Table, as_printed: Callable[[Rule], CompiledRule]) -> Iterator[Rule]:
    """Yield such rules above kube-proxy's jump in a built-in chain: a search of bytes.

    What the chain's policy does anyway changes nothing.
    """
    for hook in _HOOKS if table.saving.backend == "nf_tables" else ():
        for rule in _above_kube_proxy(table, hook):
            made = as_printed(rule)
            changes = made.action.name != table.chains[hook].policy
            if changes and may_be_cut_short(made) and not rule.matches:
                yield rule


def _above_kube_proxy(table: Table, hook: str) -> Iterator[Rule]:
    """Yield the rules that begin as one cut short does."""
    jump = next(table.rules_with("-j KUBE-", hook), None)
    for begins in (f"-A {hook} -j ", f"-A {hook} -p ") if jump is not None else ():
        yield from (rule for rule in table.rules_with(begins, hook) if jump and rule.line < jump.line)


def may_be_cut_short(made: CompiledRule) -> bool:
    """Whether a rule ends a table and asks for what is left of a native one: nothing, a protocol with ports."""
    tests = made.tests
    left = [test.operand for test in tests if test.kind == "protocol" and not test.negated]
    is_left = len(left) == len(tests) <= 1 and all(one in WITH_PORTS for one in left)
    return is_left and made.action.kind in {TARGET, RETURN} and made.action.name in _VERDICTS
