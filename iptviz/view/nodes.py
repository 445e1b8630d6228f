"""What tables and trees are made of: cells that say what they are, rows, cases, and what folds hide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.engine.chance import CERTAIN
from iptviz.records import NamedTuple
from iptviz.view.numbers import percent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

Mood = Literal["", "good", "bad"]
"""Whether something is as it should be; empty is neither."""

CellKind = Literal[
    "share", "address", "fate", "rewrite", "chain", "place", "table", "number", "line", "rule", "text"
]
"""What a cell says: `chain` is one that connections lead to, `place` the one in which a rule stands."""


class Cell(NamedTuple):
    """A text and what it says; `table` is that of the chain which it names, `chain` one that stands behind it."""

    kind: CellKind
    text: str
    table: str = ""
    chain: str = ""


_INITIALS = {name.lower(): name for name in ("API", "ID", "IP")}
"""What has large letters in any sentence."""


class Columns(NamedTuple):
    """The columns in which rows line up; `name` and `label` say for pages what the rows are.

    `spared` are the headings of what a narrow table loses, the first first. `losses` has the headings of what a
    narrow tree loses, the first first, with words for it; where `cut` has a word for that, its last column is cut
    before. `nested` says that there is more below the rows of a tree. `summary` is the heading of the cell that
    sums a row up, the first without it. `wrapped` says that the last column holds sentences, which a narrow table
    breaks into lines or sets below the row, but never leaves out.
    """

    name: str
    headings: tuple[str, ...]
    label: str = ""
    spared: tuple[str, ...] = ()
    losses: tuple[tuple[str, str], ...] = ()
    cut: str = ""
    nested: bool = False
    summary: str = ""
    wrapped: bool = False

    def spoken(self, place: int) -> str:
        """Return the heading at a place as a part of a sentence, whatever letters it has above a table."""
        return " ".join(_INITIALS.get(word, word) for word in self.headings[place].lower().split(" "))

    @property
    def summary_place(self) -> int:
        """The place of the cell that sums a row up."""
        return self.headings.index(self.summary) if self.summary else 0


class Below(NamedTuple):
    """A line below a row of a table: a text, the share before it if any, and how deep it is set in.

    With a `label` it is a sentence of the documentation, which may be broken into lines, as one that
    `is_sentence`; a rule is not, so that it can be copied. `pieces` are those of the documentation, each with
    whether it is a command.
    """

    text: str
    share: str = ""
    depth: int = 0
    label: str = ""
    pieces: tuple[tuple[str, bool], ...] = ()
    is_sentence: bool = False


class TableRow(NamedTuple):
    """A row of a table: its cells, what stands below it, and whether all is well with it."""

    cells: tuple[Cell, ...]
    below: tuple[Below, ...] = ()
    mood: Mood = ""


class Bar(NamedTuple):
    """The share that is expected and the one that was observed, both in [0, 1]; `odd` if not by chance alone.

    `observed` is None where no counters tell.
    """

    expected: float
    observed: float | None = None
    odd: bool = False

    @property
    def longer(self) -> float:
        """The larger of the two shares."""
        return max(self.expected, self.observed or 0.0)


# --- what a tree is made of ----------------------------------------------------------------------------------


OTHERWISE = "otherwise"
"""When a case comes about that is the last of those of which the first that holds decides."""


class LetteredCase(NamedTuple):
    """A case by its letter, empty where it is the only one; it comes about where any of `when` holds."""

    letter: str
    when: tuple[str, ...]

    @property
    def condition(self) -> str:
        """When it comes about, in one line."""
        return " or ".join(map(_when, self.when))

    @property
    def lines(self) -> tuple[str, ...]:
        """The heading of the case."""
        letter = f"{self.letter}: " if self.letter else ""
        first, *others = self.when
        return (f"{letter}{_when(first)}", *(f"   or {_when(other)}" for other in others))


def _when(conditions: str) -> str:
    return conditions if conditions == OTHERWISE else f"when {conditions}"


class CaseBranch(NamedTuple):
    """What comes about in one case."""

    case: LetteredCase
    children: tuple[Node, ...]
    kind: Literal["case"] = "case"
    line: str = ""

    @property
    def text(self) -> str:
        """The heading, of several lines where there are several conditions."""
        return "\n".join(self.case.lines)


class TextNode(NamedTuple):
    """A text with where it stands in the dump, and what is below it."""

    kind: Literal["chain", "mark", "hook", "missing"]
    text: str
    line: str
    children: tuple[Node, ...] = ()


class Remainder(NamedTuple):
    """What becomes of the share (in (0, 1]) of connections that get no endpoint."""

    share: Fraction
    fate: str
    line: str = ""
    kind: Literal["verdict"] = "verdict"
    children: tuple[Node, ...] = ()

    @property
    def text(self) -> str:
        """The share and the fate."""
        return f"{'every connection' if self.share == CERTAIN else percent(self.share)}: {self.fate}"


class Fold(NamedTuple):
    """A line for what is not shown.

    Of kind `fold` it stands for rows in `columns`, of kind `elided` for what is no row of the tree: chains on the
    way, ways of outcomes.
    """

    text: str
    columns: Columns | None = None
    kind: Literal["fold", "elided"] = "fold"
    line: str = ""
    children: tuple[Node, ...] = ()


class TreeRow(NamedTuple):
    """A row of a tree: its kind says how it stands out; `bar` is an endpoint's share, for those who draw."""

    kind: Literal["endpoint", "wanted", "accepted", "refused", "step", "miss"]
    columns: Columns
    cells: tuple[Cell, ...]
    children: tuple[Node, ...] = ()
    bar: Bar | None = None


Spoken = CaseBranch | TextNode | Remainder | Fold
"""What has a text and the line where it stands."""

Node = Spoken | TreeRow
"""One line of a tree and what is below it."""


# --- making them ---------------------------------------------------------------------------------------------


def texts(values: Iterable[str]) -> tuple[Cell, ...]:
    """Return cells that are no more than texts."""
    return tuple(Cell("text", value) for value in values)


def in_tables(nodes: tuple[Node, ...]) -> tuple[list[Node], list[TreeRow | Fold]]:
    """Part the nodes of one level into those that are told one by one, and the rows of a table with its folds."""
    if not any(isinstance(node, TreeRow) and not node.columns.nested for node in nodes):
        return list(nodes), []
    listed: list[Node] = []
    tabled: list[TreeRow | Fold] = []
    for node in nodes:
        if isinstance(node, TreeRow | Fold) and node.kind != "elided":
            tabled.append(node)
        else:
            listed.append(node)
    return listed, tabled
