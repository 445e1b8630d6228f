"""Minor releases of Kubernetes 1.x, as sets and as people write them."""

from __future__ import annotations

OLDEST, NEWEST = 1, 99
"""The first release, and what stands for all that are yet to come."""

Releases = frozenset[int]
"""Minor releases: 24 is Kubernetes 1.24."""


def releases(*spans: tuple[int, int]) -> Releases:
    """Return the releases from the first to the last of each span."""
    return frozenset(minor for first, last in spans for minor in range(first, last + 1))


def since(minor: int) -> Releases:
    """Return a release and all later ones."""
    return releases((minor, NEWEST))


def until(minor: int) -> Releases:
    """Return a release and all earlier ones."""
    return releases((OLDEST, minor))


def spans_text(minors: Releases) -> str:
    """Return releases as documents have them: `1.12 to 1.17`, `1.8 to 1.11 or 1.18`, `1.25 or later`."""
    spans: list[list[int]] = []
    for minor in sorted(minors):
        if spans and spans[-1][1] == minor - 1:
            spans[-1][1] = minor
        else:
            spans.append([minor, minor])
    return " or ".join(_span_text(*span) for span in spans)


def _span_text(first: int, last: int) -> str:
    if last == NEWEST:
        return f"1.{first} or later"
    if first == OLDEST and last != OLDEST:
        return f"1.{last} or earlier"
    return f"1.{first}" if first == last else f"1.{first} to 1.{last}"
