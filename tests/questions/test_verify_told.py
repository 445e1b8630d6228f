"""What verify says beside that something differs: pods, why an endpoint is none, and what is rightly not there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import iptviz
from iptviz.checks.wording import sentences
from iptviz.cli.app import app
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from tests import kubeproxy
from tests.kubectl import HERE, THERE, objects
from tests.kubeproxy import ERAS, NEW, OLD, Cluster
from tests.questions.test_verify import (
    ZONES,
    Objects,
    cluster,
    hint,
    kinds,
    one_more,
    service,
    slice_of,
    unready,
    verified,
    without_first,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from iptviz import VerifyResult

# --- what is known of endpoints ----------------------------------------------------------------------------


def pod(name: str, address: str, namespace: str = "shop") -> dict[str, Any]:
    metadata, status = {"namespace": namespace, "name": name}, {"phase": "Running", "podIP": address}
    return {"kind": "Pod", "metadata": metadata, "spec": {}, "status": status}


def messages(result: VerifyResult) -> list[str]:
    return [finding.message for finding in result.findings if finding.id.startswith("endpoint-")]


def with_another_pod(found: Objects) -> Objects:
    without_first(found)
    return [*found, pod("cart-1", "10.128.1.0")]


def with_another_services_pod(found: Objects) -> None:
    moved = slice_of(found)["endpoints"].pop(0)
    target = {"kind": "Pod", "namespace": "shop", "name": "cart-1"}
    slice_of(found, "service-1")["endpoints"].append({**moved, "targetRef": target})


def with_its_pod(found: Objects) -> None:
    target = {"kind": "Pod", "namespace": "shop", "name": "web-9"}
    slice_of(found)["endpoints"].append({"addresses": ["10.128.9.9"], "targetRef": target})


def with_its_pod_listed(found: Objects) -> Objects:
    one_more(found)
    return [*found, pod("web-9", "10.128.9.9")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_another_pod,
         "to 10.128.1.0:8080, which is not an endpoint of the service; 10.128.1.0 is now pod shop/cart-1"),
        (with_another_services_pod, "10.128.1.0 is now pod shop/cart-1"),
        (without_first, "leads to 10.128.1.0:8080, which is not an endpoint of the service"),
        (with_its_pod, "lacks the endpoint 10.128.9.9:8080 (pod shop/web-9)"),
        (with_its_pod_listed,
         "lacks the endpoint 10.128.9.9:8080 (pod shop/web-9)"),
        (unready, "leads to 10.128.1.0:8080, which is not ready"),
    ],
)  # fmt: skip
def test_endpoints_are_told_with_their_pods_and_why_they_are_none(
    change: Callable[[Objects], Objects | None], said: str, tmp_path: Path
) -> None:
    result = verified(Cluster((*kubeproxy.basics(), *kubeproxy.numbered(2, 3).services)), tmp_path, change)
    told = messages(result)
    assert any(message.endswith(said) for message in told), told
    assert len({difference.kind for difference in result.differences if difference.at == "10.96.1.0:80"}) == 1


@pytest.mark.parametrize("listed", ["as a table", "as objects"])
def test_pods_may_be_listed_beside(listed: str, tmp_path: Path) -> None:
    one = cluster()
    found = objects(one)
    without_first(found)
    (tmp_path / "api.json").write_text(json.dumps(found))
    items = json.dumps({"kind": "PodList", "items": [pod("cart-1", "10.128.1.0")]})
    table = "NAMESPACE  NAME    READY  STATUS   RESTARTS  AGE  IP\nshop       cart-1  1/1    Running  0         1d   10.128.1.0\n"
    (tmp_path / "pods").write_text(items if listed == "as objects" else table)
    dump = iptviz.load(kubeproxy.saved(one).encode())
    result = iptviz.verify(dump, [str(tmp_path / "api.json")], node=HERE, pods=str(tmp_path / "pods"))
    assert [difference.pod for difference in result.differences] == ["shop/cart-1"]
    assert result.to_dict()["differences"][0]["pod"] == "shop/cart-1"
    assert "shop/cart-1" in FORMATS["table"].writer("verify")(result, Style(), fold=True)


def test_pods_go_into_pseudonyms(tmp_path: Path) -> None:
    one = cluster()
    found = with_another_pod(objects(one))
    with_its_pod(found)
    (tmp_path / "api.json").write_text(json.dumps(found))
    (tmp_path / "a.rules").write_text(kubeproxy.saved(one))
    files = [str(tmp_path / name) for name in ("a.rules", "api.json")]
    for name in ("table", "json", "csv"):
        done = CliRunner().invoke(app, ["verify", *files, "--redact", "-f", name])
        assert done.exit_code == 1, done.output
        assert done.output.count("/pod-") >= 2 * (name != "csv")
        assert not any(secret in done.output for secret in ("cart-1", "web-9", "shop"))


def test_an_endpoint_of_another_node_or_zone_is_said_to_be_so(tmp_path: Path) -> None:
    def moved(found: Objects) -> None:
        slice_of(found)["endpoints"][0]["nodeName"] = THERE

    def hinted(found: Objects) -> Objects:
        (service,) = (one for one in found if "spec" in one and one["metadata"]["name"] == "service-0")
        service["metadata"]["annotations"] = {"service.kubernetes.io/topology-aware-hints": "Auto"}
        for end, zone in zip(slice_of(found)["endpoints"], "aab", strict=True):
            hint(end, "forZones", zone)
        return [*found, ZONES]

    (elsewhere,) = verified(cluster(local_only=True, local=2), tmp_path, moved).differences
    assert elsewhere.why == "other-node"
    for_others = {one.why for one in verified(cluster(), tmp_path, hinted).differences}
    assert for_others == {"other-zone"}


def with_chance(text: str, old: str, new: str) -> bytes:
    assert f"--probability {old}" in text
    return text.replace(f"--probability {old}", f"--probability {new}").encode()


def test_uneven_shares_are_a_difference(tmp_path: Path) -> None:
    one = cluster()
    (tmp_path / "api.json").write_text(json.dumps(objects(one)))
    dump = iptviz.load(with_chance(kubeproxy.saved(one), "0.33333333349", "0.50000000000"))
    result = iptviz.verify(dump, [str(tmp_path / "api.json")], node=HERE)
    assert kinds(result) == [("share-differs", "33.33 %", "25.00 % to 50.00 %")]
    assert [finding.id for finding in result.findings] == ["share-differs"]
    assert result.differences[0].at == "10.96.1.0:80"


def test_chances_of_another_era_are_none(tmp_path: Path) -> None:
    one = cluster()
    (tmp_path / "api.json").write_text(json.dumps(objects(one)))
    dump = iptviz.load(with_chance(kubeproxy.saved(one), "0.33333333349", "0.33332999982"))
    assert iptviz.verify(dump, [str(tmp_path / "api.json")], node=HERE).differences == ()


# --- what kube-proxy of some release rightly leaves out ----------------------------------------------------


def without_external_ips(one: Cluster) -> Cluster:
    return Cluster(tuple(replace(service, external_ips=()) for service in one.services), one.era)


def test_external_ips_may_be_switched_off_for_all(tmp_path: Path) -> None:
    """AllowServiceExternalIPs is off since 1.40: then kube-proxy writes no external IP of any service."""
    given = cluster(external_ips=("192.0.2.1",))
    (tmp_path / "api.json").write_text(json.dumps(objects(given)))
    dump = iptviz.load(kubeproxy.saved(without_external_ips(given)).encode())
    result = iptviz.verify(dump, [str(tmp_path / "api.json")], node=HERE)
    assert result.differences == ()
    (note,) = [note for note in sentences(result.notes) if "AllowServiceExternalIPs" in note]
    assert note.startswith("1 external IP is not in the dump")


def test_one_external_ip_says_that_they_are_on(tmp_path: Path) -> None:
    def one_more_ip(found: Objects) -> None:
        service(found)["spec"]["externalIPs"].append("192.0.2.2")

    result = verified(cluster(external_ips=("192.0.2.1",)), tmp_path, one_more_ip)
    assert kinds(result) == [("missing-frontend", "external-ip 192.0.2.2:80", "")]


def test_an_older_kube_proxy_writes_external_ips(tmp_path: Path) -> None:
    given = cluster(OLD, external_ips=("192.0.2.1",))
    (tmp_path / "api.json").write_text(json.dumps(objects(given)))
    dump = iptviz.load(kubeproxy.saved(without_external_ips(given)).encode())
    result = iptviz.verify(dump, [str(tmp_path / "api.json")], node=HERE)
    assert kinds(result) == [("missing-frontend", "external-ip 192.0.2.1:80", "")]


def test_endpoints_that_are_cut_off_are_said_not_to_be_compared(tmp_path: Path) -> None:
    def cut(found: Objects) -> Objects:
        first = slice_of(found)
        addresses = [{"ip": end["addresses"][0]} for end in first["endpoints"][1:]]
        over = {"endpoints.kubernetes.io/over-capacity": "truncated"}
        metadata = {"namespace": "team-0", "name": "service-0", "annotations": over}
        told = {
            "kind": "Endpoints",
            "metadata": metadata,
            "subsets": [{"ports": first["ports"], "addresses": addresses}],
        }
        return [*(one for one in found if one is not first), told]

    result = verified(cluster(), tmp_path, cut)
    assert result.differences == ()
    assert any(
        "endpoints of team-0/service-0 not compared in full" in note for note in sentences(result.notes)
    )


@pytest.mark.parametrize(
    ("era", "table", "missed"), [(NEW, "both", True), (NEW, "nat", False), ("1.20", "both", False)]
)
def test_a_health_check_is_missed_where_its_rule_would_be_shown(
    era: str, table: str, missed: bool, tmp_path: Path
) -> None:
    given = cluster(era, local_only=True, local=1, load_balancer_ips=("203.0.113.1",), health_check=32000)
    (tmp_path / "api.json").write_text(json.dumps(objects(given)))
    text = "".join(
        line
        for line in kubeproxy.saved(given).splitlines(keepends=True)
        if "health check node port" not in line
    )
    if table == "nat":
        text = text[text.index("*nat") :]
    result = iptviz.verify(iptviz.load(text.encode()), [str(tmp_path / "api.json")], node=HERE)
    assert kinds(result) == [("health-check", "32000", "none")] * missed


def test_two_kinds_of_one_address_are_one_frontend(tmp_path: Path) -> None:
    both = cluster(external_ips=("192.0.2.1",), load_balancer_ips=("192.0.2.1",))
    assert kinds(verified(both, tmp_path)) == []


# --- every release -------------------------------------------------------------------------------------------

_POLICIES: list[dict[str, Any]] = [
    {"local_only": True, "local": 2}, {"local_only": True, "local": 0},
    {"local_only": True, "local": 1, "external_ips": ("192.0.2.1",)},
    {"load_balancer_ips": ("203.0.113.1",), "source_ranges": ("198.51.100.0/24",), "local_only": True, "local": 1},
    {"internal_local": True, "local": 1}, {"internal_local": True, "local": 0},
    {"internal_local": True, "local": 1, "external_ips": ("192.0.2.1",)},
    {"internal_local": True, "local_only": True, "local": 1, "external_ips": ("192.0.2.1",)},
    {"internal_local": True, "local_only": True, "local": 0},
]  # fmt: skip


@pytest.mark.parametrize("era", [era for era in ERAS if int(era[2:]) > 4])
def test_each_release_agrees_with_the_policies_that_it_minds(era: str, tmp_path: Path) -> None:
    ignored = ("policy", "internal Local", "internal Cluster")
    for options in _POLICIES:
        found = kinds(verified(cluster(era, **options), tmp_path))
        assert found == [] or (found == [ignored] and int(era[2:]) < 21), options
