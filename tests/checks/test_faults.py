"""Each fault is found where it is, alone, and nothing where it only looks like one.

`fixtures/checks/ID/` holds dumps: `fault*.rules` have the fault, `near*.rules` only look so. Files with the same stem
and another suffix (`.addresses`, `.routes`, `.ipset`, `.recent`, `.sysctl`) are what is known beside them; `.nft` is
what `nft list ruleset` prints on the node.
A line `# beside: ID ID` names other findings that the fault brings with it. What is only information counts where a
fault is that itself.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import iptviz
from iptviz.checks.registry import all_diagnoses, catalogue
from tests.conftest import FIXTURES

FAULTS = sorted(FIXTURES.glob("checks/*/fault*.rules"))
NEAR_MISSES = sorted(FIXTURES.glob("checks/*/near*.rules"))
EVIDENCE = ("addresses", "routes", "ipset", "recent", "sysctl")
NOT_OF_DUMPS = {what for name in ("against_api", "between_nodes") for what in catalogue(name).diagnoses}
"""What is found by comparing a dump with the API or with others, and never in the dump alone."""


def ids(path: Path) -> Counter[str]:
    """The ids that are found in a dump, with what lies beside it."""
    beside = {kind: str(file) for kind in EVIDENCE if (file := path.with_suffix(f".{kind}")).is_file()}
    node = iptviz.load_node(*map(str, filter(Path.is_file, (path, path.with_suffix(".nft")))))
    return counted(iptviz.check(node, **beside), path.parent.name)


def counted(result: iptviz.CheckResult, what: str) -> Counter[str]:
    """How often each id is found: `what`, and what is more than information."""
    return Counter(one.id for one in result.findings if one.severity != "info" or one.id == what)


def beside(path: Path) -> set[str]:
    """The other findings that a fault brings with it."""
    return set(
        re.findall(r"[\w-]+", "".join(re.findall(r"^# beside: (.*)$", path.read_text(), re.MULTILINE)))
    )


def label(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize("path", FAULTS, ids=label)
def test_a_fault_is_found_once_and_alone(path: Path) -> None:
    found = ids(path)
    assert found[path.parent.name] == 1
    assert set(found) == {path.parent.name} | beside(path)


@pytest.mark.parametrize("path", NEAR_MISSES, ids=label)
def test_what_only_looks_like_a_fault_is_none(path: Path) -> None:
    assert set(ids(path)) == beside(path)
    assert path.parent.name not in beside(path)


def test_every_diagnosis_is_tried() -> None:
    known = set(all_diagnoses()) - NOT_OF_DUMPS
    assert known - {path.parent.name for path in FAULTS} == set()
    assert known - {path.parent.name for path in NEAR_MISSES} == set()
    assert {path.parent.name for path in (*FAULTS, *NEAR_MISSES)} <= known
