"""Listings of nft that do not show all: nothing that is not shown is taken for absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.checks.wording import text
from iptviz.engine.condition import clauses
from iptviz.node.load import load_node
from tests.nft.told import listing, terse

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.node.snapshot import Snapshot

EVERY = listing("every-1.36.listing").decode()
FORMS = ("every-1.36.listing", "every-1.36.json")


def node_of(shown: str, folder: Path, name: str = "ruleset.nft") -> Snapshot:
    path = folder / name
    path.write_text(shown)
    return load_node(str(path))


def fates(node: Snapshot, dst: str, dport: int, protocol: str = "udp") -> dict[str, str]:
    """Return for each verdict, and endpoint, of a packet of a pod the conditions under which it comes to it."""
    result = iptviz.packet(
        node, src="10.244.0.9", dst=dst, protocol=protocol, dport=dport, mark=0, local_ips=["192.168.1.10"]
    )
    return {one.packet.dnat or one.verdict: clauses(one.when) for one in result.outcomes}


@pytest.mark.parametrize("name", FORMS)
def test_elements_that_are_not_shown_are_conditions(name: str, tmp_path: Path) -> None:
    node = node_of(terse(listing(name).decode()), tmp_path)
    found = fates(node, "10.96.20.2", 80)
    assert "UNKNOWN" in found
    assert "@service-ips" in " ".join(found.values())
    assert not iptviz.packet(node, dst="10.96.20.2", protocol="udp", dport=80).complete


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("target", ["shop/front", "10.96.20.2:80", ":30080", "shop/none", "10.244.0.6:8080"])
def test_no_service_is_called_absent_where_elements_are_not_shown(
    name: str, target: str, tmp_path: Path
) -> None:
    result = iptviz.trace(node_of(terse(listing(name).decode()), tmp_path), target)
    said = [one.id for one in result.notes]
    assert not result.services
    assert not result.complete
    assert said[:2] == ["target-not-shown", "nft-no-elements"]
    assert "no-services-in-table" not in said


def test_services_that_are_not_shown_are_not_counted_as_none(tmp_path: Path) -> None:
    result = iptviz.services(node_of(terse(EVERY), tmp_path))
    assert not result.dump.complete
    assert [one.id for one in result.notes] == ["nft-no-elements"]


def test_an_empty_set_beside_sets_with_elements_is_empty(tmp_path: Path) -> None:
    table = """table inet guard {
	set one {
		type ipv4_addr
	}
	set other {
		type ipv4_addr
		elements = { 192.0.2.1 }
	}
	chain in {
		type filter hook prerouting priority -300; policy accept;
		ip saddr @one drop
	}
}
"""
    assert set(fates(node_of(table, tmp_path), "192.0.2.7", 80)) == {"ACCEPT"}
    hidden = fates(node_of(table.replace("elements = { 192.0.2.1 }", ""), tmp_path), "192.0.2.7", 80)
    assert hidden == {"DROP": "packet matches ip saddr @one", "ACCEPT": "packet does not match ip saddr @one"}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            "ip saddr @gone drop",
            {"DROP": "packet matches ip saddr @gone", "ACCEPT": "packet does not match ip saddr @gone"},
        ),
        (
            "ip daddr . udp dport vmap @gone",
            {
                "UNKNOWN": "packet matches ip daddr . udp dport @gone",
                "ACCEPT": "packet does not match ip daddr . udp dport @gone",
            },
        ),
        ("ip daddr . tcp dport vmap @gone", {"ACCEPT": "always"}),
        ("goto gone", {"UNKNOWN": "always"}),
    ],
)
def test_what_a_fragment_names_and_lacks_is_not_known(
    rule: str, said: dict[str, str], tmp_path: Path
) -> None:
    table = "table ip t {\n\tset other {\n\t\ttype ipv4_addr\n\t\telements = { 192.0.2.1 }\n\t}\n"
    base = "type filter hook prerouting priority -150; policy accept;"
    node = node_of(f"{table}\tchain c {{\n\t\t{base}\n\t\t{rule}\n\t}}\n}}\n", tmp_path)
    assert fates(node, "192.0.2.7", 80) == said


def test_what_says_that_elements_are_hidden_names_the_option(tmp_path: Path) -> None:
    (said,) = (one for one in iptviz.services(node_of(terse(EVERY), tmp_path)).notes)
    assert "--terse" in text(said)


GUARD = """table inet guard {
	chain before {
		type filter hook prerouting priority -300; policy accept;
		udp dport 53 jump more
	}
	chain other {
		type filter hook prerouting priority -301; policy accept;
		udp dport 9 drop
	}
	chain more {
		udp dport 54 accept
		ip saddr 10.244.0.9 drop
	}
}
"""


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (13, {"DROP"}),  # with all rules, be it without the ends of blocks
        (12, {"DROP"}),
        (11, {"UNKNOWN"}),
        (3, {"UNKNOWN"}),
    ],
)
def test_what_follows_on_a_cut_is_not_known(lines: int, found: set[str], tmp_path: Path) -> None:
    cut = "".join(GUARD.splitlines(keepends=True)[:lines])
    said = fates(node_of(cut, tmp_path), "192.0.2.7", 53)
    assert set(said) == found


def test_a_difference_of_services_is_none_where_one_side_does_not_show_them(tmp_path: Path) -> None:
    whole, bare = (node_of(shown, tmp_path, name) for shown, name in ((EVERY, "a"), (terse(EVERY), "b")))
    for pair in ((whole, bare), (bare, whole)):
        result = iptviz.diff(*pair)
        assert [one.ports for one in result.pairs] == [None]
        assert not result.differs


def test_rules_behind_a_cut_are_not_called_removed(tmp_path: Path) -> None:
    cut = EVERY[: EVERY.index("jump masquerading")]
    result = iptviz.diff(node_of(EVERY, tmp_path, "a"), node_of(cut, tmp_path, "b"))
    assert not result.differs


@pytest.mark.parametrize("mark", ["", "> ", "| ", ">> "])
@pytest.mark.parametrize("indented", [True, False])
def test_a_listing_in_a_mail_is_read_like_any(mark: str, indented: bool, tmp_path: Path) -> None:
    lines = EVERY.splitlines() if indented else map(str.strip, EVERY.splitlines())
    node = node_of("".join(f"{mark}{line}\n" for line in lines), tmp_path)
    (found,) = iptviz.trace(node, "shop/web").services
    assert found.usual.leftover == 0
    assert len(found.usual.endpoints) == 3
    assert node.listings[0].complete


def test_a_service_whose_name_is_cut_is_not_called_absent_without_a_word(tmp_path: Path) -> None:
    node = node_of(EVERY.replace("shop/web/tcp/http", "shop/we..."), tmp_path)
    result = iptviz.trace(node, "shop/web")
    assert [one.id for one in result.notes][:2] == ["target-absent", "names-cut"]
    assert iptviz.trace(node, "10.96.20.1:80").services


MAP = "\tmap service-ips {\n\t\ttype ipv4_addr . inet_proto . inet_service : verdict\n"
ELEMENT = "\t\telements = { 10.96.0.1 . tcp . 443 : goto service-A }\n\t}\n"
BARE = "\tchain services {\n\t}\n\tchain nat-output {\n\t\ttype nat hook output priority -100; policy accept;\n\t}\n"
CHAIN = "\tchain services {\n\t\tip daddr . meta l4proto . th dport vmap @service-ips\n\t}\n"


@pytest.mark.parametrize("shown", [f"{MAP}{ELEMENT}", CHAIN, BARE])
def test_a_part_of_a_table_is_no_flushed_table(shown: str, tmp_path: Path) -> None:
    node = node_of(f"table ip kube-proxy {{\n{shown}}}\n", tmp_path)
    assert not iptviz.check(node).findings
    assert [one.id for one in iptviz.check(node).notes] == ["nft-part-of-table"]


def test_of_two_listings_one_is_asked_and_the_other_named(tmp_path: Path) -> None:
    for name, shown in (("a", EVERY), ("b", EVERY.replace("10.244.1.5 . 8080", "10.244.9.9 . 8080"))):
        (tmp_path / name).write_text(shown)
    node = load_node(str(tmp_path / "a"), str(tmp_path / "b"))
    (said,) = (one for one in iptviz.trace(node, "shop/web").notes if one.id == "listings-passed-over")
    assert f"{tmp_path / 'b'} lists all tables, too" in text(said)
