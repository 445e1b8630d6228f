"""Which dumps an origin holds, and what could not be used of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from iptviz.dump.load import load_all
from iptviz.intake.remark import Remark
from iptviz.source.origin import DEFAULT_LIMIT, DumpLike

if TYPE_CHECKING:
    from iptviz.dump.model import Dump
    from iptviz.errors import DumpError
    from iptviz.grammar.parts import RuleParts


class SourcesResult(NamedTuple):
    """The dumps of an origin, numbered from 1; `problem` is what kept others from being read."""

    dumps: tuple[Dump, ...]
    problem: DumpError | None

    def to_dict(self) -> dict[str, Any]:
        """Return the document `iptviz.sources.v1`."""
        from iptviz.documents.sources_v1 import sources_document

        return sources_document(self)


def sources(origin: DumpLike, *, max_size: int = DEFAULT_LIMIT) -> SourcesResult:
    """Find the dumps in a file, a bundle (tar, zip), bytes, an open binary file, or "-" for standard input.

    Raises:
        DumpError: it cannot be read, or holds no dump.
    """
    dumps, problem = load_all(origin, max_size=max_size)
    return SourcesResult(tuple(dumps), problem)


def not_understood(dump: Dump) -> list[Remark]:
    """Return for each rule that is not understood its line and why; every rule is taken apart for it."""
    return sorted(
        Remark(rule.line, what)
        for table in dump.tables.values()
        for rule in table.rules()
        for what in _complaints(rule.parts)
    )


def _complaints(parts: RuleParts) -> list[str]:
    unknown = [f"{one.option.text()} is not known" for one in parts.unknown]
    return [*unknown, *([parts.problem] if parts.problem else [])]
