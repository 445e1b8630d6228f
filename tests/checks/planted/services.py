"""Faults within the chains of services, and rules that others put before them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.checks.planted import Plant
from tests.kubeproxy import chain_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.checks.planted import Base


def _chain(base: Base, place: int) -> str:
    service = base.service(place)
    return (
        f"KUBE-SVC-{chain_hash(f'{service.namespace}/{service.name}:{service.port_name}{service.protocol}')}"
    )


def _bits(base: Base) -> str:
    return "32" if base.family == 4 else "128"


def _ways(base: Base, place: int) -> list[str]:
    """The rules that share a service's connections out."""
    return re.findall(rf"^(?:\[\S+\] )?-A {_chain(base, place)} .*-j KUBE-SEP-\w+$", base.text, re.MULTILINE)


def _ends(base: Base, place: int, target: str) -> list[str]:
    """The rules with a target in the chains of a service's endpoints, in the order of the ways there."""
    chains = [way.rpartition(" ")[2] for way in _ways(base, place)]
    return [base.line_of(rf"-A {chain} .*-j {target}\b") for chain in chains]


def _without(base: Base, *lines: str) -> str:
    text = base.text
    for line in lines:
        text = base._replace(text=text).instead(line)
    return text


def _never_sure(base: Base, place: int) -> str:
    last = _ways(base, place)[-1]
    return base.instead(
        last, last.replace(" -j ", " -m statistic --mode random --probability 0.50000000000 -j ")
    )


def _uneven(base: Base, place: int) -> str:
    way = _ways(base, place)[place]
    return base.instead(way, re.sub(r"--probability [\d.]+", "--probability 0.11000000011", way))


def _empty(base: Base, place: int) -> str:
    return _without(base, _ends(base, place, "KUBE-MARK-MASQ")[place], _ends(base, place, "DNAT")[place])


def _no_dnat(base: Base, place: int) -> str:
    return _without(base, _ends(base, place, "DNAT")[place])


def _no_mark(base: Base, place: int) -> str:
    return _without(base, _ends(base, place, "KUBE-MARK-MASQ")[place])


def _other_protocol(base: Base, place: int) -> str:
    line = _ends(base, place, "DNAT")[place]
    return base.instead(line, line.replace("-p tcp", "-p udp").replace("-m tcp", "-m udp"))


def _accepted(base: Base, place: int) -> str:
    """At each place another rule in another chain."""
    line = (_ways(base, place)[1], _ends(base, place, "DNAT")[2], _ends(base, place, "KUBE-MARK-MASQ")[0])[
        place
    ]
    chain = re.search(r"-A (\S+)", line)
    assert chain
    return base.before(line, f"-A {chain[1]} -p tcp -j ACCEPT")


def _unconditional(base: Base, place: int) -> str:
    way = _ways(base, place)[place]
    return base.instead(way, re.sub(r" -m statistic .*?--probability [\d.]+", "", way))


def _network(base: Base) -> str:
    return "10.96.0.0/12" if base.family == 4 else "fd00:10:96::/108"


def _returned(base: Base, place: int) -> str:
    service = base.service(place).cluster_ip
    rule = (f"-d {service}/{_bits(base)} -j RETURN", f"-d {service}/{_bits(base)} -p tcp -j ACCEPT")[
        place % 2
    ]
    return base.before(base.line_of(rf"-A KUBE-SERVICES -d {service}/"), f"-A KUBE-SERVICES {rule}")


def _same_node_port(base: Base, place: int) -> str:
    """The node port of another service becomes this one's."""
    own, other = base.service(place).node_port, base.service(place + 1).node_port
    line = base.line_of(rf"-A KUBE-NODEPORTS .*--dport {other} ")
    return base.instead(line, line.replace(f"--dport {other} ", f"--dport {own} "))


def _other_network(base: Base, place: int) -> str:
    line = base.line_of(rf"-A {_chain(base, place)} ! -s ")
    other = "10.42.0.0/16" if base.family == 4 else "fd00:10:42::/48"
    return base.instead(line, line.replace(base.cluster.pod_cidr, other))


def _by_itself(base: Base, place: int) -> str:
    return base.instead(base.line_of(rf"-A {_chain(base, place)} ! -s "))


def _refused(why: str, target: str) -> Callable[[Base, int], str]:
    """The dump with a rule of the filter table for a service that nat does not have."""

    def put(base: Base, place: int) -> str:
        address = ("10.96.200.{}" if base.family == 4 else "fd00:10:96::ff{:02x}").format(place + 1)
        comment = f'-m comment --comment "shop/cart:http {why}" ' if "nameless" not in base.name else ""
        rule = f"-A KUBE-SERVICES -d {address}/{_bits(base)} -p tcp {comment}-m tcp --dport 80 -j {target}"
        return base.appended("filter", rule)

    return put


def _ended_early(base: Base, place: int) -> str:
    """A rule above kube-proxy's in POSTROUTING leaves out what goes to pods: ACCEPT, RETURN, or all."""
    jump = base.line_of("-A POSTROUTING .*-j KUBE-POSTROUTING")
    pods = base.cluster.pod_cidr
    rule = (f"-d {pods} -j ACCEPT", f"-d {pods} -j RETURN", "-j ACCEPT")[place]
    return base.before(jump, f"{jump.partition('-A ')[0]}-A POSTROUTING {rule}")


PLANTS = {
    "no-endpoints": Plant(_refused("has no endpoints", "REJECT")),
    "connections-lost": Plant(_never_sure),
    "uneven-shares": Plant(_uneven),
    "service-chain-empty": Plant(_empty),
    "ends-without-endpoint": Plant(_accepted),
    "endpoint-shadowed": Plant(_unconditional),
    "asked-before-service": Plant(_returned),
    "endpoint-without-dnat": Plant(_no_dnat),
    "vip-collision": Plant(_same_node_port),
    "hairpin-missing": Plant(_no_mark),
    "no-masquerade": Plant(_by_itself),
    "masquerade-preempted": Plant(_ended_early),
    "cidr-mix": Plant(_other_network),
}
