"""Lists of pods: which pod has which address."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from iptviz.errors import DumpError
from iptviz.supplied.pods import Pod, Pods, read_pods

TABLE = """\
NAMESPACE     NAME             READY   STATUS      RESTARTS       AGE   IP             NODE     NOMINATED NODE   READINESS GATES
default       web-7d4b9c-x2x   1/1     Running     2 (3d4h ago)   10d   10.244.1.17    node-1   <none>           <none>
default       web-7d4b9c-y3y   0/1     CrashLoopBackOff   7 (1m ago)   1d   10.244.1.18   node-1   <none>   <none>
default       job-abcde        0/1     Completed   0              11d   10.244.1.18    node-1   <none>           <none>
default       gone-1           0/1     Evicted     0              11d   10.244.1.19    node-1   <none>           <none>
default       pending-1        0/1     Pending     0              10d   <none>         <none>   <none>           <none>
kube-system   kube-proxy-abc   1/1     Running     0              10d   192.168.1.10   node-1   <none>           <none>
kube-system   etcd-node-1      1/1     Running     0              10d   192.168.1.10   node-1   <none>           <none>
v6            six-1            1/1     Running     0              10d   FD00:0::5      node-1   <none>           <none>
"""


def item(
    name: str, *addresses: str, phase: str = "Running", host: bool = False, ports: tuple[int, ...] = ()
) -> Any:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": name},
        "spec": {"hostNetwork": host, "containers": [{"ports": [{"containerPort": port} for port in ports]}]},
        "status": {"phase": phase, "podIP": addresses[0] if addresses else None,
                   "podIPs": [{"ip": address} for address in addresses]},
    }  # fmt: skip


ITEMS = {
    "apiVersion": "v1", "kind": "List", "items": [
        item("web-1", "10.244.1.17", "fd00::17"),
        item("job-1", "10.244.1.17", phase="Succeeded"),
        item("failed-1", "10.244.1.20", phase="Failed"),
        item("new-1"),
        item("api-1", "192.168.1.10", host=True, ports=(6443,)),
        item("etcd-1", "192.168.1.10", host=True, ports=(2379, 2380)),
        item("exporter-1", "192.168.1.11", host=True),
        {"kind": "Service", "metadata": {"name": "web"}},
    ],
}  # fmt: skip


def pods(text: str) -> Pods:
    return Pods(read_pods(text, "pods"))


def name_at(found: Pods, address: str, port: int | None = 80) -> str | None:
    pod = found.at(address, port)
    return pod.text if pod else None


def test_a_table_names_the_pods_that_have_addresses_now() -> None:
    found = pods(TABLE)
    assert name_at(found, "10.244.1.17") == "default/web-7d4b9c-x2x"
    assert name_at(found, "10.244.1.18") == "default/web-7d4b9c-y3y"  # the one that has ended has it no more
    assert name_at(found, "fd00::5") == "v6/six-1"
    assert name_at(found, "10.244.1.19") is None
    assert not found.is_known("10.244.1.19")
    assert name_at(found, "192.168.1.10", 6443) is None  # which of the two, the table does not tell
    assert found.is_known("192.168.1.10")


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump, lambda one: json.dumps(one["items"][0])])
def test_objects_name_them_too(write: Any) -> None:
    found = pods(write(ITEMS))
    assert name_at(found, "10.244.1.17") == "shop/web-1"
    assert name_at(found, "fd00::17") == "shop/web-1"


def test_pods_of_the_hosts_network_are_told_apart_by_their_ports() -> None:
    found = pods(json.dumps(ITEMS))
    assert name_at(found, "192.168.1.10", 6443) == "shop/api-1"
    assert name_at(found, "192.168.1.10", 2380) == "shop/etcd-1"
    assert name_at(found, "192.168.1.10", 80) is None
    assert name_at(found, "192.168.1.11", 80) is None  # another program of the node may answer there
    assert not found.is_known("10.244.1.20")


def test_a_list_of_one_namespace_tells_names_alone() -> None:
    found = pods(
        "NAME    READY   STATUS    RESTARTS   AGE   IP           NODE\nweb-1   1/1   Running   0   1d   10.0.0.1   n\n"
    )
    assert found.named(None, "web-1") == found.named("shop", "web-1") == (Pod("", "web-1", ("10.0.0.1",)),)
    assert name_at(found, "10.0.0.1") == "web-1"


def test_a_pod_is_found_by_its_name() -> None:
    found = pods(json.dumps(ITEMS))
    assert [pod.name for pod in found.named(None, "api-1")] == ["api-1"]
    assert found.named("other", "api-1") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no pods found"),
        ("a b c\n", "no pods found"),
        (
            "NAMESPACE   NAME   READY   STATUS   RESTARTS   AGE\na   b   1/1   Running   0   1d\n",
            "no column IP",
        ),
        ('{"kind": "List", "items": [{"kind": "Service"}]}', "no pods found"),
        ("{", "not Kubernetes JSON/YAML"),
    ],
)
def test_what_is_no_list_of_pods_is_refused(text: str, said: str) -> None:
    with pytest.raises(DumpError, match=said):
        read_pods(text, "pods")


@pytest.mark.parametrize(
    "row",
    [
        "default   \x1b[2Jweb   1/1   Running   0   1d   10.0.0.1   n",
        "default   web   1/1   Running   0   1d   10.0.0.1.2   n",
        "web",
        "x" * 100_000,
        "default  Web!  1/1  Running  0  1d  10.0.0.1  n",
    ],
)
def test_rows_that_name_no_pod_are_left_out(row: str) -> None:
    head = "NAMESPACE   NAME   READY   STATUS   RESTARTS   AGE   IP   NODE\n"
    assert read_pods(head + row + "\n", "pods") == ()


@pytest.mark.parametrize(
    "odd",
    [
        {"kind": "Pod"}, {"kind": "Pod", "metadata": [], "spec": 3, "status": "x"},
        {"kind": "Pod", "metadata": {"name": 7}, "status": {"podIP": 5, "podIPs": [3, {"ip": {}}]}},
        {"kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"ports": [{"containerPort": "x"}]}, 3]},
         "status": {"podIP": "nowhere"}},
    ],
)  # fmt: skip
def test_odd_objects_are_no_pods(odd: Any) -> None:
    assert read_pods(json.dumps(odd), "pods") == ()
