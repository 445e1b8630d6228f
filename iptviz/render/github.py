"""Workflow commands of GitHub Actions: what a step prints so becomes annotations of the run and of the file.

A step shows ten annotations of each kind, and 4,096 signs of a message; what goes beyond that is counted in the
last command. No text of a dump begins a line here, so none is taken for a command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.render.findings import (
    ERROR,
    LEVELS,
    NO_FILES,
    NOTE,
    WARNING,
    counted_by,
    details_of,
    dump_in,
    found_in,
    looked_at,
    message_of,
    path_of,
    places_of,
    why_no_services,
)
from iptviz.view.text import printable

if TYPE_CHECKING:
    from iptviz.documents.shapes import Shape

_COMMANDS = {ERROR: "error", WARNING: "warning", NOTE: "notice"}
_MOST = {ERROR: 10, WARNING: 10, NOTE: 9}
"""So many annotations of each kind; the last command is a notice, too."""

_LONGEST = 4_096
_RULES = 3
"""So many rules are quoted of one finding."""

_ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_MORE_ESCAPES = {":": "%3A", ",": "%2C"}
"""What else is escaped in a property."""


def github_text(document: Shape) -> str:
    """Return the findings of a document as commands, one a line."""
    shown: list[Shape] = []
    more: list[Shape] = []
    room = dict(_MOST)
    for finding in document["findings"]:
        level = LEVELS[finding["severity"]]
        room[level] -= 1
        (more if room[level] < 0 else shown).append(finding)
    commands = [_command(document, finding) for finding in shown]
    return "".join(f"{command}\n" for command in [*commands, _last(document, more)])


def _command(document: Shape, finding: Shape) -> str:
    lines = places_of(finding)
    elsewhere = [piece for piece in (lines or finding["evidence"])[:1] if "source" in piece]
    source = path_of(elsewhere[0] if elsewhere else dump_in(document, finding))
    properties = {"title": finding["id"]}
    if source not in NO_FILES:
        properties |= {"file": printable(source)} | ({"line": str(lines[0]["line"])} if lines else {})
    message = "\n".join([message_of(finding), *details_of(finding, _RULES)])
    return _written(_COMMANDS[LEVELS[finding["severity"]]], properties, message)


def _last(document: Shape, more: list[Shape]) -> str:
    """Return the command that says how many findings there are, and which of them have no annotation.

    Why there are no services to look at is said before that.
    """
    why = [why] if (why := why_no_services(document)) else []
    rest = f"; of these without an annotation: {counted_by(more, 'id')}" if more else ""
    found = f"{found_in(document)}{rest} (checked: {looked_at(document)})"
    return _written("notice", {"title": "iptviz check"}, "\n".join([*why, found]))


def _written(command: str, properties: dict[str, str], message: str) -> str:
    told = ",".join(
        f"{name}={_escaped(value, _ESCAPES | _MORE_ESCAPES)}" for name, value in properties.items()
    )
    cut = message if len(message) <= _LONGEST else f"{message[: _LONGEST - 3]}..."
    return f"::{command} {told}::{_escaped(cut, _ESCAPES)}"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(sign, sign) for sign in text)
