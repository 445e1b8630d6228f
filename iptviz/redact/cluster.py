"""What the API says of a cluster, in the pseudonyms of a dump."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iptviz.cluster.api import ApiCluster, ApiEndpoint, ApiPort, ApiService
    from iptviz.redact.dump import Redactor

_NODE, _ZONE = "node", "zone"


class ClusterRedactor:
    """Translates services, endpoints and nodes."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._names = redactor.names

    def node(self, name: str) -> str:
        """Return the pseudonym of a node."""
        return f"node-{self._redactor.secrets.word(_NODE, name)}"

    def cluster(self, cluster: ApiCluster) -> ApiCluster:
        """Return the same cluster in pseudonyms."""
        return cluster._replace(
            services=tuple(map(self._service, cluster.services)),
            endpoints={
                (names.namespace(port[0]), names.object(port[1]), names.port_name(port[2]), port[3]): [
                    self._endpoint(one) for one in endpoints
                ]
                for names in [self._names]
                for port, endpoints in cluster.endpoints.items()
            },
            zones={self.node(node): self._zone(zone) for node, zone in cluster.zones.items()},
        )

    def _service(self, one: ApiService) -> ApiService:
        kept = one.ignored if " proxy " not in one.ignored else "left to another proxy"
        return one._replace(
            namespace=self._names.namespace(one.namespace),
            name=self._names.object(one.name),
            ignored=kept,
            cluster_ips=self._addresses(one.cluster_ips),
            external_ips=self._addresses(one.external_ips),
            load_balancer_ips=self._addresses(one.load_balancer_ips),
            source_ranges=self._addresses(one.source_ranges),
            ports=tuple(map(self._port, one.ports)),
        )

    def _port(self, one: ApiPort) -> ApiPort:
        return one._replace(name=self._names.port_name(one.name))

    def _endpoint(self, one: ApiEndpoint) -> ApiEndpoint:
        return one._replace(
            address=self._redactor.addresses(one.address),
            node=None if one.node is None else self.node(one.node),
            zone_hints=frozenset(map(self._zone, one.zone_hints)),
            node_hints=frozenset(map(self.node, one.node_hints)),
        )

    def _zone(self, name: str) -> str:
        return f"zone-{self._redactor.secrets.word(_ZONE, name)}"

    def _addresses(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(self._redactor.addresses, texts))
