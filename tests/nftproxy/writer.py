"""Write a node's table: the fixed part, then service port by service port."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from tests.nftproxy.names import endpoint_name, note_of, service_chain
from tests.nftproxy.plumbing import MARK, write_plumbing
from tests.nftproxy.shapes import shape
from tests.nftproxy.table import Objects

if TYPE_CHECKING:
    from tests.kubeproxy.cluster import Cluster, Endpoint, Service
    from tests.nftproxy.shapes import Shape


@dataclass(frozen=True)
class Node:
    """A cluster as this node sees it; `service_networks` are those of cluster IPs.

    Node ports answer at the cluster's `node_port_addresses`, at the node's own if it names none, or, with
    `every_address`, at all that the node has, but for loopback.
    """

    cluster: Cluster
    service_networks: tuple[str, ...] = ("10.96.0.0/12",)
    every_address: bool = False

    @property
    def ip(self) -> str:
        """What headers and tables of the family are called."""
        return "ip" if self.cluster.family == 4 else "ip6"

    @property
    def address_type(self) -> str:
        return "ipv4_addr" if self.cluster.family == 4 else "ipv6_addr"

    @property
    def node_port_addresses(self) -> tuple[str, ...]:
        """The addresses that node ports answer at, where not all do."""
        return self.cluster.node_port_addresses or (self.cluster.node_ip,)

    @property
    def to_node_ports(self) -> str:
        """What tells traffic to an address that has node ports."""
        loopback = "127.0.0.0/8" if self.cluster.family == 4 else "::1"
        every = f"fib daddr type local {self.ip} daddr != {loopback}"
        return every if self.every_address else f"{self.ip} daddr @nodeport-ips"

    def from_elsewhere(self) -> str:
        """What tells traffic that is no pod's of this node; empty where nothing does."""
        if self.cluster.detect == "cidr":
            return f"{self.ip} saddr != {self.cluster.pod_cidr} "
        return {"prefix": 'iifname != "cali*" ', "bridge": 'iifname != "cni0" '}.get(self.cluster.detect, "")

    def from_pods(self) -> str:
        """What tells traffic of this node's pods; empty where nothing does."""
        return self.from_elsewhere().replace("!= ", "")


def listed(node: Node, release: str) -> str:
    """Return the table as a listing, in the shape of a release."""
    made = shape(release)
    table = Objects(node.ip, made.comments)
    write_plumbing(table, node, made)
    for service in node.cluster.services:
        _Port(table, node, made, service).write()
    return table.text()


@dataclass
class _Port:
    table: Objects
    node: Node
    shape: Shape
    service: Service

    def write(self) -> None:
        """Write all of a service port."""
        if self.shape.comments:
            self.table.add("cluster-ips", self.service.cluster_ip)
        every = list(self.service.endpoints)
        local = every[: self.service.local]
        self._cluster_ip(every, local)
        self._external(every, local)
        self._hairpins(local)

    def _key(self, address: str) -> str:
        return f"{address} . {self.service.protocol} . {self.service.port}"

    def _serves(self, address: str, chain: str) -> None:
        self.table.add("service-ips", f"{self._key(address)} : goto {chain}")

    def _refuses(self, address: str, verdict: str) -> None:
        note = note_of(self.service)
        self.table.add("no-endpoint-services", f'{self._key(address)} comment "{note}" : {verdict}')

    def _cluster_ip(self, every: list[Endpoint], local: list[Endpoint]) -> None:
        """Write what the cluster IP leads to."""
        used = local if self.service.internal_local else every
        kind = "local" if self.service.internal_local else "service"
        if used:
            self._serves(self.service.cluster_ip, service_chain(kind, self.service))
            self._balance(kind, used)
        else:
            self._refuses(self.service.cluster_ip, "drop" if every else "goto reject-chain")

    def _external(self, every: list[Endpoint], local: list[Endpoint]) -> None:
        """Write what external IPs, load balancers and node ports lead to."""
        service = self.service
        addresses = (*service.external_ips, *service.load_balancer_ips)
        if not addresses and not service.node_port:
            return
        chain = service_chain("external", service)
        if every:
            for address in addresses:
                self._serves(address, chain)
            if service.node_port:
                self.table.add(
                    "service-nodeports", f"{service.protocol} . {service.node_port} : goto {chain}"
                )
            self._external_chain(chain, every, local)
        if not every or (service.local_only and not local):
            self._refuse_external(addresses, "drop" if every else "goto reject-chain")
        if service.source_ranges and service.load_balancer_ips:
            self._source_ranges()

    def _refuse_external(self, addresses: tuple[str, ...], verdict: str) -> None:
        for address in addresses:
            self._refuses(address, verdict)
        if self.service.node_port:
            key = f"{self.service.protocol} . {self.service.node_port}"
            self.table.add("no-endpoint-nodeports", f'{key} comment "{note_of(self.service)}" : {verdict}')

    def _mark(self, note: str = "") -> str:
        """What marks a connection for masquerading; older releases comment on a part of them."""
        comment = f' comment "{note}"' if note and (self.shape.inline or note != "masquerade") else ""
        return f"{MARK if self.shape.inline else 'jump mark-for-masquerade'}{comment}"

    def _external_chain(self, chain: str, every: list[Endpoint], local: list[Endpoint]) -> None:
        to_all = service_chain("service", self.service)
        self._balance("service", every)
        if not self.service.local_only:
            self.table.chain(chain, self._mark("masquerade"), f"goto {to_all}")
            return
        pods = self.node.from_pods()
        if pods:
            self.table.chain(chain, f'{pods}goto {to_all} comment "short-circuit pod traffic"')
        self.table.chain(
            chain,
            f"fib saddr type local {self._mark('masquerade local traffic')}",
            f'fib saddr type local goto {to_all} comment "short-circuit local traffic"',
        )
        if local:
            self.table.chain(chain, f"goto {service_chain('local', self.service)}")
            self._balance("local", local)

    def _source_ranges(self) -> None:
        """Write who may come to load balancers."""
        service, ip = self.service, self.node.ip
        allowed = allowed_sources(service, self.node.cluster.node_ip)
        if not self.shape.comments:
            for address in service.load_balancer_ips:
                self.table.add("firewall", self._key(address))
                self.table.add("firewall-allow", *(f"{self._key(address)} . {one}" for one in allowed))
            return
        chain = service_chain("firewall", service)
        self.table.chain(chain, f"{ip} saddr != {{ {', '.join(allowed)} }} drop")
        for address in service.load_balancer_ips:
            self.table.add("firewall-ips", f"{self._key(address)} : goto {chain}")

    def _hairpins(self, local: list[Endpoint]) -> None:
        if self.shape.inline:
            protocol = self.service.protocol
            self.table.add(
                "hairpin-connections", *(f"{ip} . {ip} . {protocol} . {port}" for ip, port in local)
            )

    # --- balancing ---------------------------------------------------------------------------------------

    def _balance(self, kind: str, endpoints: list[Endpoint]) -> None:
        """Write the chain that chooses an endpoint, once."""
        service, chain = self.service, service_chain(kind, self.service)
        if chain in self.table.chains:
            return
        self.table.chain(chain)
        self._masquerade_cluster_ip(kind, chain)
        if self.shape.inline and service.affinity is None:
            self.table.chain(chain, self._rewrite(endpoints))
            return
        chains = [endpoint_name("endpoint", service, endpoint) for endpoint in endpoints]
        if service.affinity is not None:
            for endpoint, target in zip(endpoints, chains, strict=True):
                name = endpoint_name("affinity", service, endpoint)
                self.table.chain(chain, f"{self.node.ip} saddr @{name} goto {target}")
        choices = ", ".join(f"{number} : goto {target}" for number, target in enumerate(chains))
        self.table.chain(chain, f"numgen random mod {len(chains)} vmap {{ {choices} }}")
        for endpoint, target in zip(endpoints, chains, strict=True):
            self._endpoint(endpoint, target)

    def _masquerade_cluster_ip(self, kind: str, chain: str) -> None:
        """Write the rule that marks connections from outside to the cluster IP, where the release has it here."""
        service, elsewhere = self.service, self.node.from_elsewhere()
        internal = "local" if service.internal_local else "service"
        if self.shape.inline or kind != internal or not (elsewhere or self.node.cluster.masquerade_all):
            return
        port = f"{service.protocol} dport {service.port} " if self.shape.dispatch_port else ""
        source = "" if self.node.cluster.masquerade_all else elsewhere
        self.table.chain(chain, f"{self.node.ip} daddr {service.cluster_ip} {port}{source}{self._mark()}")

    def _rewrite(self, endpoints: list[Endpoint]) -> str:
        protocol = f"meta l4proto {self.service.protocol}"
        if self.shape.single and len(endpoints) == 1:
            return f"{protocol} dnat to {_joined(endpoints[0])}"
        choices = ", ".join(f"{number} : {ip} . {port}" for number, (ip, port) in enumerate(endpoints))
        return f"{protocol} dnat {self.node.ip} to numgen random mod {len(endpoints)} map {{ {choices} }}"

    def _endpoint(self, endpoint: Endpoint, chain: str) -> None:
        """Write an endpoint's own chain, once."""
        if chain in self.table.chains:
            return
        service, ip = self.service, self.node.ip
        self.table.chain(chain)
        if not self.shape.inline:
            self.table.chain(chain, f"{ip} saddr {endpoint[0]} {self._mark()}")
        if service.affinity is not None:
            name = endpoint_name("affinity", service, endpoint)
            self.table.add_set(
                name, f"type {self.node.address_type}", "size 65535", "flags dynamic,timeout",
                f"timeout {service.affinity}s",
            )  # fmt: skip
            self.table.chain(chain, f"update @{name} {{ {ip} saddr }}")
        self.table.chain(chain, f"meta l4proto {service.protocol} dnat to {_joined(endpoint)}")


def allowed_sources(service: Service, node_ip: str) -> tuple[str, ...]:
    """Return who may come to load balancers; where the node may, so may their addresses, if it has them."""
    own = any(ip_address(node_ip) in ip_network(one) for one in service.source_ranges)
    return (*service.source_ranges, *(service.load_balancer_ips if own else ()))


def _joined(endpoint: Endpoint) -> str:
    address, port = endpoint
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
