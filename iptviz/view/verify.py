"""The view of a comparison with the API: a row for each difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.against_api import NOT_FOR_NODE
from iptviz.view.blocks import Fact, Facts, Notes, Table, View, later
from iptviz.view.labels import dump_label, note_texts
from iptviz.view.nodes import Cell, Columns, TableRow
from iptviz.view.numbers import counted, percent
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.questions.api_differences import Difference
    from iptviz.questions.verify import VerifyResult

DIFFERENCES = Columns(
    "differences",
    ("SERVICE", "PROTO", "DIFFERENCE", "AT", "API", "DUMP", "SHARE", "LINE"),
    spared=("SHARE", "AT", "PROTO"),
)
_SHOWN = 5


def verify_view(result: VerifyResult, *, fold: bool = True) -> View:
    """Return the view of `result`; unfolded, with every service that is rightly ignored."""
    differences = [difference for answer in result.answers for difference in answer.differences]
    table = Table(DIFFERENCES, tuple(TableRow(_cells(difference)) for difference in differences))
    return View(
        "Dump against API",
        dump_label(result.dump, complete=result.dump.complete),
        (
            *([table] if table.rows else []),
            Facts(later(lambda: tuple(_facts(result, fold=fold)))),
            Notes(later(lambda: note_texts(result.all_notes))),
        ),
        document=result.to_dict,
    )


def _cells(difference: Difference) -> tuple[Cell, ...]:
    share = "" if difference.share is None else percent(difference.share)
    line = "" if difference.line is None else str(difference.line)
    return (
        Cell("text", printable(difference.service)),
        Cell("text", printable(difference.protocol)),
        Cell("text", printable(difference.kind)),
        Cell("address", printable(difference.at)),
        Cell("text", printable(_expected(difference))),
        Cell("text", printable(_found(difference))),
        Cell("share", share),
        Cell("line", line),
    )


def _expected(difference: Difference) -> str:
    pod = f" (pod {difference.pod})" if difference.pod and difference.expected else ""
    return f"{difference.expected or '-'}{pod}"


def _found(difference: Difference) -> str:
    """Return what the dump has, and what the API knows of an endpoint that should not be there."""
    known = NOT_FOR_NODE.get(difference.why, "")
    if difference.pod and not difference.expected:
        known = f"now pod {difference.pod}"
    return f"{difference.found or '-'} ({known})" if known else difference.found or "-"


def _facts(result: VerifyResult, *, fold: bool) -> Iterator[Fact]:
    count = sum(len(answer.differences) for answer in result.answers)
    compared = sum(answer.compared for answer in result.answers)
    found = counted(count, "difference") if count else "no differences"
    text = f"{counted(compared, 'service port')} in both: {found}"
    yield Fact("Compared", text, "bad" if count else "good", "compared")
    if result.ignored:
        shown = result.ignored[:_SHOWN] if fold else result.ignored
        names = [f"{service} ({reason})" for service, reason in shown]
        more = len(result.ignored) - len(shown)
        listed = ", ".join([*names, *([f"and {more} more"] if more else [])])
        yield Fact("Ignored", printable(listed), kind="ignored")
