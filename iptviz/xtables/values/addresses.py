"""Addresses, networks and their masks, ranges of addresses, and what NAT makes of them.

iptables takes more than it prints: `10.1/16`, masks as addresses, numbers that are octal or hexadecimal.
`iptviz.xtables.address` reads what is printed.
"""

from __future__ import annotations

import ipaddress

from iptviz.records import NamedTuple
from iptviz.xtables.address import Network, full_mask, parse_network, split_nat_range
from iptviz.xtables.values.numbers import read_uint
from iptviz.xtables.values.protocols import NatPorts, read_nat_ports, show_nat_ports, show_without_base
from iptviz.xtables.words import quote_word

_VERSIONS = {"ipv4": 4, "ipv6": 6}
_BITS = {4: 32, 6: 128}
_LONGEST = 64  # an address and a scope


# --- single addresses ------------------------------------------------------------------------------------


def show_address(number: int, version: int) -> str:
    """Show an address as glibc does: one of IPv6 that may hold one of IPv4 ends in it, as `::ffff:1.2.3.4`."""
    if version == 4:
        return str(ipaddress.IPv4Address(number))
    low = number & 0xFFFFFFFF
    if number >> 32 == _MAPPED or (number >> 32 == 0 and low > 0xFFFF):
        return f"::{'ffff:' if number >> 32 else ''}{ipaddress.IPv4Address(low)}"
    return str(ipaddress.IPv6Address(number))


_MAPPED = 0xFFFF


def _read_address(text: str, version: int) -> int | None:
    """Read an address that has all its parts, as inet_pton does, which knows no scope."""
    return None if "%" in text else _read_scoped(text, version)


def _read_scoped(text: str, version: int) -> int | None:
    """Read an address that has all its parts, perhaps with a scope, as `fe80::1%eth0`, which no rule keeps."""
    try:
        return int(ipaddress.IPv4Address(text) if version == 4 else ipaddress.IPv6Address(text))
    except ValueError:
        return None


_BYTES = 4
_FULL_BYTE = 0xFF


def _read_parts(text: str) -> list[int] | None:
    """Read up to four numbers between dots."""
    words = text.split(".", _BYTES)
    parts = [number for word in words if (number := read_uint(word)) is not None]
    return parts if len(parts) == len(words) <= _BYTES else None


def _padded_ipv4(text: str) -> int | None:
    """Read an address whose missing numbers are zeros at its end: `10.1` is 10.1.0.0 (xtables.c)."""
    parts = _read_parts(text)
    if parts is None or max(parts) > _FULL_BYTE:
        return None
    return int.from_bytes(bytes([*parts, *[0] * (_BYTES - len(parts))]), "big")


def _classic_ipv4(text: str) -> int | None:
    """Read an address as inet_aton does, whose last number fills what is missing: `10.1` is 10.0.0.1."""
    parts = _read_parts(text)
    if parts is None or max([*parts[:-1], 0]) > _FULL_BYTE or parts[-1] >> 8 * (_BYTES + 1 - len(parts)):
        return None
    return int.from_bytes(bytes(parts[:-1]) + parts[-1].to_bytes(_BYTES + 1 - len(parts), "big"), "big")


def read_host(text: str, family: str) -> Network | None:
    """Read an address as getaddrinfo does, of IPv4 also `10.1` for 10.0.0.1; None for the name of a host."""
    version = _VERSIONS[family]
    number = _classic_ipv4(text) if version == 4 else _read_scoped(text, 6)
    return None if number is None else Network(version, number, full_mask(version))


def read_host_or_any(text: str, family: str) -> Network | None:
    """Read TPROXY's `--on-ip`, which stands there even if it was not typed."""
    return read_host(text or ("0" if family == "ipv4" else "::"), family)


def read_ipv6_list(text: str) -> list[Network] | None:
    """Read addresses of IPv6 between commas."""
    numbers = [_read_address(word, 6) for word in text.split(",")]
    addresses = [Network(6, number, full_mask(6)) for number in numbers if number is not None]
    return addresses if len(addresses) == len(numbers) else None


# --- networks --------------------------------------------------------------------------------------------


def show_network(network: Network, *, always: bool = True) -> str:
    """Show `address/length`, or `address/mask` for a mask with holes; a full mask only if `always`."""
    bits = _BITS[network.version]
    length = _length(network.mask, bits)
    address = show_address(network.value, network.version)
    if length == bits and not always:
        return address
    return f"{address}/{show_address(network.mask, network.version) if length is None else length}"


def show_host(network: Network) -> str:
    """Show an address, and its mask unless it is full."""
    return show_network(network, always=False)


def show_networks(networks: list[Network | str]) -> str:
    """Show networks and names of hosts between commas."""
    return ",".join(quote_word(item) if isinstance(item, str) else show_network(item) for item in networks)


def show_hosts(addresses: list[Network]) -> str:
    """Show addresses between commas."""
    return ",".join(map(show_host, addresses))


def _length(mask: int, bits: int) -> int | None:
    """Return how many bits a mask has, or None for one with holes."""
    length = mask.bit_count()
    return length if mask == (1 << bits) - (1 << (bits - length)) else None


def read_network(text: str, family: str) -> Network | None:
    """Read an address with its mask, and without the bits of the host (xtables_ipparse_multiple).

    With a mask of no bits, anything may stand before it, as in `any/0`.
    """
    version = _VERSIONS[family]
    plain = parse_network(text)
    if plain is not None and plain.version == version:
        return plain
    address_text, slash, mask_text = text.partition("/")
    mask = _read_mask(mask_text, version) if slash else full_mask(version)
    if not mask:
        return None if mask is None else Network(version, 0, 0)
    address = _read_network_address(address_text, version)
    return None if address is None else Network(version, address & mask, mask)


def _read_network_address(text: str, version: int) -> int | None:
    """Read an address: of IPv4 first as `10.1` for 10.1.0.0, then as inet_aton does; of IPv6 without a scope."""
    if len(text) > _LONGEST:
        return None
    if version == 6:
        return _read_address(text.partition("%")[0], 6)
    padded = _padded_ipv4(text)
    return _classic_ipv4(text) if padded is None else padded


def read_networks(text: str, family: str) -> list[Network | str]:
    """Read networks that commas separate, perhaps with blanks after them; the name of a host stays a name."""
    words = [word.lstrip(" \t") for word in text.split(",")]
    return [word if (network := read_network(word, family)) is None else network for word in words]


def read_host_network(text: str, family: str) -> Network | None:
    """Read `address/mask`, the bits of the host left in."""
    version = _VERSIONS[family]
    address_text, _, mask_text = text.partition("/")
    address = read_host(address_text, family)
    mask = _read_mask(mask_text, version) if mask_text else full_mask(version)
    return None if address is None or mask is None else Network(version, address.value, mask)


# --- masks -----------------------------------------------------------------------------------------------

_DOTS = 3


def _read_mask(text: str, version: int) -> int | None:
    """Read the number of bits, or a mask as an address that has all its parts."""
    bits = _BITS[version]
    length = read_uint(text)
    if length is not None:
        return (1 << bits) - (1 << (bits - length)) if length <= bits else None
    if version == 4 and text.count(".") != _DOTS:
        return None
    return _read_network_address(text, version)


def read_mask_length(text: str, family: str) -> int | None:
    """Read a mask as the number of its bits; one with holes has none."""
    version = _VERSIONS[family]
    mask = _read_mask(text, version)
    return None if mask is None else _length(mask, _BITS[version])


def read_address_mask(text: str, family: str) -> Network | None:
    """Read recent's mask, which is an address and not a length."""
    version = _VERSIONS[family]
    number = _classic_ipv4(text) if version == 4 else _read_address(text, version)
    return None if number is None else Network(version, number, full_mask(version))


# --- ranges ----------------------------------------------------------------------------------------------


class AddressRange(NamedTuple):
    """The addresses from `first` to `last`, both included, as integers."""

    version: int
    first: int
    last: int


def read_ip_range(text: str, family: str) -> AddressRange | None:
    """Read iprange's two addresses; one alone is both ends (libxt_iprange.c)."""
    version = _VERSIONS[family]
    low, dash, high = text.partition("-")
    first, last = (
        _padded_ipv4(end) if version == 4 else _read_address(end, 6) for end in (low, high if dash else low)
    )
    return None if first is None or last is None else AddressRange(version, first, last)


def show_ip_range(addresses: AddressRange) -> str:
    """Show both ends."""
    version, first, last = addresses
    return f"{show_address(first, version)}-{show_address(last, version)}"


class NatRange(NamedTuple):
    """What `--to-destination` and `--to-source` say: addresses, ports, or both."""

    addresses: AddressRange | None
    ports: NatPorts | None


def read_nat_range(text: str, family: str) -> NatRange | None:
    """Read `10.0.0.1-10.0.0.9:80-90`, `[fd00::1]:80` or `:80` (libxt_NAT.c)."""
    addresses_text, ports_text = split_nat_range(text)
    addresses = _nat_addresses(addresses_text, _VERSIONS[family]) if addresses_text else None
    ports = None if ports_text is None else read_nat_ports(ports_text)
    if (addresses_text and addresses is None) or (ports_text is not None and ports is None):
        return None
    return NatRange(addresses, ports) if addresses or ports else None


def _nat_addresses(text: str, version: int) -> AddressRange | None:
    low, dash, high = text.partition("-")
    first, last = (_read_address(end, version) for end in (low, high if dash else low))
    return None if first is None or last is None else AddressRange(version, first, last)


def show_destination(nat: NatRange) -> str:
    """Show what `--to-destination` says."""
    return _show_nat(nat, "" if nat.ports is None else show_nat_ports(nat.ports))


def show_source(nat: NatRange) -> str:
    """Show what `--to-source` says."""
    return _show_nat(nat, "" if nat.ports is None else show_without_base(nat.ports))


def _show_nat(nat: NatRange, ports: str) -> str:
    if nat.addresses is None:
        return f":{ports}"
    version, first, last = nat.addresses
    shown = show_address(first, version) if first == last else show_ip_range(nat.addresses)
    if not ports:
        return shown
    return f"[{shown}]:{ports}" if version == 6 else f"{shown}:{ports}"
