"""What decides about connections as well and is not known here, for where something is said to be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.node.snapshot import as_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.paths.model import ClientPaths
    from iptviz.questions.trace import TraceResult

_FORWARDING = {
    "ipv4": ("net.ipv4.ip_forward", "net.ipv4.conf.*.rp_filter"),
    "ipv6": ("net.ipv6.conf.all.forwarding",),
}
"""The kernel's settings that decide whether a packet is forwarded at all."""


_BRIDGING = {
    "ipv4": "net.bridge.bridge-nf-call-iptables",
    "ipv6": "net.bridge.bridge-nf-call-ip6tables",
}
"""Without it answers between pods of one bridge are not rewritten."""


def unseen_text(result: TraceResult) -> str:
    """Return what a dump does not show, and no evidence beside it either; empty where nothing is reached."""
    entries = (entry for paths in result.paths for entry in paths.entries)
    return ", ".join(_unseen(result)) if any(map(_is_reached, entries)) else ""


def _is_reached(entry: ClientPaths) -> bool:
    return any(row.share and row.reaches for row in entry.endpoints)


def _may_stay_within_a_bridge(entry: ClientPaths) -> bool:
    """Whether pods reach endpoints that see their own address, and answer to it."""
    rows = (row for row in entry.endpoints if row.share and row.reaches and row.snat is None)
    return "pod" in entry.clients and any(rows)


def _unseen(result: TraceResult) -> Iterator[str]:
    node = as_snapshot(result.snapshot or result.dump)
    known = node.sysctls or {}
    yield from (name for name in _FORWARDING[result.dump.family] if name not in known)
    if _BRIDGING[result.dump.family] not in known and any(
        _may_stay_within_a_bridge(entry) for paths in result.paths for entry in paths.entries
    ):
        yield _BRIDGING[result.dump.family]
    if node.routes is None:
        yield "routes"
    yield "endpoint health"
