"""The view of a report: where its dump comes from, what was found, the answers, all services, and all chains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.questions.report import ReportResult, report_of
from iptviz.questions.services import ServicesResult, services
from iptviz.view.blocks import Answers, ChainBrowser, Fact, Facts, File, Heading, Listing, Notes, View, later
from iptviz.view.chain_browser import browsed, chosen_chains
from iptviz.view.labels import note_texts
from iptviz.view.numbers import counted
from iptviz.view.registry import view_of
from iptviz.view.services import services_table, services_view
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.node.snapshot import Snapshot

    Chains = tuple[dict[str, dict[str, Any]], str]


def page_view(result: Any, *, fold: bool = True) -> View:
    """Return the view of any answer about a dump: that of a report on the dump, which holds this answer alone."""
    if isinstance(result, ServicesResult):
        result = report_of(result, ())
    elif not isinstance(result, ReportResult):
        result = report_of(services(node_of(result)), (result,))
    return report_view(result, fold=fold)


def report_view(result: ReportResult, *, fold: bool = True) -> View:
    """Return the view of `result`; `fold` shortens long lists."""
    title = f"iptviz report: {printable(result.dump.source)}"
    answers = tuple(view_of(answer, fold=fold) for answer in result.answers)
    listing = Listing(services_view(result.services, fold=fold), services_table(result.services, fold=True))
    return View(
        title,
        "",
        (
            Heading(title, level=1),
            Facts(later(lambda: tuple(_head(result)))),
            Notes(note_texts([note for answer in result.services.answers for note in answer.notes])),
            Answers(_asked(result), answers),
            listing,
            ChainBrowser(later(lambda: _chains(result.dump, answers))),
            *_files(result),
        ),
    )


def node_of(result: Any) -> Snapshot | Dump:
    """Return the node that an answer is about, else the dump."""
    node: Snapshot | Dump = result.snapshot or result.dump
    return node


def _files(result: ReportResult) -> Iterator[File]:
    """Yield what the dumps were read from, each once."""
    texts = dict.fromkeys(map(bytes, result.dumps))
    for number, text in enumerate(texts, 1):
        yield File(f"dump-{number}.rules" if len(texts) > 1 else "dump.rules", lambda text=text: text)  # type: ignore[misc]


def _chains(dump: Dump, answers: tuple[View, ...]) -> Chains:
    chosen, left_out = chosen_chains(dump, {place for answer in answers for place in answer.met()})
    chains = {table.name: browsed(table, chosen.get(table.name)) for table in dump.tables.values()}
    return chains, left_out


def _head(result: ReportResult) -> Iterator[Fact]:
    for dump, digest in zip(result.dumps, result.digests, strict=True):
        yield from _about(dump, digest)
    missing = "connections that exist, whether endpoints answer, routes, addresses, ipsets, recent lists"
    yield Fact("In no dump", missing)


def _about(dump: Dump, digest: str) -> Iterator[Fact]:
    tables = ", ".join(f"{name} ({table.rule_count:,})" for name, table in dump.tables.items())
    yield Fact("Source", printable(dump.source))
    yield Fact("SHA-256", digest)
    yield Fact("Written by", printable(dump.tool or "not said: there is no header"))
    yield Fact("Saved", printable(dump.time or "not said"))
    yield Fact("Family", dump.family)
    yield Fact("Tables", printable(tables) + " rules")
    yield Fact("Complete", "yes") if dump.complete else Fact("Complete", "NO: see the notes", "bad")


def _asked(result: ReportResult) -> str:
    if not result.odd:
        return "What was asked for" if result.answers else "No service was asked for"
    if not result.services.services:
        return "No service is in this dump" + ("" if result.dump.complete else ", which lacks lines")
    if not result.answers:
        return "No service looks odd"
    more = f" (and {result.left_out:,} more, see the list)" if result.left_out else ""
    return f"Looking odd: {counted(len(result.answers), 'service port')}{more}"
