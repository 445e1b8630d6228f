"""The quick way to make rules: by shapes, of which one stands for thousands of rules.

Of every rule whose shape is known only the literals are read, by the same readers as in the thorough way.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from iptviz.grammar import shapes
from iptviz.grammar.shapes import Part
from iptviz.records import NamedTuple
from iptviz.rules.form import JUMP, TARGET, Action, CompiledRule
from iptviz.rules.reading.addresses import basic_tests
from iptviz.rules.reading.table import asks_nothing, match_tests
from iptviz.rules.thorough import action_of, target_action

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.grammar.parts import Match
    from iptviz.grammar.shapes import Skeleton
    from iptviz.rules.form import Place, Test
    from iptviz.xtables.option import Option


class _Shape(NamedTuple):
    """What the rules of one shape have in common.

    `parts` are what they ask, or where that hangs on literals, how to find it; so is `action`, None for a jump to
    the chain that the last literal names.
    """

    parts: tuple[tuple[Test, ...] | Part, ...]
    action: Action | Part | None

    def filled(self, place: Place, literals: list[str]) -> CompiledRule:
        """Return the rule with these literals."""
        tests: tuple[Test, ...] = ()
        for part in self.parts:
            tests += part if isinstance(part, tuple) else part.filled(literals)
        action = self.action
        if action is None:
            action = Action(JUMP, literals[-1])
        elif isinstance(action, Part):
            action = action.filled(literals)
        return CompiledRule(place, literals[0], tests, action)


class Shapes:
    """The shapes of one table's rules."""

    def __init__(self, has_chain: Callable[[str], bool], family: str) -> None:
        """`has_chain` says whether the table has a chain of a name, `family` is `ipv4` or `ipv6`."""
        self._has_chain = has_chain
        self._family = family
        self._shapes = shapes.Shapes(self._shape)

    def compiled(self, place: Place, text: str) -> CompiledRule | None:
        """Return the rule of `text`; None where it has no shape, or nothing of the kind came before."""
        found = self._shapes.of(text)
        return None if found is None else found[0].filled(place, found[1])

    def _shape(self, skeleton: Skeleton) -> _Shape:
        return _Shape(_asked(skeleton), self._action(skeleton))

    def _action(self, skeleton: Skeleton) -> Action | Part | None:
        """Return what the rule does; None for a jump to the last literal."""
        if skeleton.jump:
            return None
        action = action_of(skeleton.parts, self._has_chain, self._family)
        target = skeleton.parts.target
        if target is None or action.kind != TARGET:
            return action
        found: Action | Part = skeleton.part(
            target.options, lambda options: target_action(target._replace(options=options), self._family)
        )
        return found


def _asked(skeleton: Skeleton) -> tuple[tuple[Test, ...] | Part, ...]:
    """Return what the rule asks, in its order."""
    found: list[tuple[Test, ...] | Part] = [
        skeleton.part((option,), lambda options: basic_tests(options[0])) for option in skeleton.parts.basics
    ]
    for match in skeleton.parts.matches:
        part = skeleton.part(match.options, partial(_match_tests, match))
        found.append(() if asks_nothing(match) else part)
    return tuple(part for part in found if part != ())


def _match_tests(match: Match, options: tuple[Option, ...]) -> tuple[Test, ...]:
    return match_tests(match._replace(options=options))
