"""Findings whose endpoints carry the names of their pods, where lists of the node's tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.xtables.address import split_endpoint

if TYPE_CHECKING:
    from iptviz.checks.finding import Finding
    from iptviz.node.snapshot import Snapshot


def with_pods(finding: Finding, node: Snapshot | None) -> Finding:
    """Return a finding to be worded: behind each of its endpoints stands which pod it is.

    It is known again by the values that it had: a pod's name changes with the pod.
    """
    if node is None or node.pods is None:
        return finding
    return finding._replace(values=tuple((name, _named(value, node)) for name, value in finding.values))


def _named(value: Any, node: Snapshot) -> Any:
    if isinstance(value, str):
        endpoint, blank, more = value.partition(" ")
        pod = node.pod_at(*split_endpoint(endpoint))
        return f"{endpoint} {pod}{blank}{more}" if pod else value
    if type(value) is tuple:
        return tuple(_named(part, node) for part in value)
    if isinstance(value, tuple):
        return value._make(_named(part, node) for part in value)  # type: ignore[attr-defined]
    return value
