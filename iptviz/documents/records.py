"""Documents as rows for spreadsheets: for each schema the fields, and what makes records of one."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from iptviz.documents import diff_records
from iptviz.documents.shapes import service_name
from iptviz.paths.model import CLIENT_KINDS
from iptviz.rules.form import UNKNOWN_PORTS
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iptviz.documents.shapes import Shape

    Record = tuple[Any, ...]

_SERVICE_PORTS = (
    "namespace", "name", "port_name", "named_by", "protocol", "frontends", "endpoint_count", "endpoints",
    "shares", "leftover", "even", "affinity_seconds", "internal_policy", "external_policy", "verdict",
    "verdict_line", "masquerade", "source_ranges", "health_check_node_port", "chain",
    "reached", "not_reached_by", "not_reached_line", "pods", "reasons",
)  # fmt: skip
_ENDPOINTS = (
    "service", "protocol", "frontend", "kind", "when", "endpoint", "share", "exact", "chain", "line", "dnat_line",
    "connections", "verdict", "verdict_line", "masquerade",
    "clients", "row_when", "client_share", "client_exact", "outcome", "by", "by_line", "snat", "reply",
    "reply_by", "reply_line", "to", "pod",
)  # fmt: skip
_OUTCOMES = (
    "when", "share", "exact", "verdict", "route", "destination", "source", "mark", "line", "rule", "pod",
)  # fmt: skip
_DIFFERENCES = (
    "service", "protocol", "difference", "at", "api", "dump", "share", "exact", "line",
)  # fmt: skip
_FLEET = (
    "kind", "severity", "id", "family", "namespace", "name", "port_name", "protocol", "frontend",
    "endpoint_count", "endpoints", "node_count", "of", "nodes", "message", "advice",
)  # fmt: skip
_NO_PATH = (None,) * 12
"""The fields of what becomes of clients, in a record of what kube-proxy's chains choose."""

_JUMPS = ("table", "chain", "kind", "to", "line", "rule")


def records_of(document: Shape) -> tuple[tuple[str, ...], Iterator[Record]]:
    """Return the names of the fields, and the records of a document; None is a field without a value."""
    names, records = _BY_SCHEMA[document["schema"]]
    return names, records(document)


def _service_ports(document: Shape) -> Iterator[Record]:
    """Yield a record for each service port."""
    for port in document["services"]:
        service, verdict = port["service"], port["verdict"] or {}
        affinity, balance = port["session_affinity"] or {}, port["balance"]
        yield (
            service["namespace"],
            service["name"],
            service["port_name"],
            service["named_by"],
            port["protocol"],
            " ".join(map(_frontend, port["frontends"])),
            len(port["endpoints"]),
            " ".join(map(_endpoint, port["endpoints"])),
            " ".join(_decimal(end) for end in port["endpoints"]),
            port["leftover"]["probability"],
            None if balance is None else str(balance["even"]).lower(),
            affinity.get("seconds"),
            port["policy"]["internal"],
            port["policy"]["external"],
            verdict.get("kind"),
            verdict.get("line"),
            _masquerade(port),
            " ".join(port["source_ranges"]),
            port["health_check_node_port"],
            port["chain"],
            "; ".join(map(_reached, port["frontends"])),
            *_first_cause(port["frontends"]),
            " ".join(end.get("pod") or "?" for end in port["endpoints"] if "pod" in end) or None,
            _reasons(port["frontends"]),
        )


def _reached(frontend: Shape) -> str:
    """Return how each kind of clients fares at a frontend, as `outside yes, pod no`; `?` where nobody looked."""
    words = {client: fare["word"] for fare in frontend["reached"] or () for client in fare["clients"]}
    ordered = dict.fromkeys((*(kind for kind in CLIENT_KINDS if kind in words), *words))
    return ", ".join(f"{client} {words[client]}" for client in ordered) or "?"


def _first_cause(frontends: list[Shape]) -> tuple[str | None, int | None]:
    """Return the text of the rule or policy by which connections fail, the first of all, and its line."""
    fares = (fare for frontend in frontends for fare in frontend["reached"] or ())
    by: Shape = next((fare["by"] for fare in fares if fare["by"] and fare["word"] != "depends"), {})
    return by.get("text"), by.get("line")


def _reasons(frontends: list[Shape]) -> str | None:
    """Return why clients do not, or may not, reach a service; at which frontends, where not at all of them."""
    places: dict[str, list[str]] = {}
    for frontend in frontends:
        for fare in frontend["reached"] or ():
            if fare["reason"]:
                word = "" if fare["word"] in _SURE else f" {fare['word']}"
                said = f"{', '.join(fare['clients'])}{word}: {fare['reason']}"
                places.setdefault(said, []).append(_frontend(frontend))
    return (
        "; ".join(
            said if len(at) == len(frontends) else f"{', '.join(at)} {said}" for said, at in places.items()
        )
        or None
    )


_SURE = {"no", "no endpoints", "redirected"}
"""How clients fare, where the reason tells it."""


def _endpoints(document: Shape) -> Iterator[Record]:
    """Yield what kube-proxy's chains choose, then what becomes of each kind of clients: these records name them.

    A record is an endpoint of a case, or what gets none.
    """
    for service in document["services"]:
        for case in service["cases"] or [service]:
            yield from _case(service, case)
        for entry in service.get("paths", ()):
            yield from _entry(service, entry)


def _case(service: Shape, case: Shape) -> Iterator[Record]:
    frontend, masquerade = service["frontend"], _masquerade(case)
    name = service_name(service["service"])
    begin = (name, frontend["protocol"], _frontend(frontend), frontend["kind"], _when(case))
    for end in case["endpoints"]:
        connections = (end["rule_counters"] or {}).get("packets")
        share = _decimal(end), end["exact"]
        yield (
            *begin,
            _endpoint(end),
            *share,
            end["chain"],
            *end["lines"],
            connections,
            None,
            None,
            masquerade,
            *_NO_PATH,
            end.get("pod"),
        )
    leftover, verdict = case["leftover"], case["verdict"] or {"kind": "none", "line": None}
    if leftover["exact"] != "0/1":
        said = verdict["kind"], verdict["line"], masquerade
        yield (
            *begin,
            None,
            _decimal(leftover),
            leftover["exact"],
            None,
            None,
            None,
            None,
            *said,
            *_NO_PATH,
            None,
        )


def _entry(service: Shape, entry: Shape) -> Iterator[Record]:
    """Yield the records of some kinds of clients, whose shares stand apart: those of chains sum to 1 alone."""
    frontend = service["frontend"]
    name = service_name(service["service"])
    begin = (name, frontend["protocol"], _frontend(frontend), frontend["kind"], _when(entry))
    blank = (None,) * (len(_ENDPOINTS) - len(_NO_PATH) - len(begin) - 2)
    clients = " ".join(entry["clients"])
    for row in entry["endpoints"]:
        said = (
            row["outcome"],
            *_decider(row["by"]),
            row["snat"],
            row["reply"],
            *_decider(row["reply_by"]),
            None,
            row.get("pod"),
        )
        yield (*begin, _endpoint(row), *blank, clients, _when(row), _decimal(row), row["exact"], *said)
    for row in entry["leftover"]:
        if row["exact"] != "0/1":
            said = (row["outcome"], *_decider(row["by"]), None, None, None, None, row["to"], None)
            yield (*begin, None, *blank, clients, _when(row), _decimal(row), row["exact"], *said)


def _decider(by: Shape | None) -> tuple[str | None, int | None]:
    """Return who decides, and in which line."""
    if by is None:
        return None, None
    place = f"{by['table']} {by['chain']}".strip() or "routing"
    if by["table"]:
        place += " policy" if by["rule"] is None else f" rule {by['rule']}"
    return place, by["line"]


def _outcomes(document: Shape) -> Iterator[Record]:
    """Yield a record for each outcome of a packet."""
    for outcome in document["outcomes"]:
        yield (
            _when(outcome),
            _within(outcome, _decimal),
            _within(outcome, itemgetter("exact")),
            outcome["verdict"],
            outcome["route"],
            outcome["dnat"],
            outcome["snat"],
            outcome["mark_bits"],
            outcome["line"],
            outcome["text"],
            outcome.get("pod"),
        )


def _within(outcome: Shape, form: Callable[[Shape], str]) -> str:
    """Return the share of an outcome in a form; where only bounds are known, from the least to the greatest."""
    if outcome["exact"] is not None:
        return form(outcome)
    return f"{form(outcome['at_least'])} to {form(outcome['at_most'])}"


def _differences(document: Shape) -> Iterator[Record]:
    """Yield a record for each difference between the dump and the API."""
    for found in document["differences"]:
        share = found["share"]
        shares = (None, None) if share is None else (_decimal(share), share["exact"])
        difference = (
            found["service"],
            found["protocol"],
            found["kind"],
            found["at"],
            found["expected"],
            found["found"],
        )
        yield (*difference, *shares, found["line"])


def _jumps(document: Shape) -> Iterator[Record]:
    """Yield a record for each rule that leads from one chain to another."""
    for jump in document["jumps"]:
        for rule in jump["rules"]:
            kind = "goto" if rule["goto"] else "jump"
            yield jump["table"], jump["from"], kind, jump["to"], rule["line"], rule["text"]


_MOST_IN_CELL = 100
"""So many nodes or endpoints are named in a cell: what spreadsheets take of one has an end."""


def _of_fleet(document: Shape) -> Iterator[Record]:
    """Yield a record for each finding: a difference, a cause that check found, a source that could not be read.

    One for each finding and node would be millions of thousands of nodes, and no sheet holds more than one. With
    the names in a cell, a filter for those that contain a node's name still shows all that it has.
    """
    for found in document["findings"]:
        at = None if found["frontend"] is None else _frontend(found["frontend"])
        yield _of_nodes("difference", found, found["family"], found["protocol"], at, found["endpoints"])
    for found in document["checks"]:
        yield _of_nodes("check", found, None, None, None, ())
    blank = (None,) * (len(_FLEET) - 5)
    for one in document["unreadable"]:
        yield ("unreadable", None, None, *blank, one["source"], one["reason"])


def _of_nodes(
    kind: str,
    found: Shape,
    family: str | None,
    protocol: str | None,
    at: str | None,
    endpoints: Sequence[str],
) -> Record:
    service = found["service"] or {}
    return (
        kind, found["severity"], found["id"], family, service.get("namespace"), service.get("name"),
        service.get("port_name"), protocol, at, len(endpoints), _in_cell(endpoints), len(found["nodes"]),
        found["of"], _in_cell(found["nodes"]), found["message"], found["advice"],
    )  # fmt: skip


def _in_cell(names: Sequence[str]) -> str:
    more = len(names) - _MOST_IN_CELL
    return " ".join(names[:_MOST_IN_CELL]) + (f" and {more:,} more" if more > 0 else "")


_BY_SCHEMA: dict[str, tuple[tuple[str, ...], Callable[[Shape], Iterator[Record]]]] = {
    "iptviz.services.v1": (_SERVICE_PORTS, _service_ports),
    "iptviz.trace.v1": (_ENDPOINTS, _endpoints),
    "iptviz.packet.v1": (_OUTCOMES, _outcomes),
    "iptviz.verify.v1": (_DIFFERENCES, _differences),
    "iptviz.diff.v1": (diff_records.FIELDS, diff_records.records),
    "iptviz.graph.v1": (_JUMPS, _jumps),
    "iptviz.fleet.v1": (_FLEET, _of_fleet),
}


def _frontend(frontend: Shape) -> str:
    """Return address, port and protocol; a port that the dump does not print is a question mark."""
    host, port = frontend["address"] or "", frontend["port"]
    if frontend.get("port_printed", True):
        return f"{join_endpoint(host, port)}/{frontend['protocol']}"
    return f"{f'[{host}]' if ':' in host else host}:{UNKNOWN_PORTS}/{frontend['protocol']}"


def _endpoint(endpoint: Shape) -> str:
    return join_endpoint(endpoint["address"], endpoint["port"])


def _when(case: Shape) -> str:
    return " and ".join(condition["text"] for condition in case["when"]) or "always"


def _masquerade(case: Shape) -> str:
    return " or ".join(condition["text"] for condition in case["masquerade"] or ())


def _decimal(share: Shape) -> str:
    """Return a share with ten decimals, nothing where it is not known; its field `exact` has it exactly."""
    return "" if share["probability"] is None else f"{share['probability']:.10f}"
