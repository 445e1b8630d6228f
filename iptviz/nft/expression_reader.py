"""Words of a rule into expressions: what is asked about, and constants, which are read later by their type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.nft.constants import RAW
from iptviz.nft.expressions import (
    AnonymousSet,
    Binary,
    CatchAll,
    Concatenation,
    Element,
    Hash,
    MapLookup,
    Meta,
    Range,
    SetReference,
    Value,
)  # fmt: skip
from iptviz.nft.fields import UNQUALIFIED
from iptviz.nft.selectors import SELECTORS, read_offset, read_raw_payload
from iptviz.nft.stateful import STATEFUL, read_stateful
from iptviz.nft.statements import Verdict
from iptviz.nft.tokens import milliseconds, unquoted
from iptviz.nft.words import END, NotReadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.expressions import Expression
    from iptviz.nft.words import Words

_OPERATORS = {
    **dict.fromkeys(("<<", "lshift"), ("<<", 3)),
    **dict.fromkeys((">>", "rshift"), (">>", 3)),
    **dict.fromkeys(("&", "and"), ("&", 2)),
    **dict.fromkeys(("^", "xor"), ("^", 1)),
    **dict.fromkeys(("|", "or"), ("|", 0)),
}
"""Arithmetic of bits in both spellings, and how closely each binds."""

OPERATORS = frozenset(_OPERATORS)
"""The words of arithmetic."""

_NO_CONSTANT = frozenset("{},;=!<>&|^():") | {"==", "!=", "<=", ">=", "<<", ">>", END}


def read_expression(words: Words) -> Expression:
    """Read something of the packet, joined parts, arithmetic, and what a map makes of it."""
    key = read_joined(words)
    if words.skip("map"):
        return MapLookup(key, read_set(words))
    return key


def read_joined(words: Words, read: Callable[[Words], Expression] | None = None) -> Expression:
    """Read parts between dots; without a dot, what stands there."""
    read = read or _arithmetic
    first = read(words)
    if words.peek() != ".":
        return first
    parts = [first]
    while words.skip("."):
        parts.append(read(words))
    return Concatenation(tuple(parts))


def _arithmetic(words: Words) -> Expression:
    left = _operand(words)
    return _operated(words, left, _operand) if words.peek() in _OPERATORS else left


def _operated(
    words: Words, left: Expression, read: Callable[[Words], Expression], least: int = 0
) -> Expression:
    """Read operators that bind at least so closely, and what stands behind them."""
    while (found := _OPERATORS.get(words.peek())) is not None and found[1] >= least:
        words.take()
        right = read(words)
        closer = _OPERATORS.get(words.peek())
        if closer is not None and closer[1] > found[1]:
            right = _operated(words, right, read, closer[1])
        left = Binary(found[0], left, right)
    return left


def _operand(words: Words) -> Expression:
    word = words.peek()
    if word == "(":
        return _bracketed(words, read_expression)
    if (reader := _READERS.get(word)) and (found := _attempt(words, reader)) is not None:
        return found
    if word in UNQUALIFIED:
        return Meta(words.take())
    if word.startswith("@"):
        return read_raw_payload(words)
    return read_word_or_range(words)


def _bracketed(words: Words, read: Callable[[Words], Expression]) -> Expression:
    words.expect("(")
    words.deeper()
    inner = read(words)
    words.expect(")")
    words.higher()
    return inner


def _attempt(words: Words, reader: Callable[[Words], Expression]) -> Expression | None:
    """Read what begins with a keyword; None where this is a constant of the same name (`ip protocol tcp`)."""
    at = words.at
    try:
        return reader(words)
    except NotReadError:
        words.at = at
        return None


def read_word_or_range(words: Words) -> Expression:
    """Read a constant, or two with a dash between them."""
    word = words.take()
    if word in _NO_CONSTANT or word.startswith("@"):
        raise NotReadError
    low = Value(RAW, unquoted(word))
    if words.peek() == "-":
        words.take()
        return Range(low, Value(RAW, unquoted(words.take())))
    if word[0] == '"' and words.peek().startswith("-"):
        return Range(low, Value(RAW, words.take()[1:]))
    return low


def read_constant_words(words: Words) -> Expression:
    """Read constants: joined, arithmetic, or several bits between commas."""
    found = read_joined(words, _constant_arithmetic)
    while words.peek() == "," and words.peek(1) not in _NO_CONSTANT:
        words.take()
        found = Binary("|", found, read_joined(words, _constant_arithmetic))
    return found


def read_key_words(words: Words) -> Expression:
    """Read the key of an element of a set: constants, of which a comma ends each."""
    return read_joined(words, _constant_arithmetic)


def _constant_arithmetic(words: Words) -> Expression:
    left = _constant(words)
    return _operated(words, left, _constant) if words.peek() in _OPERATORS else left


def _constant(words: Words) -> Expression:
    return _bracketed(words, _constant_arithmetic) if words.peek() == "(" else read_word_or_range(words)


def _jhash(words: Words) -> Expression:
    words.take()
    key = read_joined(words)
    words.expect("mod")
    modulus = words.number()
    seed = words.number() if words.skip("seed") else None
    return Hash("jhash", key, modulus, seed, read_offset(words))


_READERS = {**SELECTORS, "jhash": _jhash}


def begins_expression(words: Words) -> bool:
    """Whether the next word begins something of the packet, and no statement."""
    word = words.peek()
    return word in _READERS or word in UNQUALIFIED or word.startswith("@") or word == "("


# --- sets and what they hold -------------------------------------------------------------------------------

VERDICTS = frozenset({"accept", "drop", "continue", "return", "jump", "goto", "queue"})


def read_set(words: Words) -> SetReference | AnonymousSet:
    """Read `@name`, or a set within brackets.

    Raises:
        NotReadError: neither stands here.
    """
    word = words.take()
    if word.startswith("@"):
        return SetReference(word[1:])
    if word != "{":
        raise NotReadError
    words.deeper()
    elements = []
    while not words.skip("}"):
        elements.append(_plain_element(words) or read_set_element(words))
        if not words.skip(",") and words.peek() != "}":
            raise NotReadError
    words.higher()
    return AnonymousSet(tuple(elements))


_PLAIN = re.compile(r"\w[\w./:-]*")


def _plain_element(words: Words) -> Element | None:
    """Read `0 : goto c` or `0 : 10.0.0.1 . 80`, as large maps have thousands; None for any other."""
    key, colon, first, between, second = words.words[words.at : words.at + 5]
    if colon != ":" or not _PLAIN.fullmatch(key) or not _PLAIN.fullmatch(first):
        return None
    data: Expression | Verdict
    if between in _ENDS:
        size = 3
        data = Verdict(first) if first in VERDICTS else Value(RAW, first)
    elif first in _LEADING and words.words[words.at + 4] in _ENDS and _PLAIN.fullmatch(between):
        size = 4
        data = Verdict(first, between)
    elif between == "." and words.words[words.at + 5] in _ENDS and _PLAIN.fullmatch(second):
        size = 5
        data = Concatenation((Value(RAW, first), Value(RAW, second)))
    else:
        return None
    words.at += size
    return Element(Value(RAW, key), data)


_ENDS = (",", "}")
_LEADING = ("goto", "jump")


def read_set_element(words: Words) -> Element:
    """Read an element of a set or map: a key, times, a comment, and data."""
    key = CatchAll() if words.skip("*") else read_key_words(words)
    element = _with_options(words, Element(key))
    if not words.skip(":"):
        return element
    return _with_options(words, element._replace(data=_data(words)))


def _data(words: Words) -> Expression | Verdict:
    return read_verdict(words) if words.peek() in VERDICTS else read_key_words(words)


def read_verdict(words: Words) -> Verdict:
    """Read a verdict, with the chain that it names."""
    kind = words.one_of(VERDICTS)
    if kind not in {"jump", "goto"}:
        return Verdict(kind)
    if words.peek() in _NO_CONSTANT:  # rules of its own, `jump { ... }`
        raise NotReadError
    return Verdict(kind, words.text())


def _with_options(words: Words, element: Element) -> Element:
    """Read what stands behind a key: times, a comment, statements."""
    while (option := _OPTIONS.get(words.peek())) is not None:
        element = option(words, element)
    return element


def read_time(words: Words) -> int:
    """Read a keyword and the time behind it, in milliseconds."""
    words.take()
    time = milliseconds(words.take())
    if time is None:
        raise NotReadError
    return time


def _comment(words: Words, element: Element) -> Element:
    words.take()
    return element._replace(comment=words.text())


def _statement(words: Words, element: Element) -> Element:
    return element._replace(statements=(*element.statements, read_stateful(words)))


_OPTIONS: dict[str, Callable[[Words, Element], Element]] = {
    "timeout": lambda words, element: element._replace(timeout=read_time(words)),
    "expires": lambda words, element: element._replace(expires=read_time(words)),
    "comment": _comment,
    **dict.fromkeys(STATEFUL, _statement),
}
