"""What whole texts are taken out of before their lines are read: strings of JSON, HTML, comparisons."""

from __future__ import annotations

import re

from iptviz.intake.diffs import read_side
from iptviz.intake.embedded import unpack
from iptviz.intake.markup import from_html
from iptviz.intake.partial import join_parts
from iptviz.intake.plain import NEW, OLD
from iptviz.intake.remark import LineNote, Remark, remark
from iptviz.records import NamedTuple

# Within a line, a rule may hold a colour in its comment.
_COLOURS = re.compile(rb"^(?:\x1b\[[0-9;]*[mK])+|(?:\x1b\[[0-9;]*[mK])+[ \t\r]*$", re.MULTILINE)
_MOST_LAYERS = 3
"""JSON within JSON, HTML within JSON: so many layers are taken off."""


class Unwrapped(NamedTuple):
    """A text without what was around it, what was done, and what became of single lines.

    `side` is what was read of a diff, None where the text is none; `cut` the line at which that leaves out lines
    first, 0 where it leaves out none.
    """

    data: bytes
    repairs: tuple[Remark, ...] = ()
    notes: tuple[LineNote, ...] = ()
    cut: int = 0
    side: str | None = None


def unwrap(data: bytes, side: str | None = None, *, saved: bool = False) -> Unwrapped:
    """Take a text out of what is around it; of a diff, `side` is read, or the new one.

    Around one that looks as if iptables-save wrote it, as `saved` says, there is nothing.
    """
    if saved:
        made = from_html(data, saved=True)
        return Unwrapped(made.data, tuple(map(remark, made.undone))) if made else Unwrapped(data)
    done: dict[str, None] = {}
    renumbered = False
    for _ in range(_MOST_LAYERS):
        before = data
        if unpacked := unpack(data):
            data = unpacked.data
            renumbered = renumbered or unpacked.renumbered
            done["strings-unpacked"] = None
        if made := from_html(data):
            renumbered = renumbered or made.data.count(b"\n") != data.count(b"\n")
            data = made.data
            done |= dict.fromkeys(made.undone)
        if b" P " in data and (whole := join_parts(data)):
            data = whole
            done["parts-joined"] = None
        if b"\x1b" in data and (plain := _COLOURS.sub(b"", data)) != data:
            data = plain
            done["colours"] = None
        if data == before:
            break
    repairs = [*map(remark, done), *([remark("lines-unpacked")] if renumbered else [])]
    return _one_side(Unwrapped(data, tuple(repairs)), side or NEW)


def _one_side(text: Unwrapped, side: str) -> Unwrapped:
    """Read one side of a diff; of a diff of diffs, that of the diff which is on that side."""
    other = OLD if side == NEW else NEW
    for _ in range(_MOST_LAYERS):
        chosen = read_side(text.data, side)
        if chosen is None:
            break
        said = () if text.side else (remark("side-read", side=side, other_side=other),)
        notes = (*text.notes, *chosen.notes)
        text = Unwrapped(chosen.data, (*text.repairs, *said), notes, text.cut or chosen.cut, side)
    return text
