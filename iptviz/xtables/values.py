"""How iptables-save prints a value of each kind: the table `KINDS`.

A kind's function takes the word as it was typed and returns the text that iptables-save prints, quotes
included; what it cannot read it returns as it stands.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.xtables.address import Network, parse_network
from iptviz.xtables.names import protocol_name, service_port
from iptviz.xtables.words import quote_word, save_string

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.saving import Saving


def print_value(kind: str, value: str, saving: Saving) -> str:
    """Return `value` of `kind` as iptables-save prints it."""
    return KINDS[kind](value, saving)


def read_uint(text: str) -> int | None:
    """Read a number as strtoul with base 0 does: decimal, 0x hexadecimal, 0 octal; None for anything else."""
    if not _UINT.fullmatch(text):
        return None
    octal = len(text) > 1 and text[0] == "0" and text[1] not in "xX"
    try:
        return int(text, 8 if octal else 0)
    except ValueError:
        return None


_UINT = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}")


def _word(text: str, _saving: Saving) -> str:
    return quote_word(text)


def _string(text: str, _saving: Saving) -> str:
    return save_string(text)


def _lower(text: str, _saving: Saving) -> str:
    return quote_word(text.lower())


def _upper(text: str, _saving: Saving) -> str:
    return quote_word(text.upper())


def _uint(text: str, _saving: Saving) -> str:
    number = read_uint(text)
    return quote_word(text) if number is None else str(number)


def _protocol(text: str, _saving: Saving) -> str:
    return quote_word(protocol_name(text))


# --- ports -----------------------------------------------------------------------------------------------


def _port(text: str) -> str:
    number = read_uint(text)
    if number is None and not text.isdigit():
        number = service_port(text)
    return quote_word(text) if number is None else str(number)


def _ports(text: str, _saving: Saving) -> str:
    """Print `80:80` as `80`, `:90` as `0:90`, `80:` as `80:65535`."""
    low, colon, high = text.partition(":")
    first = _port(low) if low or not colon else "0"
    last = (_port(high) if high else "65535") if colon else first
    return first if first == last else f"{first}:{last}"


def _port_list(text: str, _saving: Saving) -> str:
    """Print multiport's list, whose ranges keep both ends."""
    return ",".join(":".join(map(_port, ports.split(":"))) for ports in text.split(","))


# --- addresses -------------------------------------------------------------------------------------------


def print_network(network: Network, *, always: bool) -> str:
    """Return `address/length`, or `address/mask` for a mask with holes; a full mask only if `always`."""
    import ipaddress

    make = ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address  # noqa: PLR2004
    bits = 32 if network.version == 4 else 128  # noqa: PLR2004
    length = network.mask.bit_count()
    holes = network.mask != ((1 << length) - 1) << (bits - length)
    if length == bits and not always:
        return str(make(network.value))
    return f"{make(network.value)}/{make(network.mask) if holes else length}"


def _network(text: str, saving: Saving) -> str:
    network = parse_network(text)
    return quote_word(text) if network is None else print_network(network, always=True)


def _networks(text: str, saving: Saving) -> str:
    return ",".join(_network(one, saving) for one in text.split(","))


def _mac(text: str, saving: Saving) -> str:
    # Lower case since 1.8.?; kept as it stands where it is no address.
    return (
        text.lower() if re.fullmatch(r"(?:[0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}", text) else quote_word(text)
    )


# --- numbers with a meaning --------------------------------------------------------------------------------

_FULL = 0xFFFFFFFF


def split_mark(text: str) -> tuple[int, int] | None:
    """Read `VALUE[/MASK]` as two numbers of 32 bits; None for anything else."""
    value_text, slash, mask_text = text.partition("/")
    value, mask = read_uint(value_text), read_uint(mask_text) if slash else _FULL
    return None if value is None or mask is None else (value & _FULL, mask & _FULL)


def _mark(text: str, _saving: Saving) -> str:
    mark = split_mark(text)
    if mark is None:
        return quote_word(text)
    return f"{mark[0]:#x}" if mark[1] == _FULL else f"{mark[0]:#x}/{mark[1]:#x}"


def _xmark(text: str, _saving: Saving) -> str:
    mark = split_mark(text)
    return quote_word(text) if mark is None else f"{mark[0]:#x}/{mark[1]:#x}"


def _probability(text: str, _saving: Saving) -> str:
    """Print k/2^31 with 11 decimals, k the nearest (libxt_statistic.c)."""
    try:
        chance = float(text)
    except ValueError:
        return quote_word(text)
    if not 0 <= chance <= 1:
        return quote_word(text)
    return f"{round(chance * 0x80000000) / 0x80000000:.11f}"


def _rate(text: str, _saving: Saving) -> str:
    """Print `3/m` as `3/min` in the largest unit that the kernel's number of 1/10000 s admits."""
    return quote_word(text)


def _spis(text: str, _saving: Saving) -> str:
    return quote_word(text)


# --- names -------------------------------------------------------------------------------------------------


def _tcp_flags(text: str, _saving: Saving) -> str:
    return quote_word(text)


def _icmp_type(text: str, _saving: Saving) -> str:
    return quote_word(text)


def _ct_states(text: str, _saving: Saving) -> str:
    asked = text.upper().split(",")
    return ",".join(sorted(asked, key=lambda state: _CT_STATES.index(state) if state in _CT_STATES else 99))


_CT_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")

KINDS: dict[str, Callable[[str, Saving], str]] = {
    "word": _word,
    "string": _string,
    "lower": _lower,
    "upper": _upper,
    "uint": _uint,
    "protocol": _protocol,
    "ports": _ports,
    "port-list": _port_list,
    "network": _network,
    "networks": _networks,
    "mac": _mac,
    "mark": _mark,
    "xmark": _xmark,
    "probability": _probability,
    "rate": _rate,
    "spis": _spis,
    "tcp-flags": _tcp_flags,
    "icmp-type": _icmp_type,
    "icmpv6-type": _icmp_type,
    "reject-type": _word,
    "ct-states": _ct_states,
}
