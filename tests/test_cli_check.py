"""`iptviz check` and `iptviz explain` from outside: what they print, write and exit with."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from iptviz.checks.finding import SEVERITIES, plain
from iptviz.checks.registry import all_diagnoses
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.questions.wanted import lookable
from tests import program
from tests.conftest import FIXTURES, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.program import Ended

REFUSED = "fixtures/httpd-no-endpoints/dump.rules"
TODAY = "fixtures/policies-today/dump.rules"
DUAL = ("fixtures/httpd-dual-stack/dump.rules", "fixtures/httpd-dual-stack/dump6.rules")


def run(*arguments: str, stdin: bytes = b"") -> Ended:
    return program.run("check", *arguments, stdin=stdin)


def asked(*arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return document


def ids(*arguments: str) -> list[str]:
    return [one["id"] for one in asked(*arguments)["findings"]]


# --- the exit status -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((REFUSED,), 1),
        ((REFUSED, "--exit-zero"), 0),
        ((REFUSED, "--ignore", "no-endpoints"), 0),
        ((REFUSED, "--min-severity", "critical"), 0),
        (("fixtures/httpd-today/dump.rules",), 0),
        ((TODAY, "--select", "route-localnet,source-ranges"), 0),  # found, and no more than information
        ((TODAY, "--select", "route-localnet,local-drop"), 1),
        (("--list",), 0),
    ],
)
def test_only_what_is_more_than_information_exits_with_1(arguments: tuple[str, ...], status: int) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (status, "")
    assert done.stdout


@pytest.mark.parametrize("format_name", ["json", "markdown", "html", "sarif", "junit", "github"])
def test_no_format_changes_the_exit_status(format_name: str) -> None:
    assert run(REFUSED, "-f", format_name).returncode == 1
    assert run(REFUSED, "-f", format_name, "--exit-zero").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--select", "no-endpoint"), 'unknown finding "no-endpoint"\n  did you mean no-endpoints'),
        (("--select", "no-endpoints,"), 'unknown finding ""'),
        (("--select", ""), 'unknown finding ""'),
        (("--ignore", "no-endpoints,Zname"), 'unknown finding "Zname"\n  list them: iptviz explain'),
        (("--select", "endpoint-extra"), "check does not look for endpoint-extra"),
        (
            ("--select", "local-drop", "--ignore", "local-drop"),
            "the options leave no finding to look for\n  --ignore covers all",
        ),
        (
            ("--ignore", ",".join(lookable())),
            "the options leave no finding to look for\n  --ignore covers all findings",
        ),
        (("--select", "source-ranges", "--min-severity", "high"), "reaches severity high"),
        (("--min-severity", "hihg"), 'unknown severity "hihg"\n  severities: critical, high'),
        (("--baseline", "missing.json"), "missing.json: cannot be read: no such file"),
        (("--baseline", REFUSED), f"{REFUSED}: not an iptviz baseline: it is not JSON\n  create one with"),
        (("--baseline", os.devnull), "not an iptviz baseline: it is empty\n  create one with"),
        (("--sysctl", REFUSED), f"{REFUSED}: no settings found\n  pass the output of `sysctl -a`"),
        (("--sysctl", os.devnull), "no settings found"),
        (("--redact", "--sysctl", REFUSED), "no settings found"),
        (("-o", "fixtures"), "fixtures: cannot be written: it is a folder\n  name a file in it"),
        (("-f", "html", "-o", "fixtures"), "fixtures: cannot be written: it is a folder"),
        (("-f", "dot"), 'unknown format "dot"'),
        (("--redact", "--baseline", "b.json"), "add --map FILE"),
        (("--write-baseline", REFUSED), "would overwrite"),
        (("--write-baseline", "-"), "--write-baseline needs a file name"),
    ],
)
def test_what_cannot_be_asked_exits_with_2_and_says_why(arguments: tuple[str, ...], said: str) -> None:
    done = run(REFUSED, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# --- what is asked for ---------------------------------------------------------------------------------------


def test_the_worst_comes_first() -> None:
    found = [one["severity"] for one in asked(TODAY)["findings"]]
    assert found == sorted(found, key=SEVERITIES.index)
    assert len(set(found)) > 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("--select", "local-drop,route-localnet"),
        ("--select", "local-drop", "--select", " route-localnet "),
        ("--select", "local-drop,route-localnet,source-ranges", "--ignore", "source-ranges,no-endpoints"),
    ],
)
def test_ids_stand_in_one_option_or_in_several(arguments: tuple[str, ...]) -> None:
    document = asked(TODAY, *arguments)
    assert [one["id"] for one in document["findings"]] == ["local-drop", "route-localnet"]
    assert sorted(document["looked_for"]) == ["local-drop", "route-localnet"]
    assert document["left_out"] == len(ids(TODAY)) - 2


def test_what_is_less_severe_is_left_out_and_counted() -> None:
    every = asked(TODAY)
    document = asked(TODAY, "--min-severity", "high")
    assert {one["severity"] for one in document["findings"]} <= {"critical", "high"}
    assert len(document["findings"]) + document["left_out"] == len(every["findings"])
    assert sum(document["counts"].values()) == len(document["findings"])
    assert f"1 finding; {document['left_out']} less severe" in run(TODAY, "--min-severity", "high").stdout
    assert "Left out" not in run(TODAY, "--min-severity", "high").stdout


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--min-severity", "critical"), r"no findings of severity critical; \d+ findings below"),
        (("--min-severity", "CRITICAL"), r"no findings of severity critical; \d+ findings below"),
        (
            ("--min-severity", "High", "--ignore", "local-drop"),
            r"no findings of severity high or worse; \d+ findings below",
        ),
        (("--select", "nat-flushed"), "no findings"),
        (("--select", "nat-flushed", "--min-severity", "critical"), "no findings of severity critical"),
    ],
)
def test_nothing_found_is_said_of_what_was_asked_for(arguments: tuple[str, ...], found: str) -> None:
    done = run(TODAY, *arguments)
    assert re.search(f"^Checked .*: {found}$", done.stdout, re.MULTILINE)
    assert done.returncode == 0


def test_information_is_folded_unless_it_is_asked_for() -> None:
    folded = run(TODAY).stdout
    assert re.search(r"^Info +\d more: .*route-localnet.* \(--all\)$", folded, re.MULTILINE)
    for arguments in (("--all",), ("--select", "route-localnet")):
        assert re.search(r"^info +route-localnet ", run(TODAY, *arguments).stdout, re.MULTILINE)


def test_a_node_of_two_families_is_one_answer() -> None:
    document = asked(*DUAL)
    assert [(dump["number"], dump["family"]) for dump in document["dumps"]] == [(1, "ipv4"), (2, "ipv6")]
    assert {one["dump"] for one in document["findings"]} <= {1, 2}
    assert "in 2 dumps (1: ipv4" in run(*DUAL).stdout


def test_a_dump_is_piped_in() -> None:
    done = run(stdin=(ROOT / REFUSED).read_bytes())
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("<stdin> ·")


@pytest.mark.parametrize(
    ("fixture", "note"),
    [
        ("flushed-nat", "no chain of this dump shows that kube-proxy ran"),
        ("cut-in-declarations", "whether kube-proxy runs in iptables mode is unknown"),
    ],
)
def test_where_there_are_no_services_it_says_why(fixture: str, note: str) -> None:
    path = f"fixtures/no-services/{fixture}.rules"
    _, empty, first, *_ = run(path).stdout.splitlines()  # below the line on the dump
    assert empty == ""
    assert re.match(f"note: .*{note}", first)
    (said,) = asked(path)["notes"]
    assert note in said


def test_rules_without_services_are_said_to_be_looked_at_alone() -> None:
    done = run("fixtures/no-services/cut-in-declarations.rules")
    assert re.search(
        r"^Checked +only 0 rules of nat: .*; they have no service, so none was checked$",
        done.stdout,
        re.MULTILINE,
    )
    assert done.stdout.startswith("fixtures/no-services/cut-in-declarations.rules")
    assert done.stdout.splitlines()[0].endswith(" INCOMPLETE")


NFTABLES = """table ip kube-proxy {
\tchain services {
\t\ttype nat hook prerouting priority dstnat; policy accept;
\t\tip daddr 10.97.20.77 tcp dport 80 dnat to 10.244.1.5:8080
\t}
}
"""


def test_where_the_nft_ruleset_has_the_services_nobody_is_sent_to_it(tmp_path: Path) -> None:
    ruleset = tmp_path / "ruleset.nft"
    ruleset.write_text(NFTABLES)
    done = run("fixtures/no-services/flushed-nat.rules", str(ruleset))
    assert "note: " not in done.stdout
    assert "ask nft" not in done.stdout
    document = json.loads(run("fixtures/no-services/flushed-nat.rules", str(ruleset), "--json").stdout)
    assert (document["unseen"], document["assumed"]) == ([], [])


def test_tables_of_the_node_that_no_dump_shows_are_asked_as_nft_lists_them(tmp_path: Path) -> None:
    ruleset = tmp_path / "ruleset.nft"
    ruleset.write_text(NFTABLES.replace("table ip kube-proxy", "table inet firewalld"))
    assert asked(TODAY, str(ruleset))["assumed"] == []
    assert "Assumed" not in run(TODAY).stdout


def test_a_suffix_chooses_the_format(tmp_path: Path) -> None:
    begins = {
        "check.json": "{", "check.sarif": "{", "check.sarif.json": "{", "check.xml": "<?xml ", "check.html": "<!doctype",
        "check.md": "fixtures/", "check.txt": "fixtures/",
    }  # fmt: skip
    for name, first in begins.items():
        assert run(REFUSED, "-o", str(tmp_path / name)) == (1, "", "")
        assert (tmp_path / name).read_text().startswith(first)
    assert "$schema" in json.loads((tmp_path / "check.sarif.json").read_text())


def test_an_answer_in_pseudonyms_names_nobody(tmp_path: Path) -> None:
    for format_name in ("table", "json", "markdown", "html", "sarif", "junit", "github"):
        done = run(TODAY, "-f", format_name, "--all", "--map", str(tmp_path / "map.json"))
        assert done.returncode == 1
        assert [word for word in ("shop", "default/", "203.0.113.", "fixtures") if word in done.stdout] == []
    assert "local-drop" in done.stdout


# --- what it looks at beside the dump --------------------------------------------------------------------------


def test_evidence_beside_the_dump_decides() -> None:
    folder = FIXTURES / "checks/route-localnet"
    asking = (str(folder / "fault.rules"), "--select", "route-localnet")
    without, with_it = (asked(*asking, *more) for more in ((), ("--sysctl", str(folder / "fault.sysctl"))))
    assert [one["severity"] for one in without["findings"]] == ["info"]
    assert [one["severity"] for one in with_it["findings"]] == ["high"]


def test_settings_without_any_of_use_are_settings(tmp_path: Path) -> None:
    settings = tmp_path / "sysctl.txt"
    settings.write_text("vm.swappiness = 1\n")
    for more in ((), ("--redact",)):
        assert run(REFUSED, "--sysctl", str(settings), *more).returncode == 1


def test_a_pipe_of_settings_is_for_both_families() -> None:
    told = run(*DUAL, "--sysctl", "-", "--all", stdin=b"net.ipv6.conf.all.forwarding = 1\n").stdout
    assert "net.ipv6.conf.all.forwarding" not in told


# --- a baseline ------------------------------------------------------------------------------------------------


def test_a_baseline_leaves_out_what_it_has(tmp_path: Path) -> None:
    baseline = str(tmp_path / "baseline.json")
    first = run(TODAY, "--write-baseline", baseline)
    assert first.returncode == 1
    assert first.stderr == f"{baseline}: {len(ids(TODAY))} findings written, for --baseline\n"
    assert run(TODAY, "-q", "--write-baseline", baseline).stderr == ""
    again = run(TODAY, "--baseline", baseline)
    assert again.returncode == 0
    assert re.search(r"^Baseline +\d known findings left out$", again.stdout, re.MULTILINE)
    assert re.search(r"^Checked .*: no new findings$", again.stdout, re.MULTILINE)
    document = asked(TODAY, "--baseline", baseline)
    assert (document["findings"], document["in_baseline"]) == ([], len(ids(TODAY)))


def test_what_is_new_is_found_in_spite_of_a_baseline(tmp_path: Path) -> None:
    baseline, changed = tmp_path / "baseline.json", tmp_path / "changed.rules"
    run(TODAY, "-q", "--write-baseline", str(baseline))
    text = "# a line more\n" + (ROOT / TODAY).read_text()
    changed.write_text(text.replace("COMMIT\n", "-A FORWARD -s 192.0.2.1/32 -j GONE\nCOMMIT\n", 1))
    done = run(str(changed), "--baseline", str(baseline), "--json")
    assert done.returncode == 1
    assert [one["id"] for one in json.loads(done.stdout)["findings"]] == ["dangling-jump"]


def test_a_baseline_keeps_what_it_had(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    run(TODAY, "-q", "--select", "local-drop", "--write-baseline", str(old))
    run(TODAY, "-q", "--baseline", str(old), "--write-baseline", str(new))
    found = json.loads(new.read_text())
    assert found["schema"] == "iptviz.baseline.v1"
    assert sorted(one["id"] for one in found["findings"]) == sorted(ids(TODAY))


def test_with_a_map_a_baseline_is_one_of_pseudonyms(tmp_path: Path) -> None:
    baseline, mapping = str(tmp_path / "baseline.json"), str(tmp_path / "map.json")
    run(TODAY, "-q", "--map", mapping, "--write-baseline", baseline)
    assert "shop" not in (tmp_path / "baseline.json").read_text()
    assert run(TODAY, "--map", mapping, "--baseline", baseline).returncode == 0
    assert run(TODAY, "--baseline", baseline).returncode == 1


# --- explain, and the list ---------------------------------------------------------------------------------------


def test_the_list_has_what_check_looks_for_and_explain_has_all() -> None:
    for done, listed in ((run("--list"), lookable()), (program.run("explain"), all_diagnoses())):
        assert done.returncode == 0
        rows = re.findall(r"^(\w+)(?: or \w+)* +([a-z0-9-]+) {2,}(\S.*)$", done.stdout, re.MULTILINE)
        assert [row[1] for row in rows] == list(listed)
        assert [row[0] for row in rows] == [made.severities[0] for made in listed.values()]
    listed = json.loads(run("--list", "--json").stdout)
    assert listed["schema"] == "iptviz.explain.v1"
    assert [one["id"] for one in listed["findings"]] == list(lookable())


def test_the_list_reads_no_dump() -> None:
    assert run("missing.rules", "--list").returncode == 0


@pytest.mark.parametrize("what", ["nat-flushed", "no-endpoints", "endpoint-extra"])
def test_a_finding_is_explained(what: str) -> None:
    made, done = all_diagnoses()[what], program.run("explain", what)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{what}   {made.severities[0]}")
    for text in (made.means, made.matters, made.advice):
        assert plain(text) in done.stdout
    (found,) = json.loads(program.run("explain", what, "--json").stdout)["findings"]
    assert (found["id"], found["matters"], found["advice"]) == (what, plain(made.matters), plain(made.advice))


def test_conditions_are_explained() -> None:
    rows = program.run("explain", "conditions").stdout.splitlines()[1:]
    assert [row.split()[0] for row in rows] == list(CONDITION_KINDS)
    kinds = json.loads(program.run("explain", "conditions", "--json").stdout)["conditions"]
    assert [one["kind"] for one in kinds] == list(CONDITION_KINDS)


def test_several_findings_are_explained_in_one_answer() -> None:
    for typed in (
        ("nat-flushed", "no-endpoints"),
        ("nat-flushed,no-endpoints",),
        ("nat-flushed,", "no-endpoints"),
    ):
        done = program.run("explain", *typed)
        if typed[0].endswith(","):
            assert (done.returncode, "unknown finding" in done.stderr) == (2, True)
        else:
            assert re.findall("^[a-z-]+(?=   )", done.stdout, re.MULTILINE) == ["nat-flushed", "no-endpoints"]
    document = json.loads(
        program.run("explain", "no-endpoints", "conditions", "nat-flushed", "--json").stdout
    )
    assert [one["id"] for one in document["findings"]] == ["no-endpoints", "nat-flushed"]
    assert len(document["conditions"]) == len(CONDITION_KINDS)
    mixed = program.run("explain", "no-endpoints", "conditions").stdout
    assert mixed.startswith("no-endpoints ")
    assert re.search("^KIND ", mixed, re.MULTILINE)


def test_all_ids_that_may_be_meant_are_suggested() -> None:
    hint = program.run("explain", "forward-dropped").stderr.splitlines()[1]
    assert re.fullmatch(r"  did you mean .*\bforward-drop\b.* or [a-z-]+\? list them: iptviz explain", hint)
    assert "did you mean no-endpoints" in program.run("explain", "NO-ENDPOINTS").stderr
    assert "nat-flushed" in program.run("explain", "flushed").stderr


@pytest.mark.parametrize("what", ["no-endpoint", "condition", "\x1b[31m"])
def test_what_cannot_be_explained_exits_with_2(what: str) -> None:
    done = program.run("explain", what)
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown finding" in done.stderr
    assert "\x1b" not in done.stderr
