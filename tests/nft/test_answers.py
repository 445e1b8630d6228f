"""One rule set gets one answer, whichever version of nft lists it, as text or as JSON."""

from __future__ import annotations

import pytest

from tests.nft.answers import answers
from tests.nft.told import listing
from tests.nftproxy.every import every_service
from tests.nftproxy.truth import frontends_of, target_of

TARGETS = tuple(target_of(one) for service in every_service() for one in frontends_of(service))
TARGETS_6 = ("[fd00:10:96::1]:443", "[fd00:10:96::a]:80", "[fd00:10:96::b]:80", ":30080")

PAIRS = {
    "nft 1.1.3": ("every-1.34.listing", "every-1.34.trixie.listing", TARGETS),
    "nft 1.1.7": ("every-1.37.listing", "every-1.37.sid.listing", TARGETS),
    "JSON": ("every-1.36.listing", "every-1.36.json", TARGETS),
    "JSON, IPv6": ("ipv6-1.34.listing", "ipv6-1.34.json", TARGETS_6),
}


@pytest.mark.parametrize(("one", "other", "targets"), PAIRS.values(), ids=PAIRS)
def test_every_frontend_is_answered_alike(one: str, other: str, targets: tuple[str, ...]) -> None:
    first, second = (answers(listing(name), targets) for name in (one, other))
    assert all(len(answer["services"]) == 1 for answer in first.values())
    assert first == second
