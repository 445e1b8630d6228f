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
    above = _above(findings)
    first = _first_of_each(above)
    for finding in first:
        text = f"{finding.severity}: {finding.message} (iptviz explain {finding.id})"
        yield Fact("Finding", printable(text), "bad", "findings")
    told = {finding.id for finding in first}
    if others := dict.fromkeys(finding.id for finding in above if finding.id not in told):
        yield Fact("Findings", f"also {', '.join(others)}: see iptviz check", "bad", "findings")


def unfound(notes: Iterable[Item], findings: Iterable[Finding]) -> list[Item]:
    """Return the notes of an answer but for those that stand among the lines of its findings."""
    told = {(finding.id, finding.line, finding.values) for finding in _first_of_each(_above(findings))}
    return [note for note in notes if (note.id, note.line, note.values) not in told]


def _above(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings above info, the worst first."""
    above = [finding for finding in findings if finding.severity != "info"]
    if not above:
        return []
    from iptviz.checks.finding import SEVERITIES  # most answers have none

    return sorted(above, key=lambda finding: SEVERITIES.index(finding.severity))


def _first_of_each(findings: Iterable[Finding]) -> list[Finding]:
    """Return the first of each kind, of as many kinds as have a line."""
    first: dict[str, Finding] = {}
    for finding in findings:
        first.setdefault(finding.id, finding)
    return list(first.values())[:_MOST]
