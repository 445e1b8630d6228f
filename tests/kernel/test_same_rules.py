"""The same rules, loaded into both backends and printed in every way by iptables itself, are no difference."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests import program
from tests.compare.planted import Variant, base_of, cluster_of, plain_service
from tests.kernel.lab import BACKENDS, NOTHING, node

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.lab import Node

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

TABLES = ("raw", "mangle", "nat", "filter")
WAYS: dict[str, Callable[[Node], str]] = {
    "save": lambda lab: lab.save(),
    "counters": lambda lab: lab.save("-c"),
    "rules": lambda lab: _pasted(lab, "-S"),
    "listing": lambda lab: _pasted(lab, "-L", "-n", "-v"),
    "numbered listing": lambda lab: _pasted(lab, "-L", "-n", "-v", "--line-numbers"),
}
"""How iptables prints rules; a listing does not say all of them."""


def _pasted(lab: Node, *options: str) -> str:
    """What is printed of each table, behind its prompt."""
    tool = lab.tool("").rstrip("-")
    shown = "ip6tables" if lab.family == 6 else "iptables"
    return "".join(
        f"root@node-1:~# {shown} -t {table} {' '.join(options)}\n{lab.run(tool, '-t', table, *options)}"
        for table in TABLES
    )


@pytest.fixture(scope="module", params=[("1.29", 4), ("1.31", 6)], ids=str)
def printed(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    kernel: None,  # noqa: ARG001
) -> dict[tuple[str, str], Path]:
    """Files with the same rules, by backend and way."""
    era, family = request.param
    folder = tmp_path_factory.mktemp("printed")
    variant = Variant(era, family, "plain", 0)
    rules = base_of(variant, cluster_of(variant, plain_service(family, 50))).text
    files = {}
    for backend in BACKENDS:
        with node(backend, family) as lab:
            lab.load(NOTHING + rules)
            for way, printed_by in WAYS.items():
                files[backend, way] = folder / f"{backend}-{way.replace(' ', '-')}"
                files[backend, way].write_text(printed_by(lab), encoding="utf-8")
    return files


def asked(old: Path, new: Path) -> tuple[int, dict[str, Any]]:
    done = program.run("diff", str(old), str(new), "-f", "json")
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode, json.loads(done.stdout)


SAVED = [(backend, way) for backend in BACKENDS for way in ("save", "counters", "rules")]
LISTED = [(backend, way) for backend in BACKENDS for way in ("listing", "numbered listing")]


@pytest.mark.parametrize("other", SAVED[1:], ids="-".join)
def test_what_is_saved_of_the_same_rules_is_no_difference(
    other: tuple[str, str], printed: dict[tuple[str, str], Path]
) -> None:
    status, document = asked(printed[SAVED[0]], printed[other])
    assert status == 0, document


@pytest.mark.parametrize("other", LISTED, ids="-".join)
def test_a_listing_of_the_same_rules_differs_in_nothing_that_it_shows(
    other: tuple[str, str], printed: dict[tuple[str, str], Path]
) -> None:
    status, document = asked(printed[other], printed[SAVED[0]])
    assert status == 0, document
    assert document["not_compared"]
