"""How iptables-save prints what matches find in headers: kinds of addresses, types, options, bytecode."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from iptviz.xtables.numbers import read_uint
from iptviz.xtables.values_connections import print_names
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.saving import Saving

_ADDRESS_TYPES = (
    *("UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE"),
    *("PROHIBIT", "THROW", "NAT", "XRESOLVE"),
)
_DCCP_TYPES = (
    *("REQUEST", "RESPONSE", "DATA", "ACK", "DATAACK", "CLOSEREQ", "CLOSE", "RESET", "SYNC", "SYNCACK"),
    "INVALID",
)
_HASH_MODES = ("srcip", "srcport", "dstip", "dstport")
_MODE_SEPARATOR = re.compile(r"[,|]+")


def _dccp_types(text: str, _saving: Saving) -> str:
    asked = set(text.upper().split(","))
    if not asked <= set(_DCCP_TYPES):
        return quote_word(text)
    return ",".join(name for name in _DCCP_TYPES if name in asked)


def _hash_mode(text: str, _saving: Saving) -> str:
    """Print by what hashlimit tells flows apart (libxt_hashlimit.c)."""
    asked = {mode for mode in _MODE_SEPARATOR.split(text) if mode}
    if not asked <= set(_HASH_MODES):
        return quote_word(text)
    return ",".join(mode for mode in _HASH_MODES if mode in asked) or '""'


# --- options of IPv6 headers -----------------------------------------------------------------------------

_BYTE = 0xFF
_MOST_OPTIONS = 16


def _ipv6_options(text: str, _saving: Saving) -> str:
    """Print options as `TYPE[:LENGTH]`, of 8 bits each; a length of 255 is none (libip6t_dst.c)."""
    words = text.split(",", _MOST_OPTIONS)
    options = [_ipv6_option(word) for word in words[:_MOST_OPTIONS]]
    if len(words) > _MOST_OPTIONS or None in options:
        return quote_word(text)
    return ",".join(map(str, options))


def _ipv6_option(text: str) -> str | None:
    type_text, colon, length_text = text.partition(":")
    number = read_uint(type_text)
    length = read_uint(length_text) if colon else _BYTE
    if number is None or length is None:
        return None
    return str(number & _BYTE) if length & _BYTE == _BYTE else f"{number & _BYTE}:{length & _BYTE}"


# --- bytecode --------------------------------------------------------------------------------------------

_INSTRUCTION = re.compile(r"\s*([0-9]{1,9})\s+([0-9]{1,9})\s+([0-9]{1,9})\s+([0-9]{1,10})", re.ASCII)
_FIELDS = (0xFFFF, 0xFF, 0xFF, 0xFFFFFFFF)
_MOST_INSTRUCTIONS = 64
_LENGTH = re.compile(r"\s*([0-9]{1,5})", re.ASCII)


def _bytecode(text: str, _saving: Saving) -> str:
    """Print the number of instructions and the instructions, numbers decimal, in quotes (libxt_bpf.c)."""
    length_text, _, rest = text.partition(",")
    length = _LENGTH.fullmatch(length_text)
    words = rest.removesuffix(",").split(",", _MOST_INSTRUCTIONS)
    found = [_INSTRUCTION.fullmatch(word) for word in words]
    instructions = [_instruction(one) for one in found if one]
    if length is None or not int(length[1]) == len(found) == len(instructions):
        return quote_word(text)
    return f'"{",".join((str(len(found)), *instructions))}"'


def _instruction(found: re.Match[str]) -> str:
    """Return the four numbers, without the bits that their fields have no room for."""
    return " ".join(str(int(number) & field) for number, field in zip(found.groups(), _FIELDS, strict=True))


HEADER_KINDS: dict[str, Callable[[str, Saving], str]] = {
    "address-types": partial(print_names, _ADDRESS_TYPES),
    "bytecode": _bytecode,
    "dccp-types": _dccp_types,
    "hash-mode": _hash_mode,
    "ipv6-options": _ipv6_options,
}
