"""What endpoints get of a chain's connections, and how evenly."""

from __future__ import annotations

from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, cascade, trimmed, walked_cascade
from iptviz.engine.matching import raw_chance
from iptviz.kube.endpoint_form import shares_of
from iptviz.kube.families import ENDPOINT_CHAIN, MARK_MASQUERADE
from iptviz.records import NamedTuple
from iptviz.rules.iptables import compiled
from iptviz.rules.reading.chances import random_chance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iptviz.dump.rule import Rule
    from iptviz.kube.endpoint_form import EndpointForm, PortShares

OLD_DIGITS, NEW_DIGITS = 5, 10
"""With so many decimals kube-proxy hands 1/n to iptables: five up to 1.16, ten since 1.17 (probability)."""

# Exact up to 16 endpoints; for judging thousands, numbers of 150,000 bits would only be slow.
_ENOUGH_BITS = 512
_SLACK = Fraction(1, 1 << 256)
_FEW = 64


class Balance(NamedTuple):
    """`deviation` is the largest distance of a share from 1/n, `allowed` what kube-proxy's own rounding brings.

    That is what ten digits bring, or where those do not explain the deviation, what five do.

    `rounded` says that the deviation is what five-digit probabilities bring, no more and no less.
    """

    endpoints: int
    least: Fraction
    most: Fraction
    deviation: Fraction
    allowed: Fraction
    rounded: bool

    @property
    def even(self) -> bool:
        """Whether nobody gets more or less than rounding explains."""
        return self.deviation <= self.allowed


def balance_of(shares: Sequence[Fraction]) -> Balance | None:
    """Return how even `shares` (each in [0, 1]) are, or None without any."""
    if len(shares) > _FEW:
        return balance_between(len(shares), min(shares), max(shares))
    return _balance_of_few(tuple(shares)) if shares else None


def balance_of_endpoints(endpoints: Sequence[EndpointForm]) -> Balance | None:
    """Return how even the shares of endpoints are; None without any, and where one's is not told."""
    return _balance_where_told(shares_of(endpoints))


@lru_cache(maxsize=256)
def _balance_where_told(of_ports: PortShares) -> Balance | None:
    shares = [share for _, share in of_ports if share is not None]
    return balance_of(shares) if len(shares) == len(of_ports) else None


def is_uneven(endpoints: Sequence[EndpointForm], leftover: Fraction | None) -> bool:
    """Whether they share less evenly than kube-proxy's rounding explains, or get not all connections."""
    explained = _is_explained(shares_of(endpoints))
    return explained is not None and (bool(leftover) or not explained)


@lru_cache(maxsize=256)
def _is_explained(of_ports: PortShares) -> bool | None:
    """Return whether rounding explains how shares differ, None where that is not told."""
    balance = _balance_where_told(of_ports)
    return None if balance is None else balance.even or balance.rounded


@lru_cache(maxsize=256)
def _balance_of_few(shares: tuple[Fraction, ...]) -> Balance:
    """Return how even the shares of a few endpoints are; most services have as many as others."""
    return balance_between(len(shares), min(shares), max(shares))


def balance_between(endpoints: int, least: Fraction, most: Fraction) -> Balance:
    """Return how even the shares of so many endpoints are, of which these are the least and the greatest."""
    return _balance(endpoints, trimmed(least, _ENOUGH_BITS), trimmed(most, _ENOUGH_BITS))


@lru_cache(maxsize=256)
def _balance(endpoints: int, least: Fraction, most: Fraction) -> Balance:
    """Return how even short shares are; of ten thousand services most share alike."""
    deviation = _deviation(endpoints, least, most)
    new = _rounding(endpoints, NEW_DIGITS)
    # Only what ten digits do not explain is worth going through all endpoints once more.
    allowed = new if deviation <= new else max(new, _rounding(endpoints, OLD_DIGITS))
    return Balance(
        endpoints=endpoints,
        least=least,
        most=most,
        deviation=deviation,
        allowed=allowed,
        rounded=new < deviation <= allowed,
    )


@cache
def _rounding(endpoints: int, digits: int) -> Fraction:
    """Return the deviation that kube-proxy's own rounding brings."""
    shares = kube_proxy_shares(endpoints, digits, bits=_ENOUGH_BITS)
    return _deviation(endpoints, min(shares), max(shares)) + _SLACK


def _deviation(endpoints: int, least: Fraction, most: Fraction) -> Fraction:
    """Return the largest distance from a fair share."""
    fair = Fraction(1, endpoints)
    return max(most - fair, fair - least)


def kube_proxy_shares(endpoints: int, digits: int, *, bits: int | None = None) -> list[Fraction]:
    """Return the shares of a healthy chain whose probabilities were written with `digits` decimals.

    They are exact, or with `bits` what is left over is rounded to that many after each endpoint.
    """
    chances = [random_chance(f"{1 / remaining:.{digits}f}") for remaining in range(endpoints, 1, -1)]
    return cascade([*chances, CERTAIN], bits)[0]


def endpoint_shares(rules: Iterable[Rule]) -> dict[Rule, Fraction]:
    """Return what each rule of a chain sends to an endpoint: a share in [0, 1] of the new clients that enter it.

    Below a rule that may take some of them under a condition there are none.
    """
    chances: dict[Rule, Fraction] = {}
    for rule in rules:
        leads = (rule.jump or "").startswith(ENDPOINT_CHAIN)
        if leads and _by_chance_alone(rule):
            chances[rule] = raw_chance(compiled(rule))
        elif not _lets_pass(rule, leads=leads):
            break
    return dict(zip(chances, walked_cascade(chances.values())[0], strict=True))


def _by_chance_alone(rule: Rule) -> bool:
    parts = rule.parts
    matches = {match.name for match in parts.matches}
    return not (parts.basics or parts.unknown or parts.problem or matches - {"comment", "statistic"})


def _lets_pass(rule: Rule, *, leads: bool) -> bool:
    """Whether all of the new clients' connections go on behind a rule, which leads to an endpoint or not."""
    remembered = leads and any(match.name == "recent" for match in rule.matches)
    return rule.target is None or rule.jump == MARK_MASQUERADE or remembered
