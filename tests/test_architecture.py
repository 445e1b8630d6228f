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
    {"version", "errors", "files", "progress", "records"},
    {"xtables"},
    {"grammar"},
    {"source", "listing"},
    {"intake"},
    {"dump", "supplied", "nft"},
    {"ipset", "iptables_nft"},
    {"node"},
    {"cluster"},
    {"rules"},
    {"engine"},
    {"jumps", "kube"},
    {"paths"},
    {"checks"},
    {"compare"},
    {"redact"},
    {"fleets"},
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


def test_the_engine_knows_no_language_of_rules() -> None:
    strange = (
        "dump",
        "grammar",
        "intake",
        "xtables.option",
        "xtables.matches",
        "xtables.targets",
        "xtables.saved",
    )
    needed = {name for path in (PACKAGE / "engine").rglob("*.py") for name in modules_needed_by(path)}
    assert "xtables.address" in needed
    assert "rules.form" in needed
    assert [
        name for name in sorted(needed) if name.startswith((*strange, "rules.iptables", "rules.reading"))
    ] == []


def test_nothing_reads_words_while_a_packet_walks() -> None:
    paths = [
        path for folder in ("meanings", "targets") for path in (PACKAGE / "engine" / folder).rglob("*.py")
    ]
    needed = {name.rpartition(".")[2] for path in paths for name in modules_needed_by(path)}
    assert "Network" in needed
    assert [name for name in sorted(needed) if name.startswith(("read_", "parse_", "split_"))] == []


def test_lists_of_services_print_the_normal_form_alone() -> None:
    listing = ("documents/services_v1.py", "view/services.py", "view/reached.py", "view/report.py")
    needed = {name for path in listing for name in modules_needed_by(PACKAGE / path)}
    assert "compare.ports.form.PortForm" in needed
    assert needed.isdisjoint({"kube.service_ports", "kube.frontend_answer", "kube.frontends.Frontend"})


def modules_needed_by(path: Path) -> set[str]:
    """The modules that a module imports anywhere in it, as `dump.rule`."""
    nodes = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    ]
    names = {
        name
        for node in nodes
        for name in (node.module, *(f"{node.module}.{item.name}" for item in node.names))
    }
    return {name.removeprefix("iptviz.") for name in names if name and name.startswith("iptviz.")}


def needs_of_all() -> dict[str, set[str]]:
    """For each module what it needs, and what that needs in turn."""
    needs = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): modules_needed_by(path) for path in MODULES
    }
    for middle, beyond in needs.items():
        for needed in needs.values():
            if middle in needed:
                needed.update(beyond)
    return needs


def test_no_two_modules_need_each_other() -> None:
    needs = needs_of_all()
    circles = {
        (module, other)
        for module, needed in needs.items()
        for other in needed & needs.keys()
        if module < other and module in needs[other]
    }
    assert not circles
