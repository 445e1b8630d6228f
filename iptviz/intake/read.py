"""Text in any form, read as the dumps that are in it, each as plain iptables-save."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.intake.decode import decode
from iptviz.intake.header import read_tool
from iptviz.intake.index import Index, Section, build_index
from iptviz.source.bundle import command_of_path

if TYPE_CHECKING:
    from iptviz.intake.lines import LineMap
    from iptviz.intake.remark import LineNote, Remark


class Reading(NamedTuple):
    """One dump of a text.

    `text` is plain iptables-save and `layout` says where its tables stand; `line_map` leads to the lines of what
    was read. `gaps` is what the form lacks; `family` is told by what stands around the dump, or None. `form` is
    how it was written; `node` the name in a shell prompt above it.
    """

    text: bytes
    layout: Index
    line_map: LineMap | None
    gaps: tuple[Remark, ...]
    family: str | None
    form: str
    node: str | None = None
    first_line: int = 1


class Text(NamedTuple):
    """A text with the dumps that are in it; `notes` are about its lines, `repairs` about all of it."""

    raw: bytes
    readings: list[Reading]
    notes: list[LineNote]
    repairs: tuple[Remark, ...]
    line_count: int


def read_text(raw: bytes, path: str = "") -> Text:
    """Find the dumps in `raw`; a text without any has no readings.

    `path` is that in a bundle, whose last part may be the command that wrote the text.
    """
    data, repairs = decode(raw)
    index = build_index(data)
    if _is_plain(data, index):
        return Text(raw, [Reading(data, index, None, (), None, "iptables-save")], [], repairs, 0)
    from iptviz.intake.assemble import assemble  # what plain dumps do not need
    from iptviz.intake.several import split_dumps

    command = command_of_path(path)
    drafts, notes = assemble(data, command.encode())
    readings = split_dumps(drafts, notes)
    notes.sort()
    return Text(raw, readings, notes, repairs, data.count(b"\n") + (not data.endswith(b"\n")))


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
