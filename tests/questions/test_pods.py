"""Endpoints by the names of their pods, and pods as TARGETs."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.checks.wording import sentences
from iptviz.questions.report import report
from iptviz.render.formats import FORMATS
from iptviz.supplied.files import Supplied
from iptviz.terminal import Style
from tests.conftest import FIXTURES
from tests.program import run

if TYPE_CHECKING:
    from pathlib import Path

DUMP = str(FIXTURES / "httpd-service" / "dump.rules")
HEAD = "NAMESPACE     NAME             READY   STATUS    RESTARTS   AGE   IP            NODE\n"
LIST = HEAD + (
    "shop          web-7d4b9c-x2x   1/1     Running   0          10d   10.244.1.17   node-1\n"
    "shop          web-7d4b9c-y3y   1/1     Running   0          10d   10.244.1.18   node-1\n"
    "other         web-7d4b9c-y3y   1/1     Running   0          10d   10.244.9.9    node-1\n"
    "kube-system   coredns-1        1/1     Running   0          10d   10.244.0.2    node-2\n"
    "shop          loner-1          1/1     Running   0          10d   10.244.7.7    node-2\n"
)
PODS = Supplied(LIST, "pods")
FIRST, SECOND = "shop/web-7d4b9c-x2x", "shop/web-7d4b9c-y3y"


@pytest.fixture
def listed(tmp_path: Path) -> str:
    (tmp_path / "pods").write_text(LIST)
    return str(tmp_path / "pods")


def test_a_trace_names_the_pods() -> None:
    result = iptviz.trace(iptviz.load(DUMP), "10.97.13.198", pods=PODS)
    (service,) = result.to_dict()["services"]
    assert [end["pod"] for end in service["endpoints"]] == [FIRST, SECOND, None, None]
    assert [row["pod"] for row in service["paths"][0]["endpoints"]] == [FIRST, SECOND, None, None]
    assert "no listed pod has 10.244.2.20, 10.244.2.21" in "\n".join(sentences(result.notes))


def test_without_a_list_nothing_is_said_of_pods() -> None:
    result = iptviz.trace(iptviz.load(DUMP), "10.97.13.198")
    assert '"pod":' not in json.dumps(result.to_dict())
    assert not any("pod has" in note for note in sentences(result.notes))


def test_services_and_packets_name_the_pods() -> None:
    dump = iptviz.load(DUMP)
    found = iptviz.services(dump, pods=PODS).to_dict()["services"]
    by_name = {one["service"]["name"]: one for one in found}
    assert [end["pod"] for end in by_name["httpd-service"]["endpoints"]] == [FIRST, SECOND, None, None]
    packet = iptviz.packet(dump, dst="10.97.13.198", protocol="tcp", dport=79, pods=PODS).to_dict()
    pods = {outcome["dnat"]: outcome["pod"] for outcome in packet["outcomes"]}
    assert (pods["10.244.1.17:80"], pods["10.244.2.20:80"]) == (FIRST, None)


def test_a_report_names_the_pods() -> None:
    result = report(iptviz.load(DUMP), ["10.97.13.198"], pods=PODS)
    assert FIRST in json.dumps([answer.to_dict() for answer in result.answers])


WEB = Supplied(
    HEAD
    + (
        "shop          web-1            1/1     Running   0          10d   10.244.1.5   node-1\n"
        "shop          web-2            1/1     Running   0          10d   10.244.1.6   node-1\n"
    ),
    "pods",
)


@pytest.mark.parametrize(
    ("fixture", "said"),
    [
        ("endpoint-shadowed/fault", "10.244.1.6:8080 shop/web-2"),
        ("endpoint-without-dnat/fault", "10.244.1.6:8080 shop/web-2"),
        ("hairpin-missing/fault", "10.244.1.6:8080 shop/web-2"),
        ("bridge-nf-call/fault", "10.244.1.5:8080 shop/web-1 (shop/web:http)"),
        ("stale-pod-policy/fault", "10.244.1.5 shop/web-1"),
    ],
)
def test_findings_name_the_pods_and_are_known_again_without(fixture: str, said: str) -> None:
    node = iptviz.load_node(*sorted(str(path) for path in (FIXTURES / "checks").glob(f"{fixture}.*")))
    select = fixture.partition("/")[0]
    plain, named = (iptviz.check(node, select=select, pods=pods) for pods in (None, WEB))
    (before, *_), (after, *_) = (result.to_dict()["findings"] for result in (plain, named))
    assert said in after["message"]
    assert "shop/web-" not in before["message"]
    assert before["fingerprint"] == after["fingerprint"]
    for name in ("table", "html", "markdown", "github", "sarif", "junit"):
        assert said.split()[1] in str(FORMATS[name].writer("check")(named, Style(), fold=True))


@pytest.mark.parametrize(
    "arguments",
    [
        ("trace", "default/httpd-service", DUMP),
        ("trace", "default/httpd-service", DUMP, "-f", "mermaid"),
        ("trace", "default/httpd-service", DUMP, "-f", "dot"),
        ("trace", "default/httpd-service", DUMP, "-f", "html"),
        ("trace", "default/httpd-service", DUMP, "-f", "markdown"),
        ("services", DUMP, "--all"),
        ("packet", DUMP, "--dst", "10.97.13.198", "--protocol", "tcp", "--dport", "79"),
        ("report", DUMP, "default/httpd-service"),
    ],
)
def test_every_format_shows_them_and_redacts_them(listed: str, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, "--pods", listed)
    assert "web-7d4b9c-x2x" in done.stdout
    hidden = run(*arguments, "--pods", listed, "--redact")
    assert "pod-" in hidden.stdout
    assert "web-7d4b9c" not in hidden.stdout + hidden.stderr
    assert "shop/" not in hidden.stdout


def test_a_spreadsheet_has_a_column_for_them(listed: str) -> None:
    rows = list(
        csv.DictReader(io.StringIO(run("trace", "10.97.13.198", DUMP, "-f", "csv", "--pods", listed).stdout))
    )
    assert {row["pod"] for row in rows if row["endpoint"] == "10.244.1.17:80"} == {FIRST}
    services = csv.DictReader(io.StringIO(run("services", DUMP, "-f", "csv", "--pods", listed).stdout))
    assert {row["name"]: row["pods"] for row in services}["httpd-service"] == f"{FIRST} {SECOND} ? ?"


@pytest.mark.parametrize(
    "target", ["web-7d4b9c-x2x", FIRST, "pod/web-7d4b9c-x2x", "po/web-7d4b9c-x2x", f"{FIRST}:80"]
)
def test_a_pod_is_a_target(listed: str, target: str) -> None:
    done = run("trace", target, DUMP, "--pods", listed, "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["target"]) == (0, target)
    assert {one["service"]["name"] for one in document["services"]} == {"httpd-service"}
    assert document["services"][0]["target_share"]["exact"] == "1/4"
    assert any(
        note.startswith(f"reading pod {FIRST} as its address, 10.244.1.17") for note in document["notes"]
    )
    hidden = run("trace", target, DUMP, "--pods", listed, "--redact", "--json")
    assert len(json.loads(hidden.stdout)["services"]) == len(document["services"])


def test_a_name_of_two_pods_or_of_a_service_is_no_pods(listed: str) -> None:
    assert run("trace", "web-7d4b9c-y3y", DUMP, "--pods", listed).returncode == 1
    services = Supplied(HEAD + "default  httpd-service  1/1  Running  0  10d  10.244.0.2  node-1\n", "pods")
    result = iptviz.trace(iptviz.load(DUMP), "httpd-service", pods=services)
    assert {one.frontend.text for one in result.services} == {"10.97.13.198:79/tcp", ":32123/tcp"}


def test_a_pod_to_which_nothing_leads_is_said_to_be_one(listed: str) -> None:
    done = run("trace", "loner-1:80", DUMP, "--pods", listed)
    assert (done.returncode, done.stdout) == (1, "")
    assert "reading pod shop/loner-1 as its address, 10.244.7.7:80" in done.stderr
    assert "Not DNATed" in done.stderr


def test_pods_come_out_of_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "iptables-save.txt").write_bytes((FIXTURES / "httpd-service" / "dump.rules").read_bytes())
    (tmp_path / "kubectl-get-pods.txt").write_text(LIST)
    assert FIRST in run("trace", "default/httpd-service", str(tmp_path)).stdout
    hidden = run("trace", "default/httpd-service", str(tmp_path), "--redact").stdout
    assert "/pod-" in hidden
    assert "web-7d4b9c" not in hidden


def test_pods_come_out_of_a_pasted_terminal() -> None:
    dump = (FIXTURES / "httpd-service" / "dump.rules").read_text()
    text = f"root@node-1:~# iptables-save\n{dump}root@node-1:~# kubectl get pods -A -o wide\n{LIST}"
    assert FIRST in run("trace", "default/httpd-service", stdin=text.encode()).stdout


def test_what_is_no_list_of_pods_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pods").write_text("NAMESPACE   NAME   READY   STATUS   RESTARTS   AGE\n")
    done = run("trace", "default/httpd-service", DUMP, "--pods", str(tmp_path / "pods"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "no column IP" in done.stderr
    assert "kubectl get pods -A -o wide" in done.stderr
