"""One rule set is one model, whichever version of nft lists it, as text or as JSON."""

from __future__ import annotations

import pytest

from iptviz.nft.statements import Unread, Xt
from tests.nft.told import LISTINGS, listing, ruleset_of, told

JSON_LACKS_DYNAMIC = {("dynamic", "timeout"): ("timeout",)}
"""nft's JSON does not tell that a set is changed by rules."""


def without_what_json_lacks(said: dict[str, object]) -> dict[str, object]:
    """Take away what JSON of nft 1.0.6 does not tell: devices of chains, and a flag of sets."""
    return {name: _without(what) for name, what in said.items()}


def _without(what: object) -> object:
    if isinstance(what, str):
        return what.replace("devices=('lo',)", "devices=()")
    if isinstance(what, tuple) and len(what) > 4:
        return (*what[:3], JSON_LACKS_DYNAMIC.get(what[3], what[3]), *what[4:])
    return what


@pytest.mark.parametrize("name", ["every-1.36", "ipv6-1.34", "zoo"])
def test_text_and_json_tell_the_same(name: str) -> None:
    text, data = (told(ruleset_of(listing(f"{name}.{kind}"))) for kind in ("listing", "json"))
    assert len(text) > 30
    assert without_what_json_lacks(data) == without_what_json_lacks(text)


@pytest.mark.parametrize(("old", "new"), [("every-1.34", "trixie"), ("every-1.37", "sid")])
def test_newer_versions_tell_the_same(old: str, new: str) -> None:
    assert told(ruleset_of(listing(f"{old}.{new}.listing"))) == told(ruleset_of(listing(f"{old}.listing")))


@pytest.mark.parametrize("path", sorted(LISTINGS.glob("*.listing")), ids=lambda path: path.name)
def test_all_of_a_listing_is_read(path: object) -> None:
    ruleset = ruleset_of(listing(getattr(path, "name", "")))
    assert (ruleset.remarks, ruleset.notes) == ([], [])
    for table in ruleset.tables.values():
        for chain in table.chains.values():
            for rule in chain.rules:
                unread = [one for one in rule.statements if isinstance(one, Unread)]
                assert not unread or rule.text.startswith("jump {"), rule
        assert all("Unreadable" not in repr(found.elements) for found in table.sets.values())


def test_a_rule_that_json_hides_is_said_to_be_hidden() -> None:
    """88 of the 119 rules of this node have matches of iptables that nft's JSON only names."""
    ruleset = ruleset_of(listing("mixed-node.json"))
    rules = [
        rule for table in ruleset.tables.values() for chain in table.chains.values() for rule in chain.rules
    ]
    hidden = [rule for rule in rules if any(isinstance(one, Xt) for one in rule.statements)]
    assert (len(rules), len(hidden)) == (119, 88)
    assert ruleset.version == "1.0.6"


WORKED_OUT = {
    "inet zoo chain input 3": "a counter begins at 0",
    "inet zoo chain input 14": "tcp flags & syn != 0 is listed as tcp flags syn",
    "inet zoo chain input 34": "bits that are set anyway are kept",
    "inet zoo chain input 94": "icmp id is listed with the types that have one",
    "inet zoo chain input 103": "bits of a header are listed as its field",
    "inet zoo chain input 104": "bits within a byte are listed as the byte, masked",
    "inet zoo chain input 149": "tcp reset is listed with the protocol that has it",
    "inet zoo chain input 172": "th is listed as the protocol that was asked for",
    "inet zoo set ma": "a map that rules change is given a size",
    "bridge br chain fw 1": "ether type is not listed before what has it",
}
"""What nft works out of rules that it is given, and lists in another way."""


def test_the_input_of_nft_is_read_as_its_listing() -> None:
    written, listed = told(ruleset_of(listing("zoo.nft"))), told(ruleset_of(listing("zoo.listing")))
    assert written.keys() == listed.keys()
    assert {name for name in listed if written[name] != listed[name]} == set(WORKED_OUT)
