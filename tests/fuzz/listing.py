"""Fuzzes `check_listing`: `python -m tests.fuzz.listing [libFuzzer options] CORPUS_DIR`."""

from __future__ import annotations

from tests.fuzz.harness import run

if __name__ == "__main__":
    run("listing")
