"""What reading a dump leaves open: missing ends, tables and declarations, and what its form cannot show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.errors import DumpError
from iptviz.intake.remark import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.intake.plain import PlainDump, Text

_INCOMPATIBLE = re.compile(rb"^# Table .* (?:is|contains) incompatible", re.MULTILINE)
_NFT_RULESET = re.compile(rb"^table (?:ip6?|inet|bridge|arp|netdev) \S+ \{", re.MULTILINE)
# kube-proxy keeps REJECT and DROP in filter and everything else in nat: one without the other is half a node.
_BOTH = ("nat", "filter")
_KUBE = b"KUBE-SERVICES"


def find_gaps(dump: Dump, reading: PlainDump) -> list[Remark]:
    """Return why the dump may lack something, in the order of its lines; empty means complete."""
    found = (
        *_uncommitted(dump, reading),
        *_incompatible(dump, reading),
        *_undeclared(dump),
        *_missing_table(dump),
        *([Remark(dump.lines.at(len(dump.data) - 1), dump.damage)] if dump.damage else []),
        *reading.gaps,
    )
    return sorted(found)


def no_dump_error(text: Text, source: str) -> DumpError:
    """Return the error for input without any dump, which says what it holds instead."""
    nft = _NFT_RULESET.search(text.raw)
    if nft:
        line = text.raw.count(b"\n", 0, nft.start()) + 1
        return DumpError(
            "is nft's own ruleset, which iptviz does not read",
            where=f"{source}:{line}",
            hint="give the output of iptables-save (as root, on the node)",
        )
    return DumpError(
        "holds no dump: no line such as *nat or -A CHAIN",
        where=source,
        hint="make one with: iptables-save > FILE (as root, on the node)",
    )


def _uncommitted(dump: Dump, reading: PlainDump) -> Iterator[Remark]:
    for section in reading.layout.sections:
        if not section.committed:
            yield Remark(
                dump.lines.at(section.start), f"table {section.name} has no COMMIT: its end may be missing"
            )
    if not reading.layout.sections[-1].committed and not bytes(dump).endswith(b"\n"):
        yield Remark(dump.lines.at(len(dump.data) - 1), "the last line has no end: the dump may be cut there")


def _incompatible(dump: Dump, reading: PlainDump) -> Iterator[Remark]:
    """Find iptables-nft's word for tables that nft owns and iptables cannot show."""
    for start, end in reading.layout.comments:
        for found in _INCOMPATIBLE.finditer(dump.data, start, end):
            what = "a table here is not shown: iptables cannot read it, nft list ruleset can"
            yield Remark(dump.lines.at(found.start()), what)


def _undeclared(dump: Dump) -> Iterator[Remark]:
    """Find chains that have rules and no declaration: somebody, or grep, left lines out."""
    for table in dump.tables.values():
        names = table.undeclared()
        if names:
            first = table.chains[names[0]]
            others = f" and {len(names) - 1} more" if len(names) > 1 else ""
            what = f"table {table.name} has rules of {names[0]}{others}, but no declaration: lines may be missing"
            yield Remark(first.line, what)


def _missing_table(dump: Dump) -> Iterator[Remark]:
    there = [dump.tables[name] for name in _BOTH if name in dump.tables]
    if len(there) == 1 and next(there[0].rules_with(_KUBE.decode()), None):
        (missing,) = set(_BOTH) - {there[0].name}
        yield Remark(there[0].line, f"table {missing} is not here, where kube-proxy has rules too")
