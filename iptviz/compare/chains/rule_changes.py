"""What differs of the rules of one chain: which came, went, changed in their place, or moved."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from iptviz.compare.chains.commuting import Acting
from iptviz.compare.chains.forms import Crossing, RuleChange, RuleForm
from iptviz.compare.chains.moves import Moving, moves
from iptviz.compare.chains.pairing import Chain, Pair, paired, similar
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iptviz.compare.chains.explained import Explaining
    from iptviz.compare.chains.forms import Fact, Kind
    from iptviz.compare.chains.moves import Move
    from iptviz.compare.chains.pairing import Item, Likening, Place
    from iptviz.compare.chains.rule_effects import ChainDoings
    from iptviz.compare.chains.texts import Wording
    from iptviz.dump.table import Table


class ChainPair(NamedTuple):
    """A chain of two tables: its lines on both sides, without counters; on which sides some may be missing."""

    tables: tuple[Table | None, Table | None]
    name: str
    lines: tuple[bytes, bytes]
    lacking: tuple[bool, bool]

    def side(self, side: int) -> Chain:
        """Return the chain of one side, 0 or 1."""
        table, lines = self.tables[side], self.lines[side].split(b"\n")
        if not lines[-1]:
            lines.pop()
        return Chain(lines, table.rules_of(self.name) if table else ())


class Context(NamedTuple):
    """What the rules of a table are compared by; `is_whole`: both texts show all that a rule asks."""

    words: Wording
    likenings: Callable[[], Sequence[Likening]]
    doings: tuple[ChainDoings, ChainDoings]
    explaining: Explaining
    explained_lines: tuple[frozenset[int], frozenset[int]]
    is_whole: bool


class RuleChanges(NamedTuple):
    """What differs of a chain's rules, how many moved without any packet faring otherwise, what was left out."""

    rules: tuple[RuleChange, ...]
    reordered: int
    facts: set[Fact]


def rule_changes(pair: ChainPair, context: Context) -> RuleChanges:
    """Return what differs of a chain's rules."""
    return _Changes(pair, context).found()


class _Changes:
    """The rules of one chain while they are compared."""

    def __init__(self, pair: ChainPair, context: Context) -> None:
        self._chain = pair.name
        self._lacking = pair.lacking
        self._context = context
        self._pairing = paired(pair.side(0), pair.side(1), context.words, context.likenings)

    def found(self) -> RuleChanges:
        """Return what differs, in the order of the new dump."""
        pairs = self._pairing.pairs
        moved = self._moves(pairs)
        acting = {place: move for place, move in moved.items() if move.matters is not False}
        stays = [pair for place, pair in enumerate(pairs) if place not in moved]
        placed = [
            *((pairs[place].new.place, 0, self._moved(pairs, place, move)) for place, move in acting.items()),
            *self._others(stays),
        ]
        facts = {pair.fact for pair in pairs if pair.fact}
        rules = tuple(change for *_, change in sorted(placed, key=lambda one: one[:2]))
        return RuleChanges(rules, len(moved) - len(acting), facts)

    # --- moves -------------------------------------------------------------------------------------------------

    def _moves(self, pairs: Sequence[Pair]) -> dict[int, Move]:
        ranks = {place: rank for rank, place in enumerate(sorted(pair.old.place for pair in pairs))}
        order = [ranks[pair.old.place] for pair in pairs]
        return moves(
            order,
            lambda: Moving(
                [pair.new.rule.text for pair in pairs],
                lambda place: self._acting(pairs[place]),
                self._context.doings,
            ),
        )

    def _acting(self, pair: Pair) -> Acting:
        whole = self._context.is_whole and not pair.fact and not pair.new.place[1]
        return Acting(pair.new.rule, self._context.doings, is_whole=whole)

    def _moved(self, pairs: Sequence[Pair], place: int, move: Move) -> RuleChange:
        pair = pairs[place]
        crossings = tuple(
            Crossing(self._form(pairs[one.place].new), place < one.place, True if one.matters else None)
            for one in move.crossed
        )
        change = self._change("moved", pair.old, pair.new)
        return change._replace(matters=True if move.matters else None, crossings=crossings)

    # --- what one dump has ------------------------------------------------------------------------------------

    def _others(self, stays: Sequence[Pair]) -> Iterator[tuple[Place, int, RuleChange]]:
        """Yield what came, went and changed, each with its place.

        What one side has and the other may have without showing it is no change.
        """
        removed = [] if self._lacking[1] else self._pairing.removed
        added = [] if self._lacking[0] else self._pairing.added
        changed = list(similar(removed, added, stays))
        taken = {item.place for item, _ in changed}, {item.place for _, item in changed}
        for one, other in changed:
            yield other.place, 0, self._change("changed", one, other)
        for item in added:
            if item.place not in taken[1]:
                yield item.place, 0, self._change("added", None, item)
        places = [pair.old.place for pair in stays]
        for item in removed:
            if item.place not in taken[0]:
                before = bisect_left(places, item.place)
                place = stays[before - 1].new.place if before else _BEFORE
                yield place, 1 + item.place[0], self._change("removed", item, None)

    def _change(self, kind: Kind, old: Item | None, new: Item | None) -> RuleChange:
        forms = old and self._form(old), new and self._form(new)
        sides = zip(forms, self._context.explained_lines, strict=True)
        explained = all(self._explains(form, lines) for form, lines in sides if form is not None)
        return RuleChange(kind, *forms, explained=explained)

    def _form(self, item: Item) -> RuleForm:
        return RuleForm(item.rule, item.text or self._context.words.texts(item.rule)[0])

    def _explains(self, form: RuleForm, lines: frozenset[int]) -> bool:
        return self._context.explaining.explains(self._chain, form.text, form.line, lines)


_BEFORE = (-1, 0)
"""Before all rules."""
