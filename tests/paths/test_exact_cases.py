"""Nodes that were asked with packets in a kernel: what others' rules do on the way of a service's connections."""

from __future__ import annotations

import re

import pytest

import iptviz
from tests.conftest import FIXTURES
from tests.paths.small import entry_words, rows_words

HTTPD, DNS = "10.97.13.198", "10.96.0.10:53"
HIDDEN = {"ACCEPT as MASQUERADE"}
BY_SOURCE = {
    "outside": HIDDEN, "pod": {"ACCEPT"},
    "node if source in 10.244.0.0/16": {"ACCEPT"}, "node if source not in 10.244.0.0/16": HIDDEN,
}  # fmt: skip
ITSELF = {
    "ACCEPT",
    "ACCEPT as MASQUERADE if source in 10.244.1.17/32",
    "ACCEPT if source not in 10.244.1.17/32",
}
"""Of a range a pod may be one itself, though the rule that hides it is about its first address alone."""
OWN = "destination is local to this node"
ALL = "outside, pod, node"
CASES = {
    "nodelocal-dns": (DNS, {f"{ALL} untracked if {OWN}": {"LOCAL"}, f"{ALL} untracked if {OWN.replace(' is ', ' is not ', 1)}": {"ACCEPT"}}),
    "w-raw-notrack": (HTTPD, {f"{ALL} untracked if {OWN}": {"LOCAL"}, f"{ALL} untracked if {OWN.replace(' is ', ' is not ', 1)}": {"ACCEPT"}}),
    "w-raw-drop": (HTTPD, {ALL: {"DROP by raw PREROUTING 1"}}),
    "w-forward-drop": (HTTPD, BY_SOURCE | {"pod": {"DROP by filter FORWARD policy"}}),
    "w-cond-jump-iface": (HTTPD, {
        "outside if input interface is eth0": HIDDEN, "pod if input interface is eth0": {"ACCEPT"},
        "outside, pod if input interface is not eth0": {"ACCEPT"},
        "node if source in 10.244.0.0/16": {"ACCEPT"}, "node if source not in 10.244.0.0/16": HIDDEN,
    }),
    "w-indirect-jump": (HTTPD, BY_SOURCE),
    "w-post-masq-all": (HTTPD, {ALL: HIDDEN}),
    "w-no-kube-postrouting-jump": (HTTPD, {ALL: {"ACCEPT"}}),
    "w-no-masq-rule": (HTTPD, {ALL: {"ACCEPT"}}),
    "w-mark-masq-foreign-clears": (HTTPD, {ALL: {"ACCEPT"}}),
    "w-return-on-top-of-kube-services": (HTTPD, {ALL: {"ACCEPT"}}),
    "w-foreign-net-dnat-in-kube-services": (HTTPD, {ALL: {"ACCEPT"}}),
    "w-svc-return-by-source": (HTTPD, {
        "outside": HIDDEN, "pod, node if source in 10.244.1.0/24": {"ACCEPT"}, "pod if source not in 10.244.1.0/24": {"ACCEPT"},
        "node if source in 10.244.0.0/16 and source not in 10.244.1.0/24": {"ACCEPT"}, "node if source not in 10.244.0.0/16": HIDDEN,
    }),
    "w-sep-range": (HTTPD, BY_SOURCE | {"pod": ITSELF, "node if source in 10.244.0.0/16": ITSELF}),
    "w-prob-0": (HTTPD, BY_SOURCE),
}  # fmt: skip
"""By the file: TARGET, and for each entry what becomes of its connections, whichever endpoint they get."""

SHARES = {
    "w-raw-drop": [f"1 {HTTPD}:79"],
    "w-return-on-top-of-kube-services": [f"1 {HTTPD}:79"],
    "w-foreign-net-dnat-in-kube-services": ["1 1.1.1.1:79"],
    "w-prob-0": ["178955181/536870912 10.244.1.18:80", "357915731/1073741824 10.244.2.20:80", "357915731/1073741824 10.244.2.21:80"],
    "w-indirect-jump": ["1/4 10.244.1.17:80", "536865543/2147483648 10.244.1.18:80", "1073747193/4294967296 10.244.2.20:80", "1073747193/4294967296 10.244.2.21:80"],
    "w-sep-range": ["536865543/2147483648 10.244.1.18:80", "1073747193/4294967296 10.244.2.20:80", "1073747193/4294967296 10.244.2.21:80", "1/4 10.244.1.17-10.244.1.20:80-90"],
}  # fmt: skip
"""Who gets which share of what comes from outside."""


def said(case: str, target: str) -> dict[str, list[str]]:
    dump = iptviz.load(FIXTURES / "ways" / "exact" / f"{case}.rules")
    (paths,) = iptviz.trace(dump, target).paths
    return {entry_words(entry): rows_words(entry) for entry in paths.entries}


@pytest.mark.parametrize("case", CASES)
def test_what_others_do_is_told_of_each_kind_of_client(case: str) -> None:
    target, entries = CASES[case]
    found = {
        entry: {re.sub(r"^\S+ \S+ ", "", row) for row in rows} for entry, rows in said(case, target).items()
    }
    assert found == entries


@pytest.mark.parametrize("case", SHARES)
def test_shares_are_those_that_are_left(case: str) -> None:
    rows = next(rows for entry, rows in said(case, CASES[case][0]).items() if entry.startswith("outside"))
    assert sorted(" ".join(row.split()[:2]) for row in rows) == sorted(SHARES[case])


@pytest.mark.parametrize("case", ["conditional-jump-to-kube-services", "indirect-jump-to-kube-services"])
def test_a_jump_counts_where_its_conditions_hold_and_through_other_chains(case: str) -> None:
    found = said(case, DNS)
    conditional = case.startswith("conditional")
    assert found["pod if input interface is not cli" if conditional else "pod"] == [
        "1/2 10.2.0.2:53 ACCEPT", "1/2 10.2.0.3:53 ACCEPT"
    ]  # fmt: skip
    assert found.get("outside, pod if input interface is cli") == (
        [f"1 {DNS} ACCEPT"] if conditional else None
    )


def test_what_somebody_else_masquerades_is_told() -> None:
    found = said("masquerade-by-somebody-else", DNS)
    leaves = "output interface is srv (rewritten to 10.2.0.2) and 10.2.0.2 is not local to this node"
    assert f"1/2 10.2.0.2:53 ACCEPT as MASQUERADE if {leaves}" in found["pod if source in 10.1.0.0/24"]


@pytest.mark.parametrize("case", ["w-sep-no-dnat", "w-sep-udp-dnat"])
def test_what_a_broken_endpoint_leaves_goes_to_those_behind_it(case: str) -> None:
    rows = said(case, HTTPD)["outside"]
    assert [row.split()[1] for row in rows] == ["10.244.1.18:80", "10.244.2.20:80", "10.244.2.21:80"]
    assert "10.244.1.17" not in " ".join(rows)
