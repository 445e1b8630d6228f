"""The chains of `iptables -L` while their lines are read into rules of a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.dialect import LineKind
from iptviz.intake.draft import BUILT_IN, HOOK_ORDER, Draft, Piece
from iptviz.intake.plain import DumpForm
from iptviz.intake.remark import add_note, remark
from iptviz.intake.text import to_bytes, to_text
from iptviz.listing.rows import ChainHeading, ListedColumns, read_columns, read_heading, read_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.intake.dialect import Command
    from iptviz.intake.remark import LineNote

WITHOUT_CHAIN = "listing-without-chain"
_DEGRADED = "made-from-listing"
_NO_INTERFACES = "interfaces-not-shown"
OF_LISTING = frozenset((_DEGRADED, _NO_INTERFACES))
"""What is said once of a table that was listed."""

# What ip6tables -n lists for any address: no rule has an option of it, so that only the row tells.
_ANY_OF_SIX = re.compile(rb"\s::/0(?:\s|\Z)")

# The end of a row's addresses.
_LIKE_A_ROW = re.compile(rb"\s(?:\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f:]+|anywhere)(?:/\d+)?(?:\s|\Z)")


class ListedChain:
    """The chain under a heading: first the line of columns, where they are not known yet, then rows."""

    def __init__(
        self, draft: Draft, heading: ChainHeading, line: int, columns: ListedColumns | None = None
    ) -> None:
        self._draft = draft
        self._name = heading.name
        self._squeezed = heading.squeezed
        self._columns: ListedColumns | None = None
        policy = f"{heading.policy or '-'} {heading.counters or '[0:0]'}"
        draft.add(Piece(LineKind.DECLARATION, to_bytes(f":{heading.name} {policy}\n"), line))
        self._begin_rows(columns, line)

    def read(self, text: bytes, line: int) -> bool:
        """Use a line; False where it is neither the columns nor a row."""
        if self._columns is None:
            return self._begin_rows(read_columns(to_text(text)), line)
        if self._squeezed:
            text = b" ".join(text.split())
        row = read_row(self._name, to_text(text), self._columns)
        if row is not None:
            self._draft.add(Piece(LineKind.RULE, to_bytes(row) + b"\n", line))
            if _ANY_OF_SIX.search(text.partition(b"/*")[0]):
                self._draft.family = "ipv6"
        return row is not None

    def _begin_rows(self, columns: ListedColumns | None, line: int) -> bool:
        self._columns = columns
        if columns and not columns.interfaces:
            _say_once(self._draft, _NO_INTERFACES, line)
        return columns is not None


class Listings:
    """The listings of a text: which chain a row is of.

    That is told by the heading above it. Where that was not copied, the command above may name the chain.
    """

    def __init__(self, notes: list[LineNote], open_draft: Callable[[None, str, int], Draft]) -> None:
        self._notes = notes
        self._open = open_draft
        self._chain: ListedChain | None = None
        self._nameless: ListedColumns | None = None
        self._asked: Command | None = None

    def end(self) -> None:
        """Other lines stand here: no row below is of the chain above."""
        self._chain = self._nameless = None

    def obey(self, command: Command) -> None:
        """A command stands here, and its output below."""
        self.end()
        self._asked = command if command.chain else None

    def begin(self, text: bytes, line: int, draft: Draft | None) -> bool:
        """Use a chain's heading; False where the line is none."""
        heading = read_heading(to_text(text)) if text.startswith(b"Chain ") else None
        if heading is None:
            return False
        self._begin(heading, line, draft)
        return True

    def read(self, text: bytes, line: int, draft: Draft | None) -> bool:
        """Use a line of columns or a row; False where the line is neither."""
        if self._chain is not None and self._chain.read(text, line):
            return True
        columns = read_columns(to_text(text))
        if columns is None and self._nameless is None:
            return self._filtered_row(text, line, draft)
        if columns and self._asked:
            self._begin(ChainHeading(str(self._asked.chain), None, None), line, draft, columns)
            return True
        self._chain = None
        self._nameless = columns or self._nameless
        if self._nameless is None or not (columns or read_row("-", to_text(text), self._nameless)):
            return False
        add_note(self._notes, line, WITHOUT_CHAIN, skipped=True)
        return True

    def is_lost_row(self, text: bytes) -> bool:
        """Whether a line that could not be read stands where rows of a chain do, and looks like one."""
        return self._chain is not None and _LIKE_A_ROW.search(text) is not None

    def _filtered_row(self, text: bytes, line: int, draft: Draft | None) -> bool:
        """Use a row that grep has left of a chain that was asked for: the columns are told by the options."""
        asked = self._asked
        if asked is None or b" -- " not in text or not read_row("-", to_text(text), asked.shown):
            return False
        chain, draft = self._begin(ChainHeading(str(asked.chain), None, None), line, draft, asked.shown)
        draft.gaps.append(remark("lines-grepped", line))
        return chain.read(text, line)

    def _begin(
        self, heading: ChainHeading, line: int, draft: Draft | None, columns: ListedColumns | None = None
    ) -> tuple[ListedChain, Draft]:
        """Begin a chain, in a new table where it cannot belong to `draft`."""
        self._asked = self._nameless = None
        if (
            draft is None
            or draft.form != DumpForm.LISTING
            or not _may_follow(to_bytes(heading.name), draft.names)
        ):
            draft = self._open(None, DumpForm.LISTING, line)
            _say_once(draft, _DEGRADED, line)
        self._chain = ListedChain(draft, heading, line, columns)
        return self._chain, draft


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
