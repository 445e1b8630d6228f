"""The text of nft in pseudonyms, word by word: what a word is follows from those before it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.nft.commands import COMMAND
from iptviz.nft.spans import HEAD, KINDS
from iptviz.nft.tokens import unquoted
from iptviz.records import NamedTuple
from iptviz.redact.native.vocabulary import (
    ALONE,
    DATA,
    DATA_TYPES,
    FIB_RESULTS,
    LASTING,
    NAMED_AS,
    NEXT,
    PAIRS,
    SYMBOL_WORDS,
    TYPES,
    VOCABULARY,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iptviz.redact.native.words import NativeWords

_TOKEN = re.compile(
    r"""([\s\\]*)(
    \#\ xt_\S+ | \#[^\n]*
  | "[^"\n]*"?
  | @(?:ll|nh|th|ih),\d+,\d+
  | :(?=[a-z])
  | [^\s{},;"=!<>&|^()\#\\]+
  | == | != | <= | >= | << | >>
  | [^\s\\]
    )""",
    re.VERBOSE,
)
_REMARK = re.compile(r"# handle \d{1,19}|# xt_\w{1,40}", re.ASCII)

_HEADED = frozenset({*KINDS.split("|"), "table", "ct"})
"""Words that may begin a block."""

_VERBS = frozenset({"add", "create", "insert", "flush", "delete", "destroy", "nft"})
_SETS = frozenset({"set", "map", "meter"})
_BEGINNING = _HEADED | _VERBS | {"type", "typeof", "elements"}
"""Words that say something of a statement, where they begin it."""

_OBJECT = "own"
_TO_DEVICES = {("fwd", "to"), ("dup", "to")}
"""Words behind which a text in quotes is an interface."""

_Kinds = tuple[str, ...]


_MOST_JOINED = 16
"""So many values are joined by dots at most; nft takes fewer."""


class _Scope(NamedTuple):
    """What holds again behind a bracket.

    `key` and `data` are the kinds of what stands there, `inner` is whether that is within brackets of a
    statement, `block` what kind of block it stands in.
    """

    key: _Kinds
    data: _Kinds
    inner: bool
    block: str


class TextWriter:
    """Writes one text; `changes` has what words of each kind become."""

    def __init__(self, text: str, words: NativeWords) -> None:
        self._text = text
        self._words = words
        self._changes = words.by_kind
        self._scopes: list[_Scope] = []
        self._sets: dict[str, tuple[_Kinds, _Kinds]] = {}
        self._set = ""
        self._block = ""
        self._opening = ""
        self._inner = False
        self._goes_on = False
        self._begin()

    def _begin(self) -> None:
        """Begin a statement."""
        self._fresh = True
        self._expected: list[str] = []
        self._before = self._last = ""
        self._key: _Kinds = ()
        self._data: _Kinds = ()
        self._compared()
        self._declares = ""
        self._quoted = "own"
        self._mask = ""
        self._asks_fib = False

    def _compared(self, *kinds: str) -> None:
        """Expect constants of some kinds, one behind each dot."""
        self._types: _Kinds = kinds
        self._at = 0
        self._spent = False

    @property
    def place(self) -> tuple[object, ...] | None:
        """What tells how a line is written that begins here, but for its words; None where more may tell."""
        if self._inner:
            rests = self._last == "," and not self._expected
            return (self._block, self._key, self._data, self._quoted, self._mask) if rests else None
        return (self._block,) if self._block in {"chain", "rules"} and not self._goes_on else None

    def enter(self, block: str) -> bool:
        """Take the head of a block on a line of its own; whether one may stand here."""
        if self._inner or self._goes_on:
            return False
        self._scopes.append(_Scope((), (), inner=False, block=self._block))
        self._block = block
        return True

    def leave(self) -> bool:
        """Take the end of a block on a line of its own; whether one may stand here."""
        if self._inner or self._goes_on or not self._scopes:
            return False
        self._close()
        return True

    def line(self, start: int, stop: int) -> str:
        """Return what becomes of a line; its blanks stay."""
        if not self._inner and not self._goes_on:
            self._begin()
        self.found: list[tuple[str, str]] = []
        """The words in it that have signs as names and addresses have, and of what kind each is."""
        at, done = start, list[str]()
        for found in _TOKEN.finditer(self._text, start, stop):
            blank, token = found.groups()
            done += blank, self._token(token, found)
            at = found.end()
        end = self._text[at:stop]
        self._goes_on = "\\" in end
        return "".join((*done, end))

    def _token(self, token: str, found: re.Match[str]) -> str:
        if token[0] == "#":
            return token if _REMARK.fullmatch(token) else "#"
        sign = _SIGNS.get(token)
        if sign is not None:
            sign(self)
        elif token[0] == '"':
            token = self._in_quotes(token)
        elif token[0] == "@" and "," in token:
            self._compared(token[1:].replace(",", "/"))
        elif token[0] not in _OPERATORS:
            return self._word(token, found)
        else:
            self._spent = False
        self._before, self._last = self._last, token
        return token

    # --- brackets and what stands between their contents -------------------------------------------------------

    def _open(self) -> None:
        if not self._opening and self._last in {"jump", "goto"}:
            self._opening = "rules"
        self._scopes.append(_Scope(self._key, self._data, self._inner, self._block))
        if self._opening:
            self._block, self._opening, self._inner = self._opening, "", False
            self._begin()
        else:
            self._key, self._inner, self._expected = self._types, True, []
            self._compared(*self._key)

    def _close(self) -> None:
        if not self._inner:
            self._begin()
        if self._scopes:
            self._key, self._data, self._inner, self._block = self._scopes.pop()
        self._compared()

    def _comma(self) -> None:
        if self._inner:
            self._compared(*self._key)
        self._spent = False

    def _semicolon(self) -> None:
        if self._inner:
            self._comma()
        else:
            self._begin()

    def _dot(self) -> None:
        self._at += 1
        self._spent = False

    def _colon(self) -> None:
        if self._declares:
            self._sets[self._set] = (self._types, ())
            self._compared()
            self._declares = f"{self._declares} data"
        else:
            self._compared(*self._data)

    def _dash(self) -> None:
        self._spent = False

    # --- words -------------------------------------------------------------------------------------------------

    def _in_quotes(self, token: str) -> str:
        kind = self._expected.pop() if self._expected else self._kind_here()
        if not kind and self._last == "type" and self._block.startswith("ct"):
            kind = "helper"
        self._spent = True
        return self._changes[kind or self._quoted][token]

    def _kind_here(self) -> str:
        """Return the kind of a constant that stands here; empty where nothing tells."""
        return self._types[self._at] if not self._spent and self._at < len(self._types) else ""

    def _word(self, word: str, found: re.Match[str]) -> str:
        if self._fresh:
            self._fresh = False
            if word in _BEGINNING:
                self._start(word, found.start(2))
        if self._expected:
            changed = self._change(self._expected.pop(), word)
        elif word in VOCABULARY:
            self._keyword(word)
            changed = word
        else:
            changed = self._constant(word)
        self._before, self._last = self._last, word
        return changed

    def _keyword(self, word: str) -> None:
        """Take a word of the language, which tells of what kind those behind it are."""
        if (self._last, word) in _TO_DEVICES:
            self._quoted = "device"
        self._data = DATA.get(word, self._data)
        if self._asks(word):
            return
        if word in NEXT:
            self._expected = list(reversed(NEXT[word]))
            self._compared()
        elif word == "devices":
            self._compared("device")
        elif self._last != "." and word not in LASTING and word not in SYMBOL_WORDS:
            self._asks_fib = self._asks_fib or word == "fib"
            self._compared()

    def _asks(self, word: str) -> bool:
        """Take a word that asks about something, or is a type; whether it is one."""
        pair = PAIRS.get((self._last, word))
        asked = ALONE.get(word) if pair is None else pair
        if self._declares.startswith("type ") and word in DATA_TYPES:
            self._declare(TYPES.get(word, ""))
        elif self._asks_fib and word in FIB_RESULTS and self._last not in {".", "fib"}:
            self._asks_fib = False
            self._compared(FIB_RESULTS[word])
        elif asked is not None:
            joined = (self._last if pair is None else self._before) == "." and 0 < len(
                self._types
            ) < _MOST_JOINED
            self._compared(*(self._types if joined else ()), TYPES.get(asked, ""))
            self._mask = ""
            if self._declares:
                self._declare()
        else:
            return False
        return True

    def _declare(self, *kinds: str) -> None:
        """Take kinds of the keys of a set, or of its data."""
        self._types = (*self._types, *kinds)
        key, _ = self._sets.get(self._set, ((), ()))
        self._sets[self._set] = (key, self._types) if self._declares.endswith("data") else (self._types, ())

    def _constant(self, word: str) -> str:
        kind = self._kind_here()
        self._spent = True
        if kind == "address" and self._last in _MASKING:
            self._mask = word
            return self._words.mask(word)
        if kind == "address" and self._mask and self._last not in _SETTING:
            return self._words.masked(word, self._mask)
        return self._change(kind, word)

    def _change(self, kind: str, word: str) -> str:
        if not _SIGNS_IN_NAMES.isdisjoint(word):
            self.found.append((word, kind))
        return self._changes[kind][word]

    # --- the beginning of a statement --------------------------------------------------------------------------

    def _start(self, word: str, place: int) -> None:
        """Find out what a statement is that begins with a word."""
        if word in _HEADED and (head := HEAD.match(self._text, place)):
            kind = head["table"] or head["kind"]
            self._name(kind, head, 0)
            self._opening = kind
        elif word in _VERBS and (command := COMMAND.match(self._text, place)):
            self._command(command, 2 if word == "nft" else 1)
        elif self._block in _SETS and word in {"type", "typeof"}:
            self._declares = f"{word} key"
        elif self._block in _SETS and word == "elements":
            self._expect_elements(self._set)

    def _name(self, kind: str, found: re.Match[str], before: int) -> None:
        """Expect words of the language, and behind them the name of a block, of which the family may be told."""
        words = before + len(kind.split()) + bool(found["family"])
        self._expected = [NAMED_AS.get(kind, _OBJECT), *[""] * words]
        self._set = unquoted(found["name"])

    def _command(self, command: re.Match[str], before: int) -> None:
        what, name = command["what"], command["name"]
        if command["all"]:
            return
        words = before + len(what.split()) + bool(command["family"])
        self._expected = [*([NAMED_AS.get(what, _OBJECT)] if name else []), "table", *[""] * words]
        self._set = unquoted(name or "")
        if what == "element":
            self._expect_elements(self._set)
        elif what != "rule" and self._text.startswith("{", command.end()):
            self._opening = what

    def _expect_elements(self, name: str) -> None:
        key, self._data = self._sets.get(name, ((), ()))
        self._compared(*key)
        self._expected = self._expected or [""]


_SIGNS_IN_NAMES = frozenset(".:/")
_OPERATORS = frozenset("=!<>&|^()")
_MASKING = frozenset({"&", "and"})
_SETTING = frozenset({"|", "or", "^", "xor"})

_SIGNS: Mapping[str, Callable[[TextWriter], None]] = {
    "{": TextWriter._open,
    "}": TextWriter._close,
    ",": TextWriter._comma,
    ";": TextWriter._semicolon,
    ".": TextWriter._dot,
    ":": TextWriter._colon,
    "-": TextWriter._dash,
    "/": TextWriter._dash,
}
"""What a sign, also one that stands between blanks as words do, says of what comes behind it."""
