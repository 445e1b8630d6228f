"""A single rule as an answer quotes it, by what it means."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from iptviz.errors import DumpError
from iptviz.nft.canonical import rule_key
from iptviz.nft.read import read_ruleset

if TYPE_CHECKING:
    from iptviz.nft.canonical import Key


@lru_cache(maxsize=1024)
def text_key(text: str, family: str) -> Key:
    """Return what a rule of a table of `family` means; a text that is none stands for itself.

    Counters, comments and the order of elements do not count, nor whether it is told as JSON.
    """
    is_json = text.startswith("{")
    whole = _json_with(text, family) if is_json else f"table {family} x {{\nchain x {{\n{text}\n}}\n}}\n"
    try:
        tables = read_ruleset(whole.encode("utf-8", "surrogateescape")).tables.values()
    except DumpError:
        return (text,)
    rules = [rule for table in tables for chain in table.chains.values() for rule in chain.rules]
    return rule_key(rules[0]) if len(rules) == 1 else (text,)


def _json_with(text: str, family: str) -> str:
    """Return a rule of JSON with its table and chain around it."""
    import json  # a text needs none

    try:
        rule = json.loads(text)
    except ValueError:
        return text
    place = {"family": family, "table": "x"}
    parts = [
        {"table": {"family": family, "name": "x"}},
        {"chain": {**place, "name": "x"}},
        {"rule": {**rule, **place, "chain": "x"}},
    ]
    return json.dumps({"nftables": parts})
