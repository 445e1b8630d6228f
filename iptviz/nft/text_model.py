"""Chains and sets whose source is text: read when they are asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.nft.element_reader import read_element, split_elements
from iptviz.nft.expression_reader import read_joined
from iptviz.nft.fields import type_of
from iptviz.nft.model import Chain, ChainBody, Read, Rule, SetHead
from iptviz.nft.priorities import read_base
from iptviz.nft.spans import statements_in
from iptviz.nft.statement_reader import read_rule
from iptviz.nft.tokens import milliseconds, read_number, tokens_of, unquoted
from iptviz.nft.words import NotReadError, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.nft.expressions import Element, Type
    from iptviz.nft.model import Base, SetOrMap, Table
    from iptviz.nft.positions import Numbered

Span = tuple[int, int]

_HANDLE = re.compile(r"\s*#\s*handle\s+(\d{1,19})\s*\Z")
_OF_CHAIN = re.compile(r"(?:type[ \t]|policy[ \t]|flags[ \t]|devices[ \t]*=|comment[ \t])")
# Rules as nft prints them, in a line each: all that opens in one closes there.
_BEGUN = r"\t\t(?!(?:type|policy|flags|comment)[ \t]|devices)[^\s;#\"{}\\]"
_PLAIN = r"[^\n;#\"{}\\]*+"
_IN_BRACES = rf"\{{{_PLAIN}\}}"
_AT_ONCE = "{1,64}"  # since each is remembered while it is matched
# Nothing is quoted or commented on in them.
_PLAIN_RULES = re.compile(rf"(?:{_BEGUN}{_PLAIN}(?:{_IN_BRACES}{_PLAIN}){{0,64}}\n){_AT_ONCE}")
# They may have comments, and handles.
_PRINTED_RULES = re.compile(
    rf"(?:{_BEGUN}{_PLAIN}(?:(?:{_IN_BRACES}|\"[^\n\"\\]*+\"){_PLAIN}){{0,64}}(?:# handle \d++)?\n){_AT_ONCE}"
)
_ELEMENTS = re.compile(r"(?:\A|[\s;])elements\s*=\s*\{")


def _is_all(those: re.Pattern[str], text: str, span: Span) -> bool:
    """Whether a span of a text is nothing but such rules or elements."""
    place, end = span
    while place < end and (found := those.match(text, place, end)):
        place = found.end()
    return place == end


class Pieces:
    """What the text has of a chain, a set or an object: one block, or several where commands add to it."""

    __slots__ = ("_end", "_others", "_start", "place", "source")

    def __init__(self, source: Numbered, place: int, span: Span = (-1, -1)) -> None:
        self.source = source
        self.place = place
        self._start, self._end = span
        self._others: list[Span] | tuple[()] = ()

    @property
    def spans(self) -> list[Span]:
        """Where its blocks are, in their order. Nearly all have one, which has no list of its own."""
        return [] if self._start < 0 else [(self._start, self._end), *self._others]

    def clear(self) -> None:
        """Take away all blocks."""
        self._start = self._end = -1
        self._others = ()

    @property
    def line(self) -> int:
        """The line where it begins."""
        return self.source.line_of(self.place)

    def add(self, span: Span) -> None:
        """Take another block, or another rule, at the end."""
        if self._start < 0:
            self._start, self._end = span
        else:
            self._others = self._others or []
            self._others.append(span)

    def insert(self, span: Span) -> None:
        """Take another rule at the beginning."""
        if self._start >= 0:
            self._others = self._others or []
            self._others.insert(0, (self._start, self._end))
        self._start, self._end = span

    @property
    def source_text(self) -> str:
        """All that the text has of it."""
        return "\n".join([self.source.text[start:end] for start, end in self.spans])

    def statements(self) -> Iterator[tuple[int, str]]:
        """Yield each statement, with the place where it begins."""
        text = self.source.text
        for start, end in self.spans:
            for begun, stop in statements_in(text, start, end):
                line = text[begun:stop]
                inner = line.strip()
                if inner and inner[0] != "#":
                    yield begun + line.find(inner[0]), inner


class ChainPieces(Pieces):
    """A chain of a text."""

    __slots__ = ()
    object = 0

    def base(self, chain: Chain) -> Base | None:
        """Return where it is hooked in."""
        text = self.source.text
        if all(text.find("hook", start, end) < 0 for start, end in self.spans):
            return None
        said = (text for _, text in self.statements() if _OF_CHAIN.match(text))
        return read_base(said, chain.table.family)

    def body(self, chain: Chain) -> ChainBody:
        """Return its rules and its comment."""
        return self.source.bodies.get(chain) or self.source.remember(chain, self._body(chain))

    def count(self) -> int:
        """Return how many rules there are."""
        return sum(map(self._count, self.spans))

    def _count(self, span: Span) -> int:
        """Count the rules of a block: of one as nft prints it, each stands in its line."""
        text = self.source.text
        if _is_all(_PLAIN_RULES, text, span):
            return text.count("\n", *span)
        stated = (text[start:end].strip() for start, end in statements_in(text, *span))
        return sum(bool(one) and one[0] != "#" and not _OF_CHAIN.match(one) for one in stated)

    @property
    def plain_text(self) -> str | None:
        """Its rules as nft prints them, and nothing else; None where they do not stand so."""
        if self._start < 0 or self._others:
            return None if self._others else ""
        text = self.source.text
        stands_so = _is_all(_PRINTED_RULES, text, (self._start, self._end))
        return text[self._start : self._end] if stands_so else None

    def may_say(self, word: str) -> bool:
        """Whether a word may stand in a rule."""
        text = self.source.text
        return any(text.find(word, *span) >= 0 for span in self.spans)

    def _body(self, chain: Chain) -> ChainBody:
        rules: list[Rule] = []
        comment = None
        for place, text in self.statements():
            if _OF_CHAIN.match(text):
                comment = unquoted(text[len("comment") :].strip()) if text.startswith("comment") else comment
                continue
            handle = _HANDLE.search(text) if "#" in text else None
            shown = text[: handle.start()] if handle else text
            number = int(handle[1]) if handle else None
            line = self.source.line_of(place)
            rules.append(Rule(chain.table, chain.name, len(rules) + 1, line, shown, number, _read))
        return ChainBody(tuple(rules), comment)


class PrintedChain(Chain):
    """A chain in one block, as nft prints it.

    What reads it is made each time: a node has a hundred thousand of these, and asks few of them more than once.
    `place` is that of its name, which alone is kept: the first line end behind it begins the rules, and the first
    brace below these ends them.
    """

    __slots__ = ("_place", "_source")

    def __init__(
        self, table: Table, name: str, source: Numbered, place: int, handle: int | None = None
    ) -> None:
        super().__init__(table, name, handle)
        self._source = source
        self._place = place

    @property
    def reader(self) -> ChainPieces:
        """What reads it."""
        text = self._source.text
        head_end = text.index("\n", self._place)
        return ChainPieces(self._source, self._place, (head_end + 1, text.index("\n\t}", head_end) + 1))


def _read(rule: Rule) -> Read:
    return read_rule(rule.text, rule.table.family)


class SetPieces(Pieces):
    """A set or map of a text; `added` are elements that commands add."""

    __slots__ = ("added",)

    def __init__(self, source: Numbered, place: int) -> None:
        super().__init__(source, place)
        self.added: list[Span] = []

    def empty(self) -> None:
        """Take away all elements, as flush does."""
        self.added.clear()
        text = self.source.text
        spans = self.spans
        self.clear()
        for start, end in spans:
            found = _ELEMENTS.search(text, start, end)
            self.add((start, found.start() if found else end))

    def head(self, _found: SetOrMap) -> SetHead:
        """Return what is said beside the elements."""
        head = SetHead(())
        for text in self._said():
            head = _with(head, text)
        return head

    def _said(self) -> Iterator[str]:
        """Yield the statements before and behind the elements."""
        text = self.source.text
        for start, end in self.spans:
            found = _ELEMENTS.search(text, start, end)
            stop = found.start() if found else end
            behind = text.rfind("}", start, end) + 1 if found else end
            for first, last in ((start, stop), (behind or end, end)):
                for begun, finish in statements_in(text, first, last):
                    inner = text[begun:finish].strip()
                    if inner and inner[0] != "#":
                        yield inner

    @property
    def is_of_hosts(self) -> bool:
        """Whether its elements are addresses of IPv4 alone: see `SetOrMap`."""
        text = self.source.text
        return all(_is_all(_HOSTS, text, span) for span in self._regions())

    def elements(self, found: SetOrMap, word: str) -> Iterator[tuple[int, Element]]:
        """Yield elements with their lines: those in whose text a word stands."""
        head = found.head
        for start, end in self._regions():
            text = self.source.text
            if text.find("#", start, end) >= 0:
                text = text[:start] + _COMMENT.sub(_blanked, text[start:end])
            for place, inner in (
                _with_word(text, start, end, word) if word else split_elements(text, start, end)
            ):
                yield self.source.line_of(place), read_element(inner, head.key_type, head.data_type)

    def _regions(self) -> Iterator[Span]:
        text = self.source.text
        for start, end in self.spans:
            found = _ELEMENTS.search(text, start, end)
            if found:
                closing = text.rfind("}", found.end(), end)
                yield found.end(), closing if closing >= 0 else end
        yield from self.added


_BYTE = "(?:[1-9]?[0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
_HOSTS = re.compile(rf"(?:\s*+{_BYTE}(?:\.{_BYTE}){{3}}\s*+(?:,|\Z)){_AT_ONCE}|\s++\Z", re.ASCII)
_COMMENT = re.compile(r'("[^"\n]*"?)|#[^\n]*')


def _blanked(found: re.Match[str]) -> str:
    return found[1] or " " * len(found[0])


def _with_word(text: str, start: int, end: int, word: str) -> Iterator[tuple[int, str]]:
    """Yield the elements in whose text a word stands: of the lines that have it, no others are looked at."""
    at = text.find(word, start, end)
    while at >= 0:
        first = max(text.rfind("\n", start, at) + 1, start)
        last = text.find("\n", at, end)
        last = end if last < 0 else last
        yield from (found for found in split_elements(text, first, last) if word in found[1])
        at = text.find(word, last, end)


# --- what a set says of itself -----------------------------------------------------------------------------


def _with(head: SetHead, text: str) -> SetHead:
    """Return a head with one more statement."""
    words = tokens_of(text)
    keyword, rest = words[0], words[1:]
    if keyword in {"type", "typeof"}:
        key, data = _types(rest, named=keyword == "type")
        return head._replace(key_type=key, data_type=data)
    if keyword == "flags":
        return head._replace(flags=tuple(sorted(word for word in rest if word != ",")))
    if keyword == "comment" and rest:
        return head._replace(comment=unquoted(rest[0]))
    if keyword == "timeout" and rest:
        return head._replace(timeout=milliseconds(rest[0]))
    if keyword == "size" and rest:
        return head._replace(size=read_number(rest[0]))
    return head._replace(rest=(*head.rest, " ".join(words)))


def _types(words: list[str], *, named: bool) -> tuple[Type, Type | None]:
    """Read `ipv4_addr . inet_service : verdict`, or the same of expressions."""
    read = _names if named else _typeof
    if ":" not in words:
        return read(words), None
    at = words.index(":")
    data = words[at + 1 :]
    return read(words[:at]), _names(data) if len(data) == 1 else read(data)


def _names(words: list[str]) -> Type:
    return tuple(word for word in words if word not in {".", "interval"})


def _typeof(words: list[str]) -> Type:
    try:
        return type_of(read_joined(Words([word for word in words if word != "interval"])))
    except NotReadError:
        return ()
