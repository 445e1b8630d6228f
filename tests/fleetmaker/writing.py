"""What kube-proxy of one machine has written, as the machine's file has it."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.kubeproxy import Cluster, saved
from tests.nftproxy import Node, listed

if TYPE_CHECKING:
    from tests.fleetmaker.world import Machine, World

POD_NETWORKS = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}
SERVICE_NETWORKS = {4: ("10.96.0.0/12",), 6: ("fd00:10:96::/112",)}
WRITTEN = "Mon Nov 23 12:00:00 2026"


@dataclass(frozen=True)
class Setup:
    """How a cluster is set up: what its kube-proxy is and is told, and how its rules were saved.

    `own_network`: with --detect-local-mode=NodeCIDR each node tells pods by its own part of the network.
    `host_port`: a pod of each node has this port of the node, by the CNI plug-in portmap.
    """

    release: str = "1.29"
    families: tuple[int, ...] = (4,)
    own_network: bool = False
    detect: str = "cidr"
    own_node_ports: bool = False
    counters: bool = False
    host_port: int | None = None
    nftables: bool = False

    def cluster(self, world: World, machine: Machine, family: int) -> Cluster:
        """Return the cluster as a machine's kube-proxy sees it."""
        network = machine.network(family) if self.own_network else POD_NETWORKS[family]
        return Cluster(
            world.seen(machine, family), self.release, family, network, self.detect,
            node_port_addresses=(machine.address(family),) if self.own_node_ports else (),
            node_ip=machine.address(family),
        )  # fmt: skip


def written(world: World, machine: Machine, setup: Setup) -> str:
    """Return the text of a machine's file."""
    if setup.nftables:
        return written_by_nft(world, machine, setup)
    dice = random.Random(f"written {machine.number}")
    text = "".join(saved(setup.cluster(world, machine, family)) for family in setup.families)
    if setup.host_port:
        text = with_host_port(text, machine, setup.host_port)
    if setup.counters:
        text = with_counters(text, dice)
    return saved_at(text, f"Mon Nov 23 12:0{dice.randint(0, 1)}:{dice.randint(10, 59)} 2026")


def written_by_nft(world: World, machine: Machine, setup: Setup, shape: str = "1.34") -> str:
    """Return what nft lists of a machine whose kube-proxy is in nftables mode."""
    return "".join(
        listed(Node(setup.cluster(world, machine, family), SERVICE_NETWORKS[family]), shape)
        for family in setup.families
    )


def saved_at(text: str, time: str) -> str:
    return text.replace(WRITTEN, time)


def with_counters(text: str, dice: random.Random) -> str:
    """Return a dump with counters, as iptables-save -c prints them."""
    text = re.sub(r"\[0:0\]$", lambda _: _counted(dice), text, flags=re.MULTILINE)
    return re.sub(r"^-A", lambda _: f"{_counted(dice)} -A", text, flags=re.MULTILINE)


def _counted(dice: random.Random) -> str:
    packets = dice.choice([0, dice.randint(1, 10**6)])
    return f"[{packets}:{packets * 60}]"


def with_host_port(text: str, machine: Machine, port: int) -> str:
    """Return a dump in whose nat table of IPv4 portmap leads a port of the machine to a pod of it."""
    chain = f"CNI-DN-{machine.number:021x}"
    called = f'dnat name: \\"cbr0\\" id: \\"{machine.number:016x}\\"'
    pod = machine.network(4).replace(".0/24", ".250")
    rules = (
        f'-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "{called}" -m multiport --dports {port} -j {chain}',
        '-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark 0x2000/0x2000',
        f"-A {chain} -s {machine.network(4)} -p tcp -m tcp --dport {port} -j CNI-HOSTPORT-SETMARK",
        f"-A {chain} -s 127.0.0.1/32 -p tcp -m tcp --dport {port} -j CNI-HOSTPORT-SETMARK",
        f"-A {chain} -p tcp -m tcp --dport {port} -j DNAT --to-destination {pod}:{port}",
        "-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE",
    )
    hooks = {
        "PREROUTING": "-m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
        "OUTPUT": "-m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
        "POSTROUTING": '-m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ',
    }
    chains = ("CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-SETMARK", chain)
    before, start, nat = text.partition("*nat\n")
    nat, end, after = nat.partition("COMMIT\n")
    lines = nat.splitlines()
    places = {hook: _behind(lines, f"-A {hook} ") for hook in hooks}
    declared = [f":{name} - [0:0]" for name in chains]
    for hook in sorted(hooks, key=places.__getitem__, reverse=True):
        lines.insert(places[hook], f"-A {hook} {hooks[hook]}")
    first = _behind(lines, ":")
    nat = "\n".join((*lines[:first], *declared, *lines[first:], *rules, ""))
    return f"{before}{start}{nat}{end}{after}"


def _behind(lines: list[str], beginning: str) -> int:
    """Return the place behind the last line that begins so."""
    return max(place for place, line in enumerate(lines) if line.startswith(beginning)) + 1


def in_ipvs_mode(machine: Machine) -> str:
    """Return the rules of a machine in IPVS mode, which show no service."""
    network = POD_NETWORKS[4]
    return saved_at(_IPVS.replace("POD-NETWORK", network), f"Mon Nov 23 12:00:{machine.number % 60:02} 2026")


_IPVS = f"""\
# Generated by iptables-save v1.8.9 on {WRITTEN}
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-IPVS-FILTER - [0:0]
:KUBE-IPVS-OUT-FILTER - [0:0]
:KUBE-NODE-PORT - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
-A INPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-FILTER
-A INPUT -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL
-A INPUT -m comment --comment "kubernetes health check rules" -j KUBE-NODE-PORT
-A FORWARD -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A OUTPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-OUT-FILTER
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-IPVS-FILTER -m set --match-set KUBE-CLUSTER-IP dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst -j REJECT --reject-with icmp-port-unreachable
COMMIT
# Completed on {WRITTEN}
# Generated by iptables-save v1.8.9 on {WRITTEN}
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-LOAD-BALANCER - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODE-PORT - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-NODE-PORT -p tcp -m comment --comment "Kubernetes nodeport TCP port for masquerade purpose" -m set --match-set KUBE-NODE-PORT-TCP dst -j KUBE-MARK-MASQ
-A KUBE-POSTROUTING -m comment --comment "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose" -m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-SERVICES -s 127.0.0.0/8 -j RETURN
-A KUBE-SERVICES ! -s POD-NETWORK -m comment --comment "Kubernetes service cluster ip + port for masquerade purpose" -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT
-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
COMMIT
# Completed on {WRITTEN}
"""


def flushed(text: str, *, chains: bool) -> str:
    """Return a dump whose nat tables were flushed (iptables -F), and whose `chains` were deleted (-X) or were not."""
    gone = re.compile(r"(?:\[\S+ )?-A |:KUBE-|:CNI-" if chains else r"(?:\[\S+ )?-A ")
    kept, table = [], ""
    for line in text.splitlines(keepends=True):
        table = line.strip() if line.startswith("*") else table
        if table != "*nat" or not gone.match(line):
            kept.append(line)
    return "".join(kept)


def without_ports(text: str) -> str:
    """Return a dump as an iptables prints it that is older than the one which wrote the rules."""
    text = text.replace("-save v1.8.9 on", "-save v1.8.7 (nf_tables) on")
    return re.sub(r"^(.*-A KUBE-.*?) -m (?:tcp|udp|sctp) --dport \d+(?= )", r"\1", text, flags=re.MULTILINE)


def without_hook(text: str) -> str:
    """Return a dump without what leads arriving packets to services."""
    return re.sub(r"^(?:\[\S+ )?-A PREROUTING .*-j KUBE-SERVICES\n", "", text, flags=re.MULTILINE)
