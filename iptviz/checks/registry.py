"""The catalogues of findings; a new one is a module here and a word in this list."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from iptviz.checks.finding import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding

CATALOGUES = (
    "reading",
    "broken_jumps",
    "services",
    "ways",
    "ports",
    "preemption",
    "host_ports",
    "untracked",
    "settings",
    "masquerading",
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
    """What a module holds: its diagnoses by id, the sentences of its remarks, and its check of a node.

    Remarks are `REMARKS` and the check `check` in the module; any may be missing.
    """

    diagnoses: Mapping[str, Diagnosis]
    remarks: Mapping[str, str | Callable[..., str]]
    check: Callable[[Examined], Iterator[Finding]] | None


@cache
def catalogue(name: str) -> Catalogue:
    """Return a catalogue, imported when somebody asks for it: an answer with nothing to say waits for none."""
    held = vars(import_module(f"iptviz.checks.{name}"))
    diagnoses = {value.id: value for value in held.values() if isinstance(value, Diagnosis)}
    return Catalogue(diagnoses, held.get("REMARKS", {}), held.get("check"))


@cache
def diagnosis_of(what: str) -> Diagnosis:
    """Return the diagnosis whose id is `what`; KeyError where there is none."""
    for name in CATALOGUES:
        if what in (diagnoses := catalogue(name).diagnoses):
            return diagnoses[what]
    raise KeyError(what)


@cache
def sentence_of(what: str) -> str | Callable[..., str]:
    """Return what the sentence of a finding or a remark is made with; KeyError where there is none."""
    for name in CATALOGUES:
        diagnoses, remarks, _ = catalogue(name)
        if what in diagnoses:
            return diagnoses[what].words
        if what in remarks:
            return remarks[what]
    raise KeyError(what)


def all_diagnoses() -> dict[str, Diagnosis]:
    """Return every diagnosis by its id, in the order of the catalogues."""
    return {what: made for name in CATALOGUES for what, made in catalogue(name).diagnoses.items()}


def examine(node: Examined) -> Iterator[Finding]:
    """Yield what the checks of all catalogues find in a dump of a node."""
    for name in CATALOGUES:
        check = catalogue(name).check
        if check is not None:
            yield from check(node)
