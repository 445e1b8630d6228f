"""TARGETs as people have them, on the command line."""

from __future__ import annotations

import json

import pytest

from tests.conftest import FIXTURES
from tests.program import run

DUMP = str(FIXTURES / "httpd-service" / "dump.rules")


@pytest.mark.parametrize(
    "words",
    [
        ("svc/httpd-service", "-n", "default"),
        ("httpd-service", "--namespace", "default"),
        ("http://user:secret@httpd-service.default:79/healthz",),
        ("HTTPD-SERVICE.default.svc.cluster.local.",),
        ("32123",),
    ],
)
@pytest.mark.parametrize("more", [(), ("--redact",)])
def test_the_service_is_found(words: tuple[str, ...], more: tuple[str, ...]) -> None:
    done = run("trace", *words, DUMP, "--json", *more)
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert {len(service["endpoints"]) for service in document["services"]} == {4}
    assert "secret" not in done.stdout + done.stderr
    assert not more or "httpd" not in done.stdout + done.stderr


def test_a_bare_number_is_said_to_be_read_as_a_node_port() -> None:
    assert "note: reading 32123 as node port :32123\n" in run("trace", "32123", DUMP).stdout
    assert "reading" not in run("trace", ":32123", DUMP).stdout
    done = run("trace", "79", DUMP)
    assert (done.returncode, done.stdout) == (1, "")
    assert "10.97.13.198:79/tcp (default/httpd-service)" in done.stderr
    assert "reading 79 as node port :79" in done.stderr


@pytest.mark.parametrize("target", ["http", "FORWARD", "10.99.9.9:80", "web.shop.svc:80"])
def test_what_is_not_there_is_no_answer(target: str) -> None:
    done = run("trace", target, DUMP)
    assert (done.returncode, done.stdout) == (1, "")
    assert f'no service matches "{target}" in this dump' in done.stderr
    document = json.loads(run("trace", target, DUMP, "--json").stdout)
    assert document["services"] == []
    assert len(document["notes"]) > 1
    assert len(run("trace", target, DUMP, "-q").stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("www.example.com",), '"www.example.com" is a host name, not a service'),
        (("pod-0.web.shop.svc",), "name of a pod behind a headless service"),
        (("10.0.0.1", "-n", "shop"), "--namespace shop needs the name of a service"),
        (("other/web", "-n", "shop"), "is in namespace other, not shop"),
        (("http://user:secret@", "-n", "shop"), "invalid TARGET"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_line(words: tuple[str, ...], said: str) -> None:
    done = run("trace", *words, DUMP)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "secret" not in done.stderr
