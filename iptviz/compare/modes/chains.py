"""What differs of the chains of two dumps, without what kube-proxy writes in iptables mode alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.kube.families import KUBE_PROXY, family_of
from iptviz.rules.iptables import dump_rule

if TYPE_CHECKING:
    from iptviz.compare.chains.forms import ChainChange, ChainChanges, RuleChange


def without_kube_proxys(changes: ChainChanges, iptables: Literal[0, 1]) -> tuple[ChainChanges, int]:
    """Return changes without chains of kube-proxy's, and rules that lead to them, that one side alone has.

    `iptables` is the side in that mode, 0 the old one. Also returned: how many chains these are.
    """
    kept, count = [], 0
    for change in changes.chains:
        own = _is_own(change.chain, change.table)
        if own and change.kind == ("added" if iptables else "removed"):
            count += 1
            continue
        rules = tuple(rule for rule in change.rules if not _is_of_mode(rule, change, iptables, own=own))
        if rules or change.policy_changed or (change.kind != "changed" and not change.rules):
            kept.append(change._replace(rules=rules))
    return changes._replace(chains=tuple(kept)), count


def _is_of_mode(rule: RuleChange, change: ChainChange, iptables: Literal[0, 1], *, own: bool) -> bool:
    """Whether a rule is one of kube-proxy's that the side in iptables mode has, and the other has not."""
    mine, other = (rule.new, rule.old) if iptables else (rule.old, rule.new)
    if mine is None or other is not None:
        return False
    return own or _is_own(dump_rule(mine.rule).jump or "", change.table)


def _is_own(chain: str, table: str) -> bool:
    family = family_of(chain, table) if chain else None
    return family is not None and family.writer == KUBE_PROXY
