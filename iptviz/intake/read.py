"""Text in any form, read as the dumps that are in it, each as plain iptables-save."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.decode import decode
from iptviz.intake.header import read_tool
from iptviz.intake.index import build_index
from iptviz.intake.plain import PlainDump, Text
from iptviz.intake.suspect import EDITED, is_suspect
from iptviz.source.bundle import command_of_path

if TYPE_CHECKING:
    from iptviz.intake.index import Index, Section
    from iptviz.intake.remark import LineNote

_EMPTY = re.compile(rb"\n\r?\n")
_QUOTE_ENTITY = re.compile(rb" &(?:quot|#0{0,5}34|#[xX]0{0,5}22);")


def read_text(raw: bytes, path: str = "", side: str | None = None) -> Text:
    """Find the dumps in `raw`, of which there may be none.

    `path` is that in a bundle, whose last part may be the command that wrote the text; `side` is
    what is read of a diff, `new` or `old`, the new one unless told.
    """
    data, repairs = decode(raw)
    index = build_index(data)
    notes: list[LineNote] = []
    if _may_be_cut(data, index):
        from iptviz.intake.spliced import take_out  # what plain dumps do not need

        data, notes = take_out(data)
        index = build_index(data) if notes else index
    dump = _plain_dump(data, index)
    whole = Text(raw, [dump] if dump else [], notes, repairs, _line_count(data) if notes else 0)
    if dump and not _may_need_repair(data):
        return whole
    from iptviz.intake.wild import read_wild

    text = read_wild(raw, data, command_of_path(path).encode(), side, saved=dump is not None)
    if dump and not (text.notes or text.repairs):
        return whole
    return text._replace(notes=sorted([*notes, *text.notes]), repairs=(*repairs, *text.repairs))


def _plain_dump(data: bytes, index: Index) -> PlainDump | None:
    plain = _is_plain(data, index)
    return PlainDump(data, index, None, (), None, "iptables-save") if plain else None


def _line_count(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n"))


def _may_be_cut(data: bytes, index: Index) -> bool:
    """Whether a message may have cut a line in two, which leaves something that no plain dump has.

    The second half is no part of a dump, seems to declare a chain below rules (`:80`), or is an empty line.
    """
    if index.strays or any(map(_declares_late, index.sections)):
        return True
    return any(_EMPTY.search(data, max(start - 1, 0), end) for start, end in index.comments)


def _may_need_repair(data: bytes) -> bool:
    """Whether a text that looks like a dump may be HTML, or edited: nobody edits a dump of a large node."""
    if b"&" in data and _QUOTE_ENTITY.search(data):
        return True
    return len(data) <= EDITED and is_suspect(data)


def _is_plain(data: bytes, index: Index) -> bool:
    """Whether the text is one dump as iptables-save wrote it, and nothing else."""
    names = [section.name for section in index.sections]
    if index.strays or not names or len(set(names)) < len(names):
        return False
    if any(map(_declares_late, index.sections)):
        return False
    tools = {read_tool(data[start:end]) for start, end in index.comments} - {None}
    return len(tools) <= 1


def _declares_late(section: Section) -> bool:
    """Whether a declaration stands below a rule, and may empty a chain: iptables-save writes none there."""
    declarations, blocks = section.declarations, section.blocks
    return bool(declarations and blocks) and declarations[-1][0] > blocks[0][0]
