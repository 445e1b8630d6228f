"""Lines of rules repaired where they stand; see `iptviz.intake.mend` for what is repaired."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.dialect import Line, LineKind, classify
from iptviz.intake.mend import mend, straighten
from iptviz.intake.remark import add_note
from iptviz.intake.suspect import has_odd_rule
from iptviz.intake.text import split_lines, to_bytes, to_text

if TYPE_CHECKING:
    from iptviz.intake.remark import LineNote

_COUNTERS = re.compile(rb"(?:\[\d+:\d+\] )?")


def mend_rules(text: bytes, line: int, notes: list[LineNote], saved: bytes = b"", *, goes_on: bool) -> bytes:
    """Return neighbouring rules, the first at `line`, each repaired where it needs it.

    `saved` is all of the text, where iptables-save seems to have written it; `goes_on` is whether the line below
    the rules may belong to the last.
    """
    if not has_odd_rule(text):
        return text
    lines = split_lines(text)
    for at, rule in enumerate(lines):
        if has_odd_rule(rule) and (found := _mend(rule, saved, goes_on=goes_on and at == len(lines) - 1)):
            lines[at] = found.text + b"\n"
            add_note(notes, line + at, found.reason, skipped=False)
    return b"".join(lines)


def mend_one(line: Line) -> Line:
    """Return a rule that was taken out of its decoration, repaired where it needs it."""
    if line.kind is not LineKind.RULE or not has_odd_rule(line.text):
        return line
    return _mend(line.text, goes_on=True) or line


def without_odd_signs(text: bytes) -> bytes:
    """Return a line that is no part of a dump with plain dashes and blanks, and without invisible signs."""
    return to_bytes(straighten(to_text(text))) if has_odd_rule(text) else text


def _mend(rule: bytes, saved: bytes = b"", *, goes_on: bool) -> Line | None:
    def is_chain(name: str) -> bool:
        return b"\n:%s " % to_bytes(name) in saved

    counters = _COUNTERS.match(rule)
    start = counters.end() if counters else 0
    text = to_text(rule[start:].rstrip(b" \t\r\n"))
    found = mend(text, is_chain if saved else None, goes_on=goes_on)
    if found is None:
        return None
    line = classify(rule[:start] + to_bytes(found.text).strip())
    return line._replace(reason=found.reason) if line.kind is LineKind.RULE else None
