"""The first lines of a trace: at most two below the heading, what fails before what works, for all its frontends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.view.blocks import Facts, Heading, Tree
from iptviz.view.fates import FAILING, ways_of
from iptviz.view.registry import view_of
from iptviz.view.ways import way_lines
from tests.conftest import FIXTURES
from tests.program import run
from tests.view import made_paths as made
from tests.view.made_paths import KINDS, entry, four, paths, rest, row

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.paths.model import FrontendPaths
    from iptviz.questions.trace import TraceResult

EACH = "4 endpoints, 25.00 % each"
REPORTED = FIXTURES / "ways/reported"
DUMPS = sorted((FIXTURES / "ways").rglob("*.rules"))
HTTPD = "default/httpd-service"


def first(result: TraceResult) -> tuple[str, list[tuple[str, str]]]:
    """Return the heading with its frontends, and the lines below it."""
    heading, facts = view_of(result, fold=True).lead
    assert isinstance(heading, Heading)
    assert isinstance(facts, Facts)
    return f"{heading.text} {heading.at}", [(fact.label, fact.text) for fact in facts.facts]


def lines_of(*ways: FrontendPaths, target: str = HTTPD) -> list[tuple[str, str]]:
    return first(made.traced(*ways, target=target))[1]


def reported(name: str, target: str) -> tuple[str, list[tuple[str, str]]]:
    return first(iptviz.trace(iptviz.load(REPORTED / f"{name}.rules"), target))


def test_one_frontend_needs_no_name() -> None:
    assert lines_of(made.POD_DROPPED, target="10.97.13.198") == [
        ("NOT REACHED", "pod: DROP by the policy of filter FORWARD (line 5)"),
        ("reached", f"outside, node: {EACH}"),
    ]


def test_frontends_with_one_answer_share_a_line() -> None:
    assert lines_of(made.REACHED, made.REACHED) == [("reached", f"outside, pod, node: {EACH}")]


def test_frontends_that_differ_are_named_by_their_kinds() -> None:
    assert lines_of(made.REACHED, made.POD_DROPPED) == [
        ("NOT REACHED", "node port from pod: DROP by the policy of filter FORWARD (line 5)"),
        ("reached", f"all frontends from outside, node; cluster IP from pod: {EACH}"),
    ]


def test_of_more_that_fails_the_worst_is_told_and_who_else_fails() -> None:
    dropped, (label, reached), also = lines_of(made.POD_DROPPED, made.NOT_REWRITTEN)
    assert dropped == (
        "NOT REACHED",
        "cluster IP from pod: DROP by the policy of filter FORWARD (line 5)",
    )
    assert (label, reached) == (
        "reached",
        f"all frontends from node; cluster IP from outside; node port from pod: {EACH}",
    )
    assert also == ("also", "NOT DNATed node port from outside")


def test_what_fails_under_no_condition_comes_first() -> None:
    (_, dropped), *_ = lines_of(made.BY_SOURCE, made.POD_DROPPED)
    assert dropped.startswith("node port from pod: DROP by the policy")


def test_rules_of_one_sort_are_one_line() -> None:
    other = made.NO_ENDPOINTS._replace(number=2, line=3, comment="no endpoints")
    refused = made.NO_ENDPOINTS._replace(comment="no endpoints")
    (line,) = lines_of(
        paths(entry(KINDS, rest("REJECT", refused))), paths(entry(KINDS, rest("REJECT", other)))
    )
    place = f'filter {refused.chain} rule {refused.number} (line {refused.line}: "no endpoints")'
    assert line == ("NOT REACHED", f"outside, pod, node: REJECT by {place} and 1 other rule")


def test_many_answers_are_counted() -> None:
    one = paths(
        entry(("outside",), row("10.244.1.17")),
        entry(("pod",), row("10.244.1.17"), row("10.244.1.18")),
        entry(("node",), *four()),
    )
    two = paths(entry(("outside",), *four()), entry(("pod",), row("10.244.2.20")), entry(("node",), *four()))
    assert lines_of(one, two) == [
        ("reached", "outside, pod, node: 1 to 4 endpoints, differing by client and frontend")
    ]


def test_uneven_shares_are_never_hidden() -> None:
    uneven = paths(
        entry(("outside",), row("10.244.1.17"), row("10.244.1.18", made.HALF)), entry(("pod",), *four())
    )
    other = paths(
        entry(("outside",), *four()), entry(("pod",), row("10.244.2.20")), entry(("node",), *four())
    )
    view = view_of(made.traced(uneven, other, target=HTTPD), fold=True)
    (facts,) = [block for block in view.lead if isinstance(block, Facts)]
    assert ", UNEVEN" in facts.facts[-1].text
    assert facts.facts[-1].mood == "bad"


def test_who_marked_a_connection_to_be_dropped_is_named() -> None:
    heading, ((label, text), *_) = reported("27-local-stale", "shop/web")
    frontends = "cluster IP 10.97.20.77:80/tcp, load-balancer IP 203.0.113.10:80/tcp, node port :30080/tcp"
    assert heading == f"shop/web:http {frontends}"
    assert label == "NOT REACHED"
    assert 'marked by nat KUBE-XLB-67NZLRHBNDSAWJRO (line 84: "shop/web:http has no local endpoints")' in text


def test_what_takes_connections_before_kube_proxy_is_named() -> None:
    _, (redirected, _) = reported("61-hostport-takes-services", "shop/web")
    assert redirected[0] == "REDIRECTED"
    assert redirected[1].endswith(
        "10.244.1.90:443, no endpoint of this service: DNAT by nat CNI-DN-aaaaaaaaaaaaaaaaaaaaa (line 77) "
        "runs before KUBE-SERVICES"
    )


def test_a_hook_that_leads_nowhere_is_named() -> None:
    _, (not_rewritten, _, also) = reported("63-no-prerouting-jump", "shop/web")
    assert not_rewritten == (
        "NOT DNATed",
        "cluster IP from outside, pod: goes on to 10.97.20.77:80 unchanged; nat PREROUTING has no jump to KUBE-SERVICES",
    )
    assert also == ("also", "NOT DNATed node port from outside, pod")


def test_one_cause_at_several_addresses_is_one_line() -> None:
    _, ((label, text), *_) = reported("63-no-prerouting-jump", "kube-dns")
    assert (label, text) == (
        "NOT DNATed",
        "outside, pod: goes on unchanged; nat PREROUTING has no jump to KUBE-SERVICES",
    )


def test_endpoints_that_nobody_reaches_are_marked() -> None:
    dump = iptviz.load(REPORTED / "61-hostport-takes-services.rules")
    rows = [
        row.cells[-1].text
        for block in view_of(iptviz.trace(dump, "10.97.20.77"), fold=True).of(Tree)
        for row in block.flat().rows
    ]
    assert [text.endswith("  <- not reached") for text in rows] == [True, True]


def test_ports_of_one_service_are_named_in_short() -> None:
    heading, _ = reported("31-forward-drop-first", "kube-dns")
    ports = "cluster IP 10.96.0.10:53/udp, 10.96.0.10:53/tcp, 10.96.0.10:9153/tcp"
    assert heading == f"kube-system/kube-dns:dns, :dns-tcp, :metrics {ports}"


def test_a_dump_that_lacks_something_is_said_to() -> None:
    whole = (FIXTURES / "httpd-service/dump.rules").read_text()
    cut = iptviz.load(whole[: whole.index("COMMIT")].encode())
    _, lines = first(iptviz.trace(cut, "10.97.13.198"))
    assert ("WARNING", "the dump is incomplete: see the notes") in lines


def test_of_a_chain_alone_it_says_what_the_chain_chooses() -> None:
    lines = (FIXTURES / "httpd-service/dump.rules").read_text().splitlines()
    chain = "KUBE-SVC-X2P42VLQEZCHLPKZ"
    own = "\n".join(line for line in lines if line.startswith(f"-A {chain}") or " --to-destination " in line)
    _, said = first(iptviz.trace(iptviz.load(own.encode()), chain))
    assert said[0] == ("Verdict", EACH)


PODS = """NAMESPACE  NAME   READY  STATUS   RESTARTS  AGE  IP           NODE    NOMINATED NODE  READINESS GATES
shop       web-1  1/1    Running  0         1d   10.244.1.5   node-1  <none>          <none>
"""


def test_a_single_endpoint_bears_its_pods_name(tmp_path: Path) -> None:
    listed = tmp_path / "pods.txt"
    listed.write_text(PODS)
    dump = iptviz.load(REPORTED / "02-healthcheck-input-drop.rules")
    _, lines = first(iptviz.trace(dump, ":30080", pods=str(listed)))
    assert lines[0] == ("reached", "outside: 10.244.1.5:8080 shop/web-1")


# --- brief ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DUMPS[::3], ids=lambda path: path.stem)
def test_three_lines_tell_of_every_failure(path: Path) -> None:
    dump = iptviz.load(path)
    names = {port.service.text for port in iptviz.services(dump).services if port.service.text}
    for name in sorted(names)[:3]:
        result = iptviz.trace(dump, name)
        if not result.paths:
            continue
        _, lines = first(result)
        told = [label for label, _ in lines if label not in {"WARNING", "also"}]
        assert 1 <= len(told) <= 2
        fails = {line.word for ways in ways_of(result) for line in way_lines(ways) if line.kind in FAILING}
        assert told[0] in fails or not fails


def test_brief_prints_these_lines_alone() -> None:
    dump = str(FIXTURES / "httpd-service/dump.rules")
    ended = run("trace", "10.97.13.198", dump, "--brief")
    assert ended.stdout == f"{HTTPD}   cluster IP 10.97.13.198:79/tcp\nreached  outside, pod, node: {EACH}\n"
    whole = run("trace", "10.97.13.198", dump)
    assert whole.stdout.startswith(ended.stdout)
    assert whole.stdout.split("\n\n")[1] == (
        f"{dump} · iptables-save v1.8.9 · nat, filter · 63 rules · complete"
    )


def test_brief_is_for_what_people_read() -> None:
    dump = str(FIXTURES / "httpd-service/dump.rules")
    ended = run("trace", "10.97.13.198", dump, "--brief", "--json")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "iptviz: --brief does not go with -f json\n  formats: tree, table, markdown\n"
    assert run("trace", "10.97.13.198", dump, "--brief", "-f", "markdown").stdout.count("\n") == 3
