"""Tables and chains of a dump: lazy views on the bytes; nothing is made before it is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from iptviz.dump.rule import Rule
from iptviz.dump.shown import Shown
from iptviz.grammar.parts import Counters, read_counters
from iptviz.intake.bulk import may_hold
from iptviz.intake.text import to_bytes, to_text
from iptviz.xtables.option import Saving

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from iptviz.dump.calls import Calls
    from iptviz.grammar.shapes import Called, Shapes
    from iptviz.intake.index import Section, Span
    from iptviz.intake.lines import Lines

_POLICIES = {"ACCEPT", "DROP"}
"""iptables takes no other target for a policy."""

_DECLARATION = re.compile(rb"^:(\S++)[ \t]++(\S++)(?:[ \t]++\[([\d~]++:[\d~]++)\])?", re.MULTILINE)
_POLICY = re.compile(rb"^:(\S++)[ \t]++(?:ACCEPT|DROP)(?!\S)", re.MULTILINE)
_DECLARED_NAME = re.compile(rb"\n:(\S++)")
_MANY = "KUBE-SVC-", "KUBE-SEP-"
"""Chains that begin so are many, if any are."""
_OF_FEW = re.compile(rb"\n:(?!KUBE-S(?:VC|EP)-)(\S++)[ \t]++\S")
_RULE_CHAIN = re.compile(rb"(?:\[[\d~]++:[\d~]++\] )?-A (\S++)")
_NEWLINE = ord("\n")
_WORTH_INDEXING = 256
_PART = 1 << 17
"""So many bytes of declarations are read at once."""


def _declared_with(words: Iterable[bytes]) -> re.Pattern[bytes]:
    """Return what finds the declarations of the chains whose names begin with one of some words."""
    return re.compile(rb"\n:((?:%b)\S*+)[ \t]++\S" % b"|".join(map(re.escape, words)))


def _as_legacy() -> Saving:
    return Saving("ipv4", "legacy")


class Chain:
    """A chain of a table; `declared` says whether a `:CHAIN` line stands for it."""

    def __init__(self, table: Table, name: str) -> None:
        self.table = table
        self.name = name

    def __repr__(self) -> str:
        return f"<Chain {self.table.name} {self.name}>"

    @cached_property
    def rules(self) -> Sequence[Rule]:
        """The chain's rules in order."""
        return [
            Rule(self.table, span, number) for number, span in enumerate(self.table.spans_of(self.name), 1)
        ]

    @cached_property
    def _declaration(self) -> re.Match[bytes] | None:
        return self.table.declaration(self.name)

    @property
    def declared(self) -> bool:
        """Whether the chain is declared; a chain known by its rules alone is not."""
        return self._declaration is not None

    @property
    def line(self) -> int:
        """The line of the declaration, else of the first rule."""
        return self.table.lines.at(self._declaration.start()) if self._declaration else self.rules[0].line

    @property
    def policy(self) -> str | None:
        """ACCEPT or DROP for a built-in chain, None for a user chain, and where the declaration names none."""
        policy = to_text(self._declaration[2]) if self._declaration else ""
        return policy if policy in _POLICIES else None

    @property
    def is_built_in(self) -> bool:
        """Whether the declaration is that of a built-in chain, be it one whose policy cannot be read."""
        return self._declaration is not None and self._declaration[2] != b"-"

    @property
    def counters(self) -> Counters | None:
        """Packets and bytes that the policy decided, where the declaration has them."""
        found = self._declaration
        return read_counters(to_text(found[3])) if found and found[3] else None


class _Chains(Mapping[str, Chain]):
    """A table's chains by name, in the order of declaration; those with rules alone come last."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._made: dict[str, Chain | None] = {}

    def _find(self, name: str) -> Chain | None:
        """Return the chain, or None; both answers are remembered, since looking for a name scans text."""
        if name not in self._made:
            self._made[name] = Chain(self._table, name) if self._table.has_chain(name) else None
        return self._made[name]

    def __getitem__(self, name: str) -> Chain:
        chain = self._find(name)
        if chain is None:
            raise KeyError(name)
        return chain

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.chain_names())

    def __len__(self) -> int:
        return len(self._table.chain_names())


class Table:
    """One table of a dump."""

    def __init__(
        self, data: bytes, lines: Lines, section: Section, saving: Callable[[], Saving] = _as_legacy
    ) -> None:
        """Make a view on `data`; `saving` tells, when asked, which iptables-save writes such a dump."""
        self.data = data
        self.lines = lines
        self._saving = saving
        self.name = section.name
        self.chains: Mapping[str, Chain] = _Chains(self)
        self._section = section
        self._looked_for = self._called = 0
        self.shows_some_chains = False  # see `Shown`
        self.is_listed = False  # whether it was made from `iptables -L`, which resolves addresses without -n
        self.beside: Mapping[str, Table] = {}
        self.compiled: Any = None  # what `iptviz.rules` makes of the table, kept here so that it is made once

    def __repr__(self) -> str:
        return f"<Table {self.name}>"

    def forget(self) -> None:
        """Drop what was found in the text, which is found anew where somebody asks for it."""
        self.chains = _Chains(self)
        self.compiled = None
        for found in ("calls", "_shapes", "_declarations", "_few_declarations", "_undeclared", "shown"):
            self.__dict__.pop(found, None)
        self._section.forget()

    @property
    def saving(self) -> Saving:
        """The family, and the backend whose iptables-save wrote the dump."""
        return self._saving()

    @property
    def line(self) -> int:
        """The line of `*table`."""
        return self.lines.at(self._section.start)

    @property
    def committed(self) -> bool:
        """Whether the table's COMMIT was read."""
        return self._section.committed

    @property
    def rule_count(self) -> int:
        """How many rules the table holds."""
        blocks = self._section.blocks
        if self.lines.mapped or not blocks or self.data[blocks[-1][1] - 1] != _NEWLINE:
            return sum(map(self._count, blocks))
        return sum(
            self.lines.at(end) - self.lines.at(start) for start, end in blocks
        )  # counted for lines, too

    def rule_counts(self) -> dict[str, int]:
        """Return how many rules each chain has that has any."""
        found: dict[bytes, int] = {}
        for chain, span in self._section.each_run():
            found[chain] = found.get(chain, 0) + self._count(span)
        return {to_text(chain): count for chain, count in found.items()}

    def _count(self, span: Span) -> int:
        """Return how many lines there are in a stretch of whole lines, of which the last may lack its end."""
        return self.data.count(b"\n", *span) + (self.data[span[1] - 1] != _NEWLINE)

    @cached_property
    def shown(self) -> Shown:
        """How much of the table the text shows."""
        return Shown(self)

    def blocks(self) -> Sequence[Span]:
        """Return where the rules stand: stretches of whole lines."""
        return self._section.blocks

    def rest(self) -> Sequence[Span]:
        """Return where the rules stand that are not in bulk (`iptviz.intake.bulk`): stretches of whole lines."""
        return self._section.rest

    def parts(self) -> Iterator[tuple[Span, bool]]:
        """Yield where the rules stand, stretches of whole lines, and whether these are in bulk."""
        return self._section.parts()

    def rules(self) -> Iterator[Rule]:
        """Yield every rule, chain by chain."""
        return (rule for name in self.chains for rule in self.chains[name].rules)

    def rules_of(self, chain: str) -> Sequence[Rule]:
        """Return the rules of `chain`; a chain that is not there has none."""
        return self.chains[chain].rules if chain in self.chains else ()

    def rules_with(self, text: str, chain: str | None = None) -> Iterator[Rule]:
        """Yield the rules, of one chain or of all, whose line holds `text`: a search of bytes, no parsing."""
        needle = to_bytes(text)
        spans = self._stretches(needle) if chain is None else self._section.spans(to_bytes(chain))
        for _, line in self._find(needle, spans):
            yield Rule(self, line)

    def rest_with(self, text: str) -> Iterator[Span]:
        """Yield the lines of rules that hold `text` and are not in bulk, see `rest`."""
        return (line for _, line in self._find(to_bytes(text), self._section.rest))

    def _stretches(self, needle: bytes) -> Sequence[Span]:
        """Return where the rules stand that may hold a text: nearly all are of few forms."""
        return self._section.blocks if may_hold(needle) else self._section.rest

    def rules_to(self, chain: str) -> Iterator[Rule]:
        """Yield the rules that jump or go to `chain`."""
        needle = to_bytes(chain)
        for at, line in self._find(needle, self._naming(chain)) if chain else ():
            # The chain's own rules hold its name too, after -A: they are not taken apart.
            own = self.data[at - 3 : at] == b"-A " and self.data.find(needle, at + 1, line[1]) < 0
            if not own and (rule := Rule(self, line)).jump == chain:
                yield rule

    def _naming(self, chain: str) -> Iterator[Span]:
        """Yield where rules may name a chain beside those that it holds: of these none does as a rule."""
        needle, data = to_bytes(chain), self.data
        runs = [run for run in self.runs_of(chain) if data.count(needle, *run) == data.count(b"\n", *run)]
        for start, end in self._stretches(needle):
            at = start
            for first, after in runs:
                if at <= first < end:
                    yield at, first
                    at = after
            if at < end:
                yield at, end

    def _find(self, needle: bytes, spans: Iterable[Span]) -> Iterator[tuple[int, Span]]:
        """Yield where `needle` stands first in each line of `spans`, and that line."""
        for start, end in spans:
            at = start
            while (at := self.data.find(needle, at, end)) >= 0:
                line = self.data.rfind(b"\n", 0, at) + 1, self.lines.end(at)
                yield at, line
                at = line[1]

    def chain_names(self, *begins: str) -> list[str]:
        """Return the chains' names, of all or of those that begin with one of some words, the declared first."""
        words = tuple(map(to_bytes, begins)) or (b"",)
        ruled = [name for name in self._section.chains if name.startswith(words)]
        return list(map(to_text, dict.fromkeys((*self._declared(words), *ruled))))

    def _declared(self, words: Iterable[bytes] = (b"",)) -> Iterator[bytes]:
        """Yield the names of declared chains that begin with one of some words, in the order of the text."""
        wanted = _declared_with(words)
        for start, end in self._section.declarations:
            yield from wanted.findall(self.data, start - 1, end)

    def has_any_chain(self, begin: str) -> bool:
        """Whether there is a chain whose name begins with a word."""
        words = (to_bytes(begin),)
        wanted = _declared_with(words)
        return any(
            wanted.search(self.data, start - 1, end) for start, end in self._section.declarations
        ) or any(name.startswith(words) for name in self._section.chains)

    def policies(self) -> dict[str, str]:
        """Return the policy of each built-in chain that has one."""
        found = (
            to_text(name) for span in self._section.declarations for name in _POLICY.findall(self.data, *span)
        )
        policies = ((name, Chain(self, name).policy) for name in found)
        return {name: policy for name, policy in policies if policy is not None}

    def names(self) -> set[bytes]:
        """Return the names of all chains as they stand in the text."""
        return self._declared_names() | self._section.chains

    def _declared_names(self) -> set[bytes]:
        declared: set[bytes] = set()
        for start, end in self._section.declarations:
            declared.update(_DECLARED_NAME.findall(self.data, start - 1, end))
        return declared

    @cached_property
    def calls(self) -> Calls:
        """Which chain leads to which, found by one search of the text."""
        from iptviz.dump.calls import Calls  # few questions ask for all of them

        return Calls(self)

    def undeclared(self) -> list[str]:
        """Return the names of the chains that have rules but no declaration, in the order of their rules."""
        return self._undeclared

    @cached_property
    def _undeclared(self) -> list[str]:
        declared = self._declared_names()
        if self._section.chains <= declared:
            return []  # as nearly always, which a hundred thousand chains shall not be asked for one by one
        return [to_text(name) for name in self._section.chains if name not in declared]

    def called(self, rule: Rule) -> tuple[str, bool] | None:
        """Return what stands behind a rule's -j, and whether without options; None: it has to be taken apart.

        The first few are: the shapes of rules are for who asks for many.
        """
        self._called += 1
        found = self._shapes.of(rule.text) if self._called > _WORTH_INDEXING else None
        return None if found is None else (found[0].name(found[1]), found[0].bare)

    @cached_property
    def _shapes(self) -> Shapes[Called]:
        from iptviz.grammar.shapes import Called, Shapes  # its expressions take as long as a hundred rules

        return Shapes(Called)

    def has_chain(self, name: str) -> bool:
        """Whether a chain of this name is declared or has rules."""
        return to_bytes(name) in self._section.chains or self.declaration(name) is not None

    def declaration(self, name: str) -> re.Match[bytes] | None:
        """Return the `:NAME POLICY [packets:bytes]` line of chain `name`, or None.

        Of services' chains, which are many, the first few are looked for; who asks for more has all indexed.
        """
        if not name.startswith(_MANY):
            at = self._few_declarations.get(to_bytes(name))
            return None if at is None else _DECLARATION.match(self.data, at)
        self._looked_for += 1
        if self._looked_for > _WORTH_INDEXING:
            return self._declarations.get(to_bytes(name))
        needle = b":" + to_bytes(name)
        for start, end in self._section.declarations:
            at = start - 1
            while (at := self.data.find(needle, at + 1, end)) >= 0:
                found = _DECLARATION.match(self.data, at, end)
                if found and found[1] == needle[1:]:
                    return found
        return None

    @cached_property
    def _few_declarations(self) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        for start, end in self._section.declarations:
            for declaration in _OF_FEW.finditer(self.data, start - 1, end):
                found.setdefault(declaration[1], declaration.start() + 1)
        return found

    @cached_property
    def _declarations(self) -> dict[bytes, re.Match[bytes]]:
        found: dict[bytes, re.Match[bytes]] = {}
        for block in self._section.declarations:
            for declaration in _DECLARATION.finditer(self.data, *block):
                found.setdefault(declaration[1], declaration)
        return found

    def declared_at(self) -> Sequence[Span]:
        """Return where chains are declared: stretches of whole lines."""
        return self._section.declarations

    def each_declaration(self) -> Iterator[tuple[int, re.Match[bytes]]]:
        """Yield the first declaration of each chain, with its line: its name, its policy, its counters."""
        seen: set[bytes] = set()
        for start, end in self._section.declarations:
            line, at = 0, start
            for found in _DECLARATION.finditer(self.data, start, end):
                if self.lines.mapped or not line:
                    line = self.lines.at(found.start())
                else:
                    line += self.data.count(b"\n", at, found.start())
                at = found.start()
                if found[1] not in seen:
                    seen.add(found[1])
                    yield line, found

    def declares_once(self) -> bool:
        """Whether each line of the declarations declares a chain, none does again, and none stood elsewhere."""
        names, lines = [*self._declared()], sum(map(self._count, self.declared_at()))
        return not self.lines.mapped and all(names) and len({*names}) == len(names) == lines

    def declarations_in_parts(self) -> Iterator[tuple[int, str]]:
        """Yield the lines of the declarations, many at a time, with the number of the first of them."""
        for start, end in self.declared_at():
            at = start
            while at < end:
                after = min(self.lines.end(at + _PART), end)
                yield self.lines.at(at), to_text(self.data[at:after])
                at = after

    def each_run(self) -> Iterator[tuple[bytes, Span]]:
        """Yield each chain that has rules, as often as these stand apart, and where they stand: whole lines."""
        return self._section.each_run()

    def runs_in_turn(self, chains: Collection[str]) -> Iterable[Span]:
        """Return where the rules of some chains stand, which are in the order of `chain_names`, chain by chain.

        Rules in bulk may be of others, too, where all chains stand in that order: then no index is made.
        """
        section = self._section
        if section.together and [*filter(section.chains.__contains__, self._declared())] == [*section.chains]:
            wanted = {*chains}
            return (span for span, chain in section.stretches() if not chain or to_text(chain) in wanted)
        return (run for chain in chains for run in self.runs_of(chain))

    def rules_in_turn(self) -> Iterable[Span]:
        """Return where all rules stand, chain by chain."""
        return self.blocks() if self._section.together else (run for _, run in self.each_run())

    def rest_runs(self) -> Iterator[tuple[bytes, Span]]:
        """Yield the same of the rules that are not in bulk."""
        return self._section.rest_runs()

    def rule_at(self, offset: int) -> Rule:
        """Return the rule that holds a place of the text."""
        return Rule(self, (self.data.rfind(b"\n", 0, offset) + 1, self.lines.end(offset)))

    def runs_of(self, chain: str) -> Sequence[Span]:
        """Return where the rules of `chain` stand: stretches of whole lines."""
        return self._section.spans(to_bytes(chain))

    def spans_of(self, chain: str) -> Iterator[Span]:
        """Yield where each rule of `chain` stands."""
        for start, end in self.runs_of(chain):
            at = start
            while at < end:
                after = self.lines.end(at)
                yield at, after
                at = after

    def spans_between(self, chain: str, others: re.Pattern[bytes]) -> Iterator[Span]:
        """Yield where those rules of `chain` stand that `others`, which matches whole lines, does not match."""
        for run in self.runs_of(chain):
            yield from self.lines_between(run, others)

    def lines_between(self, stretch: Span, others: re.Pattern[bytes]) -> Iterator[Span]:
        """Yield the lines of a stretch that `others`, which matches some whole lines or none, does not match."""
        at, end = stretch
        while at < end:
            found = others.match(self.data, at, end)
            if found is not None and found.end() > at:
                at = found.end()
                continue
            after = min(self.lines.end(at), end)
            yield at, after
            at = after

    def number_of(self, span: Span) -> int:
        """Return the place, counted from 1, of the rule at `span` among the rules of its chain."""
        found = _RULE_CHAIN.match(self.data, *span)
        runs = self._section.spans(found[1]) if found else []
        return 1 + sum(
            self.data.count(b"\n", start, min(end, span[0])) for start, end in runs if start <= span[0]
        )
