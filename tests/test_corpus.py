"""Dumps of real nodes, read by eye: every service's frontends, endpoints, shares and masquerade."""

from __future__ import annotations

from fractions import Fraction

import pytest

import iptviz
from iptviz.kube.dispatching import all_frontends
from tests.conftest import SHARED

ONE, HALF = Fraction(1), Fraction(1, 2)
ALWAYS = "always"
GKE, FLANNEL, WEAVE = (
    "source not in 10.80.0.0/14",
    "source not in 10.244.0.0/16",
    "source not in 10.32.0.0/12",
)

Endpoints = dict[str, Fraction]
Row = tuple[str, Endpoints, str]

GKE_BEFORE: dict[str, Row] = {
    "10.83.242.211:80/tcp": ("kube-system/default-http-backend:http", {"10.80.0.4:8080": ONE}, GKE),
    "10.83.247.155:80/tcp": ("kube-system/heapster", {"10.80.0.6:8082": ONE}, GKE),
    "10.83.240.10:53/udp": ("kube-system/kube-dns:dns", {"10.80.0.5:53": ONE}, GKE),
    "10.83.240.10:53/tcp": ("kube-system/kube-dns:dns-tcp", {"10.80.0.5:53": ONE}, GKE),
    "10.83.254.147:80/tcp": ("kube-system/kubernetes-dashboard", {"10.80.0.3:9090": ONE}, GKE),
    "10.83.240.1:443/tcp": ("default/kubernetes:https", {"23.251.134.151:443": ONE}, GKE),
    ":31291/tcp": ("kube-system/default-http-backend:http", {"10.80.0.4:8080": ONE}, ALWAYS),
}
GKE_AFTER: dict[str, Row] = GKE_BEFORE | {
    "10.83.252.224:80/tcp": ("default/nginx", {"10.80.0.7:80": ONE}, GKE),
    "146.148.10.228:80/tcp": ("default/nginx", {"10.80.0.7:80": ONE}, ALWAYS),
    ":30007/tcp": ("default/nginx", {"10.80.0.7:80": ONE}, ALWAYS),
    "10.83.252.143:80/tcp": ("default/apache", {"10.80.0.8:80": ONE}, GKE),
    "130.211.80.214:80/tcp": ("default/apache", {"10.80.0.8:80": ONE}, ALWAYS),
    ":32230/tcp": ("default/apache", {"10.80.0.8:80": ONE}, ALWAYS),
}
FLANNEL_NODE: dict[str, Row] = {
    "10.96.0.1:443/tcp": ("default/kubernetes:https", {"172.31.7.91:6443": ONE}, FLANNEL),
    "10.96.0.10:53/udp": (
        "kube-system/kube-dns:dns",
        {"10.244.0.2:53": HALF, "10.244.0.3:53": HALF},
        FLANNEL,
    ),
    "10.96.0.10:53/tcp": (
        "kube-system/kube-dns:dns-tcp",
        {"10.244.0.2:53": HALF, "10.244.0.3:53": HALF},
        FLANNEL,
    ),
    "10.96.0.10:9153/tcp": (
        "kube-system/kube-dns:metrics",
        {"10.244.0.2:9153": HALF, "10.244.0.3:9153": HALF},
        FLANNEL,
    ),
}
WEAVE_NODE: dict[str, Row] = {
    "10.96.0.1:443/tcp": ("default/kubernetes:https", {"192.168.1.241:6443": ONE}, WEAVE),
    "10.96.0.10:53/udp": ("kube-system/kube-dns:dns", {"10.32.0.2:53": HALF, "10.32.0.3:53": HALF}, WEAVE),
    "10.96.0.10:53/tcp": (
        "kube-system/kube-dns:dns-tcp",
        {"10.32.0.2:53": HALF, "10.32.0.3:53": HALF},
        WEAVE,
    ),
}
NODES = {
    "gke-1.2-before": GKE_BEFORE,
    "gke-1.2-after": GKE_AFTER,
    "k8s-1.32-flannel-one-node": FLANNEL_NODE,
    "weave-2018-ipset": WEAVE_NODE,
}


def loaded(node: str) -> iptviz.Dump:
    path = SHARED / "kubernetes" / f"{node}.rules"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return iptviz.load(path)


@pytest.mark.parametrize(
    ("node", "frontend"), [(node, frontend) for node, rows in NODES.items() for frontend in rows]
)
def test_a_frontend_of_a_real_node_is_answered_as_read_by_eye(node: str, frontend: str) -> None:
    name, endpoints, masquerade = NODES[node][frontend]
    result = iptviz.trace(loaded(node), frontend)
    (one,) = result.services
    assert one.service.text == name
    assert {f"{end.address}:{end.port}": end.share for end in one.usual.endpoints} == endpoints
    assert [mark["text"] for mark in result.to_dict()["services"][0]["masquerade"]] == [masquerade]
    assert len(one.outcomes) == 1
    assert one.usual.leftover == 0
    assert (one.usual.verdict, one.affinity_seconds) == (None, None)
    assert all(end.hairpin for end in one.usual.endpoints)
    assert result.complete
    assert {note.id for note in result.notes} == ({"udp-flows"} if frontend.endswith("udp") else set())


@pytest.mark.parametrize("node", NODES)
def test_a_real_node_has_these_frontends_and_no_others(node: str) -> None:
    assert {frontend.text for frontend in all_frontends(loaded(node))} == set(NODES[node])
