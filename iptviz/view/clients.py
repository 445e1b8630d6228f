"""How the clients are called of which something is said, each time as shortly as what else is said lets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import clauses
from iptviz.paths.model import CLIENT_KINDS
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iptviz.engine.condition import Assumption, When
    from iptviz.paths.model import ClientPaths

_ORDER = {kind: place for place, kind in enumerate(CLIENT_KINDS)}

_MOST = 4
"""Of more cases the first are told, and how many others there are."""

_OTHERWISE = " otherwise"


def clients_labels(said: Sequence[Sequence[ClientPaths]]) -> list[str]:
    """Return who each thing is said of: the clients of its entries, and in which of their cases.

    Together `said` has all cases of its clients. One of which the same is said in all of them needs no
    condition; where several conditions would have to be told last, it is what none of those before tell.
    """
    return [_label(place, said) for place in range(len(said))]


def clients_of(entries: Iterable[ClientPaths]) -> tuple[str, ...]:
    """Return the clients of entries in their order."""
    clients = dict.fromkeys(client for entry in entries for client in entry.clients)
    return tuple(sorted(clients, key=lambda one: _ORDER.get(one, 0)))


def _label(place: int, said: Sequence[Sequence[ClientPaths]]) -> str:
    """Return who the `place`-th thing is said of, first those of whom it is said under no condition."""
    alike: dict[str, list[str]] = {}
    for client in clients_of(said[place]):
        alike.setdefault(_when(client, place, said), []).append(client)
    ordered = sorted(alike.items(), key=lambda group: bool(group[0]))
    return printable(", and ".join(", ".join(those) + when for when, those in ordered))


def _when(client: str, place: int, said: Sequence[Sequence[ClientPaths]]) -> str:
    """Return in which of a client's cases something is said: an empty text where it is in all."""
    own = _cases(client, said[place])
    others = [_cases(client, those) for number, those in enumerate(said) if number != place]
    if own.keys() >= set().union(*others):
        return ""
    told = [" when " + clauses(when) for when in _joined(entry.when for entry in own.values())]
    if len(told) > _MOST:
        told[_MOST - 1 :] = [f" in {len(told) - _MOST + 1} more cases (see --json)"]
    first = [_cases(client, those) for those in said[:place]]
    is_last = not any(_cases(client, those) for those in said[place + 1 :])
    apart = own.keys().isdisjoint(set().union(*first))
    short = len(own) == 1 and len(next(iter(own.values())).when) == 1
    return _OTHERWISE if is_last and apart and not short else " or".join(told)


def _joined(whens: Iterable[When]) -> list[When]:
    """Return conditions of which any holds where one of `whens` does: two that differ in one answer are one."""
    found = list(dict.fromkeys(whens))
    pair = _pair(found)
    while pair:
        one, other, differing = pair
        found.remove(other)
        found[found.index(one)] = tuple(assumption for assumption in one if assumption != differing)
        found = list(dict.fromkeys(found))
        pair = _pair(found)
    return found


def _pair(whens: Sequence[When]) -> tuple[When, When, Assumption] | None:
    """Return two of `whens` that say the same but for the answer to one question, with that of the first."""
    for place, one in enumerate(whens):
        for other in whens[place + 1 :]:
            apart = [assumption for assumption in one if assumption not in other]
            if len(one) == len(other) and len(apart) == 1 and apart[0].opposite() in other:
                return one, other, apart[0]
    return None


def _cases(client: str, entries: Iterable[ClientPaths]) -> dict[int, ClientPaths]:
    """Return the entries that are a client's, by what tells them apart."""
    return {id(entry): entry for entry in entries if client in entry.clients}
