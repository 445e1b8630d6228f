"""The question `sources` asks: what do files and bundles hold of nodes, and what could not be used of it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from iptviz.checks import reading
from iptviz.intake.remark import Remark, remark
from iptviz.node.load import find_in, nothing_in
from iptviz.progress import nobody
from iptviz.questions.document import document_of
from iptviz.records import NamedTuple
from iptviz.source.origin import DEFAULT_LIMIT, DumpLike

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iptviz.dump.model import Dump
    from iptviz.errors import DumpError
    from iptviz.grammar.parts import RuleParts
    from iptviz.node.evidence import Evidence
    from iptviz.node.load import FoundIn
    from iptviz.progress import Progress


class SourcesResult(NamedTuple):
    """The dumps, numbered from 1, and evidence of other kinds; `problems` kept others from being read.

    `nodes` has the name by which `--node` chooses the node of a dump, by the dump's number.
    """

    dumps: tuple[Dump, ...]
    evidence: tuple[Evidence, ...]
    problems: tuple[DumpError, ...]
    nodes: Mapping[int, str | None] = MappingProxyType({})

    def to_dict(self) -> dict[str, Any]:
        """Return the document `iptviz.sources.v1`."""
        return document_of("sources", self)


def sources(
    *origins: DumpLike,
    max_size: int = DEFAULT_LIMIT,
    side: str | None = None,
    progress: Progress = nobody,
) -> SourcesResult:
    """Find what is of a node in files, bundles (tar, zip, a folder), bytes, open files; "-" is standard input.

    Of a diff, `side` (`new` or `old`) is read, the new one unless told. `progress` is told how much is read.

    Raises:
        DumpError: one of them cannot be read, or there is nothing of a node.
    """
    found = find_in(*origins, max_size=max_size, side=side, progress=progress)
    if not found.dumps and not found.evidence:
        raise nothing_in(found)
    return SourcesResult(found.dumps, found.evidence, found.problems, _nodes(found))


def _nodes(found: FoundIn) -> dict[int, str | None]:
    if len(found.dumps) == 1:
        return {}
    from iptviz.node.gather import by_node  # what one dump does not need

    groups = by_node(found.dumps, found.evidence)
    return {dump.number: group.name for group in groups for dump in group.dumps}


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
