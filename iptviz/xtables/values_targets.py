"""How iptables-save prints values that only targets take: log levels, reject types, and more."""

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

    if (number := read_uint(text)) is not None:
        return str(number)
    make = ipaddress.IPv4Address if saving.family == "ipv4" else ipaddress.IPv6Address
    try:
        mask = make(text)
    except ValueError:
        return quote_word(text)
    length = int(mask).bit_count()
    whole = int(mask) == ((1 << length) - 1) << (mask.max_prefixlen - length)
    return str(length) if whole else quote_word(text)


def _mac_upper(text: str, _saving: Saving) -> str:
    if not _MAC.fullmatch(text):
        return quote_word(text)
    return ":".join(f"{int(part, 16):02X}" for part in text.split(":"))


_MAC = re.compile(r"(?:[0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}")

# --- names of numbers --------------------------------------------------------------------------------------

_LOG_LEVELS = {
    "emerg": 0,
    "panic": 0,
    "alert": 1,
    "crit": 2,
    "error": 3,
    "warning": 4,
    "notice": 5,
    "info": 6,
    "debug": 7,
}


def _log_level(text: str, _saving: Saving) -> str:
    level = _LOG_LEVELS.get(text, read_uint(text))
    return quote_word(text) if level is None else str(level)


_TOS_NAMES = {
    "minimize-delay": 0x10,
    "maximize-throughput": 0x08,
    "maximize-reliability": 0x04,
    "minimize-cost": 0x02,
    "normal-service": 0x00,
}
_TOS_NAME_MASK = 0x3F


def split_tos(text: str) -> tuple[int, int] | None:
    """Read `VALUE[/MASK]` or a name as two numbers of 8 bits; a name leaves the two bits of ECN alone."""
    if (named := _TOS_NAMES.get(text.lower())) is not None:
        return named, _TOS_NAME_MASK
    value_text, slash, mask_text = text.partition("/")
    value, mask = read_uint(value_text), read_uint(mask_text) if slash else 0xFF
    return None if value is None or mask is None else (value & 0xFF, mask & 0xFF)


def _set_tos(text: str, _saving: Saving) -> str:
    tos = split_tos(text)
    return quote_word(text) if tos is None else f"0x{tos[0]:02x}/0x{tos[1]:02x}"


_DSCP_CLASSES = {
    "be": 0x00,
    "ef": 0x2E,
    **{f"cs{number}": number << 3 for number in range(8)},
    **{f"af{number}{drop}": (number << 3) | (drop << 1) for number in range(1, 5) for drop in range(1, 4)},
}


def dscp_of_class(name: str) -> int | None:
    """Return the number of a class of DSCP such as `EF` or `AF11`, or None."""
    return _DSCP_CLASSES.get(name.lower())


# In the order in which iptables compares them: the beginning of a name or of its alias is enough.
_REJECT_TYPES = {
    "ipv4": (
        ("icmp-net-unreachable", "net-unreach"),
        ("icmp-host-unreachable", "host-unreach"),
        ("icmp-proto-unreachable", "proto-unreach"),
        ("icmp-port-unreachable", "port-unreach"),
        ("icmp-net-prohibited", "net-prohib"),
        ("icmp-host-prohibited", "host-prohib"),
        ("tcp-reset", "tcp-rst"),
        ("icmp-admin-prohibited", "admin-prohib"),
    ),
    "ipv6": (
        ("icmp6-no-route", "no-route"),
        ("icmp6-adm-prohibited", "adm-prohibited"),
        ("icmp6-addr-unreachable", "addr-unreach"),
        ("icmp6-port-unreachable", "port-unreach"),
        ("tcp-reset", "tcp-reset"),
        ("icmp6-policy-fail", "policy-fail"),
        ("icmp6-reject-route", "reject-route"),
    ),
}


def _reject_type(text: str, saving: Saving) -> str:
    asked = text.lower()
    types = _REJECT_TYPES.get(saving.family, ())
    found = (names[0] for names in types if any(name.startswith(asked) for name in names))
    return next(found, quote_word(text))


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
    "log-level": _log_level,
    "mac-upper": _mac_upper,
    "nflog-prefix": _nflog_prefix,
    "prefix-length": _prefix_length,
    "queue-range": _queue_range,
    "reject-type": _reject_type,
    "set-tos": _set_tos,
    "string29": partial(_cut_string, 29),
    "string31": partial(_cut_string, 31),
    "tcp-options": _tcp_options,
    "word15": partial(_cut_word, 15),
    "word27": partial(_cut_word, 27),
    "word31": partial(_cut_word, 31),
}
