"""Markdown as GitHub reads it, to be pasted into an issue or a ticket.

Text that might mean something to Markdown or to GitHub (markup, links, mentions, references, emoji) is written as
code: in backticks, or, where those do not hold (cells of a table split at every `|`, and inside HTML nothing
is Markdown), as `<code>` with entities.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from iptviz.render.mermaid import mermaid
from iptviz.view.articles import articles_of
from iptviz.view.blocks import Answers, Facts, Figure, Findings, Heading, Listing, Notes, Rules, Table, Tree
from iptviz.view.changes import Changes
from iptviz.view.nodes import CaseBranch, Fold, TreeRow, in_tables
from iptviz.view.text import note_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.view.articles import Article
    from iptviz.view.blocks import Block, Fact, View
    from iptviz.view.changes import ChangeLine
    from iptviz.view.nodes import Below, LetteredCase, Node, Spoken, TableRow
    from iptviz.view.picture import Picture

_RESULT_HEADINGS = ("Service", "At", "Result")

# A beginning that makes no list; a colon before a blank, a port or the end: `a://b` is a link, `:name:` an emoji.
# To GitHub, `GH-1` is a link to an issue.
_HARMLESS = re.compile(
    r"(?![^\w]|[0-9]+[.)](?: |$)|.*www\.|.*\bGH-[0-9])(?:[^\W_]|[ ,.;/%=+()'\"·→?-]|:(?= |$|[0-9]+(?![0-9]*:)))+",
    re.IGNORECASE,
)
_NOT_LITERAL = re.compile(r"[^A-Za-z0-9 ,;/%=+-]")


def markdown(view: View) -> str:
    """Return a view as Markdown, with its picture and its rules to unfold."""
    return "\n\n".join(_view(view)) + "\n"


def _view(view: View) -> Iterator[str]:
    """Yield the paragraphs of a view; the answer in short comes before the line on the dump."""
    yield from (paragraph for block in view.lead for paragraph in _block(view, block))
    if view.source:
        yield _plain(view.source)
    for kind, those in groupby(view.blocks, type):
        if kind is Table:
            yield from _tables(those)
        else:
            yield from (paragraph for block in those for paragraph in _block(view, block))


def _block(view: View, block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield from _heading(block)
        case Tree() if not block.pictured:
            yield from _tree(block.nodes)
        case Facts() if block.facts:
            yield _facts(block.facts)
        case Notes() | Changes():
            yield from _lines_of(block)
        case Figure() if not view.absent:
            yield _mermaid(block.draw())
        case Rules() if rules := block.quote():
            yield _quoted("The rules", rules)
        case Findings() | Answers():
            yield f"## {_plain(block.heading)}"
            yield from _headed(block)
        case Listing():
            yield from _view(block.view)


def _lines_of(block: Notes | Changes) -> Iterator[str]:
    if isinstance(block, Changes):
        yield from [_fenced("diff", map(_change, block.lines))] if block.lines else []
    elif block.texts:
        yield "\n".join(f"- {_plain(note_line(note))}" for note in block.texts)


def _headed(block: Findings | Answers) -> Iterator[str]:
    if isinstance(block, Answers):
        yield from _answers(block)
    elif block.table.rows:
        yield from _tables([block.table])


def _heading(block: Heading) -> Iterator[str]:
    yield " ".join(["#" * block.level, _plain(block.text), *([_plain(block.at)] if block.at else [])])
    if block.circumstances:
        yield _plain(block.circumstances)


def _facts(facts: tuple[Fact, ...]) -> str:
    return "\n".join(f"- **{fact.label}:** {_plain(fact.text)}" for fact in facts)


def _mermaid(picture: Picture) -> str:
    """Return a picture that GitHub and GitLab draw; no label of it can hold a fence."""
    return f"```mermaid\n{mermaid(picture)}```"


def _quoted(summary: str, lines: tuple[str, ...]) -> str:
    """Return lines as they are, to be unfolded."""
    return f"<details>\n<summary>{_html(summary)}</summary>\n\n{_fenced('text', lines)}\n\n</details>"


def _fenced(language: str, lines: Iterable[str]) -> str:
    """Return lines as they are, as code of a language: between more backticks than they have in a row."""
    text = "\n".join(lines)
    fence = "`" * max(max(map(len, re.findall("`+", text)), default=0) + 1, 3)
    return f"{fence}{language}\n{text}\n{fence}"


def _change(line: ChangeLine) -> str:
    """Return a line of what changed with its sign in front, by which it is coloured."""
    place = f"   ({line.place})" if line.place else ""
    return f"{line.sign or ' '} {'  ' * line.depth}{line.text}{place}"


# --- several answers -----------------------------------------------------------------------------------------


def _answers(block: Answers) -> Iterator[str]:
    """Yield what every answer comes to as a table, then the answers."""
    if results := [row for answer in block.views for row in _results(answer)]:
        yield _rows(_RESULT_HEADINGS, results)
    yield from (paragraph for answer in block.views for paragraph in _view(answer))


def _results(answer: View) -> Iterator[Sequence[str]]:
    articles = articles_of(answer)
    if not articles:
        yield answer.title, "", answer.absent
    for article in articles:
        if article.results:
            yield article.heading.text, article.detail, _result(article)


def _result(article: Article) -> str:
    named = len(article.results) > 1 or any(fact.kind == "reach" for fact in article.results)
    return "; ".join(f"{fact.label}: {fact.text}" if named else fact.text for fact in article.results)


# --- trees ---------------------------------------------------------------------------------------------------


def _tree(nodes: tuple[Node, ...]) -> Iterator[str]:
    cases = [node for node in nodes if isinstance(node, CaseBranch)]
    for branch in cases:
        yield _case(branch.case)
        yield from _level(branch.children)
    if not cases:
        yield from _level(nodes)


def _case(case: LetteredCase) -> str:
    return "\n".join(map(_bold, case.lines))


def _level(nodes: tuple[Node, ...]) -> Iterator[str]:
    """Yield rows that have more below them as a table with that to unfold, anything else as a list."""
    rows = [node for node in nodes if isinstance(node, TreeRow)]
    if not rows:
        yield from _listed([node for node in nodes if not isinstance(node, TreeRow)])
        return
    yield _tree_table(rows)
    yield from (_plain(node.text) for node in nodes if isinstance(node, Fold))
    yield from (paragraph for row in rows if row.children for paragraph in _unfolding(row))


def _listed(nodes: list[Spoken]) -> Iterator[str]:
    """Yield nodes with what is below them as a list, then all rows below them as a table, and what that lacks."""
    items: list[str] = []
    rows: list[TreeRow | Fold] = []
    for node in nodes:
        listed, tabled = in_tables(node.children)
        items.append(_item(node))
        items += [f"  {_item(child)}" for child in listed if not isinstance(child, TreeRow)]
        rows += tabled
    yield "\n".join(items)
    if endpoints := [row for row in rows if isinstance(row, TreeRow)]:
        yield _tree_table(endpoints)
    yield from (_plain(row.text) for row in rows if isinstance(row, Fold))


def _item(node: Spoken) -> str:
    return f"- {_plain(node.text)}" + (f" ({_plain(node.line)})" if node.line else "")


def _unfolding(row: TreeRow) -> Iterator[str]:
    """Yield what is below a row, to be unfolded."""
    summary = ", ".join(cell.text for cell in row.cells[:3] if cell.text)
    yield f"<details>\n<summary>{_html(summary)}</summary>"
    yield _tree_table([node for node in row.children if isinstance(node, TreeRow | Fold)])
    yield "</details>"


def _tree_table(rows: Sequence[TreeRow | Fold]) -> str:
    """Return rows of a tree as a table; what a fold says stands in the last column but one."""
    columns = next(row.columns for row in rows if row.columns)
    return _rows(columns.headings, [_cells(row, len(columns.headings)) for row in rows], right="Share")


def _cells(row: TreeRow | Fold, width: int) -> list[str]:
    if isinstance(row, Fold):
        return [*[""] * (width - 2), row.text, ""]
    return [cell.text for cell in row.cells]


# --- tables --------------------------------------------------------------------------------------------------


def _tables(blocks: Iterable[Block]) -> Iterator[str]:
    """Yield tables one after the other, then what stands below their rows, to be unfolded."""
    tables = [block for block in blocks if isinstance(block, Table)]
    for table in tables:
        yield _rows(table.columns.headings, [[cell.text for cell in row.cells] for row in table.rows])
    for table in tables:
        place = table.columns.summary_place
        yield from (_details(row.cells[place].text, row) for row in table.rows if row.below)


def _details(summary: str, row: TableRow) -> str:
    items = "\n".join(f"- {_item_below(line)}" for line in row.below)
    return f"<details>\n<summary>{_html(summary)}</summary>\n\n{items}\n\n</details>"


def _item_below(line: Below) -> str:
    if line.label:
        said = "".join(_code(text) if is_code else _escaped(text) for text, is_code in line.pieces)
        return f"**{line.label}:** {said}"
    return _plain(f"{line.share}   {line.text}" if line.share else line.text)


def _rows(headings: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> str:
    """Return a table, the column `right` flush right; a column that is empty everywhere is left out."""
    used = [i for i in range(len(headings)) if any(row[i] for row in rows)]
    lines = [[headings[i] for i in used], ["---:" if headings[i] == right else "---" for i in used]]
    lines += [[_cell(row[i]) for i in used] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# --- text ----------------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """Return one line of text for a paragraph, a heading or an item of a list."""
    return text if not text or _HARMLESS.fullmatch(text) else _code(text)


def _escaped(text: str) -> str:
    """Return a piece of our own documentation, of which no sign is markup."""
    return re.sub(r"[][\\*_<>|~#&@]", r"\\\g<0>", text)


def _bold(text: str) -> str:
    """Return a heading of its own: bold where it is no code."""
    plain = _plain(text.strip())
    return plain if plain.startswith("`") else f"**{plain}**"


def _cell(text: str) -> str:
    """Return a text for a table: no bar may be in it, not even in code."""
    return _html(text) if "|" in text else _plain(text)


def _code(text: str) -> str:
    """Return a text as code: between more backticks than it has in a row."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _html(text: str) -> str:
    """Return a text for HTML, and for where no other escape holds."""
    if _HARMLESS.fullmatch(text):
        return text
    return f"<code>{_NOT_LITERAL.sub(lambda found: f'&#{ord(found[0])};', text)}</code>"
