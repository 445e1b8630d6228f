"""Long texts in DOT: Graphviz reads no more than 16,384 bytes in a row, but puts shorter stretches together."""

from __future__ import annotations

import re

# A quoted string, or a long word that needs no quotes.
_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)"|(?<==)(\w{4000,}+)', re.DOTALL)

# A backslash before a line end continues a string; in HTML a line end is nothing, but must not part an entity.
_IN_STRING, _IN_HTML = re.compile(r'[^"\\]{4000}'), re.compile(r"(?:&[^;&\s]*+;|[^&]){1500}")


def strings_in_stretches(source: str) -> str:
    """Return DOT that means the same and whose strings Graphviz can read, however long they are."""
    return _STRING.sub(_parted, source)


def html_in_stretches(text: str) -> str:
    """Return text of a label like HTML, escaped already, as one that Graphviz can read, however long it is."""
    return _IN_HTML.sub("\\g<0>\n", text)


def _parted(found: re.Match[str]) -> str:
    parted = _IN_STRING.sub("\\g<0>\\\\\n", found[1] or found[2] or "")
    return f'"{parted}"'
