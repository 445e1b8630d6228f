"""A rule of nft as one that the engine walks: what follows on a change is asked of the packet as it is then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from iptviz.nft.expressions import AnonymousSet, Concatenation, MapLookup, SetReference
from iptviz.nft.statements import Assign, Counter, Last, Match, Nat, Verdict, VerdictMap
from iptviz.rules.form import ASK, NOTHING, UNSEEN, Action, CompiledRule, Test
from iptviz.rules.native.actions import done, nat_action, serves, verdict
from iptviz.rules.native.comparing import Compared, compared, in_unseen, never
from iptviz.rules.native.lookups import ElementParts, FewParts, SetParts, is_searched, lookup
from iptviz.rules.native.merging import Neighbours, with_neighbours
from iptviz.rules.native.place import NftPlace, TableName, table_name
from iptviz.rules.native.words import match_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iptviz.nft.expressions import Element, Expression
    from iptviz.nft.model import Rule
    from iptviz.nft.statements import Statement
    from iptviz.rules.form import Parts
    from iptviz.rules.native.comparing import Way
    from iptviz.rules.native.scope import Scope

_Told: TypeAlias = "Statement | Neighbours"
_INERT = (Counter, Last)
_ASKING, _COUNTED = Action(ASK), Action(NOTHING)
CHANCE = "chance"
_LONG = 64
"""Of a set with so many elements those are made that a packet may find."""


def compiled(rule: Rule, scope: Scope) -> CompiledRule:
    """Return a rule in the neutral form."""
    statements = tuple(one for one in with_neighbours(rule.statements) if not isinstance(one, _INERT))
    return _Making(rule, scope).made(statements, ())


class _Making:
    """Makes one rule: its parts stand in its place, and those that it looks up where they do."""

    def __init__(self, rule: Rule, scope: Scope) -> None:
        self._rule = rule
        self._scope = scope
        self._table = TableName(table_name(scope.table))
        self._place = NftPlace(rule, self._table)

    def _found_at(self, element: Element, line: int) -> NftPlace:
        """Return the place of an element that the rule finds."""
        return NftPlace(self._rule, self._table, element, line)

    def made(self, statements: Sequence[_Told], tests: Way) -> CompiledRule:
        """Return a rule that asks `tests` and then comes to some statements."""
        for place, statement in enumerate(statements):
            rest = statements[place + 1 :]
            if isinstance(statement, Match) and is_searched(statement, self._scope):
                return self._of_long_set(statement, tests, rest)
            if isinstance(statement, Match):
                asked = compared(statement, self._scope)
                tests = (*tests, *asked.first)
                if not _is_one(asked):
                    return self._of_several(asked, statement, tests, rest)
                tests = (*tests, *_tests(asked))
                continue
            if isinstance(statement, Neighbours):
                return self.neighbours(statement, tests, rest)
            special = _SPECIAL.get(type(statement))
            found = special(self, statement, tests, rest) if special else None
            if found is not None:
                return found
            does = done(statement, self._scope)
            tests = (*tests, *does.tests)
            if does.action is not None:
                more = None if does.ends or not rest else FewParts([self.made(rest, ())])
                return self._made(tests, does.action, more)
        return self._made(tests, _COUNTED)

    def _made(
        self, tests: Way, action: Action, more: Parts | None = None, place: NftPlace | None = None
    ) -> CompiledRule:
        return CompiledRule(place or self._place, self._rule.chain, tests, action, more)

    def _then(self, rest: Sequence[_Told]) -> Parts | None:
        return FewParts([self.made(rest, ())]) if rest else None

    def _of_several(self, asked: Compared, match: Match, tests: Way, rest: Sequence[_Told]) -> CompiledRule:
        """Return a rule of which one of several ways must hold, or none."""
        parts: Parts
        if asked.negated:
            skipping = [self._made(way, _ASKING) for way in asked.ways]
            parts = FewParts([*skipping, self.made(rest, ())])
        else:
            action, then = (_ASKING if rest else _COUNTED), self._then(rest)
            if len(asked.ways) >= _LONG and isinstance(match.right, SetReference | AnonymousSet):
                parts = ElementParts(
                    match.left,
                    match.right,
                    self._scope,
                    lambda way, _element, _line: self._made(way, action, then),
                )
            else:
                parts = FewParts(self._made(way, action, then) for way in asked.ways)
        return self._made(tests, _ASKING, parts)

    def neighbours(self, found: Neighbours, tests: Way, rest: Sequence[_Told]) -> CompiledRule:
        """Ask that all fields differ, or where the kernel compares them as one that any does."""
        asked = [compared(match, self._scope) for match in found.matches]
        tests = (*tests, *dict.fromkeys(test for one in asked for test in one.first))
        differing = [_tests(one) for one in asked]
        text = " ".join(map(match_words, found.matches))
        as_one = Test("merged", value=text, part=text)
        action, then = (_ASKING if rest else _COUNTED), self._then(rest)
        ways = [tuple(test for way in differing for test in way), *((*way, as_one) for way in differing)]
        return self._made(tests, _ASKING, FewParts(self._made(way, action, then) for way in ways))

    def _of_long_set(self, match: Match, tests: Way, rest: Sequence[_Told]) -> CompiledRule:
        """Return a rule that asks whether the destination is in a long set."""
        action, then = (_ASKING if rest else _COUNTED), self._then(rest)
        found = self._scope.named(match.right) if isinstance(match.right, SetReference) else None
        assert found is not None  # noqa: S101 - else it would not be searched

        def make(only: tuple[Expression, ...] | None) -> CompiledRule:
            asked = compared(match, self._scope, only)
            return self._made((*asked.first, *_tests(asked)), action, then)

        return self._made(tests, _ASKING, SetParts(found, make))

    # --- maps ------------------------------------------------------------------------------------------------

    def verdicts(self, statement: VerdictMap, tests: Way, _rest: Sequence[_Told]) -> CompiledRule:
        """Look up what becomes of the packet."""
        if self._scope.hides(statement.map):
            return self._unseen(statement.key, statement.map, tests)

        def make(way: Way, element: Element, line: int) -> CompiledRule:
            found = element.data if isinstance(element.data, Verdict) else Verdict("continue")
            tells = found.chain or isinstance(statement.map, SetReference)  # what ends alike in a rule is one
            own = self._found_at(element, line) if tells else None
            return self._made(way, verdict(found), place=own)

        return self._made(tests, _ASKING, lookup(statement.key, statement.map, self._scope, make))

    def nat(self, statement: Nat, tests: Way, rest: Sequence[_Told]) -> CompiledRule:
        """Rewrite the packet, to what a map has for it, where there is one."""
        if not serves(statement, self._scope):
            return self.made(rest, tests)
        address, port = statement.address, statement.port
        mapped = address if isinstance(address, MapLookup) else port if isinstance(port, MapLookup) else None
        if mapped is None:
            return self._made(tests, nat_action(statement, address, port, self._scope))
        if self._scope.hides(mapped.map):
            return self._unseen(mapped.key, mapped.map, tests)

        def make(way: Way, element: Element, line: int) -> CompiledRule:
            data = element.data if not isinstance(element.data, Verdict) else None
            pair = (data, port) if mapped is address else (address, data)
            place = self._found_at(element, line)
            return self._made(way, nat_action(statement, *pair, self._scope), place=place)

        return self._looked_up(mapped, tests, make)

    def assign(self, statement: Assign, tests: Way, rest: Sequence[_Told]) -> CompiledRule | None:
        """Set something to what a map has for the packet; None where no map is asked."""
        if not isinstance(statement.value, MapLookup):
            return None
        then = self._then(rest)
        found = statement.value.map
        if self._scope.hides(found):
            asked = in_unseen(statement.value.key, found.name, self._scope)
            does = done(statement._replace(value=Concatenation(())), self._scope)
            part = self._made((*asked, *does.tests), does.action or _ASKING, then)
            return self._made(tests, _ASKING, FewParts([part]))

        def make(way: Way, element: Element, line: int) -> CompiledRule:
            does = done(statement._replace(value=_data(element)), self._scope)
            place = self._found_at(element, line)
            return self._made((*way, *does.tests), does.action or _ASKING, then, place)

        return self._looked_up(statement.value, tests, make)

    def _unseen(self, key: Expression, found: SetReference, tests: Way) -> CompiledRule:
        """Return a rule that does what stands in a map whose elements are not shown."""
        asked = in_unseen(key, found.name, self._scope)
        part = self._made(asked, Action(UNSEEN, f"map {found.name}"))
        return self._made(tests, _ASKING, FewParts([part]))

    def _looked_up(
        self, mapped: MapLookup, tests: Way, make: Callable[[Way, Element, int], CompiledRule]
    ) -> CompiledRule:
        return self._made(tests, _ASKING, lookup(mapped.key, mapped.map, self._scope, make))


def _data(element: Element) -> Expression:
    return (
        element.data
        if element.data is not None and not isinstance(element.data, Verdict)
        else Concatenation(())
    )


def _is_one(asked: Compared) -> bool:
    """Whether what is asked is a list of tests that must hold."""
    if asked.negated:
        return all(len(way) <= 1 for way in asked.ways)
    return len(asked.ways) <= 1


def _tests(asked: Compared) -> Way:
    if not asked.negated:
        return asked.ways[0] if asked.ways else (never("no element"),)
    if () in asked.ways:
        return (never("every element"),)
    return tuple(_turned(test) for (test,) in asked.ways)


def _turned(test: Test) -> Test:
    """Return the opposite of a test; of chances that have come, or have not, there is no other."""
    if test.kind == CHANCE:
        return test._replace(operand=1 - test.operand)
    return test._replace(negated=not test.negated)


_Special: TypeAlias = "Callable[[_Making, Any, Way, Sequence[_Told]], CompiledRule | None]"
_SPECIAL: dict[type, _Special] = {VerdictMap: _Making.verdicts, Nat: _Making.nat, Assign: _Making.assign}
