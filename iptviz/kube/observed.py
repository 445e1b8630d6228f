"""What a chain's counters saw against what its rules promise: is the difference chance?

nat counts a connection once, by its first packet: the packets of a balancing rule are the new connections that
it took. Pearson's chi-square test compares them with the shares. kube-proxy sets a chain's counters to zero
whenever it writes the chain anew (iptables-restore flushes it).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from iptviz.engine.chance import total
from iptviz.intake.remark import Remark, remark
from iptviz.kube.families import ENDPOINT_CHAIN
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.kube.outcome import Endpoint, FrontendOutcome
    from iptviz.rules.form import Place

LEVEL = 0.001
"""Chance alone is called something else once in a thousand times."""

LEAST_EXPECTED = 5
"""The test holds where every endpoint is expected to have at least so many connections."""

_ROUNDING = 1e-4
"""A quarter is stored a little below a quarter: that takes no connection more."""


class CountedWay(NamedTuple):
    """An endpoint's connections, by the rule `via` that leads there, and its expected share of the chain's."""

    via: Place
    connections: int
    expected: Fraction


class Observation(NamedTuple):
    """What one chain's counters tell; `p` is how likely chance is to differ so much, None where no test holds.

    `needed` is how many connections the test takes; `problems` say why the counters may mislead:
    remarks of `iptviz.checks.counters`. `unshared`: the dump does not print what share each way should get.
    """

    chain: str
    seen: tuple[CountedWay, ...]
    needed: int
    p: float | None
    problems: tuple[Remark, ...]
    unshared: bool = False

    @property
    def connections(self) -> int:
        """How many connections the chain's balancing rules took."""
        return sum(way.connections for way in self.seen)

    @property
    def verdict(self) -> str:
        """`chance`, `more than chance`, `too few` or `unknown`."""
        if self.p is None:
            return "unknown" if self.problems else "too few"
        return "chance" if self.p >= LEVEL else "more than chance"


def observe(
    outcomes: Sequence[FrontendOutcome], table: Table, since: Table | None = None
) -> list[Observation]:
    """Return what the counters of each chain tell that shares connections out; nothing where there are none.

    `since` is the same table of an older dump of the node: then what happened between the two is told.
    """
    chains: dict[str, dict[Place, Endpoint]] = {}
    unshared = {end.via.chain for outcome in outcomes if outcome.unshared for end in outcome.endpoints}
    for outcome in outcomes:
        for end in outcome.endpoints:
            chains.setdefault(end.via.chain, {}).setdefault(end.via, end)
    counted = {chain: ends for chain, ends in chains.items() if any(via.counters for via in ends)}
    return [
        _observation(chain, list(ends.values()), table, since, unshared=chain in unshared)
        for chain, ends in counted.items()
    ]


def _observation(
    chain: str, ends: list[Endpoint], table: Table, since: Table | None, *, unshared: bool
) -> Observation:
    problems: list[Remark] = [remark("shares-not-printed")] if unshared else []
    before = _counts(since, chain) if since is not None else {}
    whole = total(end.before * end.chance for end in ends)
    seen = []
    for end in ends:
        now = end.via.counters.packets if end.via.counters else 0
        earlier = before.get(end.via.text, 0)
        if now < earlier:
            problems.append(remark("counter-backwards", end.via.line, before=earlier, now=now))
        seen.append(
            CountedWay(end.via, max(now - earlier, 0), end.before * end.chance / whole if whole else whole)
        )
    if since is not None and not before:
        problems.append(remark("not-counted-before", chain=chain))
    problems += _doubts(chain, ends, table, since)
    least = min((way.expected for way in seen), default=whole)
    needed = math.ceil(float(LEAST_EXPECTED / least) - _ROUNDING) if least else 0
    connections = sum(way.connections for way in seen)
    testable = not problems and len(seen) > 1 and connections >= max(needed, 1)
    p = chi_square(seen) if testable else None
    return Observation(chain, tuple(seen), needed, p, tuple(problems), unshared)


def _counts(table: Table | None, chain: str) -> dict[str, int]:
    rules = table.rules_of(chain) if table is not None else ()
    return {rule.text: rule.counters.packets for rule in rules if rule.counters}


def _doubts(chain: str, ends: list[Endpoint], table: Table, since: Table | None) -> list[Remark]:
    """Say why counters may not count the same connections."""
    if any(end.via.counters and end.via.counters.packets_error for end in ends):
        return [remark("counters-rounded")]
    if since is not None:
        return []
    entered = sum(rule.counters.packets for rule in table.rules_to(chain) if rule.counters)
    left = sum(rule.counters.packets for rule in table.rules_of(chain) if rule.counters and _takes(rule))
    if left > entered:
        return [remark("counters-of-different-times", chain=chain, left=left, entered=entered)]
    return []


def _takes(rule: Rule) -> bool:
    return (rule.jump or "").startswith(ENDPOINT_CHAIN)


def chi_square(seen: Sequence[CountedWay]) -> float:
    """Return how likely chance alone differs at least so much from what is expected, in [0, 1]."""
    everything = sum(way.connections for way in seen)
    distance = 0.0
    for way in seen:
        mean = float(way.expected * everything)
        if not mean:
            return 0.0 if way.connections else 1.0
        distance += (way.connections - mean) ** 2 / mean
    return survival(distance, len(seen) - 1)


def survival(distance: float, freedom: int) -> float:
    """Return P(X >= distance) for a chi-square variable, by the finite sums over whole degrees of freedom."""
    if distance <= 0 or freedom <= 0:
        return 1.0
    half = distance / 2
    odd = freedom % 2
    terms = (
        math.exp((k + odd / 2) * math.log(half) - half - math.lgamma(k + odd / 2 + 1))
        for k in range((freedom - odd) // 2)
    )
    return min(math.fsum((*terms, math.erfc(math.sqrt(half)) if odd else 0.0)), 1.0)
