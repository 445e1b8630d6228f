"""The quick way to make a rule agrees with the thorough one, whatever the rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import iptviz
from iptviz.dump.model import Dump
from iptviz.rules.iptables import rule_table
from iptviz.rules.shapes import Shapes
from iptviz.xtables.targets import target_names
from tests import kubeproxy
from tests.conftest import ROOT, SHARED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.rules.form import CompiledRule

CASES = SHARED.parent / "cases"


def files_of(*folders: Path) -> Iterator[Path]:
    yield from (
        path for folder in folders if folder.exists() for path in sorted(folder.rglob("*")) if path.is_file()
    )


def shapes_of(table: Table) -> Shapes:
    return Shapes(rule_table(table).has_chain, rule_table(table).family)


def asked(rule: CompiledRule) -> tuple[object, ...]:
    return rule.chain, rule.tests, rule.action, rule.place


def agreeing(table: Table, rules: Iterable[Rule]) -> int:
    """Make each rule both ways, the quick one twice: the first time no shape is there. How many have one."""
    shapes, quick = shapes_of(table), 0
    for rule in rules:
        thorough = asked(rule_table(table).thoroughly(rule))
        for made in (shapes.compiled(rule, rule.text), shapes.compiled(rule, rule.text)):
            assert made is None or asked(made) == thorough
        quick += made is not None
    return quick


@pytest.mark.parametrize(
    "path", [*files_of(ROOT / "fixtures", SHARED, CASES)], ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_both_ways_agree_on_all_rules_of_real_dumps(path: Path) -> None:
    try:
        dumps, _ = iptviz.load_all(str(path))
    except iptviz.DumpError:
        return
    for table in (table for dump in dumps for table in dump.tables.values()):
        agreeing(table, table.rules())


@pytest.mark.parametrize("path", sorted((ROOT / "tests/canonical").glob("*.txt")), ids=lambda path: path.name)
def test_both_ways_agree_on_every_option(path: Path) -> None:
    texts = (
        part.strip() for line in path.read_text(encoding="utf-8").splitlines() for part in line.split("=>")
    )
    lines = "".join(f"-A INPUT {text.removeprefix('-A INPUT ')}\n" for text in texts if text)
    table = Dump(f"*filter\n{lines}COMMIT\n".encode()).tables["filter"]
    assert agreeing(table, table.rules()) > 10


@pytest.mark.parametrize("era", [kubeproxy.OLD, kubeproxy.NEW], ids=["old", "new"])
def test_nearly_all_rules_of_kube_proxy_go_the_quick_way(era: str) -> None:
    table = Dump(kubeproxy.saved(kubeproxy.numbered(20, 3, era=era)).encode()).tables["nat"]
    rules = list(table.rules())
    assert agreeing(table, rules) == len(rules)
    made = [shapes for shapes in [shapes_of(table)] for rule in rules if shapes.compiled(rule, rule.text)]
    assert len(rules) - len(made) < 30  # the first of each shape


# --- rules of one shape, and what only looks so ----------------------------------------------------------------

ODD = (
    '"', 'a"b', '"a\\"b"', "!", "-d", "--dport", "", "é", "\u2003", "5\u2003-d", "\x1c", "ACCEPT", "DNAT", "RETURN", "FOO", "@0@",
    "@1@", "0@0@", "tcp", "-1", "+",
)  # fmt: skip
ALIKE = (
    (
        "10.0.0.1",
        "10.0.0.0/8",
        "10.0.0.1,10.0.0.2",
        "fd00::1/128",
        "::1",
        "80",
        "0x50",
        "1:2",
        "7",
        "0",
        "6",
        "0.5",
        "5\x1c6",
        "5é",
    ),
    (
        '"a comment"',
        '"!"',
        '"-j DROP"',
        '"a -m tcp b"',
        '"x" ',
        '"x -j ACCEPT"',
        '"ACCEPT"',
        '"\u2003"',
        '" "',
        '""',
        '"5"',
        '"a\tb"',
    ),
    ("KUBE-SEP-X", "KUBE-SVC-X", "lo", "cali1", "FOO", "A", "\x1c", "é"),
)
LITERALS = (*ODD, *(word for words in ALIKE for word in words))
"""Words by what they look like; to swap two of one row may leave the shape as it is."""

FIXED = (
    "-A", "-A INPUT", "-d", "! -d", "-s", "-p", "-p tcp", "-i", "-o", "-f", "-m comment --comment", "-m tcp --dport", "-m tcp",
    "-m", "--dport", "! --dport", "-m statistic --mode random --probability", "-m statistic --mode nth --every", "--packet",
    "-m recent --set --name", "-m recent --rcheck --seconds", "--rsource", "-m set --match-set", "-m multiport --dports",
    "-m conntrack --ctstate", "-m icmp --icmp-type", "-m mark --mark", "-m policy --dir in --pol none --next", "-m nosuch", "-m helper --helper",
    "-j", "-g", "-j MARK --set-xmark", "-j DNAT --to-destination", "-j LOG --log-prefix", "-j NFQUEUE --queue-num", "-j SNAT",
    "--to-source", "-j FOO --bar", "--comment=", "--dport=80", "-p6", "-t nat", "-c 1",
)  # fmt: skip
GAPS = st.sampled_from((" ", " ", " ", " ", "  ", "\t", ""))
WORDS = st.lists(
    st.tuples(st.sampled_from(FIXED), GAPS, st.integers(0, 2), GAPS), min_size=1, max_size=6
)  # fixed words, how many literals follow
PAIRS = st.sampled_from((*ALIKE, *ALIKE, LITERALS)).flatmap(
    lambda words: st.tuples(st.sampled_from(words), st.sampled_from(words))
)
DRAWN = st.lists(PAIRS, min_size=12, max_size=12)


def spelled(words: list[tuple[str, str, int, str]], literals: list[str]) -> str:
    """Return a rule with these literals, as one line."""
    left = iter(literals)
    pieces = ["-A", " ", "".join(next(left).split()) or "INPUT"]
    for fixed, gap, count, after in words:
        pieces += [after or " ", fixed, *(part for _ in range(count) for part in (gap, next(left, "5")))]
    return "".join(pieces).strip()


@given(WORDS, DRAWN)
@example(
    [("-m comment --comment", " ", 1, " "), ("-j", " ", 1, " ")], [("A", "A"), ('"x"', '"!"'), ("B", "C")]
)
@example([("-m helper --helper", " ", 1, " "), ("-j", " ", 1, " ")], [("A", "A"), ('"x"', '"!"'), ("B", "C")])
@example([("-i", " ", 1, " "), ("-j", " ", 1, " ")], [("A", "A"), ("lo", "!"), ("B", "C")])
@example([("-j", " ", 1, " ")], [("A", "A"), ('"x"', '"ACCEPT"')])
@example([("-p", " ", 1, " "), ("-m tcp --dport", " ", 1, " ")], [("A", "B"), ("6", "17"), ("80", "81")])
def test_rules_of_one_shape_are_made_as_each_by_itself(
    words: list[tuple[str, str, int, str]], literals: list[tuple[str, str]]
) -> None:
    first, second = (spelled(words, list(drawn)) for drawn in zip(*literals, strict=True))
    table = Dump("\n".join(["*nat", ":FOO - [0:0]", first, first, second, "COMMIT", ""]).encode()).tables[
        "nat"
    ]
    shapes = shapes_of(table)
    for rule in table.rules_with("-A"):
        made = shapes.compiled(rule, rule.text)
        assert made is None or asked(made) == asked(rule_table(table).thoroughly(rule))


def test_a_target_is_no_chain_whose_name_is_a_literal() -> None:
    lines = "".join(f"-A A -j {name}\n" for name in target_names() for _ in range(2))
    table = Dump(f"*nat\n-A A -j A-B\n-A A -j A-C\n{lines}COMMIT\n".encode()).tables["nat"]
    assert agreeing(table, table.rules()) == 2 + 2 * len(target_names())


@pytest.mark.parametrize(
    "text",
    [
        '-A A -m comment --comment "a \\"b\\"" -j B',
        "-A A -d 10.0.0.1 -g B",
        "-A A -d 10.0.0.1 --dport 80 -p tcp -j B",
        '-A A -m comment --comment foo" 10.0.0.1 x" -j B',
        f"-A A -m comment --comment {'x' * 5000} -j B",
        "-A A 10.0.0.1 -j B",
        "-A A -m comment --comment @0@ -d 10.0.0.1 -j B",
    ],
)
def test_what_is_not_sure_has_no_shape(text: str) -> None:
    table = Dump(f"*nat\n{text}\nCOMMIT\n".encode()).tables["nat"]
    assert agreeing(table, table.rules()) == 0
