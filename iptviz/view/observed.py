"""What the counters of a dump saw of a trace: as facts, and for each rule that chooses as text and bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import sentences
from iptviz.kube.observed import LEVEL as OBSERVED_LEVEL
from iptviz.records import NamedTuple
from iptviz.view.blocks import Fact
from iptviz.view.labels import seen_label
from iptviz.view.nodes import Bar
from iptviz.view.numbers import counted
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.kube.observed import Observation
    from iptviz.rules.form import Place
    from iptviz.view.nodes import Mood


def observed_facts(observed: tuple[Observation, ...]) -> Iterator[Fact]:
    """Yield what the counters of each balancing chain tell."""
    for seen in observed:
        text, mood = _observed(seen, several=len(observed) > 1)
        yield Fact("Observed", text, mood, "observed")


def _observed(seen: Observation, *, several: bool) -> tuple[str, Mood]:
    """Say what the counters tell, by which test, and whether chance explains it."""
    what = counted(seen.connections, "connection") + (f" by {printable(seen.chain)}" if several else "")
    if seen.problems:
        return f"{what}; cannot compare: {printable('; '.join(sentences(seen.problems)))}", "bad"
    if len(seen.seen) == 1:
        return what, ""
    if seen.p is None:
        return f"{what}: too few connections for a test (need {seen.needed:,})", ""
    test = f"chi-square p = {seen.p:.2g}, alpha = {OBSERVED_LEVEL:g}"
    if seen.verdict == "chance":
        return f"{what}: consistent with the expected shares ({test})", "good"
    return f"{what}: deviates significantly from the expected shares ({test})", "bad"


class Count(NamedTuple):
    """What the counters of a balancing rule saw: as text, and as a bar."""

    text: str
    bar: Bar | None


def counts_by_rule(observed: Iterable[Observation]) -> dict[Place, Count]:
    """Return what was seen of each balancing rule, where there is more than one to share.

    There is no bar where the counters are known to mislead, or saw nothing.
    """
    return {
        seen.via: Count(
            seen_label(seen.connections, chain.connections),
            _bar(chain, seen.connections, float(seen.expected)),
        )
        for chain in observed
        if len(chain.seen) > 1
        for seen in chain.seen
    }


def _bar(chain: Observation, connections: int, expected: float) -> Bar | None:
    if chain.problems or not chain.connections:
        return None
    return Bar(expected, connections / chain.connections, odd=chain.verdict == "more than chance")
