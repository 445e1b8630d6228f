"""The dump: its bytes, its tables by name, and what its reading left open."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.dump.gaps import find_gaps, no_table_error
from iptviz.dump.source import DumpLike, read_source
from iptviz.dump.table import Table
from iptviz.intake.header import Header, read_header
from iptviz.intake.lines import Lines
from iptviz.intake.read import read_text
from iptviz.xtables.saving import Saving

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iptviz.intake.read import Reading, Text
    from iptviz.intake.remark import LineNote, Remark


class Dump:
    """One dump: `tables` by name in the dump's order; `bytes(dump)` is what was read, byte for byte.

    Line numbers are those of what was read, even where the dump had to be taken out of other text. Where one
    text holds several dumps, each is a Dump, and `bytes` gives all of the text.
    """

    def __init__(self, data: bytes, source: str = "<bytes>") -> None:
        """Read the only or the first dump in `data`; `source` is what messages call it.

        Raises:
            DumpError: no dump is in it.
        """
        text = read_text(data)
        if not text.readings:
            raise no_table_error(text, source)
        self._begin(text, text.readings[0], source)

    @classmethod
    def all_of(cls, text: Text, source: str) -> list[Dump]:
        """Return the dumps of `text`, in its order."""
        return [cls._made(text, reading, source) for reading in text.readings]

    @classmethod
    def _made(cls, text: Text, reading: Reading, source: str) -> Dump:
        dump = cls.__new__(cls)
        dump._begin(text, reading, source)
        return dump

    def _begin(self, text: Text, reading: Reading, source: str) -> None:
        self.source = source
        self.data = reading.text
        self.lines = Lines(reading.text, reading.line_map)
        self._text = text
        self._reading = reading
        self.tables: Mapping[str, Table] = {
            section.name: Table(self.data, self.lines, section, self._saving)
            for section in reading.index.sections
        }

    def __bytes__(self) -> bytes:
        return self._text.raw

    def __repr__(self) -> str:
        return f"<Dump {self.source}: {', '.join(self.tables)}>"

    @cached_property
    def header(self) -> Header:
        """Who wrote the dump, when, and its family."""
        return read_header(self.data, self._reading.index.comments, self._reading.family)

    @property
    def family(self) -> str:
        """Either `ipv4` or `ipv6`."""
        return self.header.family

    @property
    def tool(self) -> str | None:
        """The program that wrote the dump, as `iptables-save v1.8.9 (nf_tables)`, where it says so."""
        return self.header.tool

    @property
    def form(self) -> str:
        """How the dump was written: `iptables-save`, `iptables -L`, or rules without a table header."""
        return self._reading.form

    def _saving(self) -> Saving:
        return Saving(self.family, self.header.backend or "legacy")

    @property
    def rule_count(self) -> int:
        """How many rules all tables hold."""
        return sum(table.rule_count for table in self.tables.values())

    @property
    def line_notes(self) -> list[LineNote]:
        """The lines of the text that were skipped or repaired, and why."""
        return self._text.notes

    @property
    def repairs(self) -> tuple[str, ...]:
        """What was done to the whole text before its lines were read."""
        return self._text.repairs

    @property
    def line_count(self) -> int:
        """How many lines the text has, where any was skipped or repaired; else 0."""
        return self._text.line_count

    @cached_property
    def gaps(self) -> list[Remark]:
        """Why the dump may lack something, by line: no COMMIT, a cut end, a missing declaration, other text."""
        return find_gaps(self, self._reading)

    @property
    def complete(self) -> bool:
        """Whether nothing suggests that a part is missing."""
        return not self.gaps


def load(origin: DumpLike) -> Dump:
    source = read_source(origin)
    return Dump(source.data, source.name)
