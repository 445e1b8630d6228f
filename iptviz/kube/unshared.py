"""Endpoints among which a chance chooses that the dump does not print: all of them are told as one outcome."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.engine.chance import total
from iptviz.rules.unprinted import CHANCE_LOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.rule import Rule
    from iptviz.kube.outcome import Endpoint, FrontendOutcome


def joined_by_chance(outcomes: Iterable[FrontendOutcome]) -> Iterator[FrontendOutcome]:
    """Yield outcomes, as one those that differ in endpoints alone, and by such a chance.

    The endpoints of that one, in the order of their rules, have no shares that mean anything: see `unshared`.
    """
    alike: dict[object, list[FrontendOutcome]] = {}
    for outcome in outcomes:
        beside = tuple(need for need in outcome.when if need.condition.kind != CHANCE_LOST)
        key = (*outcome._replace(when=beside, endpoints=(), hops=()), bool(outcome.endpoints))
        alike.setdefault(key if len(beside) < len(outcome.when) else outcome.when, []).append(outcome)
    for those in alike.values():
        yield those[0] if len(those) == 1 else _joined(those)


def _joined(outcomes: list[FrontendOutcome]) -> FrontendOutcome:
    ends: dict[Rule, list[Endpoint]] = {}
    for end in (end for outcome in outcomes for end in outcome.endpoints):
        ends.setdefault(end.rule, []).append(end)
    part = Fraction(1, len(outcomes))
    joined = (own[0]._replace(share=total(end.share for end in own) * part) for own in ends.values())
    hops = {hop.chain: hop for outcome in outcomes for hop in outcome.hops}
    return outcomes[0]._replace(
        when=tuple(need for need in outcomes[0].when if need.condition.kind != CHANCE_LOST),
        endpoints=tuple(sorted(joined, key=lambda end: end.via.line)),
        hops=tuple(hops.values()),
        unshared=True,
    )
