"""What a match, or a whole rule, says of a packet: true, false, a chance, or true under a condition."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.condition import Assumption, Condition

if TYPE_CHECKING:
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.grammar.parts import Match
    from iptviz.xtables.option import Option

Truth = bool | Fraction | Assumption
"""True, False, a chance in [0, 1], or the assumption under which it is true."""

Meaning = Callable[["Match", "Packet", "Host"], list[Truth]]
"""From a match, a packet and its host to the truths, all of which must hold."""


class RuleTruth(NamedTuple):
    """A rule matches with `chance` (in [0, 1]) provided that all of `needs` hold."""

    chance: Fraction
    needs: tuple[Assumption, ...]


def unknown(text: str) -> Truth:
    """Return the condition that stands for what nobody here understands."""
    return Assumption(Condition("match", text), holds=True)


def question(kind: str, value: str, option: Option, since: int | None = None) -> Assumption:
    """Return the condition that `option` asks about, with its negation.

    `since` is the line of the rule that made what it is about unknown.
    """
    return Assumption(Condition(kind, value, since=since), holds=not option.negated)


def known(option: Option, *, holds: bool) -> bool:
    """Return a known truth, with the option's negation."""
    return holds != option.negated


def asked(match: Match, option: Option, since: int | None = None) -> Assumption:
    """Return the condition that quotes an option as it stands."""
    return question("match", f"-m {match.name} {option._replace(negated=False).text()}", option, since)


def either(match: Match, option: Option, *, holds: bool | None) -> Truth:
    """Return a known truth, or the condition that quotes the option where `holds` is None."""
    return asked(match, option) if holds is None else known(option, holds=holds)


def each_option(meaning: Callable[[Match, Option, Packet, Host], Truth]) -> Meaning:
    """Return the meaning of a match all of whose options must hold, each by itself."""
    return lambda match, packet, host: [meaning(match, option, packet, host) for option in match.options]
