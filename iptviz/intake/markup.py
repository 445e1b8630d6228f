"""HTML: tags within rules, as highlighters write them, rules that `<br>` parts, and entities.

Whether a text is HTML is told by its rules: a dump that iptables-save wrote may hold entities and tags in its
comments, which stay as they are. Tags before and behind a line are decoration like any other.
"""

from __future__ import annotations

import html
import re

from iptviz.intake.text import to_bytes, to_text
from iptviz.records import NamedTuple

_QUOTE_ENTITY = re.compile(rb"&(?:quot|#0{0,5}34|#[xX]0{0,5}22);")
_QUOTED_VALUE = re.compile(rb" --[a-z][a-z-]{2,30} (?:! )?&(?:quot|#0{0,5}34|#[xX]0{0,5}22);")
_ENTITY = re.compile(rb"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_TAG = rb"</?[A-Za-z][^<>\n]{0,400}>"
_TAGS = re.compile(rb"(?:" + _TAG + rb"[ \t]*)+")
_ONE_TAG = re.compile(_TAG)
_BREAKS = re.compile(rb"<(?:br\b|/?(?:p|div|li|tr|pre)\b)", re.IGNORECASE)
_ROW = (
    rb"(?:(?:\[\d+:\d+\] )?-A [^-\s]|\*(?:nat|filter|mangle|raw|security)\b"
    rb"|:[A-Z]\S{0,200} (?:[A-Z]{1,10}|-) \[)"
)
# A tag within a rule, or one that parts two lines.
_TAGGED = re.compile(
    rb"-A(?:" + _TAG + rb")+ ?[^-\s]|-A (?:" + _TAG + rb")+[^-\s<]"
    rb"|<br ?/?>(?:"
    + _TAG
    + rb"|[ \t])*"
    + _ROW
    + rb"|-A [^-\s][^\n]{1,2000}<(?:br ?/?|/(?:p|code|li|div|span|td|pre))>[ \t\r]*$"
    rb"|>--?[a-z][a-z-]{0,30}</[a-z]",
    re.IGNORECASE | re.MULTILINE,
)
_BLOCK = re.compile(rb"^[ \t]*</?(?:pre|code|p|div|td|tr|li|body|html)\b[^<>\n]{0,400}>", re.MULTILINE)
_RULE_WITH_ENTITY = re.compile(rb"-A [^-\s][^\n]{0,2000}?&(?:gt|lt|amp|quot|apos|nbsp|#\d{1,7});")
_FENCE = re.compile(rb"^[ \t>]*```", re.MULTILINE)
_KEPT = re.compile(
    _ROW + rb"|[ \t\r]*(?:\n|\Z|[*:#]|COMMIT|Chain )"
)  # what is read, or left out, with its tags
_LONGEST_LINE = 4000
_MOST = 1000
_INDENTED = 200


class FromHtml(NamedTuple):
    """The text, and the ids of what was undone in it."""

    data: bytes
    undone: tuple[str, ...]


def from_html(data: bytes, *, saved: bool = False) -> FromHtml | None:
    """Return the text without tags in rules and without entities, None where it is no HTML.

    One that looks as if iptables-save wrote it is HTML only if its quotes are entities: chains may be called so.
    """
    if not (_has_quoted_value(data) if saved else _is_html(data)):
        return None
    untagged = _TAGS.sub(_untag, data)
    plain = _ENTITY.sub(_character, untagged)
    undone = (*(["html-tags"] if untagged != data else []), *(["html-entities"] if plain != untagged else []))
    return FromHtml(plain, undone)


def _is_html(data: bytes) -> bool:
    if _has_quoted_value(data):
        return True
    return b"<" in data and (_any_unquoted(_TAGGED, data) or _is_page(data))


def _has_quoted_value(data: bytes) -> bool:
    """Whether a value stands in quotes that are entities, not within quotes of its own."""
    if b"&" not in data or not _QUOTE_ENTITY.search(data):
        return False
    if b'"' not in data:
        return True
    return _any_unquoted(_QUOTED_VALUE, data)


def _any_unquoted(pattern: re.Pattern[bytes], data: bytes) -> bool:
    """Whether a pattern fits outside the quotes of a rule: what is within them, anybody may have written."""
    found = (match for match, _ in zip(pattern.finditer(data), range(_MOST), strict=False))
    return any(_is_unquoted(data, match.start()) for match in found)


def _is_unquoted(data: bytes, at: int) -> bool:
    start = max(at - _LONGEST_LINE, 0)
    before = data[start:at].rpartition(b"\n")[2]
    return (before.count(b'"') - before.count(b'\\"')) % 2 == 0


def _is_page(data: bytes) -> bool:
    """Whether the text has blocks of HTML and entities in its rules; in Markdown, a fence keeps them."""
    return (
        b"&" in data
        and _BLOCK.search(data) is not None
        and _RULE_WITH_ENTITY.search(data) is not None
        and not _FENCE.search(data)
    )


def _untag(found: re.Match[bytes]) -> bytes:
    """Take away tags between what stands on one line; a tag that parts lines becomes the end of one."""
    data, (start, end) = found.string, found.span()
    if not data[max(start - _INDENTED, 0) : start].rpartition(b"\n")[2].strip():
        return found[0] if _KEPT.match(data, end) else b" "
    if end == len(data) or data[end : end + 1] in {b"\n", b"\r"}:
        return b""
    parts = _BREAKS.search(found[0]) and _is_unquoted(data, start)
    return b"\n" if parts else _ONE_TAG.sub(b"", found[0])


def _character(found: re.Match[bytes]) -> bytes:
    return to_bytes(html.unescape(to_text(found[0])).replace("\u00a0", " "))
