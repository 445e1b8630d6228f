"""What kube-proxy should write of what the API says: frontends, properties, and the endpoints that a node uses.

What endpoints are expected stands in pkg/proxy/topology.go and pkg/proxy/topology_test.go of Kubernetes.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from iptviz.cluster.api import read_cluster
from iptviz.compare.ports.of_api import ANY_RELEASE, forms_of_api, policies_minded
from iptviz.kube.releases import releases, since

if TYPE_CHECKING:
    from iptviz.compare.ports.form import FrontendForm, PortForm
    from iptviz.kube.releases import Releases

WEB: dict[str, Any] = {
    "kind": "Service",
    "metadata": {"namespace": "shop", "name": "web"},
    "spec": {
        "type": "LoadBalancer", "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9", "fd00::9"],
        "ports": [{"name": "http", "port": 80, "nodePort": 30080}, {"name": "dns", "port": 53, "protocol": "UDP"}],
        "externalIPs": ["192.0.2.1", "2001:db8::1"], "loadBalancerSourceRanges": ["10.0.0.0/8", "fd00::/8"],
        "sessionAffinity": "ClientIP", "healthCheckNodePort": 32000, "externalTrafficPolicy": "Local",
    },
    "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1", "ipMode": None}, {"hostname": "lb.example"}, {"ip": "203.0.113.2", "ipMode": "Proxy"}]}},
}  # fmt: skip


def endpoint_slice(*endpoints: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "kind": "EndpointSlice",
        "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "ports": [{"name": "http", "port": 8080}, {"name": "dns", "port": 5353, "protocol": "UDP"}],
        "endpoints": list(endpoints),
        **more,
    }


def ports(
    *items: dict[str, Any], version: int = 4, node: str | None = "node-1", of: Releases = ANY_RELEASE
) -> dict[str, PortForm]:
    cluster = read_cluster([(json.dumps(list(items)), "kubectl.json")])
    return {one.service.port_name: one for one in forms_of_api(cluster, version, node, of)}


def service(**spec: Any) -> dict[str, Any]:
    return WEB | {"spec": WEB["spec"] | spec}


def told(frontend: FrontendForm) -> set[str]:
    return {end.text for end in frontend.endpoints}


def sets(frontend: FrontendForm) -> list[set[str]]:
    return [told(frontend), *map(set, frontend.choices)]


# --- frontends and properties --------------------------------------------------------------------------------


def test_a_service_port_has_all_its_frontends_and_properties() -> None:
    web = ports(WEB)["http"]
    assert [(one.kind, one.at) for one in web.frontends] == [
        ("cluster-ip", "10.96.0.9:80"), ("external-ip", "192.0.2.1:80"), ("load-balancer-ip", "203.0.113.1:80"),
        ("node-port", ":30080"),
    ]  # fmt: skip
    assert (web.affinity, web.health_check, web.source_ranges) == (10800, 32000, ("10.0.0.0/8",))
    assert (web.internal_policy, web.external_policy) == ("Cluster", "Local")
    assert web.name == "shop/web:http"
    assert ports(WEB)["dns"].protocol == "udp"


def test_the_other_family_is_another_list() -> None:
    web = ports(WEB, version=6)["http"]
    assert [one.at for one in web.frontends] == ["[fd00::9]:80", "[2001:db8::1]:80", ":30080"]
    assert web.source_ranges is None  # no load balancer has an address of this family
    assert ports(service(clusterIPs=["10.96.0.9"]), version=6) == {}


def test_a_balancer_without_node_ports_has_none() -> None:
    without = service(
        allocateLoadBalancerNodePorts=False, ports=[{"name": "http", "port": 80}], healthCheckNodePort=0
    )
    web = ports(without)["http"]
    assert [one.kind for one in web.frontends] == ["cluster-ip", "external-ip", "load-balancer-ip"]
    assert web.health_check is None


def test_a_port_that_is_there_twice_is_one() -> None:
    twice = service(ports=[{"name": "http", "port": 80}, {"name": "http", "port": 81}])
    cluster = read_cluster([(json.dumps([twice]), "kubectl.json")])
    (one,) = forms_of_api(cluster, 4, "node-1")
    assert one.frontends[0].at == "10.96.0.9:81"  # serviceToServiceMap in pkg/proxy: the last one


def test_an_address_of_two_kinds_is_one_frontend() -> None:
    web = ports(service(externalIPs=["203.0.113.1"]))["http"]
    assert [(one.kind, one.address) for one in web.frontends][1:3] == [
        ("external-ip", "203.0.113.1"),
        ("node-port", None),
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["10.0.0.0/8"], ("10.0.0.0/8",)),
        ([" 10.1.2.3/8 "], ("10.0.0.0/8",)),
        (["10.1.2.3/32", "10.1.2.4/32"], ("10.1.2.3/32", "10.1.2.4/32")),
        (["0.0.0.0/0"], ()),
        (["0.0.0.0/0", "10.0.0.0/8"], ("10.0.0.0/8",)),
        (["nonsense"], ()),
        ([], ()),
    ],
)
def test_source_ranges_are_what_iptables_prints(given: list[str], expected: tuple[str, ...]) -> None:
    assert ports(service(loadBalancerSourceRanges=given))["http"].source_ranges == expected


@pytest.mark.parametrize(
    ("given", "usual"),
    [
        ("192.0.2.010", "192.0.2.10"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
    ],
)
def test_addresses_are_spelt_as_iptables_prints_them(given: str, usual: str) -> None:
    version = 6 if ":" in given else 4
    web = ports(service(externalIPs=[given]), version=version)["http"]
    assert web.frontends[1].address == usual


def test_a_health_check_is_there_for_policy_local_alone() -> None:
    assert ports(service(externalTrafficPolicy="Cluster"))["http"].health_check is None


# --- which endpoints are usable ------------------------------------------------------------------------------

A, B = {"addresses": ["10.0.0.1"], "nodeName": "node-1"}, {"addresses": ["10.0.0.2"], "nodeName": "node-2"}


def conditions(end: dict[str, Any], **values: Any) -> dict[str, Any]:
    return end | {"conditions": values}


@pytest.mark.parametrize(
    ("endpoints", "everywhere", "here"),
    [
        ([A, B], {"10.0.0.1:8080", "10.0.0.2:8080"}, {"10.0.0.1:8080"}),
        ([conditions(A, ready=False), B], {"10.0.0.2:8080"}, set()),
        ([conditions(A, ready=None)], {"10.0.0.1:8080"}, {"10.0.0.1:8080"}),
        ([conditions(A, ready=False, serving=True, terminating=True), B], {"10.0.0.2:8080"}, {"10.0.0.1:8080"}),
        ([conditions(A, ready=False, serving=True, terminating=True)], {"10.0.0.1:8080"}, {"10.0.0.1:8080"}),
        ([conditions(A, ready=False, serving=False, terminating=True)], set(), set()),
        ([conditions(A, ready=False, terminating=True)], {"10.0.0.1:8080"}, {"10.0.0.1:8080"}),
        ([conditions(A, ready=False)], set(), set()),
        # publishNotReadyAddresses: whatever becomes of the pod, the slice calls it ready
        ([conditions(A, ready=True, serving=False, terminating=True), B],
         {"10.0.0.1:8080", "10.0.0.2:8080"}, {"10.0.0.1:8080"}),
        ([A, A], {"10.0.0.1:8080"}, {"10.0.0.1:8080"}),
        ([{"addresses": ["10.0.0.1", "10.0.0.9"]}], {"10.0.0.1:8080"}, set()),
        ([{"addresses": ["fd00::1"]}], set(), set()),
        ([{"addresses": ["web.example"]}], set(), set()),
        ([], set(), set()),
    ],
)  # fmt: skip
def test_usable_endpoints_are_those_that_are_ready_or_else_still_serve(
    endpoints: list[dict[str, Any]], everywhere: set[str], here: set[str]
) -> None:
    inside, *outside = ports(WEB, endpoint_slice(*endpoints), of=since(27))["http"].frontends
    assert sets(inside) == [everywhere]
    assert [sets(one) for one in outside] == [[here]] * 3
    assert not any(one.may_be_fewer for one in (inside, *outside))


def test_endpoints_share_evenly() -> None:
    web = ports(WEB, endpoint_slice(A, B))["http"]
    assert [end.share for end in web.frontends[0].endpoints] == [Fraction(1, 2)] * 2
    assert [form["http"].frontends[0].leftover for form in (ports(WEB, endpoint_slice(A)), ports(WEB))] == [
        0,
        1,
    ]


def test_where_the_node_is_not_known_a_policy_local_takes_some_of_all() -> None:
    ending = conditions(A, ready=False, serving=True, terminating=True)
    inside, outside, *_ = ports(WEB, endpoint_slice(ending, B), node=None, of=since(27))["http"].frontends
    assert (told(inside), inside.may_be_fewer) == ({"10.0.0.2:8080"}, False)
    assert (told(outside), outside.may_be_fewer) == ({"10.0.0.1:8080", "10.0.0.2:8080"}, True)


def test_before_1_26_endpoints_that_end_may_be_none() -> None:
    """KEP-1669: behind a gate since 1.22 for policy Local alone, and since 1.24 for policy Cluster."""
    ending = endpoint_slice(conditions(A, ready=False, serving=True, terminating=True))
    one: set[str] = {"10.0.0.1:8080"}
    for span, inside, outside in (
        (since(26), [one], [one]),
        (since(22), [one, set()], [one, set()]),
        (releases((24, 25)), [set(), one], [set(), one]),
        (releases((22, 23)), [set()], [set(), one]),
        (releases((1, 21)), [set()], [set()]),
    ):
        cluster_ip, _, balancer, _ = ports(WEB, ending, of=span)["http"].frontends
        assert (sets(cluster_ip), sets(balancer)) == (inside, outside)


def test_slices_go_before_endpoints_and_several_slices_are_one() -> None:
    old = {
        "kind": "Endpoints", "metadata": {"namespace": "shop", "name": "web"},
        "subsets": [{"addresses": [{"ip": "10.0.0.7"}], "notReadyAddresses": [{"ip": "10.0.0.8"}],
                     "ports": [{"name": "http", "port": 8080}]}],
    }  # fmt: skip
    assert told(ports(WEB, old)["http"].frontends[0]) == {"10.0.0.7:8080"}
    both = ports(WEB, old, endpoint_slice(A), endpoint_slice(B))["http"]
    assert told(both.frontends[0]) == {"10.0.0.1:8080", "10.0.0.2:8080"}


def test_ports_with_one_name_may_differ_between_slices() -> None:
    other = endpoint_slice(B, ports=[{"name": "http", "port": 9090}])
    assert told(ports(WEB, endpoint_slice(A), other)["http"].frontends[0]) == {
        "10.0.0.1:8080",
        "10.0.0.2:9090",
    }


def test_what_is_not_given_or_cut_off_is_not_told() -> None:
    cut = {
        "kind": "Endpoints", "subsets": [],
        "metadata": {"namespace": "shop", "name": "web",
                     "annotations": {"endpoints.kubernetes.io/over-capacity": "truncated"}},
    }  # fmt: skip
    for items in ([WEB], [WEB, cut]):
        assert all(one.untold == {"endpoints", "shares"} for one in ports(*items)["http"].frontends)
    assert not any(one.untold for one in ports(WEB, endpoint_slice())["http"].frontends)


@pytest.mark.parametrize(
    ("ips", "version", "of", "is_open"),
    [
        (["10.96.0.9"], 4, since(22), True),  # something may serve until it ends
        (["10.96.0.9"], 4, releases((10, 21)), False),
        (["10.96.0.9", "fd00::9"], 6, releases((10, 21)), True),  # Endpoints have the first family
        (["10.96.0.9", "fd00::9"], 4, releases((10, 21)), False),
    ],
)
def test_endpoints_leave_out_what_a_release_may_use(
    ips: list[str], version: int, of: Releases, is_open: bool
) -> None:
    told = {
        "kind": "Endpoints", "metadata": {"namespace": "shop", "name": "web"},
        "subsets": [{"addresses": [{"ip": "10.0.0.7", "nodeName": "node-2"}], "ports": [{"name": "http", "port": 8080}]}],
    }  # fmt: skip
    web = ports(service(clusterIPs=ips), told, version=version, of=of)["http"]
    outside = web.frontends[-1]  # the policy is Local, and nothing is on this node
    assert ("endpoints" in outside.untold) == is_open


# --- topology ------------------------------------------------------------------------------------------------

ZONED = {"kind": "Node", "metadata": {"name": "node-1", "labels": {"topology.kubernetes.io/zone": "a"}}}
UNZONED = {"kind": "Node", "metadata": {"name": "node-1"}}
OLD, TODAY, LATER = releases((1, 20)), since(31), since(34)


def end(number: int, zones: str = "", nodes: str = "", **more: Any) -> dict[str, Any]:
    """An endpoint with hints: each letter a zone, each digit a node."""
    hints = {
        "forZones": [{"name": zone} for zone in zones],
        "forNodes": [{"name": f"node-{node}"} for node in nodes],
    }
    return {
        "addresses": [f"10.0.0.{number}"],
        "hints": {key: value for key, value in hints.items() if value},
        **more,
    }


def numbers(frontend: FrontendForm) -> list[str]:
    """The last numbers of endpoints' addresses in each set that would be right."""
    return ["".join(sorted(text.split(":")[0][-1] for text in each)) for each in sets(frontend)]


@pytest.mark.parametrize(
    ("ends", "of", "expected"),
    [
        ([end(1, "a"), end(2, "b")], TODAY, ["1"]),
        ([end(1, "a"), end(2, "ab")], TODAY, ["12"]),
        ([end(1, "a"), end(2, "b"), end(3)], TODAY, ["123"]),  # one without a hint: none counts
        ([end(1, "b"), end(2, "c")], TODAY, ["12"]),  # none for this zone: all are used
        ([end(1, "a"), end(2, "b"), end(3, conditions={"ready": False})], TODAY, ["1"]),
        ([end(1, "a", conditions={"ready": False}), end(2, "b")], TODAY, ["2"]),
        ([end(1, "a", conditions={"ready": False, "serving": True, "terminating": True})], TODAY, ["1"]),
        ([end(1, "a"), end(2, "b")], since(21), ["1", "12"]),  # without an annotation: since 1.31
        ([end(1, "a"), end(2, "b")], OLD, ["12"]),
        # PreferSameNode: the node, else the zone, else all
        ([end(1, "a", "1"), end(2, "a", "2"), end(3, "b", "3")], LATER, ["1"]),
        ([end(1, "a", "1"), end(2, "a", "2"), end(3, "b", "3")], TODAY, ["1", "12"]),
        ([end(1, "a", "1"), end(2, "a", "2"), end(3, "b", "3")], releases((31, 32)), ["12"]),
        ([end(1, "a", "1"), end(2, "a", "2"), end(3, "b", "3")], releases((33, 33)), ["12", "1"]),
        ([end(1, "a", "4"), end(2, "a", "2"), end(3, "b", "3")], LATER, ["12"]),
        ([end(1, "b", "4"), end(2, "b", "2")], LATER, ["12"]),
        ([end(1, "a", "1"), end(2, "a"), end(3, "b", "3")], LATER, ["12"]),
        ([end(1, "a", "1"), end(2, "", "2")], LATER, ["1"]),
        ([end(1, "", "2"), end(2, "", "2")], LATER, ["12"]),
    ],
)  # fmt: skip
def test_hints(ends: list[dict[str, Any]], of: Releases, expected: list[str]) -> None:
    inside = ports(WEB, endpoint_slice(*ends), ZONED, of=of)["http"].frontends[0]
    assert (numbers(inside), inside.may_be_fewer) == (expected, False)


AWARE, MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        # what each of 1.20, 1.21, 1.23, 1.24, 1.26, 1.27, 1.29, 1.30, 1.31, 1.33 and 1.37 uses; the usual one first
        ({}, "12 12 12 12 12 12 12 12|1 1 1 1"),
        ({AWARE: "Auto"}, "12 12|1 12|1 1 1 1 1 1 1 1 1"),
        ({AWARE: "auto"}, "12 12|1 12|1 1 1 1 1 1 1 1 1"),
        ({AWARE: "Auto", MODE: "Disabled"}, "12 12|1 12|1 1 1 1 1 1 1 1 1"),
        ({MODE: "Auto"}, "12 12 12 12 12 1 1 1 1 1 1"),
        ({AWARE: "example.com/mine"}, "12 12 12 12 12 1 1 1 1 1 1"),
        ({MODE: "example.com/mine"}, "12 12 12 12 12 1 1 1 1 1 1"),
        ({AWARE: "Disabled", MODE: "Auto"}, "12 12 12 12 12 12 12 12|1 1 1 1"),
        ({AWARE: "", MODE: "Auto"}, "12 12 12 12 12 12 12 12|1 1 1 1"),
        ({MODE: "disabled"}, "12 12 12 12 12 12 12 12|1 1 1 1"),
    ],
)
def test_releases_mind_hints_of_zones_by_annotations(annotations: dict[str, str], expected: str) -> None:
    """By pkg/proxy/topology.go of 1.22 (FilterEndpoints), 1.26, 1.29 and 1.30 (canUseTopology) and 1.33."""
    asking = WEB | {"metadata": WEB["metadata"] | {"annotations": annotations}}
    items = asking, endpoint_slice(end(1, "a"), end(2, "b")), ZONED
    found = [
        "|".join(numbers(ports(*items, of=releases((minor, minor)))["http"].frontends[0]))
        for minor in (20, 21, 23, 24, 26, 27, 29, 30, 31, 33, 37)
    ]
    assert " ".join(found) == expected


def test_hints_that_a_release_ignores_leave_nothing_open() -> None:
    items = WEB, endpoint_slice(end(1, "a", "1"), end(2, "b", "2"))
    for node in (None, "node-1"):
        inside = ports(*items, node=node, of=releases((24, 29)))["http"].frontends[0]
        assert (numbers(inside), inside.may_be_fewer) == (["12"], False)
    inside = ports(*items, of=LATER)["http"].frontends[0]  # its zone is not known, and does not matter
    assert (numbers(inside), inside.may_be_fewer) == (["1"], False)


def test_policies_local_mind_no_hints() -> None:
    ends = (end(1, "b", nodeName="node-1"), end(2, "a", nodeName="node-2"))
    inside, *outside = ports(WEB, endpoint_slice(*ends), ZONED, of=TODAY)["http"].frontends
    assert numbers(inside) == ["2"]
    assert [numbers(one) for one in outside] == [["1"]] * 3


@pytest.mark.parametrize(
    ("items", "node", "zones", "nodes", "fewer"),
    [
        ([ZONED], None, "a", "", True),
        ([], None, "", "1", True),
        ([], "node-1", "a", "", True),
        ([UNZONED], "node-1", "a", "", False),  # a node without a zone uses all
        ([ZONED], "node-1", "a", "", False),
        ([], "node-1", "", "1", False),
        ([], None, "", "", False),
    ],
)  # fmt: skip
def test_where_the_place_is_not_known_some_of_all_are_right(
    items: list[dict[str, Any]], node: str | None, zones: str, nodes: str, fewer: bool
) -> None:
    ends = [end(1, zones, nodes), end(2, "b" if zones else "", "2" if nodes else "")]
    inside = ports(WEB, endpoint_slice(*ends), *items, node=node, of=TODAY)["http"].frontends[0]
    assert inside.may_be_fewer == fewer
    assert not fewer or numbers(inside)[0] == "12"


def test_a_node_without_a_zone_uses_all() -> None:
    inside = ports(WEB, endpoint_slice(end(1, "a"), end(2, "b")), UNZONED, of=TODAY)["http"].frontends[0]
    assert numbers(inside) == ["12"]


# --- policies, by release ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "internal", "external", "minor", "expected"),
    [
        ("cluster-ip", "Cluster", "Local", 30, ("Cluster",)),
        ("cluster-ip", "Local", "Cluster", 30, ("Local",)),
        ("cluster-ip", "Local", "Local", 24, ("Local",)),
        ("cluster-ip", "Local", "Cluster", 23, ("Local",)),
        ("cluster-ip", "Local", "Local", 23, ("Cluster",)),
        ("cluster-ip", "Local", "Cluster", 21, ("Cluster", "Local")),
        ("cluster-ip", "Local", "Cluster", 20, ("Cluster",)),
        ("node-port", "Local", "Cluster", 30, ("Cluster",)),
        ("node-port", "Local", "Cluster", 22, ("Local",)),
        ("node-port", "Cluster", "Local", 10, ("Local",)),
        ("node-port", "Cluster", "Local", 5, ("Local",)),
        ("node-port", "Cluster", "Local", 4, ("Cluster",)),
        ("load-balancer-ip", "Local", "Local", 23, ("Local",)),
        ("external-ip", "Cluster", "Local", 20, ("Local",)),
        ("external-ip", "Cluster", "Local", 18, ("Local", "Cluster")),
        ("external-ip", "Cluster", "Local", 17, ("Cluster",)),
    ],
)
def test_releases_mind_policies(
    kind: str, internal: str, external: str, minor: int, expected: tuple[str, ...]
) -> None:
    assert policies_minded(kind, internal, external, releases((minor, minor))) == expected


def test_where_the_release_is_open_each_policy_is_right_that_one_minds() -> None:
    assert policies_minded("external-ip", "Cluster", "Local", since(10)) == ("Local", "Cluster")
    web = ports(WEB, endpoint_slice(A, B), of=since(10))["http"]
    assert sets(web.frontends[1]) == [{"10.0.0.1:8080"}, {"10.0.0.1:8080", "10.0.0.2:8080"}]
    assert sets(web.frontends[2]) == [{"10.0.0.1:8080"}]
