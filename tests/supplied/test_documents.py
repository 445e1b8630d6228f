"""Objects as kubectl prints them, and as people put its outputs into files."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from iptviz.cluster.api import read_cluster
from iptviz.errors import DumpError
from iptviz.supplied.documents import read_items
from iptviz.supplied.kubectl import answer_of
from iptviz.supplied.pods import read_pods
from iptviz.supplied.service_names import read_service_names

WEB: dict[str, Any] = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"clusterIP": "10.96.0.9", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]},
}  # fmt: skip
DNS = WEB | {"metadata": {"name": "dns", "namespace": "shop"}}
LIST = {"apiVersion": "v1", "items": [WEB], "kind": "List", "metadata": {"resourceVersion": ""}}
OTHER = LIST | {"items": [DNS]}


def names(text: str) -> list[str]:
    return [item["metadata"]["name"] for item in read_items(text, "given", "hint")]  # type: ignore[index]


@pytest.mark.parametrize("glue", ["", "\n", "\r\n", " \n\n"])
def test_json_of_several_commands_is_read_whole(glue: str) -> None:
    assert names(json.dumps(LIST, indent=4) + glue + json.dumps(OTHER)) == ["web", "dns"]


@pytest.mark.parametrize("glue", ["", "---\n", "\n", "# of the other\n", "--- \n"])
def test_yaml_of_several_commands_is_read_whole(glue: str) -> None:
    assert names(yaml.safe_dump(LIST) + glue + yaml.safe_dump(OTHER)) == ["web", "dns"]
    assert names(yaml.safe_dump(WEB) + glue + yaml.safe_dump(DNS, sort_keys=False)) == ["web", "dns"]


def test_an_error_in_what_comes_second_has_its_line_of_the_file() -> None:
    first = yaml.safe_dump(LIST)
    with pytest.raises(DumpError) as raised:
        read_items(f"{first}apiVersion: v1\nkind: [\n", "given", "hint")
    assert raised.value.where == f"given:{first.count(chr(10)) + 3}"


@pytest.mark.parametrize("whole", [LIST, WEB])
def test_a_list_that_ends_before_its_kind_is_cut_off(whole: dict[str, Any]) -> None:
    lines = yaml.safe_dump(whole).splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if line.startswith("kind:"))
    for kept in range(2, place + 1):
        with pytest.raises(DumpError) as raised:
            read_items("".join(lines[:kept]), "given", "hint")
        assert "cut off" in str(raised.value) or "not Kubernetes" in str(raised.value)
    assert names("".join(lines)) == ["web"]


def test_texts_that_older_yaml_takes_for_something_else_stay_texts() -> None:
    odd = [
        "on",
        "y",
        "no",
        "0755",
        "0x1f",
        "1e3",
        "2001-01-01",
        "1_000",
        "2001:10:20:30:40:50:1:2",
        "1.5",
        "NULL",
    ]
    items: Any = read_items("kind: A\nnames:\n" + "".join(f"- {text}\n" for text in odd), "given", "hint")
    assert items[0]["names"] == odd
    (found,) = read_items("kind: A\nall: [80, -1, 0, true, false, null, ~, '80', ]\n", "given", "hint")
    assert found["all"] == [80, -1, 0, True, False, None, None, "80"]


MESSAGES = """\
Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice
E1130 00:08:58.684997   11735 memcache.go:287] couldn't get resource list for metrics.k8s.io/v1beta1: away
I1130 00:08:58.684997       1 request.go:696] Waited for 1.19s due to client-side throttling, request: GET:https://10.0.0.1/
Flag --export has been deprecated, This flag is deprecated and will be removed in future.
"""


@pytest.mark.parametrize("text", [json.dumps(LIST, indent=4), yaml.safe_dump(LIST)])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_messages_are_no_part_of_the_answer(text: str, ends: str) -> None:
    given = f"{MESSAGES}{text}\n{MESSAGES}".replace("\n", ends)
    assert [service.name for service in read_cluster([(given, "given")]).services] == ["web"]
    assert [found.name for found in read_service_names(given, "given")] == ["web"]


def test_messages_are_no_part_of_a_table() -> None:
    rows = "NAMESPACE   NAME   TYPE\nshop        web    ClusterIP\n"
    assert [found.name for found in read_service_names(MESSAGES + rows, "given")] == ["web"]
    pods = "NAMESPACE   NAME   READY   STATUS    IP\nshop        web-1  1/1     Running   10.0.0.1\n"
    assert [pod.name for pod in read_pods(f"{pods}{MESSAGES}", "given")] == ["web-1"]


@pytest.mark.parametrize(
    "error",
    [
        "Error from server (Expired): The provided continue parameter is too old to display a consistent list result.",
        'Error from server (Forbidden): endpointslices.discovery.k8s.io is forbidden: User "viewer" cannot list it',
        'error: the server doesn\'t have a resource type "endpointslices"',
        "Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout",
        "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
    ],
)
def test_an_answer_with_an_error_is_not_taken_for_all(error: str) -> None:
    for read in (lambda text: read_cluster([(text, "given")]), lambda text: read_service_names(text, "given"),
                 lambda text: read_pods(text, "given")):  # fmt: skip
        with pytest.raises(DumpError) as raised:
            read(f"{json.dumps(LIST, indent=4)}\n{error}\n")
        assert raised.value.where == f"given:{json.dumps(LIST, indent=4).count(chr(10)) + 2}"
        assert "kubectl failed" in raised.value.what


def test_what_an_object_says_of_errors_is_its_own() -> None:
    spoken = "Error from server\nWarning: none\n"
    given = LIST | {"note": spoken}
    for text in (json.dumps(given, indent=4), yaml.safe_dump(given, default_style="|")):
        assert answer_of(text, "given", "hint") == text
