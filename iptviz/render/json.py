"""JSON: the document, indented, in ASCII."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iptviz.questions.trace import TraceResult
    from iptviz.terminal import Style


def trace_json(result: TraceResult, _style: Style, *, fold: bool) -> str:  # noqa: ARG001 - JSON leaves nothing out
    """Return the document `iptviz.trace.v1`; it is never folded."""
    import json

    return json.dumps(result.to_dict(), indent=2) + "\n"
