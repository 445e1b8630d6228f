"""The jump graph: chains are nodes, jumps are edges, and networkx's algorithms work on it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

import iptviz
from iptviz.dump.model import Dump
from iptviz.jumps import jump_graph, jumps, led_in, loops

if TYPE_CHECKING:
    from iptviz.dump.table import Table


def table(*rules: str) -> Table:
    return Dump("\n".join(("*nat", *rules, "COMMIT\n")).encode()).tables["nat"]


def test_an_edge_is_a_rule_with_its_matches_and_its_raw_chance() -> None:
    dump = iptviz.load("fixtures/httpd-service/dump.rules")
    graph = iptviz.jump_graph(dump.tables["nat"])
    edges = graph.out_edges("KUBE-SVC-X2P42VLQEZCHLPKZ", data=True)
    assert [round(float(data["chance"]), 5) for _, _, data in edges] == [0.25, 0.33333, 0.5, 1.0]
    assert [data["goto"] for _, _, data in edges] == [False] * 4
    (_, _, first), *_ = edges
    assert first["matches"] == ("-m statistic --mode random --probability 0.25000000000",)
    assert first["chance"] == Fraction(1, 4)
    assert first["rule"].line == 76


def test_from_a_frontend_down_to_the_endpoints_is_a_path() -> None:
    dump = iptviz.load("fixtures/httpd-today/dump.rules")
    graph = jump_graph(dump.tables["nat"], ["KUBE-NODEPORTS"])
    ends = [chain for chain in nx.descendants(graph, "KUBE-NODEPORTS") if chain.startswith("KUBE-SEP-")]
    assert len(ends) == 4
    assert "KUBE-SVC-NPX46M4PTMTKRN6Y" not in graph


def test_a_chain_that_is_not_there_is_a_node_that_says_so() -> None:
    graph = jump_graph(table(":A - [0:0]", "-A A -g B"))
    assert {name: data["present"] for name, data in graph.nodes(data=True)} == {"A": True, "B": False}
    assert [data["goto"] for _, _, data in graph.edges(data=True)] == [True]


def test_loops_are_found_and_chains_that_only_share_callees_are_none() -> None:
    graph = jump_graph(table("-A A -j B", "-A B -j C", "-A C -j A", "-A D -j D", "-A E -j A", "-A E -j B"))
    assert loops(graph.edges()) == [["A", "B", "C"], ["D"]]


@given(st.lists(st.tuples(st.sampled_from("ABCDEFGH"), st.sampled_from("ABCDEFGH")), max_size=24))
def test_loops_are_the_strongly_connected_components_that_have_an_edge_within(
    pairs: list[tuple[str, str]],
) -> None:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from(pairs)
    groups = (sorted(group) for group in nx.strongly_connected_components(graph))
    assert loops(pairs) == sorted(group for group in groups if graph.subgraph(group).edges)


def test_a_loop_of_100_000_chains_is_found() -> None:
    pairs = [(place, (place + 1) % 100_000) for place in range(100_000)]
    assert [len(group) for group in loops(pairs)] == [100_000]  # type: ignore[type-var]


def test_a_graph_of_2_to_the_60_paths_has_60_times_2_edges() -> None:
    rules = [f"-A A{n} -j A{n + 1}" for n in range(60) for _ in range(2)]
    graph = jump_graph(table(*rules), ["A0"])
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (61, 120)
    assert loops(graph.edges()) == []


OPTIONS = (
    "-s 10.0.0.1/32", "! -s 10.0.0.0/8", "-d fd00::1/128", "-i eth0", "-p tcp", "-p", "-m tcp", "-m tcp --dport 80", "! --dport 80",
    "--dport -j", '-m comment --comment "a/b -j B"', "-m comment --comment a/b", '-m comment --comment "-g C"', "-m comment --comment -j",
    '-m comment --comment "a\\" -j B"', '-m comment --comment ""', "-m statistic --mode random --probability 0.5",
    "-m addrtype --dst-type LOCAL", "-m recent --set --name KUBE-SEP-A --mask 255.255.255.255 --rsource",
    "-m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-A --mask 255.255.255.255 --rsource",
    "-m conntrack --ctstate NEW", "-A B", "-g C", "--goto C", "-jB", "-j", "--log-prefix -j", "-m set --match-set x",
    "--tcp-flags SYN", "-m", "\\", '"', "!", "x",
)  # fmt: skip
ENDS = (
    "-j A", "-j B", "-j MISSING", "-j DNAT --to-destination 10.0.0.1:80", "-j LOG", "-j MARK --set-xmark 0x1/0x1", "-j ACCEPT",
    "-g B", "-j", "-j B --x y", '-j "B"', "-j B -j C", "",
)  # fmt: skip
RULES = st.tuples(
    st.sampled_from(("-A A", "-A B", "-A C", "[1:2] -A A", "[1:2] -A LOG")),
    st.lists(st.sampled_from(OPTIONS), max_size=4),
    st.sampled_from(ENDS),
).map(lambda parts: " ".join((parts[0], *parts[1], parts[2])).rstrip())


BULK = st.tuples(
    st.sampled_from(("", "", "[1:60] ")),
    st.sampled_from(
        (
            (
                "SEP-A -s 10.1.0.1/32 -j KUBE-MARK-MASQ",
                "SEP-A -p tcp -m tcp -j DNAT --to-destination 10.1.0.1:80",
            ),
            (
                "SEP-B -s 10.1.0.2/32 -j KUBE-MARK-MASQ",
                "SEP-B -p tcp -m tcp -j DNAT --to-destination 10.1.0.2:80",
            ),
            (
                "SVC-X -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-A",
                "SVC-X -j KUBE-SEP-B",
            ),
            ("SEP-A -s 10.1.0.1/32 -j KUBE-SVC-X",),
        )
    ),
).map(lambda parts: [f"{parts[0]}-A KUBE-{line}" for line in parts[1]])
DECLARED = st.lists(
    st.sampled_from((":KUBE-MARK-MASQ - [0:0]", ":KUBE-MARK-MASQ - [0:0]", ":DNAT - [0:0]")), max_size=2
)


@given(st.lists(RULES, max_size=8))
def test_jumps_seen_at_sight_are_those_of_rules_taken_apart(rules: list[str]) -> None:
    compare(":A - [0:0]", ":B - [0:0]", ":LOG - [0:0]", ":D ACCEPT [0:0]", *rules)


@given(DECLARED, st.lists(BULK, max_size=5))
def test_jumps_in_bulk_are_those_of_rules_taken_apart(declared: list[str], rules: list[list[str]]) -> None:
    compare(*declared, *(line for some in rules for line in some))


def compare(*lines: str) -> None:
    nat = table(*lines)
    expected: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for rule, callee in jumps(nat):
        expected.setdefault((rule.chain, callee), []).append((rule.line, rule.number))
    found = [
        ((tail, head), [(rule.line, rule.number) for rule in rules]) for tail, head, rules in led_in(nat)
    ]
    assert found == list(expected.items())
