"""Lines that a container runtime wrote to its log in parts (`stdout P`): joined with the rest (`stdout F`)."""

from __future__ import annotations

import re

from iptviz.records import NamedTuple

_HAS_PARTS = re.compile(rb"^[^\n]{20,160}? std(?:out|err) P ", re.MULTILINE)
_LINE = re.compile(rb"([^\n]{20,160}? (std(?:out|err)) )([FP]) (.*)", re.DOTALL)


class _Part(NamedTuple):
    """What there is of a line so far: where its last part stands, its header, its text."""

    place: int
    header: bytes
    text: bytes


def join_parts(data: bytes) -> bytes | None:
    """Return the text with each line of a log as one, where its last part stands; None where all lines are whole.

    Empty lines stand in the places of the other parts.
    """
    if not _HAS_PARTS.search(data):
        return None
    begun: dict[bytes, _Part] = {}
    lines: list[bytes] = []
    for line in data.split(b"\n"):
        found = _LINE.fullmatch(line)
        if found is None:
            lines.append(line)
            continue
        header, stream, tag, text = found.groups()
        before = begun.pop(stream, _Part(0, b"", b""))
        part = _Part(len(lines), header, before.text + text.removesuffix(b"\r"))
        if tag == b"P":
            begun[stream] = part
        lines.append(b"" if tag == b"P" else _whole(part))
    for cut in begun.values():
        lines[cut.place] = _whole(cut)
    return b"\n".join(lines)


def _whole(part: _Part) -> bytes:
    return part.header + b"F " + part.text
