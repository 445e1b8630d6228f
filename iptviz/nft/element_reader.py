"""Elements of named sets and maps: where each stands in their text, and what it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.nft.constants import read_word, typed
from iptviz.nft.expression_reader import read_set_element
from iptviz.nft.expressions import Concatenation, Element, Unreadable
from iptviz.nft.statements import Verdict
from iptviz.nft.tokens import tokens_of
from iptviz.nft.words import END, NotReadError, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.nft.expressions import Type

_ELEMENT = re.compile(r'[^,"]*(?:"[^"]*"?[^,"]*)*')


def split_elements(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """Yield the text of each element between commas, and where it begins."""
    while start < end:
        found = _ELEMENT.match(text, start, end)
        stop = found.end() if found else end
        inner = text[start:stop]
        bare = inner.lstrip()
        if bare:
            yield start + len(inner) - len(bare), bare.rstrip()
        start = stop + 1


def read_element(text: str, key_type: Type, data_type: Type | None) -> Element:
    """Read an element of a named set; one of no known form has its text as its key."""
    plain = _plain(text, key_type, data_type)
    return plain or _thorough(text, key_type, data_type)


def _plain(text: str, key_type: Type, data_type: Type | None) -> Element | None:
    """Read an element that has nothing but a key and perhaps data, as most have; None for any other."""
    key, colon, data = text.partition(" : ")
    words = key.split(" . ")
    if len(words) != len(key_type) or any(" " in word or '"' in word or "\n" in word for word in words):
        return None
    parts = [read_word(word, kind) for word, kind in zip(words, key_type, strict=True)]
    read = Concatenation(tuple(parts)) if len(parts) > 1 else parts[0]
    if not colon:
        return Element(read)
    verdict = _plain_verdict(data) if data_type == ("verdict",) else None
    return None if verdict is None else Element(read, verdict)


def _plain_verdict(text: str) -> Verdict | None:
    kind, blank, chain = text.partition(" ")
    if kind in {"goto", "jump"} and blank and " " not in chain and '"' not in chain:
        return Verdict(kind, chain)
    return Verdict(kind) if kind in {"accept", "drop"} and not blank else None


def _thorough(text: str, key_type: Type, data_type: Type | None) -> Element:
    words = Words(tokens_of(text))
    try:
        element = read_set_element(words)
    except NotReadError:
        return Element(Unreadable(text))
    if words.peek() != END:
        return Element(Unreadable(text))
    return typed_in_full(element, key_type, data_type)


def typed_in_full(element: Element, key_type: Type, data_type: Type | None) -> Element:
    """Return an element whose key and data are read by their types."""
    data = element.data
    if data is not None and not isinstance(data, Verdict):
        data = typed(data, data_type or ())
    return element._replace(key=typed(element.key, key_type), data=data)
