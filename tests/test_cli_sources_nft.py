"""What `iptviz sources` says of listings of nft: their tables, the mode, the release, and what they lack or hide."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.nft.told import listing
from tests.program import run

if TYPE_CHECKING:
    from pathlib import Path

LISTINGS = "tests/nft/listings"
CHECKS = "fixtures/checks"


def listed(*arguments: str) -> dict[str, Any]:
    (one,) = json.loads(run("sources", *arguments, "--json").stdout)["listings"]
    found: dict[str, Any] = one
    return found


def row(*arguments: str) -> str:
    """The cells of the only listing, with one blank between them, and what stands below."""
    done = run("sources", *arguments)
    assert done.returncode == 0
    text = done.stdout[done.stdout.index("NFT LISTING") :]
    return "\n".join(" ".join(line.split()) for line in text.splitlines()[1:])


def test_a_listing_has_a_row_of_its_own() -> None:
    path = f"{LISTINGS}/every-1.36.listing"
    assert row(path) == f"{path} 1 nft list ruleset ip kube-proxy 58 nftables mode, 1.36 complete"
    assert "OTHER EVIDENCE" not in run("sources", path).stdout


def test_json_hides_what_iptables_matches_and_text_does_not() -> None:
    path = f"{LISTINGS}/mixed-node.json"
    found = listed(path)
    assert (found["tool"], found["form"], found["handles"], found["hidden"]) == (
        "nft v1.0.6",
        "json",
        True,
        35,
    )
    assert row(path).splitlines() == [
        f"{path} 1 nft v1.0.6, JSON ip filter 16, ip nat 77, ip kube-proxy 26 nftables mode, 1.36 complete",
        "nft only names matches or targets (xt) of 35 rules: what they ask or do is in iptables-save alone",
    ]
    assert listed(f"{LISTINGS}/mixed-node.listing")["hidden"] == 0


def test_the_document_of_a_listing() -> None:
    path = f"{LISTINGS}/ipv6-1.34.listing"
    found = listed(path)
    assert found == {
        "inside": None, "line": 1, "source": path, "tool": "nft list ruleset", "form": "text", "handles": False,
        "node": None, "mode": "nftables", "partial": False, "complete": True, "hidden": 0, "gaps": [], "lines": [],
        "tables": [{"family": "ip6", "name": "kube-proxy", "rules": found["tables"][0]["rules"]}],
        "eras": [{"table": "ip6 kube-proxy", "text": "kube-proxy 1.33 to 1.35", "releases": ["1.33", "1.34", "1.35"]}],
    }  # fmt: skip
    assert found["tables"][0]["rules"] > 20


def test_handles_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.nft"
    path.write_text("table ip t { # handle 1\n\tchain c { # handle 1\n\t\taccept # handle 2\n\t}\n}\n")
    assert row(str(path)) == f"{path} 1 nft list ruleset, with handles ip t 1 complete"


def test_a_listing_of_one_table_is_partial(tmp_path: Path) -> None:
    path = tmp_path / "networking"
    path.mkdir()
    (path / "nftables-ip-kube-proxy.txt").write_bytes(listing("every-1.37.listing"))
    assert row(str(tmp_path)).endswith("nftables mode, 1.37 or newer partial: nftables-ip-kube-proxy")
    assert not listed(str(tmp_path))["complete"]


def test_what_is_missing_of_a_listing_is_said_with_its_line() -> None:
    path = f"{CHECKS}/nft-listing-empty/fault-cut.nft"
    assert row(path).splitlines()[1:] == [
        "line 1: the end of table kube-proxy is missing: the listing may be cut there",
        "line 39: the end of map service-ips is missing: the listing may be cut there",
    ]
    assert row(path).splitlines()[0].endswith(" INCOMPLETE")
    assert [gap["line"] for gap in listed(path)["gaps"]] == [1, 39]


@pytest.mark.parametrize("name", ["fault.nft", "fault-legacy.nft", "fault-messages.nft"])
def test_a_listing_without_a_table_proves_nothing(name: str) -> None:
    path = f"{CHECKS}/nft-listing-empty/{name}"
    assert row(path) == f"{path} 1 nft list ruleset NO TABLE: proves nothing"
    (piece,) = json.loads(run("sources", path, "--json").stdout)["evidence"]
    assert piece["used"] is False


def test_contradicting_releases_are_said(tmp_path: Path) -> None:
    path = tmp_path / "a.nft"
    path.write_text(
        listing("every-1.36.listing").decode().replace("filter-output-pre-dnat", "filter-output-post-dnat")
    )
    first, second = row(str(path)).splitlines()
    assert "nftables mode, mixed versions" in first
    assert second.startswith("rules of different kube-proxy versions: ")


def test_lines_that_were_left_out_are_told_where_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.nft"
    path.write_bytes(
        b"# Warning: table ip nat is managed by iptables-nft, do not touch!\n" + listing("every-1.36.listing")
    )
    assert "message of a program" not in row(str(path))
    assert row(str(path), "--lines").splitlines()[1] == "1: skipped: message of a program"


def test_pseudonyms_tell_of_a_listing_that_it_is_there() -> None:
    done = run("sources", "--redact", f"{LISTINGS}/mixed-node.listing")
    assert done.returncode == 0
    (row,) = (line for line in done.stdout.splitlines() if line.startswith("redacted "))
    assert "ip filter 16, ip nat 77, ip kube-proxy 26" in row
    assert "mixed" not in done.stdout
    document = json.loads(run("sources", "--redact", "--json", f"{LISTINGS}/mixed-node.listing").stdout)
    (told,) = document["listings"]
    assert (told["source"], document["evidence"][0]["used"]) == ("redacted", True)
