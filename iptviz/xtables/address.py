"""Addresses and networks as iptables writes them."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from iptviz.records import NamedTuple
from iptviz.xtables.values.numbers import read_uint


class Network(NamedTuple):
    """An address and a mask as integers; iptables allows masks with holes, which `ipaddress` does not."""

    version: int
    value: int
    mask: int

    def contains(self, other: Network) -> bool:
        """Whether every address of `other` is in this network."""
        same = self.version == other.version
        return same and self.mask & other.mask == self.mask and other.value & self.mask == self.value

    def meets(self, other: Network) -> bool:
        """Whether some address is in both."""
        both = self.mask & other.mask
        return self.version == other.version and self.value & both == other.value & both


def full_mask(version: int) -> int:
    """Return the mask of one address of IP `version` 4 or 6."""
    return (1 << (32 if version == 4 else 128)) - 1


_BYTES = {str(number): number for number in range(256)}


def _plain_address(text: str) -> Network | None:
    """Read `10.0.0.1` or `10.0.0.1/32`, which iptables-save writes most; None for anything else."""
    try:
        first, second, third, fourth = map(_BYTES.__getitem__, text.removesuffix("/32").split("."))
    except (KeyError, ValueError):
        return None
    return Network(4, first << 24 | second << 16 | third << 8 | fourth, full_mask(4))


@lru_cache(maxsize=4096)
def parse_network(text: str) -> Network | None:
    """Read `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `fd00::/64` or a single address; None for anything else."""
    if (plain := _plain_address(text)) is not None:
        return plain
    address_text, slash, mask_text = text.partition("/")
    try:
        address = ipaddress.ip_address(address_text)
        if not slash:
            mask = full_mask(address.version)
        elif (length := read_uint(mask_text)) is not None:
            if length > address.max_prefixlen:
                return None
            mask = ((1 << length) - 1) << (address.max_prefixlen - length)
        else:
            mask = int(type(address)(mask_text))
    except ValueError:
        return None
    return Network(address.version, int(address) & mask, mask)


def parse_range(text: str) -> tuple[Network, Network] | None:
    """Read both ends of `10.0.0.1-10.0.0.9`, which are of one family; an address or network alone is both."""
    low, dash, high = text.partition("-")
    first = parse_network(low)
    last = parse_network(high) if dash else first
    return None if first is None or last is None or first.version != last.version else (first, last)


_PORT = re.compile("[0-9]{1,5}")
_NUMBER = re.compile("[0-9]{1,10}")


def parse_number(text: str) -> int | None:
    """Read a number of at most ten ASCII digits; other digits, which Python would take, are none here."""
    return int(text) if _NUMBER.fullmatch(text) else None


def split_endpoint(text: str) -> tuple[str, int | None]:
    """Split `10.0.0.1:80`, `[fd00::1]:80` or a bare address; what is no number is no port."""
    if text.startswith("["):
        address, bracket, rest = text[1:].partition("]")
        if bracket and rest.startswith(":") and _PORT.fullmatch(rest[1:]):
            return address, int(rest[1:])
        return (address, None) if bracket and not rest else (text, None)
    address, colon, port = text.rpartition(":")
    if colon and _PORT.fullmatch(port) and ":" not in address:
        return address, int(port)
    return text, None


def join_endpoint(address: str, port: int | str | None) -> str:
    """Write address and port as one text, an IPv6 address in brackets: the inverse of `split_endpoint`.

    `port` may be what stands for one.
    """
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def split_nat_range(text: str) -> tuple[str, str | None]:
    """Split `10.0.0.1-10.0.0.3:80-90`, or `[fd00::1-fd00::3]:80`, into addresses and ports, None for no ports."""
    if text.startswith("["):
        addresses, _, rest = text[1:].partition("]")
        return addresses, rest[1:] if rest.startswith(":") else None
    if text.count(":") != 1:  # one colon alone is that of the ports, more are those of IPv6
        return text, None
    addresses, _, ports = text.partition(":")
    return addresses, ports
