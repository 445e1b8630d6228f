"""How iptables-save prints what matches say of a connection: its states, labels, bytes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from iptviz.xtables.numbers import read_uint
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iptviz.xtables.saving import Saving

_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")
_STATUSES = ("NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED")
_LAST_COUNT = (1 << 64) - 1


def names_in_order(names: Sequence[str], text: str) -> list[str] | None:
    """Return the names that `text` lists, in their order: the beginning of a name is enough, in any case."""
    asked = set()
    for word in set(text.upper().split(",")):
        if (name := _begun(names, word)) is None:
            return None
        asked.add(name)
    return [name for name in names if name in asked]


def _begun(names: Sequence[str], word: str) -> str | None:
    return next((name for name in names if word and name.startswith(word)), None)


def print_names(names: Sequence[str], text: str, _saving: Saving) -> str:
    """Print the names that `text` lists, in their order."""
    asked = names_in_order(names, text)
    return quote_word(text) if asked is None else ",".join(asked)


def _statuses(text: str, _saving: Saving) -> str:
    """Print the statuses; beside any other, `NONE` means nothing (libxt_conntrack.c)."""
    asked = names_in_order(_STATUSES, text)
    if asked is None:
        return quote_word(text)
    return ",".join(status for status in asked if status != "NONE" or asked == ["NONE"])


def _label(text: str, _saving: Saving) -> str:
    """Print a label in quotes, its number or what the machine's `connlabel.conf` calls it (libxt_connlabel.c)."""
    number = read_uint(text)
    label = text if number is None else str(number)
    return quote_word(label) if '"' in label or "\\" in label else f'"{label}"'


def _count(text: str, _saving: Saving) -> str:
    """Print a range of bytes or packets; of one without an end, or with the end 0, its start."""
    low, colon, high = text.partition(":")
    first = read_uint(low) if low or not colon else 0
    last = read_uint(high) if high else _LAST_COUNT
    if first is None or last is None or max(first, last) > _LAST_COUNT:
        return quote_word(text)
    return f"{first}:{last}" if 0 < last < _LAST_COUNT else str(first)


CONNECTION_KINDS: dict[str, Callable[[str, Saving], str]] = {
    "ct-states": partial(print_names, _STATES),
    "ct-statuses": _statuses,
    "connection-label": _label,
    "connection-count": _count,
}
