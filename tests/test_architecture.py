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
    {"redact"},
    {"packets"},
    {"documents"},
    {"questions"},
    {"view"},
    {"terminal", "output"},
    {"render"},
    {"cli"},
    {"__main__", "__init__"},
)
RANK = {part: rank for rank, parts in enumerate(ORDER) for part in parts}

# For a type alone: the document of a trace describes the result that it is made from.
TYPES_ONLY = {("documents", "questions")}


def part_of(path: Path) -> str:
    """The part that a module belongs to: its package below iptviz, or its own name."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> set[tuple[str, bool]]:
    """The parts of iptviz that a module imports, and whether only for types."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    return {
        (node.module.split(".")[1], id(node) in for_types)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("iptviz.")
    }


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_a_module_imports_only_what_stands_before_it(path: Path) -> None:
    own = part_of(path)
    for other, for_types in imports(path):
        allowed = other == own or RANK[other] < RANK[own] or (for_types and (own, other) in TYPES_ONLY)
        assert allowed, f"{own} imports {other}"


def test_every_part_has_its_place_in_the_order() -> None:
    assert {part_of(path) for path in MODULES} == set(RANK)


def test_the_order_would_be_missed() -> None:
    assert RANK["dump"] < RANK["kube"] < RANK["render"] < RANK["cli"]


# --- within a part -----------------------------------------------------------------------------------------------


def modules_behind(module: str) -> set[str]:
    """The modules of its own part that a module of iptviz imports, be it for types alone."""
    path = PACKAGE.parent / f"{module.replace('.', '/')}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    }
    return {name for name in named if name in NAMES and name.split(".")[1] == module.split(".")[1]}


NAMES = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in MODULES}


@pytest.mark.parametrize("part", ["engine"])
def test_no_module_of_a_part_leads_back_to_itself(part: str) -> None:
    inner = {name for name in NAMES if name.split(".")[1] == part}
    behind = {name: modules_behind(name) for name in inner}
    assert sum(map(len, behind.values())) > len(inner)
    while ready := {name for name, others in behind.items() if not others & behind.keys() - {name}}:
        behind = {name: others for name, others in behind.items() if name not in ready}
    assert not behind
