"""Answers that a bridge delivers: the setting that lets rules meet them is that of the family."""

from __future__ import annotations

import pytest

import iptviz
from iptviz.supplied.files import Supplied
from tests.kubeproxy import saved
from tests.kubeproxy.features import cluster_with

_NEAR = {
    4: ("10.244.1.1/24", "10.244.1.0/24", "cluster IP", "10.97.20.77"),
    6: ("fd00:10:244:1::1/64", "fd00:10:244:1::/64", "IPv6", "fd00:10:96::77"),
}


@pytest.mark.parametrize(
    ("family", "setting"),
    [(4, "net.bridge.bridge-nf-call-iptables"), (6, "net.bridge.bridge-nf-call-ip6tables")],
)
def test_a_setting_of_the_family_lets_rules_meet_what_a_bridge_delivers(family: int, setting: str) -> None:
    own, network, feature, target = _NEAR[family]
    cluster, _ = cluster_with(feature, "1.30")
    inet = "inet" if family == 4 else "inet6"
    result = iptviz.trace(
        iptviz.load(saved(cluster).encode()), target, client="pod",
        addresses=Supplied(f"2: cni0: <UP>\n    {inet} {own} scope global\n", "addresses"),
        routes=Supplied(f"{network} dev cni0\n", "routes"),
    )  # fmt: skip
    entries = result.to_dict()["services"][0]["paths"]
    asked = {one["value"] for entry in entries for one in entry["when"] if one["kind"] == "sysctl"}
    dropped = {row["reply_by"]["text"] for entry in entries for row in entry["endpoints"] if row["reply_by"]}
    assert asked == {f"{setting}=1"}
    assert all(text.startswith(f"{setting} is not 1") for text in dropped)
    assert len(dropped) == 1
