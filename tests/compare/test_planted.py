"""Each planted difference is told as what it is, and nothing else; what is no difference is not told as one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import iptviz
from tests import program
from tests.compare.planted import VARIANTS
from tests.compare.planted.by_cluster import OF_SERVICES, OF_SETTINGS
from tests.compare.planted.by_others import OF_KUBE_PROXY, OF_OTHERS
from tests.compare.planted.by_rule import OF_CHAINS
from tests.compare.planted.no_difference import SAME
from tests.compare.planted.told import told
from tests.conftest import EVERYTHING, part_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.compare.planted import Variant

KINDS = {**OF_SERVICES, **OF_SETTINGS, **OF_CHAINS, **OF_OTHERS, **OF_KUBE_PROXY}
PLANTED = [(what, variant) for what, kind in KINDS.items() for variant in kind.variants()]


def test_there_are_enough_kinds() -> None:
    assert len(KINDS) >= 50
    assert all(len(kind.variants()) == 10 for kind in KINDS.values())


@pytest.mark.parametrize(("what", "variant"), part_of(PLANTED, 37), ids=str)
def test_a_planted_difference_is_found_alone(what: str, variant: Variant) -> None:
    pair = KINDS[what].put(variant)
    result = iptviz.diff(iptviz.load(pair.old.encode()), iptviz.load(pair.new.encode()))
    found = told(result.to_dict())
    assert pair.missing(found) == set()
    assert pair.invented(found) == set()
    assert result.differs


@pytest.mark.parametrize(
    ("what", "variant"), part_of([(what, variant) for what in SAME for variant in VARIANTS], 37), ids=str
)
def test_what_is_no_difference_is_not_told_as_one(what: str, variant: Variant, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for path, data in zip((old, new), SAME[what].put(variant), strict=True):
        path.write_bytes(data)
    both_ways = ((old, new), (new, old))
    for sides in both_ways if EVERYTHING else both_ways[variant.seed % 2 :][:1]:
        done = program.run("diff", *map(str, sides), "-f", "json")
        assert done.returncode == 0, done
        assert told(json.loads(done.stdout)) == frozenset()
