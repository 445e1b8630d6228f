"""What `kubectl get services,endpointslices -A -o json` would say of a generated cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.kubeproxy.eras import era

if TYPE_CHECKING:
    from tests.kubeproxy import Cluster, Service

HERE, THERE = "node-1", "node-2"


def objects(cluster: Cluster) -> list[dict[str, Any]]:
    """All services and slices; ports of one service are one object."""
    ports: dict[tuple[str, str], list[Service]] = {}
    for service in cluster.services:
        ports.setdefault((service.namespace, service.name), []).append(service)
    family = "IPv4" if cluster.family == 4 else "IPv6"
    slices = [endpoint_slice(service, family) for service in cluster.services]
    return [*(service_object(cluster, group) for group in ports.values()), *slices]


def service_object(cluster: Cluster, group: list[Service]) -> dict[str, Any]:
    first = group[0]
    spec: dict[str, Any] = {
        "clusterIP": first.cluster_ip,
        "clusterIPs": [first.cluster_ip],
        "type": "LoadBalancer" if first.load_balancer_ips else "NodePort" if first.node_port else "ClusterIP",
        "ports": [
            {
                "name": one.port_name,
                "protocol": one.protocol.upper(),
                "port": one.port,
                "nodePort": one.node_port or 0,
            }
            for one in group
        ],
        "externalIPs": list(first.external_ips),
        "loadBalancerSourceRanges": list(first.source_ranges),
        "externalTrafficPolicy": "Local" if first.local_only else "Cluster",
        "internalTrafficPolicy": "Local" if first.internal_local else "Cluster",
        "sessionAffinity": "ClientIP" if first.affinity else "None",
    }
    if first.health_check:
        spec["healthCheckNodePort"] = first.health_check
    if first.affinity and era(cluster.era).has("affinity timeouts"):
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": first.affinity}}
    balancer = {"ingress": [{"ip": ip} for ip in first.load_balancer_ips]}
    return {
        "apiVersion": "v1", "kind": "Service", "spec": spec, "status": {"loadBalancer": balancer},
        "metadata": {"namespace": first.namespace, "name": first.name},
    }  # fmt: skip


def endpoint_slice(service: Service, family: str) -> dict[str, Any]:
    """The slice of one service port; `local` of its endpoints are on this node."""
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
        "metadata": {"namespace": service.namespace, "labels": {"kubernetes.io/service-name": service.name}},
        "ports": [
            {"name": service.port_name, "protocol": service.protocol.upper(), "port": port}
            for port in dict.fromkeys(port for _, port in service.endpoints)
        ],
        "endpoints": [
            {"addresses": [ip], "conditions": {"ready": True}, "nodeName": HERE if place < service.local else THERE}
            for place, (ip, _) in enumerate(service.endpoints)
        ],
    }  # fmt: skip
