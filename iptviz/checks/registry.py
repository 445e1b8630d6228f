"""The catalogues of findings; a new one is a module here and a word in this list."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from iptviz.checks.finding import Finding, FindingRow
    from iptviz.dump.model import Dump

CATALOGUES = (
    "reading",
    "broken_jumps",
    "services",
    "ways",
    "ports",
    "preemption",
    "leftovers",
    "against_api",
    "absence",
    "era",
    "backends",
    "counters",
    "packet",
    "graph",
)
"""The modules of this package that hold findings or remarks, those that speak most often first."""


class Catalogue(NamedTuple):
    """What a module holds: the rows of its findings, the sentences of its remarks, and its check of a dump.

    They are `ROWS`, `REMARKS` and `check` in the module; any may be missing.
    """

    rows: Mapping[str, FindingRow]
    remarks: Mapping[str, str | Callable[..., str]]
    check: Callable[[Dump], Iterator[Finding]] | None


@cache
def catalogue(name: str) -> Catalogue:
    """Return a catalogue, imported when somebody asks for it: an answer with nothing to say waits for none."""
    held = vars(import_module(f"iptviz.checks.{name}"))
    return Catalogue(held.get("ROWS", {}), held.get("REMARKS", {}), held.get("check"))


@cache
def row_of(what: str) -> FindingRow:
    """Return the row of the finding whose id is `what`; KeyError where there is none."""
    for name in CATALOGUES:
        if what in (rows := catalogue(name).rows):
            return rows[what]
    raise KeyError(what)


@cache
def sentence_of(what: str) -> str | Callable[..., str]:
    """Return what the sentence of a finding or a remark is made with; KeyError where there is none."""
    for name in CATALOGUES:
        rows, remarks, _ = catalogue(name)
        if what in rows:
            return rows[what].sentence
        if what in remarks:
            return remarks[what]
    raise KeyError(what)
