"""Outlines: many lines of rules taken apart at once, which differ in literals alone.

The outline of a line is its text with a hole for each literal: for a word that stands where any word would do,
as the first value of an option, as the name of the rule's chain, or as that of a chain to jump to. The grammar
takes an outline apart once, with a stand-in in each hole; of the lines only the literals are read, those of many
lines by one search. An outline of which it is not sure that each literal is such a word has no parts: its lines
are to be taken apart one by one.
"""

from __future__ import annotations

import re
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from iptviz.grammar.segments import by_segments
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.grammar.parts import RuleParts

HOLE = "\0"
CHAIN, JUMP, COUNTERS = "-A", "-j", "["
"""What stands before a literal that is no value: the rule's chain, one that it jumps to, its counters."""

_LONGEST = 4096
"""A longer outline has no parts: hardly another line is like it."""

# No literal begins as an option does, or with `!`, and none has escapes; after `-j` none has a target's form. Of
# counters only those are one that are written as iptables-save does.
_COUNT = "(?:0|[1-9][0-9]{0,19})"
_LITERAL = re.compile(
    r'([ \n](?:-(?:A|j(?= [A-Z0-9]*+[^A-Z0-9\s"])|[isdo]|-[a-z][a-z0-9-]*+) '
    rf"|\[(?={_COUNT}:{_COUNT}\] -A )))"
    r'([^\s"!-][^\s"]{0,255}+(?=[ \n])|(?<!-A )"[^"\\!-][^"\\\n]{0,255}+"(?=[ \n]))',
    re.ASCII,
)
_COUNTED = f"{COUNTERS}{HOLE} "
_BLANKS = " \t\n\r\v\f"
_SPECIAL = re.compile('["@]')


class Stretch(NamedTuple):
    """Lines of rules: their `outlines`, and all their `literals`, the quoted ones in quotes.

    `befores` are what stands before each literal, a blank first; `pieces` are the text, with a line end before it
    and holes in it: what is between, what is before a literal, and the hole, in turn.
    """

    outlines: list[str]
    befores: list[str]
    literals: list[str]
    pieces: list[str]


def read_stretch(text: str) -> Stretch:
    """Take lines of rules, each with its end, apart into outlines and literals."""
    if HOLE in text:
        return Stretch(text[:-1].replace(HOLE, "@").split("\n"), [], [], [])  # none of them has parts
    pieces = _LITERAL.split(f"\n{text}")
    literals = pieces[2::3]
    pieces[2::3] = [HOLE] * len(literals)
    outlines = "".join(pieces)[1:-1].split("\n")
    return Stretch(outlines, pieces[1::3], literals, pieces)


def unquoted(literal: str) -> str:
    """Return a literal as the word that it is."""
    return literal[1:-1] if literal[0] == '"' else literal


def hole_of(word: str) -> int | None:
    """Return in which hole of an outline, from 0 on, a word of its parts stands; None where it is no literal."""
    return int(word[1:-1]) if word.startswith("@") else None


def parts_of(outline: str) -> RuleParts | None:
    """Return a rule with this outline taken apart, with stand-ins for its literals.

    None where a literal may be anything else than the first value of the option before it, or the name of a
    chain, and where the grammar does not find the literals in the order of the text.
    """
    rule = outline.removeprefix(_COUNTED).strip(_BLANKS)
    first, *pieces = rule.split(HOLE)
    if first != f"{CHAIN} " or len(outline) > _LONGEST or _SPECIAL.search(outline):
        return None
    counted = outline.startswith(_COUNTED)
    words = [f"@{number}@" for number in range(counted, counted + len(pieces))]
    parts = by_segments(first + "".join(chain.from_iterable(zip(words, pieces, strict=True))))
    befores = [before for before, word in pairwise(rule.split(" ")) if word == HOLE]
    found = parts and [place for place in _places(parts) if place[1].startswith("@")]
    return parts if len(befores) == len(words) and found == list(zip(befores, words, strict=True)) else None


def _places(parts: RuleParts) -> Iterator[tuple[str, str]]:
    """Yield the words of a rule that may be literals, each with what stands before it."""
    target = parts.target
    yield CHAIN, parts.chain
    for options in (parts.basics, *(match.options for match in parts.matches)):
        yield from ((option.name, option.values[0]) for option in options if option.values)
    if target:
        yield JUMP, target.name
        yield from ((option.name, option.values[0]) for option in target.options if option.values)
