"""One rule taken apart: basic options, matches and a target, with whatever is unknown kept as it stood."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.dump.words import UnclosedQuoteError, quote_word, split_words
from iptviz.xtables.matches import BASIC, PROTOCOL_MATCH, match_options
from iptviz.xtables.targets import target_spec

if TYPE_CHECKING:
    from iptviz.xtables.option import OptionSpec, OptionTable

_MATCH_WORDS = {"-m", "--match"}
_TARGET_WORDS = {"-j": False, "--jump": False, "-g": True, "--goto": True}
_APPEND_WORDS = {"-A", "--append"}
_COUNTER_WORDS = {"-c", "--set-counters"}


class Option(NamedTuple):
    """One option as it stands in a rule; `name` is the spelling that iptables-save prints first."""

    name: str
    negated: bool
    values: tuple[str, ...]

    def text(self) -> str:
        """Return the option as one would type it."""
        return ("! " if self.negated else "") + " ".join((self.name, *map(quote_word, self.values)))


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


class RuleParts(NamedTuple):
    """A rule taken apart. `unknown` holds options that no table knows; `problem` says what is malformed."""

    chain: str
    basics: tuple[Option, ...]
    matches: tuple[Match, ...]
    target: Target | None
    unknown: tuple[Option, ...]
    problem: str


def take_apart(text: str) -> RuleParts:
    """Take the text of one `-A CHAIN ...` line apart; never raises: what is malformed is named."""
    try:
        words = split_words(text)
    except UnclosedQuoteError:
        return RuleParts(_chain_of(text), (), (), None, (), "a quote is never closed")
    return _RuleReader(words).read()


def _chain_of(text: str) -> str:
    words = text.split(maxsplit=2)
    return words[1] if len(words) > 1 else ""


class _RuleReader:
    """Reads words from left to right; each option belongs to the nearest extension that knows it."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.at = 0
        self.chain = ""
        self.basics: list[Option] = []
        self.loaded: list[tuple[str, OptionTable, list[Option]]] = []
        self.target: tuple[str, bool, list[Option]] | None = None
        self.target_table: OptionTable = {}
        self.unknown: list[Option] = []
        self.problem = ""

    def read(self) -> RuleParts:
        while self.at < len(self.words):
            self._read_one()
        return RuleParts(
            self.chain,
            tuple(self.basics),
            tuple(Match(name, tuple(options)) for name, _, options in self.loaded),
            Target(self.target[0], self.target[1], tuple(self.target[2])) if self.target else None,
            tuple(self.unknown),
            self.problem,
        )

    def _read_one(self) -> None:
        word = self._next()
        negated = word == "!"
        if negated:
            word = self._next()
        if not self._read_structure(word):
            self._read_option(word, negated=negated)
        elif negated:
            self._complain(f"! stands before {word}")

    def _read_structure(self, word: str) -> bool:
        """Read on after a word that gives the rule its structure; False for an option."""
        if word in _TARGET_WORDS:
            self._begin_target(word, goto=_TARGET_WORDS[word])
        elif word in _MATCH_WORDS:
            self._begin_match(self._next())
        elif word in _APPEND_WORDS:
            self.chain = self._next()
        elif word in _COUNTER_WORDS:
            self._next()
            self._next()
        else:
            return False
        return True

    def _complain(self, problem: str) -> None:
        """Keep the first problem of the rule."""
        self.problem = self.problem or problem

    def _begin_target(self, word: str, *, goto: bool) -> None:
        if self.target is not None:
            self._complain(f"a second target, at {word}")
        name = self._next()
        spec = target_spec(name)
        self.target = (name, goto, [])
        self.target_table = spec.options if spec else {}

    def _begin_match(self, name: str) -> None:
        table = match_options(name)
        if table is None:
            self.unknown.append(Option(f"-m {name}", negated=False, values=()))
        self.loaded.append((name, table or {}, []))

    def _read_option(self, word: str, *, negated: bool) -> None:
        """Give `word` and its values to whoever knows it; an unknown one keeps the words after it."""
        spec, owner = self._owner(word)
        if spec is None or owner is None:
            self._keep_unknown(word, negated=negated)
            return
        if spec.most and spec.negatable and self._peek() == "!":  # its old place: `-s ! 10.0.0.0/8`
            self._next()
            if negated:
                self._complain(f"{word} is negated twice")
            negated = True
        owner.append(Option(spec.name, negated, self._values(spec)))

    def _owner(self, word: str) -> tuple[OptionSpec | None, list[Option] | None]:
        """Find who takes the option: the target, then matches from last to first, then the rule itself."""
        if self.target and word in self.target_table:
            return self.target_table[word], self.target[2]
        for _, table, options in reversed(self.loaded):
            if word in table:
                return table[word], options
        if word in BASIC:
            return BASIC[word], self.basics
        return self._implied_owner(word)

    def _implied_owner(self, word: str) -> tuple[OptionSpec | None, list[Option] | None]:
        """Load the protocol's match for an option that only it knows, as `-p tcp --dport 80` does."""
        protocol = self._protocol()
        table = match_options(protocol)
        if table is None or word not in table:
            return None, None
        self.loaded.append((protocol, table, []))
        return table[word], self.loaded[-1][2]

    def _protocol(self) -> str:
        for option in self.basics:
            if option.name == "-p" and option.values:
                name = option.values[0].lower()
                return PROTOCOL_MATCH.get(name, name)
        return ""

    def _keep_unknown(self, word: str, *, negated: bool) -> None:
        """Keep the option and the words up to the next one; an unknown match is given it."""
        start = self.at
        while self.at < len(self.words) and not self._starts_option(self.words[self.at]):
            self.at += 1
        option = Option(word, negated, tuple(self.words[start : self.at]))
        if self.loaded and self.target is None and match_options(self.loaded[-1][0]) is None:
            self.loaded[-1][2].append(option)
        else:
            self.unknown.append(option)

    @staticmethod
    def _starts_option(word: str) -> bool:
        return word == "!" or (len(word) > 1 and word[0] == "-" and not word[1].isdigit())

    def _values(self, spec: OptionSpec) -> tuple[str, ...]:
        count = spec.most
        if spec.least < spec.most and self._starts_option(self._peek() or "-x"):
            count = spec.least
        values = tuple(self.words[self.at : self.at + count])
        self.at += count
        if len(values) < spec.least:
            self._complain(f"{spec.name} lacks its value")
        return values

    def _peek(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def _next(self) -> str:
        """Return the next word; the line ending too early is a problem of the rule, not an exception."""
        if self.at >= len(self.words):
            self._complain(f"{self.words[-1]} lacks its value")
            return ""
        self.at += 1
        return self.words[self.at - 1]
