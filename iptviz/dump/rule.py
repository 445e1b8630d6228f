"""A rule in its place: its line at once, its words when asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from iptviz.grammar.parts import Counters, Match, RuleParts, Target, read_counters
from iptviz.grammar.reader import take_apart
from iptviz.intake.text import to_text
from iptviz.xtables.targets import target_spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from iptviz.intake.index import Span
    from iptviz.intake.lines import Lines
    from iptviz.xtables.option import Saving

_COUNTERS = re.compile(r"\[([\d~]+:[\d~]+)\] ")
_PLAIN_CHAIN = re.compile(
    r"-A ([A-Za-z0-9_-]++)(?! [^-!])(?!.*(?:-A|--ap)).*+"
)  # the last -A names the chain
_MAY_COUNT = re.compile("(?<!-)-c|--set-counters")


class RuleTable(Protocol):
    """What a rule needs of the table that holds it, and what others may ask of a rule's table."""

    name: str
    data: bytes
    lines: Lines

    @property
    def chains(self) -> Mapping[str, object]:
        """The table's chains by name."""

    @property
    def saving(self) -> Saving:
        """The family, and the backend whose iptables-save wrote the dump."""

    def number_of(self, span: Span) -> int:
        """Return the place, counted from 1, of the rule at `span` among the rules of its chain."""

    def rules_of(self, chain: str) -> Sequence[Rule]:
        """Return the rules of `chain`."""

    def rules_to(self, chain: str) -> Iterator[Rule]:
        """Yield the rules that jump or go to `chain`."""

    def called(self, rule: Rule) -> tuple[str, bool] | None:
        """Return what stands behind a rule's -j, and whether without options; None: it has to be taken apart."""


class Rule:
    """One rule of a chain; two are equal when they stand in the same place of the same dump."""

    __slots__ = ("_number", "_parts", "_span", "table")

    def __init__(self, table: RuleTable, span: Span, number: int | None = None) -> None:
        self.table = table
        self._span = span
        self._number = number
        self._parts: RuleParts | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rule) and other.table is self.table and other._span == self._span

    def __hash__(self) -> int:
        return self._span[0]

    def __repr__(self) -> str:
        return f"<Rule line {self.line}: {self.text}>"

    @property
    def _raw(self) -> str:
        start, end = self._span
        return to_text(self.table.data[start:end].strip())  # bytes: other blanks belong to the words

    @property
    def text(self) -> str:
        """The rule as it stands in the dump, without counters and line end."""
        raw = self._raw
        return _COUNTERS.sub("", raw, count=1) if raw.startswith("[") else raw

    @property
    def start(self) -> int:
        """Where the rule begins in the text, in bytes."""
        return self._span[0]

    @property
    def line(self) -> int:
        """The rule's line in the dump, counted from 1."""
        return self.table.lines.at(self._span[0])

    @property
    def number(self) -> int:
        """The rule's place in its chain, counted from 1 as `iptables -L --line-numbers` does."""
        if self._number is None:
            self._number = self.table.number_of(self._span)
        return self._number

    @property
    def counters(self) -> Counters | None:
        """Packets and bytes, where the dump was saved with `-c` or is a listing."""
        raw = self._raw
        found = _COUNTERS.match(raw)
        if found:
            return read_counters(found[1])
        return self.parts.counters if _MAY_COUNT.search(raw) else None

    @property
    def parts(self) -> RuleParts:
        """The rule taken apart, once."""
        if self._parts is None:
            self._parts = take_apart(self.text)
        return self._parts

    def canonical(self, backend: str | None = None) -> str:
        """Return the text that iptables-save prints for this rule, however it is typed here.

        `backend` is `legacy` or `nf_tables`, which print a few rules differently; without it, the one that
        saved the dump. Several lines where iptables makes several rules of it (`-s 10.0.0.1,10.0.0.2`). What is
        not understood stands as it was typed; a rule with an unclosed quote is returned as it is.
        """
        from iptviz.grammar.canonical import canonical_text  # its tables are not needed to read

        saving = self.table.saving
        return canonical_text(
            self.text, self.parts, saving if backend is None else saving._replace(backend=backend)
        )

    @property
    def chain(self) -> str:
        """The name of the chain that holds the rule."""
        plain = _PLAIN_CHAIN.fullmatch(self.text) if self._parts is None else None
        return self.parts.chain if plain is None else plain[1]

    @property
    def matches(self) -> tuple[Match, ...]:
        """The `-m` matches in the rule's order."""
        return self.parts.matches

    @property
    def target(self) -> Target | None:
        """What the rule does, or None: it counts and goes on."""
        return self.parts.target

    @property
    def jump(self) -> str | None:
        """The user chain that the rule jumps or goes to, or None.

        A chain of the dump takes precedence over a target of its name, as in iptables. A bare name that is
        neither is taken for a chain, which is then one that no line declares.
        """
        quick = self.table.called(self) if self._parts is None else None
        if quick is not None:
            name, bare, goto = *quick, False
        elif self.target is None:
            return None
        else:
            name, goto = self.target.name, self.target.goto
            bare = not (self.target.options or self.parts.unknown)
        if goto or name in self.table.chains:
            return name
        return name if name and bare and not target_spec(name) else None

    @property
    def comment(self) -> str | None:
        """The text of the rule's first `-m comment`, or None."""
        for match in self.matches:
            if match.name == "comment" and (option := match.option("--comment")):
                return option.values[0] if option.values else ""
        return None
