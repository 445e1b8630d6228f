"""The question `sources` asks: which dumps does an origin hold, and what could not be used of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from iptviz.checks import reading
from iptviz.dump.load import load_all
from iptviz.intake.remark import Remark, remark
from iptviz.questions.document import document_of
from iptviz.source.origin import DEFAULT_LIMIT, DumpLike

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.errors import DumpError
    from iptviz.grammar.parts import RuleParts


class SourcesResult(NamedTuple):
    """The dumps of an origin, numbered from 1; `problem` is what kept others from being read."""

    dumps: tuple[Dump, ...]
    problem: DumpError | None

    def to_dict(self) -> dict[str, Any]:
        """Return the document `iptviz.sources.v1`."""
        return document_of("sources", self)


def sources(origin: DumpLike, *, max_size: int = DEFAULT_LIMIT) -> SourcesResult:
    """Find the dumps in a file, a bundle (tar, zip), bytes, an open binary file, or "-" for standard input.

    Raises:
        DumpError: it cannot be read, or holds no dump.
    """
    dumps, problem = load_all(origin, max_size=max_size)
    return SourcesResult(tuple(dumps), problem)


def not_understood(dump: Dump) -> list[Remark]:
    """Return for each rule that is not understood its line and why; every rule is taken apart for it."""
    return reading.by_line(
        complaint
        for table in dump.tables.values()
        for rule in table.rules()
        for complaint in _complaints(rule.line, rule.parts)
    )


def _complaints(line: int, parts: RuleParts) -> Iterator[Remark]:
    for unknown in parts.unknown:
        yield remark("option-unknown", line, option=unknown.option.text())
    if parts.problem:
        yield remark("rule-unread", line, problem=parts.problem)
