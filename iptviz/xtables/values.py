"""How iptables-save prints a value of each kind: the table `KINDS`.

A kind's function takes the word as it was typed and returns the text that iptables-save prints, quotes
included; what it cannot read it returns as it stands.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from iptviz.xtables.names import protocol_name, rule_protocol_name, service_port
from iptviz.xtables.numbers import read_uint
from iptviz.xtables.values_connections import CONNECTION_KINDS
from iptviz.xtables.values_headers import HEADER_KINDS
from iptviz.xtables.values_icmp import ICMP_KINDS
from iptviz.xtables.values_nat import NAT_KINDS
from iptviz.xtables.values_networks import NETWORK_KINDS
from iptviz.xtables.values_payload import PAYLOAD_KINDS
from iptviz.xtables.values_protocols import PROTOCOL_KINDS
from iptviz.xtables.values_ranges import RANGE_KINDS
from iptviz.xtables.values_rates import RATE_KINDS
from iptviz.xtables.values_symbols import SYMBOL_KINDS
from iptviz.xtables.values_targets import TARGET_KINDS
from iptviz.xtables.values_time import TIME_KINDS
from iptviz.xtables.words import quote_word, save_string

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.saving import Saving


def print_value(kind: str, value: str, saving: Saving) -> str:
    """Return `value` of `kind` as iptables-save prints it."""
    return KINDS[kind](value, saving)


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


def _rule_protocol(text: str, _saving: Saving) -> str:
    """Print the protocol of `-p`, by name only if iptables itself knows it (`save_rule_details`)."""
    return quote_word(rule_protocol_name(text))


# --- ports -----------------------------------------------------------------------------------------------


def _port(text: str) -> str | None:
    number = read_uint(text)
    if number is None and not text[:1].isdigit():
        number = service_port(text)
    return None if number is None else str(number)


def _decimal_port(text: str) -> str | None:
    """Read a port as getaddrinfo does, to which `010` is 10 and `0x10` nothing (xtopt_parse_port)."""
    if text.isascii() and text.isdecimal():
        return text.lstrip("0") or "0"
    number = None if text[:1].isdigit() else service_port(text)
    return None if number is None else str(number)


def _ports(read: Callable[[str], str | None], text: str, _saving: Saving) -> str:
    """Print `80:80` as `80`, `:90` as `0:90`, `80:` as `80:65535`."""
    low, colon, high = text.partition(":")
    first = read(low) if low or not colon else "0"
    last = (read(high) if high else "65535") if colon else first
    if first is None or last is None:
        return quote_word(text)
    return first if first == last else f"{first}:{last}"


def _port_list(text: str, _saving: Saving) -> str:
    """Print multiport's list, whose ranges keep both ends."""
    words = re.split("([,:])", text)
    ports = [_port(word) for word in words[::2]]
    separators = [*words[1::2], ""]
    if None in ports:
        return quote_word(text)
    return "".join(f"{port}{separator}" for port, separator in zip(ports, separators, strict=True))


def _mac(text: str, _saving: Saving) -> str:
    if not _MAC.fullmatch(text):
        return quote_word(text)
    return ":".join(f"{int(part, 16):02x}" for part in text.split(":"))


_MAC = re.compile(r"(?:[0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}")


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


def _device_group(text: str, saving: Saving) -> str:
    """Print a group of devices: 0 is `default` in the table of groups that iproute2 brings (libxt_devgroup.c)."""
    return "default" if split_mark(text) == (0, _FULL) else _mark(text, saving)


KINDS: dict[str, Callable[[str, Saving], str]] = {
    "word": _word,
    "string": _string,
    "lower": _lower,
    "upper": _upper,
    "uint": _uint,
    "protocol": _protocol,
    "rule-protocol": _rule_protocol,
    "ports": partial(_ports, _port),
    "decimal-ports": partial(_ports, _decimal_port),
    "port-list": _port_list,
    "mac": _mac,
    "mark": _mark,
    "xmark": _xmark,
    "device-group": _device_group,
    **CONNECTION_KINDS,
    **HEADER_KINDS,
    **ICMP_KINDS,
    **NAT_KINDS,
    **NETWORK_KINDS,
    **PAYLOAD_KINDS,
    **PROTOCOL_KINDS,
    **RANGE_KINDS,
    **RATE_KINDS,
    **SYMBOL_KINDS,
    **TARGET_KINDS,
    **TIME_KINDS,
}
