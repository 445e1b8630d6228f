"""What an answer says of what checks found about it: the worst findings, each in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.view.blocks import Fact
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.checks.finding import Finding, Item

_MOST = 3


def found_facts(findings: Iterable[Finding]) -> Iterator[Fact]:
    """Yield a line for each finding above info, the worst first, and one for those that are left out."""
    above = [finding for finding in findings if finding.severity != "info"]
    if not above:
        return
    from iptviz.checks.finding import SEVERITIES

    above.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    first = {finding.id: finding for finding in reversed(above)}
    ids = list(dict.fromkeys(finding.id for finding in above))
    for what in ids[:_MOST]:
        text = f"{first[what].severity}: {first[what].message} (iptviz explain {what})"
        yield Fact("Finding", printable(text), "bad", "findings")
    if others := ids[_MOST:]:
        yield Fact("Findings", f"also {', '.join(others)}: see iptviz check", "bad", "findings")


def unfound(notes: Iterable[Item], findings: Iterable[Finding]) -> list[Item]:
    """Return the notes of an answer but for those that are findings above info, which have lines of their own."""
    told = {id(finding) for finding in findings if finding.severity != "info"}
    return [note for note in notes if id(note) not in told]
