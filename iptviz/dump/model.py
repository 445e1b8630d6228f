"""The dump: its bytes, its tables by name, and what its reading left open."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.dump.gaps import Remark, find_gaps, no_table_error
from iptviz.dump.header import Header, read_header
from iptviz.dump.index import build_index
from iptviz.dump.lines import Lines
from iptviz.dump.source import DumpLike, read_source
from iptviz.dump.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping


class Dump:
    """An indexed dump: `tables` by name in the dump's order; `bytes(dump)` is what was read."""

    def __init__(self, data: bytes, source: str = "<bytes>") -> None:
        """Index `data`; `source` is what messages call it.

        Raises:
            DumpError: no table is in it.
        """
        self.data = data
        self.source = source
        self.lines = Lines(data)
        self._index = build_index(data)
        if not self._index.sections:
            raise no_table_error(data, source, self._index, self.lines)
        # Of two sections of one table the later counts: iptables-restore would replace the first by it.
        self.tables: Mapping[str, Table] = {
            section.name: Table(data, self.lines, section) for section in self._index.sections
        }

    def __bytes__(self) -> bytes:
        return self.data

    def __repr__(self) -> str:
        return f"<Dump {self.source}: {', '.join(self.tables)}>"

    @cached_property
    def header(self) -> Header:
        """Who wrote the dump, and its family."""
        return read_header(self.data, self._index.comments)

    @property
    def family(self) -> str:
        """Either `ipv4` or `ipv6`."""
        return self.header.family

    @property
    def tool(self) -> str | None:
        """The program that wrote the dump, as `iptables-save v1.8.9 (nf_tables)`, where it says so."""
        return self.header.tool

    @property
    def rule_count(self) -> int:
        """How many rules all tables hold."""
        return sum(table.rule_count for table in self.tables.values())

    @cached_property
    def gaps(self) -> list[Remark]:
        """Why the dump may lack something, by line: no COMMIT, a cut end, a table twice, other text."""
        return find_gaps(self.data, self._index, self.lines)

    @property
    def complete(self) -> bool:
        """Whether nothing suggests that a part is missing."""
        return not self.gaps


def load(origin: DumpLike) -> Dump:
    """Read and index a dump: a path, "-" for standard input, bytes, or an open binary file.

    Raises:
        DumpError: it cannot be read, or holds no iptables-save text.
    """
    source = read_source(origin)
    return Dump(source.data, source.name)
