"""What a test, or a whole rule, says of a packet: true, false, a chance, or true under a condition."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.engine.condition import Assumption, Condition
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import Test

Truth = bool | Fraction | Assumption | tuple[Assumption, ...]
"""True, False, a chance in [0, 1], or the assumption, or several together, under which it is true."""

Meaning = Callable[["Test", "Packet", "Host"], Truth]
"""From a test, a packet and its host to the truth."""


class RuleTruth(NamedTuple):
    """A rule matches with `chance` (in [0, 1]) provided that all of `needs` hold."""

    chance: Fraction
    needs: tuple[Assumption, ...]


def needs_of(truth: Assumption | tuple[Assumption, ...]) -> tuple[Assumption, ...]:
    """Return the assumptions under which a test is true."""
    return (truth,) if isinstance(truth, Assumption) else truth


def question(kind: str, value: str, test: Test, since: int | None = None) -> Assumption:
    """Return the condition of `kind` that `test` asks about, with its negation.

    `since` is the line of the rule that made what it is about unknown.
    """
    return Assumption(Condition(kind, value, since=since), holds=not test.negated)


def known(test: Test, *, holds: bool) -> bool:
    """Return a known truth, with the test's negation."""
    return holds != test.negated


def quoted(test: Test, since: int | None = None) -> Assumption:
    """Return the condition that quotes a test as it stands."""
    return question("match", test.quote, test, since)


def either(test: Test, *, holds: bool | None, since: int | None = None) -> Truth:
    """Return a known truth, or the condition that quotes the test where `holds` is None."""
    return quoted(test, since) if holds is None else known(test, holds=holds)
