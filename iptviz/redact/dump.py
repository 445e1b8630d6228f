"""A dump in pseudonyms: the same tables, chains and rules, at the same lines, and nothing else of the input."""

from __future__ import annotations

import re
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from iptviz.dump.gaps import OF_FORM
from iptviz.dump.model import Dump
from iptviz.dump.rule import Rule
from iptviz.errors import TargetError
from iptviz.intake.index import TABLE_NAMES
from iptviz.intake.text import split_lines, to_text
from iptviz.kube.spellings import KINDS, POD_KINDS
from iptviz.kube.target import AddressTarget, NameTarget, NodePortTarget, is_bare_port, parse_target
from iptviz.progress import counted_out, nobody, part_of
from iptviz.redact.addresses import ranges_in
from iptviz.redact.names import Names
from iptviz.redact.rules import RuleRedactor
from iptviz.xtables.address import parse_network, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.dump.table import Chain, Table
    from iptviz.grammar.parts import Counters
    from iptviz.progress import Progress
    from iptviz.redact.secrets import Secrets
    from iptviz.supplied.service_names import Candidate

_RANGE_SIGNS = ("-range", "--to-")
"""What stands in the rules that may hold ranges of addresses."""

_TOOL = re.compile(r"\S+-save v[\d.]+(?: \((?:legacy|nf_tables)\))?")
_TIME = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ [\d:]{8} \d{4}|[\d-]{10} [\d:]{8} UTC")
_COUNTERS = re.compile(r"\[(?:0|[1-9][0-9]{0,19}):(?:0|[1-9][0-9]{0,19})\] ")
_POLICIES = {"ACCEPT", "DROP", "QUEUE", "RETURN"}


_UNSHOWN = {
    "table-incompatible": "# Table `{}' is incompatible, use 'nft' tool.",
    "base-chains-unseen": "# Table `{}' contains incompatible base-chains, use 'nft' tool to list them.",
}
"""How iptables-nft says of a table that it does not show it, or not all of it."""
_LEGACY = "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them"

_INCOMPLETE = "redacted: the original is not complete here"
"""A line that is no part of a dump: who reads it takes the dump for what it is."""


class Redactor:
    """Writes one dump in pseudonyms, and translates what is asked about it."""

    def __init__(
        self,
        dump: Dump,
        secrets: Secrets,
        *,
        ports: bool = False,
        candidates: Sequence[Candidate] = (),
        beside: Iterable[str] = (),
    ) -> None:
        """Take services that may be in the dump, and texts whose ranges of addresses must stay ranges, too."""
        self._dump = dump
        self.secrets = secrets
        self._ports = ports
        self._candidates = candidates
        for ends in dict.fromkeys(
            ends for text in (*_with_ranges(dump), *beside) for ends in ranges_in(text)
        ):
            secrets.addresses.keep_order(*ends)
        self.pods: frozenset[str] = frozenset()
        """The names of the pods that are known beside the dump."""
        self.names = Names(dump, secrets, ports=ports, candidates=candidates)
        self._rules = RuleRedactor(self.names, secrets)

    def other(self, dump: Dump) -> str:
        """Return another dump of the same node in the same pseudonyms, whose form is told otherwise."""
        other = Redactor(dump, self.secrets, ports=self._ports, candidates=self._candidates)
        return other.text(form_told=True)

    def text(self, *, form_told: bool = False, progress: Progress = nobody) -> str:
        """Return the whole dump; every rule stands at the line where it stood.

        Where it lacks something that its rules do not show, such as lines that grep left out, a line says so. So
        does it where that is for its form, unless the reader is told the form otherwise, as `form_told` says.
        """
        lines = self._lines(progress)
        lacking = {gap.line for gap in self._dump.gaps if not (form_told and gap.id in OF_FORM)}
        if lacking and Dump(_joined(lines).encode()).complete:
            for place in sorted(lacking):
                _say_incomplete(lines, place)
        return _joined(lines).removesuffix("\n") if self._is_cut() else _joined(lines)

    def _is_cut(self) -> bool:
        """Tell whether the original ends within a line of its last table."""
        last = max(self._dump.tables.values(), key=lambda table: table.line)
        return not last.committed and not bytes(self._dump).endswith(b"\n")

    def _lines(self, progress: Progress) -> list[str]:
        lines: list[str] = []
        for place, line in self._placed(progress):
            if line.startswith("#") and place <= len(lines):
                continue  # one table follows the other at once
            lines += ["#"] * (place - 1 - len(lines))
            lines.append(line)
        return lines

    def _warnings(self) -> Iterator[tuple[int, str]]:
        """Yield what iptables-nft says of tables that it does not show, each with its line."""
        if self._dump.legacy_warning:
            yield self._dump.legacy_warning, _LEGACY
        for gap in self._dump.gaps:
            if gap.id in _UNSHOWN:
                table = dict(gap.values)["table"]
                yield gap.line, _UNSHOWN[gap.id].format(table if table in TABLE_NAMES else "")

    def _placed(self, progress: Progress) -> list[tuple[int, str]]:
        """Return what is written, each with its line in the original.

        Where chains of several tables stand among each other, one table follows the other instead.
        """
        tables, done, total = [], 0, max(self._dump.rule_count, 1)
        for table in sorted(self._dump.tables.values(), key=lambda table: table.line):
            begun, done = done, done + table.rule_count
            tables.append(list(self._of_table(table, part_of(progress, begun / total, done / total))))
        placed = [*self._warnings(), *chain.from_iterable(tables)]
        if any(one[-1][0] > other[0][0] for one, other in pairwise(tables)):
            return placed
        return sorted(placed, key=lambda line: line[0])

    def _of_table(self, table: Table, progress: Progress) -> Iterator[tuple[int, str]]:
        if self._dump.tool:
            warnings = {place for place, _ in self._warnings()}
            place = table.line - 1
            while place in warnings:
                place -= 1
            yield place, self._heading()
        yield table.line, f"*{table.name}"
        declared = [one for one in table.chains.values() if one.declared]
        told = table.rule_count, f"redacting {table.name}: rule", progress
        body = [
            *((one.line, self._declaration(one)) for one in declared),
            *counted_out(self._of_rules(table), *told),
        ]
        yield from sorted(body, key=lambda entry: entry[0])
        if table.committed:
            yield max((line for line, _ in body), default=table.line) + 1, "COMMIT"

    def _heading(self) -> str:
        """Return who wrote the dump, and when; what else stands in that line is anybody's."""
        tool = _TOOL.match(self._dump.tool or "")
        time = _TIME.match(self._dump.time or "")
        return f"# Generated by {tool[0] if tool else 'iptables-save'}{f' on {time[0]}' if time else ''}"

    def _declaration(self, chain: Chain) -> str:
        counters = f" {_counted(chain.counters)}" if chain.counters else ""
        policy = chain.policy if chain.policy in _POLICIES else "-"
        return f":{self.names.chain(chain.name)} {policy}{counters}"

    def _of_rules(self, table: Table) -> Iterator[tuple[int, str]]:
        """Yield the rules, each with its line; where -I put some in, in order on the lines of all."""
        if table.lines.mapped:
            for held in table.chains.values():
                lines = sorted(rule.line for rule in held.rules)
                yield from zip(lines, map(self._rule, held.rules), strict=True)
            return
        for _, run in table.each_run():
            yield from enumerate(self._of_lines(table, *run), table.lines.at(run[0]))

    def _of_lines(self, table: Table, at: int, end: int) -> Iterator[str]:
        """Yield the rules of whole lines, most without a look at all of their words."""
        for line in split_lines(table.data[at:end]):
            text = to_text(line.strip())
            counted = _COUNTERS.match(text) if text[0] == "[" else None
            counters = counted[0] if counted else ""
            quick = self._rules.quickly(table, text[len(counters) :])
            yield self._rule(Rule(table, (at, at + len(line)))) if quick is None else counters + quick
            at += len(line)

    def _rule(self, rule: Rule) -> str:
        counters = f"{_counted(rule.counters)} " if rule.counters else ""
        return f"{counters}{self._rules.text(rule)}"

    def target(self, text: str) -> str:
        """Return a TARGET in pseudonyms: what names something in the dump names it still."""
        if any(text in table.chains for table in self._dump.tables.values()):
            return self.names.chain(text)
        try:
            target = parse_target(text)
        except TargetError:
            return self.names.object(text)
        if isinstance(target, NodePortTarget):
            colon = "" if is_bare_port(text) else ":"
            return f"{colon}{self.names.port(str(target.port))}" + _slashed(target.protocol)
        if isinstance(target, AddressTarget):
            return self.addresses(target.text)
        return self._named(target) if isinstance(target, NameTarget) else self.names.object(text)

    def destination(self, text: str) -> str:
        """Return an address or a network in pseudonyms, or a TARGET where the text is neither."""
        address = split_endpoint(text)[0].strip("[]")
        return self.target(text) if parse_network(address) is None else self.addresses(text)

    def _named(self, target: NameTarget) -> str:
        """Return a service's name in pseudonyms; the word with which kubectl calls services stays."""
        name, namespace = self.names.object(target.name), target.namespace
        if target.name in self.pods:
            name = self.names.pod(target.name)
        if namespace and (
            namespace not in KINDS | POD_KINDS or self._names_service(f"{namespace}/{target.name}")
        ):
            namespace = self.names.namespace(namespace)
        port_name = target.port_name
        if port_name and target.port is None:
            port_name = self.names.port_name(port_name)
        hidden = NameTarget(namespace, name, port_name)
        if not target.protocol:
            return hidden.text
        host = f"{name}.{namespace}" if namespace else name
        return f"{target.protocol}://{host}" + (f":{port_name}" if port_name else "")

    def _names_service(self, text: str) -> bool:
        return any(any(table.rules_with(text)) for table in self._dump.tables.values())

    def addresses(self, text: str) -> str:
        """Return a text with the addresses and networks in it replaced."""
        return self.secrets.addresses.in_text(text)


def _with_ranges(dump: Dump) -> Iterator[str]:
    """Yield the rules that may hold ranges of addresses."""
    for table in dump.tables.values():
        for sign in _RANGE_SIGNS:
            yield from (rule.text for rule in table.rules_with(sign))


def _slashed(protocol: str | None) -> str:
    return f"/{protocol}" if protocol else ""


def _counted(counters: Counters) -> str:
    return f"[{counters.packets}:{counters.bytes}]"


def _joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _say_incomplete(lines: list[str], place: int) -> None:
    """Put a line that is no part of a dump in a place (from 1) that is free within a table, else at its end."""
    ends = [at for at, line in enumerate(lines) if line == "COMMIT"]
    start = next(at for at, line in enumerate(lines) if line.startswith("*"))
    if start < place - 1 < ends[-1] and lines[place - 1] == "#":
        lines[place - 1] = _INCOMPLETE
    else:
        lines.insert(ends[-1], _INCOMPLETE)
