"""Findings in pseudonyms beside those of the dump itself: none is lost, and none is made up."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from iptviz.checks.finding import SEVERITIES, Withheld

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.checks.finding import Finding

_Kind = tuple[int, str, str]
"""The number of a dump, an id, a severity."""


def agreed(shown: Sequence[Finding], original: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return those of the findings in pseudonyms that the original shows, too: as many of an id, as severe.

    Of more, those count first whose evidence stands on the same lines.
    """
    places = Counter((_kind(one), _lines(one)) for one in original)
    left = Counter(map(_kind, original))
    kept = set[int]()
    for alike in (True, False):
        for at, one in enumerate(shown):
            place = _kind(one), _lines(one)
            if at not in kept and left[place[0]] and (places[place] or not alike):
                kept.add(at)
                left[place[0]] -= 1
                places[place] -= 1
    return tuple(one for at, one in enumerate(shown) if at in kept)


def withheld(shown: Iterable[Finding], original: Iterable[Finding]) -> tuple[Withheld, ...]:
    """Return what the original alone shows, the worst first: nothing of it but which, how bad and how often."""
    lost = Counter(map(_kind, original))
    lost.subtract(Counter(map(_kind, shown)))
    return tuple(sorted(_joined(lost), key=lambda one: SEVERITIES.index(one.severity)))


def _joined(lost: Counter[_Kind]) -> Iterator[Withheld]:
    """Yield what is lost, of all dumps together."""
    counts = Counter[tuple[str, str]]()
    for (_, what, severity), count in lost.items():
        counts[what, severity] += max(count, 0)
    yield from (Withheld(what, severity, count) for (what, severity), count in counts.items() if count)


def _kind(finding: Finding) -> _Kind:
    return finding.dump, finding.id, finding.severity


def _lines(finding: Finding) -> tuple[int, ...]:
    return tuple(piece.line for piece in finding.evidence)
