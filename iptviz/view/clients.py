"""How the clients are called of which something is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import clauses
from iptviz.paths.model import CLIENT_KINDS
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.engine.condition import When
    from iptviz.paths.model import ClientPaths


_ORDER = {kind: place for place, kind in enumerate(CLIENT_KINDS)}


def clients_label(entries: Iterable[ClientPaths]) -> str:
    """Return the clients of entries, first those of whom it is said under no condition."""
    whens: dict[str, list[When]] = {}
    for entry in entries:
        for client in entry.clients:
            whens.setdefault(client, []).append(entry.when)
    alike: dict[str, list[str]] = {}
    for client, those in sorted(whens.items(), key=lambda one: _ORDER.get(one[0], 0)):
        alike.setdefault("" if () in those else _when(those), []).append(client)
    ordered = sorted(alike.items(), key=lambda group: bool(group[0]))
    return printable("; ".join(", ".join(clients) + when for when, clients in ordered))


def _when(those: list[When]) -> str:
    return " or".join(f" when {clauses(when)}" for when in dict.fromkeys(those))
