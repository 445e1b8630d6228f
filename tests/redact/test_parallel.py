"""Runs at the same time with one map: one key, and every pseudonym that any of them gave."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from iptviz.cli.app import app
from iptviz.cli.options import Options
from iptviz.cli.redacting import redacted
from iptviz.node.load import load_node
from iptviz.redact.dump import Redactor
from iptviz.redact.lock import locked
from iptviz.redact.secrets import Secrets
from iptviz.source.origin import FoundTexts, read_sources

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUNS = 4
SHARED = (18080, 19090)
"""Ports that all runs have."""


def text_of(run: int, *shared: int) -> str:
    rules = [rule(run, 8000 + run), *(rule(100 + port // 1000, port) for port in shared or SHARED)]
    return f"*nat\n{''.join(rules)}COMMIT\n"


def rule(number: int, port: int) -> str:
    return f"-A KUBE-MINE-{number:03} -d 10.96.0.{number}/32 -p tcp -m tcp --dport {port} -j ACCEPT\n"


def words_of(path: Path) -> dict[str, str]:
    """All pseudonyms that a map holds."""
    kept = json.loads(path.read_text())
    return {f"{kind} {name}": word for kind, words in kept["names"].items() for name, word in words.items()}


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    return tmp_path / "secret.json"


# --- processes ---------------------------------------------------------------------------------------------------

SEVERAL = """
import sys
from typer.testing import CliRunner
from iptviz.cli.app import app
run, mapping = sys.argv[1:]
from tests.redact.test_parallel import text_of
sys.stdin.readline()
for number in range(3):
    done = CliRunner().invoke(app, ["redact", "--ports", "--map", mapping], input=text_of(int(run) * 10 + number))
    assert done.exit_code == 0, done.stderr
    print(done.stdout)
"""


def test_processes_with_a_new_map_agree_on_its_key_and_lose_nothing(mapping: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SEVERAL, str(run), str(mapping)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for run in range(RUNS)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    texts = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * RUNS
    words = words_of(mapping)
    for run, text in enumerate(texts):
        for number in range(3):
            assert f"CHAIN-{words[f'chain KUBE-MINE-{run * 10 + number:03}']}" in text
            assert f"--dport {words[f'port {8000 + run * 10 + number}']} " in text
        for port in SHARED:
            assert text.count(f"--dport {words[f'port {port}']} ") == 3
    assert [one.name for one in mapping.parent.iterdir()] == ["secret.json"]


def test_a_run_that_is_killed_keeps_no_other_waiting(mapping: Path) -> None:
    code = "import sys\nfrom iptviz.redact.lock import locked\nwith locked(sys.argv[1]):\n print(flush=True)\n sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(mapping)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert len(list(mapping.parent.iterdir())) == 1  # nobody could take the lock away
    redact(mapping, text_of(1))
    assert [one.name for one in mapping.parent.iterdir()] == ["secret.json"]


# --- the worst moment ----------------------------------------------------------------------------------------------


def redact(mapping: Path, text: str) -> str:
    return redacted(load_node(text.encode()), Options(mapping=str(mapping)), ports=True)


def while_one_is_between(
    monkeypatch: pytest.MonkeyPatch, first: Callable[[], Any], second: Callable[[], Any]
) -> None:
    """Run `first`; when it has read the map and not yet written it, start `second`, and let it try for a while."""
    text_of_dump, started = Redactor.text, Event()
    other = Thread(target=second)

    def text(redactor: Redactor, **told: Any) -> str:
        if not started.is_set():
            started.set()
            other.start()
            other.join(0.1)
            assert other.is_alive(), "the second run has not waited for the first"
        return text_of_dump(redactor, **told)

    monkeypatch.setattr(Redactor, "text", text)
    first()
    other.join()


def test_a_run_waits_for_another_that_has_read_the_map(
    mapping: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every port would become the same one: which of them gets it is known where runs know of each other.
    monkeypatch.setattr(Secrets, "_random", lambda _, data: int(data.split(b"/")[1]))
    texts: list[str] = []
    while_one_is_between(
        monkeypatch,
        lambda: texts.append(redact(mapping, text_of(1))),
        lambda: texts.append(redact(mapping, text_of(2, *reversed(SHARED)))),
    )
    words = words_of(mapping)
    ports = [re.findall(r"--dport (\d+)", text) for text in texts]
    assert ports == [
        [words[f"port {port}"] for port in every] for every in ((8001, *SHARED), (8002, *reversed(SHARED)))
    ]
    assert len({*ports[0], *ports[1]}) == 4


@pytest.mark.parametrize(
    "arguments",
    [("redact",), ("services",), ("packet", "--src", "192.0.2.200"), ("sources",)],
    ids=lambda arguments: arguments[0],
)
def test_every_command_has_the_map_for_itself_from_reading_to_writing(
    mapping: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    fcntl = pytest.importorskip("fcntl")
    held: list[bool] = []

    def hold(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(path: str, *more: Any) -> Any:
            with lock_file(mapping).open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    held.append(True)
            return function(path, *more)

        return called

    from iptviz.redact import mapping as module

    monkeypatch.setattr(module, "read_mapping", hold(module.read_mapping))
    monkeypatch.setattr(module, "write_mapping", hold(module.write_mapping))
    done = CliRunner().invoke(app, [*arguments, "--map", str(mapping)], input=text_of(1))
    assert done.exit_code == 0, done.stderr
    assert len(held) >= 2
    assert [one.name for one in mapping.parent.iterdir()] == ["secret.json"]


def lock_file(mapping: Path) -> Path:
    (found,) = mapping.parent.glob(".*lock*")
    return found


# --- the lock -------------------------------------------------------------------------------------------------------


def test_the_lock_is_for_one_at_a_time_and_nothing_is_left_of_it(mapping: Path) -> None:
    counter = mapping.with_name("counter")
    counter.write_text("0")

    def count() -> None:
        for _ in range(25):
            with locked(str(mapping)):
                counter.write_text(str(int(counter.read_text()) + 1))

    threads = [Thread(target=count) for _ in range(RUNS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == str(25 * RUNS)
    assert list(mapping.parent.iterdir()) == [counter]


def test_a_lock_that_was_taken_away_while_one_waited_is_no_lock(
    mapping: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    flock = fcntl.flock
    taken: list[Path] = []

    def late(file: Any, how: int) -> None:
        flock(file, how)
        if not taken:
            taken.append(lock_file(mapping))
            taken[0].unlink()  # as the one does that had it before

    monkeypatch.setattr(fcntl, "flock", late)
    with locked(str(mapping)), lock_file(mapping).open("rb") as file, pytest.raises(BlockingIOError):
        flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert list(mapping.parent.iterdir()) == []


def test_all_names_of_a_map_have_one_lock(mapping: Path) -> None:
    (mapping.parent / "folder").mkdir()
    link = mapping.parent / "folder" / "link.json"
    link.symlink_to(mapping)
    with locked(str(link)):
        assert lock_file(mapping).exists()
        assert list(link.parent.iterdir()) == [link]


def test_a_lock_is_no_place_to_follow_a_link_from(mapping: Path) -> None:
    with locked(str(mapping)):
        name = lock_file(mapping).name
    mapping.with_name(name).symlink_to(mapping.with_name("elsewhere"))
    done = CliRunner().invoke(app, ["redact", "--map", str(mapping)], input=text_of(1))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "secret.json: cannot be written: too many levels of symbolic links" in done.stderr
    assert not mapping.with_name("elsewhere").exists()


def test_a_file_system_without_locks_is_said(mapping: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    done = CliRunner().invoke(app, ["redact", "--map", str(mapping)], input=text_of(1))
    assert (done.exit_code, done.stdout) == (2, "")
    assert (
        done.stderr
        == f"iptviz: {mapping}: cannot be locked: no locks available\n  put the map on another file system\n"
    )
    assert not mapping.exists()


def test_without_fcntl_a_map_is_kept_all_the_same(mapping: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    redact(mapping, text_of(1))
    assert "chain KUBE-MINE-001" in words_of(mapping)
    assert [one.name for one in mapping.parent.iterdir()] == ["secret.json"]


@pytest.mark.parametrize("command", ["redact", "services", "sources"])
def test_a_dump_is_waited_for_without_the_lock(
    mapping: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """One run may read what another writes with the same map."""
    seen: list[list[Path]] = []

    def read(*arguments: Any) -> FoundTexts:
        seen.append(list(mapping.parent.iterdir()))
        return read_sources(*arguments)

    monkeypatch.setattr("iptviz.node.load.read_sources", read)
    done = CliRunner().invoke(app, [command, "--map", str(mapping)], input=text_of(1))
    assert (done.exit_code, seen) == (0, [[]])
