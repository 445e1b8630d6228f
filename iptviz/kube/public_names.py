"""Names that programs and Kubernetes itself give on every node: of interfaces, sets, tables of nft, services.

They tell nobody's secret, and answers go by some of them. What a cluster's owner chose stands in no table here;
chains have theirs in `iptviz.kube.families`.
"""

from __future__ import annotations

from iptviz.records import NamedTuple

INTERFACES = {
    "near": ("docker", "br-", "virbr", "lxcbr", "podman", "lo"),
    "outward": ("eth", "en", "bond", "wl", "wg", "ppp"),
    "pods": ("cni", "cbr", "cali", "veth", "lxc", "weave", "kube-bridge", "flannel", "azv", "eni"),
    "others": ("bridge", "lxdbr", "nerdctl", "vxlan", "tunl", "tun", "tap", "cilium_", "azure", "gke"),
}
"""What the names of interfaces begin with, as programs call them: `near` ones lead to no other node and to no
pods, `outward` ones to other nodes, `pods` ones to pods of this node."""


class _Public(NamedTuple):
    """Whole names, and what those begin with of which a program chooses the rest."""

    whole: frozenset[str]
    begin: tuple[str, ...]

    def beginning(self, name: str) -> str:
        """Return the longest beginning of a name that a program gives; empty where it has none."""
        return max(filter(name.startswith, self.begin), key=len, default="")


PUBLIC_INTERFACES = _Public(
    frozenset((
        "cilium_host", "cilium_net", "cilium_vxlan", "flannel.1", "flannel-v6.1", "kube-bridge", "kube-dummy-if",
        "kube-ipvs0", "nodelocaldns", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali",
        *(f"br{number}" for number in range(10)),
    )),
    tuple(name for names in INTERFACES.values() for name in names),
)  # fmt: skip

_OF_IPVS = (
    "CLUSTER-IP", "EXTERNAL-IP", "EXTERNAL-IP-LOCAL", "HEALTH-CHECK-NODE-PORT", "IPVS-IPS", "LOAD-BALANCER",
    "LOAD-BALANCER-FW", "LOAD-BALANCER-LOCAL", "LOAD-BALANCER-SOURCE-CIDR", "LOAD-BALANCER-SOURCE-IP",
    "LOOP-BACK", "NODE-PORT-LOCAL-SCTP-HASH", "NODE-PORT-LOCAL-TCP", "NODE-PORT-LOCAL-UDP",
    "NODE-PORT-SCTP-HASH", "NODE-PORT-TCP", "NODE-PORT-UDP",
)  # fmt: skip
_LONGEST_SET = 31
_OF_CALICO = ("all-hosts-net", "all-ipam-pools", "all-vxlan-net", "masq-ipam-pools", "this-host")

PUBLIC_SETS = _Public(
    frozenset((
        *(f"KUBE-{six}{name}"[:_LONGEST_SET] for six in ("", "6-") for name in _OF_IPVS),
        *(f"cali{family}{name}" for family in (40, 60) for name in _OF_CALICO),
    )),
    ("KUBE-", "KUBE-SRC-", "KUBE-DST-", "azure-npm-", "cali40", "cali60", "weave-"),
)  # fmt: skip
"""Sets of kube-proxy's IPVS mode, and of programs that enforce network policies."""

PUBLIC_NFT_TABLES = frozenset(("firewalld", "kube-proxy"))

PUBLIC_NAMESPACES = frozenset(("kube-system",))
PUBLIC_SERVICES = frozenset(("kube-dns",))
"""The service of the cluster's DNS, which is called so in every cluster."""

PUBLIC_NFT_CHAINS = frozenset((
    "prerouting", "input", "forward", "output", "postrouting", "ingress", "egress", "filter-prerouting",
    "filter-input", "filter-forward", "filter-output", "filter-prerouting-pre-dnat", "filter-output-pre-dnat",
    "filter-output-post-dnat", "nat-prerouting", "nat-output", "nat-postrouting", "services", "masquerading",
    "mark-for-masquerade", "reject-chain", "cluster-ips-check", "endpoints-check", "service-endpoints-check",
    "nodeport-endpoints-check", "firewall-check", "firewall-allow-check",
))  # fmt: skip
"""Chains that kube-proxy writes into its tables of nft, and those that are called as their hook."""

PUBLIC_NFT_SETS = frozenset((
    "service-ips", "service-nodeports", "no-endpoint-services", "no-endpoint-nodeports", "firewall-ips",
    "firewall", "firewall-allow", "cluster-ips", "nodeport-ips", "hairpin-connections",
))  # fmt: skip
"""Sets and maps that kube-proxy writes into its tables of nft."""

PUBLIC_NFT_COMMENTS = frozenset((
    "rules for kube-proxy", "service hairpin connections", "Active ClusterIPs", "NodePort traffic", "masquerade",
    "IPs that accept NodePort traffic", "short-circuit pod traffic", "short-circuit local traffic",
    "masquerade local traffic", "masquerade clusterIP traffic from outside cluster",
    "helper for @no-endpoint-services / @no-endpoint-nodeports",
    "vmap to drop or reject packets to services with no endpoints",
    "vmap to drop or reject packets to service nodeports with no endpoints",
    "destinations that are subject to LoadBalancerSourceRanges", "Drop traffic to unallocated ClusterIPs",
    "Reject traffic to invalid ports of ClusterIPs", "ClusterIP, ExternalIP and LoadBalancer IP traffic",
))  # fmt: skip
"""Comments of kube-proxy's in its tables of nft."""
