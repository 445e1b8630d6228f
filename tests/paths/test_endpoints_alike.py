"""Endpoints are told apart by blocks of addresses where no rule divides one: the same as one by one."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from hypothesis import given
from hypothesis import strategies as st

from iptviz.kube.endpoint_form import EndpointForm
from iptviz.paths.endpoints_alike import EndpointsAlike
from iptviz.xtables.address import Network, parse_network

if TYPE_CHECKING:
    from iptviz.paths.alike import Alike

ADDRESSES = (
    *(f"10.1.{third}.{last}" for third in (2, 3) for last in (0, 1, 15, 16, 17, 31, 32, 254, 255)), "10.1.02.1", "10.1.2.01", "10.1.2",
    "10.1.2.256", "1.10.1.2.3", "fd00::1", "fd00::10.1.2.3", "::ffff:10.1.2.3", "", "x.1", "11.1.2.3",
)  # fmt: skip
FIRST = 0x0A010200


class Cuts:
    """What tells addresses apart: each of some numbers and what comes before it."""

    def __init__(self, cuts: list[int]) -> None:
        self._cuts = sorted(cuts)

    def endpoint(self, address: Network) -> int:
        return bisect_right(self._cuts, address.value)

    def is_one(self, first: Network, last: Network) -> bool:
        return self.endpoint(first) == self.endpoint(last)

    def port(self, port: int | None) -> int:
        return bisect_right([8000, 8001], port or 0)


@given(
    st.lists(st.integers(FIRST - 2, FIRST + 513), max_size=3),
    st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=6),
)
def test_addresses_of_a_block_are_alike_only_if_each_is(cuts: list[int], addresses: list[str]) -> None:
    alike = Cuts(cuts)
    form = EndpointsAlike(cast("Alike", alike)).form(
        tuple(EndpointForm(address, 80, Fraction(1)) for address in addresses)
    )
    places = [alike.endpoint(one) if one else None for one in map(parse_network, addresses)]
    assert (form is None) == (None in places)
    if form is not None:
        assert cast("tuple[object, ...]", form.key)[1] == tuple(places)
        assert form.addresses == tuple(addresses)
        assert form.distinct == tuple(dict.fromkeys(addresses))


def company_of(*ends: str) -> object:
    parts = [end.split(":") for end in ends]
    form = EndpointsAlike(cast("Alike", Cuts([FIRST]))).form(
        tuple(EndpointForm(address, int(port), Fraction(1, len(ends))) for address, port in parts)
    )
    assert form is not None
    return form.company


def test_of_a_kind_one_alone_is_told_from_several_and_no_more() -> None:
    below, above = "10.1.1.{}:{}", "10.1.3.{}:{}"
    several = company_of(*(below.format(last, 80) for last in (1, 2)), above.format(1, 80))
    assert several == company_of(above.format(9, 81), *(below.format(last, 7999) for last in (3, 4, 5)))
    assert several != company_of(below.format(1, 80), above.format(1, 80))
    assert several != company_of(*(below.format(last, 8000) for last in (1, 2)), above.format(1, 80))
    assert company_of(below.format(1, 80), below.format(1, 81)) is None
