"""Figures are told as they are, and beside what they may be."""

from __future__ import annotations

import pytest

from tests.bench.commands import COMMANDS, FIXTURE_GOALS, GOALS, INTERPRETER, STARTS, services_of
from tests.bench.figures import COLUMNS, Goal, Measured, against, exponent, growth_row, head, ratio, row
from tests.bench.processes import Run, median
from tests.kubeproxy import numbered, saved

QUICK, SLOW = Run(1.5, 1, 0.5, 50e6), Run(4, 4, 0, 100e6)


def cells(text: str) -> dict[str, str]:
    return dict(zip(COLUMNS, (cell.strip() for cell in text.strip("|").split("|")), strict=True))


def test_twice_the_rules_that_take_twice_the_time_have_an_exponent_of_one() -> None:
    assert exponent({1_000: 1.2, 2_000: 2.2, 8_000: 8.2}, start=0.2) == pytest.approx(1)
    assert exponent({1_000: 1, 2_000: 4}) == pytest.approx(2)


@pytest.mark.parametrize(
    ("figure", "most", "told"),
    [
        (None, 1, ""),
        (0.5, None, "0.50"),
        (0.0421, 0.05, "0.042 (max 0.05)"),
        (0.5, 0.5, "0.50 (max 0.5)"),
        (0.51, 0.5, "**0.51** (max 0.5)"),
    ],
)
def test_a_figure_stands_beside_what_it_may_be(figure: float | None, most: float | None, told: str) -> None:
    assert against(figure, most) == told


def test_a_ratio_is_one_of_runs_in_turn() -> None:
    assert ratio([QUICK, SLOW, QUICK], [SLOW, SLOW, SLOW]) == 0.25
    assert ratio([QUICK], "exits with 2") is None
    assert median([QUICK, SLOW, QUICK]) == QUICK


def test_a_row_has_all_that_was_measured() -> None:
    measured = Measured(330_000, 25_000_000, "redact", [QUICK], [SLOW], [QUICK])
    goal = Goal(other=0.2, restore=1.6, memory=6, command=("trace", 3))
    assert cells(row(measured, goal, {"trace": QUICK})) == {
        "rules": "330,000", "command": "redact", "wall s": "1.50", "user s": "1.00", "MB": "50",
        "MB / file": "2.00 (max 6)", "other wall s": "4.00", "other user s": "4.00", "other MB": "100",
        "of other": "**0.25** (max 0.2)", "of restore": "1.00 (max 1.6)", "of another": "1.00 (max 3) trace",
    }  # fmt: skip


def test_what_did_not_answer_is_told() -> None:
    other = Measured(330_000, 25_000_000, "graph", [QUICK], "needs more than 120 s", "exits with 1")
    assert cells(row(other, Goal(other=1), {}))["other wall s"] == "needs more than 120 s"
    assert cells(row(other, Goal(other=1), {}))["of other"] == ""
    assert cells(row(other._replace(ours="exits with 2"), Goal(), {}))["wall s"] == "exits with 2"


def test_all_rows_have_the_columns_of_the_head() -> None:
    heads, rule = head().split("\n")
    assert [*cells(heads)] == [*cells(heads).values()] == [*cells(rule)]
    assert cells(growth_row("trace", 1.1, None, 1.05))["user s"] == "**1.10** (max 1.05)"


def test_goals_are_of_commands_that_are_measured() -> None:
    assert GOALS.keys() <= COMMANDS.keys()
    assert FIXTURE_GOALS.keys() <= COMMANDS.keys() | STARTS.keys()
    others = {goal.command[0] for goal in [*GOALS.values(), *FIXTURE_GOALS.values()] if goal.command}
    measured = [*COMMANDS]
    assert others <= {INTERPRETER, *measured}
    for name, goal in GOALS.items():
        assert goal.command is None or measured.index(goal.command[0]) < measured.index(name)


@pytest.mark.parametrize("rules", [1_000, 110_000])
def test_a_dump_has_about_as_many_rules_as_are_wanted(rules: int) -> None:
    assert saved(numbered(services_of(rules), 10)).count("\n-A ") == pytest.approx(rules, rel=0.05)
