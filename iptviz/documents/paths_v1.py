"""What becomes of every kind of clients, as `iptviz.trace.v1` says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.documents.shapes import Shape, condition_shape, share_shape

if TYPE_CHECKING:
    from iptviz.engine.condition import When
    from iptviz.paths.model import ClientPaths, Decider, EndpointRow, FrontendPaths, LeftoverRow


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
        "by": _decider(row.by),
        "snat": row.snat,
        "snat_by": _decider(row.snat_by),
        "reply": row.reply,
        "reply_by": _decider(row.reply_by),
    }


def _leftover(row: LeftoverRow) -> Shape:
    return {
        **share_shape(row.share),
        "when": _conditions(row.when),
        "outcome": row.outcome,
        "by": _decider(row.by),
        "to": row.to,
    }


def _decider(by: Decider | None) -> Shape | None:
    if by is None:
        return None
    return {
        "table": by.table,
        "chain": by.chain,
        "rule": by.number,
        "line": by.line,
        "text": by.text,
        "others": by.others,
    }


def _conditions(when: When) -> list[Shape]:
    return list(map(condition_shape, when))
