"""What paths in bundles tell: the node on which a file was made, the network namespace, and the command.

The layouts are those of the collectors themselves: sos, must-gather and `oc adm inspect`, the log collectors of
EKS and Rancher, calicoctl, cilium-bugtool, Antrea, Submariner.
"""

from __future__ import annotations

import re

_NAME = r"[\w.-]+?"

# Patterns, compiled where a bundle is read, which few inputs are; the first that fits. A path begins with the
# bundle's own name, as many collectors say the node only there.
_NODE = (
    # sos: sosreport-NODE[-LABEL]-YYYY-MM-DD-RANDOM/
    rf"(?:^|/)sosreport-(?P<node>{_NAME})(?:-\d{{5,}})?-\d{{4}}-\d\d-\d\d-\w+(?:\.tar(?:\.\w+)?)?/",
    # must-gather of OpenShift up to 4.9: NODE_iptables, and NODE_POD_iptables where a pod ran the command
    rf"(?:^|/)network_logs/(?P<node>{_NAME})(?:_(?:ovnkube-node|sdn|ovs)-\w+)?_ip\w*(?:\.\w+)?$",
    # oc adm inspect, calicoctl cluster diags, KubeVirt, bmctl: nodes/NODE/
    r"(?:^|/)nodes?/(?P<node>[\w.-]+)/",
    # OpenShift's CI: the pod that ran the command stands for the node
    r"(?:^|/)network/(?:ip6?tables-save|nft-list-ruleset)-(?P<node>[\w.-]+)$",
    rf"(?:^|/)cilium-bugtool-(?P<node>{_NAME})-\d{{8}}",
    r"(?:^|/)eks_(?P<node>i-[0-9a-f]+)_",
    # Rancher: NODE-YYYY-MM-DD_HH_MM_SS/
    rf"(?:^|/)(?P<node>{_NAME})-\d{{4}}-\d\d-\d\d_[\d_:-]+(?:\.tar\.gz)?/",
    rf"(?:^|/)agent_(?P<node>{_NAME})(?:\.tar(?:\.gz)?|\.tgz)?/",
    # Submariner, whose folder of a cluster has a file for each node and command
    rf"(?:^|/)submariner-[^/]+/[^/]+/(?P<node>{_NAME})_(?:ip|iptables|ipset|sysctl)[\w-]*\.log$",
    r"^(?P<node>[\w.-]+)/resources/\w+\.yaml$",
)

# A pod's network namespace, or a virtual machine's: not the node's own. AKS has those of all pods in one file.
_NAMESPACE = (
    r"(?:^|/)(?:namespaces/(?P<folder>[^/]+)/"
    r"|ip_netns_exec_(?P<command>[\w.-]+?)_(?:ip|nft|cat|conntrack|ethtool|netstat|ss|sysctl)"
    r"|(?P<vm>[\w.-]+)\.ruletables\.txt$|(?P<pods>ip_netns_commands)\.txt$)"
)

# iptables in files' names: iptables_-t_nat_-nvL, ip6tables-nft-save--c.md, iptablesnat, ipv6_tables, iptables-S.
_TABLES = (
    r"(?:^|[_-])(?:ip(?P<six>6|v6_)?|ipv4_)tables(?P<backend>-nft|-legacy)?"
    r"[-_]?(?P<save>save)?(?P<rest>[^/]*)$"
)
_TABLE = r"(?:^|[^a-z])?(nat|mangle|raw|security|filter)(?:[^a-z]|$)"
_ENDING = r"\.(?:txt|md|log|rules|out|conf|tailed|json)$"
_OPTIONS = r"(?:^|[^a-zA-Z])(S|L)(?:[^a-zA-Z]|$)"


def node_of_path(path: str) -> str | None:
    """Return the node's name that a path in a known kind of bundle holds, or None."""
    if "/" not in path:  # a file alone
        return None
    return next((found["node"] for pattern in _NODE if (found := re.search(pattern, path))), None)


def namespace_of_path(path: str) -> str | None:
    """Return the network namespace that a file tells of, None for the node's own."""
    found = re.search(_NAMESPACE, path) if path else None
    return next(filter(None, found.groups()), None) if found else None


def command_of_path(path: str) -> str:
    """Return the file's name as the command it may stand for: sos writes `iptables_-t_nat_-nvL`."""
    if not path:
        return ""
    name = re.sub(_ENDING, "", path.rpartition("/")[2])
    found = re.search(_TABLES, name)
    if found is None:
        return name.replace("_", " ")
    table, options = re.search(_TABLE, found["rest"]), re.search(_OPTIONS, found["rest"])
    tool = f"ip{'6' if found['six'] else ''}tables{found['backend'] or ''}"
    command = f"{tool}-save" if found["save"] or found["six"] == "v6_" else tool
    return command + (f" -t {table[1]}" if table else "") + (f" -{options[1]}" if options else "")
