"""The quick way to make rules: one shape, taken apart once, stands for thousands of rules.

A shape is the text of a rule without its literals: addresses, numbers, quoted texts, names of chains. The grammar
takes it apart once, with a stand-in for each literal; for every further rule of the shape only the literals are
read, by the same readers. That cannot go wrong where each literal is one word and stands where any word would do:
as a value of an option, as the name of the rule's chain, or as that of a chain to jump to. The grammar then takes
the rule apart without a look at it. A rule of which that is not sure has no shape, and goes the thorough way.
"""

from __future__ import annotations

import re
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from iptviz.grammar.segments import by_segments
from iptviz.rules.form import JUMP, TARGET, Action, CompiledRule
from iptviz.rules.reading.addresses import basic_tests
from iptviz.rules.reading.table import asks_nothing, match_tests
from iptviz.rules.thorough import action_of, target_action
from iptviz.xtables.option import Option

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.grammar.parts import Match, RuleParts
    from iptviz.rules.form import Place, Test

_LONGEST = 4096
"""A longer rule has no shape: hardly another one is like it."""

# Neither begins as an option does, or with `!`. A quoted text with escapes is no literal, and after `-j` no name
# is one that has the form of a target's.
_WORD = r'[^\s"!-][^\s"]*+'
_QUOTED = r'"[^"\\!-][^"\\]*+"'
_LITERAL = re.compile(
    rf" ((?<! -j )(?:{_QUOTED}|(?:[0-9\[]|[0-9a-fA-F]{{0,4}}:|KUBE-SEP-)[^\s\"]*+)(?= |\Z)|(?<=^-A ){_WORD}"
    rf"|(?<= -j )(?=[A-Z0-9]*[^A-Z0-9]){_WORD}\Z|(?<= -[io] ){_WORD}(?= |\Z))",
    re.ASCII,
)
_SPECIAL = re.compile('["@]')


def _stand_in(literal: int) -> str:
    """Return the word that stands for a literal, which no other word of a shape contains."""
    return f"@{literal}@"


Holes = list[tuple[int, int, int]]
"""Of which option which value is which literal, all counted from 0."""


class _Part:
    """A basic option, a match or a target that holds literals; what it becomes is remembered for each of them."""

    __slots__ = ("_holes", "_known", "_make", "_options", "_own")

    def __init__(
        self, options: tuple[Option, ...], holes: Holes, make: Callable[[tuple[Option, ...]], Any]
    ) -> None:
        self._options = options
        self._holes = holes
        self._make = make
        self._own = itemgetter(*(literal for _, _, literal in holes))
        self._known: dict[Any, Any] = {}

    def filled(self, literals: list[str]) -> Any:
        """Return what the part becomes with the literals of a rule."""
        own = self._own(literals)
        found = self._known.get(own)
        if found is None:
            found = self._known[own] = self._make(self._with(literals))
        return found

    def _with(self, literals: list[str]) -> tuple[Option, ...]:
        options = list(self._options)
        for place, at, literal in self._holes:
            name, negated, values = options[place]
            options[place] = Option(name, negated, (*values[:at], literals[literal], *values[at + 1 :]))
        return tuple(options)


class _Shape(NamedTuple):
    """What the rules of one shape have in common.

    `parts` are what they ask, or where that hangs on literals, how to find it; so is `action`, None for a jump to
    the chain that the last literal names.
    """

    parts: tuple[tuple[Test, ...] | _Part, ...]
    action: Action | _Part | None

    def filled(self, place: Place, literals: list[str]) -> CompiledRule:
        """Return the rule with these literals."""
        tests: tuple[Test, ...] = ()
        for part in self.parts:
            tests += part if isinstance(part, tuple) else part.filled(literals)
        action = self.action
        if action is None:
            action = Action(JUMP, literals[-1])
        elif isinstance(action, _Part):
            action = action.filled(literals)
        return CompiledRule(place, literals[0], tests, action)


Fixed = tuple[str, ...]
"""What stands between the literals of a rule."""


class Shapes:
    """The shapes of one table's rules."""

    def __init__(self, has_chain: Callable[[str], bool], family: str) -> None:
        """`has_chain` says whether the table has a chain of a name, `family` is `ipv4` or `ipv6`."""
        self._has_chain = has_chain
        self._family = family
        self._shapes: dict[Fixed, _Shape | None] = {}
        self._met: set[Fixed] = set()

    def compiled(self, place: Place, text: str) -> CompiledRule | None:
        """Return the rule of `text`; None where it has no shape, or nothing of the kind came before."""
        if len(text) > _LONGEST:
            return None
        pieces = _LITERAL.split(text)
        fixed = tuple(pieces[::2])
        if fixed not in self._shapes:
            if fixed not in self._met:  # most rules of a small dump are the only ones of their kind
                self._met.add(fixed)
                return None
            self._shapes[fixed] = self._shape(fixed)
        shape = self._shapes[fixed]
        if shape is None:
            return None
        return shape.filled(place, [word[1:-1] if word[0] == '"' else word for word in pieces[1::2]])

    def _shape(self, fixed: Fixed) -> _Shape | None:
        """Return the shape with these pieces, or None where a literal may be more than a value."""
        if any(map(_SPECIAL.search, fixed)):
            return None
        words = [_stand_in(number) for number in range(len(fixed) - 1)]
        parts = by_segments(
            "".join(chain.from_iterable(zip(fixed, [*(f" {word}" for word in words), ""], strict=True)))
        )
        if parts is None or not words or parts.chain != words[0]:
            return None
        maker = _ShapeMaker(parts, {word: number for number, word in enumerate(words)})
        shape = _Shape(maker.parts(), maker.action(self._has_chain, self._family))
        return shape if len(maker.placed) == len(words) else None


class _ShapeMaker:
    """Finds the places of the stand-ins in a rule that has been taken apart; `placed` are those found."""

    def __init__(self, parts: RuleParts, numbers: dict[str, int]) -> None:
        self._parts = parts
        self._numbers = numbers
        self.placed = {parts.chain}

    def parts(self) -> tuple[tuple[Test, ...] | _Part, ...]:
        """Return what the rule asks, in its order."""
        found: list[tuple[Test, ...] | _Part] = [
            self._part((option,), lambda options: basic_tests(options[0])) for option in self._parts.basics
        ]
        for match in self._parts.matches:
            part = self._part(match.options, partial(_match_tests, match))
            found.append(() if asks_nothing(match) else part)
        return tuple(part for part in found if part != ())

    def action(self, has_chain: Callable[[str], bool], family: str) -> Action | _Part | None:
        """Return what the rule does; None for a jump to the last literal."""
        target = self._parts.target
        if target is not None and target.name in self._numbers:
            self.placed.add(target.name)
            return None
        action = action_of(self._parts, has_chain, family)
        if target is None or action.kind != TARGET:
            return action
        found: Action | _Part = self._part(
            target.options, lambda options: target_action(target._replace(options=options), family)
        )
        return found

    def _part(self, options: tuple[Option, ...], make: Callable[[tuple[Option, ...]], Any]) -> Any:
        """Return what options become, or where they hold literals, how that is found."""
        holes = [
            (place, at, self._numbers[value])
            for place, option in enumerate(options)
            for at, value in enumerate(option.values)
            if value in self._numbers
        ]
        self.placed.update(options[place].values[at] for place, at, _ in holes)
        return _Part(options, holes, make) if holes else make(options)


def _match_tests(match: Match, options: tuple[Option, ...]) -> tuple[Test, ...]:
    return match_tests(match._replace(options=options))
