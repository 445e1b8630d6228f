"""One cluster's dump before and after two services came: `diff` says which, and nothing else."""

from __future__ import annotations

import pytest

import iptviz
from tests.compare.planted.told import told
from tests.conftest import SHARED

PAIR = tuple(SHARED / f"kubernetes/gke-1.2-{moment}.rules" for moment in ("before", "after"))
CAME = ("default/nginx: tcp", "default/apache: tcp")
FRONTENDS = {
    "nginx": ["10.83.252.224:80", "146.148.10.228:80", "None:30007"],
    "apache": ["10.83.252.143:80", "130.211.80.214:80", "None:32230"],
}
ENDPOINTS = {"nginx": ["10.80.0.7:80"], "apache": ["10.80.0.8:80"]}

pytestmark = pytest.mark.skipif(not PAIR[0].exists(), reason="needs the corpus beside the project")


def test_which_two_services_came_and_nothing_else() -> None:
    old, new = map(iptviz.load, PAIR)
    result = iptviz.diff(old, new)
    document = result.to_dict()
    services = {fact for fact in told(document) if not fact[0].startswith("finding")}
    assert services == {("service added", name) for name in CAME}
    for port in document["services"]["added"]:
        name = port["service"]["name"]
        assert sorted(f"{one['address']}:{one['port']}" for one in port["frontends"]) == sorted(
            FRONTENDS[name]
        )
        assert [f"{one['address']}:{one['port']} {one['exact']}" for one in port["endpoints"]] == [
            f"{end} 1/1" for end in ENDPOINTS[name]
        ]


def test_the_other_way_round_they_went() -> None:
    new, old = map(iptviz.load, PAIR)
    services = {fact for fact in told(iptviz.diff(old, new).to_dict()) if not fact[0].startswith("finding")}
    assert services == {("service removed", name) for name in CAME}
