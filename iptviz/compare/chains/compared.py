"""In what the chains and rules of two dumps differ, by what iptables-save prints of each rule."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

from iptviz.compare.chains.explained import Explaining
from iptviz.compare.chains.forms import (
    ChainChange,
    ChainChanges,
    Explained,
    Reordered,
    Side,
    Uncompared,
)
from iptviz.compare.chains.rule_changes import ChainPair, Context, rule_changes
from iptviz.compare.chains.rule_effects import ChainDoings
from iptviz.compare.chains.table_side import TableSide, lone_chains, odd_chains
from iptviz.compare.chains.texts import wording
from iptviz.compare.chains.unlike import unlike_chains
from iptviz.compare.chains.untold import likenings
from iptviz.intake.index import TABLE_NAMES
from iptviz.intake.text import to_bytes, to_text
from iptviz.node.snapshot import as_snapshot
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from iptviz.compare.chains.forms import Fact, RuleChange
    from iptviz.compare.chains.pairing import Likening
    from iptviz.compare.chains.texts import Wording
    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table

    Unseen = tuple[Collection[str], Collection[str]]

NOTHING_EXPLAINED = Explained()
_SIDES: tuple[Side, Side] = ("old", "new")


def chain_changes(
    old: Dump, new: Dump, explained: Explained = NOTHING_EXPLAINED, unseen: Unseen | None = None
) -> ChainChanges:
    """Return in what two dumps of one family differ, rule by rule.

    `unseen` are the tables that each node may have and its dump does not show (`Snapshot.unseen_tables`), as far
    as something beside the dumps tells.
    Never a difference: counters, the order of tables and of chains, a table without rules against none, how a
    rule is spelt, or the digits of kube-proxy's probabilities.
    """
    names = [name for name in dict.fromkeys((*new.tables, *old.tables)) if name in TABLE_NAMES]
    told = unseen or (None, None)
    hiding = _unseen(old, told[0]), _unseen(new, told[1])
    chains: list[ChainChange] = []
    reordered: list[Reordered] = []
    uncompared: list[Uncompared] = []
    untold: dict[Fact, set[Side]] = {}
    for name in [*names, *(name for name in TABLE_NAMES if name not in names)]:
        hidden = _hidden(name, hiding)
        if hidden:
            uncompared.append(Uncompared(name, hidden, "not-shown"))
            continue
        both = _Tables(old, new, name, explained, wording(old, new))
        chains += both.changes()
        reordered += both.reordered
        uncompared += both.uncompared()
        for fact, sides in both.untold():
            untold.setdefault(fact, set()).update(sides)
    facts = tuple((fact, tuple(side for side in _SIDES if side in sides)) for fact, sides in untold.items())
    return ChainChanges(tuple(chains), tuple(reordered), tuple(uncompared), facts)


def _unseen(dump: Dump, told: Collection[str] | None) -> Collection[str]:
    """Return the tables that a dump may lack: `told` of its node, and all others where its text is cut off."""
    if all(table.committed for table in dump.tables.values()):
        return as_snapshot(dump).unseen_tables(dump) if told is None else told
    return [name for name in TABLE_NAMES if name not in dump.tables]


def _hidden(table: str, unseen: Unseen) -> tuple[Side, ...]:
    return tuple(side for side, names in zip(_SIDES, unseen, strict=True) if table in names)


class _Pending(NamedTuple):
    """A chain of which something differs in bytes, or whose declaration does."""

    name: str
    lines: tuple[bytes, bytes]


class _Tables:
    """A table of both dumps."""

    def __init__(self, old: Dump, new: Dump, name: str, explained: Explained, words: Wording) -> None:
        self.name = name
        self._old, self._new = TableSide(old, name), TableSide(new, name)
        self._words = words
        self._explained = explained
        self._used: set[Fact] = set()
        self.reordered: list[Reordered] = []

    @property
    def _sides(self) -> tuple[TableSide, TableSide]:
        return self._old, self._new

    @cached_property
    def _context(self) -> Context:
        tables, explained = self._tables, self._explained
        return Context(
            self._words,
            lambda: self._likenings,
            (ChainDoings(tables[0]), ChainDoings(tables[1])),
            Explaining(explained, self.name, tables),
            (explained.old_lines, explained.new_lines),
            is_whole=not self._hidden_facts,
        )

    @cached_property
    def _likenings(self) -> Sequence[Likening]:
        return tuple(likenings(self._old.untold, self._new.untold))

    # --- what differs ------------------------------------------------------------------------------------------

    def changes(self) -> Iterator[ChainChange]:
        """Yield what differs, chain by chain in the order of the new dump."""
        for pending in self._pending():
            change = self._change(pending)
            if change is not None:
                yield change

    def _pending(self) -> Iterator[_Pending]:
        """Yield the chains of which lines differ, or what is declared of them."""
        old, new = self._sides
        unlike = unlike_chains((old.data, old.blocks), (new.data, new.blocks))
        odd = {*odd_chains(old, new, unlike), *lone_chains(old, new, unlike)}
        odd |= {to_bytes(hook) for hook in new.hooks if old.policies[hook] != new.policies[hook]}
        for name in self._in_order(odd):
            chain = to_bytes(name)
            yield _Pending(name, (old.lines(chain), new.lines(chain)))

    def _in_order(self, chains: set[bytes]) -> list[str]:
        """Return chains in the order of the new dump, then those that the old one alone has."""
        names = sorted(map(to_text, chains))
        lines = {name: (self._new.line(name), self._old.line(name)) for name in names}
        return sorted(names, key=lambda name: (lines[name][0] is None, lines[name][0] or lines[name][1] or 0))

    def _change(self, pending: _Pending) -> ChainChange | None:
        old, new = self._sides
        name = pending.name
        if old.may_have(name) or new.may_have(name) or not self._is_there(name):
            return None
        explaining = self._context.explaining
        if explaining.is_only_order(name, *pending.lines):
            return None
        unlisted = explaining.own_lines(name, *pending.lines)
        if unlisted is not None:
            return self._told(pending, (), unlisted)
        pair = ChainPair(self._tables, name, pending.lines, (old.lacks(name), new.lacks(name)))
        found = rule_changes(pair, self._context)
        self._used |= found.facts
        if found.reordered:
            self.reordered.append(Reordered(self.name, name, found.reordered))
        return self._told(pending, found.rules)

    def _told(
        self, pending: _Pending, rules: tuple[RuleChange, ...], unlisted: int | None = None
    ) -> ChainChange | None:
        """Return what differs of a chain, None where nothing does."""
        old, new = self._sides
        name = pending.name
        change = ChainChange(
            self.name, name, self._kind(name), old.line(name), new.line(name), old.policies.get(name),
            new.policies.get(name), rules, self._is_inert(pending), unlisted,
            rules_shown=not (old.lacks(name) or new.lacks(name)),
        )  # fmt: skip
        return change if change.kind != "changed" or rules or unlisted or change.policy_changed else None

    def _is_inert(self, pending: _Pending) -> bool:
        """Whether a user chain came or went that holds no rule, and to which none leads; nothing is cut off."""
        if self._kind(pending.name) == "changed" or any(one.missing for one in self._sides):
            return False
        return not any(pending.lines) and not any(one.is_led_to(pending.name) for one in self._sides)

    @property
    def _tables(self) -> tuple[Table | None, Table | None]:
        return self._old.table, self._new.table

    def _is_there(self, chain: str) -> bool:
        """Whether there is such a chain, and not only the beginning of a name."""
        return chain in self._new.hooks or any(side.has(to_bytes(chain)) for side in self._sides)

    def _kind(self, chain: str) -> Literal["added", "removed", "changed"]:
        """Return whether a chain came, went, or is in both; built-in chains are always there."""
        name = to_bytes(chain)
        if chain in self._new.hooks or (self._old.has(name) and self._new.has(name)):
            return "changed"
        return "added" if self._new.has(name) else "removed"

    # --- what could not be compared ----------------------------------------------------------------------------

    def uncompared(self) -> Iterator[Uncompared]:
        """Yield which sides do not show all, so that what they lack was not compared."""
        whys = [one.missing for one in self._sides]
        for why in dict.fromkeys(whys):
            if why is not None:
                sides = tuple(side for side, its in zip(_SIDES, whys, strict=True) if its == why)
                yield Uncompared(self.name, sides, why)

    def untold(self) -> Iterator[tuple[Fact, list[Side]]]:
        """Yield what was left out of the comparison of rules, and the sides that do not show it."""
        pairs = [(side, one.untold) for side, one in zip(_SIDES, self._sides, strict=True) if one.untold]
        for fact in sorted(self._used | self._hidden_facts):
            yield fact, [side for side, untold in pairs if fact in untold.facts]

    @property
    def _hidden_facts(self) -> set[Fact]:
        """What no rule shows, be it the same on both sides."""
        return (
            {"interfaces"}
            if any(one.untold and one.untold.hides_interfaces for one in self._sides)
            else set()
        )
