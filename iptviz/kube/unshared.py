"""Endpoints among which a chance chooses that the dump does not print: all of them are told as one outcome."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.engine.chance import NEVER, total
from iptviz.kube.outcome import Hop, lacking_share
from iptviz.rules.unprinted import CHANCE_LOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from iptviz.kube.outcome import Endpoint, FrontendOutcome
    from iptviz.rules.form import Place


def joined_by_chance(outcomes: Iterable[FrontendOutcome]) -> Iterator[FrontendOutcome]:
    """Yield outcomes, as one those that differ in endpoints alone, be they not shown, and by such a chance.

    The endpoints of that one, in the order of their rules, have no shares that mean anything: see `unshared`.
    """
    alike: dict[object, list[FrontendOutcome]] = {}
    for outcome in outcomes:
        alike.setdefault(_beside_chance(outcome), []).append(outcome)
    for those in alike.values():
        yield those[0] if len(those) == 1 else _joined(those)


def _beside_chance(outcome: FrontendOutcome) -> object:
    """Return what is equal for outcomes that such a chance alone tells apart; of others their conditions."""
    beside = tuple(need for need in outcome.when if need.condition.kind != CHANCE_LOST)
    if len(beside) == len(outcome.when):
        return outcome.when
    left = outcome.leftover - lacking_share(outcome)
    return outcome._replace(when=beside, endpoints=(), hops=(), lacking=(), leftover=left)


def with_all_lacking(outcome: FrontendOutcome, missing: Mapping[Place, str]) -> FrontendOutcome:
    """Return an outcome with all chains that are not shown, of which such a chance chooses one."""
    if not outcome.lacking:
        return outcome
    known, chains = {hop.chain for hop in outcome.lacking}, {hop.chain for hop in outcome.hops}
    others = (
        Hop(chain, NEVER, place)
        for place, chain in missing.items()
        if place.chain in chains and chain not in known
    )
    return outcome._replace(lacking=(*outcome.lacking, *others), unshared=True)


def _joined(outcomes: list[FrontendOutcome]) -> FrontendOutcome:
    ends: dict[Place, list[Endpoint]] = {}
    for end in (end for outcome in outcomes for end in outcome.endpoints):
        ends.setdefault(end.rule, []).append(end)
    part = Fraction(1, len(outcomes))
    joined = (own[0]._replace(share=total(end.share for end in own) * part) for own in ends.values())
    hops = {hop.chain: hop for outcome in outcomes for hop in outcome.hops}
    lacking = {hop.chain: hop for outcome in outcomes for hop in outcome.lacking}
    return outcomes[0]._replace(
        when=tuple(need for need in outcomes[0].when if need.condition.kind != CHANCE_LOST),
        endpoints=tuple(sorted(joined, key=lambda end: end.via.line)),
        leftover=total(outcome.leftover for outcome in outcomes) * part,
        hops=tuple(hops.values()),
        lacking=tuple(hop._replace(share=hop.share * part) for hop in lacking.values()),
        unshared=True,
    )
