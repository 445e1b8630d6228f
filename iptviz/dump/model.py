"""The dump: its bytes, its tables by name, and what its reading left open."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.dump.cut import HOOKS
from iptviz.dump.gaps import NO_LINES, GapSearch, find_gaps, legacy_warning, no_dump_error
from iptviz.dump.table import Table
from iptviz.intake.header import Header, read_header
from iptviz.intake.lines import Lines
from iptviz.intake.plain import WHOLE_TABLES, DumpForm
from iptviz.intake.read import read_text
from iptviz.source.bundle import command_of_path, namespace_of_path, node_of_path
from iptviz.source.origin import Source
from iptviz.xtables.option import Saving

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from iptviz.intake.plain import PlainDump, Text
    from iptviz.intake.remark import LineNote, Remark


class Dump:
    """One dump: `tables` by name in the dump's order; `bytes(dump)` is what was read, byte for byte.

    Line numbers are those of what was read, even where the dump had to be taken out of other text. Where one
    text holds several dumps, each is a Dump, and `bytes` gives all of the text.
    """

    def __init__(self, data: bytes, source: str = "<bytes>") -> None:
        """Read the first dump in `data`; `source` is what messages call it.

        Raises:
            DumpError: no dump is in it.
        """
        text = read_text(data)
        if not text.dumps:
            raise no_dump_error(text, source)
        self._begin(text, text.dumps[0], Source(source, "", data))

    @classmethod
    def of(cls, text: Text, plain: PlainDump, origin: Source) -> Dump:
        """Return `plain`, one of the dumps of `text`, which came from `origin`."""
        dump = cls.__new__(cls)
        dump._begin(text, plain, origin)
        return dump

    def _begin(self, text: Text, plain: PlainDump, origin: Source) -> None:
        self.origin = origin
        self.source = origin.name
        self.number = 1
        self.siblings = 0
        self.others: tuple[Dump, ...] = ()
        self.data = plain.text
        self.lines = Lines(plain.text, plain.line_map)
        self._text = text
        self._plain = plain
        self.tables: Mapping[str, Table] = {
            section.name: Table(self.data, self.lines, section, self._saving)
            for section in plain.layout.sections
        }
        unlisted = {dict(gap.values)["table"] for gap in plain.gaps if gap.id == "chains-unlisted"}
        for table in self.tables.values():
            table.beside = self.tables
            table.is_listed = self.form == DumpForm.LISTING
            bare = self.form not in WHOLE_TABLES and not any(map(table.has_chain, HOOKS))
            table.shows_some_chains = self.form != DumpForm.SAVE and (table.name in unlisted or bare)

    @property
    def own_tables(self) -> list[str]:
        """The tables that stand in its own text."""
        return list(dict.fromkeys(section.name for section in self._plain.layout.sections))

    def joined_with(self, others: Iterable[Dump]) -> Dump:
        """Return this dump with the tables of `others` beside its own: they are of the same node and moment.

        `others` of the result are those dumps; each table keeps the lines of its own text.
        """
        joined = Dump.of(self._text, self._plain, self.origin)
        joined.number, joined.siblings = self.number, self.siblings
        joined.others = tuple(others)
        joined.tables = {
            name: table for dump in (self, *joined.others) for name, table in dump.tables.items()
        }
        return joined

    def __bytes__(self) -> bytes:
        return b"".join((self._text.raw, *map(bytes, self.others)))

    def __repr__(self) -> str:
        return f"<Dump {self.source}: {', '.join(self.tables)}>"

    @cached_property
    def header(self) -> Header:
        """Who wrote the dump, when, and its family."""
        return read_header(self.data, self._plain.layout.comments, self._plain.family)

    @property
    def family(self) -> str:
        """Either `ipv4` or `ipv6`."""
        return self.header.family

    @property
    def tool(self) -> str | None:
        """The program that wrote the dump, as `iptables-save v1.8.9 (nf_tables)`, where it says so."""
        return self.header.tool or self._plain.tool

    @property
    def backend(self) -> str | None:
        """Either `nf_tables` or `legacy`, as the dump, the command above it or its file's name says, or None."""
        if self.header.backend:
            return self.header.backend
        command = command_of_path(self.origin.inside)
        named = "nf_tables" if "tables-nft" in command else "legacy" if "tables-legacy" in command else None
        return self._plain.backend or named

    @property
    def form(self) -> str:
        """How the dump was written: `iptables-save`, `iptables -L`, or rules without a table header."""
        return self._plain.form

    @property
    def first_line(self) -> int:
        """The line of the text at which the dump begins."""
        return self._plain.first_line

    def _saving(self) -> Saving:
        return Saving(self.family, self.backend or "legacy")

    @property
    def rule_count(self) -> int:
        """How many rules all tables hold."""
        return sum(table.rule_count for table in self.tables.values())

    @property
    def line_notes(self) -> list[LineNote]:
        """The lines of the text that were skipped or repaired, and why."""
        return self._text.notes

    @property
    def repairs(self) -> tuple[Remark, ...]:
        """What was done to the whole text before its lines were read."""
        return self._text.repairs

    @property
    def line_count(self) -> int:
        """How many lines the text has, where any was skipped or repaired; else 0."""
        return self._text.line_count

    @property
    def damage(self) -> str:
        """Why the packed file is not whole, or nothing."""
        return self.origin.damage

    @property
    def node(self) -> str | None:
        """The name of the node, where a shell prompt above the dump or its path in a bundle has it."""
        return self._plain.node or node_of_path(self.origin.path)

    @property
    def namespace(self) -> str | None:
        """The network namespace that it is from, as the command or the path says; None for the node's own."""
        return self._plain.namespace or namespace_of_path(self.origin.inside)

    @property
    def time(self) -> str | None:
        """When the dump was saved, as it says, else when its file in a bundle was last written (UTC)."""
        if self.header.time or self.origin.modified is None:
            return self.header.time
        from datetime import UTC, datetime

        return datetime.fromtimestamp(self.origin.modified, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

    def describe(self) -> str:
        """Return what tells this dump from others of its file, in a line."""
        tables = ", ".join(f"{name} {table.rule_count}" for name, table in self.tables.items())
        what = self.tool or f"{self.form}, {self.family}"
        where = (self.origin.inside, f"line {self.first_line}" if self.siblings else "")
        return " · ".join(filter(None, (*where, what, f"rules: {tables}", self.time or "", self.node or "")))

    @cached_property
    def gaps(self) -> list[Remark]:
        """Why the dump may lack something, by line: no COMMIT, a cut end, a missing declaration, other text."""
        ends_whole = self._text.raw.endswith(b"\n")
        own = find_gaps(GapSearch(self._plain, self.tables, self.lines, ends_whole, self.damage))
        of_others = (gap for dump in self.others for gap in dump.gaps if gap.id != "table-missing")
        return list(dict.fromkeys((*own, *of_others))) if self.others else own

    @property
    def legacy_warning(self) -> int | None:
        """The line in which iptables-nft warns of legacy tables, which it does not show; None without it."""
        return legacy_warning(self._plain, self.lines)

    @property
    def lacks_lines(self) -> bool:
        """Whether lines seem to be missing, so that a chain without rules may have some."""
        return any(gap.id not in NO_LINES for gap in self.gaps)

    @property
    def is_excerpt(self) -> bool:
        """Whether lines may be missing anywhere in some table, as where grep chose those that are shown."""
        return any(table.shown.is_excerpt for table in self.tables.values())

    @property
    def is_made(self) -> bool:
        """Whether it is made from commands that change rules, not from what a program printed of them."""
        return any(gap.id == "made-from-commands" for gap in self._plain.gaps)

    @property
    def complete(self) -> bool:
        """Whether nothing suggests that a part is missing."""
        return not self.gaps
