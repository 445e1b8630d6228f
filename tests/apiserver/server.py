"""The server: objects that a test wrote, answered as Kubernetes answers kubectl."""

from __future__ import annotations

import base64
import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from tests.apiserver.discovery import Resource, aggregated, is_away, legacy, served
from tests.apiserver.tables import table

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = dict[str, Any]
Gone = Literal["Forbidden", "Expired", "InternalError"]
_CODES: dict[str, HTTPStatus] = {
    "Forbidden": HTTPStatus.FORBIDDEN, "Expired": HTTPStatus.GONE, "NotFound": HTTPStatus.NOT_FOUND,
    "InternalError": HTTPStatus.INTERNAL_SERVER_ERROR, "ServiceUnavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}  # fmt: skip
ENDPOINTS_WARNING = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
_RESOURCE_VERSION = "41207"


class Answer(NamedTuple):
    """The body of an answer, its status, and a warning that comes with it."""

    body: Json
    status: HTTPStatus = HTTPStatus.OK
    warning: str = ""


class ApiServer:
    """A server at `url` while its context lasts; what it has and how it fails may be changed in between.

    `is_old`: of before 1.26, whose discovery is asked group by group. `broken`: the group of the metrics server
    is registered and does not answer. `refused` says of plural names why their lists are refused; `cut` of those
    that fail after the first chunk. Endpoints come with the `warning` of 1.33 and later.
    """

    def __init__(self, items: Iterable[Json] = ()) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.put(items)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, items: Iterable[Json]) -> None:
        """Have these objects, in the order in which etcd keeps them, and no faults."""
        self.items = sorted(items, key=lambda item: (_namespace(item), item["metadata"]["name"]))
        self.is_old = self.broken = False
        self.refused: dict[str, Gone] = {}
        self.cut: dict[str, Gone] = {}
        self.warning = ""
        self.asked: list[str] = []

    def answer(self, path: str, query: dict[str, str], accept: str) -> Answer:
        """Answer one request."""
        self.asked.append(path)
        return (
            self._discovered(path, accept)
            or self._of_resource(path.strip("/").split("/"), query, accept)
            or _status("NotFound", "the server could not find the requested resource")
        )

    def _discovered(self, path: str, accept: str) -> Answer | None:
        if any(
            path == f"/apis/{one.group_version}" for one in served(broken=self.broken) if is_away(one.group)
        ):
            return _status("ServiceUnavailable", "the server is currently unable to handle the request")
        version = next(
            (one for one in ("v2", "v2beta1") if f"v={one};as=APIGroupDiscoveryList" in accept), ""
        )
        found = aggregated(path, version, broken=self.broken) if version and not self.is_old else None
        found = found or legacy(path, broken=self.broken)
        return None if found is None else Answer(found)

    def _of_resource(self, parts: list[str], query: dict[str, str], accept: str) -> Answer | None:
        root = 2 if parts[0] == "api" else 3
        version, rest = "/".join(parts[1:root]), parts[root:]
        namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        found = next(
            (
                one for one in served(broken=False)
                if one.group_version == version and one.plural in rest[:1]
            ),
            None,
        )  # fmt: skip
        if found is None or len(rest) > 2:
            return None
        items = [item for item in self.items if item["kind"] == found.kind]
        items = [item for item in items if not namespace or _namespace(item) == namespace]
        return (
            self._single(found, items, rest[1], accept)
            if rest[1:]
            else self._list(found, items, query, accept)
        )

    def _single(self, resource: Resource, items: list[Json], name: str, accept: str) -> Answer:
        for item in items:
            if item["metadata"]["name"] == name:
                body = table(resource.kind, [item], {}) if _wants_table(accept) else item
                return Answer(body, warning=self._warning(resource))
        return _status("NotFound", f'{resource.plural} "{name}" not found')

    def _list(self, resource: Resource, items: list[Json], query: dict[str, str], accept: str) -> Answer:
        reason = self.refused.get(resource.plural) or (
            self.cut.get(resource.plural) if query.get("continue") else None
        )
        if reason:
            return _status(reason, _REASONS[reason].format(resource=resource.plural, group=resource.group))
        begin = int(base64.b64decode(query["continue"])) if query.get("continue") else 0
        end = begin + int(query.get("limit") or len(items) or 1)
        metadata: Json = {"resourceVersion": _RESOURCE_VERSION}
        if end < len(items):
            metadata["continue"] = base64.b64encode(str(end).encode()).decode()
            metadata["remainingItemCount"] = len(items) - end
        chunk = items[begin:end]
        if _wants_table(accept):
            return Answer(table(resource.kind, chunk, metadata), warning=self._warning(resource))
        body: Json = {
            "kind": f"{resource.kind}List", "apiVersion": resource.group_version, "metadata": metadata,
            "items": [{key: value for key, value in item.items() if key not in {"kind", "apiVersion"}} for item in chunk],
        }  # fmt: skip
        return Answer(body, warning=self._warning(resource))

    def _warning(self, resource: Resource) -> str:
        return self.warning if resource.kind == "Endpoints" else ""


_REASONS = {
    "Forbidden": '{resource}.{group} is forbidden: User "viewer" cannot list resource "{resource}" in API group "{group}" at the cluster scope',
    "Expired": "The provided continue parameter is too old to display a consistent list result.",
    "InternalError": "an error on the server has prevented the request from succeeding",
}


def _namespace(item: Json) -> str:
    namespace = item["metadata"].get("namespace", "")
    assert isinstance(namespace, str)
    return namespace


def _wants_table(accept: str) -> bool:
    return accept.startswith("application/json;as=Table")


def _status(reason: str, message: str) -> Answer:
    code = _CODES[reason]
    body: Json = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "code": code.value,
    }  # fmt: skip
    return Answer(body, code)


def _handler(api: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body at once: the client's kernel would wait with its acknowledgement

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            answer = api.answer(asked.path, query, self.headers.get("Accept", ""))
            body = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", _content_type(answer.body))
            self.send_header("Content-Length", str(len(body)))
            if answer.warning:
                self.send_header("Warning", f'299 - "{answer.warning}"')
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    return Handler


def _content_type(body: Json) -> str:
    """Return the type of an answer, which for discovery says its version, too."""
    if body.get("kind") != "APIGroupDiscoveryList":
        return "application/json"
    version = body["apiVersion"].partition("/")[2]
    return f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
