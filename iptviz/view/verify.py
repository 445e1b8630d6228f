"""The rows of a comparison with the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.checks.wording import sentences
from iptviz.view.facts import Fact
from iptviz.view.labels import dump_label
from iptviz.view.numbers import counted, percent
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.questions.differences import Difference
    from iptviz.questions.verify import VerifyResult

HEADINGS = ("SERVICE", "PROTO", "DIFFERENCE", "AT", "THE API SAYS", "THE DUMP SAYS", "SHARE", "LINE")
_SHOWN = 5


class VerifyView(NamedTuple):
    """A line on the dump, a row for each difference below `HEADINGS`, facts, and notes."""

    source: str
    rows: tuple[tuple[str, ...], ...]
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]


def verify_view(result: VerifyResult, *, fold: bool = True) -> VerifyView:
    """Return the view of `result`; unfolded, with every service that is rightly ignored."""
    return VerifyView(
        dump_label(result.dump, complete=result.dump.complete),
        tuple(_row(one) for one in result.differences),
        tuple(_facts(result, fold=fold)),
        tuple(map(printable, sentences(result.notes))),
    )


def _row(one: Difference) -> tuple[str, ...]:
    share = "" if one.share is None else percent(one.share)
    line = "" if one.line is None else str(one.line)
    cells = (one.service, one.protocol, one.kind, one.at, one.expected or "-", one.found or "-", share, line)
    return tuple(map(printable, cells))


def _facts(result: VerifyResult, *, fold: bool) -> Iterator[Fact]:
    found = counted(len(result.differences), "difference") if result.differences else "they agree"
    text = f"{counted(result.compared, 'service port')} in both: {found}"
    yield Fact("Compared", text, "bad" if result.differences else "good")
    if result.ignored:
        shown = result.ignored[:_SHOWN] if fold else result.ignored
        names = [f"{service} ({reason})" for service, reason in shown]
        more = len(result.ignored) - len(shown)
        yield Fact("Ignored", printable(", ".join([*names, *([f"and {more} more"] if more else [])])))
