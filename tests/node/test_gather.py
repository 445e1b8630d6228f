"""Which pieces are of one node, and which dumps of a node join, are dropped, or are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iptviz.errors import DumpError
from iptviz.node.load import load_node
from tests.node import texts
from tests.node.layouts import packed
from tests.node.texts import listing

if TYPE_CHECKING:
    from iptviz.node.snapshot import Snapshot

NAT, EXACT = listing("nat-nvL.txt"), listing("filter-vnxL.txt")
WIDE = listing("filter-Lv.txt")
OTHER = texts.LEGACY.replace(b"10.244.1.17", b"10.244.1.99")
BARE = b"".join(line for line in texts.NFT.splitlines(keepends=True) if not line.startswith(b"#"))


def node(members: dict[str, bytes], **how: str) -> Snapshot:
    return load_node(packed("b.tar", members), **how)  # type: ignore[arg-type]


def used(snapshot: Snapshot) -> list[dict[str, str]]:
    """Return, of each dump, in which file each table stands."""
    return [
        {name: part.origin.inside for part in (dump, *dump.others) for name in part.own_tables}
        for dump in snapshot.dumps
    ]


# Files -> in which file each table of the one dump stands.
JOINED: dict[str, tuple[dict[str, bytes], dict[str, str]]] = {
    "one file a table": ({"nat": NAT, "filter": EXACT}, {"nat": "nat", "filter": "filter"}),
    "the same dump twice": ({"a": texts.LEGACY, "b": texts.LEGACY}, {"nat": "a", "filter": "a"}),
    "other counters": ({"a": texts.NFT, "b": texts.NFT.replace(b"[0:0]", b"[1:60]")}, {"filter": "a", "nat": "a"}),
    "a listing beside a save": ({"a": NAT, "b": EXACT, "save": texts.LEGACY}, {"nat": "save", "filter": "save"}),
    "exact counters": (
        {"iptables_-t_filter_-nvL": WIDE, "iptables_-vnxL": EXACT, "iptables_-t_nat_-nvL": NAT},
        {"filter": "iptables_-vnxL", "nat": "iptables_-t_nat_-nvL"},
    ),
    "rules of -S before a listing": (
        {"iptables-L": WIDE, "iptables-S": listing("filter-S.txt"), "iptables": NAT},
        {"filter": "iptables-S", "nat": "iptables"},
    ),
    "a save without rules beside one with": (
        {"a": texts.NO_RULES, "b": texts.LEGACY}, {"nat": "b", "filter": "b"},
    ),
    "a save that tells no backend": ({"a": BARE, "b": texts.NFT}, {"filter": "b", "nat": "b"}),
    "a failed listing": ({"a": texts.FAILED_LISTING, "b": NAT}, {"nat": "b"}),
    "an empty table in a file of its own": (
        {"mangle": listing("mangle-nvL.txt"), "nat": NAT}, {"mangle": "mangle", "nat": "nat"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", JOINED)
def test_dumps_of_one_node_are_one(case: str) -> None:
    members, tables = JOINED[case]
    assert used(node(members)) == [tables]


# Files -> what is said of them.
REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "two saves that differ": ({"a": texts.LEGACY, "b": OTHER}, "contains 2 dumps"),
    "two saves in one file": ({"a": texts.LEGACY + OTHER}, "contains 2 dumps"),
    "two nodes by their folders": (
        {"one/save": texts.LEGACY, "two/save": OTHER}, "contains dumps of 2 nodes: one, two",
    ),
    "two nodes by prompts": (
        {"a": b"root@n1:~# iptables-save\n" + texts.LEGACY, "b": b"root@n2:~# iptables-save\n" + OTHER},
        "contains dumps of 2 nodes: n1, n2",
    ),
    "a pod's alone": (
        {"sos_commands/networking/namespaces/cni-1/ip_netns_exec_cni-1_iptables-save": texts.LEGACY},
        "contains only dumps of network namespaces",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_nothing_tells_apart_is_refused(case: str) -> None:
    members, what = REFUSED[case]
    with pytest.raises(DumpError) as caught:
        node(members)
    assert caught.value.what.startswith(what)
    assert caught.value.hint


def test_families_and_backends_stand_side_by_side() -> None:
    both = node({"nft": texts.NFT, "legacy": texts.LEGACY, "six": texts.SIX})
    assert {(dump.family, dump.backend) for dump in both.dumps} == {
        ("ipv4", "legacy"),
        ("ipv4", "nf_tables"),
        ("ipv6", "legacy"),
    }
    assert both.dumps[-1].family == "ipv6"


def test_the_family_that_is_asked_for_goes_first() -> None:
    members = {"four": texts.LEGACY, "six": texts.SIX}
    assert [dump.family for dump in node(members).dumps] == ["ipv4", "ipv6"]
    assert [dump.family for dump in node(members, family="ipv6").dumps] == ["ipv6", "ipv4"]


def test_an_empty_dump_goes_last() -> None:
    assert [
        dump.origin.inside for dump in node({"legacy-save": texts.NO_RULES, "nft-save": texts.NFT}).dumps
    ] == [
        "nft-save",
        "legacy-save",
    ]


def test_evidence_without_a_name_is_of_the_only_node() -> None:
    only = node({"nodes/n1/iptables-save": texts.NFT, "ip-addr.txt": texts.ADDRESSES})
    assert (only.name, only.own_addresses("ipv4") is not None) == ("n1", True)


def test_evidence_without_a_name_is_of_none_of_several() -> None:
    members = {
        "nodes/n1/iptables-save": texts.NFT,
        "nodes/n2/iptables-save": texts.NFT,
        "ip-addr.txt": texts.ADDRESSES,
    }
    assert [node(members, node=name).own_addresses("ipv4") for name in ("n1", "n2")] == [None, None]


def test_evidence_of_another_node_is_dropped() -> None:
    only = node({"nodes/n1/iptables-save": texts.NFT, "nodes/n2/ip-addr.txt": texts.ADDRESSES})
    assert (only.name, only.own_addresses("ipv4")) == ("n1", None)


def test_evidence_is_of_the_folder_that_names_the_node() -> None:
    members = {
        "one/save": texts.LEGACY,
        "one/addr": texts.ADDRESSES,
        "two/save": OTHER,
        "two/route": texts.MAIN_ROUTES,
    }
    one, two = (node(members, node=name) for name in ("one", "two"))
    assert (one.own_addresses("ipv4") is not None, one.routes) == (True, None)
    assert (two.own_addresses("ipv4"), two.routes is not None) == (None, True)


def test_a_hint_chooses_among_several_and_need_not_be_the_only_one() -> None:
    several = {"nodes/n1/iptables-save": texts.NFT, "nodes/n2/iptables-save": texts.LEGACY}
    assert node(several, node_hint="n2").name == "n2"
    assert node({"nodes/n1/iptables-save": texts.NFT}, node_hint="n9").name == "n1"


def test_a_dump_by_its_number_is_alone_and_has_the_evidence_of_its_node() -> None:
    members = {"legacy-save": texts.NO_RULES, "nft-save": texts.NFT, "ip-addr": texts.ADDRESSES}
    chosen = load_node(packed("b.tar", members), number=1)
    assert [dump.origin.inside for dump in chosen.dumps] == ["legacy-save"]
    assert chosen.own_addresses("ipv4") is not None
