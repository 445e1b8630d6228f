"""Text in any form, read as the dumps that are in it, each as plain iptables-save."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.decode import decode
from iptviz.intake.header import read_tool
from iptviz.intake.index import build_index
from iptviz.intake.plain import PlainDump, Text
from iptviz.intake.suspect import is_suspect
from iptviz.source.bundle import command_of_path

_QUOTE_ENTITY = re.compile(rb" &(?:quot|#0{0,5}34|#[xX]0{0,5}22);")
_EDITED = 1 << 17
if TYPE_CHECKING:
    from iptviz.intake.index import Index, Section


def read_text(raw: bytes, path: str = "", side: str | None = None) -> Text:
    """Find the dumps in `raw`, of which there may be none.

    `path` is that in a bundle, whose last part may be the command that wrote the text; `side` is
    what is read of a diff, `new` or `old`, the new one unless told.
    """
    data, repairs = decode(raw)
    index = build_index(data)
    plain = _is_plain(data, index)
    if plain and not _may_need_repair(data):
        return Text(raw, [PlainDump(data, index, None, (), None, "iptables-save")], [], repairs, 0)
    from iptviz.intake.wild import read_wild  # what plain dumps do not need

    text = read_wild(raw, data, command_of_path(path).encode(), side, saved=plain)
    if plain and not (text.notes or text.repairs):
        return Text(raw, [PlainDump(data, index, None, (), None, "iptables-save")], [], repairs, 0)
    return text._replace(repairs=(*repairs, *text.repairs))


def _may_need_repair(data: bytes) -> bool:
    """Whether a text that looks like a dump may be HTML, or edited: nobody edits a dump of a large node."""
    if b"&" in data and _QUOTE_ENTITY.search(data):
        return True
    return len(data) <= _EDITED and is_suspect(data)


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
