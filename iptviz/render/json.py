"""JSON: the document, indented, in ASCII."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iptviz.questions.graph import GraphResult
    from iptviz.questions.packet import PacketResult
    from iptviz.questions.services import ServicesResult
    from iptviz.questions.sources import SourcesResult
    from iptviz.questions.trace import TraceResult
    from iptviz.questions.verify import VerifyResult
    from iptviz.terminal import Style


def trace_json(result: TraceResult, _style: Style, *, fold: bool) -> str:  # noqa: ARG001 - JSON leaves nothing out
    """Return the document `iptviz.trace.v1`; it is never folded."""
    return _written(result.to_dict())


def packet_json(result: PacketResult, _style: Style, *, fold: bool) -> str:  # noqa: ARG001 - nor here
    """Return the document `iptviz.packet.v1`."""
    return _written(result.to_dict())


def services_json(result: ServicesResult, _style: Style, *, fold: bool) -> str:  # noqa: ARG001 - nor here
    """Return the document `iptviz.services.v1`."""
    return _written(result.to_dict())


def verify_json(result: VerifyResult, _style: Style, *, fold: bool) -> str:  # noqa: ARG001 - nor here
    """Return the document `iptviz.verify.v1`."""
    return _written(result.to_dict())


def graph_json(result: GraphResult, _style: Style, *, fold: bool) -> str:  # noqa: ARG001 - nor here
    """Return the document `iptviz.graph.v1`."""
    return _written(result.to_dict())


def sources_json(result: SourcesResult, _style: Style, *, fold: bool) -> str:  # noqa: ARG001 - nor here
    """Return the document `iptviz.sources.v1`."""
    return _written(result.to_dict())


def _written(document: dict[str, Any]) -> str:
    import json

    return json.dumps(document, indent=2) + "\n"
