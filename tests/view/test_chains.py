"""The chains that a page lets one browse: shares of new clients, and none where a condition may take some."""

from __future__ import annotations

import iptviz
from iptviz.view.chains import browsed

CHANCE = "-m statistic --mode random --probability 0.50000000000"


def shares(*rules: str) -> list[str]:
    """Return the share that each rule of a chain sends to an endpoint."""
    lines = (f"-A KUBE-SVC-A {rule}" for rule in rules)
    chains = (":KUBE-SVC-A - [0:0]", ":KUBE-SEP-A - [0:0]", ":KUBE-SEP-B - [0:0]", ":KUBE-MARK-MASQ - [0:0]")
    dump = iptviz.load("\n".join(("*nat", *chains, *lines, "COMMIT", "")).encode())
    return [rule[3] for rule in browsed(dump.tables["nat"], None)["KUBE-SVC-A"]["rules"]]


def test_each_gets_its_part_of_what_is_left() -> None:
    assert shares(f"{CHANCE} -j KUBE-SEP-A", "-j KUBE-SEP-B") == ["50.00 %", "50.00 %"]
    assert shares(f"{CHANCE} -j KUBE-SEP-A", f"{CHANCE} -j KUBE-SEP-B") == ["50.00 %", "25.00 %"]


def test_marks_comments_and_lists_of_known_clients_take_nothing_from_new_ones() -> None:
    known = "-m recent --rcheck --seconds 60 --reap --name KUBE-SEP-A --mask 255.255.255.255 --rsource"
    rules = (
        "! -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ",
        f"{known} -j KUBE-SEP-A",
        '-m comment --comment "counts"',
        f'-m comment --comment "a -> b" {CHANCE} -j KUBE-SEP-A',
    )
    assert shares(*rules) == ["", "", "", "50.00 %"]


def test_behind_what_may_take_some_there_are_no_shares() -> None:
    for taking in ("-s 10.0.0.1/32 -j KUBE-SEP-A", "-m mark --mark 0x1/0x1 -j RETURN", "-p tcp -j ACCEPT"):
        assert shares(taking, "-j KUBE-SEP-B") == ["", ""]
