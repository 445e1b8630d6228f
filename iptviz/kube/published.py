"""Ports of the node that somebody other than kube-proxy publishes: host ports of pods, ports of containers.

Sources: the CNI plug-in portmap (chains CNI-HOSTPORT-DNAT and CNI-DN-<hash>), Docker (DOCKER), dockershim
(KUBE-HOSTPORTS, KUBE-HP-<hash>); any other DNAT or REDIRECT rule of the nat table is somebody's, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from iptviz.dump.rule import Rule
from iptviz.kube.comments import container_of_comment
from iptviz.kube.families import DOCKERSHIM, ENDPOINT_CHAIN, SERVICE_CHAINS, family_of
from iptviz.kube.frontends import value_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump

_OF_SERVICES = "|".join((ENDPOINT_CHAIN, *SERVICE_CHAINS)).encode()
_OTHERS = re.compile(
    rb"^(?:\[\d++:\d++\] |)-A (?!" + _OF_SERVICES + rb")\S++ .*?-j (?:DNAT|REDIRECT)(?: .*+)?$", re.MULTILINE
)
_PORTS = ("--dport", "--dports", "--destination-port", "--destination-ports")


class PublishedPort(NamedTuple):
    """A rule that sends what comes to a port of the node elsewhere.

    `address` is None where every address of the node has it; `ports` and `destination` are as the rule has
    them, `destination` empty for the node itself; `by` is who published it, `of` what its comment tells.
    """

    protocol: str
    address: str | None
    ports: str
    destination: str
    by: str
    of: str
    rule: Rule

    @property
    def text(self) -> str:
        """The port as people write it: `:8080/tcp`, `192.168.1.10:8080/tcp`."""
        return f"{self.address or ''}:{self.ports or 'any port'}/{self.protocol or 'any'}"


def published_ports(dump: Dump) -> list[PublishedPort]:
    """Return the published ports of a dump, in order."""
    return list(_published(dump))


def _published(dump: Dump) -> Iterator[PublishedPort]:
    nat = dump.tables.get("nat")
    if nat is None:
        return
    for start, end in nat.blocks():
        for found in _OTHERS.finditer(nat.data, start, end):
            yield _port_of(Rule(nat, found.span()))


def _port_of(rule: Rule) -> PublishedPort:
    target = rule.target
    own = target.value("--to-ports") if target else None
    destination = f":{own}" if own else (target and target.value("--to-destination")) or ""
    return PublishedPort(
        protocol=value_of(rule, "-p") or "",
        address=value_of(rule, "-d"),
        ports=_ports_of(rule) or next(filter(None, map(_ports_of, _jumps_to(rule))), ""),
        destination=destination,
        by=_publisher(rule.chain) or rule.chain,
        of=_of(rule),
        rule=rule,
    )


def _publisher(chain: str) -> str:
    family = family_of(chain)
    return family.writer.publisher if family else ""


def _ports_of(rule: Rule) -> str:
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
