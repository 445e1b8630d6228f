"""The document `iptviz.diff.v1` as rows for spreadsheets: one for each thing that differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.documents.shapes import service_name
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.documents.shapes import Shape

    Record = tuple[Any, ...]

FIELDS = (
    "part", "change", "family", "service", "protocol", "table", "chain", "at", "what", "old", "new", "old_line",
    "new_line",
)  # fmt: skip
"""The names of the fields: what of a service port or a chain differs, at which frontends, and both values."""


def records(document: Shape) -> Iterator[Record]:
    """Yield a record for each difference: services, chains and rules, findings, or what was asked instead."""
    family = document["new"]["family"]
    for found in _found(document):
        yield tuple({"family": family, **found}.get(field) for field in FIELDS)


def _found(document: Shape) -> Iterator[Shape]:
    services, chains = document["services"] or {}, document["chains"] or {}
    for change in ("added", "removed"):
        for port in services.get(change, ()):
            yield _port(port, change)
    for entry in services.get("changed", ()):
        yield from _entry(entry)
    for change in ("added", "removed", "changed"):
        for chain in chains.get(change, ()):
            yield from _chain(chain, change)
    for change, name in (("added", "findings"), ("removed", "findings_gone")):
        for finding in document[name]:
            yield _finding(finding, change)
    yield from _asked(document)


def _about(shape: Shape) -> Shape:
    """Return the fields that say what a record is about."""
    own = {"family": shape["family"]} if "family" in shape else {}
    return {
        **own,
        "part": "service",
        "service": service_name(shape["service"]),
        "protocol": shape["protocol"],
    }


def _at(frontends: Iterable[Shape]) -> str:
    return " ".join(join_endpoint(one["address"] or "", one["port"]) for one in frontends)


def _port(port: Shape, change: str) -> Shape:
    side = "new" if change == "added" else "old"
    ends = " ".join(join_endpoint(end["address"], end["port"]) for end in port["endpoints"])
    line = port["frontends"][0]["line"]
    about = {**_about(port), "change": change, "at": _at(port["frontends"]), "what": "service port"}
    return {**about, side: ends or port["verdict"], f"{side}_line": line}


def _entry(entry: Shape) -> Iterator[Shape]:
    about = {**_about(entry), "at": _at(entry["frontends"]), "new_line": entry["frontend"]["line"]}
    for end in entry["endpoints_removed"]:
        yield {**about, "change": "removed", "what": "endpoint", "old": end}
    for end in entry["endpoints_added"]:
        yield {**about, "change": "added", "what": "endpoint", "new": end}
    for one in entry["endpoint_ports_changed"]:
        yield {**about, "change": "changed", "what": "endpoint", **one}
    for share in entry["shares_changed"]:
        what = f"share of {share['endpoint']}"
        yield {**about, "change": "changed", "what": what, "old": share["old"], "new": share["new"]}
    for side, change in (("old", "removed"), ("new", "added")):
        for one in entry[f"frontends_{change}"]:
            yield {**about, "change": change, "what": f"frontend {one['kind']}", side: _at([one])}
    for said in entry["other"]:
        yield {**about, "change": "changed", "what": said}


def _chain(chain: Shape, change: str) -> Iterator[Shape]:
    own = {"family": chain["family"]} if "family" in chain else {}
    about = {**own, "part": "chain", "table": chain["table"], "chain": chain["chain"]}
    lines = {"old_line": chain["old_line"], "new_line": chain["new_line"]}
    if change != "changed":
        yield {**about, "change": change, "what": "chain", **lines}
    if chain["policy"]:
        yield {**about, "change": "changed", "what": "policy", **chain["policy"], **lines}
    for rule in chain["rules"]:
        sides = {side: rule[side] for side in ("old", "new") if rule[side]}
        texts = {side: one["text"] for side, one in sides.items()}
        places = {f"{side}_line": one["line"] for side, one in sides.items()}
        yield {**about, "change": rule["kind"], "what": "rule", **texts, **places}


def _finding(finding: Shape, change: str) -> Shape:
    service = finding["service"]
    side = "new" if change == "added" else "old"
    name = service_name(service) if service else None
    about = {"part": "finding", "change": change, "service": name, "what": finding["id"]}
    return {**about, side: finding["message"]}


def _asked(document: Shape) -> Iterator[Shape]:
    """Yield how what was asked for fares on both sides, where it differs."""
    if (packet := document["packet"]) and packet["parting"]:
        parting = packet["parting"]
        sides = {
            side: " ".join(one["verdict"] for one in parting[f"{side}_verdicts"]) for side in ("old", "new")
        }
        yield {"part": "packet", "change": "changed", "what": packet["asked"], **sides}
    for found in document["equivalent"] or ():
        for one in found["different"]:
            sides = {side: " ".join(map(_ending, one[side])) for side in ("old", "new")}
            about = {"part": "connections", "change": "changed", "service": service_name(one["service"])}
            yield {**about, "at": one["frontend"], "what": one["packet"]["source"], **sides}
        for unknown in found["not_known"]:
            about = {"part": "connections", "change": "not known", "what": unknown["why"]}
            yield from ({**about, "at": frontend} for frontend in unknown["frontends"])


def _ending(end: Shape) -> str:
    reply = f"reply {end['reply']}" if end["reply"] not in {None, "ACCEPT"} else None
    return " ".join(filter(None, (end["outcome"], end["endpoint"], reply)))
