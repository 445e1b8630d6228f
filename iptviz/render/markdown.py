"""Markdown as GitHub reads it, to be pasted into an issue or a ticket.

Text that might mean something to Markdown or to GitHub (markup, links, mentions, references, emoji) is written as
code: in backticks, or, where those do not hold (cells of a table split at every `|`, and inside HTML nothing
is Markdown), as `<code>` with entities.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.render.mermaid import mermaid
from iptviz.view.labels import ABSENT
from iptviz.view.rules import rule_lines
from iptviz.view.trace import trace_view
from iptviz.view.trace_picture import trace_picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.questions.graph import GraphResult
    from iptviz.questions.packet import PacketResult
    from iptviz.questions.services import ServicesResult
    from iptviz.questions.trace import TraceResult
    from iptviz.questions.verify import VerifyResult
    from iptviz.terminal import Style
    from iptviz.view.answers import Answered, Part
    from iptviz.view.facts import Fact
    from iptviz.view.picture import Picture
    from iptviz.view.report import ReportView
    from iptviz.view.trace import Node, ServiceView

_LEFT_OUT = {"fold", "elided"}
_ENDPOINT_HEADINGS = ("Share", "Endpoint", "How", "Chain", "Lines")
_RESULT_HEADINGS = ("Service", "At", "Result")
_OUTCOME_HEADINGS = ("Share", "Verdict", "Destination", "Source", "Mark", "Decided")
_STEP_HEADINGS = ("Table", "Chain", "Number", "Line", "Effect", "Rule")

# A beginning that makes no list; a colon before a blank, a port or the end: `a://b` is a link, `:name:` an emoji.
# To GitHub, `GH-1` is a link to an issue.
_HARMLESS = re.compile(
    r"(?![^\w]|[0-9]+[.)](?: |$)|.*www\.|.*\bGH-[0-9])(?:[^\W_]|[ ,.;/%=+()'\"·→?-]|:(?= |$|[0-9]+(?![0-9]*:)))+",
    re.IGNORECASE,
)
_NOT_LITERAL = re.compile(r"[^A-Za-z0-9 ,;/%=+-]")


def trace_markdown(result: TraceResult, _style: Style, *, fold: bool) -> str:
    """Return the Markdown of a trace."""
    view = trace_view(result, fold=fold)
    services = (block for service in view.services for block in _service(service))
    picture = [_mermaid(trace_picture(result, fold=fold))] if view.services else []
    rules = rule_lines(result, fold=fold)
    quoted = [_quoted("The rules", rules)] if rules else []
    return _document([_plain(view.source), *services, *_notes(view.notes), *picture, *quoted])


def packet_markdown(result: PacketResult, _style: Style, *, fold: bool) -> str:
    """Return the Markdown of a packet's outcomes."""
    from iptviz.view.packet import packet_view  # a trace shall not wait for these
    from iptviz.view.packet_picture import packet_picture

    view = packet_view(result, fold=fold)
    cases = [node for node in view.nodes if node.kind == "case"]
    blocks = [f"### {_plain(view.asked)}", _plain(view.circumstances), _plain(view.source)]
    for case in cases:
        blocks += [_bold(case.cells[0]), *_outcomes(case.children)]
    blocks += [] if cases else _outcomes(view.nodes)
    picture = _mermaid(packet_picture(result, fold=fold))
    return _document([*blocks, _facts(view.facts), *_notes(view.notes), picture])


def graph_markdown(result: GraphResult, _style: Style, *, fold: bool) -> str:
    """Return the Markdown of a jump graph: a picture, and what has to be said of it."""
    from iptviz.view.chain_graph import graph_view
    from iptviz.view.graph_picture import graph_picture

    view = graph_view(result, fold=fold)
    picture = _mermaid(graph_picture(result, fold=fold))
    return _document([_plain(view.source), f"### {_plain(view.asked)}", picture, *_notes(view.notes)])


def services_markdown(result: ServicesResult, _style: Style, *, fold: bool) -> str:
    """Return the Markdown of a list of services; unfolded, with the endpoints of each."""
    from iptviz.view.services import HEADINGS, PUBLISHED_HEADINGS, services_view

    view = services_view(result, fold=fold)
    table = [_table(HEADINGS, [row.cells for row in view.rows])] if view.rows else []
    endpoints = [_unfolding(row.cells[0], row.endpoints) for row in view.rows if row.endpoints]
    table += [_table(PUBLISHED_HEADINGS, list(view.published))] if view.published else []
    return _document([_plain(view.source), *table, *endpoints, _facts(view.facts), *_notes(view.notes)])


def verify_markdown(result: VerifyResult, _style: Style, *, fold: bool) -> str:
    """Return the Markdown of a comparison with the API."""
    from iptviz.view.verify import HEADINGS, verify_view

    view = verify_view(result, fold=fold)
    table = [_table(HEADINGS, list(view.rows))] if view.rows else []
    return _document([_plain(view.source), *table, _facts(view.facts), *_notes(view.notes)])


def head_markdown(view: ReportView) -> str:
    """Return the head of a report: its dump, and what was found, one line for each frontend."""
    results = [row for one in view.answers for row in _results(one)]
    table = [_table(_RESULT_HEADINGS, results)] if results else []
    heading = f"## {_plain(view.asked)}"
    return _document([f"# {_plain(view.title)}", _facts(view.head), *_notes(view.notes), heading, *table])


def _results(one: Answered) -> Iterator[tuple[str, ...]]:
    if not one.parts:
        yield one.name, "", ABSENT
    for part in one.parts:
        if part.results:
            yield part.heading, part.detail, "; ".join(_labelled(fact, part) for fact in part.results)


def _labelled(fact: Fact, part: Part) -> str:
    return f"{fact.label}: {fact.text}" if len(part.results) > 1 else fact.text


def _unfolding(summary: str, lines: tuple[str, ...]) -> str:
    items = "\n".join(f"- {_plain(line.strip())}" for line in lines)
    return f"<details>\n<summary>{_html(summary)}</summary>\n\n{items}\n\n</details>"


def _mermaid(picture: Picture) -> str:
    """Return a picture that GitHub and GitLab draw; no label of it can hold a fence."""
    return f"```mermaid\n{mermaid(picture)}```"


def _quoted(summary: str, lines: tuple[str, ...]) -> str:
    """Return lines as they are, to be unfolded: between more backticks than they have in a row."""
    most = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(most + 1, 3)
    text = "\n".join(lines)
    return f"<details>\n<summary>{_html(summary)}</summary>\n\n{fence}text\n{text}\n{fence}\n\n</details>"


def _document(blocks: Iterable[str]) -> str:
    return "\n\n".join(blocks) + "\n"


# --- blocks --------------------------------------------------------------------------------------------------


def _service(service: ServiceView) -> Iterator[str]:
    yield f"### {_plain(service.heading)} {_plain(service.frontend)}"
    cases = [node for node in service.nodes if node.kind == "case"]
    for case in cases:
        yield "\n".join(_bold(line) for line in case.cells[0].split("\n"))
        yield from _chains(case.children)
    if not cases:
        yield from _chains(service.nodes)
    yield _facts(service.facts)


def _chains(nodes: tuple[Node, ...]) -> Iterator[str]:
    """Yield the chains with their marks and verdicts as a list, then all endpoints as a table."""
    items = []
    for node in nodes:
        items.append(_item(node))
        items += [
            f"  {_item(one)}" for one in node.children if one.kind not in {"endpoint", "wanted", "fold"}
        ]
    yield "\n".join(items)
    below = [one for node in nodes for one in node.children]
    endpoints = [one.cells for one in below if one.kind in {"endpoint", "wanted"}]
    if endpoints:
        yield _table(_ENDPOINT_HEADINGS, endpoints)
    yield from (_plain(one.cells[0]) for one in below if one.kind == "fold")


def _item(node: Node) -> str:
    text, line = node.cells
    return f"- {_plain(text)}" + (f" ({_plain(line)})" if line else "")


def _outcomes(nodes: tuple[Node, ...]) -> Iterator[str]:
    """Yield a table of the outcomes, what it leaves out, and each way that is shown, to be unfolded."""
    rows = [node for node in nodes if node.kind not in _LEFT_OUT]
    yield _table(_OUTCOME_HEADINGS, [node.cells for node in rows])
    yield from (_plain(node.cells[0]) for node in nodes if node.kind in _LEFT_OUT)
    yield from (block for node in rows if node.children for block in _way(node))


def _way(outcome: Node) -> Iterator[str]:
    summary = ", ".join(cell for cell in outcome.cells[:3] if cell)
    yield f"<details>\n<summary>{_html(summary)}</summary>"
    yield _table(_STEP_HEADINGS, [_step_cells(one) for one in outcome.children])
    yield "</details>"


def _step_cells(node: Node) -> tuple[str, ...]:
    return ("", "", "", "", node.cells[0], "") if node.kind == "fold" else node.cells


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table; a column that is empty everywhere is left out."""
    used = [i for i in range(len(headings)) if any(row[i] for row in rows)]
    lines = [[headings[i] for i in used], ["---:" if headings[i] == "Share" else "---" for i in used]]
    lines += [[_cell(row[i]) for i in used] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _facts(facts: tuple[Fact, ...]) -> str:
    return "\n".join(f"- **{fact.label}:** {_plain(fact.text)}" for fact in facts)


def _notes(notes: tuple[str, ...]) -> list[str]:
    return ["\n".join(f"- note: {_plain(note)}" for note in notes)] if notes else []


# --- text ----------------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """Return one line of text for a paragraph, a heading or an item of a list."""
    return text if not text or _HARMLESS.fullmatch(text) else _code(text)


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
