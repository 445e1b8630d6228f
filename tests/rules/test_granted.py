"""What kube-proxy writes on every node is taken for granted where an excerpt does not show it, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.kube.families import family_of
from iptviz.rules.form import is_granted
from iptviz.rules.granted import GRANTED, GrantedRow
from iptviz.rules.iptables import rule_table

if TYPE_CHECKING:
    from iptviz.dump.table import Table

WAY = """-A KUBE-SERVICES ! -s 10.244.0.0/16 -d 10.96.0.50/32 -p tcp -m comment --comment "default/web:http cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SERVICES -d 10.96.0.50/32 -p tcp -m comment --comment "default/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-AAAAAAAAAAAAAAAA
-A KUBE-SVC-AAAAAAAAAAAAAAAA -m comment --comment "default/web:http" -j KUBE-SEP-BBBBBBBBBBBBBBBB
-A KUBE-SEP-BBBBBBBBBBBBBBBB -p tcp -m comment --comment "default/web:http" -m tcp -j DNAT --to-destination 10.244.1.5:8080
"""
HOOKS = ":PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
DECLARED = HOOKS + "".join(
    f":{chain} - [0:0]\n"
    for chain in ("KUBE-MARK-MASQ", "KUBE-SERVICES", "KUBE-SEP-BBBBBBBBBBBBBBBB", "KUBE-SVC-AAAAAAAAAAAAAAAA")
)


def nat(text: str) -> Table:
    return iptviz.load(text.encode()).tables["nat"]


def granted(text: str) -> tuple[str, ...]:
    return rule_table(nat(text)).granted


@pytest.mark.parametrize("row", GRANTED, ids=lambda row: row.text.split(" -m ")[0])
def test_a_row_is_a_rule_of_a_chain_that_the_release_writes(row: GrantedRow) -> None:
    rule = iptviz.parse_rule(row.text.replace("BITS", "0x4000"), table=row.table)
    leads_to = family_of(rule.jump or rule.chain, row.table)
    assert leads_to is not None
    assert row.table in leads_to.tables.split()
    assert leads_to.releases
    assert min(leads_to.releases) <= row.first
    assert rule.canonical("nf_tables") == row.text.replace("BITS", "0x4000")


def test_of_an_excerpt_the_hooks_and_marking_chains_are_granted() -> None:
    assert granted(WAY) == ("PREROUTING", "OUTPUT", "POSTROUTING", "KUBE-MARK-MASQ", "KUBE-POSTROUTING")


@pytest.mark.parametrize(
    "text",
    [
        f"*nat\n{DECLARED}{WAY}COMMIT\n",  # that no jump is there is a finding
        f"*nat\n{DECLARED}-A PREROUTING -j KUBE-SERVICES\n{WAY}COMMIT\n",
        "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j DOCKER\n-A DOCKER -j RETURN\n",  # nothing of kube-proxy's
        f"-A KUBE-NODE-PORT -j KUBE-MARK-MASQ\n{WAY}",  # IPVS mode, which has other rules
    ],
    ids=["whole without jumps", "whole", "no kube-proxy", "IPVS"],
)
def test_nothing_is_granted_otherwise(text: str) -> None:
    assert granted(text) == ()


def test_a_hook_that_is_shown_with_its_jump_is_not_granted() -> None:
    shown = "-A PREROUTING -j KUBE-SERVICES\n-A OUTPUT -j KUBE-SERVICES\n-A POSTROUTING -j KUBE-POSTROUTING\n"
    assert granted(shown + WAY) == ("KUBE-MARK-MASQ", "KUBE-POSTROUTING")


def test_where_the_text_is_cut_what_stands_before_the_cut_is_not_granted() -> None:
    cut = f"*nat\n{DECLARED}{WAY}".replace(":KUBE-MARK-MASQ - [0:0]\n", "").rstrip("\n")
    assert "PREROUTING" not in granted(cut)
    assert "KUBE-MARK-MASQ" in granted(cut)


def test_a_text_cut_before_the_first_rule_of_a_hook_shows_nothing_of_it() -> None:
    assert granted(f"*nat\n{DECLARED}") == ("PREROUTING", "OUTPUT", "POSTROUTING", "KUBE-POSTROUTING")


@pytest.mark.parametrize(
    ("shown", "bits"),
    [
        ("", "0x4000/0x4000"),
        (
            "-A KUBE-POSTROUTING -m mark ! --mark 0x8/0x8 -j RETURN\n-A KUBE-POSTROUTING -j MASQUERADE\n",
            "0x8/0x8",
        ),
        ("*filter\n-A KUBE-FORWARD -m mark --mark 0x20/0x20 -j ACCEPT\nCOMMIT\n*nat\n", "0x20/0x20"),
    ],
    ids=["default", "asked in KUBE-POSTROUTING", "asked in KUBE-FORWARD"],
)
def test_the_bits_of_the_mark_are_those_that_other_rules_ask_for(shown: str, bits: str) -> None:
    (rule,) = rule_table(nat(shown + WAY)).rules_of("KUBE-MARK-MASQ")
    assert rule.place.text == f"-A KUBE-MARK-MASQ -j MARK --set-xmark {bits}"


def test_a_granted_rule_has_no_line_and_leaves_no_step() -> None:
    dump = iptviz.load(WAY.encode())
    (rule,) = rule_table(dump.tables["nat"]).rules_of("PREROUTING")
    assert is_granted(rule.place)
    told = iptviz.packet(dump, src="192.0.2.7", dst="10.96.0.50", protocol="tcp", dport=80, mark=0).to_dict()
    lines = {step["line"] for outcome in told["outcomes"] for step in outcome["path"]}
    assert lines <= {1, 2, 3, 4}
    assert {outcome["snat"] for outcome in told["outcomes"]} >= {"MASQUERADE"}


def test_the_assumption_is_told_and_can_be_taken_back() -> None:
    dump = iptviz.load(WAY.encode())
    (service,) = iptviz.trace(dump, "10.96.0.50").to_dict()["services"]
    (one,) = [each for each in service["assumed"] if each["kind"] == "unseen-chains"]
    assert one["value"] == "nat PREROUTING, OUTPUT, POSTROUTING, KUBE-MARK-MASQ, KUBE-POSTROUTING"
    (entry,) = [each for each in service["paths"] if "outside" in each["clients"]]
    assert [(row["exact"], row["snat"]) for row in entry["endpoints"]] == [("1/1", "MASQUERADE")]
    assert iptviz.check(dump).to_dict()["assumed"][-1]["value"] == one["value"]
