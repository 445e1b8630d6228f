"""Endpoints that each node alone has: up to 1.23 an internal policy Local leaves no trace but these, and is no fault.

What nodes write is that of FilterEndpoints in pkg/proxy/topology.go of 1.22 and 1.23: see `tests/kubeproxy/eras.py`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from iptviz.checks.wording import sentences
from iptviz.fleets.summary import labels, places
from iptviz.questions.fleet import fleet
from tests.fleetmaker.world import Machine, Pod, Spec, World
from tests.fleetmaker.writing import Setup, written

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.questions.fleet import FleetResult

MACHINES = tuple(Machine(number, "a") for number in range(1, 6))
WEB = Spec("web", 1, (Pod(1, 10), Pod(2, 11)))
OWN = Spec("own", 2, (Pod(1, 12), Pod(2, 13), Pod(2, 14), Pod(3, 15)), internal_local=True)
MORE = (
    replace(OWN, name="open", number=3, node_port=True),
    replace(OWN, name="sticky", number=4, affinity=600),
)
OLD, NEW = Setup("1.23"), Setup("1.29")
NOTE = "with endpoints that no other node has: internalTrafficPolicy=Local, which kube-proxy 1.21 to 1.23 does not show"


def nodes(*specs: Spec, setup: Setup = OLD) -> list[str]:
    return [written(World(MACHINES, (WEB, *specs)), machine, setup) for machine in MACHINES]


def judged(texts: list[str], folder: Path, api: str = "") -> tuple[FleetResult, set[tuple[str, str, str]]]:
    """What is told of nodes, and what is odd: its id, the service, and the numbers of the nodes."""
    for number, text in enumerate(texts, 1):
        (folder / f"n{number}.txt").write_text(text, encoding="utf-8")
    result = fleet(str(folder / "n*.txt"), jobs=1, **({"api": [api]} if api else {}))  # type: ignore[arg-type]
    names = labels(result.summary.nodes)
    return result, {
        (
            odd.id,
            odd.service.name if odd.service else "",
            "".join(names[place][1:] for place in places(odd.nodes)),
        )
        for odd in result.odd
    }


def noted(result: FleetResult) -> list[str]:
    return [text for text in sentences(result.notes) if NOTE in text]


@pytest.mark.parametrize("release", ["1.22", "1.23"])
def test_nobody_is_blamed_for_endpoints_of_its_own(release: str, tmp_path: Path) -> None:
    result, odd = judged(nodes(OWN, *MORE, setup=Setup(release)), tmp_path)
    assert odd == set()
    assert [text.split(" with")[0] for text in noted(result)] == ["3 service ports"]
    assert result.compared == 5  # of 8


def test_one_pod_alone_may_be_so_too(tmp_path: Path) -> None:
    result, odd = judged(nodes(replace(OWN, pods=(Pod(2, 13),))), tmp_path)
    assert odd == set()
    assert len(noted(result)) == 1


def test_all_else_of_such_a_service_is_compared(tmp_path: Path) -> None:
    texts = nodes(OWN, *MORE)
    texts[0] = nodes(OWN, MORE[0], replace(MORE[1], affinity=None))[0]
    texts[3] = nodes(*MORE)[3]
    texts[4] = nodes(OWN, replace(MORE[0], node_port=False), MORE[1])[4]
    _, odd = judged(texts, tmp_path)
    assert odd == {
        ("property-differs", "sticky", "1"),
        ("service-missing", "own", "4"),
        ("service-missing", "open", "5"),
    }


def test_what_two_nodes_have_is_no_nodes_own(tmp_path: Path) -> None:
    texts = nodes(OWN)
    texts[4] = written(World(MACHINES, (replace(WEB, pods=(Pod(1, 10), Pod(2, 90))), OWN)), MACHINES[4], OLD)
    result, odd = judged(texts, tmp_path)
    assert odd == {("endpoint-extra", "web", "5"), ("endpoint-missing", "web", "5")}
    assert len(noted(result)) == 1


def test_an_external_policy_local_leaves_the_internal_one_without_effect(tmp_path: Path) -> None:
    both = replace(OWN, node_port=True, local_only=True)
    result, odd = judged(nodes(both), tmp_path)
    assert (odd, noted(result)) == (set(), [])
    texts = nodes(both)
    texts[4] = nodes(replace(both, pods=(*OWN.pods, Pod(5, 90))))[4]
    assert judged(texts, tmp_path)[1] == {("endpoint-extra", "own", "5")}


def test_later_releases_show_the_policy(tmp_path: Path) -> None:
    result, odd = judged(nodes(OWN, *MORE, setup=NEW), tmp_path)
    assert (odd, noted(result), result.compared) == (set(), [], 8)
    alone = [replace(OWN, internal_local=False, pods=(Pod(number, 12),)) for number in range(1, 6)]
    texts = [nodes(spec, setup=NEW)[place] for place, spec in enumerate(alone)]
    result, odd = judged(texts, tmp_path)
    assert odd == {("no-majority", "own", str(number)) for number in range(1, 6)}


def test_where_others_show_the_policy_it_is_known(tmp_path: Path) -> None:
    old, new = nodes(OWN), nodes(OWN, setup=NEW)
    result, odd = judged([*new[:2], *old[2:]], tmp_path)
    assert {one for one in odd if one[1]} == set()
    assert noted(result) == []
    assert ("local policy", 1) in {(one.why, one.ports) for one in result.rightly}
    result, odd = judged([*new[:2], *nodes(replace(OWN, internal_local=False))[2:]], tmp_path)
    assert {one for one in odd if one[1]} == set()  # their endpoints are not compared
    one = nodes(replace(OWN, internal_local=False, pods=(Pod(9, 9),)), setup=NEW)
    _, odd = judged([*one[:3], *old[3:]], tmp_path)
    assert {each[0] for each in odd if each[1]} == {"endpoint-missing"}  # who shows Cluster is believed


def api(folder: Path, *specs: Spec) -> str:
    """What kubectl prints of services."""
    items: list[dict[str, Any]] = []
    for spec in (WEB, *specs):
        meta = {"name": spec.name, "namespace": "shop"}
        items.append({
            "apiVersion": "v1", "kind": "Service", "metadata": meta,
            "spec": {
                "clusterIP": f"10.96.20.{spec.number}", "clusterIPs": [f"10.96.20.{spec.number}"],
                "type": "NodePort" if spec.node_port else "ClusterIP",
                "internalTrafficPolicy": "Local" if spec.internal_local else "Cluster",
                "ports": [{
                    "name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP",
                    **({"nodePort": 30000 + 10 * spec.number} if spec.node_port else {}),
                }],
            },
        })  # fmt: skip
        items.append({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {**meta, "labels": {"kubernetes.io/service-name": spec.name}},
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": [pod.address(4)], "conditions": {"ready": True}} for pod in spec.pods],
        })  # fmt: skip
    path = folder / "api.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), encoding="utf-8")
    return str(path)


def test_the_api_tells_which_it_is(tmp_path: Path) -> None:
    texts = nodes(OWN, MORE[0])
    result, odd = judged(texts, tmp_path, api(tmp_path, OWN, MORE[0]))
    assert {one for one in odd if one[1] in {"own", "open"}} == set()
    assert noted(result) == []
    _, odd = judged(texts, tmp_path, api(tmp_path, replace(OWN, internal_local=False), MORE[0]))
    assert {one[1:] for one in odd if one[1] in {"own", "open"}} == {
        ("own", which) for which in ("1", "2", "3", "45")
    }
