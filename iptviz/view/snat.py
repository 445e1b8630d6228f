"""Which source endpoints see, for every kind of client that reaches them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import clauses
from iptviz.kube.families import POSTROUTING
from iptviz.paths.model import ACCEPT
from iptviz.view.clients import clients_labels
from iptviz.view.numbers import counted
from iptviz.view.text import printable
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from iptviz.paths.model import ClientPaths, EndpointRow

_NAMED = 3
"""So many endpoints are named, of more it is told how many there are."""

_MOST = 4
"""More ways than this in which sources differ are not told in a line."""

_PRESERVED = "client IP preserved"
_NOT_SHOWN = "unknown (excerpt)"
"""What is said in place of that where the rules that mark connections may be among those left out."""


def snat_texts(entries: tuple[ClientPaths, ...], *, excerpt: bool = False) -> tuple[str, ...]:
    """Say which clients are rewritten and by what, in one text where no condition makes it long.

    There is none where no client reaches an endpoint. Of an `excerpt` that shows no rule which rewrites sources,
    it is not known whether the node has any.
    """
    kept = _NOT_SHOWN if excerpt and not any(map(_is_rewritten, entries)) else _PRESERVED
    said: dict[str, list[ClientPaths]] = {}
    conditions = False
    for entry in entries:
        rows = [row for row in entry.endpoints if row.outcome == ACCEPT and row.share]
        conditions |= bool(entry.when) or any(row.when for row in rows)
        if rows:
            said.setdefault(_seen(rows, kept), []).append(entry)
    # The last is told as what the others leave over, where it would take many conditions.
    ordered = sorted(said.items(), key=lambda one: len(one[1]))
    who = clients_labels([those for _, those in ordered])
    texts = [f"{clients}: {printable(text)}" for clients, (text, _) in zip(who, ordered, strict=True)]
    return tuple(texts) if conditions or not texts else ("; ".join(texts),)


def _is_rewritten(entry: ClientPaths) -> bool:
    return any(row.snat for row in entry.endpoints)


def _seen(rows: list[EndpointRow], kept: str) -> str:
    """Return the source that one entry's endpoints see; where it is not the same for all, for each of them."""
    by_end: dict[str, list[EndpointRow]] = {}
    for row in rows:
        by_end.setdefault(join_endpoint(row.address, row.port), []).append(row)
    alike: dict[str, list[str]] = {}
    for end, own in by_end.items():
        alike.setdefault(_source(own, kept), []).append(end)
    if len(alike) == 1:
        return next(iter(alike))
    if len(alike) > _MOST:
        return f"differs between {counted(len(by_end), 'endpoint')}: see --json"
    return ", and ".join(f"{source} for {_named(ends)}" for source, ends in alike.items())


def _source(rows: list[EndpointRow], kept: str) -> str:
    """Return the source that one endpoint sees, by the conditions of its rows where it is more than one."""
    by_source: dict[str, list[EndpointRow]] = {}
    for row in sorted(rows, key=lambda row: row.snat is None):
        by_source.setdefault(_rewritten(row) if row.snat else kept, []).append(row)
    *first, last = by_source
    otherwise = f"otherwise {last}" if first else last
    return ", ".join([*(f"{source}{_when(by_source[source])}" for source in first), otherwise])


def _rewritten(row: EndpointRow) -> str:
    """Return what the source becomes, with the rule where it is not kube-proxy's own."""
    by = row.snat_by
    if by is None or by.chain == POSTROUTING:
        return row.snat or ""
    others = f" or {counted(by.others, 'other rule')}" if by.others else ""
    line = f" (line {by.line})" if by.line is not None else ""
    return f"{row.snat} by {by.table} {by.chain} rule {by.number}{line}{others}"


def _named(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= _NAMED else counted(len(names), "endpoint")


def _when(rows: list[EndpointRow]) -> str:
    whens = dict.fromkeys(clauses(row.when) for row in rows if row.when)
    return f" when {' or when '.join(whens)}" if whens else ""
