"""What the fuzzers start from, and what they once found, checked again without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import checks

HERE = Path(__file__).parent
CHECKS = {
    "reader": checks.check_reader,
    "rule": checks.check_rule,
    "words": checks.check_words,
    "listing": checks.check_listing,
    "trace": checks.check_trace,
}
FILES = sorted(path for folder in ("corpus", "regressions") for path in HERE.glob(f"{folder}/*/*"))


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(HERE)) for path in FILES])
def test_what_must_hold_for_any_input_holds(path: Path) -> None:
    CHECKS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", CHECKS)
def test_every_harness_has_a_corpus_and_a_program(name: str) -> None:
    assert any(path.parts[-3:-1] == ("corpus", name) for path in FILES)
    assert (HERE / f"{name}.py").is_file()


def test_the_corpus_stays_small() -> None:
    assert sum(path.stat().st_size for path in FILES) < 200_000
