"""Endpoints that are made when they are asked for are like a tuple of them."""

from __future__ import annotations

from fractions import Fraction

from iptviz.kube.balance import balance_of_endpoints
from iptviz.kube.endpoint_form import AlikeEndpoints, EndpointForm, PortShares

HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)
SHARES = PortShares(((8080, HALF), (None, QUARTER), (80, QUARTER)))
MADE = AlikeEndpoints(" 10.1.0.1 fd00::2 10.1.0.3", (3, 1, 2), SHARES)
ALL = (
    EndpointForm("10.1.0.3", 8080, HALF),
    EndpointForm("10.1.0.1", None, QUARTER),
    EndpointForm("fd00::2", 80, QUARTER),
)


def test_they_are_equal_to_a_tuple_either_way_and_have_its_hash() -> None:
    assert MADE == ALL
    assert ALL == MADE
    assert hash(MADE) == hash(ALL)
    assert repr(MADE) == repr(ALL)
    assert ALL[:2] != MADE
    assert (*ALL[:2], ALL[0]) != MADE
    assert list(ALL) != MADE


def test_each_and_several_are_found_by_their_places() -> None:
    assert (len(MADE), MADE[0], MADE[-1], MADE[1:]) == (3, ALL[0], ALL[-1], ALL[1:])
    assert list(reversed(MADE)) == list(reversed(ALL))
    assert ALL[1] in MADE


def test_they_are_as_even_as_those_of_a_tuple() -> None:
    assert balance_of_endpoints(MADE) == balance_of_endpoints(ALL)
    unknown = AlikeEndpoints("10.1.0.1 10.1.0.2", (0, 1), PortShares(((80, HALF), (80, None))))
    assert balance_of_endpoints(unknown) is None
