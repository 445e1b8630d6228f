"""What formats for CI systems share: how bad a finding is in their words, the file it stands in, and its text."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from iptviz.view.numbers import counted
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.documents.shapes import Shape

ERROR, WARNING, NOTE = "error", "warning", "note"
LEVELS = {"critical": ERROR, "high": ERROR, "medium": WARNING, "low": WARNING, "info": NOTE}
"""Three levels for five severities. What makes `iptviz check` exit with 1 is at least a warning."""


NO_FILES = {"<stdin>", "<bytes>", "<stream>"}
"""What dumps are called that stand in no file."""


def dumps_in(document: Shape) -> list[Shape]:
    """Return the dumps of a document, the one that is asked first."""
    found: list[Shape] = document["dumps"] if "dumps" in document else [document["dump"]]
    return found


def dump_in(document: Shape, finding: Shape) -> Shape:
    """Return the dump that a finding is about."""
    number, dumps = finding.get("dump"), dumps_in(document)
    return next((dump for dump in dumps if dump.get("number") == number), dumps[0])


def path_of(dump: Shape) -> str:
    """Return the path of a dump, relative where it is below the working directory; `<stdin>` for a pipe."""
    source: str = dump["source"]
    if not os.path.isabs(source):  # noqa: PTH117 - a text: it may hold what no path can
        return source
    relative = os.path.relpath(source) if "\0" not in source else source
    return source if relative.startswith(os.pardir) else relative


def lines_of(finding: Shape) -> list[Shape]:
    """Return the evidence that stands in a line, in order."""
    return [piece for piece in finding["evidence"] if piece["line"]]


def places_of(finding: Shape) -> list[Shape]:
    """Return the evidence that stands in a line, first that of the line which the finding is about."""
    pieces, line = lines_of(finding), finding["line"]
    own = [piece for piece in pieces if piece["line"] == line] or (
        [{"line": line, "text": ""}] if line else []
    )
    return [*own, *(piece for piece in pieces if piece not in own)]


def message_of(finding: Shape) -> str:
    """Return the sentence of a finding, and whether something that the dump lacks may prove it wrong.

    The line that it begins with is not named where the evidence quotes that.
    """
    unsure = " (if the dump is complete)" if finding["certainty"] == "if-complete" else ""
    quoted = {piece["line"] for piece in finding["evidence"] if piece["text"]}
    placed = f"line {finding['line']}: " if finding["line"] in quoted else ""
    return printable(f"{finding['message'].removeprefix(placed)}{unsure}")


def details_of(finding: Shape, most: int | None = None) -> Iterator[str]:
    """Yield a line for each rule that is evidence, at most so many, how many more there are, and the advice."""
    quoted = [
        piece for piece in finding["evidence"] if piece["text"] and (piece["line"] or "source" in piece)
    ]
    shown = quoted[:most]
    yield from (printable(f"{_place_of(piece)}: {piece['text']}") for piece in shown)
    if more := len(quoted) - len(shown) + finding["evidence_left_out"] if shown else 0:
        yield f"and {more:,} more"
    yield f"Why: {finding['why']}"
    yield f"Do: {finding['advice']}"


def _place_of(piece: Shape) -> str:
    """Return the line in which evidence stands, after its file where that is not the dump."""
    line = f"line {piece['line']}" if piece["line"] else ""
    return ", ".join(filter(None, (piece.get("source", ""), line)))


def looked_at(document: Shape) -> str:
    """Return what was looked at."""
    dumps = (f"{', '.join(dump['tables'])} of {path_of(dump)}" for dump in dumps_in(document))
    ports = document["service_ports"]
    services = counted(ports, "service port") if ports else "no service (none there)"
    unseen = (
        f"; not checked, as not in the dump: {', '.join(document['unseen'])}" if document["unseen"] else ""
    )
    return printable(f"{services}; tables {'; '.join(dumps)}{unseen}")


def found_in(document: Shape) -> str:
    """Return how many findings there are, or that there is none as severe or none that is new."""
    from iptviz.view.check import nothing_text

    return counted_by(document["findings"], "severity") or nothing_text(
        document["min_severity"], document["below"], known=document["in_baseline"]
    )


def why_no_services(document: Shape) -> str:
    """Return why there are no services to look at; empty where there are."""
    return printable(" ".join(document["notes"])) if not document["service_ports"] else ""


def counted_by(findings: Iterable[Shape], field: str) -> str:
    """Return how many findings there are of each kind, in their order."""
    from collections import Counter

    counts: Counter[Any] = Counter(finding[field] for finding in findings)
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())
