"""Reading a rule word by word, by the whole grammar: old places of `!`, options of any order, what is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.grammar.parts import Counters, Match, RuleParts, Target, Unknown
from iptviz.grammar.segments import by_segments
from iptviz.xtables.matches import BASIC, PROTOCOL_MATCH, match_options
from iptviz.xtables.option import Option
from iptviz.xtables.targets import target_spec
from iptviz.xtables.words import UnclosedQuoteError, split_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.option import OptionSpec, OptionTable

# iptables-restore reads lines of up to 10 KB. Words cost far more memory than their text.
_LONGEST = 1 << 20


def take_apart(text: str) -> RuleParts:
    """Take the text of one `-A CHAIN ...` line apart; never raises: what is malformed is named."""
    if len(text) > _LONGEST:
        return RuleParts(_chain_of(text), (), (), None, (), f"a line of {len(text):,} characters")
    return by_segments(text) or read_thoroughly(text)


def read_thoroughly(text: str) -> RuleParts:
    """Take a rule apart word by word."""
    try:
        words = split_words(text)
    except UnclosedQuoteError:
        return RuleParts(_chain_of(text), (), (), None, (), "unterminated quote")
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
        self.table: str | None = None
        self.counters: Counters | None = None
        self.basics: list[Option] = []
        self.loaded: list[tuple[str, OptionTable, list[Option]]] = []
        self.target: tuple[str, bool, list[Option]] | None = None
        self.clear = True  # whether what the rule does is told
        self.target_table: OptionTable = {}
        self.unknown: list[Unknown] = []
        self.problem = ""

    def read(self) -> RuleParts:
        while self.at < len(self.words):
            self._read_one()
        return RuleParts(
            self.chain,
            tuple(self.basics),
            tuple(Match(name, tuple(options)) for name, _, options in self.loaded),
            Target(*self.target[:2], tuple(self.target[2])) if self.target and self.clear else None,
            tuple(self.unknown),
            self.problem,
            self.counters,
            self.table,
        )

    def _read_one(self) -> None:
        word = self._next()
        negated = word == "!"
        if negated:
            word = self._next()
        word = word if word in _STRUCTURE else self._spelled_out(word)
        if word not in _STRUCTURE:
            self._read_option(word, negated=negated)
            return
        if negated:
            self._complain(f"misplaced ! before {word}")
        _STRUCTURE[word](self)

    def _complain(self, problem: str) -> None:
        """Keep the first problem of the rule."""
        self.problem = self.problem or problem

    # --- the words that give a rule its structure ---

    def _append(self) -> None:
        self.chain = self._next()

    def _insert(self) -> None:
        self.chain = self._next()
        if self._peek().isdecimal():
            self._next()

    def _name_table(self) -> None:
        self.table = self._next()

    def _count(self) -> None:
        packets, comma, bytes_ = self._next().partition(",")
        bytes_ = bytes_ if comma else self._next()
        if _is_count(packets) and _is_count(bytes_):
            self.counters = Counters(int(packets), int(bytes_))
        else:
            self._complain(f"invalid counters {packets} {bytes_}")

    def _jump(self) -> None:
        self._begin_target(goto=False)

    def _goto(self) -> None:
        self._begin_target(goto=True)

    def _begin_target(self, *, goto: bool) -> None:
        if self.target is not None:
            self._complain(f"a second target: {self.words[self.at - 1]}")
            self.clear = False
        name = self._next()
        self.clear = self.clear and name != ""
        spec = target_spec(name)
        self.target = (name, goto, [])
        self.target_table = spec.options if spec else {}

    def _begin_match(self) -> None:
        name = self._next()
        if not name.isdecimal():  # `-m ipv6-icmp` is icmp6, but `-m 6` is no match
            name = PROTOCOL_MATCH.get(name, name)
        table = match_options(name)
        if table is None:
            self._keep(Option(f"-m {name}", negated=False, values=()))
        self.loaded.append((name, table or {}, []))

    # --- options ---

    def _spelled_out(self, word: str) -> str:
        """Undo what getopt allows: `--dport=80`, `-ptcp`, `-jDROP`, and the beginning of an option's name."""
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            name = self._complete(name)
            if equals and self._known(name):
                self.words.insert(self.at, value)
                return name
            return name if not equals else word
        if word[:2] in _SHORT and len(word) > len("-s") and not self._known(word):
            self.words.insert(self.at, word[2:])
            return word[:2]
        return word

    def _loaded_tables(self) -> list[OptionTable]:
        """Return the tables that know an option now, the nearest first."""
        return [self.target_table, *(table for _, table, _ in reversed(self.loaded)), BASIC]

    def _known(self, word: str) -> bool:
        tables = (*self._loaded_tables(), self._implied()[1])
        return word in _STRUCTURE or any(word in table for table in tables)

    def _complete(self, word: str) -> str:
        """Return the one option whose name begins with `word`, or `word`.

        What is loaded goes before the match that the protocol would load: after `-p tcp -m multiport` the
        option `--dport` is the beginning of `--dports`.
        """
        for tables in (self._loaded_tables(), [self._implied()[1]]):
            if any(word in table for table in tables):
                return word
            found = {spec.name for table in tables for name, spec in table.items() if name.startswith(word)}
            if len(found) == 1 and len(word) > len("--"):
                return found.pop()
        return _LONG.get(word, word)

    def _read_option(self, word: str, *, negated: bool) -> None:
        """Give `word` and its values to whoever knows it; an unknown one keeps the words after it."""
        spec, owner = self._owner(word)
        if spec is None or owner is None:
            self._keep_unknown(word, negated=negated)
            return
        if spec.kinds and spec.negatable and self._peek() == "!":  # its old place: `-s ! 10.0.0.0/8`
            self._next()
            if negated:
                self._complain(f"double negation of {word}")
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
        protocol, table = self._implied()
        if word not in table:
            return None, None
        self.loaded.append((protocol, table, []))  # as `-p tcp --dport 80` loads the match of the protocol
        return table[word], self.loaded[-1][2]

    def _implied(self) -> tuple[str, OptionTable]:
        """Return the match that the protocol would load, and its options."""
        for option in self.basics:
            if option.name == "-p" and option.values:
                name = option.values[0].lower()
                name = PROTOCOL_MATCH.get(name, name)
                return name, match_options(name) or {}
        return "", {}

    def _keep_unknown(self, word: str, *, negated: bool) -> None:
        """Keep the option and the words up to the next one; an unknown match is given it."""
        start = self.at
        while self.at < len(self.words) and not self._starts_option(self.words[self.at]):
            self.at += 1
        option = Option(word, negated, tuple(self.words[start : self.at]))
        if self.loaded and self.target is None and match_options(self.loaded[-1][0]) is None:
            self.loaded[-1][2].append(option)
        else:
            self._keep(option)

    def _keep(self, option: Option) -> None:
        self.unknown.append(Unknown(option, len(self.loaded) + (self.target is not None)))

    @staticmethod
    def _starts_option(word: str) -> bool:
        return word == "!" or (len(word) > 1 and word[0] == "-" and not word[1].isdigit())

    def _values(self, spec: OptionSpec) -> tuple[str, ...]:
        count = len(spec.kinds)
        if spec.least < count and self._starts_option(self._peek() or "-x"):
            count = spec.least
        values = tuple(self.words[self.at : self.at + count])
        self.at += count
        if len(values) < spec.least:
            self._complain(f"{spec.name} has no value")
        return values

    def _peek(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def _next(self) -> str:
        """Return the next word; the line ending too early is a problem of the rule, not an exception."""
        if self.at >= len(self.words):
            self._complain(f"{self.words[-1]} has no value")
            return ""
        self.at += 1
        return self.words[self.at - 1]


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= len(str(1 << 64))


_SHORT = frozenset(("-s", "-d", "-p", "-i", "-o", "-j", "-g", "-m", "-t", "-c"))
_LONG = {
    name[:end]: name
    for name, least in {
        "--jump": len("--j"),
        "--goto": len("--g"),
        "--match": len("--ma"),
        "--table": len("--ta"),
    }.items()
    for end in range(least, len(name))
}
"""The beginnings of structuring options that are no other option's of iptables."""

_STRUCTURE: dict[str, Callable[[_RuleReader], None]] = {
    word: action
    for words, action in (
        ("-A --append", _RuleReader._append),
        ("-I --insert", _RuleReader._insert),
        ("-t --table", _RuleReader._name_table),
        ("-c --set-counters", _RuleReader._count),
        ("-m --match", _RuleReader._begin_match),
        ("-j --jump", _RuleReader._jump),
        ("-g --goto", _RuleReader._goto),
    )
    for word in words.split()
}
