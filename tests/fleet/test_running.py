"""Inputs read side by side: the same as one after the other, whoever dies, and nothing that is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iptviz.fleets import running
from iptviz.fleets.inputs import Input, Work
from iptviz.fleets.neighbours import Neighbours
from iptviz.fleets.running import DIED, chunks_of, summarized
from tests.conftest import ROOT
from tests.fleet.stand_ins import HERE

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from iptviz.fleets.summary import Summary

COUNT = 23


@pytest.fixture
def inputs(tmp_path: Path) -> list[Input]:
    paths = [tmp_path / f"node-{number}.txt" for number in range(COUNT)]
    for path in paths:
        path.write_text("" if path.stem == "node-7" else path.stem, encoding="utf-8")
    return [Input(path.name, str(path)) for path in paths]


def work(reader: str) -> Work:
    return Work(f"{HERE}:{reader}", 1 << 20)


def names(summary: Summary) -> list[str | None]:
    return [node.name for node in summary.nodes]


def test_side_by_side_is_what_one_after_the_other_is(inputs: list[Input]) -> None:
    told: list[float | None] = []
    alone = summarized(inputs, work("named"), jobs=1)
    together = summarized(inputs, work("named"), jobs=2, progress=lambda _, done: told.append(done))
    assert together == alone
    assert names(alone) == [f"node-{number}" for number in range(COUNT) if number != 7]
    assert alone.unreadable == (("node-7.txt", "file is empty"),)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert told == sorted(told, key=lambda done: done or 0)


def test_an_input_that_kills_its_reader_costs_itself_alone(inputs: list[Input], tmp_path: Path) -> None:
    for place in (5, 18):
        poison = tmp_path / f"poison-{place}.txt"
        poison.write_text("never read", encoding="utf-8")
        inputs.insert(place, Input(poison.name, str(poison)))
    found = summarized(inputs, work("deadly"), jobs=2)
    assert names(found) == [f"node-{number}" for number in range(COUNT) if number != 7]
    assert found.unreadable == (
        ("poison-5.txt", DIED),
        ("node-7.txt", "file is empty"),
        ("poison-18.txt", DIED),
    )


@pytest.mark.parametrize(
    ("reader", "of"),
    [
        ("unsendable", "TypeError: cannot pickle '_thread.lock' object"),
        ("unreceivable", "ValueError: not to be had"),
        ("strange", "TwoWordsError: not expected"),
        ("leaving", "SystemExit: 3"),
    ],
)
def test_what_cannot_be_sent_costs_the_input_alone(
    reader: str, of: str, inputs: list[Input], tmp_path: Path
) -> None:
    for place in (3, 17):
        bug = tmp_path / f"bug-{place}.txt"
        bug.write_text("bug", encoding="utf-8")
        inputs.insert(place, Input(bug.name, str(bug)))
    del inputs[8]  # the empty one
    found = summarized(inputs, work(reader), jobs=2)
    assert names(found) == [f"node-{number}" for number in range(COUNT) if number != 7]
    reason = f"internal error, a bug in iptviz: {of}"
    assert found.unreadable == (("bug-3.txt", reason), ("bug-17.txt", reason))


def test_what_dies_once_is_read_again(inputs: list[Input], tmp_path: Path) -> None:
    (tmp_path / "poison.txt").write_text("poison", encoding="utf-8")
    inputs.insert(9, Input("poison.txt", str(tmp_path / "poison.txt")))
    found = summarized(inputs, work("mortal"), jobs=2)
    assert (tmp_path / "poison.txt.killed").exists()
    assert names(found)[8] == "poison"
    assert found.unreadable == (("node-7.txt", "file is empty"),)


def test_who_dies_while_it_sends_is_not_waited_for(inputs: list[Input], tmp_path: Path) -> None:
    (tmp_path / "poison.txt").write_text("poison", encoding="utf-8")
    inputs[7] = Input("poison.txt", str(tmp_path / "poison.txt"))
    found = summarized(inputs, work("cut_short"), jobs=2)
    assert names(found) == [f"node-{number}" for number in range(COUNT) if number != 7]
    assert found.unreadable == (("poison.txt", DIED),)


def test_an_error_that_cannot_be_sent_is_shown_where_somebody_looks_for_it(
    inputs: list[Input], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPTVIZ_DEBUG", "1")
    (tmp_path / "debug.txt").write_text("x", encoding="utf-8")
    with pytest.raises(RuntimeError, match="TwoWordsError: not expected"):
        summarized([*inputs, Input("debug", str(tmp_path / "debug.txt"))], work("strange"), jobs=2)


def test_a_mistake_of_the_program_costs_the_input_alone(inputs: list[Input], tmp_path: Path) -> None:
    (tmp_path / "bug.txt").write_text("x", encoding="utf-8")
    found = summarized([*inputs, Input("bug", str(tmp_path / "bug.txt"))], work("wrong"), jobs=1)
    assert len(found.nodes) == COUNT - 1
    assert found.unreadable[-1] == ("bug", "internal error, a bug in iptviz: AssertionError: unexpected")


def test_a_mistake_is_shown_where_somebody_looks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPTVIZ_DEBUG", "1")
    (tmp_path / "bug.txt").write_text("x", encoding="utf-8")
    with pytest.raises(AssertionError):
        summarized([Input("bug", str(tmp_path / "bug.txt"))], work("wrong"))


def test_little_starts_no_process(inputs: list[Input], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_pool", lambda *_: pytest.fail("a pool for so little"))
    assert len(summarized(inputs, work("named")).nodes) == COUNT - 1
    assert len(summarized(inputs[:1], work("named"), jobs=4).nodes) == 1
    assert summarized([], work("named"), jobs=4).nodes == ()


def test_what_is_at_urls_or_large_is_read_side_by_side(
    inputs: list[Input], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert running._is_little(inputs)
    assert not running._is_little([*inputs, Input("a", "s3://bucket/a")])
    monkeypatch.setattr(running, "_FEW_BYTES", 100)
    assert not running._is_little(inputs)
    assert running._is_little(inputs[:3])


SCRIPT = """
import signal, sys
from iptviz.fleets.inputs import Input, Work
from iptviz.fleets.running import summarized
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it starts in the background ignore it
print("begun", flush=True)
found = summarized(
    [Input(str(n), sys.argv[2]) for n in range(8)], Work("tests.fleet.stand_ins:" + sys.argv[1], 1 << 20), jobs=2,
)
print(len(found.nodes))
"""


@contextmanager
def started(tmp_path: Path, reader: str) -> Iterator[subprocess.Popen[str]]:
    """A script that asks, in a session of its own: nothing of it outlives the test."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    (tmp_path / "node").write_text("node", encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(script), reader, str(tmp_path / "node")],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    with started(tmp_path, "named") as script:
        said, complaints = script.communicate(timeout=30)
    assert (said, complaints) == ("begun\n8\n", "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_who_is_interrupted_leaves_no_worker(tmp_path: Path, how: signal.Signals) -> None:
    with started(tmp_path, "forever") as script:
        workers = _workers_of(script.pid)
        if how is signal.SIGINT:
            os.killpg(script.pid, how)  # as a terminal does
        else:
            script.kill()
        begun = time.monotonic()
        script.wait(timeout=10)
        while any(Path(f"/proc/{one}").exists() for one in workers):
            assert time.monotonic() - begun < 10, "a worker lives on"
            time.sleep(0.02)
        said, complaints = script.communicate(timeout=10)
    assert said == "begun\n"
    assert complaints.count("Traceback") <= 1


def _workers_of(pid: int) -> list[int]:
    """Return the processes of a session that read, once both do."""
    begun = time.monotonic()
    while time.monotonic() - begun < 20:
        found = [
            int(path.name)
            for path in Path("/proc").iterdir()
            if path.name.isdigit() and int(path.name) != pid and _session(path) == pid
        ]
        # The two that read, the server that they are children of, and Python's own tracker of what is shared.
        if len(found) >= 4:
            return found
        time.sleep(0.02)
    pytest.fail("no workers")


def _session(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[3])
    except OSError:
        return 0


@pytest.mark.parametrize(
    ("count", "workers", "largest"), [(1, 2, 1), (12, 2, 1), (60, 2, 5), (5000, 2, 16), (200, 16, 2)]
)
def test_chunks_are_small_and_hold_all(count: int, workers: int, largest: int) -> None:
    inputs = [Input(str(number), "") for number in range(count)]
    chunks = chunks_of(inputs, workers)
    assert [one for chunk in chunks for one in chunk.inputs] == inputs
    assert max(len(chunk.inputs) for chunk in chunks) == largest
    assert [chunk.first for chunk in chunks[1:]] == [chunk.last for chunk in chunks[:-1]]


@given(st.integers(1, 300), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_neighbours_are_merged_in_order_whatever_comes_first(count: int, order: random.Random) -> None:
    places = list(range(count))
    order.shuffle(places)
    found = Neighbours[tuple[int, ...]](lambda one, other: one + other)
    for place in places:
        found.add(place, place + 1, (place,))
    runs = list(found)
    assert [place for run in runs for place in run] == list(range(count))
    assert len(runs) <= count.bit_length() + 1


def test_what_comes_in_order_is_merged_a_few_times_and_held_in_a_few_runs() -> None:
    work_done: list[int] = []

    def merge(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
        work_done.append(len(one) + len(other))
        return one + other

    found = Neighbours[tuple[int, ...]](merge)
    for place in range(1000):
        found.add(place, place + 1, (place,))
        assert len(list(found)) <= 11
    assert sum(work_done) < 1000 * 20
