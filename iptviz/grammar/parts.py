"""What a rule consists of: basic options, matches and a target, with whatever is unknown kept as it stood."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.xtables.option import Option


class Counters(NamedTuple):
    """How often a rule matched, or a policy decided: packets and bytes, as the dump has them.

    A listing rounds large numbers, to `120K` or `3M`: the true ones then lie within `packets_error` and
    `bytes_error` of those given.
    """

    packets: int
    bytes: int
    packets_error: int = 0
    bytes_error: int = 0


_COUNT = re.compile(r"([0-9]{1,20})(?:~([0-9]{1,20}))?")


def read_counters(text: str) -> Counters | None:
    """Read `packets:bytes`, each perhaps as `120000~500`, 500 more or less; None for anything else."""
    first, _, second = text.partition(":")
    packets, bytes_ = _COUNT.fullmatch(first), _COUNT.fullmatch(second)
    if packets is None or bytes_ is None:
        return None
    return Counters(int(packets[1]), int(bytes_[1]), int(packets[2] or 0), int(bytes_[2] or 0))


class Match(NamedTuple):
    """One `-m NAME` with its options; a rule may hold the same match twice."""

    name: str
    options: tuple[Option, ...]

    def option(self, name: str) -> Option | None:
        """Return the first option called `name`, or None."""
        return next((option for option in self.options if option.name == name), None)

    def text(self) -> str:
        """Return the match as one would type it."""
        return " ".join((f"-m {self.name}", *(option.text() for option in self.options)))


class Target(NamedTuple):
    """What follows `-j` or `-g`: an extension, a verdict or a user chain."""

    name: str
    goto: bool
    options: tuple[Option, ...]

    def value(self, option: str) -> str | None:
        """Return the first value of `option`, or None where the target lacks it."""
        for candidate in self.options:
            if candidate.name == option and candidate.values:
                return candidate.values[0]
        return None


class Unknown(NamedTuple):
    """An option that no table knows, and its place: after how many matches, the target counted as one more."""

    option: Option
    place: int


class RuleParts(NamedTuple):
    """A rule taken apart.

    `unknown` holds options that no table knows, and for each unknown match an option `-m NAME`; `problem`
    says what is malformed. `counters` and `table` are what `-c` and `-t` say within the rule.
    """

    chain: str
    basics: tuple[Option, ...]
    matches: tuple[Match, ...]
    target: Target | None
    unknown: tuple[Unknown, ...] = ()
    problem: str = ""
    counters: Counters | None = None
    table: str | None = None

    @property
    def unclear(self) -> bool:
        """Whether a rule without a target may have one in what is not understood; unknown matches have none."""
        return self.problem != "" or any(not option.name.startswith("-m ") for option, _ in self.unknown)
