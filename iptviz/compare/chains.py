"""In what the chains and rules of two dumps differ, by what iptables-save prints of each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.compare.chain_forms import ChainChanges, Explained

if TYPE_CHECKING:
    from collections.abc import Collection

    from iptviz.dump.model import Dump

Unseen = tuple["Collection[str]", "Collection[str]"]


def chain_changes(
    old: Dump, new: Dump, explained: Explained = Explained(), unseen: Unseen = ((), ())
) -> ChainChanges:
    """Return in what two dumps of one family differ, rule by rule.

    `unseen` are the tables that each node may have and its dump does not show (`Snapshot.unseen_tables`).
    Never a difference: counters, the order of tables and of chains, a table without rules against none,
    how a rule is spelt, or the digits of kube-proxy's probabilities.
    """
    raise NotImplementedError
