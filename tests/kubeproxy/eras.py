"""What each release of kube-proxy writes and its neighbours do not: a table of traits by minor release.

Releases that nobody read one by one (1.15, 1.19) are left out.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

OLD, NEW = "1.14", "1.29"
ERAS = tuple(f"1.{minor}" for minor in range(1, 32) if minor not in {15, 19})
_LAST = 99

Span = tuple[int, int]
TRAITS: dict[str, tuple[Span, ...]] = {
    # names and comments
    "colon after the name of an unnamed port": ((1, 18),),
    "comments name the service": ((1, 11), (18, 23)),
    "comments name the endpoint": ((24, _LAST),),
    "comments of endpoints": ((1, 11), (18, _LAST)),
    "large clusters lose comments": ((18, _LAST),),
    "five digits": ((1, 16),),
    "endpoints sorted as text": ((20, _LAST),),
    # affinity
    "180 seconds": ((1, 4),),
    "10800 seconds": ((5, 7),),
    "affinity timeouts": ((8, _LAST),),
    "affinity with policy Local": ((9, _LAST),),
    # masquerading
    "KUBE-MARK-MASQ": ((2, _LAST),),
    "masquerade-all": ((2, _LAST),),
    "masquerade-all beside the network": ((3, 6),),
    "masquerading by pod network": ((3, _LAST),),
    "masquerading in KUBE-SERVICES": ((1, 21),),
    "masquerading in KUBE-SVC": ((22, _LAST),),
    "external IPs of pods are not masqueraded": ((21, 23),),
    "three rules masquerade": ((19, _LAST),),
    "random-fully": ((16, _LAST),),
    # external traffic
    "two rules for an external IP": ((1, 20),),
    "KUBE-FW for every load balancer": ((4, 23),),
    "KUBE-EXT": ((24, _LAST),),
    "policy Local": ((4, _LAST),),
    "policy Local of node ports": ((5, _LAST),),
    "policy Local of external IPs": ((20, _LAST),),
    "pods bypass policy Local": ((5, _LAST),),
    "the node bypasses policy Local": ((15, _LAST),),
    "loopback masqueraded with policy Local": ((10, 23),),
    "numbered balancing rules": ((4, 22),),
    "internal policy picks the endpoints": ((22, 23),),
    "internal policy Local": ((24, _LAST),),
    "drop mark": ((4, 24),),
    "KUBE-FW says who drops": ((27, _LAST),),
    # refusals
    "cluster IPs refused": ((2, _LAST),),
    "dispatched without endpoints": ((1, 9),),
    "external IPs and node ports refused": ((7, _LAST),),
    "load balancers refused": ((14, _LAST),),
    "load balancers refused in KUBE-SERVICES": ((14, 18),),
    # the fixed part
    "filter": ((2, _LAST),),
    "KUBE-EXTERNAL-SERVICES": ((10, _LAST),),
    "KUBE-EXTERNAL-SERVICES in FORWARD": ((20, _LAST),),
    "KUBE-SERVICES in INPUT": ((7, 9), (14, 18)),
    "KUBE-SERVICES in FORWARD": ((14, _LAST),),
    "new connections alone": ((10, _LAST),),
    "KUBE-FIREWALL": ((4, _LAST),),
    "marked packets dropped": ((4, 26),),
    "localnet blocked": ((18, _LAST),),
    "KUBE-FORWARD": ((9, _LAST),),
    "`forward rules`": ((9, 9),),
    "INVALID dropped": ((16, _LAST),),
    "forwarding by network": ((9, 17),),
    "two forwarding rules": ((18, 22),),
    "canaries": ((17, _LAST),),
    "health checks": ((21, _LAST),),
    "KUBE-IPTABLES-HINT": ((24, _LAST),),
    "KUBE-PROXY-FIREWALL": ((25, _LAST),),
    "no node ports on ::1": ((26, _LAST),),
}


class Era(NamedTuple):
    """A minor release of Kubernetes 1.x."""

    minor: int

    def has(self, trait: str) -> bool:
        return any(first <= self.minor <= last for first, last in TRAITS[trait])


@cache
def era(text: str) -> Era:
    """Return the era of a release: `1.24`."""
    return Era(int(text.removeprefix("1.")))
