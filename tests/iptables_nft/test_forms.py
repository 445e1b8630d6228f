"""What iptables-nft-save prints is what is made of nft's listing of the same rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from iptviz.iptables_nft.rules import spelled
from iptviz.nft.read import read_ruleset

FORMS = [
    line
    for line in Path(__file__).with_name("forms.txt").read_text(encoding="utf-8").splitlines()
    if line and line[0] != "#"
]


@pytest.mark.parametrize("form", FORMS)
def test_a_rule_is_spelled_as_iptables_saves_it(form: str) -> None:
    listed, _, saved = form.partition(" => ")
    family, name, chain, text = listed.split(" ", 3)
    source = f"table {family} {name} {{\n\tchain {chain} {{\n\t\t{text}\n\t}}\n}}\n"
    table = read_ruleset(source.encode()).tables[family, name]
    (rule,) = table.chains[chain].rules
    assert spelled(rule, 6 if family == "ip6" else 4).text == saved
