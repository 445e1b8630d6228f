"""Fuzzes `check_rule`: `python -m tests.fuzz.rule [libFuzzer options] CORPUS_DIR`."""

from __future__ import annotations

from tests.fuzz.harness import run

if __name__ == "__main__":
    run("rule")
