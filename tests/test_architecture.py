"""Data flows one way: a part of the package imports only those that stand before it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = ROOT / "iptviz"

# Each part may import the parts of the lines above its own, and itself.
ORDER = (
    {"version", "errors"},
    {"xtables"},
    {"grammar"},
    {"source", "listing"},
    {"intake"},
    {"dump", "supplied"},
    {"ipset"},
    {"cluster"},
    {"engine"},
    {"jumps", "kube"},
    {"checks"},
    {"redact"},
    {"questions"},
    {"documents"},
    {"view"},
    {"terminal", "output"},
    {"render"},
    {"cli"},
    {"__main__", "__init__"},
)
RANK = {part: rank for rank, parts in enumerate(ORDER) for part in parts}


def part_of(path: Path) -> str:
    """The part that a module belongs to: its package below iptviz, or its own name."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    """The parts of iptviz that a module imports, at once, when it is asked, or for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.module.split(".")[1]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("iptviz.")
    }


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_a_module_imports_only_what_stands_before_it(path: Path) -> None:
    own = part_of(path)
    for other in imports(path):
        assert other == own or RANK[other] < RANK[own], f"{own} imports {other}"


def test_every_part_has_its_place_in_the_order() -> None:
    assert {part_of(path) for path in MODULES} == set(RANK)


def test_the_order_would_be_missed() -> None:
    assert RANK["dump"] < RANK["kube"] < RANK["render"] < RANK["cli"]
