"""What a view is made of: blocks in order, whose cells say what they are, so that a format reads no sentence.

A question has one builder of blocks, a format one function that writes them. What only some formats show is made
when it is asked for: a tree does not wait for a picture, nor a picture for a tree.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from iptviz.records import NamedTuple
from iptviz.view.nodes import CaseBranch, Cell, Remainder, TableRow, TreeRow, texts
from iptviz.view.numbers import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.view.changes import Changes
    from iptviz.view.nodes import Columns, LetteredCase, Mood, Node
    from iptviz.view.picture import Picture

    BlockKind = TypeVar("BlockKind")
    Block: TypeAlias = (
        "Heading | Tree | Table | Facts | Notes | Changes | Figure | Rules | Findings | Answers | Listing"
        " | ChainBrowser | File | HeatMap"
    )

later = cache
"""Makes of a function without parameters one that is called once, when its result is first asked for."""


class Heading(NamedTuple):
    """What the blocks below are about: its name, `at` which address, in which `circumstances`.

    Level 1 is a whole document, 2 a part of it, 3 one answer.
    """

    text: str
    at: str = ""
    circumstances: str = ""
    level: int = 3


class Table(NamedTuple):
    """Rows below headings; what stands below a row is set in by `indent` blanks."""

    columns: Columns
    rows: tuple[TableRow, ...]
    indent: int = 4

    def texts(self, place: int) -> Iterator[str]:
        """Yield what the cells of a column say."""
        return (row.cells[place].text for row in self.rows)

    @property
    def used(self) -> list[int]:
        """The places of the columns that are not empty everywhere."""
        return [i for i in range(len(self.columns.headings)) if any(row.cells[i].text for row in self.rows)]


class Tree(NamedTuple):
    """A tree; `flat` is the table that says the same.

    `pictured` says that a picture of the view shows all of it.
    """

    grow: Callable[[], tuple[Node, ...]]
    flat: Callable[[], Table]
    pictured: bool = False

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The lines of the first level."""
        return self.grow()


FactKind = Literal[
    "verdict", "observed", "target", "masquerade", "hairpin", "affinity", "also", "depends", "assumed",
    "services", "era", "compared", "ignored", "about", "reach", "chosen", "findings",
]  # fmt: skip


class Fact(NamedTuple):
    """A sentence of its own: its label, its text, whether it is good, bad or neither, what it is about.

    `case` is the one of which alone it is said.
    """

    label: str
    text: str
    mood: Mood = ""
    kind: FactKind = "about"
    case: LetteredCase | None = None


class Facts(NamedTuple):
    """Facts, one below the other."""

    tell: Callable[[], tuple[Fact, ...]]

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The facts in order."""
        return self.tell()


class Notes(NamedTuple):
    """Sentences on what the answer lacks or depends on."""

    tell: Callable[[], tuple[str, ...]]

    @property
    def texts(self) -> tuple[str, ...]:
        """The sentences in order."""
        return self.tell()


class Figure(NamedTuple):
    """A picture."""

    draw: Callable[[], Picture]


class Rules(NamedTuple):
    """The rules behind an answer, as they stand."""

    quote: Callable[[], tuple[str, ...]]


def _nothing_met() -> frozenset[tuple[str, str]]:
    return frozenset()


class View(NamedTuple):
    """An answer: its title, a line on the dump, and blocks; `absent` says why there are none but notes.

    `document` is the same for scripts; `met` are the table and name of each chain on its way. `lead` is the
    answer in short, which stands before all the rest.
    """

    title: str
    source: str
    blocks: tuple[Block, ...]
    absent: str = ""
    document: Callable[[], dict[str, Any]] | None = None
    met: Callable[[], frozenset[tuple[str, str]]] = _nothing_met
    lead: tuple[Block, ...] = ()

    @property
    def brief(self) -> View:
        """The answer in short, and nothing else."""
        return self._replace(source="", blocks=())

    def of(self, kind: type[BlockKind]) -> list[BlockKind]:
        """Return the blocks of one kind, those of the lead first."""
        return [block for block in (*self.lead, *self.blocks) if isinstance(block, kind)]


# --- what only a report has ------------------------------------------------------------------------------------


class Findings(NamedTuple):
    """What is wrong with a node, below a heading; `document` is the same for scripts."""

    heading: str
    table: Table
    document: Callable[[], dict[str, Any]]


class Answers(NamedTuple):
    """Several answers below one heading."""

    heading: str
    views: tuple[View, ...]


class Listing(NamedTuple):
    """All services of a dump as an answer of their own, and as the rows of a page that searches them."""

    view: View
    tabulate: Callable[[], Table]

    @property
    def table(self) -> Table:
        """The rows for a page."""
        return self.tabulate()


class ChainBrowser(NamedTuple):
    """Chains to look up: `{table: {chain: {"policy": text, "rules": [[line, text, chain it leads to, share]]}}}`.

    With them comes a word on what is left out.
    """

    open: Callable[[], tuple[dict[str, dict[str, Any]], str]]


class HeatRow(NamedTuple):
    """Nodes in which all columns are the same: `title` names them in short, `names` has all of them.

    `states` has a sign for each column.
    """

    title: str
    names: tuple[str, ...]
    states: str


class HeatColumn(NamedTuple):
    """Service ports that are the same on all nodes; `is_node` that it is about the nodes themselves."""

    names: tuple[str, ...]
    is_node: bool = False

    @property
    def title(self) -> str:
        """The first name, and how many more there are."""
        more = len(self.names) - 1
        return f"{self.names[0]} and {more:,} more" if more else self.names[0]


class HeatMap(NamedTuple):
    """Nodes by what differs between them: equal rows are one, equal columns are one.

    `columns` are service ports that differ somewhere, the most harmful first; `left_out` counts further ones,
    and `alike` those that are the same everywhere. `signs` are those that occur: each with what it means.
    """

    columns: tuple[HeatColumn, ...]
    rows: tuple[HeatRow, ...]
    signs: tuple[tuple[str, str], ...]
    alike: int
    left_out: int = 0


class File(NamedTuple):
    """A file that belongs beside the answer."""

    name: str
    content: Callable[[], bytes]


# --- making blocks --------------------------------------------------------------------------------------------


def verdict_fact(case: LetteredCase, text: str, *, good: bool) -> Fact:
    """Return what comes about in a case, or at all where it is the only one."""
    mood: Mood = "good" if good else "bad"
    if case.letter:
        return Fact(f"Case {case.letter}", text, mood, "verdict", case)
    return Fact("Verdict", text, mood, "verdict")


def flattened(nodes: tuple[Node, ...], columns: Columns) -> Table:
    """Return a row for each row of a tree in `columns`, and for what is refused or folded, all by their case."""
    headings = ("Case", *columns.headings)
    return Table(columns._replace(headings=headings), tuple(_flat(nodes, columns, "")))


def _flat(nodes: tuple[Node, ...], columns: Columns, case: str) -> Iterator[TableRow]:
    width = len(columns.headings)
    for node in nodes:
        if isinstance(node, CaseBranch):
            yield from _flat(node.children, columns, node.case.letter)
        elif isinstance(node, TreeRow):
            yield TableRow((Cell("text", case), *node.cells))
        elif isinstance(node, Remainder):
            said = Cell("share", percent(node.share)), Cell("fate", node.fate)
            yield _padded(case, said, width, node.line)
        elif node.kind == "fold":
            yield _padded(case, texts(("", node.text)), width, node.line)
        else:
            yield from _flat(node.children, columns, case)


def _padded(case: str, cells: tuple[Cell, ...], width: int, line: str) -> TableRow:
    blank = texts([""] * (width - len(cells) - 1))
    return TableRow((Cell("text", case), *cells, *blank, Cell("line", line)))
