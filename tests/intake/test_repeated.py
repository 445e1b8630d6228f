"""A rule that prose quotes beside the whole counts once; rules of one unbroken stretch stay, even the same."""

from __future__ import annotations

import pytest

from iptviz.checks.wording import sentence
from tests.intake.texts import dump, dumps, notes, rules, texts

FIRST = "-A KUBE-SVC-A -m statistic --mode random --probability 0.5 -j KUBE-SEP-B"
LAST = "-A KUBE-SVC-A -j KUBE-SEP-C"
WHOLE = [FIRST, LAST]


@pytest.mark.parametrize(
    ("lines", "places"),
    [
        (["so:", LAST, "of:", *WHOLE], [4, 5]),
        (["```", LAST, "```", "of", "```", *WHOLE, "```"], [6, 7]),
        ([*WHOLE, "", LAST, "", FIRST], [1, 2]),
        ([*WHOLE, "again:", *WHOLE], [1, 2]),
        (["$ iptables-save | grep KUBE-SEP-C", LAST, "$ iptables-save | grep KUBE-SVC-A", *WHOLE], [4, 5]),
        (["> " + LAST, "of:", *WHOLE], [3, 4]),
        (["[1:60] " + LAST, "of:", *WHOLE], [3, 4]),
    ],
)
def test_a_rule_quoted_twice_counts_once(lines: list[str], places: list[int]) -> None:
    read = dump(*lines)
    assert rules(read) == {"nat": list(zip(places, WHOLE, strict=True))}
    again = [place for place, skipped, what in notes(read) if skipped and "counted once" in what]
    assert again
    assert any("again in the text" in sentence(gap) for gap in read.gaps)


@pytest.mark.parametrize(
    "lines",
    [
        [LAST, LAST],
        [*WHOLE, *WHOLE],
        ["*nat", ":KUBE-SVC-A - [0:0]", FIRST, "", LAST, "", LAST, "COMMIT"],
        ["-N KUBE-SVC-A", FIRST, "", LAST, "", LAST],
    ],
)
def test_rules_that_stand_together_stay(lines: list[str]) -> None:
    assert len(texts(dump(*lines))) == sum(line.startswith("-A") for line in lines)


def test_the_same_rule_of_two_nodes_stays() -> None:
    found = dumps("root@n1:~# iptables-save | grep A", LAST, "root@n2:~# iptables-save | grep A", LAST)
    assert [texts(one) for one in found] == [[LAST], [LAST]]
