"""A report as a file: self-contained, small, whole, and with nothing of a dump as markup."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import iptviz
from iptviz.checks.finding import plain
from iptviz.cli.app import app
from iptviz.questions.report import MOST_ODD, report
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from iptviz.view.blocks import Facts
from iptviz.view.report import report_view
from iptviz.view.text import printable
from tests.kubeproxy import numbered, saved
from tests.questions.made_reached import DEPENDS, NOT_BY_POD, NOT_DNATED, YES, made
from tests.render.test_hostile import BY_COMMENT, TEMPLATE, every_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.questions.report import ReportResult
    from tests.questions.made_reached import PathsOfPort

TODAY = "fixtures/policies-today/dump.rules"


def page(dump: Any, *targets: str) -> str:
    return str(FORMATS["html"].writer("report")(report(dump, targets), Style(), fold=True))


@cache
def plain_page() -> Reader:
    """Return what every hostile page is compared with."""
    return Reader(page(hostile_dump("plain")[0], "10.0.0.1", BY_COMMENT))


def hostile_dump(text: str) -> tuple[iptviz.Dump, str]:
    """Return a dump in which a chain, comments and the file are called `text`, and how that is shown."""
    quoted = re.sub(r"([\"'\\])", r"\\\1", text)
    name = text.replace('"', "'")
    return iptviz.Dump(
        TEMPLATE.format(name=name, quoted=quoted).encode("utf-8", "surrogateescape"), text
    ), printable(text)


class Reader(HTMLParser):
    """Collects elements, attributes and the texts of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.held: dict[str, list[str]] = {"script": [], "style": []}
        self._inside = ""
        self._section = ""
        self._said: dict[str, list[str]] = {}
        self.feed(text)

    def text_of(self, section: str) -> str:
        """Return the words of a section."""
        return " ".join(" ".join(self._said[section]).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "section":
            self._section = str(dict(attrs)["id"])

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the parser's own name
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in self.held:
            self.held[self._inside].append(data)
        self._said.setdefault(self._section, []).append(data)


def test_the_page_needs_nothing_else_and_allows_nothing_else() -> None:
    read = Reader(page(iptviz.load(TODAY), "shop"))
    tags = {tag for tag, _ in read.elements}
    assert not tags & {"link", "img", "iframe", "object", "embed", "base", "form", "video"}
    links = [attributes["href"] for tag, attributes in read.elements if tag == "a"]
    assert all(link and link.startswith("#") for link in links)
    assert not [
        name
        for _, attributes in read.elements
        for name in attributes
        if name.startswith("on") or name in {"src", "style"}
    ]
    (policy,) = (one["content"] for tag, one in read.elements if tag == "meta" and "http-equiv" in one)
    data, script = read.held["script"]
    (style,) = read.held["style"]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{digests[0]}'; style-src 'sha256-{digests[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert set(json.loads(data)) == {"rows", "chains"}


def test_it_says_where_it_comes_from_and_what_no_dump_shows() -> None:
    text = page(iptviz.load(TODAY))
    assert hashlib.sha256(Path(TODAY).read_bytes()).hexdigest() in text
    for part in (
        "iptables-nft-save v1.8.9 (nf_tables)",
        "Mon Nov 23 12:00:00 2026",
        "recent lists",
        "KUBE-FW- ends in a rule",
    ):
        assert part in text


@every_text
def test_hostile_text_is_never_markup(text: str) -> None:
    dump, shown = hostile_dump(text)
    found = Reader(page(dump, "10.0.0.1", BY_COMMENT))
    assert {tag for tag, _ in found.elements} == {tag for tag, _ in plain_page().elements}
    assert len(found.held["script"]) == 2
    data = json.loads(found.held["script"][0])
    assert any(printable(text.replace('"', "'")) == chain for chain in data["chains"]["nat"])
    assert any(shown in rule[1] or printable(re.sub(r"([\"'\\])", r"\\\1", text)) in rule[1]
               for chain in data["chains"]["filter"].values() for rule in chain["rules"])  # fmt: skip


def test_without_targets_what_looks_odd_is_shown() -> None:
    assert "Suspicious services: 1" in page(iptviz.load("fixtures/httpd-no-endpoints/dump.rules"))
    assert "No problem found in what was checked" in page(iptviz.load("fixtures/httpd-service/dump.rules"))
    many = report(iptviz.load(saved(numbered(30, 0)).encode()))
    assert (len(many.answers), many.left_out) == (MOST_ODD, 30 - MOST_ODD)
    assert f"Suspicious services: 30 ({MOST_ODD} shown; see the list)" in page(many.dump)


BROKEN = "fixtures/checks/forward-drop/fault.rules"


def test_a_report_opens_with_what_checks_find() -> None:
    text = page(iptviz.load(BROKEN))
    assert (
        text.index("1 high")
        < text.index("SHA-256")
        < text.index('id="findings"')
        < text.index('id="summary"')
    )
    section = Reader(text).text_of("findings")
    finding = next(one for one in iptviz.check(iptviz.load(BROKEN)).findings if one.id == "forward-drop")
    assert "high forward-drop policy DROP of FORWARD" in section
    for said in (":FORWARD DROP", f"Why {plain(finding.why)}", f"Do {finding.advice}"):
        assert said in section
    asked = str(FORMATS["html"].writer("check")(iptviz.check(iptviz.load(BROKEN)), Style(), fold=True))
    assert Reader(asked).text_of("findings") == section
    written = str(FORMATS["markdown"].writer("report")(report(iptviz.load(BROKEN)), Style(), fold=True))
    assert (
        written.index("## Findings: ")
        < written.index("| high | forward-drop |")
        < written.index("## Not reached")
    )


def checked_page(*paths: str, **options: Any) -> str:
    result = iptviz.check(iptviz.load_node(*paths), **options)
    return str(FORMATS["html"].writer("check")(result, Style(), fold=True))


def test_the_page_of_a_check_is_one_of_a_check() -> None:
    text = checked_page(BROKEN)
    assert f"<title>iptviz check: {BROKEN}</title>" in text
    assert "No service requested" not in text
    assert 'id="asked"' not in text
    assert 'href="#asked"' not in text
    assert re.search(r"<dt>Checked</dt><dd[^>]*>1 service port, \d+ rules of .*: \d finding", text)
    nothing = checked_page(BROKEN, min_severity="critical")
    assert re.search(
        r'<h2 id="findings-heading">No findings of severity critical; \d findings? below</h2>', nothing
    )


def test_the_page_of_a_check_says_first_why_there_are_no_services() -> None:
    text = checked_page("fixtures/no-services/flushed-nat.rules")
    assert text.index("<dt>No services</dt>") < text.index("<dt>Checked</dt>") < text.index("<dt>Source</dt>")
    assert text.count("no chain of this dump shows that kube-proxy ran") == 1
    cut = checked_page("fixtures/no-services/cut-in-declarations.rules")
    assert "NO (see the findings)" in cut


def test_what_two_dumps_were_read_from_stands_apart() -> None:
    paths = ("fixtures/httpd-dual-stack/dump.rules", "fixtures/httpd-dual-stack/dump6.rules")
    text = checked_page(*paths)
    one, other = (text.index(f'<h2 class="dump">Dump {name}') for name in ("1: ipv4", "2: ipv6"))
    assert (
        text.index("<dt>Checked</dt>")
        < one
        < text.index("<dt>Source</dt>")
        < other
        < text.rindex("<dt>Source</dt>")
    )
    written = str(FORMATS["markdown"].writer("report")(report(iptviz.load_node(*paths)), Style(), fold=True))
    assert written.index("### Dump 1: ipv4") < written.index("### Dump 2: ipv6")


def test_commands_in_advice_are_code() -> None:
    made = "fixtures/httpd-no-endpoints/dump.rules"
    assert "<b>Why</b> <span>Clients get <code>connection refused</code> at once" in checked_page(made)
    result = iptviz.check(iptviz.load(made))
    written = str(FORMATS["markdown"].writer("check")(result, Style(), fold=True))
    assert "- **Why:** Clients get `connection refused` at once" in written
    for name in ("table", "json", "github", "junit"):
        assert "`connection refused`" not in str(FORMATS[name].writer("check")(result, Style(), fold=True))


def test_a_report_of_a_node_without_findings_says_so() -> None:
    checked = iptviz.check(iptviz.load(BROKEN), select=["chain-loop"])
    text = str(
        FORMATS["html"].writer("report")(
            report(iptviz.load(BROKEN))._replace(checked=checked), Style(), fold=True
        )
    )
    assert "No findings" in text


def test_a_thousand_services_stay_small() -> None:
    text = page(iptviz.load(saved(numbered(1_000, 10)).encode()), "team-7/service-7")
    assert len(text) < 2_000_000
    assert "the page shows the chains of the answers above and the general ones" in text
    data = json.loads(Reader(text).held["script"][0])
    assert len(data["rows"]) == 1_000
    assert len([chain for chain in data["chains"]["nat"] if chain.startswith("KUBE-SEP-")]) == 10


def test_the_archive_has_everything(tmp_path: Path) -> None:
    file = tmp_path / "incident.zip"
    done = CliRunner().invoke(app, ["report", TODAY, "203.0.113.10", "-o", str(file)])
    assert (done.exit_code, done.output) == (0, "")
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
        names = archive.namelist()
        assert archive.read("dump.rules") == Path(TODAY).read_bytes()
        assert json.loads(archive.read("trace-1.json"))["target"] == "203.0.113.10"
        assert archive.read("report.html").startswith(b"<!doctype html>")
    assert {"report.html", "report.md", "check.json", "services.json", "trace-1.json", "dump.rules"} <= set(
        names
    )


@pytest.mark.usefixtures("known_keys")
def test_markdown_and_pseudonyms(tmp_path: Path) -> None:
    file = tmp_path / "incident.md"
    assert (
        CliRunner().invoke(app, ["report", TODAY, "default/shop", "-o", str(file), "--redact"]).exit_code == 0
    )
    text = file.read_text()
    assert "```mermaid" in text
    assert "| Service" in text or "| SERVICE" in text
    assert not re.search(r"203\.0\.113|shop|policies-today", text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((TODAY, "no target!"), "invalid TARGET"),
        (("missing.rules",), "missing.rules: cannot be read"),
        ((TODAY, "-f", "png"), 'unknown format "png"'),
    ],
)
def test_what_cannot_be_reported_is_said(arguments: tuple[str, ...], message: str) -> None:
    done: Any = CliRunner().invoke(app, ["report", *arguments])
    assert (done.exit_code, message in done.stderr) == (2, True)


def test_a_target_that_is_not_there_is_told_in_the_page() -> None:
    assert "no service matches it in this dump" in page(iptviz.load(TODAY), "10.9.9.9")


def test_a_trace_and_a_list_of_services_are_pages_too() -> None:
    dump = iptviz.load(TODAY)
    one = str(FORMATS["html"].writer("trace")(iptviz.trace(dump, "203.0.113.10"), Style(), fold=True))
    unchecked = report(dump, ["203.0.113.10"])._replace(checked=None)
    assert one == str(FORMATS["html"].writer("report")(unchecked, Style(), fold=True))
    some = str(
        FORMATS["html"].writer("services")(iptviz.services(dump, namespace="kube-system"), Style(), fold=True)
    )
    assert len(json.loads(Reader(some).held["script"][0])["rows"]) == 3


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_a_target_that_is_not_there_is_said_and_the_rest_is_written(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"report.{suffix}"
    asked = ["report", TODAY, "default/shop", "default/nobody", "-o", str(file)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 1
    assert 'no service matches "default/nobody" in this dump' in done.stderr
    text = file.read_text(encoding="utf-8")
    assert "no service matches it in this dump" in text
    assert "203.0.113.10:80/tcp" in text
    assert CliRunner().invoke(app, [*asked, "--exit-zero"]).exit_code == 0
    assert CliRunner().invoke(app, [*asked, "--quiet"]).stderr == ""


def test_a_dump_without_services_has_none_that_do_not_look_odd() -> None:
    whole = page(iptviz.load(b"*nat\n:INPUT ACCEPT [0:0]\nCOMMIT\n*filter\nCOMMIT\n"))
    assert "No service in this dump<" in whole
    cut = page(iptviz.load(Path(TODAY).read_bytes()[:900]))
    assert "No service in this dump, which is incomplete" in cut


def head_of(result: ReportResult) -> list[tuple[str, str, str]]:
    """Return what stands above everything else: labels, texts, and whether they are good or bad."""
    (facts,) = report_view(result).of(Facts)
    return [(fact.label, fact.text, fact.mood) for fact in facts.facts]


@pytest.fixture
def surveyed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what has all services looked at, the first ones with the ways given."""

    def survey(*of_port: PathsOfPort) -> None:
        monkeypatch.setattr(
            "iptviz.questions.services.reached_in",
            lambda _rules, ports, _known, **_: made(tuple(ports), of_port),
        )

    return survey


def test_a_report_opens_with_what_is_not_reached_and_traces_it(surveyed: Callable[..., None]) -> None:
    surveyed((YES,), (YES, YES, NOT_BY_POD), (NOT_DNATED,))
    result = report(iptviz.load(TODAY))
    first, second, found, looked_at, *_ = head_of(result)
    assert found[0] == "Findings"
    assert first == (
        "Not reached",
        "default/away:http (node port :30700) by pods: DROP by the policy of filter FORWARD, line 7",
        "bad",
    )
    assert second[1].startswith("default/kubernetes:https by outside clients: not DNATed")
    assert looked_at[:2] == (
        "Checked",
        (
            "kube-proxy's chains of 7 service ports; the path of connections from outside, pods and this node to them "
            "through filter, nat"
        ),
    )
    assert [answer.target for answer in result.answers] == [":30700/tcp", "10.96.0.1:443/tcp"]  # type: ignore[union-attr]
    text = page(result.dump)
    assert "Not reached or suspicious: 2" in text
    assert text.index("default/away:http (node port :30700)") < text.index("SHA-256")
    assert text.count("by pods: DROP by the policy") == 1


def test_what_conditions_decide_is_no_good_news(surveyed: Callable[..., None]) -> None:
    surveyed(*[(DEPENDS,)] * 2, *[(YES,)] * 5)
    result = report(iptviz.load("fixtures/httpd-today/dump.rules"))
    assert "No problem found" not in page(result.dump)


def test_what_fails_is_traced_before_what_only_looks_odd(surveyed: Callable[..., None]) -> None:
    dump = iptviz.load(saved(numbered(30, 0)).encode())
    surveyed(*[(YES,)] * 29, (NOT_BY_POD,))
    result = report(dump)
    last = result.services.services[-1].usual.frontend
    assert result.answers[0].target == last.text  # type: ignore[union-attr]
    assert (len(result.answers), result.left_out) == (MOST_ODD, 30 - MOST_ODD)


def test_a_report_calls_nothing_fine_that_was_not_looked_at(surveyed: Callable[..., None]) -> None:
    dump = iptviz.load("fixtures/httpd-service/dump.rules")
    surveyed(*[(None,)] * 5)
    _, (label, text, _), *_ = head_of(report(dump))
    assert label == "Checked"
    assert (
        text == "kube-proxy's chains of 5 service ports; not the effect of other rules on their connections"
    )
    surveyed((None,))
    _, (_, text, _), *_ = head_of(report(dump))
    assert "to 4 of them through nat, filter" in text
    (*_, (label, text, _)) = head_of(report(dump))
    assert label == "Not visible in an iptables dump"
    assert "sysctls (route_localnet, rp_filter, ip_forward, bridge-nf-call-iptables)" in text


def test_a_node_of_which_something_else_is_wrong_is_not_said_to_have_no_problem() -> None:
    flushed = page(iptviz.load("fixtures/no-services/firewalld.rules"))
    assert "No service in this dump" in flushed
    assert "chains-removed" in flushed
    text = Path("fixtures/httpd-service/dump.rules").read_text()
    stale = page(iptviz.load(text.replace("*nat\n", "*nat\n:KUBE-HOSTPORTS - [0:0]\n", 1).encode()))
    assert "No suspicious service found in what was checked" in stale
    assert "host ports of dockershim" in stale
