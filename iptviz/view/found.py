"""What an answer says in a line of what checks found about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.view.blocks import Fact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.checks.finding import Finding

_MOST = 6


def found_facts(findings: Iterable[Finding]) -> Iterator[Fact]:
    """Yield a line that names findings above info, the worst first; nothing without any."""
    from iptviz.checks.finding import SEVERITIES

    above = sorted(
        (finding for finding in findings if finding.severity != "info"),
        key=lambda finding: SEVERITIES.index(finding.severity),
    )
    named = list(dict.fromkeys(f"{finding.id} ({finding.severity})" for finding in above))
    if named:
        more = f" and {len(named) - _MOST} more" if len(named) > _MOST else ""
        text = f"{', '.join(named[:_MOST])}{more} (details: iptviz explain ID)"
        yield Fact("Findings", text, "bad", "findings")
