"""Lists of services in every form that is accepted, and lines that say what is wrong with others."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.errors import DumpError
from iptviz.supplied.service_names import Candidate, read_service_names

TABLE = """NAMESPACE     NAME         TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)                  AGE
default       kubernetes   ClusterIP   10.96.0.1    <none>        443/TCP                  3y
kube-system   kube-dns     ClusterIP   10.96.0.10   <none>        53/UDP,53/TCP,9153/TCP   3y
"""
WEB = {
    "kind": "Service",
    "metadata": {"namespace": "shop", "name": "web"},
    "spec": {"ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}]},
}
BARE = {"kind": "Service", "metadata": {"name": "bare"}, "spec": {"ports": [{"port": 80}]}}
YAML = """apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
spec:
  ports:
  - name: http
    port: 80
  - name: https
    port: 443
---
apiVersion: v1
kind: List
items:
- kind: Service
  metadata: {name: bare}
  spec: {ports: [{port: 80}]}
- kind: Endpoints
  metadata: {name: bare}
"""
PORTS = [Candidate("shop", "web", "http"), Candidate("shop", "web", "https")]
UNNAMED = Candidate("default", "bare", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TABLE, [Candidate("default", "kubernetes", None), Candidate("kube-system", "kube-dns", None)]),
        (json.dumps(WEB), PORTS),
        (json.dumps({"kind": "List", "items": [WEB, BARE, {"kind": "Node"}]}), [*PORTS, UNNAMED]),
        (json.dumps([WEB]), PORTS),
        (YAML, [*PORTS, UNNAMED]),
        ("# ours\nshop/web:http\n\nshop/web:https\n", PORTS),
        ("default/bare:\ndefault/bare\n", [UNNAMED, Candidate("default", "bare", None)]),
    ],
)
def test_every_form_names_its_services(text: str, expected: list[Candidate]) -> None:
    assert [one._replace(places=()) for one in read_service_names(text, "names")] == expected


def places_in(text: str) -> list[tuple[str, str | None, int, str, int]]:
    return [(*place,) for one in read_service_names(text, "names") for place in one.places]


def test_a_table_tells_where_services_are() -> None:
    assert places_in(TABLE) == [
        ("tcp", "10.96.0.1", 443, "cluster-ip", 443),
        ("udp", "10.96.0.10", 53, "cluster-ip", 53),
        ("tcp", "10.96.0.10", 53, "cluster-ip", 53),
        ("tcp", "10.96.0.10", 9153, "cluster-ip", 9153),
    ]
    head = TABLE.partition("\n")[0] + "\n"
    row = "shop  web  LoadBalancer  10.96.0.7  192.0.2.1,198.51.100.9 + 1 more...  80:30080/TCP,443:30443/TCP  1d\n"
    assert places_in(head + row)[:4] == [
        ("tcp", "10.96.0.7", 80, "cluster-ip", 80),
        ("tcp", "192.0.2.1", 80, "", 80),
        ("tcp", "198.51.100.9", 80, "", 80),
        ("tcp", None, 30080, "node-port", 80),
    ]
    headless = (
        head
        + "shop  db  ClusterIP  None  <none>  5432/TCP  1d\nshop  ext  ExternalName  <none>  a.example  <none>  1d\n"
    )
    assert places_in(headless) == []


def test_the_api_tells_where_services_are() -> None:
    service = {
        "kind": "Service",
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {
            "clusterIP": "10.96.0.7",
            "clusterIPs": ["10.96.0.7", "fd00::7"],
            "externalIPs": ["198.51.100.9"],
            "ports": [{"name": "http", "port": 80, "nodePort": 30080, "protocol": "UDP"}, {"port": "odd"}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "a.example"}]}},
    }
    assert places_in(json.dumps(service)) == [
        ("udp", "10.96.0.7", 80, "cluster-ip", 80),
        ("udp", "fd00::7", 80, "cluster-ip", 80),
        ("udp", "198.51.100.9", 80, "external-ip", 80),
        ("udp", "192.0.2.1", 80, "load-balancer-ip", 80),
        ("udp", None, 30080, "node-port", 80),
    ]


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("", "names:1", "no services found"),
        ("shop/web:http\nweb\n", "names:2", 'not namespace/name or namespace/name:port: "web"'),
        (TABLE + "odd\n", "names:4", "not a row of services"),
        ("{", "names:1", "not Kubernetes JSON/YAML"),
        ('{"kind": "Service"}', "names:1", "without metadata"),
        ('{"kind": "Service", "metadata": {"name": 1}, "spec": {}}', "names:1", "without a name"),
        ("[1]", "names:1", "a number instead of an object"),
        ("kind: [", "names:2", "not Kubernetes JSON/YAML"),
        ("kind: List\nitems: []\n", "names:1", "no services found"),
        ("[" * 100_000, "names:1", "too deep"),
        ("items: &a [*a]\n", "names:1", "no services found"),
    ],
)
def test_what_is_no_list_is_said_in_a_line(text: str, where: str, said: str) -> None:
    with pytest.raises(DumpError) as raised:
        read_service_names(text, "names")
    assert raised.value.where == where
    assert said in raised.value.what


def test_a_bomb_of_references_is_read_once() -> None:
    levels = ["items:", "- &a0 [shop]"]
    levels += [f"- &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(DumpError, match="text instead of an object"):
        read_service_names("\n".join([*levels, ""]), "names")


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "items", "metadata", "spec", "ports", "name"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(documents)
def test_no_document_breaks_the_reader(document: object) -> None:
    try:
        found = read_service_names(json.dumps(document), "names")
    except DumpError as error:
        assert error.where.startswith("names:")
    else:
        assert all(isinstance(one, Candidate) for one in found)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    for form in (text, f"kind: {text}", f"NAMESPACE NAME\n{text}"):
        try:
            assert read_service_names(form, "names")
        except DumpError as error:
            assert error.where.startswith("names:")
