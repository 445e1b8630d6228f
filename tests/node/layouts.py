"""Bundles in the layouts of collectors, made of the fixtures: what each writes of a node, under its own paths."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING, NamedTuple

from tests.node import texts
from tests.node.texts import counted, fenced, listing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Members = dict[str, bytes]

WHEN = 1_795_435_200  # 2026-11-23 12:00:00 UTC


class Bundle(NamedTuple):
    """A bundle: what it is called, its files by path, and whether it is packed, and how the name says."""

    name: str
    members: Members


def packed(name: str, members: Mapping[str, bytes]) -> bytes:
    """Return an archive of the kind that its name ends with."""
    file = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
            for path, data in members.items():
                zipped.writestr(path, data)
        return file.getvalue()
    mode = {"gz": "w:gz", "xz": "w:xz", "tar": "w"}[name.rpartition(".")[2]]
    with tarfile.open(fileobj=file, mode=mode) as tar:  # type: ignore[call-overload]
        for path, data in members.items():
            info = tarfile.TarInfo(path)
            info.size, info.mtime = len(data), WHEN
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def write(bundle: Bundle, folder: Path) -> str:
    """Write a bundle, or a plain folder where its name has no ending of an archive; return its path."""
    path = folder / bundle.name
    if path.suffix in {".gz", ".xz", ".tar", ".zip"}:
        path.write_bytes(packed(bundle.name, bundle.members))
        return str(path)
    for inside, data in bundle.members.items():
        file = path / inside
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return str(path)


def _below(folder: str, members: Members) -> Members:
    return {f"{folder}/{path}": data for path, data in members.items()}


# --- hosts ---------------------------------------------------------------------------------------------------

_SOS = "sosreport-node-1-2026-11-23-abcdefg"
_POD = "cni-0b6ae2d5-1111-2222-3333-444444444444"
_SOS_NETWORK: Members = {
    "sos_commands/networking/ip_-d_address": texts.ADDRESSES,
    "sos_commands/networking/ip_-o_addr": texts.ADDRESSES_EACH_IN_A_LINE,
    "sos_commands/networking/ip_route_show_table_all": texts.ALL_ROUTES + texts.ALL_ROUTES_OF_SIX,
    "sos_commands/networking/ip_-6_route_show_table_all": texts.ALL_ROUTES_OF_SIX,
    "sos_commands/kernel/sysctl_-a": texts.SYSCTLS,
    "sos_commands/ipvs/ipvsadm_-Ln": texts.IPVS,
    "version.txt": b"sosreport: 4.5.6\n",
    "sos_reports/manifest.json": json.dumps({"version": "4.5.6", "components": {}}).encode(),
}


def sos_old() -> Bundle:
    """sos 3.2 to 4.0, on a node of iptables-legacy."""
    networking = "sos_commands/networking"
    return Bundle(
        f"{_SOS}.tar.xz",
        _below(
            _SOS,
            {
                f"{networking}/iptables_-t_filter_-nvL": listing("filter-Lv.txt"),
                f"{networking}/iptables_-t_mangle_-nvL": listing("mangle-nvL.txt"),
                f"{networking}/iptables_-t_nat_-nvL": listing("nat-nvL.txt"),
                f"{networking}/iptables_-vnxL": listing("filter-vnxL.txt"),
                f"{networking}/ip6tables_-t_nat_-nvL": listing("nat6-nvL.txt"),
                f"{networking}/ip6tables_-vnxL": listing("filter6-vnxL.txt"),
                f"{networking}/ip_-4_rule": texts.RULES,
                f"{networking}/ip_-6_rule": texts.RULES_OF_SIX,
                f"{networking}/ip_netns_exec_{_POD}_iptables-save": texts.NO_RULES,
                f"{networking}/ip_netns_exec_{_POD}_ip_address_show": texts.POD_ADDRESSES,
                "proc/4242/net/ip_tables_names": b"mangle\nfilter\nnat\n",
                "proc/4242/net/ip6_tables_names": b"filter\nnat\n",
                **_SOS_NETWORK,
            },
        ),
    )


def sos_new() -> Bundle:
    """sos 4.1 to 4.12, on a node of iptables-nft with all that any of them may collect."""
    tables, networking = "sos_commands/firewall_tables", "sos_commands/networking"
    return Bundle(
        f"{_SOS}.tar.xz",
        _below(
            _SOS,
            {
                f"{tables}/iptables_-t_filter_-nvL": listing("filter-vnxL.txt"),
                f"{tables}/iptables_-t_nat_-nvL": listing("nat-nvL.txt"),
                f"{tables}/iptables_-vnxL": listing("filter-vnxL.txt"),
                f"{tables}/ip6tables_-t_nat_-nvL": listing("nat6-nvL.txt"),
                f"{tables}/ip6tables_-vnxL": listing("filter6-vnxL.txt"),
                f"{tables}/nft_-a_list_ruleset": listing("nft-a.txt"),
                "sos_commands/conntrack/conntrack_-L_-o_extended": texts.CONNTRACK,
                f"{networking}/ip_-4_rule_list": texts.RULES,
                f"{networking}/ip_-6_rule_list": texts.RULES_OF_SIX,
                f"{networking}/namespaces/{_POD}/ip_netns_exec_{_POD}_iptables-save": texts.NO_RULES,
                f"{networking}/namespaces/{_POD}/ip_netns_exec_{_POD}_ip_-d_address_show": texts.POD_ADDRESSES,
                "proc/4242/net/xt_recent/clients": texts.RECENT,
                "proc/4242/net/nf_conntrack": texts.CONNTRACK,
                **_SOS_NETWORK,
            },
        ),
    )


def sos_filter_alone() -> Bundle:
    """sos 4.12 where the module ip_tables is loaded on a node of iptables-nft: nat is in nft's text alone."""
    bundle = sos_new()
    left_out = ("_-t_nat_-nvL", "_-t_filter_-nvL")
    return Bundle(
        bundle.name, {path: data for path, data in bundle.members.items() if not path.endswith(left_out)}
    )


def sos_legacy_without_rules() -> Bundle:
    """sos 4.3 to 4.12 on a node of iptables-legacy: an empty ruleset of nft, and the names of the tables."""
    return Bundle(
        f"{_SOS}.tar.xz",
        _below(
            _SOS,
            {
                "sos_commands/firewall_tables/nft_list_ruleset": b"",
                "proc/4242/net/ip_tables_names": b"mangle\nfilter\nnat\n",
                **_SOS_NETWORK,
            },
        ),
    )


def eks() -> Bundle:
    """eks-log-collector; ip6tables did not get the lock for one of its tables."""
    network: Members = {
        "networking/iptables-mangle.txt": counted(listing("mangle-nvL.txt")),
        "networking/iptables-filter.txt": counted(listing("filter-vnxL.txt")),
        "networking/iptables-nat.txt": counted(listing("nat-nvL.txt")),
        "networking/iptables.txt": counted(listing("filter-vnxL.txt")),
        "networking/ip6tables-mangle.txt": texts.FAILED_LISTING,
        "networking/ip6tables-filter.txt": counted(listing("filter6-vnxL.txt")),
        "networking/ip6tables-nat.txt": counted(listing("nat6-nvL.txt")),
        "networking/ip6tables.txt": counted(listing("filter6-vnxL.txt")),
        "networking/iptables-save.txt": texts.LEGACY,
        "networking/ip6tables-save.txt": texts.SIX,
        "networking/ipset.txt": texts.IPSET_LIST + b"\n" + texts.IPSET_SAVE,
        "networking/ipvsadm.txt": texts.IPVS,
        "networking/conntrack.txt": b"*** Output of conntrack -S ***\n"
        + texts.CONNTRACK_STATS
        + b"*** Output of conntrack -L ***\n"
        + texts.CONNTRACK,
        "networking/iprule.txt": texts.RULES,
        "networking/ip6rule.txt": texts.RULES_OF_SIX,
        "networking/iproute.txt": texts.ALL_ROUTES,
        "networking/ip6route.txt": texts.ALL_ROUTES_OF_SIX,
        "networking/ifconfig.txt": texts.IFCONFIG,
        "sysctls/sysctl_all.txt": texts.SYSCTLS,
        "kubelet/svc.log": texts.SERVICES,
        "var_log/kube-proxy-x2x4k.log": texts.KUBE_PROXY_LOG,
    }
    return Bundle("eks_i-0123456789abcdef0_2026-11-23_1200-UTC_0.7.9.tar.gz", _below(".", network))


def node_diagnostic() -> Bundle:
    """The node monitoring agent of EKS: the same names, listings alone here, and nft's tables in files."""
    four, six = listing("nft-a.txt").split(b"\ntable ip6 nat ", 1)
    _, four_filter = four.split(b"\ntable ip filter ", 1)
    return Bundle(
        "node-diagnostic.tar.gz",
        {
            "networking/iptables-filter.txt": listing("filter-vnxL.txt"),
            "networking/iptables-nat.txt": listing("nat-nvL.txt"),
            "networking/iptables-mangle.txt": listing("mangle-nvL.txt"),
            "networking/nftables-ip-filter.txt": b"table ip filter " + four_filter,
            "networking/nftables-ip6-nat.txt": b"table ip6 nat " + six,
            "networking/iproute.txt": texts.ALL_ROUTES,
            "networking/iprule.txt": texts.RULES,
        },
    )


def bottlerocket() -> Bundle:
    """logdog of Bottlerocket: two listings, and nothing else of the network."""
    return Bundle(
        "bottlerocket-logs.tar.gz",
        {
            "bottlerocket-logs/iptables-filter": listing("filter-vnxL.txt"),
            "bottlerocket-logs/iptables-nat": listing("nat-nvL.txt"),
            "bottlerocket-logs/os-release": b"NAME=Bottlerocket\nID=bottlerocket\n",
        },
    )


def aks() -> Bundle:
    """The log collector of AKS: filter is listed, nat is not."""
    return Bundle(
        "logs.zip",
        _below(
            "collect",
            {
                "iptables.txt": listing("filter-vnL-lines.txt"),
                "ip6tables.txt": listing("filter6-vnL-lines.txt"),
                "nftables.json": listing("nft.json"),
                "ip_4_addr.json": texts.ADDRESSES_JSON,
                "ip_4_route.json": texts.ROUTES_JSON,
                "ip_6_addr.json": texts.OLD_IP,
                "ip_6_route.json": b"[]\n",
                "ip_rule.json": texts.RULES_JSON,
                "conntrack.txt": texts.CONNTRACK + texts.CONNTRACK_STATS,
                "sysctl.txt": texts.SYSCTLS,
                "proc/net/route": b"Iface\tDestination\tGateway\neth0\t00000000\t0101A8C0\n",
                "ip_netns_commands.txt": b"network namespace: cni-1\n$ ip addr\n" + texts.POD_ADDRESSES,
            },
        ),
    )


def periscope() -> Bundle:
    """`az aks kollect`: the table nat alone, with names for numbers."""
    return Bundle("node-1.zip", {"node-1/collector/iptables": listing("nat-L.txt")})


def rancher() -> Bundle:
    """The log collector of Rancher, for RKE2 and k3s."""
    network: Members = {
        "iptablessave": texts.NFT,
        "ip6tablessave": texts.SIX,
        "iptables": listing("filter-vnxL.txt"),
        "iptablesnat": listing("nat-nvL.txt"),
        "iptablesmangle": listing("mangle-nvL.txt"),
        "ip6tables": listing("filter6-vnxL.txt"),
        "ip6tablesnat": listing("nat6-nvL.txt"),
        "nft_ruleset": listing("nft-a.txt"),
        "ipaddrshow": texts.ADDRESSES,
        "ipv6addrshow": texts.ADDRESSES_OF_SIX,
        "iproute": texts.ALL_ROUTES,
        "ipv6route": texts.MAIN_ROUTES_OF_SIX,
        "iprule": texts.RULES,
        "ipv6rule": texts.RULES_OF_SIX,
        "ipvsadm": b"ipvsadm: command not found\n",
    }
    folder = "./node-1-2026-11-23_12_00_00"
    return Bundle(
        "node-1-2026-11-23_12_00_00.tar.gz",
        {
            **_below(f"{folder}/networking", network),
            f"{folder}/systeminfo/sysctla": texts.SYSCTLS,
            f"{folder}/rke2/kubectl/services": texts.SERVICES,
        },
    )


def microk8s() -> Bundle:
    """inspect.sh of MicroK8s: filter twice, as rules and as a listing, and nat as a listing."""
    return Bundle(
        "inspection-report-20261123_120000.tar.gz",
        _below(
            "inspection-report",
            {
                "network/iptables": listing("nat-nvL.txt"),
                "network/iptables-S": listing("filter-S.txt"),
                "network/iptables-L": listing("filter-Lv.txt"),
                "network/ifconfig": texts.IFCONFIG,
                "args/kube-proxy": b"--cluster-cidr=10.244.0.0/16\n",
                "k8s/cluster-info-dump": b'{"kind": "NodeList", "items": []}\n',
            },
        ),
    )


def talos() -> Bundle:
    """Talos: no rules at all."""
    return Bundle(
        "support.zip",
        {
            "192.168.1.11/resources/addressstatuses.net.talos.dev.yaml": b"metadata:\n    id: eth0/192.168.1.11/24\n",
            "192.168.1.11/kubernetes-logs/kube-system/kube-proxy.log": texts.KUBE_PROXY_LOG,
        },
    )


# --- OpenShift, CNIs, vendors --------------------------------------------------------------------------------

_MUST_GATHER = "must-gather.local.42/quay-io-openshift-release-dev-sha256-0123"


def must_gather() -> Bundle:
    """must-gather up to 4.9: one file a node and command, a pod ran some of them."""
    logs: Members = {
        "worker-1_iptables": texts.NFT,
        "worker-2.example.org_iptables": texts.LEGACY,
        "worker-3_ovnkube-node-abcde_iptables": texts.NFT,
        "worker-3_ovnkube-node-abcde_ip_addr": texts.ADDRESSES,
        "worker-3_ovnkube-node-abcde_ip_route": texts.MAIN_ROUTES,
    }
    return Bundle("must-gather.tar.gz", _below(f"{_MUST_GATHER}/network_logs", logs))


def gather_extra() -> Bundle:
    """gather-extra of OpenShift's CI: a pod's name stands for the node."""
    network: Members = {
        "iptables-save-sdn-abcde": texts.NFT,
        "iptables-save-sdn-fghij": texts.NFT,
        "nft-list-ruleset-sdn-abcde": listing("nft-a.txt"),
    }
    return Bundle(
        "gather-extra",
        {
            **_below("artifacts/network", network),
            "artifacts/services.json": b'{"kind": "List", "items": []}\n',
        },
    )


def calico_cluster() -> Bundle:
    """`calicoctl cluster diags`: both backends of each node, IPv4 alone."""
    node: Members = {
        "iptables-legacy-save.txt": texts.NO_RULES,
        "iptables-nft-save.txt": texts.NFT,
        "nft-ruleset.txt": listing("nft-a.txt"),
        "ip-addr.txt": texts.ADDRESSES,
        "ip-route.txt": texts.MAIN_ROUTES,
        "ip-route-v6.txt": texts.MAIN_ROUTES_OF_SIX,
        "ip-rule.txt": texts.RULES,
        "ipset-list.txt": texts.IPSET_LIST,
    }
    folder = "calico-diagnostics-20261123_120000"
    return Bundle(
        f"{folder}.tar.gz",
        {
            **_below(f"{folder}/nodes/node-1", node),
            **_below(f"{folder}/nodes/node-2", node),
            f"{folder}/cluster/kubernetes/services.yaml": b"apiVersion: v1\nitems: []\nkind: List\n",
        },
    )


def calico_node() -> Bundle:
    """`calicoctl node diags`."""
    return Bundle(
        "diags-20261123_120000.tar.gz",
        _below(
            "diagnostics",
            {
                "ipv4_tables": texts.NFT,
                "ipv6_tables": texts.SIX,
                "ipv4_addr": texts.ADDRESSES_OF_FOUR,
                "ipv6_addr": texts.ADDRESSES_OF_SIX,
                "ipv4_route": texts.MAIN_ROUTES,
                "ipv6_route": texts.MAIN_ROUTES_OF_SIX,
                "ipsets": texts.IPSET_LIST,
            },
        ),
    )


def _bugtool(*, markdown: bool = False) -> Members:
    def text(command: str, data: bytes) -> bytes:
        return fenced(command, data) if markdown else data

    return {
        "cmd/iptables-save--c.md": text("iptables-save -c", texts.NFT),
        "cmd/ip6tables-save--c.md": text("ip6tables-save -c", texts.SIX),
        "cmd/iptables-nft-save--c.md": text("iptables-nft-save -c", texts.NFT),
        "cmd/iptables-legacy-save--c.md": text("iptables-legacy-save -c", texts.NO_RULES),
        "cmd/ip-a.md": text("ip a", texts.ADDRESSES),
        "cmd/ip--4-r.md": text("ip -4 r", texts.MAIN_ROUTES),
        "cmd/ip--6-r.md": text("ip -6 r", texts.MAIN_ROUTES_OF_SIX),
        "cmd/ip-rule.md": text("ip rule", texts.RULES),
        "cmd/ipset-list.md": text("ipset list", texts.IPSET_LIST),
        "cmd/sysctl--a.md": text("sysctl -a", texts.SYSCTLS),
    }


def cilium_bugtool(*, markdown: bool = False) -> Bundle:
    """cilium-bugtool of one node."""
    folder = "cilium-bugtool-cilium-x2x4k-20261123-120000"
    return Bundle(f"{folder}.tar.gz", _below(folder, _bugtool(markdown=markdown)))


def cilium_bugtool_in_markdown() -> Bundle:
    """The same, asked to write Markdown."""
    return cilium_bugtool(markdown=True)


def cilium_sysdump() -> Bundle:
    """cilium sysdump: an archive of each node in a zip."""
    folder = "cilium-sysdump-20261123-120000"
    inner = [f"cilium-bugtool-cilium-{pod}-20261123-120000" for pod in ("x2x4k", "z9z9z")]
    return Bundle(
        f"{folder}.zip",
        {
            **{
                f"{folder}/{name}.tar.gz": packed(f"{name}.tar.gz", _below(name, _bugtool()))
                for name in inner
            },
            f"{folder}/k8s-services-20261123-120000.yaml": b"apiVersion: v1\nitems: []\nkind: List\n",
        },
    )


def antrea() -> Bundle:
    """Antrea's support bundle: an archive of each agent, both families in one file, in any order."""
    agent: Members = {
        "iptables": texts.SIX + texts.NFT,
        "ipset": texts.IPSET_SAVE,
        "address": texts.ADDRESSES,
        "route": texts.MAIN_ROUTES,
        "rule": texts.RULES,
        "link": b"1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT\n",
        "route-table-all": texts.ALL_ROUTES,
    }
    other = {**agent, "iptables": texts.NFT + texts.SIX}
    return Bundle(
        "support-bundles.tar.gz",
        {
            "agent_node-1.tar.gz": packed("a.tar.gz", agent),
            "agent_node-2.tar.gz": packed("a.tar.gz", other),
        },
    )


def submariner() -> Bundle:
    """`subctl gather`: a folder, in each file the command first."""
    commands: dict[str, tuple[str, bytes]] = {
        "iptables-save": ("iptables-save -c", texts.NFT),
        "iptables": ("iptables -L --line-numbers -v -n", listing("filter-vnL-lines.txt")),
        "iptables-nat": ("iptables -t nat -L -n -v", listing("nat-nvL.txt")),
        "iptables-mangle": ("iptables -t mangle -L -n -v", listing("mangle-nvL.txt")),
        "ip-a": ("ip -d a", texts.ADDRESSES),
        "ip-routes": ("ip route show", texts.MAIN_ROUTES),
        "ip-rules": ("ip rule list", texts.RULES),
        "ipset-list": ("ipset list", texts.IPSET_LIST),
        "sysctl-a": ("sysctl -a", texts.SYSCTLS),
    }
    return Bundle(
        "submariner-20261123120000",
        {
            f"cluster1/node-1_{name}.log": command.encode() + b"\n" + data
            for name, (command, data) in commands.items()
        },
    )


_RUN_HOST = "support-bundle-2026-11-23T12_00_00/host-collectors/run-host"


def _info(command: str) -> bytes:
    return json.dumps({"command": command, "exitCode": "0", "error": ""}, indent=2).encode()


def troubleshoot() -> Bundle:
    """Troubleshoot: the commands of its documentation's example."""
    return Bundle(
        "support-bundle-2026-11-23T12_00_00.tar.gz",
        _below(
            _RUN_HOST,
            {
                "iptables.txt": listing("filter-Lv.txt"),
                "iptables-info.json": _info("/usr/sbin/iptables -L -v"),
                "iptables-save.txt": texts.NFT,
                "iptables-save-info.json": _info("/usr/sbin/iptables-save"),
                "iptables-save-stderr.txt": b"",
                "ip-route-table.txt": texts.ALL_ROUTES,
                "ip-route-table-info.json": _info("ip route show table all"),
                "sysctl.txt": texts.SYSCTLS,
                "ipvsadm.txt": texts.IPVS,
            },
        ),
    )


def embedded_cluster() -> Bundle:
    """Embedded Cluster: filter as a listing, and nft's text, which shows that there is a table nat."""
    return Bundle(
        "support-bundle-2026-11-23T12_00_00.tar.gz",
        _below(
            _RUN_HOST,
            {
                "iptables.txt": listing("filter-Lv.txt"),
                "nftables-list.txt": listing("nft-a.txt"),
                "ip-address-stats.txt": texts.ADDRESSES,
                "ip-route-table.txt": texts.ALL_ROUTES,
            },
        ),
    )


def kubeskoop() -> Bundle:
    """A report of kubeskoop's collector: all of a node in one JSON file."""
    report = {"nn": "node-1", "it": "<iptables-rules version='1.0'></iptables-rules>\n", "is": [], "r": []}
    return Bundle("kubeskoop", {"node-1.json": json.dumps(report).encode()})


LAYOUTS = {
    make.__name__: make
    for make in (
        sos_old, sos_new, sos_filter_alone, sos_legacy_without_rules, eks, node_diagnostic, bottlerocket, aks,
        periscope, rancher, microk8s, talos, must_gather, gather_extra, calico_cluster, calico_node,
        cilium_bugtool, cilium_bugtool_in_markdown, cilium_sysdump, antrea, submariner, troubleshoot,
        embedded_cluster, kubeskoop,
    )
}  # fmt: skip
