"""What is typed wrongly: names that look like others, arguments in each other's places, and what is not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.errors import AbsentError, near
from tests.conftest import ROOT
from tests.program import at_terminal, run, start

if TYPE_CHECKING:
    from pathlib import Path

DUMP = "fixtures/httpd-service/dump.rules"
ASK = ("trace", "httpd-service", DUMP)


# --- did you mean -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "meant"),
    [
        (("trcae", DUMP), 2, "did you mean trace?"),
        (("trace", "--asume", "x", *ASK[1:]), 2, "did you mean --assume"),
        (("trace", "--hlep"), 2, "did you mean --help"),
        (("--versoin",), 2, "did you mean --version?"),
        ((*ASK, "-f", "jsno"), 2, "did you mean json?"),
        ((*ASK, "-o", "answer.jsno"), 2, "did you mean .json?"),
        ((*ASK, "--from", "outsde"), 2, "did you mean outside"),
        ((*ASK, "--assume", "sorce in 10.0.0.0/8"), 2, "did you mean source in?"),
        ((*ASK, "--assume", "not input interfce is eth0"), 2, "did you mean input interface is?"),
        (("explain", "no-endpoint"), 2, "did you mean no-endpoints"),
        (("check", DUMP, "--select", "no-endpoint"), 2, "did you mean no-endpoints"),
        (("check", DUMP, "--min-severity", "hihg"), 2, "did you mean high?"),
        (("services", DUMP, "--sort", "nmae"), 2, "did you mean name?"),
        (("graph", DUMP, "--table", "natt"), 2, "did you mean nat?"),
        (("graph", DUMP, "--around", "KUBE-SERVCES"), 1, "did you mean KUBE-SERVICES"),
        (("graph", DUMP, "--focus", "htpd-service"), 1, "did you mean httpd-service?"),
        (("trace", "htpd-service", DUMP), 1, "did you mean httpd-service?"),
        (("services", DUMP, "-n", "deflt"), 0, "did you mean default?"),
    ],
)
def test_a_name_that_looks_like_what_is_typed_is_told_in_one_line(
    arguments: tuple[str, ...], status: int, meant: str
) -> None:
    done = run(*arguments)
    assert done.returncode == status
    assert [meant in line for line in done.stderr.splitlines()].count(True) == 1


@pytest.mark.parametrize(
    "arguments", [("xyzzy",), (*ASK, "--xyzzy"), (*ASK, "-f", "xyzzy"), (*ASK, "--assume", "xyzzy")]
)
def test_where_nothing_looks_like_it_nothing_is_guessed(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "did you mean" not in done.stderr


def test_near_names_are_few_and_in_order() -> None:
    assert near("node", ["nodes", "nude", "nod", "mode"]) == "did you mean nodes, nod or nude? "
    assert near("WEB", ["web"]) == "did you mean web? "
    assert near("web", []) == ""


# --- in each other's places ---------------------------------------------------------------------------------------


@pytest.fixture
def objects(tmp_path: Path) -> str:
    found = tmp_path / "objects.json"
    found.write_text('{"apiVersion": "v1", "kind": "List", "items": []}')
    return str(found)


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (("trace", DUMP, "httpd-service"), "arguments swapped? usage: iptviz trace TARGET [DUMP]"),
        (("trace", DUMP, "10.97.13.198", "-q"), "arguments swapped? usage: iptviz trace TARGET [DUMP]"),
        (("report", "httpd-service", DUMP), "arguments swapped? usage: iptviz report [DUMP] [TARGET]..."),
        (("packet", "10.97.13.198", DUMP), "usage: iptviz packet [DUMP] --dst 10.97.13.198"),
        (
            ("packet", "10.97.13.198:79"),
            "usage: iptviz packet [DUMP] --dst 10.97.13.198 --protocol tcp --dport 79",
        ),
        (("graph", "10.97.13.198"), "usage: iptviz graph [DUMP] --focus 10.97.13.198"),
        (("services", "10.97.13.198"), "usage: iptviz services [DUMP]"),
    ],
)
def test_swapped_arguments_are_noticed(arguments: tuple[str, ...], usage: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"  {usage}"


def test_swapped_files_are_noticed(objects: str) -> None:
    done = run("verify", objects, DUMP)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("  arguments swapped? usage: iptviz verify DUMP KUBECTL...\n")
    assert "swapped?" not in run("verify", DUMP, objects).stderr
    assert "swapped?" not in run("verify", objects, objects).stderr


def test_a_file_that_is_called_as_a_service_is_no_reason_to_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = ROOT / DUMP
    monkeypatch.chdir(tmp_path)
    (tmp_path / "httpd-service").touch()
    assert run("trace", "httpd-service", str(dump)).returncode == 0
    assert run("trace", "httpd-service", stdin=dump.read_bytes()).returncode == 0
    assert "swapped" not in run("trace", "httpd-service", "missing.rules", "-").stderr


# --- what is not there --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("trace", "nobody", DUMP), 1, 'no service matches "nobody" in this dump'),
        (("graph", DUMP, "--focus", "nobody"), 1, 'no service matches "nobody" in this dump'),
        (("graph", DUMP, "--around", "NOBODY"), 1, 'no chain "NOBODY" in this dump'),
        (("services", DUMP, "-n", "nowhere"), 0, 'no service in namespace "nowhere" in this dump'),
        (
            ("services", DUMP, "--endpoint", "10.9.9.9"),
            0,
            "no service in this dump leads to endpoint 10.9.9.9",
        ),
        (("explain", "nothing-such"), 2, 'unknown finding "nothing-such"'),
    ],
)
def test_a_miss_is_said_quietly_too(arguments: tuple[str, ...], status: int, said: str) -> None:
    for quietly in ((), ("-q",)):
        done = run(*arguments, *quietly)
        assert done.returncode == status
        assert said in done.stderr.splitlines()[0]
    if status == 1:
        assert run(*arguments, "--exit-zero").returncode == 0


def test_what_a_filter_leaves_is_no_miss() -> None:
    assert run("services", DUMP, "-n", "default", "--no-endpoints").stderr == ""
    assert run("services", DUMP, "-n", "default", "--endpoint", "10.244.1.17").stderr == ""


def test_in_python_a_miss_is_an_error_of_its_own() -> None:
    dump = iptviz.load(DUMP)
    with pytest.raises(AbsentError):
        iptviz.graph(dump, around="NOBODY")
    with pytest.raises(AbsentError):
        iptviz.graph(dump, focus="nobody")


# --- a node that nobody knows -------------------------------------------------------------------------------------

OBJECTS = {
    "items": [
        {"kind": "Service", "metadata": {"name": "web", "namespace": "default"},
         "spec": {"clusterIP": "10.96.9.9", "ports": [{"port": 80}]}},
        {"kind": "EndpointSlice",
         "metadata": {"namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
         "ports": [{"port": 80}], "endpoints": [{"addresses": ["10.244.9.9"], "nodeName": "worker-1"}]},
    ]
}  # fmt: skip
NODES = [{"kind": "Node", "metadata": {"name": name}} for name in ("worker-1", "worker-2")]


@pytest.mark.parametrize(
    ("node", "nodes", "status", "said"),
    [
        ("worker-1", [], 1, ""),
        ("wrker-1", [], 1, 'WARNING no endpoint of the API is on node "wrker-1"'),
        ("wrker-1", [], 1, "did you mean worker-1?"),
        ("worker-2", NODES, 1, ""),
        ("wrker-2", NODES, 2, 'no Node object named "wrker-2"\n  did you mean worker-2'),
        ("worker-1", NODES[1:], 1, ""),
    ],
)
def test_the_name_of_a_node_that_nothing_bears_is_questioned(
    tmp_path: Path, node: str, nodes: list[dict[str, object]], status: int, said: str
) -> None:
    file = tmp_path / "objects.json"
    file.write_text(json.dumps({"items": [*OBJECTS["items"], *nodes]}))
    done = run("verify", DUMP, str(file), "--node", node)
    assert done.returncode == status
    assert said in done.stdout + done.stderr
    assert said or "WARNING" not in done.stdout + done.stderr
    if status == 1 and said:
        hidden = run("verify", DUMP, str(file), "--node", node, "--redact")
        assert "WARNING no endpoint of the API is on node" in hidden.stdout
        assert "rker" not in hidden.stdout + hidden.stderr


# --- a report -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [(), ("httpd-service",), ("10.97.13.198", ":32123")])
def test_a_report_reads_what_is_piped_in(targets: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    dump = (ROOT / DUMP).read_bytes()
    done = run("report", *targets, "-o", str(file), stdin=dump)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    piped = file.read_text()
    run("report", "-", *targets, "-o", str(file), stdin=dump)
    assert piped == file.read_text()


@pytest.mark.parametrize("missing", ["dump.rules", "node_1", "dumps/node.7.txt"])
def test_a_file_that_is_missing_is_no_target_where_something_is_piped_in(missing: str) -> None:
    done = run("report", missing, stdin=(ROOT / DUMP).read_bytes())
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{missing}: " in done.stderr


def test_a_file_that_is_missing_is_no_target_where_nothing_is_piped_in() -> None:
    done = start(shell='"$@" report missing -f markdown </dev/null')
    assert (done.returncode, done.stdout) == (2, "")
    assert "missing: cannot be read: no such file" in done.stderr
    done = run("report", "missing", "-f", "markdown")
    assert 'no file "missing": it was read as a TARGET' in done.stderr


def test_a_report_of_what_is_piped_in_is_not_written_over_it(tmp_path: Path) -> None:
    file = tmp_path / "dump.html"
    file.write_bytes((ROOT / DUMP).read_bytes())
    done = start(shell=f'"$@" report httpd-service -o {file} <{file}')
    assert done.returncode == 2
    assert "would overwrite the file on standard input" in done.stderr
    assert file.read_bytes() == (ROOT / DUMP).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (("report", DUMP), "report.html"),
        (("report", DUMP, "-o", "-"), "report.html"),
        (("report", DUMP, "-f", "zip"), "report.zip"),
        (("trace", "httpd-service", DUMP, "-f", "html"), "out.html"),
        (("trace", "httpd-service", DUMP, "-f", "png"), "out.png"),
    ],
)
def test_what_floods_a_terminal_is_refused(arguments: tuple[str, ...], file: str) -> None:
    status, text = at_terminal(80, *arguments)
    name = file.partition(".")[2].upper()
    assert (status, text) == (2, f"iptviz: refusing to write {name} to a terminal; use -o {file}\n")
