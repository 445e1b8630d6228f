"""A list of the dumps in a bundle, in pseudonyms: no path, node or chain of it is told."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from iptviz.cli.app import app
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("known_keys")
WHOLE = ROOT / "fixtures/httpd-service/dump.rules"


def bundle(folder: Path) -> str:
    """Return the path of a bundle with a whole dump and one that is cut within a rule, of two nodes."""
    cut = folder / "cut.rules"
    cut.write_bytes(WHOLE.read_bytes()[:4_000])
    with tarfile.open(folder / "zqbundle.tar", "w") as archive:
        archive.add(WHOLE, "nodes/zqnode-a/iptables-save.txt")
        archive.add(cut, "nodes/zqnode-b/iptables-save.txt")
    return str(folder / "zqbundle.tar")


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["sources", *arguments])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_the_list_is_the_same_but_for_names(tmp_path: Path) -> None:
    path = bundle(tmp_path)
    plain, hidden = (json.loads(run(path, "--json", *more))["sources"] for more in ((), ("--redact",)))
    assert [one["node"] for one in plain] == ["zqnode-a", "zqnode-b"]
    for one, other in zip(plain, hidden, strict=True):
        for name in ("number", "line", "form", "backend", "time"):
            assert other[name] == one[name]
        assert {**other["dump"], "source": ""} == {**one["dump"], "source": ""}
        assert [gap["line"] for gap in other["gaps"]] == [gap["line"] for gap in one["gaps"]]
    assert len({one["node"] for one in hidden} | {one["inside"] for one in hidden}) == 4


def test_nothing_of_paths_nodes_and_chains_is_told(tmp_path: Path) -> None:
    path = bundle(tmp_path)
    for more in ((), ("--json",), ("--lines",)):
        assert "zqnode" in run(path, *more)
        text = run(path, "--redact", *more)
        assert "zq" not in text
        assert "iptables-save.txt" not in text
    hashes = ("X2P42VLQEZCHLPKZ", "2ZFMABIBAPGHKA6E", "PUR7JKRDI6CAT4MA")
    assert not any(one in run(path, "--redact", "--lines") for one in hashes)


def test_with_a_map_a_node_keeps_its_pseudonym(tmp_path: Path) -> None:
    path, mapping = bundle(tmp_path), str(tmp_path / "secret.json")
    first, again = (json.loads(run(path, "--json", "--map", mapping))["sources"] for _ in range(2))
    assert first == again
    assert json.loads((tmp_path / "secret.json").read_text())["names"]["node"].keys() == {
        "zqnode-a",
        "zqnode-b",
    }
