"""Files that are meant to be listings of nft and show no table, known by their names alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iptviz.errors import DumpError
from iptviz.node.kinds import HEAD, kind_of
from iptviz.node.load import find_in, load, load_node
from tests.nft.told import listing

if TYPE_CHECKING:
    from pathlib import Path

MEANT = (
    "sos_commands/firewall_tables/nft_list_ruleset", "sos_commands/firewall_tables/nft_-a_list_ruleset",
    "networking/nftables-ip-kube-proxy.txt", "collect/nftables.json", "networking/nft_ruleset",
    "network/nft-list-ruleset-node-1", "nodes/node-1/nftables", "nodes/node-1/nft-ruleset.txt",
    "host-collectors/run-host/nftables-list.txt", "ruleset.nft",
)  # fmt: skip
OTHERS = (
    "etc/nftables.conf", "etc/nftables/main.nft", "host-collectors/run-host/nftables-list-info.json",
    "host-collectors/run-host/nftables-list-stderr.txt", "var/log/nftables.log", "empty.txt",
)  # fmt: skip


@pytest.mark.parametrize("path", MEANT)
def test_what_collectors_call_a_listing_is_meant_to_be_one(path: str) -> None:
    for text in (
        b"",
        b"Segmentation fault (core dumped)\n",
        b"netlink: Error: cache initialization failed\n",
    ):
        assert kind_of(text, path) == "nft"
    assert kind_of(b"net.ipv4.ip_forward = 1\n", path) == "sysctls"
    assert kind_of(b"a long text\n" * HEAD, path) is None


@pytest.mark.parametrize("path", OTHERS)
def test_other_names_say_nothing(path: str) -> None:
    assert kind_of(b"", path) is None


def test_an_empty_listing_that_is_given_by_hand_is_of_the_node(tmp_path: Path) -> None:
    dump, empty = tmp_path / "node.rules", tmp_path / "node.nft"
    dump.write_text("*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n")
    empty.write_bytes(b"")
    node = load_node(str(dump), str(empty))
    assert [one.ruleset for one in node.listings] == [None]
    assert (node.problems, node.listing("ipv4")) == ((), None)
    (piece,) = node.evidence
    assert (piece.kind, piece.is_used) == ("nft", False)


def test_an_empty_listing_alone_is_refused_where_rules_are_asked(tmp_path: Path) -> None:
    empty = tmp_path / "node.nft"
    empty.write_bytes(b"\n")
    assert [piece.kind for piece in find_in(str(empty)).evidence] == ["nft"]
    with pytest.raises(DumpError, match="file is empty"):
        load(str(empty))


def test_a_listing_that_ends_within_a_block_says_where_that_begins(tmp_path: Path) -> None:
    path = tmp_path / "node.nft"
    path.write_bytes(listing("every-1.36.listing")[:2000])
    (found,) = load_node(str(path)).listings
    assert {one.id for one in found.open_at} == {"nft-block-open"}
    assert path.read_text().splitlines()[found.open_at[0].line - 1] == "\tmap no-endpoint-nodeports {"
