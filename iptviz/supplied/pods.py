"""A list of pods: `kubectl get pods -A -o wide` as a table, or as JSON or YAML."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.supplied.documents import JsonObject, is_document, object_of, objects_of, read_items, text_of
from iptviz.supplied.kubectl import answer_of
from iptviz.supplied.lines import SourceLine, places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HINT = "pass the output of `kubectl get pods -A -o wide` (a table, or -o json or yaml)"
_COLUMNS = re.compile(r"[ ]{2,}|\t+")
_FIRST = {"NAMESPACE", "NAME"}
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
_ENDED = frozenset({"Completed", "Succeeded", "Failed", "Evicted", "NodeShutdown", "Shutdown", "Terminated"})
"""What the column STATUS, or the phase, says of a pod that has no address any more."""


class Pod(NamedTuple):
    """A pod and its addresses; `namespace` is empty where the list does not tell it.

    `ports` are those that its containers declare, None where the list tells no ports. A pod of the `host_network`
    has the addresses of its node.
    """

    namespace: str
    name: str
    addresses: tuple[str, ...]
    host_network: bool = False
    ports: frozenset[int] | None = None

    @property
    def text(self) -> str:
        """The pod as people write it: `shop/web-7d4b9c-x2x`."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Pods:
    """Pods by their addresses and names."""

    def __init__(self, pods: Iterable[Pod]) -> None:
        """Take pods that have addresses, from one list or several."""
        self._all = tuple(dict.fromkeys(pods))
        self._at: dict[str, list[Pod]] = {}
        for pod in self._all:
            for address in pod.addresses:
                self._at.setdefault(address, []).append(pod)

    def __iter__(self) -> Iterator[Pod]:
        return iter(self._all)

    def at(self, address: str, port: int | None) -> Pod | None:
        """Return the pod at an address; of several, as on a node's own, the only one that declares the port."""
        there = self._at.get(address, [])
        if len(there) == 1 and not there[0].host_network:
            return there[0]
        declaring = [pod for pod in there if pod.ports is not None and port in pod.ports]
        return declaring[0] if len(declaring) == 1 else None

    def is_known(self, address: str) -> bool:
        """Whether any pod has an address."""
        return address in self._at

    def named(self, namespace: str | None, name: str) -> tuple[Pod, ...]:
        """Return the pods of a name; in any namespace where that is None."""
        return tuple(
            pod for pod in self._all if pod.name == name and namespace in {None, pod.namespace or namespace}
        )


def read_pods(text: str, source: str) -> tuple[Pod, ...]:
    """Read a list of pods; those that have ended, or have no address yet, are left out.

    Raises:
        DumpError: it is no list of pods, or tells no addresses.
    """
    text = answer_of(text, source, _HINT)
    if is_document(text):
        items = [{"kind": "Pod", **item} for item in read_items(text, source, _HINT)]
        if not any(map(_is_pod, items)):
            raise SourceLine(source, 1).error("no pods found", _HINT)
        return tuple(pods_among(items))
    return tuple(_of_table(text, source))


# --- tables ----------------------------------------------------------------------------------------------------


def _of_table(text: str, source: str) -> Iterator[Pod]:
    """Yield the pods of a table, or of that among several: kubectl prints one for each kind."""
    head: list[str] = []
    found = False
    for place, line in places(text, source):
        cells = _COLUMNS.split(line)
        if cells[0] in _FIRST:
            head = cells if "READY" in cells and "STATUS" in cells else []
            found = found or bool(head)
            if head and "IP" not in head:
                raise place.error("no column IP in this list of pods", _HINT)
        elif head and (pod := _of_row(dict(zip(head, cells, strict=False)))) is not None:
            yield pod
    if not found:
        raise SourceLine(source, 1).error("no pods found", _HINT)


def _of_row(row: dict[str, str]) -> Pod | None:
    if row.get("STATUS") in _ENDED:
        return None
    name = row.get("NAME", "").removeprefix("pod/")
    return _pod(row.get("NAMESPACE", ""), name, _addresses(row.get("IP", "").split(",")))


def _pod(namespace: str, name: str, addresses: tuple[str, ...]) -> Pod | None:
    named = _NAME.fullmatch(name) and (not namespace or _NAME.fullmatch(namespace))
    return Pod(namespace, name, addresses) if named and addresses else None


def _addresses(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses among texts in their usual spelling: `<none>` is none."""
    found = []
    for text in texts:
        try:
            found.append(str(ipaddress.ip_address(text.strip())))
        except ValueError:
            continue
    return tuple(dict.fromkeys(found))


# --- documents -------------------------------------------------------------------------------------------------


def pods_among(items: Iterable[JsonObject]) -> Iterator[Pod]:
    """Yield the pods among Kubernetes objects that have an address and have not ended."""
    return (pod for item in items if _is_pod(item) and (pod := _of_item(item)) is not None)


def _is_pod(item: JsonObject) -> bool:
    return item.get("kind") == "Pod"


def _of_item(item: JsonObject) -> Pod | None:
    metadata, spec, status = (object_of(item, key) for key in ("metadata", "spec", "status"))
    if status.get("phase") in _ENDED:
        return None
    listed = status.get("podIPs")
    many = (
        [entry.get("ip") for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    )
    texts = [text for text in (status.get("podIP"), *many) if isinstance(text, str)]
    pod = _pod(text_of(metadata, "namespace"), text_of(metadata, "name"), _addresses(texts))
    if pod is None:
        return None
    return pod._replace(host_network=spec.get("hostNetwork") is True, ports=frozenset(_ports(spec)))


def _ports(spec: JsonObject) -> Iterator[int]:
    for container in objects_of(spec, "containers"):
        for port in objects_of(container, "ports"):
            number = port.get("containerPort")
            if isinstance(number, int):
                yield number
