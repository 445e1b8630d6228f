"""What restore input changes is changed as iptables-restore would, and every such line is named."""

from __future__ import annotations

import pytest

from tests.intake.texts import dump, dumps, notes, rules, texts

HEAD = ("*nat", ":PREROUTING ACCEPT [0:0]", ":A - [0:0]", ":B - [0:0]")
RULES = ("-A A -j X1", "-A A -j X2", "-A A -j X3", "-A B -j Y1")

# Lines after RULES -> the rules that are left.
CASES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "nothing": ((), [*RULES]),
    "insert on top": (("-I A -j N",), ["-A A -j N", *RULES]),
    "insert at 1": (("-I A 1 -j N",), ["-A A -j N", *RULES]),
    "insert at 2": (("-I A 2 -j N",), ["-A A -j X1", "-A A -j N", *RULES[1:]]),
    "insert at the end": (("-I A 4 -j N",), [*RULES[:3], "-A A -j N", RULES[3]]),
    "two inserts stand in reverse": (("-I B -j N1", "-I B -j N2"), [*RULES[:3], "-A B -j N2", "-A B -j N1", RULES[3]]),
    "insert nothing": (("-I B",), [*RULES[:3], "-A B", RULES[3]]),
    "delete by number": (("-D A 2",), [RULES[0], *RULES[2:]]),
    "delete by words": (("-D A -j X2",), [RULES[0], *RULES[2:]]),
    "delete in other words": (("-D A --jump X2",), [RULES[0], *RULES[2:]]),
    "delete the same twice": (("-A A -j X2", "-D A -j X2", "-D A -j X2"), [RULES[0], *RULES[2:]]),
    "delete the first of two": (("-A A -j X1", "-D A -j X1"), ["-A A -j X2", "-A A -j X3", "-A A -j X1", RULES[3]]),
    "delete what was inserted": (("-D A -j X3", "-I A -j N", "-D A -j N", "-D A 2"), [RULES[0], RULES[3]]),
    "delete, insert within, delete": (("-D A -j X1", "-I A 2 -j N", "-D A -j N", "-D A 1"), [*RULES[2:]]),
    "delete, replace, delete": (("-D A -j X1", "-R A 1 -j N", "-D A -j N"), [*RULES[2:]]),
    "delete all, one by one": (("-D A 1", "-D A 1", "-D A 1"), [RULES[3]]),
    "delete what is not there": (("-D A -j X9", "-D A 4", "-D A 0", "-D NONE 1"), [*RULES]),
    "replace": (("-R A 2 -j N",), [RULES[0], "-A A -j N", *RULES[2:]]),
    "replace what is not there": (("-R A 4 -j N",), [*RULES]),
    "flush a chain": (("-F A",), [RULES[3]]),
    "flush all": (("-F",), []),
    "flush, then append": (("-F A", "-A A -j N"), ["-A A -j N", RULES[3]]),
    "declared again": ((":A - [0:0]", "-A A -j N"), ["-A A -j N", RULES[3]]),
    "a built-in chain declared again": ((":PREROUTING DROP [0:0]",), [*RULES]),
    "delete a chain": (("-F B", "-X B"), [*RULES[:3]]),
    "rename": (("-E B C",), [*RULES[:3], "-A C -j Y1"]),
    "zero": (("-Z", "-Z A"), [*RULES]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_operation_is_carried_out(case: str) -> None:
    lines, left = CASES[case]
    found = texts(dump(*HEAD, *RULES, *lines, "COMMIT"))
    assert sorted(found, key=lambda text: text.split()[1]) == left


@pytest.mark.parametrize(
    ("line", "skipped", "reason"),
    [
        ("-I A -j N", False, "applied: inserts a rule above"),
        ("-D A 1", False, "applied: deletes a rule above"),
        ("-R A 1 -j N", False, "applied: replaces a rule above"),
        ("-F A", False, "applied: flushes a chain"),
        ("-X B", False, "applied: deletes a chain"),
        ("-E B C", False, "applied: renames a chain"),
        ("-D A 9", True, "changes a rule or chain that is not in the text"),
        ("-R A 9 -j N", True, "changes a rule or chain that is not in the text"),
        ("-E NONE C", True, "changes a rule or chain that is not in the text"),
    ],
)
def test_an_operation_is_noted_by_line(line: str, skipped: bool, reason: str) -> None:
    assert notes(dump(*HEAD, *RULES, line, "COMMIT")) == [("9", skipped, reason)]


def test_a_changed_rule_stands_on_the_line_that_changed_it() -> None:
    read = dump(*HEAD, *RULES, "-I A -j N", "-R A 2 -j M", "COMMIT")
    assert rules(read)["nat"] == [
        (9, "-A A -j N"), (10, "-A A -j M"), (6, "-A A -j X2"), (7, "-A A -j X3"), (8, "-A B -j Y1"),
    ]  # fmt: skip


def test_counters_do_not_matter_for_what_is_deleted() -> None:
    assert texts(dump(*HEAD, "[5:300] -A A -j X1", "-D A -j X1", "COMMIT")) == []


def test_a_renamed_chain_keeps_counters_and_lines() -> None:
    read = dump(*HEAD, "[5:300] -A B -s 10.0.0.1/32 -j Y1", "-E B C", "COMMIT")
    (rule,) = read.tables["nat"].rules()
    assert (rule.text, rule.line, rule.chain) == ("-A C -s 10.0.0.1/32 -j Y1", 5, "C")
    assert rule.counters is not None
    assert rule.counters[:2] == (5, 300)
    assert list(read.tables["nat"].chains) == ["PREROUTING", "A", "C"]


def test_a_policy_that_is_set_again_counts() -> None:
    read = dump("*filter", ":INPUT ACCEPT [0:0]", "-A INPUT -j X", ":INPUT DROP [0:0]", "COMMIT")
    assert read.tables["filter"].chains["INPUT"].policy == "DROP"


# --- iptables-restore --noflush -----------------------------------------------------------------------------

WHOLE = (*HEAD, *RULES, "COMMIT")


def test_a_part_without_built_in_chains_changes_the_dump_above() -> None:
    part = ("*nat", ":A - [0:0]", "-A A -j N", "-I B -j M", "COMMIT")
    read = dump(*WHOLE, *part)
    assert sorted(texts(read)) == ["-A A -j N", "-A B -j M", "-A B -j Y1"]
    assert {line for line, _ in rules(read)["nat"]} == {12, 13, 8}
    assert read.complete


def test_a_part_may_be_of_a_table_that_is_not_there_yet() -> None:
    read = dump(*WHOLE, "*filter", ":KUBE-FORWARD - [0:0]", "-A KUBE-FORWARD -j DROP", "COMMIT")
    assert list(read.tables) == ["nat", "filter"]


def test_a_table_with_built_in_chains_is_another_dump() -> None:
    first, second = dumps(*WHOLE, *HEAD, "-A A -j N", "COMMIT")
    assert (texts(first), texts(second)) == ([*RULES], ["-A A -j N"])
    assert (first.first_line, second.first_line) == (1, 10)
