"""What the API says, read with care: objects of every shape, and what kube-proxy makes of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iptviz
from iptviz.cluster.api import read_cluster
from iptviz.cluster.endpoints import ApiEndpoint
from iptviz.compare.ports.of_api import forms_of_api
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


A, B = {"addresses": ["10.0.0.1"], "nodeName": "node-1"}, {"addresses": ["10.0.0.2"], "nodeName": "node-2"}


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
    assert {one.name: one.endpoints_cut for one in services} == {"web": cut, "other": False}
    assert {one.name: one.by_endpoints for one in services} == {"web": not slices, "other": False}


@pytest.mark.parametrize(
    ("spec", "annotations", "near"),
    [
        ({"trafficDistribution": "PreferSameNode"}, {}, True),
        ({"trafficDistribution": "PreferClose"}, {}, True),
        ({}, {"service.kubernetes.io/topology-mode": "Auto"}, True),
        ({}, {"service.kubernetes.io/topology-aware-hints": "auto"}, True),
        ({}, {"service.kubernetes.io/topology-mode": "Disabled"}, False),
        ({"trafficDistribution": None}, {"other": "Auto"}, False),
    ],
)
def test_a_service_asks_for_hints_in_two_ways(
    spec: dict[str, Any], annotations: dict[str, str], near: bool
) -> None:
    item = {"kind": "Service", "metadata": {"name": "a", "annotations": annotations}, "spec": spec}
    (one,) = read_cluster([(json.dumps(item), "a")]).services
    assert one.near == near


def test_a_list_that_goes_on_is_not_all() -> None:
    begun = {"kind": "ServiceList", "metadata": {"continue": "x", "remainingItemCount": 7}, "items": [WEB]}
    with pytest.raises(DumpError, match="cut off"):
        read_cluster([(json.dumps(begun), "raw")])


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


POD = {"kind": "Pod", "namespace": "shop", "name": "web-1"}


@pytest.mark.parametrize(
    ("target", "pod"),
    [(POD, "shop/web-1"), ({**POD, "namespace": None}, "web-1"), ({**POD, "kind": "Node"}, "")],
)
def test_an_endpoint_has_the_pod_that_it_stands_for(target: dict[str, Any], pod: str) -> None:
    old = {
        "kind": "Endpoints", "metadata": {"namespace": "shop", "name": "web"},
        "subsets": [{"addresses": [{"ip": "10.0.0.7", "targetRef": target}], "ports": [{"name": "http", "port": 80}]}],
    }  # fmt: skip
    for item in (endpoint_slice(A | {"targetRef": target}), old):
        cluster = read_cluster([(json.dumps([WEB, item]), "a")])
        assert [end.pod for end in cluster.endpoints["shop", "web", "http", "tcp"]] == [pod]


def test_pods_among_the_objects_are_known_by_their_addresses() -> None:
    pods: list[dict[str, Any]] = [
        {
            "kind": "Pod",
            "metadata": {"namespace": "shop", "name": name},
            "status": {"phase": phase, "podIP": ip},
        }
        for name, phase, ip in (
            ("a", "Running", "10.0.0.1"),
            ("b", "Succeeded", "10.0.0.2"),
            ("c", "Pending", None),
        )
    ]
    cluster = read_cluster([(json.dumps([WEB, *pods]), "a")])
    assert [(pod.text, pod.addresses) for pod in cluster.pods] == [("shop/a", ("10.0.0.1",))]


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
        assert all(one.protocol for one in forms_of_api(cluster, 4, "node-1"))


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
    other = WEB | {"metadata": {"namespace": "shop", "name": "other"}}
    cluster = read_cluster([(json.dumps({"kind": kind, "items": [WEB, [other], {"kind": "Pod"}]}), "raw")])
    assert [service.name for service in cluster.services] == ["web", "other"]


def test_of_an_object_that_comes_twice_the_later_counts() -> None:
    moved = WEB | {"spec": {**WEB["spec"], "clusterIPs": ["10.96.0.10"]}}
    first = endpoint_slice(A, metadata={**endpoint_slice()["metadata"], "name": "web-1"})
    later = first | {"endpoints": [B]}
    cluster = read_cluster([(json.dumps([WEB, first]), "a"), (json.dumps([moved, later, WEB, moved]), "b")])
    assert [service.cluster_ips for service in cluster.services] == [("10.96.0.10",)]
    assert [end.address for end in cluster.endpoints["shop", "web", "http", "tcp"]] == ["10.0.0.2"]


def test_without_slices_nothing_is_said_of_endpoints(tmp_path: Path) -> None:
    cluster = kubeproxy.Cluster(tuple(kubeproxy.basics()))
    dump = iptviz.load(kubeproxy.saved(cluster).encode())
    path = tmp_path / "services.json"
    path.write_text(json.dumps([item for item in objects(cluster) if item["kind"] == "Service"]))
    result = iptviz.verify(dump, [str(path)])
    assert result.differences == ()
    assert [item.id for item in result.notes] == ["endpoints-not-given"]
