"""The tables of iptables-nft in a listing of nft, as dumps: each rule at the line where it stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.dump.model import Dump
from iptviz.intake.index import build_index
from iptviz.intake.plain import DumpForm, PlainDump, Text
from iptviz.intake.remark import Remark, remark
from iptviz.intake.text import to_bytes
from iptviz.iptables_nft.recognised import FAMILIES, chains_of_iptables, native_chains, tables_of_iptables
from iptviz.iptables_nft.rules import spelled
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from iptviz.intake.lines import LineMap
    from iptviz.nft.model import Chain, Ruleset, Table
    from iptviz.source.origin import Source

_VERSIONS = {"ipv4": 4, "ipv6": 6}
_OPEN = frozenset({"nft-block-open", "nft-json-open"})


class Placed(NamedTuple):
    """Where a listing stands: its file, the name in a prompt above it, and whether one chain was asked for."""

    source: Source
    node: str | None
    of_chain: bool


def dumps_in(ruleset: Ruleset, placed: Placed, families: Collection[str]) -> Iterator[Dump]:
    """Yield a dump for each of some families, `ipv4` or `ipv6`, of which there are tables of iptables-nft."""
    tables = tables_of_iptables(ruleset)
    for family in families:
        own = [table for table in tables if FAMILIES[table.family] == family]
        if own:
            yield Dump.of(*_Writer(ruleset, placed, family).dump(own), placed.source)


class _Writer:
    """Writes the tables of a family as iptables-save does, and notes where each line stood."""

    def __init__(self, ruleset: Ruleset, placed: Placed, family: str) -> None:
        self._ruleset = ruleset
        self._placed = placed
        self._family = family
        self._lines: list[str] = []
        self._map: LineMap = []
        self._gaps: list[Remark] = []
        self._hidden: list[int] = []

    def dump(self, tables: list[Table]) -> tuple[Text, PlainDump]:
        """Return a text with one dump in it, and the dump."""
        for table in tables:
            self._table(table)
        self._gaps += (one for one in self._ruleset.remarks if one.id in _OPEN)
        if self._hidden:
            self._gaps.append(remark("nft-hides", min(self._hidden), count=len(self._hidden)))
        data = to_bytes("".join(self._lines))
        version = self._ruleset.version
        plain = PlainDump(
            data, build_index(data), self._map, tuple(self._gaps), self._family, DumpForm.NFT,
            node=self._placed.node, first_line=_line(tables[0]), backend="nf_tables",
            tool=f"nft v{version}" if version else DumpForm.NFT,
        )  # fmt: skip
        raw = self._placed.source.data
        notes = [note for note in self._ruleset.notes if note.skipped and note.reason == "not-nft"]
        repairs = [one for one in self._ruleset.remarks if one.id not in _OPEN]
        if self._ruleset.form == "json":
            repairs.append(remark("objects-counted"))
        return Text(raw, [plain], notes, tuple(repairs), raw.count(b"\n") + 1 if notes else 0), plain

    def _add(self, text: str, there: int) -> None:
        here = len(self._lines) + 1
        if not self._map or self._map[-1][1] - self._map[-1][0] != there - here:
            self._map.append((here, there))
        self._lines.append(f"{text}\n")

    def _table(self, table: Table) -> None:
        chains = chains_of_iptables(table)
        self._add(f"*{table.name}", _line(table))
        last = _line(table)
        for chain in chains:
            policy = chain.base.policy.upper() if chain.base else "-"
            self._add(f":{chain.name} {policy} [0:0]", _line(chain))
            last = max(last, _line(chain))
        missing: dict[str, None] = {}
        for chain in chains:
            for rule in chain.rules:
                made = spelled(rule, _VERSIONS[self._family])
                line = rule.line or rule.object
                self._add(made.text, line)
                last = max(last, line)
                if made.hides:
                    self._hidden.append(line)
                if made.chain and made.chain not in table.chains:
                    missing[made.chain] = None
        self._add("COMMIT", last)
        self._gaps += self._unseen(table, tuple(missing))

    def _unseen(self, table: Table, missing: tuple[str, ...]) -> Iterator[Remark]:
        """Yield which chains of a table are not shown: rules lead there, or somebody asked for one chain."""
        if native_chains(table):
            yield remark("base-chains-unseen", _line(table), table=table.name)
        if missing:
            yield remark("chains-unlisted", _line(table), table=table.name, chains=", ".join(missing))
        elif self._placed.of_chain:
            yield remark("chains-unlisted", _line(table), table=table.name, chains="other chains")


def _line(place: Table | Chain) -> int:
    return place.line or place.object
