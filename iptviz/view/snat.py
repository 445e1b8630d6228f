"""Which source endpoints see, for every kind of client that reaches them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import clauses
from iptviz.view.clients import clients_labels
from iptviz.view.numbers import counted
from iptviz.view.text import printable
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from iptviz.paths.model import ClientPaths, EndpointRow

_NAMED = 3
_PRESERVED = "client IP preserved"


def snat_text(entries: tuple[ClientPaths, ...]) -> str:
    """Say which clients are rewritten and by what; empty where none of them reaches an endpoint."""
    said: dict[str, list[ClientPaths]] = {}
    for entry in entries:
        rows = [row for row in entry.endpoints if row.reaches and row.share]
        if rows:
            said.setdefault(_seen(rows), []).append(entry)
    # The last is told as what the others leave over, where it would take many conditions.
    ordered = sorted(said.items(), key=lambda one: len(one[1]))
    who = clients_labels([those for _, those in ordered])
    return "; ".join(f"{clients}: {printable(text)}" for clients, (text, _) in zip(who, ordered, strict=True))


def _seen(rows: list[EndpointRow]) -> str:
    """Return the source that one entry's endpoints see; by condition or by endpoint where it differs."""
    by_source: dict[str, list[EndpointRow]] = {}
    for row in sorted(rows, key=lambda row: row.snat is None):
        by_source.setdefault(row.snat or _PRESERVED, []).append(row)
    if len(by_source) == 1:
        return next(iter(by_source))
    ends = {source: _ends(those) for source, those in by_source.items()}
    if len({frozenset(names) for names in ends.values()}) > 1:
        return ", ".join(f"{source} for {_named(names)}" for source, names in ends.items())
    *first, last = by_source
    return ", ".join([*(f"{source}{_when(by_source[source])}" for source in first), f"otherwise {last}"])


def _ends(rows: list[EndpointRow]) -> list[str]:
    return list(dict.fromkeys(join_endpoint(row.address, row.port) for row in rows))


def _named(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= _NAMED else counted(len(names), "endpoint")


def _when(rows: list[EndpointRow]) -> str:
    whens = dict.fromkeys(clauses(row.when) for row in rows if row.when)
    return f" when {' or when '.join(whens)}" if whens else ""
