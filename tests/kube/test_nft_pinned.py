"""Clients that stay with an endpoint in nftables mode, as the sets of a kernel's listing have them."""

from __future__ import annotations

import pytest

import iptviz
from iptviz.paths.model import ACCEPT

PINNED = "fixtures/nftables/pinned.nft"
FIRST, SECOND, THIRD = "10.244.0.11", "10.244.1.11", "10.244.2.11"


def test_who_stays_where_is_told_with_how_long() -> None:
    (found,) = iptviz.trace(iptviz.load_node(PINNED), "10.96.20.9").pinned
    assert [(one.client, one.endpoint, one.expires, one.rule.line) for one in found] == [
        ("10.0.0.7", f"{FIRST}:8080", 299_996, 41),
        ("10.0.0.9", f"{SECOND}:8080", 7_799_968, 49),
        ("10.244.0.9", f"{SECOND}:8080", 10_794_968, 49),
    ]


@pytest.mark.parametrize(
    ("client", "ends"),
    [
        ("10.0.0.9", {SECOND}),
        ("10.0.0.7", {FIRST}),
        ("10.244.0.9", {SECOND}),
        ("10.0.0.8", {FIRST, SECOND, THIRD}),
        ("outside", {FIRST, SECOND, THIRD}),
        ("pod", {FIRST, SECOND, THIRD}),
    ],
)
def test_a_client_that_stays_is_answered_by_the_set(client: str, ends: set[str]) -> None:
    result = iptviz.trace(iptviz.load_node(PINNED), "10.96.20.9", client=client)
    rows = [row for paths in result.paths for one in paths.entries for row in one.endpoints]
    assert {row.address for row in rows if row.share and row.outcome == ACCEPT} == ends


def test_no_more_than_affinity_is_told_where_nobody_stays() -> None:
    result = iptviz.trace(iptviz.load_node("fixtures/nftables/every-1.36.nft"), "shop/sticky")
    assert not any(result.pinned)
    assert [service["pinned"] for service in result.to_dict()["services"]] == [[], []]
    (other, *_) = iptviz.trace(iptviz.load_node(PINNED), "shop/web").to_dict()["services"]
    assert "pinned" not in other
