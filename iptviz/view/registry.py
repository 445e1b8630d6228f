"""The table of questions: what builds the view of an answer, and what there is of it for formats to write."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.view.blocks import View


def function_at(place: str) -> Callable[..., Any]:
    """Return the function at `module:name`, which is imported now."""
    module, _, name = place.partition(":")
    return cast("Callable[..., Any]", getattr(import_module(module), name))


class Question(NamedTuple):
    """A question: the function that builds its view, as `module:name`, the class of its results, what it holds.

    It holds the blocks that matter to formats: `tree`, `table`, `changes`, `picture`, `answers`; `dump` where a
    page can show a dump beside it, `page` where it has one of its own; `document` where it has one, `elements`
    where that is a list, `findings` where it tells what is wrong, and `records` where iptviz.documents.records
    makes rows of it.
    """

    builder: str
    result: str
    holds: frozenset[str]

    def view(self, result: Any, *, fold: bool) -> View:
        """Return the view of a result; `fold` shortens long lists. The builder is imported when it is needed."""
        return cast("View", function_at(self.builder)(result, fold=fold))


_OF_A_DUMP = frozenset({"dump", "document", "records"})

QUESTIONS = {
    "trace": Question("iptviz.view.trace:trace_view", "TraceResult", _OF_A_DUMP | {"tree", "picture"}),
    "packet": Question("iptviz.view.packet:packet_view", "PacketResult", _OF_A_DUMP | {"tree", "picture"}),
    "services": Question(
        "iptviz.view.services:services_view", "ServicesResult", _OF_A_DUMP | {"table", "elements"}
    ),
    "diff": Question("iptviz.view.diff:diff_view", "DiffResult", _OF_A_DUMP | {"changes"}),
    "verify": Question("iptviz.view.verify:verify_view", "VerifyResult", _OF_A_DUMP | {"table"}),
    "fleet": Question(
        "iptviz.view.fleet:fleet_view", "FleetResult", frozenset({"page", "document", "records", "table"})
    ),
    "check": Question(
        "iptviz.view.check:check_view",
        "CheckResult",
        frozenset({"dump", "document", "elements", "table", "findings"}),
    ),
    "explain": Question(
        "iptviz.view.explain:explain_view", "ExplainResult", frozenset({"table", "document"})
    ),
    "graph": Question("iptviz.view.graph:graph_view", "GraphResult", _OF_A_DUMP | {"tree", "picture"}),
    "report": Question("iptviz.view.report:report_view", "ReportResult", frozenset({"dump", "answers"})),
    "sources": Question(
        "iptviz.view.sources:sources_view", "SourcesResult", frozenset({"table", "document"})
    ),
}


def view_of(result: Any, *, fold: bool) -> View:
    """Return the view of any result, by its class."""
    question = next(row for row in QUESTIONS.values() if row.result == type(result).__name__)
    return question.view(result, fold=fold)
