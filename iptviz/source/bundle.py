"""What the paths in a bundle tell: on which node a file was made, and by which command."""

from __future__ import annotations

import re

# sosreport-NODE-...-DATE-..., must-gather nodes/NODE/ and host_service_logs, Cilium bugtool NODE-DATE.
_NODE = (
    re.compile(r"(?:^|/)sosreport-(?P<node>[\w.-]+?)(?:-\d{5,})?-\d{4}-\d\d-\d\d-\w+/"),
    re.compile(r"(?:^|/)nodes?/(?P<node>[\w.-]+)/"),
    re.compile(r"(?:^|/)cilium-bugtool-(?P<node>[\w.-]+?)-\d{8}"),
    re.compile(r"(?:^|/)eks_(?P<node>i-[0-9a-f]+)_"),
)


def node_of_path(path: str) -> str | None:
    """Return the node's name that a path in a known kind of bundle holds, or None."""
    for pattern in _NODE:
        if found := pattern.search(path):
            return found["node"]
    return None


def command_of_path(path: str) -> str:
    """Return the file's name as the command it may stand for: sos writes `iptables_-t_nat_-nvL`."""
    return path.rpartition("/")[2].replace("_", " ").removesuffix(".txt")
