"""A dump in pseudonyms: the same tables, chains and rules, at the same lines, and nothing else of the input."""

from __future__ import annotations

import re
from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from iptviz.dump.gaps import OF_FORM
from iptviz.dump.model import Dump
from iptviz.grammar.parts import read_counters
from iptviz.intake.index import TABLE_NAMES
from iptviz.intake.text import to_text
from iptviz.progress import nobody, part_of
from iptviz.redact.pieces import pieces
from iptviz.redact.pseudonyms import Pseudonyms
from iptviz.redact.remembered import Remembered
from iptviz.redact.rules import RuleRedactor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.dump.table import Table
    from iptviz.grammar.parts import Counters
    from iptviz.progress import Progress
    from iptviz.redact.secrets import Secrets
    from iptviz.supplied.service_names import Candidate

_TOOL = re.compile(r"\S+-save v[\d.]+(?: \((?:legacy|nf_tables)\))?")
_TIME = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ [\d:]{8} \d{4}|[\d-]{10} [\d:]{8} UTC")
_DECLARED = re.compile(r"^:(\S++)[ \t]++(\S++)(?:[ \t]++\[([\d~]++:[\d~]++)\])?", re.ASCII | re.MULTILINE)
_POLICIES = {"ACCEPT", "DROP"}
"""iptables takes no other target for a policy."""

_MOST_LINES = 4096
"""So many declarations are written in one piece."""

_Placed = tuple[int, str]
"""Whole lines, and the line of the original at which the first of them stood."""

_UNSHOWN = {
    "table-incompatible": "# Table `{}' is incompatible, use 'nft' tool.",
    "base-chains-unseen": "# Table `{}' contains incompatible base-chains, use 'nft' tool to list them.",
}
"""How iptables-nft says of a table that it does not show it, or not all of it."""
_LEGACY = "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them"

_INCOMPLETE = "redacted: the original is not complete here"
"""A line that is no part of a dump: who reads it takes the dump for what it is."""


class Redactor(Pseudonyms):
    """Writes one dump in pseudonyms."""

    def __init__(
        self,
        dump: Dump,
        secrets: Secrets,
        *,
        ports: bool = False,
        candidates: Sequence[Candidate] = (),
        beside: Iterable[str] = (),
        listings: Iterable[str] = (),
    ) -> None:
        """Take what pseudonyms are made of."""
        super().__init__(dump, secrets, ports=ports, candidates=candidates, beside=beside, listings=listings)
        self._dump = dump
        self._rules = RuleRedactor(self.names, secrets)

    def text(self, *, form_told: bool = False, progress: Progress = nobody) -> str:
        """Return the whole dump; every rule stands at the line where it stood.

        Where it lacks something that its rules do not show, such as lines that grep left out, a line says so. So
        does it where that is for its form, unless the reader is told the form otherwise, as `form_told` says.
        """
        text = ""
        for block in self._blocks(progress):
            text += block  # joined at the end, all would be in memory twice
        lacking = {gap.line for gap in self._dump.gaps if not (form_told and gap.id in OF_FORM)}
        if lacking and Dump(text.encode()).complete:
            lines = text.split("\n")[:-1]
            for place in sorted(lacking):
                _say_incomplete(lines, place)
            text = "\n".join(lines) + "\n"
        return text.removesuffix("\n") if self._is_cut() else text

    def _is_cut(self) -> bool:
        """Tell whether the original ends within a line of its last table."""
        last = max(self._dump.tables.values(), key=lambda table: table.line)
        return not last.committed and not bytes(self._dump).endswith(b"\n")

    def _blocks(self, progress: Progress) -> Iterator[str]:
        """Yield what is written, in whole lines."""
        next_line = 1
        for place, block in self._placed(progress):
            if block.startswith("#") and place < next_line:
                continue  # one table follows the other at once
            yield "#\n" * (place - next_line) + block
            next_line = max(place, next_line) + block.count("\n")

    def _warnings(self) -> Iterator[tuple[int, str]]:
        """Yield what iptables-nft says of tables that it does not show, each with its line."""
        if self._dump.legacy_warning:
            yield self._dump.legacy_warning, _LEGACY
        for gap in self._dump.gaps:
            if gap.id in _UNSHOWN:
                table = dict(gap.values)["table"]
                yield gap.line, _UNSHOWN[gap.id].format(table if table in TABLE_NAMES else "")

    def _placed(self, progress: Progress) -> Iterator[_Placed]:
        """Yield what is written, each block with its line in the original.

        Where chains of several tables stand among each other, one table follows the other instead.
        """
        if self._in_order:
            yield from chain.from_iterable(self._by_table(progress))
            return
        tables = [list(blocks) for blocks in self._by_table(progress)]
        placed = [*((place, f"{warning}\n") for place, warning in self._warnings()), *chain(*tables)]
        mixed = any(_behind(*one[-1]) > other[0][0] + 1 for one, other in pairwise(tables))
        yield from placed if mixed else sorted(placed, key=_place)

    @cached_property
    def _in_order(self) -> bool:
        """Whether all stands table by table, declarations first, and chain by chain: nothing is to be sorted."""
        if self._dump.others or self._dump.lines.mapped or any(self._warnings()):
            return False
        spans = [span for table in self._tables for span in (*table.declared_at(), *table.rules_in_turn())]
        return all(one[1] <= other[0] for one, other in pairwise(spans))

    def _by_table(self, progress: Progress) -> Iterator[Iterator[_Placed]]:
        done, total = 0, max(self._dump.rule_count, 1)
        for table in self._tables:
            begun, done = done, done + table.rule_count
            yield self._of_table(table, part_of(progress, begun / total, done / total))

    @property
    def _tables(self) -> list[Table]:
        """The tables in the order of the text."""
        return sorted(self._dump.tables.values(), key=lambda table: table.line)

    def _of_table(self, table: Table, progress: Progress) -> Iterator[_Placed]:
        if self._dump.tool:
            warnings = {place for place, _ in self._warnings()}
            place = table.line - 1
            while place in warnings:
                place -= 1
            yield place, f"{self._heading()}\n"
        yield table.line, f"*{table.name}\n"
        body = chain(self._declarations(table), self._of_rules(table, progress))
        end = table.line + 1
        for block in body if self._in_order else sorted(body, key=_place):
            end = max(end, _behind(*block))
            yield block
        if table.committed:
            yield end, "COMMIT\n"

    def _heading(self) -> str:
        """Return who wrote the dump, and when; what else stands in that line is anybody's."""
        tool = _TOOL.match(self._dump.tool or "")
        time = _TIME.match(self._dump.time or "")
        return f"# Generated by {tool[0] if tool else 'iptables-save'}{f' on {time[0]}' if time else ''}"

    def _declarations(self, table: Table) -> Iterator[_Placed]:
        """Yield the first declaration of each chain, those that follow one another in blocks."""
        endings: dict[tuple[str, str], str] = Remembered(_ending)
        chains = self.names.chains
        if table.declares_once():
            for place, text in table.declarations_in_parts():
                declared = _DECLARED.findall(text)
                yield (
                    place,
                    "".join(
                        [f":{chains[name]}{endings[policy, counted]}" for name, policy, counted in declared]
                    ),
                )
            return
        yield from _in_blocks(
            (place, f":{chains[to_text(name)]}{endings[to_text(policy), to_text(counted or b'')]}")
            for place, (name, policy, counted) in (
                (place, found.groups()) for place, found in table.each_declaration()
            )
        )

    def _of_rules(self, table: Table, progress: Progress) -> Iterator[_Placed]:
        """Yield the rules; where -I put some in, in order on the lines of all."""
        if table.lines.mapped:
            for name in table.chain_names():
                places = sorted(table.lines.at(at) for at, _ in table.spans_of(name))
                written = (self._rules.lines(piece) for piece in pieces(table, table.runs_of(name)))
                rules = (f"{rule}\n" for lines in written for rule in lines.split("\n")[:-1])
                yield from zip(places, rules, strict=True)
            return
        done, total = 0, table.rule_count
        for piece in pieces(table, table.rules_in_turn()):
            progress(f"redacting {table.name}: rule {done + 1:,} of {total:,}", done / total)
            block = self._rules.lines(piece)
            yield piece.line, block
            done += block.count("\n")


def _ending(found: tuple[str, str]) -> str:
    """Return what stands behind the name of a chain that is declared: its policy, and counters if it has any."""
    policy, counted = found
    counters = read_counters(counted) if counted else None
    return f" {policy if policy in _POLICIES else '-'}{f' {_counted(counters)}' if counters else ''}\n"


def _counted(counters: Counters) -> str:
    return f"[{counters.packets}:{counters.bytes}]"


def _in_blocks(lines: Iterable[_Placed]) -> Iterator[_Placed]:
    """Yield lines, those that follow one another together."""
    first, block = 0, list[str]()
    for place, line in lines:
        if block and (place != first + len(block) or len(block) == _MOST_LINES):
            yield first, "".join(block)
            block = []
        if not block:
            first = place
        block.append(line)
    if block:
        yield first, "".join(block)


def _place(placed: _Placed) -> int:
    return placed[0]


def _behind(place: int, block: str) -> int:
    """Return the line behind a block of lines."""
    return place + block.count("\n")


def _say_incomplete(lines: list[str], place: int) -> None:
    """Put a line that is no part of a dump in a place (from 1) that is free within a table, else at its end."""
    ends = [at for at, line in enumerate(lines) if line == "COMMIT"]
    start = next(at for at, line in enumerate(lines) if line.startswith("*"))
    if start < place - 1 < ends[-1] and lines[place - 1] == "#":
        lines[place - 1] = _INCOMPLETE
    else:
        lines.insert(ends[-1], _INCOMPLETE)


def other_text(pseudonyms: Pseudonyms, dump: Dump) -> str:
    """Return another dump of the same node in the same pseudonyms, whose form is told otherwise."""
    other = Redactor(dump, pseudonyms.secrets, ports=pseudonyms.ports, candidates=pseudonyms.candidates)
    return other.text(form_told=True)
