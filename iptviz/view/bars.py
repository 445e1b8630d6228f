"""Bars: what an endpoint is expected to get, and beside it what the counters saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.view.labels import seen_label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.dump.rule import Rule
    from iptviz.kube.observed import Observation


class Bar(NamedTuple):
    """The share that is expected and the one that was observed, both in [0, 1]; `odd` if not by chance alone.

    `observed` is None where no counters tell.
    """

    expected: float
    observed: float | None = None
    odd: bool = False

    @property
    def longer(self) -> float:
        """The larger of the two shares."""
        return max(self.expected, self.observed or 0.0)


class Seen(NamedTuple):
    """What the counters of a balancing rule saw: as text, and as a bar."""

    text: str
    bar: Bar | None


def seen_by(observed: Iterable[Observation]) -> dict[Rule, Seen]:
    """Return what was seen of each balancing rule, where there is more than one to share.

    There is no bar where the counters are known to mislead, or saw nothing.
    """
    return {
        seen.via: Seen(
            seen_label(seen.connections, one.connections), _bar(one, seen.connections, float(seen.expected))
        )
        for one in observed
        if len(one.seen) > 1
        for seen in one.seen
    }


def _bar(one: Observation, connections: int, expected: float) -> Bar | None:
    if one.problems or not one.connections:
        return None
    return Bar(expected, connections / one.connections, odd=one.verdict == "more than chance")
