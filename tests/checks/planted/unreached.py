"""Services that clients do not reach, by rules of kube-proxy's own that somebody has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks.planted import Plant
from tests.checks.planted.preemption import all_bits

if TYPE_CHECKING:
    from tests.checks.planted import Base


def _not_reached(base: Base, place: int) -> str:
    """A service for one interface alone, or from whose chain some pods are sent away."""
    address = f"-d {base.service(place).cluster_ip}/{all_bits(base)}"
    if place == 0:
        rule = base.line_of(f"-A KUBE-SERVICES {address} ")
        return base.instead(rule, rule.replace("-p tcp", "-i eth0 -p tcp"))
    some = "10.244.2.0/24" if base.family == 4 else "fd00:10:244:2::/64"
    rule = base.line_of(f"-A KUBE-SVC-.*{address} .*-j KUBE-MARK-MASQ")
    chain = rule.partition("-A ")[2].split()[0]
    return base.before(rule, f"-A {chain} -s {some} -j {('RETURN', 'ACCEPT')[place - 1]}")


PLANTS = {"service-not-reached": Plant(_not_reached)}
