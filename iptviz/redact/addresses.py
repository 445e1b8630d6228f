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

from iptviz.records import NamedTuple
from iptviz.redact.remembered import Remembered

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
_RANGE = re.compile(rf"({_V4}|{_V6})(\]?-\[?)({_V4}|{_V6})")


_LOW = 0xFFFFFFFF
_BYTE = 8
_LONGEST_FIXED = 16
"""So many bits at most tell whether an address is in one of the fixed blocks."""
_OF_FOUR = r"25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9]"
_OCTETS = {str(number): number for number in range(256)}
_HOST = re.compile(rf"((?:(?:{_OF_FOUR})\.){{3}}(?:{_OF_FOUR}))(/32|)")
_EMBEDDED = {int(ip_network(text).network_address) >> 32 for text in _EMBEDDING}


class _Span(NamedTuple):
    """A range: how many bits its ends do not share, and how many last bits of each end are free.

    Free are those bits below which the range holds every address.
    """

    differing: int
    free: tuple[int, int]


class Addresses:
    """Maps addresses; `random` is a keyed function of bytes.

    `earlier` are pseudonyms that were given with the same key to other dumps.
    """

    def __init__(self, random: Callable[[bytes], int], earlier: dict[str, str] | None = None) -> None:
        self._random = random
        self.earlier = earlier or {}
        self.known: dict[str, str] = {}
        self.ordered: list[tuple[str, str]] = []
        self._spans: dict[tuple[str, str], _Span] = {}
        self._bytes: dict[tuple[int, int, int], tuple[int, memoryview]] = {}
        self._networks: dict[str, tuple[str, int, memoryview]] = Remembered(self._network)
        self._still: set[tuple[int, int, int]] = set()
        self._calm: list[tuple[int, int, int]] = []
        self._lengths: dict[tuple[int, int], int] = {}
        for text in (*_FIXED, *_KEPT, *_EMBEDDING):
            network = ip_network(text)
            self._keep_above(network.version, int(network.network_address), network.prefixlen)
        for text in _FIXED:
            network = ip_network(text)
            calm = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
            self._calm.append((network.version, network.prefixlen, calm))

    def _keep_above(self, version: int, address: int, length: int) -> None:
        bits = 32 if version == 4 else 128
        self._still |= {(version, depth, address >> (bits - depth)) for depth in range(length)}

    def keep_order(self, first: str, last: str) -> None:
        """Let a range of addresses stay one, of the same addresses.

        Of the bits that both ends do not have in common, those on the way to either end are not flipped, as far
        down as a part of the range begins that is a whole network. All others are.
        """
        span = _span(int(ip_address(first)), int(ip_address(last)), ip_address(first).max_prefixlen)
        for end, free in ((first, span.free[0]), (last, span.free[1])):
            address = _inner(ip_address(end))
            bits, number = address.max_prefixlen, int(address)
            depths = range(max(0, bits - span.differing), bits - free)
            self._still |= {(address.version, depth, number >> (bits - depth)) for depth in depths}
        self._bytes.clear()
        self._networks.clear()
        self._spans[first, last] = span
        self.ordered.append((first, last))

    def of(self, text: str) -> str:
        """Return the pseudonym of an address; text that is none stays."""
        known = self.known.get(text)
        if known is not None:
            return known
        head, _, last = text.rpartition(".")
        try:
            network, prefix, cells = self._networks[head]
            octet = _OCTETS[last]
        except (KeyError, ValueError):
            return self._of_other(text)
        cell = octet >> 1 | 1 << _BYTE - 1
        way = cells[cell] or self._way(4, 24, prefix, cells, cell)
        mapped = self.known[text] = f"{network}.{octet ^ way & 255}"
        return mapped

    def _network(self, text: str) -> tuple[str, int, memoryview]:
        """Return what becomes of the three numbers that many IPv4 addresses begin with, and what of the fourth.

        Raises:
            KeyError: they are no such numbers, or those of addresses that stay.
            ValueError: they are no three.
        """
        first, second, third = map(_OCTETS.__getitem__, text.split("."))
        if self._length(4, first << 8 | second) < 32:
            raise KeyError(text)
        prefix = first << 16 | second << 8 | third
        flips, cells = self._byte(4, 24, prefix)
        mapped = prefix ^ flips
        return f"{mapped >> 16}.{mapped >> 8 & 255}.{mapped & 255}", prefix, cells

    def _of_other(self, text: str) -> str:
        """Return the pseudonym of an address that is not written as IPv4 ones are."""
        try:
            address = ip_address(text)
        except ValueError:
            return text
        pseudonym = type(address)(self._mapped(address))
        self.known[text] = _dotted(pseudonym) if ":" in text and "." in text else str(pseudonym)
        return self.known[text]

    def of_host(self, text: str) -> str | None:
        """Return a text that is one IPv4 address, perhaps with /32 or a port, with the address replaced.

        None for any other text.
        """
        host = text.removesuffix("/32")
        known = self.known.get(host)
        if known is not None and ":" not in host and "/" not in host:
            return known + text[len(host) :]
        found = _HOST.fullmatch(text)
        return None if found is None else self.of(found[1]) + found[2]

    def in_text(self, text: str) -> str:
        """Return `text` with every address, network and range in it replaced; masks stay."""
        done, at = [], 0
        for found in _RANGE.finditer(text) if self._spans else ():
            if (found[1], found[3]) in self._spans:
                done += [_ADDRESS.sub(self._replaced, text[at : found.start()]), self._ranged(found)]
                at = found.end()
        return "".join((*done, _ADDRESS.sub(self._replaced, text[at:])))

    def _ranged(self, found: re.Match[str]) -> str:
        """Return a range: from the first address of its first network to the last one of its last."""
        first, last = self.of_range(found[1], found[3])
        return f"{first}{found[2]}{last}"

    def of_range(self, first: str, last: str) -> tuple[str, str]:
        """Return the ends of a range that is kept in order; of any other two addresses, their pseudonyms."""
        span = self._spans.get((first, last))
        if span is None:
            return self.of(first), self.of(last)
        start, end = ip_address(self.of(first)), ip_address(self.of(last))
        low, high = span.free
        kind = type(start)
        return str(kind(int(start) >> low << low)), str(kind(int(end) | (1 << high) - 1))

    def masked(self, text: str, mask: str) -> str:
        """Return the pseudonym of an address of which a mask is asked: without the bits that it leaves out."""
        mapped = self.of(text)
        try:
            bits, kept = ip_address(mapped), ip_address(mask)
        except ValueError:
            return mapped
        return str(type(bits)(int(bits) & int(kept))) if bits.version == kept.version else mapped

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
        self.known[found[0]] = f"{network.network_address}{mask}"
        return self.known[found[0]]

    def _mapped(self, address: Address) -> int:
        number = int(address)
        if (inner := _inner(address)) is not address:
            return number >> 32 << 32 | self._mapped(inner)
        return self._flipped(address.version, number)

    def _flipped(self, version: int, number: int) -> int:
        bits = 32 if version == 4 else 128
        head = version, number >> (bits - _LONGEST_FIXED)
        length = self._lengths.get(head)
        if length is None:
            length = self._lengths[head] = self._length(*head)
        return number ^ (self._flips_of(version, number >> (bits - length), length) << (bits - length))

    def _length(self, version: int, head: int) -> int:
        """Return how many of the first bits of addresses may be flipped, which begin with those of `head`."""
        calm = (
            length
            for kind, length, at in self._calm
            if kind == version and head >> (_LONGEST_FIXED - length) == at
        )
        return min(calm, default=32 if version == 4 else 128)

    def _flips_of(self, version: int, prefix: int, length: int) -> int:
        """Return which bits are flipped of all addresses that begin with the `length` bits of `prefix`."""
        left = (length - 1) % _BYTE + 1
        begun = prefix >> left
        flips, cells = self._byte(version, length - left, begun)
        cell = (1 << left | prefix ^ begun << left) >> 1
        return flips << left | self._way(version, length - left, begun, cells, cell) ^ 1 << left

    def _byte(self, version: int, depth: int, prefix: int) -> tuple[int, memoryview]:
        """Return what is known of addresses that begin with the `depth` bits of `prefix`, whole bytes.

        First which of these bits are flipped. Then of each bit of the next byte, by the bits of that byte before
        it with a 1 in front: which of them and itself are flipped, with a 1 in front; 0 where that is not known
        yet.
        """
        place = version, depth, prefix
        found = self._bytes.get(place)
        if found is None:
            flips = self._flips_of(version, prefix, depth) if depth else 0
            found = self._bytes[place] = flips, memoryview(bytearray(2 << _BYTE)).cast("H")
        return found

    def _way(self, version: int, depth: int, prefix: int, cells: memoryview, cell: int) -> int:
        """Return what is to be known of a bit, see `_byte`."""
        found: int = cells[cell]
        if not found:
            before = self._way(version, depth, prefix, cells, cell >> 1) if cell > 1 else 1
            more = cell.bit_length() - 1
            flip = self._flip(version, depth + more, prefix << more | cell ^ 1 << more)
            found = cells[cell] = before << 1 | flip
        return found

    def _flip(self, version: int, depth: int, prefix: int) -> int:
        if (version, depth, prefix) in self._still:
            return 0
        return self._random(b"%d/%d/%x" % (version, depth, prefix)) & 1


def _span(first: int, last: int, bits: int) -> _Span:
    differing = (first ^ last).bit_length()
    zeros = (first & -first).bit_length() - 1 if first else bits
    ones = (~last & -~last).bit_length() - 1
    if min(zeros, ones) >= differing:
        return _Span(differing, (differing, differing))
    most = differing - 1
    return _Span(differing, (min(zeros, most), min(ones, most)))


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address holds, if it holds one."""
    if address.version == 6 and int(address) >> 32 in _EMBEDDED:
        return IPv4Address(int(address) & _LOW)
    return address


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
    for match in _RANGE.finditer(text):
        try:
            first, last = ip_address(match[1]), ip_address(match[3])
        except ValueError:
            continue
        if first.version == last.version and int(first) <= int(last):
            found.append((match[1], match[3]))
    return found
