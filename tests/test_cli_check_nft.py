"""`iptviz check` where nft lists what a node has: what is found, where it stands, and what is said not to be checked."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from iptviz.checks.registry import OF_LISTINGS
from tests.conftest import ROOT
from tests.nft.told import listing, terse
from tests.program import Ended
from tests.program import run as started

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = "fixtures/checks"
WHOLE = "tests/nft/listings/every-1.36.listing"
MIXED = "tests/nft/listings/mixed-node.listing"
FLUSHED = f"{CHECKS}/nft-table-flushed/fault.nft"
TWO = f"{CHECKS}/both-modes/fault-nftables.rules"


def run(*arguments: str) -> Ended:
    return started("check", *arguments)


def asked(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return found


def test_a_listing_alone_is_checked() -> None:
    done = run(WHOLE)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[0] == f"{WHOLE} · nft list ruleset · ip kube-proxy · 58 rules · complete"
    assert re.search(
        "^Checked +14 service ports, 58 rules of ip kube-proxy: 3 findings$", done.stdout, re.MULTILINE
    )
    assert not re.search("^Not checked", done.stdout, re.MULTILINE)
    found = {finding["id"]: finding for finding in asked(WHOLE)["findings"]}
    assert set(found) == {"local-drop", "no-endpoints"}
    lines = listing("every-1.36.listing").decode().splitlines()
    for piece in found["no-endpoints"]["evidence"]:
        key = piece["text"].partition(" : ")[0]
        assert piece["source"] == WHOLE
        assert lines[piece["line"] - 1].strip().removeprefix("elements = { ").startswith(key)


def test_the_document_of_a_listing_has_the_shape_of_a_dump() -> None:
    found = asked(WHOLE)
    assert found["dump"] == {
        "source": WHOLE, "family": "ipv4", "tool": "nft list ruleset", "backend": "nf_tables", "mode": "nftables",
        "tables": ["ip kube-proxy"], "rules": 58, "complete": True,
    }  # fmt: skip
    assert set(found["looked_for"]) == set(OF_LISTINGS)
    assert found["service_ports"] == 14


def test_a_flushed_table_is_found_with_its_chains() -> None:
    done = run(FLUSHED)
    assert done.returncode == 1
    assert "    line 104: chain services {\n" in done.stdout
    (finding,) = asked(FLUSHED)["findings"]
    assert (finding["id"], finding["severity"], finding["certainty"]) == (
        "nft-table-flushed",
        "critical",
        "certain",
    )
    assert finding["evidence"][0] == {"line": 104, "text": "chain services {", "source": FLUSHED}


def test_maps_are_empty_where_other_sets_show_elements() -> None:
    found = asked(f"{CHECKS}/nft-table-flushed/fault-elements.nft")["findings"]
    assert next((one["id"], one["certainty"]) for one in found) == ("nft-table-flushed", "certain")


@pytest.mark.parametrize("name", ["every-1.36.listing", "every-1.36.json"])
def test_what_shows_no_element_is_terse_and_no_fault_of_the_node(name: str, tmp_path: Path) -> None:
    path = tmp_path / "ruleset.nft"
    path.write_text(terse(listing(name).decode()))
    found = asked(str(path))
    assert not found["dump"]["complete"]
    assert [(one["id"], one["severity"]) for one in found["findings"]] == [("nft-elements-hidden", "medium")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty: nft failed, or had nothing to list"),
        ("\n\n", "is empty: "),
        ("Segmentation fault (core dumped)\n", "has no table, only messages (Segmentation fault (core dumped)): "),
        (listing("every-1.36.listing")[:3000].decode(), "ends within map service-ips: the listing was cut"),
        (listing("every-1.36.json")[:9000].decode(), "ends within its JSON: the listing was cut"),
    ],
)  # fmt: skip
def test_a_listing_that_shows_nothing_is_no_proof(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "ruleset.nft"
    path.write_text(text)
    done = run(str(path))
    assert done.returncode == 1
    assert f"ruleset.nft {said}" in done.stdout
    assert done.stdout.splitlines()[0].endswith(" INCOMPLETE")
    assert {one["id"] for one in asked(str(path))["findings"]} == {"nft-listing-empty"}


@pytest.mark.parametrize(
    ("listed", "fact", "words"),
    [
        ("", "Not checked", "; tables that are not in the dump: legacy nat"),
        ("table inet other {\n}\n", "Not checked", "; tables that are not in the dump: legacy nat"),
        (
            listing("every-1.36.listing").decode(),
            "Assumed",
            "  tables not in the dump (legacy nat) have no effect",
        ),
    ],
)
def test_tables_of_iptables_legacy_that_the_kernel_names_are_not_checked(
    listed: str, fact: str, words: str, tmp_path: Path
) -> None:
    ruleset, names = tmp_path / "nft_-a_list_ruleset", tmp_path / "ip_tables_names"
    ruleset.write_text(listed)
    names.write_text("nat\n")
    (said,) = [line for line in run(str(tmp_path)).stdout.splitlines() if line.startswith(fact)]
    assert said.endswith(words)
    assert asked(str(tmp_path))["unseen"] == ["legacy nat"]
    names.write_text("")
    assert asked(str(tmp_path))["unseen"] == []


def test_a_hostile_name_and_a_hostile_message_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m.nft"
    path.write_text("\x1b[31m[bold]boo[/bold]\n")
    for kind in ("table", "markdown", "github", "junit", "sarif"):
        done = run(str(path), "-f", kind)
        assert done.returncode == 1
        assert "\x1b" not in done.stdout


def test_rules_of_two_modes_are_found_in_one_listing() -> None:
    (finding,) = (one for one in asked(MIXED)["findings"] if one["id"] == "both-modes")
    assert finding["message"].endswith(
        "both are asked at one priority (-100), and no dump shows which is asked first"
    )
    lines = listing("mixed-node.listing").decode().splitlines()
    leading, table = finding["evidence"]
    assert leading["text"].endswith("-j KUBE-SVC-NPX46M4PTMTKRN6Y")
    assert lines[leading["line"] - 1].endswith("jump KUBE-SVC-NPX46M4PTMTKRN6Y")
    assert table["text"] == lines[table["line"] - 1] == "table ip kube-proxy {"


@pytest.mark.parametrize(
    ("priority", "said"),
    [
        ("dstnat", "no dump shows which is asked first"),
        ("-110", "the table is asked first, by its priority"),
        ("-90", "iptables is asked first, by its priority"),
    ],
)
def test_the_priority_tells_which_mode_is_asked_first(priority: str, said: str, tmp_path: Path) -> None:
    ruleset = tmp_path / "node.nft"
    text = (ROOT / CHECKS / "both-modes/fault-nftables.nft").read_text()
    ruleset.write_text(text.replace("priority dstnat", f"priority {priority}"))
    (finding,) = (one for one in asked(TWO, str(ruleset))["findings"] if one["id"] == "both-modes")
    assert said in finding["message"]
    rule, table = finding["evidence"]
    assert "source" not in rule
    assert table == {"line": 1, "text": "table ip kube-proxy {", "source": str(ruleset)}
    assert f"    {ruleset}, line 1: table ip kube-proxy {{\n" in run(TWO, str(ruleset)).stdout


def test_formats_for_ci_name_the_file_of_the_listing(tmp_path: Path) -> None:
    empty = tmp_path / "node.nft"
    empty.write_text("")
    dump = f"{CHECKS}/nft-listing-empty/near.rules"
    sarif = json.loads(run(dump, str(empty), "-f", "sarif").stdout)
    assert [one["ruleId"] for one in sarif["runs"][0]["results"]] == ["nft-listing-empty"]
    assert f"::error title=nft-listing-empty,file={empty}" in run(dump, str(empty), "-f", "github").stdout
    suites = run(FLUSHED, "-f", "junit").stdout
    assert 'tests="13" failures="1"' in suites
    assert "no service (none there); tables ip kube-proxy of" in suites


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("table inet mine {\n\tchain c {\n\t\taccept\n\t}\n}\n", "No table ip kube-proxy or ip6 kube-proxy is listed"),
        ("table ip nat {\n\tchain KUBE-SERVICES {\n\t}\n}\n", "line 2: kube-proxy's chain KUBE-SERVICES is in a table of ipt"),
    ],
)  # fmt: skip
def test_why_a_listing_has_no_services_of_nftables_mode(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "ruleset.nft"
    path.write_text(text)
    (note,) = asked(str(path))["notes"]
    assert note.startswith(said)


def test_what_takes_a_dump_cannot_be_asked_of_a_listing() -> None:
    done = run("--select", "forward-drop", WHOLE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("iptviz: no selected finding is looked for in a listing of nft alone\n")
    assert run("--select", "both-modes", WHOLE).returncode == 0


def test_a_page_takes_a_listing_of_kube_proxys(tmp_path: Path) -> None:
    page = tmp_path / "check.html"
    done = run(WHOLE, "-o", str(page))
    assert (done.returncode, done.stderr) == (1, "")
    assert "Not visible in a listing of nft" in page.read_text()
    other = tmp_path / "ruleset.nft"
    other.write_text("table inet mine {\n\tchain c {\n\t\taccept\n\t}\n}\n")
    done = run(str(other), "-o", str(page))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "iptviz: no page is made of a listing of nft without kube-proxy's table\n  use -f markdown\n"
    )
