"""What the API says, read with care: objects of every shape, and what kube-proxy makes of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iptviz
from iptviz.cluster.api import ApiEndpoint, read_cluster
from iptviz.cluster.expected import expected_ports
from iptviz.errors import DumpError
from tests import kubeproxy
from tests.kubectl import objects

if TYPE_CHECKING:
    from pathlib import Path

WEB: dict[str, Any] = {
    "kind": "Service",
    "metadata": {"namespace": "shop", "name": "web"},
    "spec": {
        "type": "LoadBalancer", "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9", "fd00::9"],
        "ports": [{"name": "http", "port": 80, "nodePort": 30080}, {"name": "dns", "port": 53, "protocol": "UDP"}],
        "externalIPs": ["192.0.2.1", "2001:db8::1"], "loadBalancerSourceRanges": ["10.0.0.0/8", "fd00::/8"],
        "sessionAffinity": "ClientIP", "healthCheckNodePort": 32000, "externalTrafficPolicy": "Local",
    },
    "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}, {"hostname": "lb.example"}, {"ip": "203.0.113.2", "ipMode": "Proxy"}]}},
}  # fmt: skip


def endpoint_slice(*endpoints: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "kind": "EndpointSlice",
        "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "ports": [{"name": "http", "port": 8080}, {"name": "dns", "port": 5353, "protocol": "UDP"}],
        "endpoints": list(endpoints),
        **more,
    }


def ports(*items: dict[str, Any], version: int = 4, node: str | None = "node-1") -> dict[str, Any]:
    cluster = read_cluster([(json.dumps(list(items)), "kubectl.json")])
    return {one.port_name: one for one in expected_ports(cluster, version, node)}


def test_a_service_port_has_all_its_frontends_and_properties() -> None:
    web = ports(WEB)["http"]
    assert web.frontends == {
        ("cluster-ip", "10.96.0.9", 80), ("external-ip", "192.0.2.1", 80), ("load-balancer-ip", "203.0.113.1", 80),
        ("node-port", "", 30080),
    }  # fmt: skip
    assert (web.affinity, web.health_check, web.source_ranges) == (10800, 32000, {"10.0.0.0/8"})
    assert (web.internal_policy, web.external_policy) == ("Cluster", "Local")
    assert ports(WEB)["dns"].protocol == "udp"


def test_the_other_family_is_another_list() -> None:
    web = ports(WEB, version=6)["http"]
    assert {address for _, address, _ in web.frontends} == {"fd00::9", "2001:db8::1", ""}
    assert web.source_ranges == {"fd00::/8"}


A, B = {"addresses": ["10.0.0.1"], "nodeName": "node-1"}, {"addresses": ["10.0.0.2"], "nodeName": "node-2"}


@pytest.mark.parametrize(
    ("endpoints", "everywhere", "here"),
    [
        ([A, B], {"10.0.0.1:8080", "10.0.0.2:8080"}, {"10.0.0.1:8080"}),
        ([A | {"conditions": {"ready": False}}, B], {"10.0.0.2:8080"}, set()),
        ([A | {"conditions": {"ready": None}}], {"10.0.0.1:8080"}, {"10.0.0.1:8080"}),
        ([A | {"conditions": {"ready": False, "serving": True, "terminating": True}}, B], {"10.0.0.2:8080"}, {"10.0.0.1:8080"}),
        ([A | {"conditions": {"ready": False, "serving": False, "terminating": True}}], set(), set()),
        ([A | {"conditions": {"ready": False, "terminating": True}}], {"10.0.0.1:8080"}, {"10.0.0.1:8080"}),
        ([A | {"conditions": {"ready": False}}], set(), set()),
        ([A, A], {"10.0.0.1:8080"}, {"10.0.0.1:8080"}),
        ([{"addresses": ["10.0.0.1", "10.0.0.9"]}], {"10.0.0.1:8080"}, set()),
        ([{"addresses": ["fd00::1"]}], set(), set()),
        ([], set(), set()),
    ],
)  # fmt: skip
def test_usable_endpoints_are_those_that_are_ready_or_else_still_serve(
    endpoints: list[dict[str, Any]], everywhere: set[str], here: set[str]
) -> None:
    web = ports(WEB, endpoint_slice(*endpoints))["http"]
    assert (web.endpoints, web.local) == (everywhere, here)
    assert ports(WEB, endpoint_slice(*endpoints), node=None)["http"].local is None


def test_slices_go_before_endpoints_and_several_slices_are_one() -> None:
    old = {
        "kind": "Endpoints", "metadata": {"namespace": "shop", "name": "web"},
        "subsets": [{"addresses": [{"ip": "10.0.0.7"}], "notReadyAddresses": [{"ip": "10.0.0.8"}],
                     "ports": [{"name": "http", "port": 8080}]}],
    }  # fmt: skip
    assert ports(WEB, old)["http"].endpoints == {"10.0.0.7:8080"}
    assert ports(WEB, old, endpoint_slice(A), endpoint_slice(B))["http"].endpoints == {
        "10.0.0.1:8080",
        "10.0.0.2:8080",
    }


@pytest.mark.parametrize(
    ("annotations", "slices", "cut"),
    [
        ({"endpoints.kubernetes.io/over-capacity": "truncated"}, [], True),
        (
            {"endpoints.kubernetes.io/over-capacity": "truncated"},
            [endpoint_slice(A)],
            False,
        ),  # tells them all
        ({"endpoints.kubernetes.io/over-capacity": "warning"}, [], False),  # 1.21, which left none out
        ({}, [], False),
    ],
)
def test_endpoints_say_that_they_are_not_all(
    annotations: dict[str, str], slices: list[dict[str, Any]], cut: bool
) -> None:
    told = {"kind": "Endpoints", "metadata": {"namespace": "shop", "name": "web", "annotations": annotations}}
    other = WEB | {"metadata": {"namespace": "shop", "name": "other"}}
    services = read_cluster([(json.dumps([WEB, other, told, *slices]), "a")]).services
    assert {service.name: service.endpoints_cut for service in services} == {"web": cut, "other": False}


def test_a_list_that_goes_on_is_not_all() -> None:
    begun = {"kind": "ServiceList", "metadata": {"continue": "x", "remainingItemCount": 7}, "items": [WEB]}
    with pytest.raises(DumpError, match="cut off"):
        read_cluster([(json.dumps(begun), "raw")])


def test_hints_are_seen() -> None:
    assert ports(WEB, endpoint_slice(A | {"hints": {"forZones": [{"name": "a"}]}}))["http"].hinted
    assert not ports(WEB, endpoint_slice(A))["http"].hinted


@pytest.mark.parametrize(
    ("spec", "labels", "reason"),
    [
        ({"type": "ExternalName"}, {}, "ExternalName"),
        ({"clusterIP": "None"}, {}, "headless"),
        ({}, {}, "headless"),
        ({"clusterIP": ["10.0.0.1"]}, {}, "headless"),
        ({"clusterIP": "10.0.0.1"}, {"service.kubernetes.io/service-proxy-name": "x"}, "left to the proxy x"),
        ({"clusterIP": "10.0.0.1"}, {"service.kubernetes.io/headless": ""}, "label service.kubernetes.io/headless"),
        ({"clusterIP": "10.0.0.1"}, {"app": "x"}, ""),
    ],
)  # fmt: skip
def test_what_is_ignored_has_a_reason(spec: dict[str, Any], labels: dict[str, str], reason: str) -> None:
    item = {"kind": "Service", "metadata": {"name": "a", "labels": labels}, "spec": spec}
    (one,) = read_cluster([(json.dumps(item), "a")]).services
    assert one.ignored == reason


def test_an_endpoint_is_all_that_a_slice_says_of_it() -> None:
    cluster = read_cluster([(json.dumps([WEB, endpoint_slice(A)]), "a")])
    (one,) = cluster.endpoints["shop", "web", "http", "tcp"]
    assert one == ApiEndpoint("10.0.0.1", 8080, "node-1", ready=True, serving=True, terminating=False)


values = (
    st.none() | st.booleans() | st.integers(-5, 70000) | st.sampled_from(["", "None", "10.0.0.1", "x", "TCP"])
)
mutations = st.recursive(
    values,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
ITEMS = objects(kubeproxy.numbered(1, 2, affinity=5, load_balancer_ips=("203.0.113.1",)))


def paths(item: dict[str, Any]) -> list[tuple[str, ...]]:
    """Every key of an object, and every key of what it holds."""
    inner = [(key, below) for key, value in item.items() if isinstance(value, dict) for below in value]
    return [*((key,) for key in item), *inner]


PATHS = [(index, keys) for index, item in enumerate(ITEMS) for keys in paths(item)]


@pytest.mark.unmeasured
@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(PATHS), mutations), min_size=1, max_size=4))
def test_no_object_breaks_the_reader(changes: list[tuple[tuple[int, tuple[str, ...]], Any]]) -> None:
    found = json.loads(json.dumps(ITEMS))
    for (index, keys), value in changes:
        place = found[index]
        for key in keys[:-1]:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place[keys[-1]] = value
    try:
        cluster = read_cluster([(json.dumps(found), "kubectl.json")])
    except DumpError as error:
        assert error.where == "kubectl.json"
    else:
        assert all(one.protocol for one in expected_ports(cluster, 4, "node-1"))


# --- as the API itself gives them --------------------------------------------------------------------------------


def without_kind(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "kind"}


def test_the_items_of_a_list_are_of_its_kind() -> None:
    services = {"kind": "ServiceList", "apiVersion": "v1", "items": [without_kind(WEB)]}
    slices = {
        "kind": "EndpointSliceList",
        "items": [without_kind(endpoint_slice({"addresses": ["10.244.0.1"]}))],
    }
    nodes = {
        "kind": "NodeList",
        "items": [{"metadata": {"name": "node-1", "labels": {"topology.kubernetes.io/zone": "a"}}}],
    }
    texts = [(json.dumps(each), "raw") for each in (services, slices, nodes)]
    cluster = read_cluster(texts)
    assert [service.name for service in cluster.services] == ["web"]
    assert cluster.zones == {"node-1": "a"}
    assert (
        cluster.endpoints
        == read_cluster([(json.dumps([WEB, endpoint_slice({"addresses": ["10.244.0.1"]})]), "")]).endpoints
    )


def test_a_table_holds_its_objects_in_rows() -> None:
    table = {"kind": "Table", "columnDefinitions": [], "rows": [{"cells": ["web"], "object": WEB}]}
    assert [service.name for service in read_cluster([(json.dumps(table), "raw")]).services] == ["web"]
    table["rows"] = [
        {"cells": ["web"], "object": {"kind": "PartialObjectMetadata", "metadata": {"name": "web"}}}
    ]
    with pytest.raises(DumpError, match="a Table without the objects themselves"):
        read_cluster([(json.dumps(table), "raw")])


@pytest.mark.parametrize("kind", [None, 7, "List", "ServiceList"])
def test_a_list_of_whatever_kind_may_hold_anything(kind: object) -> None:
    cluster = read_cluster([(json.dumps({"kind": kind, "items": [WEB, [WEB], {"kind": "Pod"}]}), "raw")])
    assert [service.name for service in cluster.services] == ["web", "web"]


def test_without_slices_nothing_is_said_of_endpoints(tmp_path: Path) -> None:
    cluster = kubeproxy.Cluster(tuple(kubeproxy.basics()))
    dump = iptviz.load(kubeproxy.saved(cluster).encode())
    path = tmp_path / "services.json"
    path.write_text(json.dumps([item for item in objects(cluster) if item["kind"] == "Service"]))
    result = iptviz.verify(dump, [str(path)])
    assert result.differences == ()
    assert [item.id for item in result.notes] == ["endpoints-not-given"]
