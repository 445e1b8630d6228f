"""What an endpoint sends to itself: told in the rows of that endpoint, where that is all that differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Assumption, Condition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from iptviz.paths.model import ClientPaths, EndpointRow


def with_endpoints(
    others: Sequence[ClientPaths], own: Mapping[str, Sequence[ClientPaths]]
) -> list[ClientPaths]:
    """Return the entries of all clients of a kind: of `others`, and by its address of each endpoint."""
    entries = list(others)
    apart: dict[str, Sequence[ClientPaths]] = {}
    for address, from_it in own.items():
        joined = _joined(entries, others, from_it, address)
        if joined is None:
            apart[address] = from_it
        else:
            entries = joined
    if not apart:
        return entries
    somebody_else = _source(",".join(apart), holds=False)
    return [
        *(entry._replace(when=(*entry.when, somebody_else)) for entry in entries),
        *(
            entry._replace(when=(*entry.when, _source(address, holds=True)))
            for address, from_it in apart.items()
            for entry in from_it
        ),
    ]


def _joined(
    entries: Sequence[ClientPaths], others: Sequence[ClientPaths], own: Sequence[ClientPaths], address: str
) -> list[ClientPaths] | None:
    """Return the entries with what an endpoint itself meets; None where more than its own rows differs.

    `others` are the entries as they are for clients that are no endpoints.
    """
    by_when: dict[frozenset[Assumption], ClientPaths] = {frozenset(entry.when): entry for entry in own}
    if len(entries) != len(own) or any(frozenset(entry.when) not in by_when for entry in entries):
        return None
    found = [by_when[frozenset(entry.when)] for entry in entries]
    if any(_but(other, address) != _but(one, address) for other, one in zip(others, found, strict=True)):
        return None
    return [_with_own(entry, one, address) for entry, one in zip(entries, found, strict=True)]


def _with_own(entry: ClientPaths, own: ClientPaths, address: str) -> ClientPaths:
    if _rows(entry, address) == _rows(own, address):
        return entry
    rows: list[EndpointRow] = []
    for row in entry.endpoints:
        if row.address != address:
            rows.append(row)
        elif row == _rows(entry, address)[0]:
            rows += _with_source(_rows(entry, address), _source(address, holds=False))
            rows += _with_source(_rows(own, address), _source(address, holds=True))
    return entry._replace(
        endpoints=tuple(rows),
        at_least=min(entry.at_least, own.at_least),
        at_most=max(entry.at_most, own.at_most),
    )


def _but(entry: ClientPaths, address: str) -> object:
    """Return what an entry says beside the rows of an endpoint."""
    others = tuple(row for row in entry.endpoints if row.address != address)
    shares = sum(row.share for row in _rows(entry, address))
    return entry.untracked, others, entry.leftover, shares


def _rows(entry: ClientPaths, address: str) -> list[EndpointRow]:
    return [row for row in entry.endpoints if row.address == address]


def _with_source(rows: Sequence[EndpointRow], source: Assumption) -> list[EndpointRow]:
    return [row._replace(when=(*row.when, source)) for row in rows]


def _source(addresses: str, *, holds: bool) -> Assumption:
    return Assumption(Condition("source-cidr", addresses), holds)
