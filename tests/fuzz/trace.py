"""Fuzzes `check_trace`: `python -m tests.fuzz.trace [libFuzzer options] CORPUS_DIR`."""

from __future__ import annotations

from tests.fuzz.harness import run

if __name__ == "__main__":
    run("trace")
