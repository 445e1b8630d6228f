"""A chain of `iptables -L` while its lines are read into rules of a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.dialect import LineKind
from iptviz.intake.draft import BUILT_IN, HOOK_ORDER, Draft, Piece
from iptviz.intake.plain import DumpForm
from iptviz.intake.remark import remark
from iptviz.intake.text import to_bytes, to_text
from iptviz.listing.rows import ChainHeading, ListedColumns, read_columns, read_heading, read_row

if TYPE_CHECKING:
    from collections.abc import Callable

_DEGRADED = "made-from-listing"
_NO_INTERFACES = "interfaces-not-shown"
# What ip6tables -n lists for any address: no rule has an option of it, so that only the row tells.
_ANY_OF_SIX = re.compile(rb"\s::/0(?:\s|\Z)")


class ListedChain:
    """The chain under a heading: first the line of columns, then rows."""

    def __init__(self, draft: Draft, heading: ChainHeading, line: int) -> None:
        self._draft = draft
        self._name = heading.name
        self._columns: ListedColumns | None = None
        policy = f"{heading.policy or '-'} {heading.counters or '[0:0]'}"
        draft.add(Piece(LineKind.DECLARATION, to_bytes(f":{heading.name} {policy}\n"), line))

    def read(self, text: bytes, line: int) -> bool:
        """Use a line; False where it is neither the columns nor a row."""
        if self._columns is None:
            self._columns = read_columns(to_text(text))
            if self._columns and not self._columns.interfaces:
                _say_once(self._draft, _NO_INTERFACES, line)
            return self._columns is not None
        row = read_row(self._name, to_text(text), self._columns)
        if row is not None:
            self._draft.add(Piece(LineKind.RULE, to_bytes(row) + b"\n", line))
            if _ANY_OF_SIX.search(text.partition(b"/*")[0]):
                self._draft.family = "ipv6"
        return row is not None


def begin_chain(
    text: bytes, line: int, draft: Draft | None, open_draft: Callable[[None, str, int], Draft]
) -> ListedChain | None:
    """Return the chain whose heading `text` is, in a new table where it cannot belong to `draft`."""
    heading = read_heading(to_text(text)) if text.startswith(b"Chain ") else None
    if heading is None:
        return None
    if (
        draft is None
        or draft.form != DumpForm.LISTING
        or not _may_follow(to_bytes(heading.name), draft.names)
    ):
        draft = open_draft(None, DumpForm.LISTING, line)
        _say_once(draft, _DEGRADED, line)
    return ListedChain(draft, heading, line)


def _may_follow(chain: bytes, declared: set[bytes]) -> bool:
    """Whether iptables prints `chain` after those `declared`: built-in chains first, in the hooks' order."""
    if chain in declared:
        return False
    if chain not in BUILT_IN:
        return True
    later = {*HOOK_ORDER[HOOK_ORDER.index(chain) :]}
    return declared <= BUILT_IN and not declared & later


def _say_once(draft: Draft, what: str, line: int) -> None:
    if all(gap.id != what for gap in draft.gaps):
        draft.gaps.append(remark(what, line))
