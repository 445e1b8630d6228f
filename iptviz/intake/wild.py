"""Texts that are not as iptables-save wrote them: taken out of what is around them, then read line by line."""

from __future__ import annotations

from iptviz.intake.assemble import assemble
from iptviz.intake.commands import read_commands
from iptviz.intake.plain import Text
from iptviz.intake.remark import remark
from iptviz.intake.several import split_dumps
from iptviz.intake.unwrap import unwrap


def read_wild(raw: bytes, data: bytes, command: bytes, side: str | None, *, saved: bool) -> Text:
    """Find the dumps in `data`, the text of `raw`; `command` is what wrote it, where that is known.

    `saved` is whether it looks as if iptables-save wrote it.
    """
    unwrapped = unwrap(data, side, saved=saved)
    drafts, notes = assemble(unwrapped.data, command, saved=saved)
    for draft in drafts if unwrapped.cut else ():
        draft.gaps.append(remark("diff-cut", unwrapped.cut))
    dumps = split_dumps(drafts, notes)
    if not dumps and (made := read_commands(unwrapped.data)):
        notes = made.notes
        dumps = split_dumps(made.drafts, notes)
    notes += unwrapped.notes
    notes.sort()
    text = unwrapped.data
    count = text.count(b"\n") + (not text.endswith(b"\n"))
    return Text(raw, dumps, notes, unwrapped.repairs, count, unwrapped.side)
