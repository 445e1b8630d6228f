"""Shares of endpoints, compared as what they mean: however many digits they were printed with."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from iptviz.kube.balance import OLD_DIGITS, balance_of_endpoints
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from iptviz.compare.ports.form import EndpointForm

Endpoints = dict[str, "EndpointForm"]
"""Endpoints by how people write them, each once, in the order of the rules."""

_HALF_A_DIGIT: float = 0.5 / 10**OLD_DIGITS
"""By so much at most a probability that an old kube-proxy printed differs from what was meant."""
_NOTHING = 1e-12


def by_text(endpoints: Iterable[EndpointForm]) -> Endpoints:
    """Return endpoints by their text; one that several rules lead to gets what all of them give it."""
    found: Endpoints = {}
    for end in endpoints:
        text = join_endpoint(end.address, end.port)
        known = found.get(text)
        found[text] = end if known is None else end._replace(share=_sum(known.share, end.share))
    return found


def _sum(one: Fraction | None, other: Fraction | None) -> Fraction | None:
    return None if one is None or other is None else one + other


def are_told(endpoints: Endpoints) -> bool:
    """Whether the share of each endpoint is told."""
    return all(end.share is not None for end in endpoints.values())


def are_even(endpoints: Endpoints) -> bool:
    """Whether endpoints share all connections as evenly as kube-proxy's rounding allows, or there are none."""
    balance = balance_of_endpoints(list(endpoints.values()))
    return not endpoints if balance is None else balance.even


def evened(endpoints: Collection[EndpointForm]) -> tuple[EndpointForm, ...]:
    """Return the same endpoints with equal shares."""
    share = Fraction(1, len(endpoints) or 1)
    return tuple(end._replace(share=share) for end in endpoints)


def differing(old: Endpoints, new: Endpoints, *, even: bool) -> Iterator[tuple[EndpointForm, EndpointForm]]:
    """Yield endpoints of both, as either has it, that get other shares; all shares are told.

    `even`: both share evenly. Other shares differ where five decimals do not explain it.
    """
    if even and len(old) == len(new):
        return
    slack = {} if even else _larger(_slack(old), _slack(new))
    for text, end in new.items():
        before = old.get(text)
        if before is not None and differ(before.share, end.share, slack.get(text, 0)):
            yield before, end


def differ(one: Fraction | None, other: Fraction | None, slack: float) -> bool:
    """Whether two shares differ by more than `slack`; one that is not told does not."""
    if one is None or other is None or one == other:
        return False
    return not one or not other or abs(float(one) - float(other)) > slack


def slack_of(*lists: Iterable[EndpointForm]) -> float:
    """Return by how much sums of shares may differ because of five decimals, whichever list they are of."""
    return max(sum(_slack(by_text(endpoints)).values()) for endpoints in lists) + _HALF_A_DIGIT


def _larger(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {text: max(one[text], other[text]) for text in one.keys() & other.keys()}


def _slack(endpoints: Endpoints) -> dict[str, float]:
    """Return by how much each share may differ because probabilities were printed with five decimals.

    An endpoint's share is its own rule's chance of what the rules above leave: p(k) (1 - p(1)) (1 - p(2)) ...
    """
    left, above, found = 1.0, 0.0, {}
    lefts = [left]
    shares = [float(share) for share in _shares(endpoints.values())]
    for share in shares:
        left = max(left - share, 0.0)
        lefts.append(left)
    for text, share, (before, after) in zip(endpoints, shares, pairwise(lefts), strict=False):
        found[text] = _HALF_A_DIGIT * (before + share * above) + _NOTHING
        above += before / after if after > _NOTHING else 0.0
    return found


def _shares(endpoints: Iterable[EndpointForm]) -> Iterator[Fraction]:
    return (end.share for end in endpoints if end.share is not None)
