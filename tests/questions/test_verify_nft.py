"""A node in nftables mode against the API: each shape agrees, and each planted difference is named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.checks.wording import sentences
from iptviz.errors import DumpError
from iptviz.node.load import load_node
from tests.kubectl import HERE, objects
from tests.kubeproxy import Cluster, Service
from tests.kubeproxy.features import everything
from tests.nft.told import LISTINGS
from tests.nftproxy import SHAPES, Node, listed

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz import VerifyResult

ERA = "1.31"
"""The features of this mode are those of iptables mode of that time."""

WEB = Service(
    "web", "10.97.20.77", (("10.244.1.5", 8080), ("10.244.1.6", 8080)), port_name="http", namespace="shop", local=1
)  # fmt: skip
CROWD = 100
OPEN: dict[str, Any] = {"node_port": 30080, "load_balancer_ips": ("203.0.113.10",)}


def node_of(cluster: Cluster) -> Node:
    return Node(cluster, ("fd00:10:96::/112",) if cluster.family == 6 else ("10.96.0.0/12",))


def verified(
    folder: Path, written: Cluster, wanted: Cluster, shape: str = "1.36", node: str | None = HERE
) -> VerifyResult:
    """Verify the listing of one cluster against the API of another."""
    listing, api = folder / "node.nft", folder / "kubectl.json"
    listing.write_text(listed(node_of(written), shape))
    api.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects(wanted)}))
    return iptviz.verify(load_node(str(listing)), [str(api)], node=node)


def told(result: VerifyResult) -> list[tuple[str, str, str, str]]:
    return [
        (one.kind, one.at, one.expected, one.found) for answer in result.answers for one in answer.differences
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_each_feature_agrees_with_its_api(shape: str, tmp_path: Path) -> None:
    for cluster in everything(ERA):
        if len(cluster.services) < CROWD:
            result = verified(tmp_path, cluster, cluster, shape)
            assert told(result) == []
            assert result.compared == len(cluster.services)


ANY = "10.97.20.77:80"
PLANTED: dict[str, tuple[dict[str, Any], dict[str, Any], list[tuple[str, str, str, str]]]] = {
    "endpoint missing": (
        {}, {"endpoints": (*WEB.endpoints, ("10.244.1.7", 8080))},
        [("missing-endpoint", ANY, "10.244.1.7:8080", "")],
    ),
    "endpoint extra": (
        {}, {"endpoints": WEB.endpoints[:1]}, [("extra-endpoint", ANY, "", "10.244.1.6:8080")],
    ),
    "endpoint's port": (
        {"endpoints": (("10.244.1.5", 8080),)}, {"endpoints": (("10.244.1.5", 9090),)},
        [("wrong-port", ANY, "10.244.1.5:9090", "10.244.1.5:8080")],
    ),
    "none left": (
        {"endpoints": ()}, {},
        [("missing-endpoint", ANY, "10.244.1.5:8080", ""), ("missing-endpoint", ANY, "10.244.1.6:8080", "")],
    ),
    "affinity": ({}, {"affinity": 600}, [("affinity", "", "600 s", "none")]),
    "no affinity": ({"affinity": 600}, {}, [("affinity", "", "none", "600 s")]),
    "seconds": ({"affinity": 600}, {"affinity": 900}, [("affinity", "", "900 s", "600 s")]),
    "internal policy": ({"internal_local": True}, {}, [("policy", "", "internal Cluster", "internal Local")]),
    "external policy": (
        {**OPEN}, {**OPEN, "local_only": True}, [("policy", "", "external Local", "external Cluster")],
    ),
    "source ranges": (
        {**OPEN, "source_ranges": ("10.0.0.0/8",)}, {**OPEN, "source_ranges": ("198.51.100.0/24",)},
        [("source-ranges", "", "198.51.100.0/24", "10.0.0.0/8")],
    ),
    "no source ranges": (
        {**OPEN}, {**OPEN, "source_ranges": ("10.0.0.0/8",)}, [("source-ranges", "", "10.0.0.0/8", "")],
    ),
    "node port": (
        {"node_port": 30080}, {"node_port": 30081},
        [("missing-frontend", "", "node-port :30081", ""), ("extra-frontend", "", "", "node-port :30080")],
    ),
    "load balancer": (
        {**OPEN, "load_balancer_ips": ()}, OPEN, [("missing-frontend", "", "load-balancer-ip 203.0.113.10:80", "")],
    ),
}  # fmt: skip
"""What is written, what is wanted, and what that differs in."""


@pytest.mark.parametrize("shape", SHAPES)
def test_each_planted_difference_is_named_and_no_other(shape: str, tmp_path: Path) -> None:
    for name, (written, wanted, expected) in PLANTED.items():
        mine, theirs = (Cluster((replace(WEB, **options),)) for options in (written, wanted))
        assert sorted(told(verified(tmp_path, mine, theirs, shape))) == sorted(expected), name


def test_services_that_are_missing_and_extra_are_told_with_the_line_of_their_element(tmp_path: Path) -> None:
    other = replace(WEB, name="other", cluster_ip="10.97.20.78")
    result = verified(tmp_path, Cluster((WEB,)), Cluster((other,)))
    assert told(result) == [
        ("missing-service", "", "10.97.20.78:80", ""),
        ("extra-service", "", "", "10.97.20.77:80/tcp"),
    ]
    lines = (tmp_path / "node.nft").read_text().splitlines()
    (extra,) = (one for one in result.differences if one.kind == "extra-service")
    assert extra.line
    assert "10.97.20.77 . tcp . 80 : goto service-" in lines[extra.line - 1]
    (finding,) = (one for one in result.findings if one.id == "service-extra")
    assert finding.evidence[0].line == extra.line


def test_an_endpoint_that_is_drawn_twice_makes_shares_differ(tmp_path: Path) -> None:
    three = Cluster((replace(WEB, endpoints=(*WEB.endpoints, ("10.244.1.7", 8080))),))
    verified(tmp_path, three, three)
    file = tmp_path / "node.nft"
    text = file.read_text()
    twice = text.replace(
        "mod 3 map { 0 : 10.244.1.5 . 8080,", "mod 4 map { 3 : 10.244.1.5 . 8080, 0 : 10.244.1.5 . 8080,"
    )
    assert twice != text
    file.write_text(twice)
    result = iptviz.verify(load_node(str(file)), [str(tmp_path / "kubectl.json")], node=HERE)
    assert told(result) == [("share-differs", ANY, "33.33 %", "25.00 % to 50.00 %")]


def test_json_is_compared_as_the_text_is_and_names_no_line(tmp_path: Path) -> None:
    api = tmp_path / "kubectl.json"
    api.write_text(json.dumps({"kind": "List", "items": objects(Cluster((WEB,)))}))
    text, as_json = (
        iptviz.verify(load_node(str(LISTINGS / f"every-1.36.{form}")), [str(api)], node=HERE)
        for form in ("listing", "json")
    )
    assert sorted(told(text)) == sorted(told(as_json))
    assert {one.line for one in as_json.differences} == {None}
    assert as_json.to_dict()["dump"]["mode"] == "nftables"


def test_a_policy_local_needs_the_nodes_name(tmp_path: Path) -> None:
    one = Cluster((replace(WEB, **OPEN, local_only=True),))
    result = verified(tmp_path, one, one, node=None)
    assert told(result) == []
    assert any("--node" in text for text in sentences(result.notes))


def test_a_table_without_services_is_said_to_have_none(tmp_path: Path) -> None:
    result = verified(tmp_path, Cluster(()), Cluster((WEB,)))
    assert told(result) == [("missing-service", "", ANY, "")]
    assert any("no service" in text for text in sentences(result.notes))


def test_a_listing_without_kube_proxys_table_cannot_be_compared(tmp_path: Path) -> None:
    verified(tmp_path, Cluster(()), Cluster((WEB,)))
    file = tmp_path / "node.nft"
    file.write_text(
        "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority 0; policy accept;\n\t}\n}\n"
    )
    with pytest.raises(DumpError, match="services cannot be compared"):
        iptviz.verify(load_node(str(file)), [str(tmp_path / "kubectl.json")])
