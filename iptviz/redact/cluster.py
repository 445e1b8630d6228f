"""What the API says of a cluster, in the pseudonyms of a dump."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iptviz.cluster.api import ApiCluster, ApiPort, ApiService
    from iptviz.cluster.endpoints import ApiEndpoint
    from iptviz.redact.pseudonyms import Pseudonyms
    from iptviz.supplied.pods import Pod

_NODE, _ZONE = "node", "zone"


class ClusterRedactor:
    """Translates services, endpoints and nodes."""

    def __init__(self, redactor: Pseudonyms) -> None:
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
                    self._endpoint(endpoint) for endpoint in endpoints
                ]
                for names in [self._names]
                for port, endpoints in cluster.endpoints.items()
            },
            zones={self.node(node): self._zone(zone) for node, zone in cluster.zones.items()},
            nodes=frozenset(map(self.node, cluster.nodes)),
            pods=tuple(map(self._pod, cluster.pods)),
        )

    def _service(self, service: ApiService) -> ApiService:
        kept = service.ignored if " proxy " not in service.ignored else "left to another proxy"
        return service._replace(
            namespace=self._names.namespace(service.namespace),
            name=self._names.object(service.name),
            ignored=kept,
            cluster_ips=self._addresses(service.cluster_ips),
            external_ips=self._addresses(service.external_ips),
            load_balancer_ips=self._addresses(service.load_balancer_ips),
            source_ranges=self._addresses(service.source_ranges),
            ports=tuple(map(self._port, service.ports)),
        )

    def _port(self, port: ApiPort) -> ApiPort:
        return port._replace(name=self._names.port_name(port.name))

    def _endpoint(self, endpoint: ApiEndpoint) -> ApiEndpoint:
        return endpoint._replace(
            address=self._redactor.addresses(endpoint.address),
            node=None if endpoint.node is None else self.node(endpoint.node),
            zone_hints=frozenset(map(self._zone, endpoint.zone_hints)),
            node_hints=frozenset(map(self.node, endpoint.node_hints)),
            pod=self._pod_text(endpoint.pod),
        )

    def _pod(self, pod: Pod) -> Pod:
        return pod._replace(
            namespace=self._names.namespace(pod.namespace) if pod.namespace else "",
            name=self._names.pod(pod.name),
            addresses=self._addresses(pod.addresses),
        )

    def _pod_text(self, text: str) -> str:
        namespace, slash, name = text.rpartition("/")
        hidden = self._names.pod(name) if name else ""
        return f"{self._names.namespace(namespace)}/{hidden}" if slash else hidden

    def _zone(self, name: str) -> str:
        return f"zone-{self._redactor.secrets.word(_ZONE, name)}"

    def _addresses(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(self._redactor.addresses, texts))
