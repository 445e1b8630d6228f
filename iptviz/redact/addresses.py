"""Pseudonyms of addresses that keep every prefix: two addresses share as many bits as their originals did.

Bit by bit, a keyed function of the bits before decides whether a bit is flipped (the construction of Crypto-PAn).
No bit is flipped above a block that keeps its meaning, so that these blocks stay what they are and nothing else
becomes one of them: loopback, link-local, multicast, the unspecified and the broadcast address, private networks.
An IPv4 address in an IPv6 one has the pseudonym that it has alone.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Address = IPv4Address | IPv6Address

_FIXED = (
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
    "fe80::/10", "ff00::/8",
)  # fmt: skip
"""Blocks in which every address stays as it is."""

_KEPT = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "2000::/3")
"""Blocks that stay where they are, while the addresses in them do not."""

_EMBEDDING = ("::/96", "::ffff:0:0/96", "64:ff9b::/96")
"""Blocks whose last 32 bits are an IPv4 address; `::` and `::1` are two of 0.0.0.0/8, which stays."""

_V4 = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\.\d|\w)"
_V6 = (
    r"(?<![\w:.])(?=[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:)"
    r"(?:[0-9A-Fa-f:]*:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f:]+)(?![\w:]|\.\w)"
)
_MASK = r"/(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:]+|\d{1,3})"
_ADDRESS = re.compile(f"(?P<address>{_V4}|{_V6})(?P<mask>{_MASK})?")
_RANGE = re.compile(rf"({_V4}|{_V6})\]?-\[?({_V4}|{_V6})")


_LOW = 0xFFFFFFFF
_EMBEDDED = {int(ip_network(text).network_address) >> 32 for text in _EMBEDDING}


class Addresses:
    """Maps addresses; `random` is a keyed function of bytes.

    `earlier` are pseudonyms that were given with the same key to other dumps.
    """

    def __init__(self, random: Callable[[bytes], int], earlier: dict[str, str] | None = None) -> None:
        self._random = random
        self.earlier = earlier or {}
        self.known: dict[str, str] = {}
        self.ordered: list[tuple[str, str]] = []
        self._flips: dict[tuple[int, int, int], int] = {}
        self._still: set[tuple[int, int, int]] = set()
        self._calm: list[tuple[int, int, int]] = []
        for text in (*_FIXED, *_KEPT, *_EMBEDDING):
            network = ip_network(text)
            self._keep_above(network.version, int(network.network_address), network.prefixlen)
        for text in _FIXED:
            network = ip_network(text)
            self._calm.append((network.version, network.prefixlen, int(network.network_address)))

    def _keep_above(self, version: int, address: int, length: int) -> None:
        bits = 32 if version == 4 else 128
        self._still |= {(version, depth, address >> (bits - depth)) for depth in range(length)}

    def keep_order(self, first: str, last: str) -> None:
        """Flip nothing below what both ends of a range have in common: it must stay a range."""
        start, end = ip_address(first), ip_address(last)
        bits = start.max_prefixlen
        common = bits - (int(start) ^ int(end)).bit_length()
        self._calm.append((start.version, common, int(start) >> (bits - common) << (bits - common)))
        self.ordered.append((first, last))

    def of(self, text: str) -> str:
        """Return the pseudonym of an address; text that is none stays."""
        try:
            address = ip_address(text)
        except ValueError:
            return text
        if text not in self.known:
            mapped = type(address)(self._mapped(address))
            self.known[text] = _dotted(mapped) if ":" in text and "." in text else str(mapped)
        return self.known[text]

    def in_text(self, text: str) -> str:
        """Return `text` with every address and network in it replaced; masks stay."""
        return _ADDRESS.sub(self._replaced, text)

    def moved(self) -> int:
        """Count the addresses that had another pseudonym in another dump, before a range held them here."""
        return sum(self.earlier.get(text, mapped) != mapped for text, mapped in self.known.items())

    def left_of(self, text: str) -> str:
        """Return what is left of `text` without the addresses and networks in it."""
        return _ADDRESS.sub(lambda found: "" if _is_address(found["address"]) else found[0], text)

    def mistakable(self) -> bool:
        """Tell whether some pseudonym is the address of something else that was there before."""
        return any(mapped != text and mapped in self.known for text, mapped in self.known.items())

    def _replaced(self, found: re.Match[str]) -> str:
        mapped, mask = self.of(found["address"]), found["mask"] or ""
        try:
            network = ip_network(mapped + mask, strict=False) if mask else None
        except ValueError:  # a mask with holes
            network = None
        if network is None or network.network_address == ip_address(mapped):
            return mapped + mask
        return f"{network.network_address}{mask}"

    def _mapped(self, address: Address) -> int:
        version, bits, number = address.version, address.max_prefixlen, int(address)
        if version == 6 and number >> 32 in _EMBEDDED:
            return number >> 32 << 32 | self._mapped(IPv4Address(number & _LOW))
        calm = (
            length
            for kind, length, at in self._calm
            if kind == version and number >> (bits - length) == at >> (bits - length)
        )
        flipped, flips = min(calm, default=bits), 0
        for depth in range(flipped):
            flips = flips << 1 | self._flip(version, depth, number >> (bits - depth))
        return number ^ (flips << (bits - flipped))

    def _flip(self, version: int, depth: int, prefix: int) -> int:
        place = version, depth, prefix
        if place in self._still:
            return 0
        if place not in self._flips:
            self._flips[place] = self._random(f"{version}/{depth}/{prefix:x}".encode()) & 1
        return self._flips[place]


def _dotted(address: Address) -> str:
    """Return an IPv6 address whose last 32 bits are written as an IPv4 address."""
    low = IPv4Address(int(address) & _LOW)
    head = str(IPv6Address(int(address) >> 32 << 32 | _LOW))
    return f"{head.removesuffix('ffff:ffff').removesuffix('255.255.255.255')}{low}"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def ranges_in(text: str) -> list[tuple[str, str]]:
    """Return the ranges of addresses that a text holds, `10.0.0.1-10.0.0.9`."""
    found = []
    for one in _RANGE.finditer(text):
        try:
            same = ip_address(one[1]).version == ip_address(one[2]).version
        except ValueError:
            continue
        if same:
            found.append((one[1], one[2]))
    return found
