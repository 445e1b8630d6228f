"""What `nft list ruleset` shows: tables with their chains, rules, sets, maps and objects.

A rule set is found, not read: statements of rules and elements of sets are read when they are asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from iptviz.nft.heads import VERDICT, Base, NamedObject, Read, SetHead
from iptviz.nft.json_text import as_json
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.intake.remark import LineNote, Remark
    from iptviz.nft.expressions import Element
    from iptviz.nft.statements import Statement

__all__ = [
    "CHANGING",
    "VERDICT",
    "Base",
    "Chain",
    "ChainBody",
    "ChainReader",
    "KeptChain",
    "NamedObject",
    "Read",
    "Rule",
    "Ruleset",
    "SetHead",
    "SetOrMap",
    "SetReader",
    "Table",
]  # fmt: skip

CHANGING = frozenset({"dynamic", "timeout"})
"""Flags of sets whose elements come and go."""


class Ruleset:
    """All tables of one text.

    Attributes:
        tables: by family and name, as in `("ip", "kube-proxy")`, in the order of the text. A fragment that
            names no table is in one whose family and name are empty.
        remarks: what is missing or was repaired, as data.
        notes: which lines were left out, and why.
        form: `text` or `json`.
        version: that of nft, where the text tells it (JSON does); else empty.
        source_text: the text that was read, made plain.
    """

    def __init__(self, form: str = "text", version: str = "") -> None:
        self.form = form
        self.version = version
        self.source_text = ""
        self.tables: dict[tuple[str, str], Table] = {}
        self.remarks: list[Remark] = []
        self.notes: list[LineNote] = []

    def table(self, family: str, name: str) -> Table | None:
        """Return a table, None where there is none."""
        return self.tables.get((family, name))

    @cached_property
    def open_lines(self) -> frozenset[int] | None:
        """The lines where blocks begin whose end is missing; None where that may be any, as in JSON."""
        if any(one.id == "nft-json-open" for one in self.remarks):
            return None
        return frozenset(one.line for one in self.remarks if one.id == "nft-block-open")

    @cached_property
    def hides_elements(self) -> bool:
        """Whether sets have elements that may not be shown: `nft --terse` shows none, of no set.

        Of a set that rules change (`dynamic`, `timeout`) nobody expects any.
        """
        sets = [found for table in self.tables.values() for found in table.sets.values()]
        lasting = (found for found in sets if CHANGING.isdisjoint(found.head.flags))
        return any(True for _ in lasting) and not any(found.has_elements for found in sets)

    def __repr__(self) -> str:
        return f"<Ruleset: {list(self.tables)}>"


class Table:
    """A table: `family` is ip, ip6, inet, arp, bridge or netdev.

    `objects` are those that are neither chain nor set, by kind and name: `("counter", "http")`. `managed` is
    whether nft warned that iptables-nft made it. `ruleset` is what it was read with. `line` is that where it
    begins, 0 in JSON; `object` its place among the objects of JSON, counted from 1, 0 in text.
    """

    def __init__(self, family: str, name: str, line: int = 0) -> None:
        self.family = family
        self.name = name
        self.line = line
        self.object = 0
        self.flags: tuple[str, ...] = ()
        self.comment: str | None = None
        self.handle: int | None = None
        self.managed = False
        self.ruleset: Ruleset | None = None
        self.chains: dict[str, Chain] = {}
        self.sets: dict[str, SetOrMap] = {}
        self.objects: dict[tuple[str, str], NamedObject] = {}

    def hides(self, name: str) -> bool:
        """Whether it is not known what a set or map holds: it, or its elements, are not shown."""
        found = self.sets.get(name)
        if found is None:
            return True
        hidden = self.ruleset is not None and self.ruleset.hides_elements
        return hidden and CHANGING.isdisjoint(found.head.flags)

    def is_open(self, line: int) -> bool:
        """Whether a chain or set that begins at a line may have more in it: its end is not shown."""
        lines = frozenset() if self.ruleset is None else self.ruleset.open_lines
        return lines is None or line in lines

    @property
    def open_chains(self) -> frozenset[str]:
        """The chains of which that is so."""
        if self.ruleset is None or self.ruleset.open_lines == frozenset():
            return frozenset()  # of most no line is asked for
        return frozenset(chain.name for chain in self.chains.values() if self.is_open(chain.line))

    def may_say(self, word: str) -> bool:
        """Whether a word may stand in a rule of it: where not, no chain needs to be asked."""
        return self.line == 0 or self.ruleset is None or word in self.ruleset.source_text

    @cached_property
    def bases(self) -> tuple[tuple[Chain, Base], ...]:
        """The chains that hooks lead to, with where; not to be asked before all of the table is read."""
        return tuple((chain, chain.base) for chain in self.chains.values() if chain.base)

    @property
    def acts(self) -> bool:
        """Whether packets may meet something in it: a base chain and any rule, or one that drops."""
        if "dormant" in self.flags:
            return False
        return any(base.policy == "drop" for _, base in self.bases) or (
            bool(self.bases) and any(chain.has_rules for chain in self.chains.values())
        )

    def __repr__(self) -> str:
        return f"<Table {self.family} {self.name}>"


class ChainBody(NamedTuple):
    """What is read of a chain at once."""

    rules: tuple[Rule, ...]
    comment: str | None = None


class Chain(ABC):
    """A chain, whose rules are made when they are asked for, and are not kept for long: they are equal then."""

    __slots__ = ("_base", "handle", "name", "table")

    def __init__(self, table: Table, name: str, handle: int | None = None) -> None:
        self.table = table
        self.name = name
        self.handle = handle
        self._base: Base | _Unasked | None = UNASKED

    @property
    @abstractmethod
    def reader(self) -> ChainReader:
        """What reads it: kept with it, or made each time."""

    @property
    def line(self) -> int:
        """The line where it begins, 0 in JSON."""
        return self.reader.line

    @property
    def object(self) -> int:
        """Its place among the objects of JSON, counted from 1; 0 in text."""
        return self.reader.object

    @property
    def base(self) -> Base | None:
        """Where it is hooked in; None where only other chains lead to it."""
        if isinstance(self._base, _Unasked):
            self._base = self.reader.base(self)
        return self._base

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in their order."""
        return self.reader.body(self).rules

    @property
    def comment(self) -> str | None:
        """Its comment, None where it has none."""
        return self.reader.body(self).comment

    @property
    def has_rules(self) -> bool:
        """Whether there is any rule."""
        return self.rule_count > 0

    @property
    def rule_count(self) -> int:
        """How many rules there are: they are counted, not made."""
        return self.reader.count()

    def may_say(self, word: str) -> bool:
        """Whether a word may stand in a rule: where not, none has it."""
        return self.reader.may_say(word)

    @property
    def source_text(self) -> str:
        """All that its source has of it."""
        return self.reader.source_text

    @property
    def plain_text(self) -> str | None:
        """Its rules, each in a line as nft prints it, and nothing else; None where they do not stand so."""
        return self.reader.plain_text

    def __repr__(self) -> str:
        return f"<Chain {self.table.family} {self.table.name} {self.name}>"


class KeptChain(Chain):
    """A chain that keeps what reads it."""

    __slots__ = ("_reader",)

    def __init__(self, table: Table, name: str, reader: ChainReader, handle: int | None = None) -> None:
        super().__init__(table, name, handle)
        self._reader = reader

    @property
    def reader(self) -> ChainReader:
        """What reads it."""
        return self._reader


class _Unasked:
    """What stands for something that nobody has asked for, which may be None."""


UNASKED = _Unasked()


class ChainReader(Protocol):
    """What reads a chain of one form of source."""

    @property
    def line(self) -> int:
        """The line where the chain begins, 0 in JSON."""

    @property
    def object(self) -> int:
        """Its place among the objects of JSON, counted from 1; 0 in text."""

    def base(self, chain: Chain) -> Base | None:
        """Return where the chain is hooked in."""

    def body(self, chain: Chain) -> ChainBody:
        """Return its rules and its comment."""

    def count(self) -> int:
        """Return how many rules there are."""

    def may_say(self, word: str) -> bool:
        """Whether a word may stand in a rule."""

    @property
    def source_text(self) -> str:
        """All that the source has of the chain."""

    @property
    def plain_text(self) -> str | None:
        """Its rules as nft prints them, and nothing else; None where they do not stand so."""


class Rule:
    """A rule where it stands; two are equal when they stand in the same place of the same text.

    Attributes:
        table: its table.
        chain: the name of its chain.
        number: its place in the chain, counted from 1.
        line: its line in the text, counted from 1; 0 in JSON.
        object: its place among the objects of JSON, counted from 1; 0 in text.
        source: its text, or what JSON has of it.
        handle: its number in the table, where `nft -a` or JSON tells it.
    """

    __slots__ = ("_read", "_reader", "chain", "handle", "line", "number", "object", "source", "table")

    def __init__(
        self, table: Table, chain: str, number: int, line: int, source: Any, handle: int | None,
        reader: Callable[[Rule], Read], place: int = 0,
    ) -> None:  # fmt: skip
        self.table = table
        self.object = place
        self.chain = chain
        self.number = number
        self.line = line
        self.source = source
        self.handle = handle
        self._reader = reader
        self._read: Read | None = None

    @property
    def text(self) -> str:
        """The rule as it stands there, without its handle; that of JSON is JSON."""
        if isinstance(self.source, str):
            return self.source
        return as_json(self.source)

    @property
    def statements(self) -> tuple[Statement, ...]:
        """What it asks and does, in order."""
        return self._parts.statements

    @property
    def comment(self) -> str | None:
        """Its comment, None where it has none."""
        return self._parts.comment

    @property
    def _parts(self) -> Read:
        if self._read is None:
            self._read = self._reader(self)
        return self._read

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rule):
            return NotImplemented
        return self.table is other.table and (self.chain, self.number) == (other.chain, other.number)

    def __hash__(self) -> int:
        return hash((id(self.table), self.chain, self.number))

    def __repr__(self) -> str:
        return f"<Rule line {self.line}: {self.text}>"


class SetOrMap:
    """A named set, or a map where `is_map`; its elements are read when they are asked for."""

    __slots__ = ("_head", "_lines", "handle", "is_map", "name", "reader", "table")

    def __init__(
        self, table: Table, name: str, reader: SetReader, *, is_map: bool, handle: int | None = None
    ) -> None:  # fmt: skip
        self.table = table
        self.name = name
        self.is_map = is_map
        self.handle = handle
        self.reader = reader
        self._head: SetHead | None = None
        self._lines: tuple[tuple[int, Element], ...] | None = None

    @property
    def line(self) -> int:
        """The line where it begins, 0 in JSON."""
        return self.reader.line

    @property
    def head(self) -> SetHead:
        """Its types, flags and the like."""
        if self._head is None:
            self._head = self.reader.head(self)
        return self._head

    @property
    def lines(self) -> tuple[tuple[int, Element], ...]:
        """Its elements, each with the line where it stands, 0 in JSON."""
        if self._lines is None:
            self._lines = tuple(self.reader.elements(self, ""))
        return self._lines

    @property
    def elements(self) -> tuple[Element, ...]:
        """Its elements."""
        return tuple(element for _, element in self.lines)

    def walked(self) -> Iterator[Element]:
        """Yield its elements for one who walks through them once: they are kept only where they are anyway."""
        lines = self.reader.elements(self, "") if self._lines is None else iter(self._lines)
        return (element for _, element in lines)

    @property
    def has_elements(self) -> bool:
        """Whether there is any element: only the first one is read."""
        return next(iter(self.reader.elements(self, "")), None) is not None

    def has_many(self, count: int) -> bool:
        """Whether there are at least so many elements: no others are read."""
        found = self.reader.elements(self, "") if self._lines is None else iter(self._lines)
        return sum(1 for _ in islice(found, count)) == count

    @property
    def source_text(self) -> str:
        """All that its source has of it."""
        return self.reader.source_text

    @property
    def is_of_hosts(self) -> bool:
        """Whether its elements are addresses of IPv4 alone, each spelt in the only way, nothing beside it.

        Of these `elements_with` finds any.
        """
        return self.reader.is_of_hosts

    def elements_with(self, word: str) -> tuple[tuple[int, Element], ...]:
        """Return the elements in whose text a word stands, perhaps within another one, with their lines.

        Only these are read, which is quick in a long set. The word is one as it is printed: `10.96.0.10`.
        """
        return tuple(self.reader.elements(self, word))

    def __repr__(self) -> str:
        return f"<{'Map' if self.is_map else 'Set'} {self.table.family} {self.table.name} {self.name}>"


class SetReader(Protocol):
    """What reads a set of one form of source."""

    @property
    def line(self) -> int:
        """The line where the set begins, 0 in JSON."""

    def head(self, found: SetOrMap) -> SetHead:
        """Return what is said beside the elements."""

    @property
    def source_text(self) -> str:
        """All that the source has of the set."""

    @property
    def is_of_hosts(self) -> bool:
        """Whether its elements are addresses of IPv4 alone: see `SetOrMap`."""

    def elements(self, found: SetOrMap, word: str) -> Iterator[tuple[int, Element]]:
        """Yield elements with their lines: those in whose text a word stands."""
