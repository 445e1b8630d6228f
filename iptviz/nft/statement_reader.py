"""The text of a rule into statements. What is of no known form stays as its text, and what follows is read on."""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from iptviz.nft.action_reader import ACTIONS, object_of
from iptviz.nft.constants import read_word
from iptviz.nft.expression_reader import (
    OPERATORS,
    VERDICTS,
    begins_expression,
    read_constant_words,
    read_expression,
    read_set,
    read_verdict,
)  # fmt: skip
from iptviz.nft.expressions import Binary, Ct, Meta, Payload
from iptviz.nft.fields import CT, META, PAYLOADS
from iptviz.nft.finishing import made_assign, made_match, made_vmap
from iptviz.nft.model import Read
from iptviz.nft.stateful import read_stateful
from iptviz.nft.statements import ANY_BIT, NO_BIT, Match, Unread, Xt
from iptviz.nft.symbols import BITS
from iptviz.nft.tokens import spans_of, tokens_of, unquoted
from iptviz.nft.words import END, NotReadError, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.nft.expressions import Expression
    from iptviz.nft.statements import Statement

_REMEMBERED = 1 << 9
"""So many rules are: programs write the same ones in many chains."""
_LONG = 1 << 10
"""Rules of so many characters are not: each is another one, and what is read of them is much."""

_OPERATORS = {
    "==": "==", "!=": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!": NO_BIT,
    "eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">=",
}  # fmt: skip


def read_rule(text: str, family: str) -> Read:
    """Read the text of a rule in a table of a family."""
    return _remembered(text, family) if len(text) < _LONG else _read(text, family)


@lru_cache(maxsize=_REMEMBERED)
def _remembered(text: str, family: str) -> Read:
    return _read(text, family)


def _read(text: str, family: str) -> Read:
    comment = None
    statements: list[Statement] = []
    for read, _ in read_each(text, family):
        if isinstance(read, str):
            comment = read if comment is None else comment
        else:
            statements.append(read)
    return Read(tuple(statements), comment)


def read_each(text: str, family: str) -> Iterator[tuple[Statement | str, Callable[[], str]]]:
    """Yield each statement of a rule, or its comment, and what returns the text of it."""
    words = Words(tokens_of(text))
    spans = _Spans(text)
    while words.peek() != END:
        start = words.at
        try:
            if words.peek() == "comment":
                words.take()
                found: Statement | str = words.text()
            else:
                found = _statement(words, family)
        except NotReadError:
            found = _unread(words, start, spans)
        yield found, partial(spans.text, start, words.at)


class _Spans:
    """Where the words of a text stand, found when somebody asks."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._spans: list[tuple[int, int]] = []

    def text(self, start: int, end: int) -> str:
        """Return the text of the words from one to another."""
        self._spans = self._spans or spans_of(self._text)
        return self._text[self._spans[start][0] : self._spans[end - 1][1]]


_RESUMED = VERDICTS | ACTIONS.keys() | {"counter", "comment"}


def _unread(words: Words, start: int, spans: _Spans) -> Unread:
    """Return what begins at a word, up to the next word that begins a statement for certain."""
    at, depth = start, 0
    while at < words.size:
        word = words.words[at]
        if at > start and depth <= 0 and word in _RESUMED:
            break
        depth += (word == "{") - (word == "}")
        at += 1
    words.at, words.depth = at, 0
    return Unread(spans.text(start, at))


def _statement(words: Words, family: str) -> Statement:
    word = words.peek()
    if word in VERDICTS and word != "queue":
        return read_verdict(words)
    if word.startswith("# xt_"):
        return Xt("", words.take().removeprefix("# xt_"))
    if word in ACTIONS:
        return ACTIONS[word](words, family)
    if word in {"counter", "limit", "quota"}:
        return _named_or_own(words)
    if word == "last" or (word == "ct" and words.peek(1) == "count" and words.peek(2) not in _OPERATORS):
        return read_stateful(words)
    if not begins_expression(words):
        raise NotReadError
    return _about(words)


def _named_or_own(words: Words) -> Statement:
    if words.peek(1) != "name":
        return read_stateful(words)
    kind = words.take()
    words.take()
    return object_of(kind, words)


_CT_OBJECTS = ("helper", "timeout", "expectation")


_SELECTED: dict[tuple[str, str], tuple[Expression, str]] = {
    **{
        (protocol, field): (Payload(protocol, field), kind)
        for protocol, fields in PAYLOADS.items()
        for field, kind in fields.items()
    },
    **{("meta", key): (Meta(key), kind) for key, kind in META.items()},
    **{("ct", key): (Ct(key), kind) for key, kind in CT.items() if kind != "address"},
}
"""What is asked about by two words, and its type."""

_NOT_ALONE = frozenset({".", ",", "/", "-", "map"}) | OPERATORS
_NO_WORD = frozenset({"set", "map", "vmap", "and", "or", "xor"}) | _OPERATORS.keys()
_WORD = re.compile(r'"[^"]*"|[^\s{}@"(<>&|^!=,;:.-][^"(]*')


def _plain_match(words: Words) -> Statement | None:
    """Read a comparison with one word, as most are: `ip saddr 10.0.0.1`; None for any other."""
    first, second, word = words.peek(), words.peek(1), words.peek(2)
    asked = _SELECTED.get((first, second))
    if asked is None or word in _NO_WORD or not _WORD.fullmatch(word):
        return None
    if words.words[words.at + 3] in _NOT_ALONE or words.words[words.at + 3].startswith("-"):
        return None
    left, kind = asked
    words.at += 3
    return Match(left, ANY_BIT if kind in BITS else "==", read_word(unquoted(word), kind))


def _about(words: Words) -> Statement:
    """Read a statement that begins with something of the packet: a comparison, an assignment, a verdict map."""
    plain = _plain_match(words)
    if plain is not None:
        return plain
    if words.peek() == "ct" and words.peek(1) in _CT_OBJECTS and words.peek(2) == "set":
        kind = f"{words.take()} {words.take()}"
        words.take()
        return object_of(kind, words)
    left = read_expression(words)
    if words.skip("vmap"):
        return made_vmap(left, read_set(words))
    if words.skip("set"):
        return _assigned(left, words)
    operator = _OPERATORS[words.take()] if words.peek() in _OPERATORS else ""
    if words.peek() == "{" or (words.peek().startswith("@") and words.peek(1) != ","):
        return made_match(left, operator, read_set(words))
    right = read_constant_words(words)
    mask = read_constant_words(words) if words.skip("/") else None
    return made_match(left, operator, right, mask)


def _assigned(target: Expression, words: Words) -> Statement:
    if target in _SECMARKS and words.peek().startswith('"'):
        return object_of("secmark", words)
    value = read_expression(words)
    while words.peek() == "," and isinstance(target, Ct):
        words.take()
        value = Binary("|", value, read_expression(words))
    return made_assign(target, value)


_SECMARKS = (Meta("secmark"), Ct("secmark"))
