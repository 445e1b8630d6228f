"""What becomes of connections where rules of nat that are not shown may lead them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, NEVER
from iptviz.engine.effects import UNKNOWN
from iptviz.paths.model import ACCEPT, LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.kube.frontends import Frontend
    from iptviz.kube.outcome import Verdict
    from iptviz.paths.model import ClientPaths, FrontendPaths

_UNCHANGED = frozenset({ACCEPT, LOCAL})
_SENT_ANYWHERE = frozenset({"pod", "node"})
"""Clients that kube-proxy's nat rules send to endpoints anywhere, whatever the policy Local keeps from others."""


def with_unseen_nat(paths: FrontendPaths, frontend: Frontend, verdict: Verdict | None) -> FrontendPaths:
    """Return paths in which it is not known what becomes of what no DNAT takes that is shown.

    What filter refuses is refused, but for pods and this node where it says that no endpoint is local.
    """
    is_local = verdict is not None and verdict.lacks_local and frontend.kind != "cluster-ip"
    anywhere = _SENT_ANYWHERE if is_local else frozenset()
    return paths._replace(entries=tuple(part for entry in paths.entries for part in _parted(entry, anywhere)))


def _parted(entry: ClientPaths, anywhere: frozenset[str]) -> Iterator[ClientPaths]:
    """Yield an entry apart for clients that may be sent `anywhere`, and for the others."""
    for clients in (
        tuple(client for client in entry.clients if client not in anywhere),
        tuple(client for client in entry.clients if client in anywhere),
    ):
        if clients:
            yield _unknown(entry._replace(clients=clients), only_unchanged=anywhere.isdisjoint(clients))


def _unknown(entry: ClientPaths, *, only_unchanged: bool) -> ClientPaths:
    rows = tuple(
        row._replace(outcome=UNKNOWN, by=None)
        if row.share and (row.outcome in _UNCHANGED or not only_unchanged)
        else row
        for row in entry.leftover
    )
    if rows == entry.leftover:
        return entry
    return entry._replace(leftover=rows, at_least=NEVER, at_most=CERTAIN)
