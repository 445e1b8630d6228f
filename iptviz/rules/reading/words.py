"""How an option becomes a test: its words for conditions, and the tests of options that nothing here reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from iptviz.rules.form import Test

if TYPE_CHECKING:
    from iptviz.grammar.parts import Match
    from iptviz.xtables.option import Option

Reader = Callable[["Match"], list[Test]]
"""From a match to the tests, all of which must hold."""

QUOTED = "match"
"""The kind of a test that is a condition whatever the packet is: nothing here understands it, or can read it."""


def opaque(text: str) -> Test:
    """Return the test for words that nobody here understands, as they stand: with their negation."""
    return Test(QUOTED, quote=text, part=text)


def option_test(kind: str, match: Match, option: Option, operand: Any = None, value: str = "") -> Test:
    """Return the test of `kind` that an option of a match asks for."""
    bare = option._replace(negated=False) if option.negated else option
    quote = f"-m {match.name} {bare.text()}"
    alone = bare is option and len(match.options) == 1
    return Test(kind, operand, option.negated, value, quote, quote if alone else match.text())


def unread(match: Match, option: Option) -> Test:
    """Return the test that quotes an option."""
    return option_test(QUOTED, match, option)


def if_read(kind: str, match: Match, option: Option, operand: Any, value: str = "") -> Test:
    """Return the test of `kind`, or the one that quotes the option where its operand cannot be read: is None."""
    return unread(match, option) if operand is None else option_test(kind, match, option, operand, value)


def each_option(read: Callable[[Match, Option], Test] | str) -> Reader:
    """Return the reader of a match all of whose options must hold, each by itself.

    For a kind of test, each option becomes one of that kind without an operand.
    """
    if isinstance(read, str):
        kind = read
        return lambda match: [option_test(kind, match, option) for option in match.options]
    return lambda match: [read(match, option) for option in match.options]
