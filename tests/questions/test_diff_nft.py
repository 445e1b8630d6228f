"""What changed between two nodes in nftables mode, and between one in each mode: is a switch safe?"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.errors import DumpError
from iptviz.node.load import load_node
from tests import kubeproxy
from tests.conftest import FIXTURES
from tests.kubeproxy import Cluster, Service
from tests.kubeproxy.features import everything
from tests.nft.told import LISTINGS
from tests.nftproxy import SHAPES, Node, listed
from tests.program import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ERA = "1.31"
"""What iptables mode wrote when both modes had all features."""

PODS = (("10.244.1.5", 8080), ("10.244.1.6", 8080), ("10.244.1.7", 8080))
WEB = Service("web", "10.97.20.77", PODS, port_name="http", namespace="shop", local=1)
CART = Service(
    "cart", "10.97.20.78", PODS[:2], port_name="http", namespace="shop", node_port=30081, affinity=600
)
OPEN: dict[str, Any] = {
    "node_port": 30080, "load_balancer_ips": ("203.0.113.10",), "external_ips": ("192.0.2.80",)
}  # fmt: skip
CROWD = 100


def nft(*services: Service, shape: str = "1.36") -> str:
    return listed(Node(Cluster(services)), shape)


def dump(*services: Service) -> str:
    return kubeproxy.saved(Cluster(services, ERA))


def differing(folder: Path, old: str, new: str, **options: Any) -> dict[str, Any]:
    for name, text in (("old", old), ("new", new)):
        (folder / name).write_text(text)
    return iptviz.diff(load_node(str(folder / "old")), load_node(str(folder / "new")), **options).to_dict()


def changed(found: dict[str, Any]) -> list[str]:
    """What differs of service ports, in short."""
    services = found["services"]
    said = [f"+{one['service']['name']}" for one in services["added"]]
    said += [f"-{one['service']['name']}" for one in services["removed"]]
    for one in services["changed"]:
        for field in ("endpoints_added", "endpoints_removed", "shares_changed", "frontends_added"):
            said += [field] if one[field] else []
        said += [field for field in ("frontends_removed", "frontend_kinds") if one[field]]
        said += [re.split(r" [\w:]+ ->| from", other)[0] for other in one["other"]]
    return said


def chains(found: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    """Which chains and sets differ, and what of their rules."""
    return [
        (kind, one["chain"], [rule["kind"] for rule in one["rules"]])
        for kind in ("added", "removed", "changed")
        for one in found["chains"][kind]
    ]


# --- two listings: nothing differs -----------------------------------------------------------------------------


def with_handles(text: str) -> str:
    """As `nft -a` lists it."""
    lines = [f"{line} # handle {number}" if line.strip() and not line.strip().startswith(("}", "elements", "type"))
             and not line.rstrip().endswith(",") else line for number, line in enumerate(text.splitlines(), 1)]  # fmt: skip
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.34.listing", "1.34.trixie.listing"), ("1.36.listing", "1.36.json"),
     ("1.37.listing", "1.37.sid.listing")],
)  # fmt: skip
def test_the_form_and_the_release_of_nft_make_no_difference(one: str, other: str, tmp_path: Path) -> None:
    found = differing(tmp_path, *((LISTINGS / f"every-{name}").read_text() for name in (one, other)))
    assert (found["differs"], changed(found), chains(found)) == (False, [], [])
    assert found["mode"] == {"old": "nftables", "new": "nftables"}
    assert found["services"]["compared"] == 14


def test_what_json_hides_of_rules_of_iptables_is_not_compared(tmp_path: Path) -> None:
    found = differing(
        tmp_path, *((LISTINGS / f"mixed-node.{form}").read_text() for form in ("listing", "json"))
    )
    assert (found["differs"], changed(found), chains(found)) == (False, [], [])
    assert any("may hide what rules ask" in note for note in found["not_compared"])
    assert any("reachability" in note for note in found["not_compared"])


def test_what_nft_lists_of_rules_of_iptables_is_what_iptables_saves(tmp_path: Path) -> None:
    """nft 1.0.6 leaves out comments, and matches of a protocol that ask no more."""
    listing = (LISTINGS / "mixed-node.listing").read_text()
    own = listing[: listing.index("table ip kube-proxy")]
    found = differing(tmp_path, (LISTINGS / "mixed-node.rules").read_text(), own)
    assert chains(found) == []
    assert any(note.startswith("comments of rules") for note in found["not_compared"])


def test_handles_and_the_order_of_elements_and_endpoints_make_no_difference(tmp_path: Path) -> None:
    text = nft(replace(WEB, **OPEN), CART)
    turned = replace(WEB, endpoints=PODS[::-1], local=0), replace(CART, endpoints=CART.endpoints[::-1])
    other = nft(*(replace(one, **OPEN) if one.name == "web" else one for one in turned[::-1]))
    here = nft(replace(WEB, **OPEN, local=0), CART)
    assert not differing(tmp_path, text, with_handles(text))["differs"]
    assert not differing(tmp_path, here, other)["differs"]


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape not in {"1.29", "1.30"}])
def test_a_release_that_writes_other_rules_makes_no_difference_to_services(
    shape: str, tmp_path: Path
) -> None:
    """Of 1.29 and 1.30 it does: they drop what the node itself sends where no endpoint is local."""
    cluster = everything(ERA)[0]
    found = differing(tmp_path, listed(Node(cluster), "1.36"), listed(Node(cluster), shape))
    assert (changed(found), chains(found)) == ([], [])


# --- two listings: what differs ----------------------------------------------------------------------------------

PLANTED: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "endpoint gone": ({}, {"endpoints": PODS[:2]}, ["endpoints_removed", "shares_changed"]),
    "endpoint come": ({"endpoints": PODS[:2]}, {}, ["endpoints_added", "shares_changed"]),
    "none left": ({}, {"endpoints": ()}, ["endpoints_removed", "refused by", "reached"]),
    "affinity": ({}, {"affinity": 600}, ["session affinity"]),
    "internal policy": ({}, {"internal_local": True}, ["endpoints_removed", "shares_changed", "internalTrafficPolicy"]),
    "external policy": (
        OPEN, {**OPEN, "local_only": True},
        ["endpoints_removed", "shares_changed", "SNAT", "externalTrafficPolicy"],
    ),
    "source ranges": (
        {**OPEN, "source_ranges": ("10.0.0.0/8",)}, {**OPEN, "source_ranges": ("198.51.100.0/24",)},
        ["loadBalancerSourceRanges"],
    ),
    "node port": ({"node_port": 30080}, {"node_port": 30082}, ["frontends_added", "frontends_removed"]),
}  # fmt: skip
"""What both sides write, and which differences that makes."""


def kinds_of(found: list[str]) -> set[str]:
    """The differences by kind; who gets through follows from some of them."""
    return {
        one.split(" 1")[0].split(" if")[0].split(" no")[0].rstrip() for one in found if "reached" not in one
    }


@pytest.mark.parametrize("modes", ["nft nft", "dump nft", "nft dump"])
def test_each_planted_difference_is_found_in_and_across_modes(modes: str, tmp_path: Path) -> None:
    writers: dict[str, Callable[..., str]] = {"nft": nft, "dump": dump}
    old, new = (writers[name] for name in modes.split())
    for name, (before, after, expected) in PLANTED.items():
        mine, theirs = (replace(WEB, **options) for options in (before, after))
        found = differing(tmp_path, old(mine, CART), new(theirs, CART), services_only=True)
        assert found["differs"], name
        assert kinds_of(changed(found)) == kinds_of(expected), name
        assert {one["service"]["name"] for one in found["services"]["changed"]} == {"web"}, name


@pytest.mark.parametrize("modes", ["nft nft", "dump nft", "nft dump"])
def test_services_that_came_and_went_are_told_in_and_across_modes(modes: str, tmp_path: Path) -> None:
    writers: dict[str, Callable[..., str]] = {"nft": nft, "dump": dump}
    old, new = (writers[name] for name in modes.split())
    found = differing(tmp_path, old(WEB), new(CART))
    assert changed(found) == ["+cart", "-web"]
    if modes == "nft nft":
        assert chains(found) == []  # its chains and elements are told with it


OTHER_TABLE = """table inet guard {
	set peers {
		type ipv4_addr
		elements = { 192.0.2.7 }
	}

	chain early {
		type filter hook forward priority -200; policy accept;
		ip saddr @peers counter packets 5 bytes 300 accept
		tcp dport { 22, 23 } drop comment "no shells"
	}
}
"""
CHANGES: dict[str, tuple[Callable[[str], str], list[tuple[str, str, list[str]]]]] = {
    "counters, comments, order": (
        lambda text: text.replace("5 bytes 300", "9 bytes 900").replace("22, 23", "23, 22").replace(' comment "no shells"', ""),
        [],
    ),
    "a rule": (lambda text: text.replace("{ 22, 23 }", "22"), [("changed", "early", ["removed", "added"])]),
    "an element": (
        lambda text: text.replace("192.0.2.7", "192.0.2.8"), [("changed", "set peers", ["removed", "added"])],
    ),
    "a policy": (lambda text: text.replace("policy accept;\n\t\tip saddr @peers", "policy drop;\n\t\tip saddr @peers"),
                 [("changed", "early", [])]),
    "a priority": (lambda text: text.replace("-200", "-300"), [("changed", "early", ["changed"])]),
    "a rule moved": (
        lambda text: re.sub(r"(\t\tip saddr @peers.*\n)(.*\n)", r"\2\1", text), [("changed", "early", ["moved"])],
    ),
    "a rule of kube-proxy's": (
        lambda text: text.replace('\t\tip daddr 10.96.0.0/12 drop comment "Drop traffic to unallocated ClusterIPs"\n', ""),
        [("changed", "cluster-ips-check", ["removed"])],
    ),
    "the table": (lambda text: text.replace(OTHER_TABLE, ""),
                  [("removed", "early", ["removed", "removed"]), ("removed", "set peers", ["removed"])]),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_changed_of_other_tables_and_rules_is_told(name: str, tmp_path: Path) -> None:
    change, expected = CHANGES[name]
    text = nft(WEB, CART) + OTHER_TABLE
    other = change(text)
    assert other != text
    found = differing(tmp_path, text, other)
    assert chains(found) == expected
    assert found["differs"] is bool(expected)


def test_an_element_of_which_a_service_shows_the_effect_is_told_with_it(tmp_path: Path) -> None:
    """A cluster IP that is not in the set of cluster IPs is not masqueraded for clients outside."""
    text = nft(WEB, CART)
    other = re.sub(r"(Active ClusterIPs\"\n\t\telements = \{ )10.97.20.77,\s+", r"\1", text)
    assert other != text
    found = differing(tmp_path, text, other)
    assert changed(found) == ["SNAT unless source in 10.244.0.0/16 -> no"]
    assert (chains(found), found["chains"]["explained"]) == ([], 1)


# --- one of each mode ----------------------------------------------------------------------------------------------

IDS = {
    "node-port-addresses", "node-ports-at-loopback", "closed-ports", "unallocated", "refused-from-node", "health-checks",
    "forward-accept", "affinity-state",
}  # fmt: skip


def switched(folder: Path, cluster: Cluster, shape: str, *, back: bool = False) -> set[str]:
    """Compare a node before and after its switch, or a switch back; return the ids of what is expected."""
    networks = ("fd00:10:96::/112",) if cluster.family == 6 else ("10.96.0.0/12",)
    sides = kubeproxy.saved(cluster), listed(Node(cluster, networks), shape)
    found = differing(folder, *(sides[::-1] if back else sides))
    assert (found["differs"], changed(found)) == (False, [])
    assert set(found["mode"].values()) == {"iptables", "nftables"}
    return {one["id"] for one in found["expected"]}


@pytest.mark.parametrize("shape", ["1.34", "1.36", "1.37"])
def test_a_switch_changes_nothing_but_what_the_modes_mean(shape: str, tmp_path: Path) -> None:
    assert switched(tmp_path, everything(ERA)[0], shape, back=shape == "1.36") == IDS


def test_nor_does_it_on_nodes_that_are_set_up_otherwise(tmp_path: Path) -> None:
    for cluster in everything(ERA)[1:]:
        if len(cluster.services) < CROWD:
            assert switched(tmp_path, cluster, "1.36") < IDS


def test_only_what_is_so_on_the_nodes_is_expected(tmp_path: Path) -> None:
    found = differing(tmp_path, dump(WEB), nft(WEB))
    assert {one["id"] for one in found["expected"]} == {"closed-ports", "unallocated", "forward-accept"}
    oldest = differing(tmp_path, dump(WEB), nft(WEB, shape="1.29"))
    assert {one["id"] for one in oldest["expected"]} == {"forward-accept"}


def test_a_release_that_drops_what_the_node_sends_is_a_real_difference(tmp_path: Path) -> None:
    """Up to 1.33 the node itself does not reach a service whose endpoints are on other nodes (issue 131765)."""
    far = replace(WEB, **OPEN, local_only=True, local=0)
    found = differing(tmp_path, dump(far), nft(far, shape="1.30"))
    assert found["differs"]
    assert any("reached from node" in other for one in found["services"]["changed"] for other in one["other"])
    assert not differing(tmp_path, dump(far), nft(far, shape="1.34"))["differs"]


def test_a_limit_of_addresses_that_iptables_mode_had_is_no_default(tmp_path: Path) -> None:
    at = ("10.9.0.1",)
    old = kubeproxy.saved(Cluster((CART,), ERA, node_port_addresses=at))
    assert not differing(tmp_path, old, listed(Node(Cluster((CART,), node_port_addresses=at)), "1.36"))[
        "differs"
    ]
    found = differing(tmp_path, old, nft(CART))
    assert any("node port answers at" in one for one in changed(found))


def test_a_rule_that_drops_behind_kube_forward_is_a_real_difference(tmp_path: Path) -> None:
    """In iptables mode KUBE-FORWARD accepts before it; the nftables node shows its dump, too."""
    last = "-A FORWARD -j DROP\nCOMMIT"
    filtered = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD -j DROP\nCOMMIT\n"
    head, _, tail = dump(WEB).partition("*filter")
    old = f"{head}*filter{tail.replace('COMMIT', last, 1)}"
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    (tmp_path / "old" / "node.rules").write_text(old)
    (tmp_path / "new" / "node.rules").write_text("# Generated by iptables-save v1.8.9\n" + filtered)
    (tmp_path / "new" / "node.nft").write_text(nft(WEB))
    nodes = (load_node(str(tmp_path / name)) for name in ("old", "new"))
    found = iptviz.diff(*nodes).to_dict()
    assert changed(found) == ["reached"]
    assert "own-chains" in {one["id"] for one in found["expected"]}
    assert {name for _, name, _ in chains(found)}.isdisjoint({"FORWARD", "KUBE-FORWARD", "KUBE-SERVICES"})


def test_a_table_of_others_that_one_side_alone_shows_is_left_out_and_said_to_be(tmp_path: Path) -> None:
    found = differing(tmp_path, dump(WEB), nft(WEB) + OTHER_TABLE.replace("{ 22, 23 }", "80"))
    assert (found["differs"], changed(found)) == (False, [])
    assert any("only NEW has them" in text for text in found["not_compared"])


@pytest.mark.parametrize("old", ["dump", "nft"])
def test_of_a_listing_that_is_cut_off_nothing_is_said_to_have_gone(old: str, tmp_path: Path) -> None:
    whole = {"dump": dump, "nft": nft}[old](WEB, CART)
    text = nft(WEB, CART)
    for end in (text.index("chain services"), text.index("chain service-"), len(text) - 3):
        found = differing(tmp_path, whole, text[:end])
        assert found["services"] is None
        assert not found["differs"]
        assert any(note.startswith("services: NEW") for note in found["not_compared"])
    with pytest.raises(DumpError, match="no chain that packets meet"):
        differing(tmp_path, whole, text[: text.index("map service-nodeports")])


def test_where_nothing_is_compared_no_difference_is_no_answer(tmp_path: Path) -> None:
    text = nft(WEB, CART)
    (tmp_path / "old").write_text(dump(WEB, CART))
    (tmp_path / "new").write_text(text[: text.index("chain services")])
    told = run("diff", str(tmp_path / "old"), str(tmp_path / "new")).stdout
    assert told.startswith("Not compared  nothing that both sides show\n")
    assert "No difference" not in told


def test_a_part_of_a_listing_says_nothing_of_what_it_lacks(tmp_path: Path) -> None:
    """Of the table alone nobody knows what iptables has on that node: a DROP that only the dump shows is no change."""
    head, _, tail = dump(WEB).partition("*filter")
    old = f"{head}*filter{tail.replace('-A FORWARD', '-A FORWARD -j DROP' + chr(10) + '-A FORWARD', 1)}"
    found = differing(tmp_path, old, nft(WEB))
    assert (found["differs"], changed(found)) == (False, [])
    assert any("reachability" in text for text in found["not_compared"])


def test_the_command_tells_what_is_expected_and_exits_by_what_really_differs(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(dump(WEB, CART))
    (tmp_path / "new").write_text(nft(WEB, CART))
    (tmp_path / "other").write_text(nft(replace(WEB, endpoints=PODS[:2]), CART))
    alike = run("diff", str(tmp_path / "old"), str(tmp_path / "new"))
    assert alike.returncode == 0
    assert "No difference" in alike.stdout
    assert "Expected" in alike.stdout
    otherwise = run("diff", str(tmp_path / "old"), str(tmp_path / "other"), "--json")
    assert otherwise.returncode == 1
    assert json.loads(otherwise.stdout)["differs"]
    rows = run("diff", str(tmp_path / "old"), str(tmp_path / "other"), "-f", "csv")
    assert "10.244.1.7:8080" in rows.stdout


def test_the_node_of_the_reference_is_as_both_modes_write_it() -> None:
    """One node before and after its switch, when kube-proxy was behind: an endpoint is not yet in its table."""
    shop = replace(WEB, **OPEN), CART
    services = (*kubeproxy.basics(), *shop)
    assert (FIXTURES / "switched" / "old.rules").read_text() == dump(*services)
    behind = replace(shop[0], endpoints=PODS[:2]), CART
    assert (FIXTURES / "switched" / "new.nft").read_text() == nft(*kubeproxy.basics(), *behind)


def test_services_in_no_rules_cannot_be_compared(tmp_path: Path) -> None:
    """IPVS has them in the kernel; of a node in nftables mode the dump alone has none."""
    ipvs = "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-NODE-PORT - [0:0]\nCOMMIT\n"
    with pytest.raises(DumpError, match="IPVS mode"):
        differing(tmp_path, ipvs, nft(WEB))
    kubelets = "*mangle\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n*nat\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n"
    with pytest.raises(DumpError, match="nftables mode"):
        differing(tmp_path, dump(WEB), kubelets)


@pytest.mark.parametrize(
    "asked",
    [
        {"equivalent": True},
        {"packet": "10.244.0.9 shop/web tcp 80"},
        {"packet": "10.244.0.9 10.97.20.77 tcp 80"},
    ],
)
def test_what_asks_iptables_rules_alone_refuses_tables_of_nft(asked: dict[str, Any], tmp_path: Path) -> None:
    for sides in ((dump(WEB), nft(WEB)), (nft(WEB), nft(WEB))):
        with pytest.raises(DumpError, match="iptables rules alone"):
            differing(tmp_path, *sides, **asked)


def test_a_trace_tells_what_changed_since_in_and_across_modes(tmp_path: Path) -> None:
    (tmp_path / "before.nft").write_text(nft(WEB, CART))
    (tmp_path / "before.rules").write_text(dump(WEB, CART))
    (tmp_path / "now.nft").write_text(nft(replace(WEB, endpoints=PODS[:2])))
    now = load_node(str(tmp_path / "now.nft"))
    for before in ("before.nft", "before.rules"):
        since = load_node(str(tmp_path / before))
        found = iptviz.trace(now, "shop/web", since=since).changes
        assert found is not None
        (one,) = found.changed
        assert {each.kind for each in one.differences} == {"endpoint removed", "share"}
        gone = iptviz.trace(now, "shop/cart", since=since)
        assert {"target-absent", "there-before"} <= {note.id for note in gone.notes}
    same = iptviz.trace(
        load_node(str(tmp_path / "before.nft")), "shop/cart", since=load_node(str(tmp_path / "before.rules"))
    )
    assert same.changes is not None
    assert not same.changes.differ
