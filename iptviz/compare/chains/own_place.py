"""Rules that rightly differ between two nodes: those of the pods on each, those that name its own networks."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from iptviz.kube.families import family_of
from iptviz.rules.iptables import dump_rule
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from iptviz.compare.chains.forms import ChainChange, ChainChanges, RuleChange, RuleForm
    from iptviz.dump.model import Dump
    from iptviz.xtables.address import Network

    Networks = Collection[Network]

_OF_ONE_POD = ("KUBE-HP-", "CNI-", "NETAVARK-DN-", "KUBE-POD-FW-")
"""Beginnings of chains that a program writes for a single pod."""

_ADDRESS = re.compile(r"(?<=[ ,])(?:\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f:.]+)(?:/\d+)?(?=[ ,]|$)")
_SOURCE = re.compile(r" -s (\S+)")
_OWN = "OWN"


def without_own(
    changes: ChainChanges, dumps: tuple[Dump, Dump], addresses: tuple[Networks, Networks]
) -> tuple[ChainChanges, int]:
    """Return changes without those that a node's own place makes, and how many rules these are.

    `addresses` are those of either node, as far as they are known.
    """
    own = [{*_masqueraded(dump), *known} for dump, known in zip(dumps, addresses, strict=True)]
    leaving = _Leaving(own[0] - own[1], own[1] - own[0])
    chains, count = [], 0
    for change in changes.chains:
        left = leaving.of(change)
        count += len(change.rules) - len(left.rules) if left else max(len(change.rules), 1)
        chains += [left] if left else []
    return changes._replace(chains=tuple(chains)), count


def _masqueraded(dump: Dump) -> Iterator[Network]:
    """Yield the networks whose connections a node masquerades: that of its own pods is among them."""
    nat = dump.tables.get("nat")
    for rule in nat.rules_with(" -j MASQUERADE") if nat is not None else ():
        for text in _SOURCE.findall(rule.text):
            if (network := parse_network(text)) is not None:
                yield network


class _Leaving:
    """Takes from a chain what belongs to pods of one node, or differs in its own networks alone."""

    def __init__(self, old: Collection[Network], new: Collection[Network]) -> None:
        self.old = old
        self.new = new

    def of(self, change: ChainChange) -> ChainChange | None:
        """Return what is left of a chain's changes; None where nothing is."""
        if _is_of_one_pod(change.chain, change.table):
            return None
        matched = self._matched(change.rules)
        kept = tuple(rule for rule in change.rules if not self._is_own(rule, change.table, matched))
        if len(kept) == len(change.rules):
            return change
        left = change._replace(rules=kept)
        return left if kept or change.kind != "changed" or change.policy_changed else None

    def _matched(self, rules: Collection[RuleChange]) -> Collection[str]:
        """Return the texts, without own networks, of rules that came and went as often."""
        went = Counter(self._masked_old(rule.old) for rule in rules if rule.old and not rule.new)
        came = Counter(self._masked_new(rule.new) for rule in rules if rule.new and not rule.old)
        return {text for text, count in went.items() if count == came[text] and _OWN in text}

    def _is_own(self, change: RuleChange, table: str, matched: Collection[str]) -> bool:
        if any(
            _is_of_one_pod(dump_rule(form.rule).jump or "", table)
            for form in (change.old, change.new)
            if form
        ):
            return True
        if change.old and change.new:
            return change.kind == "changed" and self._masked_old(change.old) == self._masked_new(change.new)
        masked = [self._masked_old(change.old)] if change.old else []
        masked += [self._masked_new(change.new)] if change.new else []
        return masked[0] in matched

    def _masked_old(self, form: RuleForm) -> str:
        return _masked(form.text, self.old)

    def _masked_new(self, form: RuleForm) -> str:
        return _masked(form.text, self.new)


def _is_of_one_pod(chain: str, table: str) -> bool:
    if not chain:
        return False
    family = family_of(chain, table)
    return chain.startswith(_OF_ONE_POD) or (family is not None and family.ends_in == "interface")


def _masked(text: str, own: Collection[Network]) -> str:
    """Return a rule with one word for each network of the node's own."""
    return _ADDRESS.sub(lambda found: _OWN if parse_network(found[0]) in own else found[0], text)
