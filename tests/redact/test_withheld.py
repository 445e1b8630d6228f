"""`check --redact` decides by the dump itself: what pseudonyms do not show is told, what they alone show is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from iptviz.checks.finding import Finding, Withheld, found
from iptviz.checks.registry import diagnosis_of
from iptviz.checks.wording import sentence
from iptviz.cli.app import app
from iptviz.intake.remark import remark
from iptviz.questions.pseudonyms import agreed, withheld
from iptviz.redact import rules
from iptviz.redact.names import Names

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("known_keys")
UNREADABLE = "fixtures/checks/dnat-unreadable/fault.rules"
FORWARD_DROP = "fixtures/checks/forward-drop/fault-docker.rules"
SET = "fixtures/checks/both-modes/fault.rules"
GLUED = """*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -m comment --comment=acme -j ACCEPT
-A PREROUTING -m set --match-set acme src -j ACCEPT
COMMIT
"""


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["check", *arguments])
    return done.exit_code, done.stdout, done.stderr


def asked(*arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run(*arguments, "--json")[1])
    return document


def ids(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["id"], one["severity"]) for one in document["findings"]]


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pseudonyms hide more than they should."""
    monkeypatch.setattr(rules, "_NOT_PRINTED", set())
    monkeypatch.setattr(Names, "interface", lambda self, name: self.text(name)[:9])


@pytest.mark.parametrize("dump", [UNREADABLE, FORWARD_DROP, SET])
def test_the_same_is_found_and_nothing_is_noted(dump: str) -> None:
    plain, shown = asked(dump), asked(dump, "--redact")
    assert ids(shown) == ids(plain)
    assert shown["notes"] == plain["notes"]
    assert run(dump, "--redact")[0] == 1


@pytest.mark.usefixtures("forgetful")
def test_what_only_the_dump_shows_is_noted_and_counts() -> None:
    status, text, _ = run(UNREADABLE, "--redact")
    assert status == 1
    assert "1 finding is not shown in pseudonyms: dnat-unreadable (critical)" in " ".join(text.split())
    document = asked(UNREADABLE, "--redact")
    assert "dnat-unreadable" not in dict(ids(document))
    assert document["notes"][0] == "1 finding is not shown in pseudonyms: dnat-unreadable (critical)"


@pytest.mark.usefixtures("forgetful")
def test_another_severity_is_another_finding() -> None:
    assert ("forward-drop", "high") in ids(asked(FORWARD_DROP))
    document = asked(FORWARD_DROP, "--redact")
    assert "forward-drop" not in dict(ids(document))
    assert "forward-drop (high)" in document["notes"][0]
    assert run(FORWARD_DROP, "--redact")[0] == 1


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("less", [("--ignore", "dnat-unreadable"), ("--select", "nat-flushed")])
def test_what_nobody_asked_for_is_not_noted(less: tuple[str, str]) -> None:
    assert run(UNREADABLE, "--redact", *less)[0] == 0
    assert asked(UNREADABLE, "--redact", *less)["notes"] == []


def test_what_only_pseudonyms_show_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "dump.rules").write_text(GLUED)
    dump = str(tmp_path / "dump.rules")
    public = CliRunner().invoke(app, ["redact", dump]).stdout
    (tmp_path / "public.rules").write_text(public)
    assert "unreachable-rule" in dict(ids(asked(str(tmp_path / "public.rules"))))
    assert ids(asked(dump, "--redact")) == ids(asked(dump))
    assert run(dump, "--redact")[0] == run(dump)[0] == 0


def test_files_beside_are_read_once(tmp_path: Path) -> None:
    """What is piped in cannot be read again."""
    fault = "fixtures/checks/bridge-nf-call/fault"
    import os
    from threading import Thread

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with open(f"{fault}.routes") as file:  # noqa: PTH123
        routes = file.read()
    writer = Thread(target=pipe.write_text, args=(routes,))
    writer.start()
    document = asked(f"{fault}.rules", "--sysctl", f"{fault}.sysctl", "--routes", str(pipe), "--redact")
    writer.join()
    assert "bridge-nf-call" in dict(ids(document))


# --- which is which --------------------------------------------------------------------------------------------


class _At:
    def __init__(self, line: int) -> None:
        self.line, self.text = line, ""


def one(what: str, *lines: int, state: str = "") -> Finding:
    return found(diagnosis_of(what), [_At(line) for line in lines], state=state)  # type: ignore[misc]


def test_of_too_many_those_stay_that_stand_on_the_same_lines() -> None:
    shown = [one("hairpin-missing", 4), one("hairpin-missing", 7), one("hairpin-missing", 9)]
    assert agreed(shown, [one("hairpin-missing", 7)]) == (shown[1],)
    assert agreed(shown, [one("hairpin-missing", 7), one("hairpin-missing", 1)]) == tuple(shown[:2])
    assert agreed(shown, []) == ()
    assert agreed([], shown) == ()


def test_what_is_lost_is_counted_the_worst_first() -> None:
    lost = [one("partial-dump", 4), one("partial-dump", 5), one("nat-unreadable", 7)]
    assert withheld([], lost) == (
        Withheld("nat-unreadable", "high", 1),
        Withheld("partial-dump", "medium", 2),
    )
    assert withheld([one("partial-dump", 9)], lost[:1]) == ()
    said = sentence(remark("not-in-pseudonyms", withheld=withheld([], lost)))
    assert said == (
        "3 findings are not shown in pseudonyms: nat-unreadable (high), partial-dump (medium, 2 times)"
    )
