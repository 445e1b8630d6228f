"""Ports of the node that somebody other than kube-proxy publishes: host ports of pods, ports of containers.

Sources: the CNI plug-in portmap (chains CNI-HOSTPORT-DNAT and CNI-DN-<hash>), Docker (DOCKER), dockershim
(KUBE-HOSTPORTS, KUBE-HP-<hash>), Podman (NETAVARK-DN-), OVN-Kubernetes (OVN-KUBE-); any other DNAT or REDIRECT
rule of the nat table is somebody's, too.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from iptviz.dump.rule import Rule
from iptviz.intake.text import to_bytes
from iptviz.kube.comments import container_of_comment
from iptviz.kube.dispatching import dispatching_rules
from iptviz.kube.families import (
    CNI,
    DOCKERSHIM,
    ENDPOINT_CHAIN,
    NODE_PORTS,
    SERVICE_CHAINS,
    USERSPACE,
    family_of,
)
from iptviz.kube.frontends import Frontend, port_of, value_of
from iptviz.kube.limits import AddressLimit
from iptviz.kube.places import Places
from iptviz.kube.port_ways import PortOwner, packet_to, takers
from iptviz.records import NamedTuple
from iptviz.xtables.values.protocols import read_port

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.engine.condition import When

_OF_SERVICES = b"|".join(map(re.escape, map(to_bytes, (ENDPOINT_CHAIN, *SERVICE_CHAINS))))
_ELSEWHERE = ("-j DNAT", "-j REDIRECT")
_OTHERS = re.compile(
    rb"(?:\[\d++:\d++\] |)-A (?!%b)\S++ .*?-j (?:DNAT|REDIRECT)(?: .*+)?$" % _OF_SERVICES, re.MULTILINE
)
_PORTS = ("--dport", "--dports", "--destination-port", "--destination-ports")


class PublishedPort(NamedTuple):
    """A rule that sends what comes to a port of the node elsewhere.

    `address` is None where every address of the node has it; `ports` and `destination` are as the rule has
    them, `destination` empty for the node itself; `by` is who published it, `of` what its comment tells. `when`
    must hold on the way to the rule; `taken_by` are the rules that take all connections before it is asked.
    """

    protocol: str
    address: str | None
    ports: str
    destination: str
    by: str
    of: str
    rule: Rule
    when: When = ()
    taken_by: tuple[Rule, ...] = ()

    @property
    def text(self) -> str:
        """The port as people write it: `:8080/tcp`, `192.168.1.10:8080/tcp`."""
        address = (self.address or "").removesuffix("/32").removesuffix("/128")
        return f"{address}:{self.ports or 'any port'}/{self.protocol or 'any'}"

    def names(self, port: int) -> bool:
        """Whether the rule names `port`, alone, in a list or in a range."""
        return any(
            first <= port <= last for first, last in map(_range_of, filter(None, self.ports.split(",")))
        )

    @property
    def single_ports(self) -> list[int]:
        """The ports that the rule names one by one."""
        ranges = map(_range_of, filter(None, self.ports.split(",")))
        return [first for first, last in ranges if 0 < first == last]


def _range_of(text: str) -> tuple[int, int]:
    """Read `80`, `http` or `8000:8010`; what is no port is one that nobody asks for."""
    first, _, last = text.partition(":")
    ends = read_port(first), read_port(last or first)
    return (0, -1) if ends[0] is None or ends[1] is None else (ends[0], ends[1])


def published_ports(dump: Dump) -> list[PublishedPort]:
    """Return the published ports of a dump, in the order in which they are asked."""
    nat = dump.tables.get("nat")
    if nat is None:
        return []
    places = Places(nat)
    found = sorted(
        map(published_port, publishing_rules(nat)), key=lambda port: (places.of(port.rule), port.rule.line)
    )
    doubted = _doubted(dump, found)
    return [_asked(dump, port, places, doubted=port in doubted) for port in found]


_MANY = 100
"""Of so many published ports those alone are followed that others claim, too."""


def _doubted(dump: Dump, found: Sequence[PublishedPort]) -> Collection[PublishedPort]:
    """Return the ports that another rule may take: of few all."""
    if len(found) <= _MANY:
        return found
    node_ports = {
        port_of(rule) for rule in dispatching_rules(dump, tables=["nat"]) if rule.chain == NODE_PORTS
    }
    claimed = Counter(number for port in found for number in port.single_ports)
    return {
        port
        for port in found
        if any(claimed[number] > 1 or number in node_ports for number in port.single_ports)
    }


def publishing_rules(nat: Table) -> Iterator[Rule]:
    """Yield the rules of others than kube-proxy that send connections elsewhere, as they stand in the dump."""
    lines = {line for target in _ELSEWHERE for line in nat.rest_with(target)}
    for start, end in sorted(lines):
        if _OTHERS.match(nat.data, start, end):
            yield Rule(nat, (start, end))


def _asked(dump: Dump, port: PublishedPort, places: Places, *, doubted: bool) -> PublishedPort:
    """Return a port with what must hold on the way to its rule, and, where `doubted`, who takes it before."""
    frontends = frontends_of(port, port.single_ports[:1])
    if not frontends or not places.reached(port.rule):
        return port
    (frontend,) = frontends
    needs = places.needs(port.rule, packet_to(frontend))
    return port._replace(when=needs, taken_by=takers(dump, frontend) if doubted else ())


def port_frontends(dump: Dump, wanted: Callable[[PublishedPort], Iterable[int]]) -> list[Frontend]:
    """Return the frontends of published ports, in the order in which they are asked.

    `wanted` says of each port's rule for which of its port numbers. kube-proxy's own ports in userspace mode are
    none: they are services' that this dump does not tell.
    """
    nat = dump.tables.get("nat")
    if nat is None:
        return []
    ports = (port for port in map(published_port, publishing_rules(nat)) if port.by != USERSPACE.publisher)
    chosen = [(port, numbers) for port in ports if (numbers := list(wanted(port)))]
    if not chosen:
        return []
    places = Places(nat)
    chosen.sort(key=lambda each: (places.of(each[0].rule), each[0].rule.line))
    return [frontend for port, numbers in chosen for frontend in frontends_of(port, numbers)]


def frontends_of(port: PublishedPort, numbers: Iterable[int]) -> list[Frontend]:
    """Return a frontend for each of some port numbers of a published port."""
    family = family_of(port.rule.chain)
    kind = "host-port" if family and family.writer in {CNI, DOCKERSHIM} else "published"
    address, _, length = (port.address or "").partition("/")
    one = address if length in {"", "32", "128"} else ""
    limit = (
        AddressLimit(only=True, networks=(port.address,), rules=(port.rule,))
        if port.address and not one
        else None
    )
    protocol = port.protocol or next(
        filter(None, (value_of(rule, "-p") for rule in port.rule.table.rules_to(port.rule.chain))), "tcp"
    )
    return [Frontend(kind, one or None, number, protocol, port.rule, limit) for number in numbers]


def owner_of(rule: Rule) -> PortOwner:
    """Return who publishes a port by a rule, and what a comment tells of whom it leads to."""
    port = published_port(rule)
    return PortOwner(_publisher(rule.chain) or f"a rule of {rule.chain}", port.of)


def published_port(rule: Rule) -> PublishedPort:
    """Return the port that a rule publishes; who is asked before is not looked at."""
    target = rule.target
    own = target.value("--to-ports") if target else None
    destination = f":{own}" if own else (target and target.value("--to-destination")) or ""
    return PublishedPort(
        protocol=value_of(rule, "-p") or "",
        address=value_of(rule, "-d"),
        ports=ports_of(rule) or next(filter(None, map(ports_of, _jumps_to(rule))), ""),
        destination=destination,
        by=_publisher(rule.chain) or rule.chain,
        of=_of(rule),
        rule=rule,
    )


def is_host_port(rule: Rule) -> bool:
    """Whether a rule publishes a port of the node for a pod."""
    family = family_of(rule.chain)
    return family is not None and family.role == "publish" and family.writer in {CNI, DOCKERSHIM}


def _publisher(chain: str) -> str:
    family = family_of(chain)
    return family.writer.publisher if family else ""


def ports_of(rule: Rule) -> str:
    """Return the ports that a rule itself names, as it has them; empty where it names none."""
    option = next((found for match in rule.matches for name in _PORTS if (found := match.option(name))), None)
    return ",".join(option.values) if option else ""


def _jumps_to(rule: Rule) -> list[Rule]:
    """Return what leads to the chain of a rule, where that chain is about a single pod."""
    family = family_of(rule.chain)
    of_a_pod = family is not None and family.writer == DOCKERSHIM and family.role == "publish"
    return list(rule.table.rules_to(rule.chain)) if of_a_pod else []


def _of(rule: Rule) -> str:
    """Return what a comment tells: of portmap's, which stands at the jump, network and container."""
    for commented in (rule, *rule.table.rules_to(rule.chain)):
        comment = commented.comment or ""
        if found := container_of_comment(comment):
            network, container = found
            return f"{network} {container[:12]}"
        if commented is rule and comment:
            return comment
    return ""
