"""Connections that were really tried on nodes which other programs shared, read from the protocol of them."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from tests.kernel.attempts import NODE, Attempt, Fate
from tests.kernel.segments import Segment
from tests.kernel.site import OUTSIDE, PODS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POD, STRANGER, OWN = "10.244.0.5", "192.0.2.9", "192.0.2.1"
_SERVICE = "10.96.0.50"
_SOURCES = {"pod": (PODS, POD), "out": (OUTSIDE, STRANGER), "node": (NODE, OWN)}
_TARGETS = {"svc": (_SERVICE, 80), "nodeport": (OWN, 30080), "empty": ("10.96.0.66", 80)}
_LINE = re.compile(r" *(pod|out|node)(?:->|:)(svc|nodeport|empty)\b:?.*?(OK \S+ sees \S+|FAIL \S+)$")
_ROUTE = re.compile(r"^(default|[\d./]+)(?: via \S+)? dev (\S+)(?!.*table)", re.MULTILINE)
_FAR = {"timeout", "EHOSTUNREACH"}
"""What a client hears of where its request came to nobody, and what it may hear of a rule, too."""
_SERVERS = {"p7": "10.244.0.7", "p8": "10.244.0.8"}


class ProbedSite:
    """A node that its own tools describe: what its addresses and routes are."""

    def __init__(self, folder: Path) -> None:
        self.is_bypassed = "nf-call-0" in folder.name  # its bridge does not ask iptables
        self._own = set(re.findall(r"inet ([\d.]+)/", (folder / "addresses").read_text()))
        routes = _ROUTE.findall((folder / "routes").read_text())
        self._routes = [
            (ip_network("0.0.0.0/0" if to == "default" else to), interface) for to, interface in routes
        ]

    @property
    def interfaces(self) -> dict[str, str]:
        return {OUTSIDE: self.way_to(STRANGER), PODS: self.way_to(POD)}

    def has(self, address: str) -> bool:
        return address in self._own or ip_address(address).is_loopback

    def way_to(self, address: str) -> str:
        if self.has(address):
            return "lo"
        ways = [way for way in self._routes if ip_address(address) in way[0]]
        return str(max(ways, key=lambda way: way[0].prefixlen)[1])


class Probe(NamedTuple):
    """A connection that was tried; of one that came to nobody it is not known how far it came."""

    fate: Fate
    timed_out: bool


def probes(folder: Path) -> Iterator[Probe]:
    """Yield the connections to services whose server is known."""
    for line in (folder / "probe").read_text().splitlines():
        if found := _LINE.match(line):
            link, source = _SOURCES[found[1]]
            fate = Fate(Attempt(link, source, *_TARGETS[found[2]]), 2000)
            word, _, rest = found[3].partition(" ")
            if word == "OK" and not _answered(fate, *rest.split(" sees ")):
                continue
            fate.refused = rest if word == "FAIL" and rest not in _FAR else ""
            yield Probe(fate, word == "FAIL" and not fate.refused)


def _answered(fate: Fate, server: str, sees: str) -> bool:
    """Note who answered; whether that is known."""
    address, _, port = server.partition(":")
    address = _SERVERS.get(address, address)
    if address[0].isdigit():
        to = (address, int(port or 8080))
        fate.arrived = Segment("tcp", sees, 2000, *to, 0)
        fate.answered = fate.went_on = True
    return fate.answered
