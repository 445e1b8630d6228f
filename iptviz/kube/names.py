"""Names of services as kube-proxy writes them into comments, and the chains' prefixes.

A service port is written `namespace/service:port`; a single unnamed port is `namespace/service:` up to
Kubernetes 1.18 and `namespace/service` from 1.20 on (pkg/proxy/types.go, ServicePortName.String).
"""

from __future__ import annotations

import re
from typing import NamedTuple

SERVICES, NODE_PORTS = "KUBE-SERVICES", "KUBE-NODEPORTS"
EXTERNAL_SERVICES, PROXY_FIREWALL = "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL"
MARK_MASQUERADE, MARK_DROP = "KUBE-MARK-MASQ", "KUBE-MARK-DROP"

SERVICE_CHAINS = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-XLB-")
"""Chains that share connections out among endpoints."""

FIREWALL_CHAIN = "KUBE-FW-"
ENTRY_CHAINS = ("KUBE-EXT-", FIREWALL_CHAIN)
"""Chains in front of those, for external traffic and for load-balancer source ranges."""

ENDPOINT_CHAIN = "KUBE-SEP-"

_NAME = r"(?P<namespace>[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)/(?P<name>[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)"
_SERVICE_PORT = re.compile(_NAME + r"(?::(?P<port>[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)?)?")
_FRAMES = (
    re.compile(r"Balancing rule \d+ for (?P<inner>.*)"),
    re.compile(r"(?:masquerade|masquerade LOCAL|route LOCAL|pod|other) traffic (?:for|to) (?P<inner>\S+) .*"),
    re.compile(r"(?P<inner>\S+) (?:cluster IP|external IP|loadbalancer IP)"),
    re.compile(r"(?P<inner>\S+) has no (?:local )?endpoints"),
    re.compile(r"(?P<inner>\S+) (?:-> .*|traffic not accepted by .*)"),
    re.compile(r"(?P<inner>\S+)"),
)


class ServiceName(NamedTuple):
    """A service port; all fields are empty and `named_by` is `none` where no comment tells its name."""

    namespace: str
    name: str
    port_name: str
    named_by: str

    @property
    def text(self) -> str:
        """The name as people write it: `default/web:http`."""
        if self.named_by == "none":
            return ""
        return f"{self.namespace}/{self.name}" + (f":{self.port_name}" if self.port_name else "")


NAMELESS = ServiceName("", "", "", "none")


def service_of_comment(comment: str | None) -> ServiceName | None:
    """Return the service port that a kube-proxy comment speaks of, or None."""
    for frame in _FRAMES:
        framed = frame.fullmatch(comment or "")
        found = _SERVICE_PORT.fullmatch(framed["inner"]) if framed else None
        if found:
            return ServiceName(found["namespace"], found["name"], found["port"] or "", "comment")
    return None
