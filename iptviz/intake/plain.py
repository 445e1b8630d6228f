"""What a text comes to: the dumps that are in it, each as plain iptables-save, and what was done to its lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.intake.index import Index
    from iptviz.intake.lines import LineMap
    from iptviz.intake.remark import LineNote, Remark


class DumpForm:
    """What a dump was written as."""

    SAVE = "iptables-save"
    RULES = "iptables -S"
    LISTING = "iptables -L"
    NFT = "nft list ruleset"


WHOLE_TABLES = frozenset({DumpForm.SAVE, DumpForm.NFT})
"""The forms that show all chains of a table that is there."""


NEW, OLD = "new", "old"
"""The sides of a diff."""


class PlainDump(NamedTuple):
    """One dump of a text.

    `text` is plain iptables-save and `layout` says where its tables stand; `line_map` leads to the lines of what
    was read. `gaps` is what the form lacks. `family`, `backend` and `namespace`, which is a network namespace
    that is not the node's own, are told by what stands around the dump, or None. `form` is how it was written;
    `node` the name in a shell prompt above it; `tool` what wrote it, where that is no iptables-save.
    """

    text: bytes
    layout: Index
    line_map: LineMap | None
    gaps: tuple[Remark, ...]
    family: str | None
    form: str
    node: str | None = None
    first_line: int = 1
    backend: str | None = None
    namespace: str | None = None
    tool: str | None = None


class Text(NamedTuple):
    """A text with the dumps that are in it; `notes` are about its lines, `repairs` about all of it.

    `side` is what was read of a diff, `new` or `old`; None where the text is none.
    """

    raw: bytes
    dumps: list[PlainDump]
    notes: list[LineNote]
    repairs: tuple[Remark, ...]
    line_count: int
    side: str | None = None
