"""Where a made node stands: its addresses and links, and which way each address lies."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import NamedTuple

from iptviz.supplied.files import Supplied


class Site(NamedTuple):
    """The node's addresses by interface, and its pods: those with odd addresses are on this node."""

    addresses: dict[str, str]
    pods: str
    links: tuple[str, str, str] = ("eth0", "cni0", "flannel.1")
    strangers: tuple[str, ...] = ("198.51.100.7", "198.51.100.200", "203.0.113.5", "10.9.9.9")

    @property
    def own(self) -> list[str]:
        """All addresses of the node, but for those of its loopback device."""
        return list(self.addresses.values())

    @property
    def loopback(self) -> str:
        return "::1" if ":" in self.pods else "127.0.0.1"

    def pod(self, number: int) -> str:
        """Return an address among the pods."""
        return str(ip_network(self.pods)[number])

    def has(self, address: str) -> bool:
        """Whether an address is the node's own."""
        return address in self.own or ip_address(address).is_loopback

    def way_to(self, address: str) -> str:
        """By which interface the node sends to an address."""
        outside, here, away = self.links
        if self.has(address):
            return "lo"
        if ip_address(address) not in ip_network(self.pods):
            return outside
        return here if int(ip_address(address)) % 2 else away

    def address_towards(self, address: str) -> str:
        """What MASQUERADE makes the source of what goes to an address."""
        return self.addresses.get(self.way_to(address), self.own[0])

    def evidence(self, others: set[str]) -> dict[str, Supplied]:
        """What `ip addr` and `ip route` say, as far as it matters to `others`."""
        size = 128 if ":" in self.pods else 32
        inet = "inet6" if ":" in self.pods else "inet"
        shown = [
            f"1: lo: <LOOPBACK,UP> mtu 65536\n    {inet} {self.loopback}/{128 if size == 128 else 8} scope host lo"
        ]
        shown += [
            f"{number}: {name}: <BROADCAST,UP> mtu 1500\n    {inet} {address}/{size} scope global {name}"
            for number, (name, address) in enumerate(self.addresses.items(), 2)
        ]
        routes = [f"default dev {self.links[0]}" + (" metric 1024 pref medium" if size == 128 else "")]
        routes += [f"{one}/{size} dev {self.way_to(one)}" for one in sorted(others) if not self.has(one)]
        routes += [f"{self.pods} dev {self.links[2]}"]
        return {
            "addresses": Supplied("\n".join(shown) + "\n", "addr"),
            "routes": Supplied("\n".join(routes) + "\n", "route"),
        }


FOUR = Site({"eth0": "192.168.1.10", "cni0": "10.244.0.1", "eth1": "10.9.0.1"}, "10.244.0.0/16")
SIX = Site(
    {"eth0": "fd00:192:168:1::10", "cni0": "fd00:10:244::1"},
    "fd00:10:244::/48",
    strangers=("2001:db8::7", "2001:db8:1::9"),
)
CALICO = FOUR._replace(
    addresses={"eth0": "192.168.1.10", "cali12": "10.244.0.1", "eth1": "10.9.0.1"},
    links=("eth0", "cali12", "flannel.1"),
)
