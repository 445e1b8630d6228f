"""Shapes: one rule, taken apart once, stands for thousands that differ in literals alone.

A shape is the text of a rule without its literals: addresses, numbers, quoted texts, names of chains. The grammar
takes it apart once, with a stand-in for each literal; of every further rule of the shape only the literals are
read. That cannot go wrong where each literal is one word and stands where any word would do: as a value of an
option, as the name of the rule's chain, or as that of a chain to jump to. The grammar then takes the rule apart
without a look at it. A rule of which that is not sure has no shape, and is taken apart by itself.
"""

from __future__ import annotations

import re
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from iptviz.grammar.segments import by_segments
from iptviz.xtables.option import Option

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.grammar.parts import RuleParts

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

Made = TypeVar("Made")
"""What is made of a shape."""


def _stand_in(literal: int) -> str:
    """Return the word that stands for a literal, which no other word of a shape contains."""
    return f"@{literal}@"


class Part:
    """A basic option, a match or a target that holds literals; what it becomes is remembered for each of them.

    `holes` say of which option which value is which literal, all counted from 0.
    """

    __slots__ = ("_holes", "_known", "_make", "_options", "_own")

    def __init__(
        self,
        options: tuple[Option, ...],
        holes: list[tuple[int, int, int]],
        make: Callable[[tuple[Option, ...]], Any],
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


class Skeleton:
    """A rule that has been taken apart with stand-ins for its literals.

    Whoever makes something of it takes all that can hold literals by `part` and `jump`: what was not `found`
    there stands where it is more than a value.
    """

    def __init__(self, parts: RuleParts, words: list[str]) -> None:
        self.parts = parts
        self._numbers = {word: number for number, word in enumerate(words)}
        self._found = {parts.chain}

    @property
    def complete(self) -> bool:
        """Whether all literals were found."""
        return len(self._found) == len(self._numbers)

    @property
    def jump(self) -> bool:
        """Whether the last literal is the chain that the rule jumps to."""
        target = self.parts.target
        if target is None or target.name not in self._numbers:
            return False
        self._found.add(target.name)
        return True

    def part(self, options: tuple[Option, ...], make: Callable[[tuple[Option, ...]], Any]) -> Any:
        """Return what options become by `make`, or where they hold literals a `Part`, which finds that."""
        holes = [
            (place, at, self._numbers[value])
            for place, option in enumerate(options)
            for at, value in enumerate(option.values)
            if value in self._numbers
        ]
        self._found.update(options[place].values[at] for place, at, _ in holes)
        return Part(options, holes, make) if holes else make(options)


class Called:
    """What rules of a shape have behind -j: the name, and whether it is `bare`, without any option."""

    def __init__(self, skeleton: Skeleton) -> None:
        target = skeleton.parts.target
        self._jumps = skeleton.jump
        self._name = target.name if target else ""
        self.bare = target is not None and not target.options
        matches = (match.options for match in skeleton.parts.matches)
        for options in (skeleton.parts.basics, *matches, target.options if target else ()):
            skeleton.part(options, tuple)

    def name(self, literals: list[str]) -> str:
        """Return the name in the rule with these literals, empty where it has no target."""
        return literals[-1] if self._jumps else self._name


class Shapes(Generic[Made]):
    """What is made of each shape, once: by `make`, of its skeleton, or None where nothing can be."""

    def __init__(self, make: Callable[[Skeleton], Made]) -> None:
        self._make = make
        self._made: dict[tuple[str, ...], Made | None] = {}
        self._met: set[tuple[str, ...]] = set()

    def of(self, text: str) -> tuple[Made, list[str]] | None:
        """Return what is made of the shape of a rule, and the rule's literals: the first is its chain.

        None where it has no shape, or nothing of the kind came before.
        """
        if len(text) > _LONGEST:
            return None
        pieces = _LITERAL.split(text)
        fixed = tuple(pieces[::2])
        if fixed not in self._made:
            if fixed not in self._met:  # most rules of a small dump are the only ones of their kind
                self._met.add(fixed)
                return None
            self._made[fixed] = self._of_pieces(fixed)
        made = self._made[fixed]
        if made is None:
            return None
        return made, [word[1:-1] if word[0] == '"' else word for word in pieces[1::2]]

    def _of_pieces(self, fixed: tuple[str, ...]) -> Made | None:
        """Return what is made of the shape with these pieces; None where a literal may be more than a value."""
        if any(map(_SPECIAL.search, fixed)):
            return None
        words = [_stand_in(number) for number in range(len(fixed) - 1)]
        parts = by_segments(
            "".join(chain.from_iterable(zip(fixed, [*(f" {word}" for word in words), ""], strict=True)))
        )
        if parts is None or not words or parts.chain != words[0]:
            return None
        skeleton = Skeleton(parts, words)
        made = self._make(skeleton)
        return made if skeleton.complete else None
