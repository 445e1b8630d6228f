"""Inputs read by workers of a real scheduler: the same as on one machine, whoever dies meanwhile."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from iptviz.errors import DumpError
from iptviz.fleets import scheduler
from iptviz.fleets.inputs import Input, NotInstalledError, Work
from iptviz.fleets.running import summarized
from iptviz.fleets.scheduler import KILLED, summarized_by
from tests.fleet.stand_ins import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fleet.dask_cluster import Cluster

COUNT = 40


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    pytest.importorskip("distributed", reason="no Dask: pip install '.[fleet]'")
    from tests.fleet.dask_cluster import cluster

    # Tests do not wait for three more workers to be killed by the same dump.
    env = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    with cluster(tmp_path_factory.mktemp("dask"), env=env) as found:
        yield found


@pytest.fixture
def inputs(tmp_path: Path) -> list[Input]:
    paths = [tmp_path / f"node-{number}.txt" for number in range(COUNT)]
    for path in paths:
        path.write_text("" if path.stem == "node-7" else path.stem, encoding="utf-8")
    return [Input(path.name, str(path)) for path in paths]


def work(reader: str, cache: str = "") -> Work:
    return Work(f"{HERE}:{reader}", 1 << 20, cache)


def test_workers_say_what_one_machine_says(
    dask: Cluster, inputs: list[Input], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[float | None] = []
    expected = summarized(inputs, work("named"), jobs=1)
    cache = str(tmp_path / "cache")
    Path(cache).mkdir()
    for _ in range(2):
        found = summarized_by(
            dask.address, inputs, work("named", cache), progress=lambda _, done: told.append(done)
        )
        assert found == expected
    assert len(list(Path(cache).iterdir())) == COUNT - 1
    assert told[-1] == 1.0
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_is_lost_costs_a_retry(dask: Cluster, inputs: list[Input]) -> None:
    from distributed import Client

    with Client(dask.address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=20)
        victim = min(client.run(os.getpid).values())
    killed: list[float | None] = []

    def kill(_doing: str, done: float | None) -> None:
        if not killed and done and done > 0.3:
            os.kill(victim, signal.SIGKILL)
            killed.append(done)

    found = summarized_by(dask.address, inputs, work("slow"), progress=kill)
    assert len(killed) == 1
    assert (killed[0] or 1) < 0.8
    assert found == summarized(inputs, work("named"), jobs=1)


def test_a_poisoned_dump_costs_itself_alone(dask: Cluster, inputs: list[Input], tmp_path: Path) -> None:
    poison = tmp_path / "poison.txt"
    poison.write_text("never read", encoding="utf-8")
    inputs.insert(20, Input("poison.txt", str(poison)))
    found = summarized_by(dask.address, inputs, work("deadly"))
    expected = summarized([one for one in inputs if one.label != "poison.txt"], work("named"), jobs=1)
    assert found.nodes == expected.nodes
    assert found.unreadable == (("node-7.txt", "file is empty"), ("poison.txt", KILLED))


@pytest.mark.parametrize(
    ("reader", "reason"),
    [
        ("unsendable", "internal error, a bug in iptviz: TypeError: cannot pickle '_thread.lock' object"),
        ("unreceivable", "a Dask worker failed: ValueError: not to be had"),
        ("strange", "internal error, a bug in iptviz: TwoWordsError: not expected"),
        ("leaving", "internal error, a bug in iptviz: SystemExit: 3"),
    ],
)
def test_what_cannot_be_sent_costs_the_input_alone(
    reader: str, reason: str, dask: Cluster, inputs: list[Input], tmp_path: Path
) -> None:
    (tmp_path / "bug.txt").write_text("bug", encoding="utf-8")
    inputs[7] = Input("bug.txt", str(tmp_path / "bug.txt"))
    found = summarized_by(dask.address, inputs, work(reader))
    assert [node.name for node in found.nodes] == [f"node-{number}" for number in range(COUNT) if number != 7]
    assert found.unreadable == (("bug.txt", reason),)


def test_what_dies_once_is_read_again(dask: Cluster, inputs: list[Input], tmp_path: Path) -> None:
    (tmp_path / "poison.txt").write_text("poison", encoding="utf-8")
    inputs[7] = Input("poison.txt", str(tmp_path / "poison.txt"))
    found = summarized_by(dask.address, inputs, work("mortal"))
    assert found.nodes[7].name == "poison"
    assert (len(found.nodes), found.unreadable) == (COUNT, ())


def test_workers_of_another_version_are_named(
    dask: Cluster, inputs: list[Input], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_versions", _one_here_and_another_there)
    with pytest.raises(
        DumpError, match=r"(?s)Dask worker tcp://\S+ has iptviz \d+, Python 3, this is.*same ver"
    ):
        summarized_by(dask.address, inputs, work("named"))


def _one_here_and_another_there() -> tuple[str, str]:
    return str(os.getpid()), "3"


def test_without_workers_nobody_waits(
    tmp_path: Path, inputs: list[Input], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="no Dask: pip install '.[fleet]'")
    from tests.fleet.dask_cluster import cluster

    monkeypatch.setattr(scheduler, "_PATIENCE", 1)
    with (
        cluster(tmp_path, workers=0) as lonely,
        pytest.raises(DumpError, match="the Dask scheduler has no workers"),
    ):
        summarized_by(lonely.address, inputs, work("named"))


def test_where_all_workers_die_for_good_nobody_waits(
    tmp_path: Path, inputs: list[Input], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="no Dask: pip install '.[fleet]'")
    from tests.fleet.dask_cluster import cluster

    (tmp_path / "poison.txt").write_text("never read", encoding="utf-8")
    inputs.append(Input("poison.txt", str(tmp_path / "poison.txt")))
    with cluster(tmp_path, workers=1, more=("--no-nanny",)) as mortal:
        scheduler_is_there = summarized_by(mortal.address, inputs[:3], work("named"))
        assert len(scheduler_is_there.nodes) == 3
        monkeypatch.setattr(scheduler, "_PATIENCE", 1)
        with pytest.raises(DumpError, match="stopped before the answer was there: all workers are gone"):
            summarized_by(mortal.address, inputs, work("deadly"))


def _silent() -> socket.socket:
    """What accepts a connection, and says nothing."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.listen()
    return listening


def test_a_scheduler_that_does_not_answer(inputs: list[Input], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="no Dask: pip install '.[fleet]'")
    assert scheduler._PATIENCE <= 8, "with all that is imported, it shall be said within 10 seconds"
    monkeypatch.setattr(scheduler, "_PATIENCE", 1)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with _silent() as silent:
        for address in (f"tcp://127.0.0.1:{port}", f"tcp://127.0.0.1:{silent.getsockname()[1]}"):
            begun = time.monotonic()
            with pytest.raises(
                DumpError, match=r"tcp://127.0.0.1:\d+: no Dask scheduler answers within 1 sec"
            ):
                summarized_by(address, inputs, work("named"))
            assert time.monotonic() - begun < 4


def test_what_answers_otherwise_is_no_scheduler(inputs: list[Input], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="no Dask: pip install '.[fleet]'")
    monkeypatch.setattr(scheduler, "_PATIENCE", 1)

    def greet(listening: socket.socket) -> None:
        with suppress(OSError):  # nobody came, or is gone
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"220 mail.example.org ESMTP\r\n" * 9)

    with _silent() as listening:
        listening.settimeout(10)
        Thread(target=greet, args=(listening,), daemon=True).start()
        with pytest.raises(DumpError, match="no Dask scheduler answers"):
            summarized_by(f"127.0.0.1:{listening.getsockname()[1]}", inputs, work("named"))


@pytest.mark.parametrize(
    "address", ["", "host", "http://host:80", "tcp://host", "tcp://me:pw@host:1", "tcp://host:8786/x"]
)
def test_an_address_is_looked_at_first(address: str, inputs: list[Input]) -> None:
    pytest.importorskip("distributed", reason="no Dask: pip install '.[fleet]'")
    with pytest.raises(DumpError, match="invalid scheduler address") as refused:
        summarized_by(address, inputs, work("named"))
    assert "pw" not in str(refused.value)


def test_without_dask_it_is_said_what_to_install(
    inputs: list[Input], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NotInstalledError, match=r"(?s)--scheduler needs Dask.*pip install 'iptviz\[fleet\]'"):
        summarized_by("tcp://127.0.0.1:8786", inputs, work("named"))
