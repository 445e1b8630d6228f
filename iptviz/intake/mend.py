"""Rules that were written by hand, by a word processor or a shell: quotes, dashes and remarks behind them.

A rule is repaired only where it is none as it stands and is a whole one then, every word of it understood.
What stands within double quotes is what iptables-save put there, and stays.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from iptviz.grammar.reader import take_apart
from iptviz.records import NamedTuple
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.grammar.parts import RuleParts

_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*+")')
_INVISIBLE = re.compile("\x1b\\[[0-9;?]*[A-Za-z]|[\u200b-\u200f\u2028\u2029\u202a-\u202e\u2060\u00ad\ufeff]")
_CODED = re.compile(r"\\(?:x(1b|[89a-f][0-9a-f])|u(001b|(?!00[0-7]|d[89a-f])[0-9a-f]{4}))")
_UNSEEN = re.compile("[\u200b-\u200d\u2060\u00ad\ufeff]")
_BLANKS = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_DOUBLE = re.compile("[\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\uff02]")
_SINGLE = re.compile("[\u2018\u2019\u201a\u201b\u2032]")
_DASHES = "\u2010-\u2015\u2212"
_OPTION = re.compile(rf"(?<!\S)[-{_DASHES}]+(?=([A-Za-z])([\w-]*))")
_DASH = re.compile(f"[{_DASHES}]")
_IN_SINGLE = re.compile(r"(?<!\S)'([^'\n]*)'(?!\S)")
_ENDS_CELL = re.compile(r"""["'][,;)]{0,2}\s*\Z""")
_REMARK = re.compile(r"[ \t]+(?:#|//|/\*|\u2190|\u27f5|\u21d0|\u2192|\u27f6|\u21d2|<[-=]|-+>|=+>|\()")
_LOST = re.compile(r'(--(?:comment|log-prefix|nflog-prefix) )([^"\s-][^"]*?)(?=\s+(?:! )?--?[A-Za-z]|\s*\Z)')
_QUOTE_ENTITY = re.compile(r"&(?:quot|apos|#0{0,5}3[49]|#[xX]0{0,5}2[27]);")
_MOST_REMARKS = 4
_MOST_CELLS = 3
"""Cells within cells: so many are undone."""
_LONGEST = 1 << 14


class Mended(NamedTuple):
    """A repaired rule, and the id of what was wrong with it."""

    text: str
    reason: str


def mend(text: str, is_chain: Callable[[str], bool] | None = None, *, goes_on: bool = True) -> Mended | None:
    """Return the rule that a line was meant to be; None where it is one already, or cannot be made one.

    `is_chain` is given of a text that looks as if iptables-save wrote it, and says which chains that declares.
    `goes_on` is whether the next line may belong to it: then a quote that is not closed may be closed there.
    """
    if len(text) > _LONGEST:
        return None
    if is_whole(text):
        return _seen(text, is_chain) or _requoted(text)
    straight = Mended(text, "")
    for reason, step in _STEPS:
        changed = step(straight.text)
        if changed != straight.text:
            straight = Mended(changed, reason)
            if is_whole(changed):
                return straight
    return next((one for one in _last_resorts(straight.text, goes_on=goes_on) if is_whole(one.text)), None)


def _seen(text: str, is_chain: Callable[[str], bool] | None) -> Mended | None:
    """Return a whole rule without signs that nobody sees; None where it has none.

    In what iptables-save wrote they are part of names, but where a chain is declared without them alone.
    """
    seen = _outside(text, lambda part: _UNSEEN.sub("", part))
    if seen == text or not is_whole(seen):
        return None
    pairs = zip(_chains_of(text), _chains_of(seen), strict=True)
    odd = [(name, plain) for name, plain in pairs if name != plain]
    if is_chain and not (odd and all(is_chain(plain) and not is_chain(name) for name, plain in odd)):
        return None
    return _requoted(seen) or Mended(seen, "signs-invisible")


def _chains_of(text: str) -> tuple[str, str]:
    """Return the chain of a rule, and the word behind -j or -g."""
    parts = take_apart(text.strip(" \t\r\n"))
    return parts.chain, parts.target.name if parts.target else ""


def _requoted(text: str) -> Mended | None:
    """Return a whole rule with the quotes of its comments undone; None where there are none to be undone.

    Nothing else of it changes: iptables-save does not quote the names of chains, which may hold anything.
    """
    changed = text
    for reason, step in _STEPS:
        before, changed = changed, step(changed)
        if before != changed and is_whole(changed) and _but_comments(changed) == _but_comments(text):
            return Mended(changed, reason)
    return None


def _but_comments(text: str) -> RuleParts:
    parts = take_apart(text.strip(" \t\r\n"))
    return parts._replace(matches=tuple(one for one in parts.matches if one.name != "comment"))


def straighten(text: str) -> str:
    """Return a line without invisible signs and with plain dashes and blanks, but for what is quoted."""
    return _dashes(_visible(text))


def is_whole(text: str) -> bool:
    """Whether a line is a rule with a target, every word of it understood."""
    parts = take_apart(text.strip(" \t\r\n"))
    return bool(parts.chain and parts.target) and not parts.problem and not parts.unknown


def quote_lost(text: str) -> str:
    """Put quotes around the words of comments, which end at the next option."""
    return _outside(text, lambda part: _LOST.sub(lambda found: found[1] + quote_word(found[2]), part))


def _last_resorts(text: str, *, goes_on: bool) -> Iterator[Mended]:
    quoted = quote_lost(text)
    if text.count('"') % 2 and not goes_on:  # one is lost, or one too many
        yield Mended(quote_lost(text.replace('"', "")), "quotes-lost")
    if quoted != text:
        yield Mended(quoted, "quotes-lost")
    for one in (text, quoted) if quoted != text else (text,):
        yield from (Mended(cut, "remark-cut") for cut in _without_remark(one))


def _outside(text: str, change: Callable[[str], str]) -> str:
    """Change what stands outside quotes."""
    parts = _QUOTED.split(text)
    return "".join(part if at % 2 else change(part) for at, part in enumerate(parts))


def _visible(text: str) -> str:
    return _outside(text, lambda part: _BLANKS.sub(" ", _INVISIBLE.sub("", _CODED.sub(_sign, part))))


def _sign(found: re.Match[str]) -> str:
    r"""Return the sign that a language writes as `\xa0` or `\u2028` in its strings."""
    return chr(int(found[1] or found[2], 16))


def _dashes(text: str) -> str:
    return (
        _outside(text, lambda part: _DASH.sub("-", _OPTION.sub(_option, part)))
        if _DASH.search(text)
        else text
    )


def _option(found: re.Match[str]) -> str:
    if not _DASH.search(found[0]):
        return found[0]
    return "--" if found[2] else "-"


def _escaped(text: str) -> str:
    r"""Undo `\"`, where the first quote of a rule is escaped."""
    first = text.find('"')
    if first < 1 or text[first - 1] != "\\":
        return text
    return text.replace('\\"', '"')


def _entities(text: str) -> str:
    """Undo the entities of HTML, where quotes are some."""
    if not _QUOTE_ENTITY.search(text):
        return text
    return _outside(text, lambda part: html.unescape(part).replace("\u00a0", " "))


def _doubled(text: str) -> str:
    """Undo the quotes of a cell of CSV, in which those of the rule stand twice."""
    for _ in range(_MOST_CELLS):
        if '""' not in text or text.count('""') % 2:
            break
        text = _ENDS_CELL.sub("", text.replace('""', '"'))
    return text


def _cell(text: str) -> str:
    """Take away a quote that closes what was opened before the rule."""
    return _ENDS_CELL.sub("", text) if text.count('"') % 2 or "'" in text else text


def _typographic(text: str) -> str:
    changed = _outside(text, lambda part: _SINGLE.sub("'", _DOUBLE.sub('"', part)))
    return changed if changed.count('"') % 2 == 0 else _SINGLE.sub("'", _DOUBLE.sub('"', text))


def _single_quoted(text: str) -> str:
    return _outside(text, lambda part: _IN_SINGLE.sub(lambda found: quote_word(found[1]), part))


def _without_remark(text: str) -> Iterator[str]:
    """Yield the line without what stands behind each sign that may begin a remark, the first first."""
    quoted = [found.span() for found in _QUOTED.finditer(text)]
    marks = (found.start() for found in _REMARK.finditer(text))
    outside = (at for at in marks if not any(start <= at < end for start, end in quoted))
    yield from (text[:at] for at, _ in zip(outside, range(_MOST_REMARKS), strict=False))


_STEPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("signs-invisible", _visible),
    ("html-entities", _entities),
    ("quotes-escaped", _escaped),
    ("quotes-doubled", _doubled),
    ("dashes-typographic", _dashes),
    ("quotes-typographic", _typographic),
    ("quotes-single", _single_quoted),
    ("quotes-single", _cell),
)
"""Each repair that changes nothing where it is not needed, with the id of what it repairs."""
