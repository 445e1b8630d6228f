"""What reading a dump leaves open: missing ends, tables and declarations, and what its form cannot show."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from iptviz.dump.cut import HOOKS, cut_rules
from iptviz.errors import NothingError
from iptviz.intake.plain import NEW, OLD
from iptviz.intake.remark import Remark, remark
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iptviz.dump.table import Table
    from iptviz.intake.lines import Lines
    from iptviz.intake.plain import PlainDump, Text

_WITHIN_LINES = re.compile(rb"-A [A-Z][\w-]{2,60} [^\n]{0,400}?-j [A-Z]")
_LOOKED_AT, _SEVERAL = 1 << 20, 3
_INCOMPATIBLE = re.compile(rb"^# Table (?:`(\w+)')?.* (is|contains) incompatible", re.MULTILINE)
# kube-proxy keeps REJECT and DROP in filter and everything else in nat: one without the other is half a node.
_BOTH = ("nat", "filter")
_KUBE = b"KUBE-SERVICES"


OF_FORM = frozenset({"made-from-listing", "interfaces-not-shown", "table-not-named", "nft-hides"})
"""Gaps that are no missing lines: the form of the text does not show everything."""


NO_LINES = OF_FORM | {"base-chains-unseen", "chains-unlisted"}
"""Those, and whole chains that are not shown: of those that are, no line is missing."""


class GapSearch(NamedTuple):
    """Where gaps are looked for: a dump as it was read, its tables, its lines, whether its text ends with a line.

    `damage` says why the file that it was packed in is not whole, or nothing.
    """

    plain: PlainDump
    tables: Mapping[str, Table]
    lines: Lines
    ends_whole: bool
    damage: str

    def line_of(self, offset: int) -> int:
        """Return the line (counted from 1) of a place in the dump's text; negative ones count from its end."""
        return self.lines.at(offset % len(self.plain.text))


_LEGACY = b"-legacy tables present, use ip"


def find_gaps(search: GapSearch) -> list[Remark]:
    """Return why a dump may lack something, in the order of its lines; empty means complete.

    `iptviz.checks.reading` has the words.
    """
    found = (
        *_uncommitted(search),
        *_incompatible(search),
        *_undeclared(search.tables),
        *_part_of_table(search.tables),
        *_cut(search.tables),
        *_without_policy(search.tables),
        *_missing_table(search.tables),
        *([remark("damaged", search.line_of(-1), reason=search.damage)] if search.damage else []),
        *search.plain.gaps,
    )
    return sorted(found, key=lambda gap: gap.line)


def no_dump_error(text: Text, source: str) -> NothingError:
    """Return the error for input without any dump, which says what it holds instead."""
    from iptviz.dump.foreign import foreign_error  # what dumps do not need

    return foreign_error(text.raw, source) or _empty_side(text, source) or _nothing(text, source)


def _empty_side(text: Text, source: str) -> NothingError | None:
    if text.side is None:
        return None
    other = OLD if text.side == NEW else NEW
    return NothingError(
        f"the {text.side} side of this diff has no rules",
        where=source,
        hint=f"read the other side: --side {other}",
    )


def _nothing(text: Text, source: str) -> NothingError:
    nameless = next((note for note in text.notes if note.reason == "listing-without-chain"), None)
    if nameless:
        return NothingError(
            "rows of iptables -L without the line `Chain NAME`: their chain is unknown",
            where=f"{source}:{nameless.first}",
            hint="add the line `Chain NAME (1 references)` above them, or the command: $ iptables -t nat -L NAME",
        )
    if sum(1 for _ in islice(_WITHIN_LINES.finditer(text.raw, 0, _LOOKED_AT), _SEVERAL)) == _SEVERAL:
        return NothingError(
            "no line begins with an iptables rule (expected iptables-save output)",
            where=source,
            hint="put each rule on its own line, or capture a dump with: sudo iptables-save > FILE (on the node)",
        )
    return NothingError(
        "no iptables rules found (expected iptables-save output)",
        where=source,
        hint="capture a dump with: sudo iptables-save > FILE (on the node)",
    )


def _uncommitted(search: GapSearch) -> Iterator[Remark]:
    sections = search.plain.layout.sections
    for section in sections:
        if not section.committed:
            yield remark("no-commit", search.line_of(section.start), table=section.name)
    if not sections[-1].committed and not search.ends_whole:
        yield remark("last-line-cut", search.line_of(-1))


def _incompatible(search: GapSearch) -> Iterator[Remark]:
    """Find iptables-nft's word for tables that nft owns and iptables cannot show."""
    for start, end in search.plain.layout.comments:
        for found in _INCOMPATIBLE.finditer(search.plain.text, start, end):
            table = (found[1] or b"").decode()
            what = "table-incompatible" if found[2] == b"is" else "base-chains-unseen"
            yield remark(what, search.line_of(found.start()), table=table)


def legacy_warning(plain: PlainDump, lines: Lines) -> int | None:
    """Return the line in which iptables-nft warns of tables of iptables-legacy (nft-shared.c)."""
    for start, end in plain.layout.comments:
        at = plain.text.find(_LEGACY, start, end)
        if at >= 0:
            return lines.at(at)
    return None


def _undeclared(tables: Mapping[str, Table]) -> Iterator[Remark]:
    """Find chains that have rules and no declaration: somebody, or grep, left lines out."""
    for table in tables.values():
        names = table.undeclared()
        if names:
            line = table.chains[names[0]].line
            yield remark("chains-undeclared", line, table=table.name, chain=names[0], count=len(names))


def _part_of_table(tables: Mapping[str, Table]) -> Iterator[Remark]:
    """Find tables of which a listing shows some chains, and no built-in one: those that somebody asked for."""
    for table in tables.values():
        if table.shows_some_chains and not table.undeclared() and not any(map(table.has_chain, HOOKS)):
            yield remark("part-of-table", table.line, table=table.name)


def _cut(tables: Mapping[str, Table]) -> Iterator[Remark]:
    """Find lines of built-in chains that end within a word: what the rest of the line said is not known."""
    cut = [rule for table in tables.values() for rule in cut_rules(table)]
    if cut:
        yield remark("lines-cut", min(rule.line for rule in cut), count=len(cut))


def _without_policy(tables: Mapping[str, Table]) -> Iterator[Remark]:
    """Find declarations of built-in chains that name no policy."""
    for table in tables.values():
        for name in filter(table.has_chain, HOOKS):
            chain = table.chains[name]
            if chain.is_built_in and chain.policy is None:
                yield remark("policy-unread", chain.line, table=table.name, chain=name)


def _missing_table(tables: Mapping[str, Table]) -> Iterator[Remark]:
    there = [tables[name] for name in _BOTH if name in tables]
    if len(there) == 1 and next(there[0].rules_with(_KUBE.decode()), None):
        (missing,) = set(_BOTH) - {there[0].name}
        yield remark("table-missing", there[0].line, table=missing)
