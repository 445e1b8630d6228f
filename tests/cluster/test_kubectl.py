"""What kubectls of three releases really print of a cluster, against the dump of a node of it."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.asked import BOTH, SLICES, WORLD, agrees, kept, printed, verify
from tests.cluster.objects import endpoint, pod_name, service, slice_of
from tests.cluster.world import NODE, dual, world
from tests.program import Ended, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.apiserver import ApiServer, Kubectl
    from tests.cluster.objects import Json

IGNORED = {"shop/elsewhere", "shop/headless", "shop/mine", "shop/unserved"}


# --- listings that say the same ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize("what", [BOTH, "svc,endpointslices,endpoints,pods,nodes"])
def test_a_dump_agrees_with_what_kubectl_prints(
    what: str, form: str, kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    api.put(WORLD.items)
    dump = WORLD.dump_of(int(kubectl.release.removeprefix("1.")))
    told = verify(tmp_path, dump, printed(kubectl, what, form))
    agrees(told)
    assert {one["service"] for one in json.loads(told.stdout)["ignored"]} == IGNORED


def raw(kubectl: Kubectl) -> list[str]:
    paths = ("/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices", "/api/v1/nodes")
    return [kubectl("get", "--raw", path).stdout for path in paths]


def in_parts(kubectl: Kubectl) -> list[str]:
    return [printed(kubectl, "services", "yaml"), printed(kubectl, SLICES), printed(kubectl, "nodes")]


def in_one_file(kubectl: Kubectl) -> list[str]:
    return ["".join(in_parts(kubectl)[1:]), printed(kubectl, "services")]


def yaml_in_one_file(kubectl: Kubectl) -> list[str]:
    return ["".join(printed(kubectl, what, "yaml") for what in ("services", SLICES, "nodes"))]


def in_chunks(kubectl: Kubectl) -> list[str]:
    return [printed(kubectl, BOTH, "json", "--chunk-size=7")]


def by_namespace(kubectl: Kubectl) -> list[str]:
    names = sorted({item["metadata"]["namespace"] for item in WORLD.items if item["kind"] == "Service"})
    return [kubectl("get", BOTH, "-n", name, "-o", "yaml").stdout for name in names]


def windows(kubectl: Kubectl) -> list[bytes]:
    """A PowerShell writes its own line ends, and wide characters."""
    return [printed(kubectl).replace("\n", "\r\n").encode("utf-16")]


def marked(kubectl: Kubectl) -> list[bytes]:
    return [printed(kubectl, form="yaml").replace("\n", "\r\n").encode("utf-8-sig")]


def with_fields(kubectl: Kubectl) -> list[str]:
    text = printed(kubectl, BOTH, "yaml", "--show-managed-fields")
    assert "f:spec" in text
    return [text]


def with_kinds(kubectl: Kubectl) -> list[str]:
    return [printed(kubectl, "services.v1.,endpointslices.v1.discovery.k8s.io", "json")]


WAYS: tuple[Callable[[Kubectl], list[Any]], ...] = (
    raw, in_parts, in_one_file, yaml_in_one_file, in_chunks, by_namespace, windows, marked, with_fields, with_kinds,
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_however_it_is_kept_it_agrees(
    way: Callable[[Kubectl], list[Any]], kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    api.put(WORLD.items)
    agrees(verify(tmp_path, WORLD.dump, *way(kubectl)))


def test_it_may_come_through_a_pipe(kubectl: Kubectl, api: ApiServer, tmp_path: Path) -> None:
    api.put(WORLD.items)
    (dump,) = kept(tmp_path, dump=WORLD.dump)
    for form in ("json", "yaml"):
        text = printed(kubectl, BOTH, form).replace("\n", "\r\n")
        agrees(run("verify", dump, "-", "--node", NODE, "--json", stdin=text.encode()))


@pytest.mark.parametrize("is_old", [False, True], ids=["of today", "of before 1.26"])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_its_messages_may_be_in_between(
    form: str, is_old: bool, kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    api.put(WORLD.items)
    api.is_old, api.broken, api.warning = is_old, True, "v1 Endpoints is deprecated in v1.33+"
    done = kubectl("get", f"{BOTH},endpoints", "-A", "-o", form, "-v=1")
    assert "Warning: v1 Endpoints is deprecated" in done.stderr
    if is_old and kubectl.release != "1.24":
        assert "memcache.go" in done.stderr
    agrees(verify(tmp_path, WORLD.dump, done.merged))
    agrees(verify(tmp_path, WORLD.dump, (done.stdout + done.stderr).replace("\n", "\r\n")))


def test_in_pseudonyms_it_agrees_and_names_nothing(kubectl: Kubectl, api: ApiServer, tmp_path: Path) -> None:
    api.put(WORLD.items)
    told = verify(tmp_path, WORLD.dump, printed(kubectl), options=("--node", NODE, "--redact"))
    agrees(told)
    for name in ("shop", "elsewhere", "cilium", "10.97.", "node-1", "2001-01-01"):
        assert name not in told.stdout.replace(str(tmp_path), "")


def test_a_dumped_cluster_info_tells_the_services(kubectl: Kubectl, api: ApiServer, tmp_path: Path) -> None:
    few = world(dual())
    api.put(few.items)
    folder = tmp_path / "info"
    done = kubectl("cluster-info", "dump", "--all-namespaces", f"--output-directory={folder}")
    assert done.returncode == 0, done.stderr
    files = sorted(map(str, folder.glob("*/services.json")))
    (dump,) = kept(tmp_path, dump=few.dump)
    told = run("verify", dump, *files, str(folder / "nodes.json"), "--node", NODE, "--json")
    agrees(told, 2)
    assert "endpoints not compared" in told.stdout


# --- differences -------------------------------------------------------------------------------------------------


def of(items: Iterable[Json], kind: str, name: str) -> Json:
    return next(
        item for item in items
        if item["kind"] == kind and name in (item["metadata"]["name"], item["metadata"].get("generateName", "")[:-1])
    )  # fmt: skip


def ends_of(items: list[Json], name: str) -> list[Json]:
    found: list[Json] = of(items, "EndpointSlice", name)["endpoints"]
    return found


def spec_of(items: list[Json], name: str) -> Json:
    found: Json = of(items, "Service", name)["spec"]
    return found


def new_service(items: list[Json]) -> None:
    items += [service("new", "10.97.9.9"), slice_of("new", endpoint("10.244.1.99"))]


def gone_service(items: list[Json]) -> None:
    items.remove(of(items, "Service", "manual"))


def new_endpoint(items: list[Json]) -> None:
    ends_of(items, "rolling").append(endpoint("10.244.1.99"))


def gone_endpoint(items: list[Json]) -> None:
    ends_of(items, "web").pop()


def unready(items: list[Json]) -> None:
    ends_of(items, "web")[0]["conditions"] = {"ready": False, "serving": False, "terminating": False}


def drained(items: list[Json]) -> None:
    ends_of(items, "draining")[0]["conditions"]["serving"] = False


def ready_again(items: list[Json]) -> None:
    ends_of(items, "ended")[0]["conditions"] = {"ready": True, "serving": True, "terminating": False}


def other_number(items: list[Json]) -> None:
    of(items, "EndpointSlice", "named")["ports"][0]["port"] = 8081


def moved_zone(items: list[Json]) -> None:
    ends_of(items, "zone")[1]["hints"] = {"forZones": [{"name": "a"}]}


def moved_node(items: list[Json]) -> None:
    ends_of(items, "inner")[0]["nodeName"] = "node-2"


def other_node_port(items: list[Json]) -> None:
    spec_of(items, "outer-away")["ports"][0]["nodePort"] = 30304


def other_external_ip(items: list[Json]) -> None:
    spec_of(items, "front")["externalIPs"] = ["192.0.2.11"]


def proxied_no_more(items: list[Json]) -> None:
    of(items, "Service", "front")["status"]["loadBalancer"]["ingress"][1]["ipMode"] = "VIP"


def forgetful(items: list[Json]) -> None:
    spec_of(items, "front")["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"] = 900


def other_ranges(items: list[Json]) -> None:
    spec_of(items, "front")["loadBalancerSourceRanges"] = ["198.51.100.0/25", "fd00:5::/32"]


def served_by_us(items: list[Json]) -> None:
    of(items, "Service", "mine")["metadata"]["labels"] = {}


def left_to_others(items: list[Json]) -> None:
    of(items, "Service", "manual")["metadata"]["labels"] = {
        "service.kubernetes.io/service-proxy-name": "ours"
    }


Row = tuple[str, str, str | None, str | None]
CHANGES: dict[Callable[[list[Json]], None], list[Row]] = {
    new_service: [("missing-service", "shop/new:http", "10.97.9.9:80", None)],
    gone_service: [("extra-service", "shop/manual:http", None, "10.97.2.1:80/tcp")],
    new_endpoint: [("missing-endpoint", "shop/rolling:http", "10.244.1.99:8080", None)],
    gone_endpoint: [("extra-endpoint", "shop/web:http", None, "10.244.1.13:8080")],
    unready: [("extra-endpoint", "shop/web:http", None, "10.244.1.11:8080")],
    drained: [("extra-endpoint", "shop/draining:http", None, "10.244.1.11:8080")],
    ready_again: [("missing-endpoint", "shop/ended:http", "10.244.1.11:8080", None)],
    other_number: [("wrong-port", "shop/named:http", "10.244.1.11:8081", "10.244.1.11:8080")],
    moved_zone: [("missing-endpoint", "shop/zone:http", "10.244.1.12:8080", None)],
    moved_node: [("extra-endpoint", "shop/inner:http", None, "10.244.1.11:8080")],
    other_node_port: [("missing-frontend", "shop/outer-away:http", "node-port :30304", None),
                      ("extra-frontend", "shop/outer-away:http", None, "node-port :30303")],
    other_external_ip: [("missing-frontend", "shop/front:http", "external-ip 192.0.2.11:80", None),
                        ("extra-frontend", "shop/front:http", None, "external-ip 192.0.2.10:80")],
    proxied_no_more: [("missing-frontend", "shop/front:http", "load-balancer-ip 203.0.113.11:80", None)],
    forgetful: [("affinity", "shop/front:http", "900 s", "600 s")],
    other_ranges: [("source-ranges", "shop/front:http", "198.51.100.0/25", "198.51.100.0/24")],
    served_by_us: [("missing-service", "shop/mine:http", "10.97.0.6:80", None)],
    left_to_others: [("extra-service", "shop/manual:http", "ignored: left to the proxy ours", "10.97.2.1:80/tcp")],
}  # fmt: skip


def rows(told: Ended) -> list[Row]:
    assert told.returncode == 1, told.stdout + told.stderr
    differences = json.loads(told.stdout)["differences"]
    return [(one["kind"], one["service"], one["expected"], one["found"]) for one in differences]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_the_api_has_otherwise_is_named_and_nothing_else(
    change: Callable[[list[Json]], None], kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    items = copy.deepcopy(WORLD.items)
    change(items)
    api.put(items)
    form = "yaml" if kubectl.release == "1.30" else "json"
    text = printed(kubectl, f"{BOTH},nodes", form)
    assert sorted(map(str, rows(verify(tmp_path, WORLD.dump, text)))) == sorted(map(str, CHANGES[change]))


def without(dump: str, part: str) -> str:
    lines = dump.splitlines(keepends=True)
    kept_lines = [line for line in lines if part not in line]
    assert len(kept_lines) < len(lines)
    return "".join(kept_lines)


LOST: dict[str, tuple[Callable[[str], str], list[Row]]] = {
    "another address": (
        lambda dump: dump.replace("-d 10.97.2.1/32", "-d 10.97.2.9/32"),
        [("missing-frontend", "shop/manual:http", "cluster-ip 10.97.2.1:80", None),
         ("extra-frontend", "shop/manual:http", None, "cluster-ip 10.97.2.9:80")],
    ),
    "another endpoint": (
        lambda dump: dump.replace("203.0.113.7:8080", "203.0.113.8:8080"),
        [("missing-endpoint", "shop/manual:http", "203.0.113.7:8080", None),
         ("extra-endpoint", "shop/manual:http", None, "203.0.113.8:8080")],
    ),
    "another IPv6 address": (
        lambda dump: dump.replace("-d fd00:10:97::6/128", "-d fd00:10:97::7/128"),
        [("missing-frontend", "shop/six:http", "cluster-ip [fd00:10:97::6]:80", None),
         ("extra-frontend", "shop/six:http", None, "cluster-ip [fd00:10:97::7]:80")],
    ),
    "no rule": (
        lambda dump: without(dump, "-d 203.0.113.12/32"),
        [("missing-frontend", "shop/portless:http", "load-balancer-ip 203.0.113.12:80", None)],
    ),
    "another time": (
        lambda dump: dump.replace("--seconds 600", "--seconds 60"),
        [("affinity", "shop/front:http", "600 s", "60 s")],
    ),
    "another health check": (
        lambda dump: dump.replace("--dport 32000", "--dport 32001"),
        [("health-check", "shop/front:http", "32000", "32001")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOST)
def test_what_the_dump_has_otherwise_is_named_and_nothing_else(
    name: str, kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    change, expected = LOST[name]
    api.put(WORLD.items)
    text = printed(kubectl, f"{BOTH},pods,nodes")
    assert sorted(map(str, rows(verify(tmp_path, change(WORLD.dump), text)))) == sorted(map(str, expected))


def test_an_endpoint_that_is_another_pod_now_is_named(
    kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    api.put(WORLD.items)
    dump = WORLD.dump.replace("203.0.113.7:8080", "10.244.0.2:8080")
    told = verify(tmp_path, dump, printed(kubectl, f"{BOTH},pods"))
    assert rows(told) == [
        ("missing-endpoint", "shop/manual:http", "203.0.113.7:8080", None),
        ("extra-endpoint", "shop/manual:http", None, "10.244.0.2:8080"),
    ]
    messages = [one["message"] for one in json.loads(told.stdout)["findings"]]
    for message, address in zip(messages, ("203.0.113.7", "10.244.0.2"), strict=True):
        assert f"shop/{pod_name(address)}" in message
