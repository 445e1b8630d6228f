"""Where a node is: its addresses, its links, and which endpoints are its own pods."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import Protocol

OUTSIDE, PODS, AWAY = "outside", "pod", "away"
LINKS = (OUTSIDE, PODS, AWAY)
"""Links of the node: to other hosts, to its pods, to pods elsewhere."""

_NEAR = {4: 24, 6: 120}
"""How long the prefix of a network is that the node is in."""
_DNAT = re.compile(r"-p (\w+).*-j DNAT --to-destination ([\d.]+)(?::(\d+))?")
_PORT = re.compile(r"-p (tcp|udp) .*--dport (\d+)")


class Place(Protocol):
    """What a condition may ask about the node: its links' interfaces, its addresses, its routes."""

    @property
    def interfaces(self) -> dict[str, str]: ...

    def has(self, address: str) -> bool: ...

    def way_to(self, address: str) -> str: ...


@dataclass(frozen=True)
class Site:
    """A node's place. `here` are endpoints that are pods of this node, `there` pods elsewhere."""

    addresses: tuple[str, ...] = ("192.168.1.10",)
    pods: str = "10.244.0.0/16"
    here: tuple[str, ...] = ()
    there: tuple[str, ...] = ()
    interfaces: dict[str, str] = field(
        default_factory=lambda: {OUTSIDE: "eth0", PODS: "cni0", AWAY: "flannel.1"}
    )

    @property
    def family(self) -> int:
        """Either 4 or 6."""
        return ip_network(self.pods).version

    @cached_property
    def gateway(self) -> str:
        """The node's address among its pods."""
        return str(ip_network(self.pods)[257 if ip_network(self.pods).num_addresses > 512 else 1])

    @cached_property
    def pod_clients(self) -> tuple[str, ...]:
        """Addresses of pods of this node that are endpoints of nothing."""
        first = ip_address(self.gateway)
        taken = {*self.here, *self.there}
        return tuple(one for number in range(60, 220) if (one := str(first + number)) not in taken)

    @property
    def own(self) -> tuple[str, ...]:
        """The node's addresses, but for those of its loopback device."""
        return (*self.addresses, self.gateway)

    def has(self, address: str) -> bool:
        """Whether an address is the node's own."""
        return address in self.own or ip_address(address).is_loopback

    def way_to(self, address: str) -> str:
        """By which interface the node sends to an address."""
        if self.has(address):
            return "lo"
        near = ip_network(f"{self.gateway}/{_NEAR[self.family]}", strict=False)
        here = address in self.here or (address not in self.there and ip_address(address) in near)
        pod = here or address in self.there or ip_address(address) in ip_network(self.pods)
        return self.interfaces[PODS if here else AWAY if pod else OUTSIDE]

    def commands(self) -> list[str]:
        """What `ip` makes of it."""
        out, pods, away = (self.interfaces[link] for link in LINKS)
        near, host = _NEAR[self.family], 32 if self.family == 4 else 128
        at_once = "" if self.family == 4 else " nodad"
        return [
            *(f"addr add {address}/{near} dev {out}{at_once}" for address in self.addresses[:1]),
            *(f"addr add {address}/{host} dev lo{at_once}" for address in self.addresses[1:]),
            f"addr add {self.gateway}/{near} dev {pods}{at_once}",
            f"route add {self.pods} dev {away} src {self.gateway}",
            f"route add default dev {out} src {self.addresses[0]}",
            *(f"route add {address}/{host} dev {pods} src {self.gateway}" for address in self.here),
            *(f"route add {address}/{host} dev {away} src {self.gateway}" for address in self.there),
        ]


def site_of(text: str, *, addresses: tuple[str, ...] = (), here: tuple[str, ...] | None = None) -> Site:
    """Return a site for the rules of a dump: endpoints in its pod network are by turns pods here and elsewhere."""
    found = re.search(r"! -s (?!127)([\d.]+/\d+) -d", text)
    pods = found[1] if found else "10.244.0.0/16"
    api = re.search(r"DNAT --to-destination ([\d.]+):6443", text)
    addresses = addresses or ((api[1] if api else "192.168.1.10"),)
    network = ip_network(pods)
    targets = sorted({to for _, to, _ in _DNAT.findall(text) if ip_address(to) in network} - set(addresses))
    near = tuple(targets[::2]) if here is None else tuple(one for one in targets if one in here)
    return Site(addresses, pods, near, tuple(one for one in targets if one not in near))


def ports_of(text: str) -> set[tuple[str, int]]:
    """Return the protocols and ports that rules of a dump name."""
    named = {(protocol, int(port)) for protocol, port in _PORT.findall(text)}
    return named | {(protocol, int(port)) for protocol, _, port in _DNAT.findall(text) if port}
