"""Clients whose connections differ by a chance alone that the dump does not print: they are told as one."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

from iptviz.records import NamedTuple
from iptviz.rules.unprinted import CHANCE_LOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.engine.condition import When
    from iptviz.paths.model import ClientPaths, EndpointRow, LeftoverRow

_Row = TypeVar("_Row", "EndpointRow", "LeftoverRow")


class _Way(NamedTuple):
    """An entry for one kind of client, `when` without the chance, which is `chance`: empty where none decides."""

    entry: ClientPaths
    when: When
    chance: When


def joined_by_chance(entries: tuple[ClientPaths, ...]) -> tuple[ClientPaths, ...]:
    """Return entries, as one those that differ by such a chance: the shares of its rows mean nothing.

    Where more than the endpoint hangs on which of them is chosen, entries are left as they are.
    """
    if not any(need.condition.kind == CHANCE_LOST for entry in entries for need in entry.when):
        return entries
    clients = dict.fromkeys(client for entry in entries for client in entry.clients)
    joined: dict[ClientPaths, list[str]] = {}
    for client in clients:
        own = [entry._replace(clients=()) for entry in entries if client in entry.clients]
        for entry in _of_one(own):
            joined.setdefault(entry, []).append(client)
    return tuple(entry._replace(clients=tuple(those)) for entry, those in joined.items())


def _of_one(entries: list[ClientPaths]) -> Iterable[ClientPaths]:
    """Return the entries of one kind of client, joined if each chance meets the same conditions."""
    ways = [_way(entry) for entry in entries]
    by_chance: dict[When, set[When]] = {}
    for way in ways:
        by_chance.setdefault(way.chance, set()).add(way.when)
    met = [whens for chance, whens in by_chance.items() if chance]
    widest = max(met, key=len, default=set())
    if not all(whens in (widest, {()}) for whens in met):
        return entries
    return _joined([one for way in ways for one in _under_each(way, widest)])


def _under_each(way: _Way, whens: Iterable[When]) -> Iterator[_Way]:
    """Yield what holds by a chance whatever else does under each condition that another chance meets."""
    yield from [way._replace(when=when) for when in whens] if way.chance and not way.when else [way]


def _way(entry: ClientPaths) -> _Way:
    chance = tuple(need for need in entry.when if need.condition.kind == CHANCE_LOST)
    return _Way(entry, tuple(need for need in entry.when if need not in chance), chance)


def _joined(ways: list[_Way]) -> Iterator[ClientPaths]:
    alike: dict[object, list[_Way]] = {}
    for way in ways:
        alike.setdefault((way.when, bool(way.chance), way.entry.untracked), []).append(way)
    for those in alike.values():
        yield those[0].entry if len(those) == 1 else _one(those)


def _one(ways: list[_Way]) -> ClientPaths:
    entries = [way.entry for way in ways]
    part = Fraction(1, len(entries))
    return entries[0]._replace(
        when=ways[0].when,
        endpoints=tuple(_shared_out((row for entry in entries for row in entry.endpoints), part)),
        leftover=tuple(_shared_out((row for entry in entries for row in entry.leftover), part)),
        at_least=min(entry.at_least for entry in entries),
        at_most=max(entry.at_most for entry in entries),
        unshared=True,
    )


def _shared_out(rows: Iterable[_Row], part: Fraction) -> Iterator[_Row]:
    """Yield rows, those that differ in shares alone once."""
    shares: dict[_Row, Fraction] = {}
    for row in rows:
        alike = row._replace(share=Fraction(0))
        shares[alike] = shares.get(alike, Fraction(0)) + row.share * part
    yield from (row._replace(share=share) for row, share in shares.items())
