"""What a jump graph is made of, whatever the rules were read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from iptviz.records import NamedTuple
from iptviz.rules.leading import goes_for_good

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.node.listing import RuleSource
    from iptviz.rules.form import Place as Leading

Place = tuple[str, str]
"""A chain: its table and its name."""


class Hook(NamedTuple):
    """Where a base chain of nft is hooked in; the chains of lower priority are asked first."""

    type: str
    hook: str
    priority: int | None

    @property
    def text(self) -> str:
        """The hook as nft writes it."""
        priority = "" if self.priority is None else f" priority {self.priority}"
        return f"{self.type} hook {self.hook}{priority}"


class ChainNode(NamedTuple):
    """A chain; `policy` is that of a built-in one or a base chain, `present` whether the source has it.

    `hook` is that of a base chain of nft.
    """

    table: str
    chain: str
    policy: str | None
    rules: int
    present: bool
    hook: Hook | None = None

    @property
    def place(self) -> Place:
        """The table and the name."""
        return self.table, self.chain


class Jump(NamedTuple):
    """All rules of one chain that lead to another, or elements of maps that they ask."""

    tail: Place
    head: Place
    rules: tuple[Leading, ...]

    @property
    def goto(self) -> bool:
        """Whether all of them go there for good."""
        return all(map(goes_for_good, self.rules))


class Drawn(Protocol):
    """The chains of a source of rules, table by table."""

    @property
    def source(self) -> RuleSource:
        """What was read."""

    @property
    def tables(self) -> Collection[str]:
        """The tables by name."""

    def named(self, table: str) -> tuple[str, ...]:
        """Return the tables that a name means; none where there is no such."""

    def chain_names(self, table: str) -> Collection[str]:
        """Return the chains that a table has."""

    def jumps(self, table: str) -> Iterator[Jump]:
        """Yield the jumps of a table, in order."""

    def nodes(self, table: str) -> Iterator[ChainNode]:
        """Yield the chains that a table has, in order."""

    def on_path(self, target: str) -> tuple[set[Place], set[Place]]:
        """Return where connections to TARGET enter, and what is behind that.

        Raises:
            AbsentError: there is no such TARGET.
        """

    def notes(self, kept: Sequence[Jump], nodes: Iterable[ChainNode]) -> Iterator[Item]:
        """Yield what is wrong with the jumps that are drawn, and what the source lacks."""

    def spelled(self, table: str) -> Iterable[str]:
        """Yield the names of chains that people may have meant: of hashes one looks like another."""
