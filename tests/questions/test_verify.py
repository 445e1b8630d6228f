"""A dump against the API: what agrees, and each way in which it may not."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import iptviz
from iptviz.checks.wording import sentences
from iptviz.cli.app import app
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from tests import kubeproxy
from tests.conftest import FIXTURES
from tests.kubectl import HERE, THERE, objects
from tests.kubeproxy import NEW, OLD, Cluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from iptviz import VerifyResult

Objects = list[dict[str, Any]]


def cluster(era: str = NEW, **options: Any) -> Cluster:
    services = kubeproxy.numbered(1, 3, **options).services
    return Cluster((*kubeproxy.basics(), *services), era)


def verified(
    one: Cluster,
    folder: Path,
    change: Callable[[Objects], Objects | None] = lambda _found: None,
    node: str | None = HERE,
) -> VerifyResult:
    """Verify the dump of a cluster against its own API, changed."""
    found = objects(one)
    found = change(found) or found
    path = folder / "kubectl.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": found}))
    return iptviz.verify(iptviz.load(kubeproxy.saved(one).encode()), [str(path)], node=node)


def kinds(result: VerifyResult) -> list[tuple[str, str, str]]:
    return [(one.kind, one.expected, one.found) for one in result.differences]


OPTIONS: list[dict[str, Any]] = [
    {}, {"affinity": 600}, {"protocol": "udp"}, {"port_name": ""}, {"external_ips": ("192.0.2.1",)},
    {"load_balancer_ips": ("203.0.113.1",), "source_ranges": ("198.51.100.0/24",)},
    {"local_only": True, "local": 2}, {"local_only": True, "local": 0},
]  # fmt: skip


@pytest.mark.parametrize("era", [OLD, NEW])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ",".join(options) or "plain")
def test_a_dump_agrees_with_the_cluster_that_it_was_written_for(
    options: dict[str, Any], era: str, tmp_path: Path
) -> None:
    result = verified(cluster(era, **options), tmp_path)
    assert kinds(result) == []
    assert result.compared == 5


def test_without_endpoints_it_agrees_too(tmp_path: Path) -> None:
    empty = Cluster((*kubeproxy.basics(), *kubeproxy.numbered(2, 0).services))
    assert kinds(verified(empty, tmp_path)) == []


def service(found: Objects, name: str = "service-0") -> dict[str, Any]:
    return next(one for one in found if one["kind"] == "Service" and one["metadata"]["name"] == name)


def slice_of(found: Objects, name: str = "service-0") -> dict[str, Any]:
    return next(
        one for one in found
        if one["kind"] == "EndpointSlice" and one["metadata"]["labels"]["kubernetes.io/service-name"] == name
    )  # fmt: skip


def without_first(found: Objects) -> None:
    slice_of(found)["endpoints"].pop(0)


def one_more(found: Objects) -> None:
    slice_of(found)["endpoints"].append({"addresses": ["10.128.9.9"]})


def unready(found: Objects) -> None:
    slice_of(found)["endpoints"][0]["conditions"] = {"ready": False}


def other_port(found: Objects) -> None:
    slice_of(found)["ports"][0]["port"] = 9999


def renamed(found: Objects) -> None:
    service(found)["metadata"]["name"] = "other"
    slice_of(found)["metadata"]["labels"]["kubernetes.io/service-name"] = "other"


def headless(found: Objects) -> None:
    service(found)["spec"]["clusterIP"] = "None"
    service(found)["spec"]["clusterIPs"] = ["None"]


def other_address(found: Objects) -> None:
    service(found)["spec"]["clusterIPs"] = ["10.96.9.9"]


def other_node_port(found: Objects) -> None:
    service(found)["spec"]["ports"][0]["nodePort"] = 31999


def sticky(found: Objects) -> None:
    service(found)["spec"]["sessionAffinity"] = "ClientIP"


def local(found: Objects) -> None:
    service(found)["spec"]["externalTrafficPolicy"] = "Local"
    slice_of(found)["endpoints"][0]["nodeName"] = HERE


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (without_first, [("extra-endpoint", "", "10.128.1.0:8080")]),
        (one_more, [("missing-endpoint", "10.128.9.9:8080", "")]),
        (unready, [("extra-endpoint", "", "10.128.1.0:8080")]),
        (other_port, [("wrong-port", f"10.128.1.{n}:9999", f"10.128.1.{n}:8080") for n in range(3)]),
        (renamed, [("missing-service", "10.96.1.0:80, :30000", ""), ("extra-service", "", "10.96.1.0:80/tcp")]),
        (headless, [("extra-service", "ignored: headless", "10.96.1.0:80/tcp")]),
        (other_address, [("missing-frontend", "cluster-ip 10.96.9.9:80", ""),
                         ("extra-frontend", "", "cluster-ip 10.96.1.0:80")]),
        (other_node_port, [("missing-frontend", "node-port :31999", ""), ("extra-frontend", "", "node-port :30000")]),
        (sticky, [("affinity", "10800 s", "none")]),
        (local, [("policy", "external Local", "external Cluster")]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_each_difference_is_told(
    change: Callable[[Objects], None], expected: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    result = verified(cluster(), tmp_path, change)
    assert sorted(kinds(result)) == sorted(expected)


def test_an_extra_endpoint_is_told_with_its_share_and_line(tmp_path: Path) -> None:
    (one,) = verified(cluster(), tmp_path, without_first).differences
    assert one.service == "team-0/service-0:http"
    assert one.at == "10.96.1.0:80"
    assert one.share == Fraction(715827883, 2**31)
    assert one.line


@pytest.mark.parametrize(
    ("era", "expected"),
    [("1.16", ["extra-endpoint", "policy"]), ("1.20", ["extra-endpoint"]), ("1.27", ["policy"])],
)
def test_a_policy_that_nobody_minds_hides_no_endpoint(era: str, expected: list[str], tmp_path: Path) -> None:
    """Up to 1.20 an internal policy Local changes nothing: a stale endpoint is one, whatever the policy."""

    def local(found: Objects) -> None:
        (web,) = (one for one in found if one["metadata"].get("name") == "service-0" and "spec" in one)
        web["spec"]["internalTrafficPolicy"] = "Local"
        found[-1]["endpoints"].pop()

    result = verified(cluster(era, node_ports=False), tmp_path, local)
    assert sorted(kind for kind, *_ in kinds(result)) == expected


def test_policy_local_is_compared_with_this_nodes_endpoints(tmp_path: Path) -> None:
    one = cluster(local_only=True, local=2)

    def moved(found: Objects) -> None:
        slice_of(found)["endpoints"][0]["nodeName"] = THERE

    (difference,) = verified(one, tmp_path, moved).differences
    assert (difference.kind, difference.found, difference.at) == (
        "extra-endpoint",
        "10.128.1.0:8080",
        ":30000",
    )
    without_node = verified(one, tmp_path, moved, node=None)
    assert without_node.differences == ()
    assert any("--node NAME" in note for note in sentences(without_node.notes))


def test_terminating_endpoints_serve_where_none_is_ready(tmp_path: Path) -> None:
    def ending(found: Objects) -> None:
        for end in slice_of(found)["endpoints"]:
            end["conditions"] = {"ready": False, "serving": True, "terminating": True}

    assert kinds(verified(cluster(), tmp_path, ending)) == []


def test_topology_hints_allow_a_node_some_of_the_endpoints(tmp_path: Path) -> None:
    def hinted(found: Objects) -> None:
        ends = slice_of(found)["endpoints"]
        ends.append({"addresses": ["10.128.9.9"]})
        for end in ends:
            end["hints"] = {"forZones": [{"name": "a"}]}

    result = verified(cluster(), tmp_path, hinted)
    assert kinds(result) == []
    assert any("hints" in note and "Node object of node-1" in note for note in sentences(result.notes))
    assert any(
        "pass --node NAME" in note for note in sentences(verified(cluster(), tmp_path, hinted, None).notes)
    )


ZONES = {"metadata": {"name": HERE, "labels": {"topology.kubernetes.io/zone": "a"}}, "kind": "Node"}


def hint(end: dict[str, Any], kind: str, *names: str) -> dict[str, Any]:
    end["hints"] = {**end.get("hints", {}), kind: [{"name": name} for name in names]}
    return end


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        # the dump has three endpoints; a fourth is not in it
        ([("forZones", "a")] * 3 + [("forZones", "b")], []),
        ([("forZones", "a")] * 4, ["missing-endpoint"]),
        ([("forZones", "a")] * 2 + [("forZones", "b")] * 2, ["extra-endpoint"]),
        ([("forZones", "a")] * 3 + [None], ["missing-endpoint"]),  # one without a hint: none counts
        ([("forZones", "b")] * 4, ["missing-endpoint"]),  # none for this zone: all are used
        ([("forNodes", HERE)] * 3 + [("forNodes", "node-9")], []),
        ([("forNodes", "node-9")] * 4, ["missing-endpoint"]),
    ],
)
@pytest.mark.parametrize("told", ["by the node", "by its endpoints"])
def test_hints_are_minded_where_the_zone_is_known(
    tmp_path: Path, told: str, hints: list[tuple[str, str] | None], expected: list[str]
) -> None:
    def hinted(found: Objects) -> Objects:
        ends = slice_of(found)["endpoints"]
        ends.append({"addresses": ["10.128.9.9"]})
        for end, one in zip(ends, hints, strict=True):
            if one is not None:
                hint(end, *one)
        if told == "by the node":
            return [*found, ZONES]
        ends[0] |= {"nodeName": HERE, "zone": "a"}
        return found

    assert [kind for kind, _, _ in kinds(verified(cluster(), tmp_path, hinted))] == expected


def test_a_node_of_before_1_34_minds_hints_of_zones_alone(tmp_path: Path) -> None:
    def hinted(found: Objects) -> Objects:
        for end in slice_of(found)["endpoints"]:
            hint(hint(end, "forZones", "a"), "forNodes", "node-9")
        hint(slice_of(found)["endpoints"][0], "forNodes", HERE)
        return [*found, ZONES]

    assert kinds(verified(cluster(), tmp_path, hinted)) == []


def test_endpoints_do_where_there_are_no_slices(tmp_path: Path) -> None:
    def as_endpoints(found: Objects) -> Objects:
        return [
            *(one for one in found if one["kind"] == "Service"),
            *(
                {
                    "kind": "Endpoints",
                    "metadata": {"namespace": one["metadata"]["namespace"],
                                 "name": one["metadata"]["labels"]["kubernetes.io/service-name"]},
                    "subsets": [{"ports": one["ports"], "addresses": [
                        {"ip": end["addresses"][0], "nodeName": end["nodeName"]} for end in one["endpoints"]]}],
                }
                for one in found if one["kind"] == "EndpointSlice"
            ),
        ]  # fmt: skip

    assert kinds(verified(cluster(), tmp_path, as_endpoints)) == []


def test_what_kube_proxy_rightly_ignores_is_no_difference(tmp_path: Path) -> None:
    def more(found: Objects) -> Objects:
        base: dict[str, Any] = {"kind": "Service", "metadata": {"namespace": "x", "name": "a"}}
        others = [
            {**base, "spec": {"type": "ExternalName", "externalName": "example.com"}},
            {"kind": "Service", "metadata": {"namespace": "x", "name": "b"}, "spec": {"clusterIP": "None"}},
            {**base, "spec": {"clusterIP": "10.96.7.7"},
             "metadata": {"namespace": "x", "name": "c", "labels": {"service.kubernetes.io/service-proxy-name": "mine"}}},
        ]  # fmt: skip
        return [*found, *others]

    result = verified(cluster(), tmp_path, more)
    assert result.differences == ()
    assert [reason for _, reason in result.ignored] == ["ExternalName", "headless", "left to the proxy mine"]


def test_a_balancer_in_mode_proxy_has_no_frontend(tmp_path: Path) -> None:
    def proxied(found: Objects) -> None:
        service(found)["status"]["loadBalancer"] = {"ingress": [{"ip": "203.0.113.9", "ipMode": "Proxy"}]}

    assert kinds(verified(cluster(), tmp_path, proxied)) == []


def test_stripped_comments_are_no_difference(tmp_path: Path) -> None:
    one = cluster()
    path = tmp_path / "kubectl.json"
    path.write_text(json.dumps(objects(one)))
    text = "".join(
        line.split(" -m comment")[0] + line.split('" ', 1)[1].join([" ", ""])
        if '-m comment --comment "' in line
        else line
        for line in kubeproxy.saved(one).splitlines(keepends=True)
    )
    assert kinds(iptviz.verify(iptviz.load(text.encode()), [str(path)], node=HERE)) == []


# --- the command -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "status"), [(lambda _found: None, 0), (without_first, 1)])
def test_it_exits_with_1_where_they_differ(
    change: Callable[[Objects], None], status: int, tmp_path: Path
) -> None:
    one = cluster()
    found = objects(one)
    change(found)
    (tmp_path / "a.rules").write_text(kubeproxy.saved(one))
    (tmp_path / "services.yaml").write_text(
        "".join(f"---\n{json.dumps(item)}\n" for item in found if item["kind"] == "Service")
    )
    (tmp_path / "slices.json").write_text(json.dumps([item for item in found if item["kind"] != "Service"]))
    files = [str(tmp_path / name) for name in ("a.rules", "services.yaml", "slices.json")]
    done = CliRunner().invoke(app, ["verify", *files, "--node", HERE])
    assert done.exit_code == status, done.output
    assert ("no differences" in done.output) == (status == 0)
    assert CliRunner().invoke(app, ["verify", *files, "--exit-zero"]).exit_code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no Service"), ("{", "not Kubernetes JSON/YAML"), ("[]", "no Service"), ('{"kind": "Pod"}', "no Service"),
     ("kind: [", "not Kubernetes JSON/YAML"), ("[1]", "a number instead of an object")],
)  # fmt: skip
def test_what_is_no_api_is_said_in_a_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "kubectl.json").write_text(text)
    done = CliRunner().invoke(
        app, ["verify", "fixtures/httpd-today/dump.rules", str(tmp_path / "kubectl.json")]
    )
    assert done.exit_code == 2
    assert said in done.output
    assert "kubectl get services,endpointslices" in done.output


def test_every_format_tells_the_difference(tmp_path: Path) -> None:
    result = verified(cluster(), tmp_path, without_first)
    for name in ("table", "markdown", "json"):
        assert "10.128.1.0:8080" in str(FORMATS[name].writer("verify")(result, Style(), fold=True))
    document = result.to_dict()
    assert document["schema"] == "iptviz.verify.v1"
    assert not document["agrees"]
    assert document["differences"][0]["share"]["exact"] == "715827883/2147483648"


def test_services_of_the_other_family_are_not_expected(tmp_path: Path) -> None:
    def dual(found: Objects) -> None:
        service(found)["spec"]["clusterIPs"].append("fd00:10:96::1")

    assert kinds(verified(cluster(), tmp_path, dual)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("*nat\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n", "nftables mode"),
        ("*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-NODE-PORT - [0:0]\nCOMMIT\n", "IPVS mode"),
        ((FIXTURES / "no-services" / "filter-only.rules").read_text(), "the dump has no nat table"),
        ((FIXTURES / "no-services" / "cut-in-declarations.rules").read_text(), "the dump is incomplete"),
    ],
)
def test_services_that_are_not_in_the_rules_cannot_be_compared(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "node.rules").write_text(text)
    (tmp_path / "api.json").write_text(
        '{"kind": "List", "items": [{"kind": "Service", "metadata": {"name": "a"}}]}'
    )
    done = CliRunner().invoke(app, ["verify", str(tmp_path / "node.rules"), str(tmp_path / "api.json")])
    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "services cannot be compared: " in line
    assert words in line


def test_a_node_whose_nat_was_flushed_misses_its_services_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text(
        '{"kind": "Service", "metadata": {"name": "a"}, "spec": {"clusterIP": "10.96.0.9", "ports": [{"port": 80}]}}'
    )
    result = iptviz.verify(
        iptviz.load(FIXTURES / "no-services" / "firewalld.rules"), [str(tmp_path / "api.json")]
    )
    assert [one.kind for one in result.differences] == ["missing-service"]
    assert "chains-removed" in [one.id for one in result.findings]
