"""What becomes of every kind of clients, as `iptviz.trace.v1` says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.documents.shapes import Shape, condition_shape, decider_shape, share_shape

if TYPE_CHECKING:
    from iptviz.engine.condition import When
    from iptviz.paths.model import ClientPaths, EndpointRow, FrontendPaths, LeftoverRow


def paths_shape(paths: FrontendPaths | None) -> Shape:
    """Return the fields `paths` and `assumed` of a frontend; nothing where this was not looked at."""
    if paths is None:
        return {}
    return {"paths": list(map(_entry, paths.entries)), "assumed": _conditions(paths.assumed)}


def _entry(entry: ClientPaths) -> Shape:
    return {
        "clients": list(entry.clients),
        "when": _conditions(entry.when),
        "untracked": entry.untracked,
        "endpoints": list(map(_endpoint, entry.endpoints)),
        "leftover": list(map(_leftover, entry.leftover)),
        "reaching": {"at_least": share_shape(entry.at_least), "at_most": share_shape(entry.at_most)},
    }


def _endpoint(row: EndpointRow) -> Shape:
    return {
        "address": row.address,
        "port": row.port,
        **share_shape(row.share),
        "when": _conditions(row.when),
        "outcome": row.outcome,
        "by": decider_shape(row.by),
        "snat": row.snat,
        "snat_by": decider_shape(row.snat_by),
        "reply": row.reply,
        "reply_by": decider_shape(row.reply_by),
    }


def _leftover(row: LeftoverRow) -> Shape:
    return {
        **share_shape(row.share),
        "when": _conditions(row.when),
        "outcome": row.outcome,
        "by": decider_shape(row.by),
        "to": row.to,
    }


def _conditions(when: When) -> list[Shape]:
    return list(map(condition_shape, when))
