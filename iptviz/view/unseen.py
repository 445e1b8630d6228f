"""What decides about connections as well and is not known here, for where something is said to be reached."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from iptviz.node.snapshot import as_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.paths.model import ClientPaths
    from iptviz.questions.trace import TraceResult

_FORWARDING = {
    "ipv4": ("net.ipv4.ip_forward", "net.ipv4.conf.*.rp_filter"),
    "ipv6": ("net.ipv6.conf.all.forwarding",),
}
"""The kernel's settings that decide whether a packet is forwarded at all."""

_BRIDGED = {"ipv4": "net.bridge.bridge-nf-call-iptables", "ipv6": "net.bridge.bridge-nf-call-ip6tables"}
"""Whether rules meet what a bridge itself delivers: without it answers between its pods keep their addresses."""

_BRIDGE = re.compile(r" -[io] (?:cni|cbr|br-|docker|weave|kube-bridge)")
"""What rules ask where pods or containers hang on a bridge."""

_LOOKED_AT = 64
"""So many rules of built-in chains are looked at for bridges."""


def unseen_text(result: TraceResult) -> str:
    """Return what a dump does not show, and no evidence beside it either; empty where nothing is reached."""
    entries = (entry for paths in result.paths for entry in paths.entries)
    return ", ".join(_unseen(result)) if any(map(_is_reached, entries)) else ""


def _is_reached(entry: ClientPaths) -> bool:
    return any(row.share and row.reaches for row in entry.endpoints)


def _unseen(result: TraceResult) -> Iterator[str]:
    node = as_snapshot(result.snapshot or result.dump)
    known = node.sysctls or {}
    yield from (name for name in _FORWARDING[result.dump.family] if name not in known)
    bridged = _BRIDGED[result.dump.family]
    if bridged not in known and _has_bridges(result.dump):
        yield f"{bridged} (pods on one bridge)"
    if node.routes is None:
        yield "routes"
    yield "endpoint health"


def _has_bridges(dump: Dump) -> bool:
    """Whether rules speak of a bridge that connects pods or containers, or of flannel, which makes one."""
    tables = dump.tables.values()
    rules = (rule for table in tables for hook in ("FORWARD", "POSTROUTING") for rule in table.rules_of(hook))
    return any(table.has_chain("FLANNEL-FWD") for table in tables) or any(
        _BRIDGE.search(rule.text) for rule in islice(rules, _LOOKED_AT)
    )
