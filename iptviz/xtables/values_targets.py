"""How iptables-save prints values that only targets take: texts that are cut, numbers, lists."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from iptviz.xtables.numbers import read_uint
from iptviz.xtables.words import quote_word, save_string

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.saving import Saving

# --- text that is cut --------------------------------------------------------------------------------------


def _cut(text: str, limit: int) -> str:
    """Return the first `limit` bytes of `text`: longer text is cut silently to the room the kernel has."""
    if len(text) * 4 <= limit:
        return text
    try:
        return text.encode("utf-8", "surrogateescape")[:limit].decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text[:limit]


def _cut_word(limit: int, text: str, _saving: Saving) -> str:
    return quote_word(_cut(text, limit))


def _cut_string(limit: int, text: str, _saving: Saving) -> str:
    return save_string(_cut(text, limit))


def _nflog_prefix(text: str, saving: Saving) -> str:
    """Print the prefix, for which nftables' own log expression has twice the room (NF_LOG_PREFIXLEN)."""
    return save_string(_cut(text, 127 if saving.backend == "nf_tables" else 63))


def _always_quoted(text: str, _saving: Saving) -> str:
    """Print LED's name, always in quotes, with no backslash before a single quote (libxt_LED.c)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# --- numbers -----------------------------------------------------------------------------------------------


def _hexadecimal(digits: int, text: str, _saving: Saving) -> str:
    """Print the number as `0x` and at least `digits` digits."""
    number = read_uint(text)
    return quote_word(text) if number is None else f"0x{number:0{digits}x}"


def _wrapped(limit: int, text: str, _saving: Saving) -> str:
    """Print the number without the bits that the kernel has no room for."""
    number = read_uint(text)
    return quote_word(text) if number is None else str(number & limit)


def _led_delay(text: str, _saving: Saving) -> str:
    """Print the delay, of which `inf` is the number -1 (libxt_LED.c)."""
    number = 0xFFFFFFFF if text[:3].lower() == "inf" else read_uint(text)
    if number is None or number > 0xFFFFFFFF:
        return quote_word(text)
    return str(number - (1 << 32) if number >> 31 else number)


def _queue_range(text: str, _saving: Saving) -> str:
    """Print `:3` as `0:3` and `3:` as `3:65535`."""
    low, colon, high = text.partition(":")
    first, last = read_uint(low or "0"), read_uint(high or "65535")
    return quote_word(text) if not colon or first is None or last is None else f"{first}:{last}"


_CLASS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,8}):(?:0[xX])?([0-9a-fA-F]{1,8})")


def _class(text: str, _saving: Saving) -> str:
    """Print a class of traffic control, whose two numbers are hexadecimal and of 16 bits."""
    found = _CLASS.fullmatch(text)
    return ":".join(f"{int(part, 16) & 0xFFFF:04x}" for part in found.groups()) if found else quote_word(text)


def _prefix_length(text: str, saving: Saving) -> str:
    """Print a mask as its length; masks with holes have none."""
    import ipaddress

    make, bits = (ipaddress.IPv4Address, 32) if saving.family == "ipv4" else (ipaddress.IPv6Address, 128)
    if (number := read_uint(text)) is not None and number <= bits:
        return str(number)
    try:
        mask = int(make(text))
    except ValueError:
        return quote_word(text)
    length = mask.bit_count()
    whole = mask == ((1 << length) - 1) << (bits - length)
    return str(length) if whole else quote_word(text)


def _mac_upper(text: str, _saving: Saving) -> str:
    if not _MAC.fullmatch(text):
        return quote_word(text)
    return ":".join(f"{int(part, 16):02X}" for part in text.split(":"))


_MAC = re.compile(r"(?:[0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}")

# --- lists -------------------------------------------------------------------------------------------------

_TCP_OPTIONS = {"mss": 2, "wscale": 3, "sack-permitted": 4, "sack": 5, "timestamp": 8, "md5": 19}


def _tcp_options(text: str, _saving: Saving) -> str:
    """Print the numbers of the options, which are a set of bits."""
    numbers = [_TCP_OPTIONS.get(one, read_uint(one)) for one in text.split(",")]
    if None in numbers:
        return quote_word(text)
    return ",".join(map(str, sorted(number for number in set(numbers) if number is not None)))


_CT_EVENTS = (
    "new",
    "related",
    "destroy",
    "reply",
    "assured",
    "protoinfo",
    "helper",
    "mark",
    "natseqinfo",
    "secmark",
)


def _ct_events(text: str, _saving: Saving) -> str:
    asked = set(text.split(","))
    if not asked.issubset(_CT_EVENTS):
        return quote_word(text)
    return ",".join(event for event in _CT_EVENTS if event in asked)


TARGET_KINDS: dict[str, Callable[[str, Saving], str]] = {
    "always-quoted": _always_quoted,
    "class": _class,
    "ct-events": _ct_events,
    "hex": partial(_hexadecimal, 1),
    "hex2": partial(_hexadecimal, 2),
    "hex4": partial(_hexadecimal, 4),
    "hex8": partial(_hexadecimal, 8),
    "led-delay": _led_delay,
    "mac-upper": _mac_upper,
    "nflog-prefix": _nflog_prefix,
    "prefix-length": _prefix_length,
    "queue-range": _queue_range,
    "string29": partial(_cut_string, 29),
    "string31": partial(_cut_string, 31),
    "tcp-options": _tcp_options,
    "uint16": partial(_wrapped, 0xFFFF),
    "uint8": partial(_wrapped, 0xFF),
    "word15": partial(_cut_word, 15),
    "word27": partial(_cut_word, 27),
    "word31": partial(_cut_word, 31),
}
