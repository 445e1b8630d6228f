"""What `ipset save` and `ipset list` print, in the pseudonyms of a dump."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iptviz.redact.pseudonyms import Pseudonyms

_MAC = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}")
_COMMENT = re.compile(r'\bcomment "[^"]*"')
_CREATE, _ADD = {"create", "-N", "-n", "n"}, {"add", "-A", "-a", "a"}
_NAME, _TYPE, _MEMBERS = "Name:", "Type:", "Members:"
_PHYSDEV = "physdev:"
_COMMAND_WORDS = 3


class Sets:
    """Translates one text, line by line: what an element is depends on its set's type."""

    def __init__(self, redactor: Pseudonyms) -> None:
        self._redactor = redactor
        self._names = redactor.names
        self._types: dict[str, str] = {}
        self._name, self._in_members = "", False

    def text(self, text: str) -> str:
        """Return the text in pseudonyms; comments lose what they say."""
        return "\n".join(map(self._line, _COMMENT.sub('comment "redacted"', text).splitlines())) + "\n"

    def _line(self, line: str) -> str:
        first, *words = line.split(" ")
        if first in _CREATE | _ADD and len(words) >= _COMMAND_WORDS - 1:
            return " ".join([first, *self._command(words, adds=first in _ADD)])
        if first in {_NAME, _TYPE, _MEMBERS}:
            return self._heading(first, line.removeprefix(first).strip())
        if self._in_members and line.strip():
            return " ".join([self._element(first, self._types.get(self._name, "")), *words])
        return self._redactor.addresses(line)

    def _command(self, words: list[str], *, adds: bool) -> list[str]:
        """Return the words of a command after the first: a set, and an element or a type with its options."""
        name, what, *options = words
        if adds:
            return [self._names.set(name), self._element(what, self._types.get(name, "")), *options]
        self._types[name] = what
        return [self._names.set(name), what, *map(self._redactor.addresses, options)]

    def _heading(self, key: str, value: str) -> str:
        self._in_members = key == _MEMBERS
        if key == _NAME:
            self._name = value
            return f"{_NAME} {self._names.set(value)}"
        if key == _TYPE:
            self._types[self._name] = value
        return f"{key} {value}".rstrip()

    def _element(self, text: str, kind: str) -> str:
        """Return an element of a set of this type."""
        if kind.startswith("list:"):
            return self._names.set(text)
        parts = text.split(",")
        last = [self._interface(parts.pop())] if kind.endswith(",iface") else []
        return ",".join([*map(self._part, parts), *last])

    def _interface(self, text: str) -> str:
        name = text.removeprefix(_PHYSDEV)
        return text[: len(text) - len(name)] + self._names.interface(name)

    def _part(self, text: str) -> str:
        return self._names.mac(text) if _MAC.fullmatch(text) else self._redactor.addresses(text)
