"""A list of services: `kubectl get services -A` as a table, JSON or YAML, or one name per line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.errors import quoted
from iptviz.records import NamedTuple
from iptviz.supplied.documents import JsonObject, is_document, read_items
from iptviz.supplied.kubectl import answer_of
from iptviz.supplied.lines import SourceLine, places

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINT = (
    "pass the output of `kubectl get services -A` (a table, -o json or yaml), "
    "or one namespace/name:port per line"
)
_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"(?P<namespace>{_LABEL})/(?P<name>{_LABEL})(?::(?P<port>(?:{_LABEL})?))?")
_PREFIX = "service/"
_LABELS = re.compile(_LABEL)


class Candidate(NamedTuple):
    """A service port that may be in a dump; `port_name` is None where the list does not tell it."""

    namespace: str
    name: str
    port_name: str | None


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
    return Candidate(namespace, name, None)


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
        port_name = port.get("name", "") if isinstance(port, dict) else ""
        yield Candidate(namespace, name, port_name if isinstance(port_name, str) else "")
