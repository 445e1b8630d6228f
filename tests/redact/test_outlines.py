"""Many lines at once become the same in pseudonyms, and name the same, as each of them taken apart by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import iptviz
from iptviz.dump.model import Dump
from iptviz.grammar.outlines import HOLE, parts_of, read_stretch
from iptviz.redact.mentions import mentioned_by, mentions
from iptviz.redact.names import Names
from iptviz.redact.pieces import pieces
from iptviz.redact.rules import RuleRedactor
from iptviz.redact.secrets import Secrets
from tests import kubeproxy
from tests.conftest import ROOT, SHARED
from tests.rules.test_shapes import DRAWN, WORDS, spelled

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

FILES = sorted([*ROOT.glob("fixtures/*/dump*"), *SHARED.glob("kubernetes/*.rules")])
COUNTED = st.sampled_from(
    ("", "", "[0:0] ", "[12:3456] ", "[007:1] ", "[5~1:9~1] ", "[99999999999999999999:1] ")
)
ENDS = st.sampled_from(("", "", " ", "\r", " -j", ' -m comment --comment "a\0b"'))


def redactor_of(dump: Dump) -> RuleRedactor:
    secrets = Secrets(bytes(32))
    return RuleRedactor(Names(dump, secrets, ports=True), secrets)


def one_by_one(redactor: RuleRedactor, rule: Rule) -> str:
    counters = rule.counters
    return (f"[{counters.packets}:{counters.bytes}] " if counters else "") + redactor.thoroughly(rule)


def agree(dump: Dump) -> int:
    """Compare both ways for all rules. How many there are."""
    quick, thorough, count = redactor_of(dump), redactor_of(dump), 0
    for table in dump.tables.values():
        rules = [table.rule_at(at) for _, run in table.each_run() for at in starts(table, *run)]
        written = [quick.lines(piece) for piece in pieces(table, (run for _, run in table.each_run()))]
        assert "".join(written) == "".join(f"{one_by_one(thorough, rule)}\n" for rule in rules)
        chains = dict.fromkeys(name for name, _ in table.each_run())
        named = list(mentions(table, [chain.decode(errors="surrogateescape") for chain in chains]))
        assert named == [mentioned_by(rule) for chain in chains for rule in rules_of(table, chain)]
        assert [name for name, *_ in named] == [
            chain.decode(errors="surrogateescape") for chain in chains for _ in rules_of(table, chain)
        ]
        count += len(rules)
    return count


def starts(table: Table, at: int, end: int) -> list[int]:
    found = []
    while at < end:
        found.append(at)
        at = table.lines.end(at)
    return found


def rules_of(table: Table, chain: bytes) -> list[Rule]:
    return [
        table.rule_at(at) for name, run in table.each_run() if name == chain for at in starts(table, *run)
    ]


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}-{path.name}" for path in FILES])
def test_both_ways_agree_on_real_dumps(path: str) -> None:
    assert sum(map(agree, iptviz.load_all(str(path))[0]))


@pytest.mark.parametrize("counted", ["", "[7:420] "])
@pytest.mark.parametrize("era", [kubeproxy.OLD, kubeproxy.NEW], ids=["old", "new"])
def test_both_ways_agree_on_what_kube_proxy_writes(era: str, counted: str) -> None:
    text = kubeproxy.saved(kubeproxy.numbered(20, 3, era=era)).replace("\n-A ", f"\n{counted}-A ")
    assert agree(Dump(text.encode())) > 100


@given(st.lists(st.tuples(COUNTED, WORDS, DRAWN, ENDS), min_size=1, max_size=3))
@example(
    [
        (
            "",
            [("-m comment --comment", " ", 1, " "), ("-j", " ", 1, " ")],
            [("A", "A"), ('"x"', '"!"'), ("B", "C")],
            "",
        )
    ]
)
@example(
    [
        (
            "[0:0] ",
            [("-d", " ", 1, " "), ("-m tcp --dport", " ", 1, " ")],
            [("A-A", "B"), ("1.2.3.4", "5"), ("80", "8")],
            "",
        )
    ]
)
def test_both_ways_agree_on_any_words(
    drawn: list[tuple[str, list[tuple[str, str, int, str]], list[tuple[str, str]], str]],
) -> None:
    lines = [
        counted + spelled(words, [pair[at] for pair in literals]) + end
        for counted, words, literals, end in drawn
        for at in (0, 1)
    ]
    agree(Dump("\n".join(["*nat", ":FOO - [0:0]", *lines, "COMMIT", ""]).encode()))


def test_the_literals_of_a_line_are_the_first_values_of_its_options() -> None:
    lines = (
        "-A A ! -s 10.0.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-X",
        '[1:2] -A B -m comment --comment "a b" -j DNAT --to-destination 10.0.0.1:80',
    )
    stretch = read_stretch("".join(f"{line}\n" for line in lines))
    assert stretch.outlines == [
        f"-A {HOLE} ! -s {HOLE} -p tcp -m tcp --dport {HOLE} -j {HOLE}",
        f"[{HOLE} -A {HOLE} -m comment --comment {HOLE} -j DNAT --to-destination {HOLE}",
    ]
    assert stretch.literals == ["A", "10.0.0.1/32", "80", "KUBE-SVC-X", "1:2]", "B", '"a b"', "10.0.0.1:80"]
    assert all(map(parts_of, stretch.outlines))


@pytest.mark.parametrize(
    "line",
    [
        "-A A --bad-d 10.0.0.1 -j B-C", "-A A -g B-C",
        "-A A -p tcp -m tcp --destination-port 80 -j B-C", "-A A -m comment --comment @1@ @2@ -j B-C",
        "-A A -j DNAT --to-destination 10.0.0.1 -m tcp --dport 80", "x] -A A -j B-C", "[1:2 -A A -j B-C",
    ],
)  # fmt: skip
def test_what_is_not_sure_has_no_parts(line: str) -> None:
    (outline,) = read_stretch(f"{line}\n").outlines
    assert parts_of(outline) is None
