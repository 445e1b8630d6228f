"""A list of services: `kubectl get services -A` as a table, JSON or YAML, or one name per line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.errors import quoted
from iptviz.records import NamedTuple
from iptviz.supplied.documents import JsonObject, is_document, read_items
from iptviz.supplied.kubectl import answer_of
from iptviz.supplied.lines import SourceLine, places
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.addresses import show_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_HINT = (
    "pass the output of `kubectl get services -A` (a table, -o json or yaml), "
    "or one namespace/name:port per line"
)
_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"(?P<namespace>{_LABEL})/(?P<name>{_LABEL})(?::(?P<port>(?:{_LABEL})?))?")
_PREFIX = "service/"
_LABELS = re.compile(_LABEL)


class ListedPlace(NamedTuple):
    """Where a service port is reached: at a port of an address, or of the node where that is None.

    `kind` is that of a frontend, empty where the list does not tell an external IP from a load balancer's;
    `service_port` is the port of the service, by which those of one service are told apart.
    """

    protocol: str
    address: str | None
    port: int
    kind: str
    service_port: int


class Candidate(NamedTuple):
    """A service port that may be in a dump; `port_name` is None where the list does not tell it.

    `places` are those where it, or without the name of a port any port of the service, is reached, as far as
    the list tells them.
    """

    namespace: str
    name: str
    port_name: str | None
    places: tuple[ListedPlace, ...] = ()


def read_service_names(text: str, source: str) -> list[Candidate]:
    """Read a list of services.

    Raises:
        DumpError: it holds no service, or something that is none.
    """
    text = answer_of(text, source, _HINT)
    if is_document(text):
        found = list(_of_items(read_items(text, source, _HINT), SourceLine(source, 1)))
    else:
        found = list(_of_lines(text, source))
    if not found:
        raise SourceLine(source, 1).error("no services found", _HINT)
    return found


# --- lines and tables ----------------------------------------------------------------------------------------


def _of_lines(text: str, source: str) -> Iterator[Candidate]:
    """Yield the services of lines or tables: several kinds in one have theirs before names (`service/web`)."""
    in_table = False
    for place, line in places(text, source):
        words = line.split()
        if words[:2] == ["NAMESPACE", "NAME"]:
            in_table = True
        elif not in_table:
            yield _of_name(line, place)
        elif "/" not in "".join(words[1:2]).removeprefix(_PREFIX):
            yield _of_row(words, place)


def _of_row(words: list[str], place: SourceLine) -> Candidate:
    namespace, name = (*words, "", "")[:2]
    name = name.removeprefix(_PREFIX)
    if not (_LABELS.fullmatch(namespace) and _LABELS.fullmatch(name)):
        raise place.error(f"not a row of services: {quoted(' '.join(words))}", _HINT)
    return Candidate(namespace, name, None, tuple(_places_in_row(words[2:])))


_PORT = re.compile(r"(?P<port>\d{1,5})(?::(?P<node_port>\d{1,5}))?/(?P<protocol>TCP|UDP|SCTP)", re.ASCII)


def _places_in_row(words: list[str]) -> Iterator[ListedPlace]:
    """Yield the places of TYPE, CLUSTER-IP, EXTERNAL-IP and PORT(S): external addresses may be several words."""
    at = next((at for at, word in enumerate(words) if _PORT.match(word)), 0)
    if at < 3:
        return
    external = "" if words[0] == "LoadBalancer" else "external-ip"
    addresses = [(words[1], "cluster-ip")]
    addresses += [(one, external) for word in words[2:at] for one in word.split(",")]
    for found in _PORT.finditer(words[at]):
        node_port = int(found["node_port"]) if found["node_port"] else None
        yield from _places(addresses, int(found["port"]), node_port, found["protocol"].lower())


def _places(
    addresses: Iterable[tuple[object, str]], port: int, node_port: int | None, protocol: str
) -> Iterator[ListedPlace]:
    """Yield the places of a port at addresses of some kinds, those that are none left out, and its node port."""
    for address, kind in addresses:
        network = parse_network(address) if isinstance(address, str) else None
        if network is not None:
            yield ListedPlace(protocol, show_host(network), port, kind, port)
    if node_port:
        yield ListedPlace(protocol, None, node_port, "node-port", port)


def _of_name(line: str, place: SourceLine) -> Candidate:
    found = _NAME.fullmatch(line)
    if found is None:
        raise place.error(f"not namespace/name or namespace/name:port: {quoted(line)}", _HINT)
    return Candidate(found["namespace"], found["name"], found["port"])


# --- documents -----------------------------------------------------------------------------------------------


def _of_items(items: list[JsonObject], place: SourceLine) -> Iterator[Candidate]:
    """Yield the ports of all services."""
    for item in items:
        if item.get("kind", "Service") == "Service":
            yield from _of_service(item, place)


def _of_service(service: JsonObject, place: SourceLine) -> Iterator[Candidate]:
    metadata, spec = service.get("metadata"), service.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise place.error("a service without metadata and spec", _HINT)
    namespace, name = metadata.get("namespace", "default"), metadata.get("name")
    if not isinstance(namespace, str) or not isinstance(name, str):
        raise place.error("a service without a name", _HINT)
    ports = spec.get("ports")
    for port in ports if isinstance(ports, list) else ():
        described = port if isinstance(port, dict) else {}
        port_name = described.get("name", "")
        places = tuple(_places_of_port(service, spec, described))
        yield Candidate(namespace, name, port_name if isinstance(port_name, str) else "", places)


def _places_of_port(service: JsonObject, spec: JsonObject, port: JsonObject) -> Iterator[ListedPlace]:
    number, node_port = port.get("port"), port.get("nodePort")
    protocol = port.get("protocol", "TCP")
    if not isinstance(number, int) or not isinstance(protocol, str):
        return
    addresses = [(one, "cluster-ip") for one in (spec.get("clusterIP"), *_listed(spec.get("clusterIPs")))]
    addresses += [(one, "external-ip") for one in _listed(spec.get("externalIPs"))]
    status = service.get("status")
    balancer = status.get("loadBalancer") if isinstance(status, dict) else None
    ingress = _listed(balancer.get("ingress")) if isinstance(balancer, dict) else ()
    addresses += [(one.get("ip"), "load-balancer-ip") for one in ingress if isinstance(one, dict)]
    own = node_port if isinstance(node_port, int) else None
    yield from dict.fromkeys(_places(addresses, number, own, protocol.lower()))


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()
