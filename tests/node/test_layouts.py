"""Each collector's bundle: which nodes and dumps are found in it, what else is known, and what is answered."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest

from iptviz import packet, trace
from iptviz.errors import DumpError
from iptviz.node.load import load, load_node
from iptviz.questions.sources import sources
from tests.node import texts
from tests.node.layouts import LAYOUTS, write

if TYPE_CHECKING:
    from iptviz.node.snapshot import Snapshot
    from iptviz.questions.packet import PacketResult

SERVICE = "default/httpd-service"
UNSEEN, LOCAL = "unseen-tables", "endpoint-local"


class Expected(NamedTuple):
    """What a bundle holds, and what a packet from a pod to the service's cluster IP hangs on."""

    nodes: tuple[str | None, ...]
    dumps: tuple[str, ...]  # family, backend, tables
    own: str = ""  # families whose addresses are all known
    kinds: str = ""
    routes: int = 0
    sets: tuple[str, ...] = ()
    hangs_on: tuple[str, ...] = ()
    services: str = "ipv4"  # families in which the service is found
    shortened: bool = (
        False  # nft's JSON of the layout has the first rule of each table alone, so nothing rewrites
    )


SOS_KINDS = "addresses routes rules sysctls ipvs"
CILIUM = Expected(
    nodes=("cilium-x2x4k",),
    dumps=("ipv4 nf_tables: filter nat", "ipv6 legacy: nat filter", "ipv4 legacy: filter"),
    own="ipv4 ipv6",
    kinds="addresses routes rules ipsets sysctls",
    routes=10,
    sets=("pods-here",),
    services="ipv4 ipv6",
)
EXPECTED = {
    "sos_old": Expected(
        nodes=("node-1",),
        dumps=("ipv4 None: mangle nat filter", "ipv6 None: nat filter"),
        own="ipv4 ipv6",
        kinds=f"{SOS_KINDS} table-names",
        routes=21,
        services="ipv4 ipv6",
    ),
    "sos_new": Expected(
        nodes=("node-1",),
        dumps=("ipv4 None: nat filter", "ipv6 None: nat filter"),
        own="ipv4 ipv6",
        kinds=f"{SOS_KINDS} nft conntrack recent",
        routes=21,
        services="ipv4 ipv6",
    ),
    "sos_filter_alone": Expected(
        nodes=("node-1",),
        dumps=("ipv4 None: filter", "ipv6 None: filter"),
        own="ipv4 ipv6",
        kinds=f"{SOS_KINDS} nft conntrack recent",
        routes=21,
        services="",
    ),
    "eks": Expected(
        nodes=("i-0123456789abcdef0",),
        dumps=("ipv4 legacy: nat filter", "ipv6 legacy: nat filter"),
        own="ipv4 ipv6",
        kinds="ipsets ipvs conntrack rules routes sysctls",
        routes=21,
        sets=("pods-here",),
        services="ipv4 ipv6",
    ),
    "node_diagnostic": Expected(
        nodes=(None,),
        dumps=("ipv4 None: filter nat mangle", "ipv6 nf_tables: nat filter"),
        own="ipv4",
        kinds="nft routes rules",
        routes=12,
        hangs_on=(UNSEEN,),
    ),
    "bottlerocket": Expected(nodes=(None,), dumps=("ipv4 None: filter nat",), hangs_on=(UNSEEN, LOCAL)),
    "aks": Expected(
        nodes=(None,),
        dumps=("ipv4 None: filter", "ipv6 None: filter"),
        own="ipv4",
        kinds="nft routes rules conntrack sysctls addresses",
        routes=3,
        services="",
        shortened=True,
    ),
    "periscope": Expected(nodes=(None,), dumps=("ipv4 None: nat",), hangs_on=(UNSEEN, LOCAL)),
    "rancher": Expected(
        nodes=("node-1",),
        dumps=("ipv4 nf_tables: filter nat", "ipv6 legacy: nat filter"),
        own="ipv4 ipv6",
        kinds="nft addresses routes rules sysctls",
        routes=17,
        services="ipv4 ipv6",
    ),
    "microk8s": Expected(nodes=(None,), dumps=("ipv4 None: nat filter",), hangs_on=(UNSEEN, LOCAL)),
    "must_gather": Expected(
        nodes=("worker-1", "worker-2.example.org", "worker-3"),
        dumps=("ipv4 nf_tables: filter nat",),
        kinds="addresses routes",
        hangs_on=(LOCAL,),
    ),
    "gather_extra": Expected(
        nodes=("sdn-abcde", "sdn-fghij"),
        dumps=("ipv4 nf_tables: filter nat", "ipv6 nf_tables: nat filter"),
        kinds="nft",
        hangs_on=(LOCAL,),
    ),
    "calico_cluster": Expected(
        nodes=("node-1", "node-2"),
        dumps=("ipv4 nf_tables: filter nat", "ipv6 nf_tables: nat filter", "ipv4 legacy: filter"),
        own="ipv4 ipv6",
        kinds="nft addresses routes rules ipsets",
        routes=10,
        sets=("pods-here",),
    ),
    "calico_node": Expected(
        nodes=(None,),
        dumps=("ipv4 nf_tables: filter nat", "ipv6 legacy: nat filter"),
        own="ipv4 ipv6",
        kinds="addresses routes ipsets",
        routes=10,
        sets=("pods-here",),
        services="ipv4 ipv6",
    ),
    "cilium_bugtool": CILIUM,
    "cilium_bugtool_in_markdown": CILIUM,
    "cilium_sysdump": CILIUM._replace(nodes=("cilium-x2x4k", "cilium-z9z9z")),
    "antrea": Expected(
        nodes=("node-1", "node-2"),
        dumps=("ipv4 nf_tables: filter nat", "ipv6 legacy: nat filter"),
        own="ipv4 ipv6",
        kinds="ipsets addresses routes rules",
        routes=12,
        sets=("pods-here",),
        services="ipv4 ipv6",
    ),
    "submariner": Expected(
        nodes=("node-1",),
        dumps=("ipv4 nf_tables: filter nat",),
        own="ipv4 ipv6",
        kinds="addresses routes rules ipsets sysctls",
        routes=5,
        sets=("pods-here",),
    ),
    "troubleshoot": Expected(
        nodes=(None,),
        dumps=("ipv4 nf_tables: filter nat",),
        own="ipv4",
        kinds="routes sysctls ipvs",
        routes=12,
    ),
    "embedded_cluster": Expected(
        nodes=(None,),
        dumps=("ipv4 None: filter", "ipv6 nf_tables: nat filter"),
        own="ipv4 ipv6",
        kinds="nft addresses routes",
        routes=12,
        services="",
    ),
}
WITHOUT_RULES = {
    "sos_legacy_without_rules": (
        "no iptables rules found, only an empty nft list ruleset (nft_list_ruleset),"
        " the names of iptables-legacy tables: mangle, filter, nat (ip_tables_names), ip addr (ip_-d_address), ip route (ip_route_show_table_all), sysctl -a (sysctl_-a), ipvsadm -Ln (ipvsadm_-Ln)"
    ),
    "talos": (
        "no iptables rules found in its files: 192.168.1.11/resources/addressstatuses.net.talos.dev.yaml,"
        " 192.168.1.11/kubernetes-logs/kube-system/kube-proxy.log"
    ),
    "kubeskoop": "no iptables rules found, only a kubeskoop report (node-1.json)",
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Write every bundle, each into a folder of its own."""
    return {name: write(make(), tmp_path_factory.mktemp(name)) for name, make in LAYOUTS.items()}


def node_of(paths: dict[str, str], layout: str) -> Snapshot:
    """Return the first node of a bundle."""
    nodes = EXPECTED[layout].nodes
    return load_node(paths[layout], node=nodes[0] if len(nodes) > 1 else None)


def in_words(node: Snapshot) -> tuple[str, ...]:
    return tuple(f"{dump.family} {dump.backend}: {' '.join(dump.tables)}" for dump in node.dumps)


def asked(node: Snapshot) -> PacketResult:
    """Send a packet from a pod of the node to the service's cluster IP."""
    return packet(
        node,
        src="10.244.1.9",
        dst="10.97.13.198",
        protocol="tcp",
        dport=79,
        mark="0x0",
        in_iface="cni0",
    )


def shares(node: Snapshot) -> dict[str, str]:
    """Return what each endpoint of the service gets, exactly."""
    found = trace(node, SERVICE).to_dict()["services"]
    return {endpoint["address"]: endpoint["exact"] for one in found for endpoint in one["endpoints"]}


@cache
def true_shares(family: str) -> dict[str, str]:
    return shares(load_node(texts.SIX if family == "ipv6" else texts.LEGACY))


def test_every_layout_is_expected_to_hold_something() -> None:
    assert LAYOUTS.keys() == EXPECTED.keys() | WITHOUT_RULES.keys()


@pytest.mark.parametrize("layout", EXPECTED)
def test_dumps_make_the_snapshot_of_a_node(layout: str, paths: dict[str, str]) -> None:
    node, expected = node_of(paths, layout), EXPECTED[layout]
    assert node.name == expected.nodes[0]
    assert in_words(node) == expected.dumps
    assert node.problems == ()


@pytest.mark.parametrize("layout", EXPECTED)
def test_evidence_beside_the_dumps_is_known(layout: str, paths: dict[str, str]) -> None:
    node, expected = node_of(paths, layout), EXPECTED[layout]
    families = [family for family in ("ipv4", "ipv6") if node.own_addresses(family) is not None]
    assert families == expected.own.split()
    assert len(node.routes.routes if node.routes else ()) == expected.routes
    assert tuple(node.sets or ()) == expected.sets
    assert node.evidence_problems == []


@pytest.mark.parametrize("layout", [name for name in EXPECTED if "ipv4" in EXPECTED[name].own])
def test_own_addresses_are_the_nodes_and_no_pods(layout: str, paths: dict[str, str]) -> None:
    own = node_of(paths, layout).own_addresses("ipv4") or ()
    single = {address.value for address in own if address.mask == 0xFFFFFFFF}
    assert single == {0x7F000001, 0xC0A8010B, 0x0AF40101}


@pytest.mark.parametrize("layout", EXPECTED)
def test_the_service_has_its_shares(layout: str, paths: dict[str, str]) -> None:
    expected: dict[str, str] = {}
    for family in EXPECTED[layout].services.split():
        expected |= true_shares(family)
    assert shares(node_of(paths, layout)) == expected


@pytest.mark.parametrize("layout", EXPECTED)
def test_a_packet_hangs_on_nothing_that_the_bundle_tells(layout: str, paths: dict[str, str]) -> None:
    result = asked(node_of(paths, layout))
    conditions = dict.fromkeys(need.condition.kind for outcome in result.outcomes for need in outcome.when)
    assert tuple(conditions) == EXPECTED[layout].hangs_on
    sure = {outcome.packet.dnat: outcome.share for outcome in result.outcomes if not outcome.when}
    whole = {f"{address}:80": Fraction(share) for address, share in true_shares("ipv4").items()}
    rewritten = {None: Fraction(1)} if EXPECTED[layout].shortened else whole
    assert sure == ({} if conditions else rewritten)  # a table that is missing is not taken for an empty one


@pytest.mark.parametrize("layout", EXPECTED)
def test_sources_lists_everything(layout: str, paths: dict[str, str]) -> None:
    found = sources(paths[layout]).to_dict()
    assert {one["kind"].replace(" ", "-") for one in found["evidence"]} == set(EXPECTED[layout].kinds.split())
    of_nodes = [one for one in found["sources"] if one["namespace"] is None]
    assert tuple(dict.fromkeys(one["node"] for one in of_nodes)) == EXPECTED[layout].nodes


@pytest.mark.parametrize("layout", ["sos_old", "sos_new"])
def test_a_pods_rules_and_addresses_are_listed_as_such(layout: str, paths: dict[str, str]) -> None:
    found = sources(paths[layout]).to_dict()
    pods = [one for one in (*found["sources"], *found["evidence"]) if one["namespace"] is not None]
    assert {one["namespace"] for one in pods} == {"cni-0b6ae2d5-1111-2222-3333-444444444444"}
    assert sorted(one.get("kind", "dump") for one in pods) == ["addresses", "dump"]


@pytest.mark.parametrize("layout", [name for name in EXPECTED if len(EXPECTED[name].nodes) > 1])
def test_of_several_nodes_one_is_asked_for(layout: str, paths: dict[str, str]) -> None:
    nodes = EXPECTED[layout].nodes
    with pytest.raises(DumpError) as caught:
        load_node(paths[layout])
    assert caught.value.what == f"contains dumps of {len(nodes)} nodes: {', '.join(map(str, nodes))}"
    assert [load_node(paths[layout], node=name).name for name in nodes] == list(nodes)
    with pytest.raises(DumpError, match='no dump of node "node-9"'):
        load_node(paths[layout], node="node-9")


@pytest.mark.parametrize("layout", WITHOUT_RULES)
def test_a_bundle_without_rules_says_what_it_holds(layout: str, paths: dict[str, str]) -> None:
    with pytest.raises(DumpError) as caught:
        load(paths[layout])
    assert (caught.value.where, caught.value.what) == (paths[layout], WITHOUT_RULES[layout])
    tool = "iptables-legacy-save" if "iptables-legacy tables" in caught.value.what else "iptables-save"
    assert f"sudo {tool} > FILE" in caught.value.hint


def test_a_listing_that_failed_is_no_empty_table(paths: dict[str, str]) -> None:
    found = sources(paths["eks"]).to_dict()
    assert "networking/ip6tables-mangle.txt" not in {one["inside"] for one in found["sources"]}


def test_addresses_that_ip_could_not_print_are_none(paths: dict[str, str]) -> None:
    assert node_of(paths, "aks").own_addresses("ipv6") is None
    assert "collect/ip_6_addr.json" not in {
        one["inside"] for one in sources(paths["aks"]).to_dict()["evidence"]
    }


def test_what_nft_lists_of_single_tables_settles_no_others(paths: dict[str, str]) -> None:
    node = node_of(paths, "node_diagnostic")
    assert node.unseen_tables(node.dump) == ("raw", "security")


def test_tables_of_nft_are_not_missing_in_a_dump_of_legacy(paths: dict[str, str]) -> None:
    node = node_of(paths, "calico_cluster")
    assert [node.unseen_tables(dump) for dump in node.dumps] == [(), (), ()]


def test_evidence_of_a_node_is_not_anothers(paths: dict[str, str]) -> None:
    nodes = {name: load_node(paths["must_gather"], node=name) for name in EXPECTED["must_gather"].nodes}
    assert {name for name, node in nodes.items() if node.own_addresses("ipv4")} == {"worker-3"}
