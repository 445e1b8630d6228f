"""How iptables-save prints the networks of `-s` and `-d`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.address import Network
from iptviz.xtables.numbers import read_uint
from iptviz.xtables.values_nat import full_address, print_ipv6
from iptviz.xtables.values_ranges import padded_ipv4
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.saving import Saving

_BITS = {4: 32, 6: 128}
_DOTS = 3
_LONGEST = 64  # an address and a scope


def print_network(network: Network, *, always: bool) -> str:
    """Return `address/length`, or `address/mask` for a mask with holes; a full mask only if `always`."""
    bits = _BITS[network.version]
    length = network.mask.bit_count()
    holes = network.mask != ((1 << length) - 1) << (bits - length)
    address = _print_address(network.value, network.version)
    if length == bits and not always:
        return address
    return f"{address}/{_print_address(network.mask, network.version) if holes else length}"


def _print_address(number: int, version: int) -> str:
    import ipaddress

    return str(ipaddress.IPv4Address(number)) if version == 4 else print_ipv6(number)


def _network(text: str, saving: Saving) -> str:
    """Print an address with its mask, and without the bits of the host (xtables_ipparse_multiple)."""
    network = _read_network(text, 4 if saving.family == "ipv4" else 6)
    return quote_word(text) if network is None else print_network(network, always=True)


def _networks(text: str, saving: Saving) -> str:
    """Print networks that commas separate, perhaps with blanks after them."""
    return ",".join(_network(one.lstrip(" \t"), saving) for one in text.split(","))


def _read_network(text: str, version: int) -> Network | None:
    """Read an address or a network; with a mask of no bits, whatever stands before it, as in `any/0`."""
    address_text, slash, mask_text = text.partition("/")
    mask = _read_mask(mask_text, version) if slash else (1 << _BITS[version]) - 1
    if not mask:
        return None if mask is None else Network(version, 0, 0)
    address = _read_address(address_text, version)
    return None if address is None else Network(version, address & mask, mask)


def _read_address(text: str, version: int) -> int | None:
    """Read an address: of IPv4 first as `10.1` for 10.1.0.0, then as inet_aton does; of IPv6 without a scope."""
    import ipaddress

    if len(text) > _LONGEST:
        return None
    if version == 4:
        printed = padded_ipv4(text) or full_address(text, "ipv4")
        return None if printed is None else int(ipaddress.IPv4Address(printed))
    try:
        return int(ipaddress.IPv6Address(text.partition("%")[0]))
    except ValueError:
        return None


def _read_mask(text: str, version: int) -> int | None:
    """Read the number of bits, or a mask as an address that has all its parts."""
    bits = _BITS[version]
    length = read_uint(text)
    if length is not None:
        return ((1 << length) - 1) << (bits - length) if length <= bits else None
    if version == 4 and text.count(".") != _DOTS:
        return None
    return _read_address(text, version)


def _mask_length(text: str, saving: Saving) -> str:
    """Print a mask as the number of its bits."""
    version = 4 if saving.family == "ipv4" else 6
    mask = _read_mask(text, version)
    if mask is None or mask != (1 << _BITS[version]) - (1 << _BITS[version] - mask.bit_count()):
        return quote_word(text)
    return str(mask.bit_count())


NETWORK_KINDS: dict[str, Callable[[str, Saving], str]] = {
    "mask-length": _mask_length,
    "network": _network,
    "networks": _networks,
}
