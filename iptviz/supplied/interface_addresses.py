"""Which addresses each interface has, and which of them the kernel may choose to send from, of `ip addr`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.supplied.lines import is_json, read_json, shown
from iptviz.xtables.address import Network, full_mask, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LINE = re.compile(
    r"^(?:\d+: (?P<heading>[^\s:@]+)(?:@\S+)?: <"
    r"|(?:\d+: (?P<device>[^\s:@]+)(?:@\S+)?)?[ \t]+"
    r"inet6? (?P<address>[^\s/]+)(?P<length>/\d+)?\S*(?P<rest>[^\n]*))",
    re.MULTILINE,
)
_BROADCAST = re.compile(r" brd (?P<address>\S+)")
_SCOPE = re.compile(r" scope (?P<scope>\S+)(?P<flags>[^\\]*)")
_FOUR = 4
_LEAST_POINT_TO_POINT, _LEAST_SIX_LINK = 31, 127
"""The lengths of prefixes from which on a network has no broadcast address, or none for any router."""
_SECOND = frozenset({"secondary", "deprecated", "tentative", "temporary", "dadfailed"})


class InterfaceAddress(NamedTuple):
    """An address of an interface.

    `scope` is `global`, `link`, `host` and so on, empty where nothing tells it. `first` says that the kernel does
    not pass it over for others of its network, or since it is not to be used any more. `network` is the one that
    it came with, None where nothing tells it, `broadcast` the broadcast address that somebody gave it.
    """

    address: Network
    scope: str
    first: bool
    network: Network | None = None
    broadcast: Network | None = None

    @property
    def broadcasts(self) -> Iterator[Network]:
        """The broadcast addresses that come with it (fib_add_ifaddr in net/ipv4/fib_frontend.c)."""
        if self.broadcast is not None:
            yield self.broadcast
        network = self.network
        if (
            network is not None
            and network.version == _FOUR
            and network.mask.bit_count() < _LEAST_POINT_TO_POINT
        ):
            yield Network(_FOUR, network.value | (full_mask(_FOUR) & ~network.mask), full_mask(_FOUR))

    @property
    def anycast(self) -> Network | None:
        """The address of any router of its network (addrconf_join_anycast in net/ipv6/addrconf.c)."""
        network = self.network
        if network is None or network.version == _FOUR or network.mask.bit_count() >= _LEAST_SIX_LINK:
            return None
        return Network(network.version, network.value, full_mask(network.version)) if network.value else None


ByInterface = dict[str, tuple[InterfaceAddress, ...]]


def addresses_by_interface(text: str) -> ByInterface:
    """Return the addresses of each interface of `ip addr`, with -o or -j or without; others tell no scope.

    Raises:
        DumpError: it is meant to be JSON, and is none.
    """
    found: dict[str, dict[InterfaceAddress, None]] = {}
    for name, address in _of_json(text) if is_json(text) else _of_text(text):
        found.setdefault(name, {})[address] = None
    return {name: tuple(addresses) for name, addresses in found.items()}


def joined(parts: list[Mapping[str, tuple[InterfaceAddress, ...]]]) -> ByInterface:
    """Return what several lists say together: each family may have its own."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: tuple(dict.fromkeys(one for part in parts for one in part.get(name, ()))) for name in names}


def _of_text(text: str) -> Iterator[tuple[str, InterfaceAddress]]:
    current = ""
    for line in _LINE.finditer(text):
        current = line["heading"] or line["device"] or current
        network = parse_network(line["address"]) if line["address"] else None
        if network is not None and current:
            told = _SCOPE.search(line["rest"])
            flags = set(told["flags"].split()) if told else set()
            broadcast = _BROADCAST.search(line["rest"])
            yield (
                current,
                InterfaceAddress(
                    network,
                    told["scope"] if told else "",
                    not flags & _SECOND,
                    parse_network(f"{line['address']}{line['length']}") if line["length"] else None,
                    parse_network(broadcast["address"]) if broadcast else None,
                ),
            )


def _of_json(text: str) -> Iterator[tuple[str, InterfaceAddress]]:
    for device in read_json(text, "", "ip -j addr"):
        infos = device.get("addr_info")
        for info in infos if isinstance(infos, list) else []:
            network = parse_network(shown(info.get("local"))) if isinstance(info, dict) else None
            if network is not None:
                first = not any(info.get(flag) for flag in _SECOND)
                length, broadcast = shown(info.get("prefixlen", "")), shown(info.get("broadcast", ""))
                wide = (
                    parse_network(f"{info['local']}/{length}") if length and "address" not in info else None
                )
                yield (
                    shown(device.get("ifname")),
                    InterfaceAddress(
                        network, shown(info.get("scope", "")), first, wide, parse_network(broadcast)
                    ),
                )
