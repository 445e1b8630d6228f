"""Rules that were read from JSON are told as nft lists them in a text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from iptviz.nft.read import read_ruleset
from iptviz.rules.native.rule_words import duration, element_words, rule_words

LISTINGS = Path(__file__).parent / "listings"


@pytest.mark.parametrize("name", ["every-1.36", "ipv6-1.34"])
def test_a_rule_of_json_is_told_as_nft_lists_it(name: str) -> None:
    of_json, of_text = (
        read_ruleset((LISTINGS / f"{name}.{form}").read_bytes(), form) for form in ("json", "listing")
    )
    for key, table in of_json.tables.items():
        other = of_text.tables[key]
        for chain in table.chains.values():
            listed = [re.sub(r"\s+", " ", rule.text) for rule in other.chains[chain.name].rules]
            assert [rule_words(rule) for rule in chain.rules] == listed


def test_what_is_not_known_to_be_written_stays_as_it_is() -> None:
    text = b'{"nftables": [{"table": {"family": "ip", "name": "t"}}, {"chain": {"family": "ip", "table": "t", "name": "c"}}, {"rule": {"family": "ip", "table": "t", "chain": "c", "expr": [{"log": {"prefix": "x"}}, {"accept": null}]}}]}'
    (rule,) = read_ruleset(text, "json").tables["ip", "t"].chains["c"].rules
    assert rule_words(rule) == rule.text


def test_elements_are_told_with_what_is_said_of_them() -> None:
    of_text = read_ruleset((Path("fixtures/nftables/pinned.nft")).read_bytes(), "pinned.nft")
    sets = of_text.tables["ip", "kube-proxy"].sets
    pinned = sets["affinity-WIP6ZN7R-shop/sticky/udp/http__10.244.1.11/8080"]
    assert [element_words(one) for one in pinned.elements] == [
        "10.0.0.9 expires 2h9m59s968ms", "10.244.0.9 expires 2h59m54s968ms",
    ]  # fmt: skip
    first, *_ = sets["no-endpoint-services"].elements
    assert element_words(first) == '10.96.20.8 . udp . 80 comment "shop/empty:http" : goto reject-chain'


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(0, "0s"), (10_800_000, "3h"), (90_061_001, "1d1h1m1s1ms"), (500, "500ms")]
)
def test_times_are_written_as_nft_does(milliseconds: int, text: str) -> None:
    assert duration(milliseconds) == text
