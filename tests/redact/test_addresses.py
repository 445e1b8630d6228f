"""Pseudonyms of addresses: shared bits stay shared, ranges stay ranges, and what everybody has stays as it is."""

from __future__ import annotations

import hmac
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iptviz.redact.secrets import Secrets

KEY = bytes(range(32))


def differing(one: int, other: int) -> int:
    return (one ^ other).bit_length()


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.binary(min_size=32, max_size=32))
@settings(max_examples=300)
def test_two_addresses_share_as_many_bits_as_before(one: Any, other: Any, key: bytes) -> None:
    addresses = Secrets(key).addresses
    mapped = [int(ip_address(addresses.of(str(address)))) for address in (one, other)]
    assert differing(*mapped) == differing(int(one), int(other))
    for before, after in zip((one, other), map(ip_address, mapped), strict=True):
        assert (before.is_loopback, before.is_multicast, before.is_link_local) == (
            after.is_loopback, after.is_multicast, after.is_link_local,
        )  # fmt: skip
        if before.is_loopback or before.is_multicast or before.is_link_local or int(before) == 2**32 - 1:
            assert before == after


@given(st.ip_addresses(v=6), st.ip_addresses(v=6))
@settings(max_examples=200)
def test_the_same_holds_for_ipv6(one: Any, other: Any) -> None:
    addresses = Secrets(KEY).addresses
    mapped = [int(ip_address(addresses.of(str(address)))) for address in (one, other)]
    assert differing(*mapped) == differing(int(one), int(other))


@pytest.mark.parametrize("block", ["::", "::ffff:", "64:ff9b::"])
def test_an_ipv4_address_in_an_ipv6_one_has_the_pseudonym_that_it_has_alone(block: str) -> None:
    addresses = Secrets(KEY).addresses
    alone = addresses.of("203.0.113.7")
    assert addresses.in_text(f"{block}203.0.113.7/128, {block}cb00:7107") == (
        f"{block}{alone}/128, {addresses.of(f'{block}cb00:7107')}"
    )
    assert addresses.in_text(f"{block}0.0.0.0/96") == f"{block}0.0.0.0/96"


@pytest.mark.parametrize("text", ["::/0", "::1/128", "::/96", "::ffff:0:0/96", "64:ff9b::/96", "0.0.0.0/0"])
def test_what_everybody_has_stays(text: str) -> None:
    assert Secrets(KEY).addresses.in_text(text) == text


def test_an_address_of_both_spellings_is_one_address() -> None:
    addresses = Secrets(KEY).addresses
    dotted = addresses.of("2001:db8:1:2:3:4:203.0.113.7")
    assert dotted.count(".") == 3
    assert ip_address(dotted) == ip_address(addresses.of("2001:db8:1:2:3:4:cb00:7107"))


FIXED = "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"
KEPT = *FIXED, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"
ADDRESS = st.sampled_from((*KEPT, "10.128.1.0/24", "10.128.0.0/15", "203.0.113.0/29", "0.0.0.0/0")).flatmap(
    lambda block: st.ip_addresses(network=block)
)


def defined(key: bytes, address: Any) -> str:
    """Return what an address has become since the first map was written: bit after bit, by the bits before it."""
    if any(address in ip_network(block) for block in FIXED):
        return str(address)
    above = {
        (depth, int(block.network_address) >> 32 - depth)
        for block in map(ip_network, KEPT)
        for depth in range(block.prefixlen)
    }
    mapped = number = int(address)
    for depth in range(32):
        before = number >> 32 - depth
        digest = hmac.digest(key, f"4/{depth}/{before:x}".encode(), "sha256")
        if (depth, before) not in above:
            mapped ^= (digest[7] & 1) << 31 - depth
    return str(ip_address(mapped))


@given(st.lists(ADDRESS, min_size=1, max_size=30), st.binary(min_size=32, max_size=32))
def test_an_address_becomes_what_it_became_in_maps_of_earlier_releases(drawn: list[Any], key: bytes) -> None:
    addresses = Secrets(key).addresses
    assert [addresses.of(str(one)) for one in drawn] == [defined(key, one) for one in drawn]


def number(address: str) -> int:
    return int(ip_address(address))


@given(st.data(), st.sampled_from([4, 6]), st.binary(min_size=32, max_size=32))
@settings(max_examples=300)
def test_an_address_is_in_a_range_where_it_was(data: Any, version: int, key: bytes) -> None:
    block = number("203.0.113.0" if version == 4 else "2001:db8::")
    first, last = sorted(data.draw(st.tuples(*[st.integers(block, block + 0xFFF)] * 2)))
    one = data.draw(st.integers(max(block, first - 9), last + 9))
    kind = type(ip_address(block))
    addresses = Secrets(key).addresses
    addresses.keep_order(str(kind(first)), str(kind(last)))
    start, end = map(number, addresses.in_text(f"{kind(first)}-{kind(last)}").split("-"))
    assert (start <= number(addresses.of(str(kind(one)))) <= end) == (first <= one <= last)
    assert end - start == last - first


@given(st.binary(min_size=1, max_size=64), st.binary(max_size=40))
def test_the_keyed_function_is_hmac(key: bytes, data: bytes) -> None:
    assert Secrets(key)._digest(data) == hmac.digest(key, data, "sha256")
