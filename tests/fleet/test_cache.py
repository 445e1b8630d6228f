"""Summaries that are kept: the same when they are read, and made anew where anything about an entry is odd."""

from __future__ import annotations

import os
import zlib
from fractions import Fraction
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iptviz.checks.finding import SEVERITIES, Evidence, Finding
from iptviz.compare.ports.form import FrontendForm, PortForm, Untold
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.engine.dyadic import dyadic
from iptviz.errors import DumpError
from iptviz.fleets import cache as cache_module
from iptviz.fleets.cache import checked_folder, kept_or_made
from iptviz.fleets.codec import UnfitError, decoded, encoded
from iptviz.fleets.inputs import Input, Work
from iptviz.fleets.reading import summary_of_input
from iptviz.fleets.shapes import RECORDS
from iptviz.fleets.summary import NodeFacts, Noticed, Summary, Unreadable
from iptviz.intake.remark import Remark
from iptviz.kube.endpoint_form import AlikeEndpoints, EndpointForm, PortShares
from iptviz.kube.names import ServiceName
from tests.fleet.stand_ins import HERE, named

if TYPE_CHECKING:
    from pathlib import Path

# --- what may be kept ----------------------------------------------------------------------------------------

texts = st.text(max_size=8) | st.sampled_from(
    ["default", "10.0.0.1", "fd00::1", 'a"b\n\u2028', "\ud800", "\0"]
)
numbers = st.integers(0, 70000) | st.integers()
fractions = st.builds(dyadic, st.integers(), st.integers(0, 200)) | st.fractions()
maybe_texts, maybe_numbers, maybe_fractions = (st.none() | kind for kind in (texts, numbers, fractions))


def tuples(kind: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(kind, max_size=most).map(tuple)


services = st.builds(ServiceName, texts, texts, texts, texts)
conditions = st.builds(
    Condition, st.sampled_from(sorted(CONDITION_KINDS)), texts, texts, maybe_numbers, texts, maybe_numbers
)
needs = tuples(st.builds(Assumption, conditions, st.booleans()))
endpoints = st.builds(EndpointForm, texts, maybe_numbers, maybe_fractions)
alike = st.just(
    AlikeEndpoints("10.0.0.1 10.0.0.2", (1, 0), PortShares(((80, dyadic(1, 1)), (None, Fraction(1, 3)))))
)
frontends = st.builds(
    FrontendForm,
    texts, maybe_texts, maybe_numbers, texts, tuples(endpoints) | alike, maybe_fractions, maybe_texts,
    st.none() | st.booleans(),
    masquerade=st.none() | tuples(needs),
    at_addresses=st.none() | st.tuples(st.booleans(), tuples(texts)),
    untold=st.frozensets(st.sampled_from(get_args(Untold))),
    choices=tuples(st.frozensets(texts, max_size=3)),
    may_be_fewer=st.booleans(), chain=maybe_texts, unseen=tuples(texts), lacks_port=st.booleans(), unled=texts,
)  # fmt: skip
ports = st.builds(
    PortForm,
    services, texts, tuples(frontends), maybe_numbers, maybe_texts, maybe_texts, st.none() | tuples(texts),
    maybe_numbers, texts, st.booleans(),
)  # fmt: skip
nodes = st.builds(
    NodeFacts,
    maybe_texts, texts, texts, texts, tuples(numbers), texts, tuples(texts),
    st.none() | st.floats(allow_nan=False, allow_infinity=False), st.booleans(), numbers, tuples(texts),
    tuples(texts), tuples(texts), tuples(texts),
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | texts | numbers | fractions | services,
    lambda inner: tuples(inner) | st.builds(Remark, numbers, texts, tuples(st.tuples(texts, inner))),
    max_leaves=5,
)
findings = st.builds(
    Finding, texts, st.sampled_from(SEVERITIES), texts, tuples(st.builds(Evidence, numbers, texts, texts)),
    st.none() | services, tuples(st.tuples(texts, values)), numbers, numbers, numbers,
)  # fmt: skip


@st.composite
def summaries(draw: st.DrawFn) -> Summary:
    facts = tuple(draw(st.lists(nodes, min_size=1, max_size=3)))
    those = st.integers(1, (1 << len(facts)) - 1)
    keys = tuples(texts, 5)
    causes = st.tuples(texts, texts, texts)
    return Summary(
        facts,
        draw(st.dictionaries(keys, st.dictionaries(ports, those, min_size=1, max_size=2), max_size=3)),
        draw(st.dictionaries(causes, st.builds(Noticed, findings, those, texts), max_size=2)),
    )


@given(summaries())
@settings(max_examples=60)
def test_what_is_kept_is_what_is_read(summary: Summary) -> None:
    text = encoded(summary)
    again = decoded(text)
    assert again == summary
    assert [list(forms) for forms in again.ports.values()] == [
        list(forms) for forms in summary.ports.values()
    ]
    assert encoded(again) == text
    assert text.isascii()


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: str(kind.__name__))
def test_each_field_of_a_record_has_its_kind(kind: Any) -> None:
    assert len(RECORDS[kind]) == len(kind._fields)


FACTS = NodeFacts(
    "node-1",
    "\0",
    "iptables",
    "1.27 or newer",
    (27, 28),
    "nf_tables",
    ("cilium",),
    17.5,
    complete=True,
    services=2,
)
ENDPOINT = EndpointForm("10.244.0.5", 8080, Fraction(1, 3))
FRONTEND = FrontendForm("cluster-ip", "10.96.0.1", 80, "tcp", (ENDPOINT,), Fraction(0), None, None)
PORT = PortForm(
    ServiceName("default", "web", "http", "comment"), "tcp", (FRONTEND,), None, None, None, None, None
)
SUMMARY = Summary((FACTS,), {("ipv4", *PORT.key): {PORT: 1}}, {})


def test_what_cannot_be_kept_is_refused() -> None:
    with pytest.raises(UnfitError):
        encoded(SUMMARY._replace(unreadable=(Unreadable("a", "b"),)))
    for wrong in (object(), 1.5, True, 7j):
        odd: Any = PORT._replace(affinity=wrong)  # type: ignore[arg-type]
        with pytest.raises(UnfitError):
            encoded(SUMMARY._replace(ports={(): {odd: 1}}))


def changed(before: str, after: str) -> str:
    text = encoded(SUMMARY)
    assert before in text
    return text.replace(before, after, 1)


DAMAGED = {
    "empty": "",
    "cut": encoded(SUMMARY)[:-20],
    "without its end": encoded(SUMMARY).removesuffix('["end"]\n'),
    "twice": encoded(SUMMARY) * 2,
    "no JSON": "iptviz\n" * 6,
    "other JSON": '{"schema":"iptviz.fleet.v1"}\n' * 4,
    "an older form": changed('"iptviz fleet",1,', '"iptviz fleet",0,'),
    "another version": changed(',"0.', ',"9.'),
    "a text for a number": changed("8080", '"8080"'),
    "a truth for a number": changed("8080", "true"),
    "a number for a text": changed('"10.244.0.5"', "5"),
    "a field too few": changed(",8080", ""),
    "a field too many": changed(",8080", ",8080,8080"),
    "a record of another kind": changed('"EndpointForm"', '"ServiceName"'),
    "a record of no kind": changed('"EndpointForm"', '"Popen"'),
    "a sign that is none": changed('["/","1","3"]', '["!","1","3"]'),
    "an object": changed('["/","1","3"]', "{}"),
    "divided by nothing": changed('["/","1","3"]', '["/","1","0"]'),
    "no hexadecimal digits": changed('["/","1","3"]', '["/","one","3"]'),
    "a shift without end": changed('["/","1","3"]', '["2","1",99999999999]'),
    "a shift back": changed('["/","1","3"]', '["2","1",-1]'),
    "no number at all": changed('[".","0x1.1800000000000p+4"]', "NaN"),
    "endless": changed('"0x1.1800000000000p+4"', '"inf"'),
    "nodes that there are not": changed("\n1 [", "\n3 ["),
    "no nodes": changed("\n1 [", "\n0 ["),
    "fewer than none": changed("\n1 [", "\n-1 ["),
    "a line too few": changed(',1,0]', ',2,0]'),
    "too deep": changed('["/","1","3"]', "[" * 100_000 + "]" * 100_000),
    "deep": changed('["/","1","3"]', '["(",' * 900 + "1" + "]" * 900),
    "a set with the same twice": changed('["{"]', '["{","port","port"]'),
}  # fmt: skip


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_whatever_is_odd_is_found(damaged: str) -> None:
    with pytest.raises(UnfitError):
        decoded(damaged)


@given(st.data())
@settings(max_examples=200)
def test_no_damage_is_worse_than_none_at_all(data: st.DataObject) -> None:
    text = encoded(SUMMARY)
    at = data.draw(st.integers(0, len(text) - 1))
    piece = data.draw(
        st.sampled_from(['"', "[", "]", "{", ",", "0", "9", "-", "\n", "null", "true", "1e999", ""])
    )
    try:
        found = decoded(text[:at] + piece + text[at + data.draw(st.integers(0, 4)) :])
    except UnfitError:
        return
    assert decoded(encoded(found)) == found


# --- the folder ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def work(folder: Path) -> Work:
    return Work(f"{HERE}:named", 1 << 20, checked_folder(str(folder)))


def entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "monday" / "node-1.txt"
    path.parent.mkdir()
    path.write_text("node-1", encoding="utf-8")
    return path


def asked(path: Path, folder: Path) -> tuple[Summary, bool]:
    """What is known of a path, and whether it was made for it."""
    made: list[str] = []

    def make() -> Summary:
        made.append(str(path))
        return named(str(path), str(path), max_size=1 << 20)

    return kept_or_made(checked_folder(str(folder)), str(path), make), bool(made)


def test_the_second_time_nothing_is_read(dump: Path, folder: Path) -> None:
    first, was_made = asked(dump, folder)
    assert was_made
    assert asked(dump, folder) == (first, False)
    assert [one.suffix for one in entries(folder)] == [".z"]


def test_the_same_content_is_known_elsewhere_by_its_own_place(dump: Path, folder: Path) -> None:
    asked(dump, folder)
    moved = dump.parent.parent / "tuesday" / dump.name
    moved.parent.mkdir()
    moved.write_bytes(dump.read_bytes())
    summary, was_made = asked(moved, folder)
    assert not was_made
    assert summary.nodes[0].source == str(moved)
    renamed = dump.rename(dump.with_name("node-2.txt"))  # a name may tell the node
    assert asked(renamed, folder)[1]
    found = summary_of_input(Input("label", str(moved)), work(folder))
    assert found.nodes[0].source == "label"


def test_what_has_changed_is_read_anew(dump: Path, folder: Path) -> None:
    asked(dump, folder)
    dump.write_text("node-1b", encoding="utf-8")
    summary, was_made = asked(dump, folder)
    assert was_made
    assert summary.nodes[0].name == "node-1b"


def test_of_a_folder_each_file_counts(tmp_path: Path, folder: Path) -> None:
    node = tmp_path / "node"
    (node / "deep").mkdir(parents=True)
    (node / "a.txt").write_text("a", encoding="utf-8")

    def made() -> bool:
        calls: list[int] = []
        kept_or_made(checked_folder(str(folder)), str(node), lambda: calls.append(1) or SUMMARY)  # type: ignore[func-returns-value]
        return bool(calls)

    assert made()
    assert not made()
    (node / "deep" / "b.txt").write_text("", encoding="utf-8")
    assert made()
    (node / "deep" / "b.txt").rename(node / "b.txt")
    assert made()
    (node / "a.txt").write_text("b", encoding="utf-8")
    assert made()
    assert not made()


def test_what_cannot_be_read_is_tried_again(tmp_path: Path, folder: Path) -> None:
    empty = tmp_path / "node.txt"
    empty.write_text("", encoding="utf-8")
    assert asked(empty, folder)[1]
    assert asked(empty, folder)[1]
    assert asked(tmp_path / "gone.txt", folder)[0].unreadable[0].reason.endswith("no such file or directory")
    assert entries(folder) == []


def _as_pipe(entry: Path) -> None:
    entry.unlink()
    os.mkfifo(entry)


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: entry.write_bytes(entry.read_bytes()[:-5]),
        lambda entry: entry.write_bytes(b""),
        lambda entry: entry.write_bytes(entry.read_bytes() + b"more"),
        lambda entry: entry.write_bytes(b"not packed"),
        lambda entry: entry.write_bytes(zlib.compress("\u00e4".encode())),
        lambda entry: entry.write_bytes(zlib.compress(DAMAGED["another version"].encode())),
        lambda entry: entry.write_bytes(zlib.compress(b"0" * 4096)),
        lambda entry: (entry.unlink(), entry.mkdir()),
        _as_pipe,
        lambda entry: (entry.unlink(), entry.symlink_to("/dev/zero")),
    ],
    ids=["cut", "empty", "longer", "not packed", "not ASCII", "version", "zeros", "folder", "pipe", "link"],
)
def test_a_damaged_entry_is_made_anew(
    dump: Path, folder: Path, damage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = asked(dump, folder)
    (entry,) = entries(folder)
    damage(entry)
    monkeypatch.setattr(cache_module, "_LARGEST", 1 << 12)
    assert asked(dump, folder) == (first, True)
    if not entry.is_dir():
        assert asked(dump, folder) == (first, False)
        assert entry.is_file()
        assert not entry.is_symlink()
    assert entries(folder) == [entry]


def test_what_changes_while_it_is_read_is_not_kept(dump: Path, folder: Path) -> None:
    def make() -> Summary:
        dump.write_text("changed", encoding="utf-8")
        return named(str(dump), str(dump), max_size=1 << 20)

    kept_or_made(checked_folder(str(folder)), str(dump), make)
    assert entries(folder) == []


def test_a_folder_that_cannot_be_used_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(
        DumpError, match=r"(?s)cannot be used as a cache: .*\n  name another folder for --cache"
    ):
        checked_folder(str(tmp_path / "file" / "cache"))
    with pytest.raises(DumpError, match="cannot be used as a cache"):
        checked_folder("/proc/iptviz")


def test_nothing_that_runs_code_is_read() -> None:
    import ast

    from tests.conftest import ROOT

    for name in ("cache", "codec", "shapes"):
        tree = ast.parse((ROOT / "iptviz/fleets" / f"{name}.py").read_text(encoding="utf-8"))
        modules = {one.module for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)} | {
            alias.name for one in ast.walk(tree) if isinstance(one, ast.Import) for alias in one.names
        }
        assert modules.isdisjoint({"pickle", "marshal", "shelve", "importlib", "subprocess"})
