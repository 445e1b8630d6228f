"""What stands after the addresses in a listing's row: matches, then what the target prints of itself.

Nothing tells where a match ends, or a comment; the line is read from left to right by tables. What no row
of them reads is kept as it stands.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from iptviz.listing.matches import LISTED_MATCHES
from iptviz.listing.targets import LISTED_TARGETS
from iptviz.listing.words import read_rows, skip_blanks
from iptviz.records import NamedTuple
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD = re.compile(r"\S++", re.ASCII)
_COMMENT = "/* "
_COMMENT_END = " */"
# The kernel takes 255 bytes.
_LONGEST_COMMENT = 256
# A rule holds a few matches; a line that goes on for longer is no rule's, and shall not cost much.
_MOST_PLACES = 500
_MOST_WORDS = 250


class Tail(NamedTuple):
    """The tail in words of iptables-save; `rest` is the part that no table knows, as it was printed."""

    matches: tuple[str, ...]
    rest: str
    options: tuple[str, ...]


class _Path(NamedTuple):
    """How far the tail has been read, and what it said."""

    at: int
    matches: tuple[str, ...]


def read_tail(text: str, target: str) -> Tail:
    """Read the tail of a row whose target is `target`.

    Only a comment leaves a choice, as it may hold the text that ends it. The first reading that knows every
    word is taken; failing that, the one that comes farthest.
    """
    paths = [farthest := _Path(0, ())]
    seen: set[int] = set()
    while paths and len(seen) < _MOST_PLACES:
        path = paths.pop()
        if path.at in seen:
            continue
        seen.add(path.at)
        options = _read_target(text, path.at, target)
        if options is not None:
            return Tail(path.matches, "", options)
        farthest = max(farthest, path, key=lambda path: path.at)
        paths.extend(reversed([*_read_match(text, path)]))
    return _keep_rest(text, farthest, target)


def _keep_rest(text: str, path: _Path, target: str) -> Tail:
    """Keep what cannot be read; the target prints last, so its own words may still be told from the rest."""
    for word in islice(_WORD.finditer(text, path.at), _MOST_WORDS):
        options = _read_target(text, word.start(), target)
        if options:
            return Tail(path.matches, text[path.at : word.start()].rstrip(), options)
    return Tail(path.matches, text[path.at :], ())


def _read_target(text: str, at: int, target: str) -> tuple[str, ...] | None:
    """Read what the target prints, if that is all there is from `at` on."""
    end, options = read_rows(LISTED_TARGETS.get(target, ()), text, at)
    return tuple(options) if end == len(text) else None


def _read_match(text: str, path: _Path) -> Iterator[_Path]:
    """Read one match in each way that there is."""
    if text.startswith(_COMMENT, path.at):
        yield from _read_comment(text, path)
        return
    for head, options in LISTED_MATCHES:
        at, words = read_rows((head,), text, path.at)
        if not words:
            continue
        at, more = read_rows(options, text, at)
        if at > path.at:
            yield _Path(at, (*path.matches, " ".join([*words, *more])))
            return


def _read_comment(text: str, path: _Path) -> Iterator[_Path]:
    """End the comment at each place where it may, but never swallow the beginning of another one."""
    start = path.at + len(_COMMENT)
    last = start + _LONGEST_COMMENT + len(_COMMENT_END)
    end = text.find(_COMMENT_END, start, last)
    while end >= 0:
        at = skip_blanks(text, end + len(_COMMENT_END))
        comment = f"-m comment --comment {quote_word(text[start:end])}"
        yield _Path(at, (*path.matches, comment))
        following = text.find(_COMMENT_END, end + 1, last)
        if _COMMENT in text[end:following]:
            return
        end = following
