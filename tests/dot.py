"""Graphviz, asked once for each picture of a session: many tests look at the same, and drawing takes longest.

Kept is what dot itself drew of a text in this session without an error or a word of warning, in files that all
workers share. Whatever else happens, happens anew each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import sys
from typing import TYPE_CHECKING

import graphviz

if TYPE_CHECKING:
    from pathlib import Path

_pipe = graphviz.pipe


def svg(text: str) -> bytes:
    """Draw a text in DOT; dot must have nothing to say of it."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        drawn: bytes = graphviz.pipe("dot", "svg", text.encode())
    assert said.getvalue() == ""
    return drawn


class Pictures:
    """What was drawn, in the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pipe(self, engine: str, kind: str, text: bytes, *, quiet: bool = False) -> bytes:
        """Do what graphviz.pipe does, once."""
        program = shutil.which(engine)
        if program is None:  # that it is missing is what is tested
            return bytes(_pipe(engine, kind, text, quiet=quiet))
        key = hashlib.sha256("\0".join((program, engine, kind, "")).encode() + text).hexdigest()
        file = self.folder / key
        if file.exists():
            return file.read_bytes()
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            drawn: bytes = _pipe(engine, kind, text, quiet=False)
        if not said.getvalue():
            self._keep(file, drawn)
        elif not quiet:
            print(said.getvalue(), end="", file=sys.stderr)
        return drawn

    def _keep(self, file: Path, drawn: bytes) -> None:
        """Write beside it and rename: another worker sees all of a picture or none."""
        beside = file.with_suffix(f".{os.getpid()}")
        beside.write_bytes(drawn)
        beside.replace(file)
