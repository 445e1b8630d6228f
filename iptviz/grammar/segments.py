"""The quick way to take a rule apart: by segments, of which most stand in thousands of rules.

iptables-save writes every option right after the `-m` or `-j` it belongs to. A rule written so falls into
segments (`-p tcp`, `-m tcp --dport 80`, `-j KUBE-MARK-MASQ`) that can be read each by itself, and remembered.
Whatever is not written so is left to the thorough reader in `reader.py`, which knows every rule of the grammar;
where both answer, they answer the same.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from iptviz.grammar.parts import Match, RuleParts, Target
from iptviz.xtables.matches import BASIC, match_options
from iptviz.xtables.option import Option
from iptviz.xtables.targets import target_spec
from iptviz.xtables.words import UnclosedQuoteError, split_words

if TYPE_CHECKING:
    from iptviz.xtables.option import OptionTable

# As many segments are remembered as a node with 30,000 services has; an entry costs some 500 bytes.
_REMEMBERED = 1 << 16
_NO_OPTIONS: OptionTable = {}


def by_segments(text: str) -> RuleParts | None:
    """Return the rule taken apart, or None where it is not written as iptables-save writes."""
    head, *tails = text.split(" -m ")
    last, jump, target = (tails[-1] if tails else head).partition(" -j ")
    if tails:
        tails[-1] = last
    else:
        head = last
    dash, _, rest = head.partition(" ")
    chain, _, basics = rest.partition(" ")
    if dash != "-A" or not _is_word(chain):
        return None
    read_basics = _basics(basics)
    read_matches = [_match(tail) for tail in tails]
    read_target = _target(target) if jump else None
    if read_basics is None or None in read_matches or (jump and read_target is None):
        return None
    return RuleParts(chain, read_basics, tuple(read_matches), read_target)  # type: ignore[arg-type]


def _is_word(text: str) -> bool:
    """Whether `text` is one word as it stands: blanks other than a space are not printable."""
    return text != "" and '"' not in text and text.isprintable()


@lru_cache(_REMEMBERED)
def _basics(segment: str) -> tuple[Option, ...] | None:
    return _options(segment, BASIC) if segment else ()


@lru_cache(_REMEMBERED)
def _match(segment: str) -> Match | None:
    name, _, rest = segment.partition(" ")
    table = match_options(name)
    options = None if table is None else _options(rest, table)
    return None if options is None else Match(name, options)


@lru_cache(_REMEMBERED)
def _target(segment: str) -> Target | None:
    name, _, rest = segment.partition(" ")
    spec = target_spec(name)
    options = _options(rest, spec.options if spec else _NO_OPTIONS) if rest else ()
    if options is None or not _is_word(name) or name[0] in "!-":
        return None
    return Target(name, goto=False, options=options)


def _options(segment: str, table: OptionTable) -> tuple[Option, ...] | None:
    """Read options that all stand in `table`, each with all its values; None for anything else."""
    try:
        # str.split knows more blanks than iptables does, none of which is printable.
        plain = '"' not in segment and segment.isprintable()
        words = segment.split() if plain else split_words(segment)
    except UnclosedQuoteError:
        return None
    options = []
    at = 0
    count = len(words)
    while at < count:
        negated = words[at] == "!"
        at += negated
        spec = table.get(words[at]) if at < count else None
        start = at + 1
        if spec is None or spec.least < len(spec.kinds):
            return None
        at = start + spec.least
        values = words[start:at]
        if at > count or "!" in values:
            return None
        options.append(_option(spec.name, negated, *values))
    return tuple(options)


@lru_cache(_REMEMBERED)
def _option(name: str, negated: bool, *values: str) -> Option:  # noqa: FBT001 - a cache has no names
    """Return the option, one object for all that are equal."""
    return Option(name, negated, values)


def forget() -> None:
    """Forget the segments that were read: who reads many dumps would keep those of all of them."""
    for remembered in (_basics, _match, _target, _option):
        remembered.cache_clear()
