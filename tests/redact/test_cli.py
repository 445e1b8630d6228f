"""The command: pseudonyms on standard output, the mapping in a file that is the owner's alone."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from iptviz.cli.app import app
from iptviz.redact.secrets import Secrets

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("known_keys")
DUMP = "fixtures/policies-today/dump.rules"
OTHER = "fixtures/policies-old/dump.rules"


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stdout, done.stderr


def test_it_prints_a_dump_in_pseudonyms() -> None:
    status, text, message = run("redact", DUMP)
    assert (status, message) == (0, "")
    assert "-A KUBE-SERVICES -d " in text
    assert "default/shop" not in text
    assert "203.0.113" not in text


def test_with_one_map_two_dumps_stay_comparable(tmp_path: Path) -> None:
    mapping = tmp_path / "secret.json"
    first = run("redact", DUMP, "--map", str(mapping))[1]
    assert stat.S_IMODE(mapping.stat().st_mode) == 0o600
    second = run("redact", OTHER, "--map", str(mapping))[1]
    again = run("redact", DUMP, "--map", str(mapping))[1]
    assert again == first
    names = [
        set(re.findall(r'--comment "(ns-\w+/svc-\w+:p-\w+) cluster IP"', text)) for text in (first, second)
    ]
    assert len(names[0]) >= 5
    assert names[0] == names[1]
    kept = json.loads(mapping.read_text())
    assert kept["names"]["service"]["shop"] in first
    assert kept["addresses"]["203.0.113.10"] in first
    assert run("redact", DUMP)[1] != first


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"key": "zz", "names": {}, "ordered": []}', "\0"])
def test_a_file_that_is_no_map_is_said_and_left_alone(tmp_path: Path, text: str) -> None:
    mapping = tmp_path / "notes.txt"
    mapping.write_text(text)
    status, output, message = run("redact", DUMP, "--map", str(mapping))
    assert (status, output) == (2, "")
    assert "is no mapping of pseudonyms" in message
    assert mapping.read_text() == text


def test_a_map_that_cannot_be_written_stops_before_anything_is_told(tmp_path: Path) -> None:
    status, output, message = run("redact", DUMP, "--map", str(tmp_path / "missing" / "secret.json"))
    assert (status, output) == (2, "")
    assert "cannot be written" in message


def test_lines_are_those_of_the_original() -> None:
    lines = run("redact", DUMP)[1].splitlines()
    with open(DUMP, encoding="utf-8") as file:  # noqa: PTH123
        original = file.read().splitlines()
    for number, line in enumerate(original):
        if line.startswith(("-A ", "*", ":", "COMMIT")):
            assert lines[number].split(" ")[0] == line.split(" ")[0] or line.startswith(":")


# --- every answer in pseudonyms ----------------------------------------------------------------------------------

ANSWERS = [
    ("trace", "203.0.113.10", DUMP),
    ("trace", "default/shop", DUMP),
    ("trace", "KUBE-SVC-BILYYKAKWI7RYELB", DUMP, "-f", "dot"),
    ("trace", ":30080", DUMP, "-f", "mermaid"),
    ("trace", "10.244.0.7:8080", DUMP, "--json"),
    ("services", DUMP),
    ("services", DUMP, "-n", "default"),
    ("services", DUMP, "--endpoint", "10.244.0.7:8080", "--json"),
    ("graph", DUMP),
    ("graph", DUMP, "--around", "KUBE-EXT-BILYYKAKWI7RYELB"),
    ("graph", DUMP, "--focus", "default/shop", "--all"),
    ("packet", DUMP, "--src", "203.0.113.77", "--dst", "203.0.113.10", "--protocol", "tcp", "--dport", "80", "--mark", "0",
     "--in", "eth0", "--local-ip", "192.168.1.10"),
]  # fmt: skip
SECRET = re.compile(
    r"203\.0\.113|10\.244\.|10\.97\.|192\.168\.1\.10|shop|default|BILYYKAKWI7RYELB|policies-today"
)


@pytest.mark.parametrize("arguments", ANSWERS, ids=lambda arguments: " ".join(arguments)[:60])
def test_an_answer_in_pseudonyms_is_as_long_as_the_plain_one_and_tells_nothing(
    arguments: tuple[str, ...],
) -> None:
    status, plain, _ = run(*arguments)
    assert (status, bool(SECRET.search(plain))) == (0, True)
    status, text, message = run(*arguments, "--redact")
    assert (status, message) == (0, "")
    assert not SECRET.search(text), SECRET.search(text)
    assert len(text.splitlines()) == len(plain.splitlines())


def test_a_map_alone_asks_for_pseudonyms_those_of_redact(tmp_path: Path) -> None:
    mapping = str(tmp_path / "secret.json")
    public = tmp_path / "public.rules"
    run("redact", DUMP, "--map", mapping, "-o", str(public))
    mine = run("trace", "203.0.113.10", DUMP, "--map", mapping)[1]
    address = json.loads((tmp_path / "secret.json").read_text())["addresses"]["203.0.113.10"]
    theirs = run("trace", address, str(public))[1]
    assert mine.splitlines()[1:] == theirs.splitlines()[1:]


def test_a_random_key_that_makes_one_address_of_the_dump_from_another_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mistaken = _pseudonym(0, "10.0.0.1")
    rules = f"*filter\n-A INPUT -s 10.0.0.1/32 -j DROP\n-A INPUT -s {mistaken}/32 -j ACCEPT\nCOMMIT\n"
    (tmp_path / "dump.rules").write_text(rules)
    keys = iter([0, 1])
    monkeypatch.setattr("secrets.token_bytes", lambda size: next(keys).to_bytes(size, "big"))
    _, text, _ = run("redact", str(tmp_path / "dump.rules"))
    assert f"-s {_pseudonym(1, '10.0.0.1')}/32 -j DROP" in text


def _pseudonym(key: int, address: str) -> str:
    return Secrets(key.to_bytes(32, "big")).addresses.of(address)
