"""Where does a Kubernetes service connection go? Exact answers from iptables-save.

    import iptviz
    dump = iptviz.load("a.txt")
    result = iptviz.trace(dump, "10.97.13.198")

Names of this package are public; everything else may move. They are imported when first used, so that
`import iptviz` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.version import __version__

if TYPE_CHECKING:
    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.single import parse_rule
    from iptviz.errors import DumpError, IptvizError, OutputError, PacketError, TargetError
    from iptviz.jumps import jump_graph
    from iptviz.node.load import load, load_all, load_node
    from iptviz.node.snapshot import Snapshot
    from iptviz.questions.diff import DiffResult, diff
    from iptviz.questions.fleet import FleetResult, fleet
    from iptviz.questions.graph import GraphResult, graph
    from iptviz.questions.packet import PacketResult, packet
    from iptviz.questions.services import ServicesResult, services
    from iptviz.questions.sources import SourcesResult, sources
    from iptviz.questions.trace import TraceResult, trace
    from iptviz.questions.verify import VerifyResult, verify

__all__ = [
    "CheckResult",
    "DiffResult",
    "Dump",
    "DumpError",
    "FleetResult",
    "GraphResult",
    "IptvizError",
    "OutputError",
    "PacketError",
    "PacketResult",
    "Rule",
    "ServicesResult",
    "Snapshot",
    "SourcesResult",
    "TargetError",
    "TraceResult",
    "VerifyResult",
    "__version__",
    "check",
    "diff",
    "fleet",
    "graph",
    "jump_graph",
    "load",
    "load_all",
    "load_node",
    "packet",
    "parse_rule",
    "services",
    "sources",
    "trace",
    "verify",
]

_HOMES = {
    "Dump": "iptviz.dump.model",
    "load": "iptviz.node.load",
    "load_all": "iptviz.node.load",
    "load_node": "iptviz.node.load",
    "Snapshot": "iptviz.node.snapshot",
    "Rule": "iptviz.dump.rule",
    "parse_rule": "iptviz.dump.single",
    "DumpError": "iptviz.errors",
    "IptvizError": "iptviz.errors",
    "OutputError": "iptviz.errors",
    "TargetError": "iptviz.errors",
    "PacketError": "iptviz.errors",
    "PacketResult": "iptviz.questions.packet",
    "packet": "iptviz.questions.documented",
    "ServicesResult": "iptviz.questions.services",
    "services": "iptviz.questions.services",
    "CheckResult": "iptviz.questions.check",
    "check": "iptviz.questions.check",
    "SourcesResult": "iptviz.questions.sources",
    "sources": "iptviz.questions.sources",
    "TraceResult": "iptviz.questions.trace",
    "trace": "iptviz.questions.trace",
    "DiffResult": "iptviz.questions.diff",
    "diff": "iptviz.questions.diff",
    "VerifyResult": "iptviz.questions.verify",
    "verify": "iptviz.questions.verify",
    "FleetResult": "iptviz.questions.fleet",
    "fleet": "iptviz.questions.fleet",
    "GraphResult": "iptviz.questions.graph",
    "graph": "iptviz.questions.graph",
    "jump_graph": "iptviz.jumps",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
