"""Where a rule of nft stands, or an element that a rule looks up: what answers name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.grammar.parts import Counters
from iptviz.nft.statements import Counter
from iptviz.records import NamedTuple
from iptviz.rules.native.rule_words import rule_words
from iptviz.rules.native.words import words_of

if TYPE_CHECKING:
    from iptviz.nft.expressions import Element
    from iptviz.nft.model import Rule, Table


def table_name(table: Table) -> str:
    """Return how answers call a table: `ip kube-proxy`."""
    return f"{table.family} {table.name}"


class TableName(NamedTuple):
    """A table of nft as answers call it: `ip kube-proxy`."""

    name: str


class NftPlace:
    """A rule where it stands, or what it finds in a set or map: a `Place`.

    Two are equal when they are the same rule's, and the same element's. `line` is that of the element where it
    has one of its own; 0 in JSON.
    """

    __slots__ = ("element", "line", "rule", "table")

    def __init__(self, rule: Rule, table: TableName, element: Element | None = None, line: int = 0) -> None:
        self.rule = rule
        self.table = table
        self.element = element
        self.line = line or rule.line

    @property
    def number(self) -> int:
        """The rule's place in its chain, counted from 1."""
        return self.rule.number

    @property
    def chain(self) -> str:
        """The name of the chain that holds the rule."""
        return self.rule.chain

    @property
    def text(self) -> str:
        """What stands in its line: the rule, or the element in words where that has a line of its own."""
        own = self.element is not None and self.line != self.rule.line
        return words_of(self.element) if own else rule_words(self.rule)

    @property
    def comment(self) -> str | None:
        """The comment of the element, or of the rule; None where there is none."""
        return (self.element.comment if self.element else None) or self.rule.comment

    @property
    def counters(self) -> Counters | None:
        """What a counter of the element, or the rule, has counted; None without one."""
        statements = self.element.statements if self.element else self.rule.statements
        for statement in statements:
            if isinstance(statement, Counter) and statement.packets is not None:
                return Counters(statement.packets, statement.bytes or 0)
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NftPlace) and self.rule == other.rule and self.element == other.element

    def __hash__(self) -> int:
        return hash((self.rule, self.element.key if self.element else None))

    def __repr__(self) -> str:
        return f"<NftPlace line {self.line}: {self.text}>"
