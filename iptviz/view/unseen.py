"""What decides about connections as well and is not known here, for where something is said to be reached."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from iptviz.dump.model import Dump

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iptviz.engine.host import Host
    from iptviz.node.listing import RuleSource
    from iptviz.paths.model import ClientPaths
    from iptviz.questions.check import CheckResult
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
    node = result.snapshot
    sysctls = node.sysctls if node is not None else None
    return unseen_of(result.dump, sysctls or {}, routed=node is not None and node.routes is not None)


def unseen_of_node(result: CheckResult) -> str:
    """Return what the dumps of a node do not show, and no evidence beside them either, in words."""
    pairs: Iterator[tuple[Dump, Host]] = zip(result.dumps, result.hosts, strict=True)
    found = (
        what
        for dump, host in pairs
        for what in unseen_of(dump, host.sysctls or {}, routed=host.routes is not None)
    )
    return ", ".join(dict.fromkeys(found))


def unseen_of(dump: RuleSource, sysctls: Mapping[str, str], *, routed: bool) -> Iterator[str]:
    """Yield what a dump does not show of where connections go; `routed` says whether the routes are known."""
    yield from (name for name in _FORWARDING[dump.family] if name not in sysctls)
    bridged = _BRIDGED[dump.family]
    if bridged not in sysctls and isinstance(dump, Dump) and _has_bridges(dump):
        yield f"{bridged} (pods on one bridge)"
    if not routed:
        yield "routes"
    yield "endpoint health"


def _has_bridges(dump: Dump) -> bool:
    """Whether rules speak of a bridge that connects pods or containers, or of flannel, which makes one."""
    tables = dump.tables.values()
    rules = (rule for table in tables for hook in ("FORWARD", "POSTROUTING") for rule in table.rules_of(hook))
    return any(table.has_chain("FLANNEL-FWD") for table in tables) or any(
        _BRIDGE.search(rule.text) for rule in islice(rules, _LOOKED_AT)
    )
