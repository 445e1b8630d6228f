"""How iptables-save prints values that have names: levels of logs, TOS, classes of DSCP, types of REJECT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.numbers import read_uint
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.saving import Saving

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


SYMBOL_KINDS: dict[str, Callable[[str, Saving], str]] = {
    "log-level": _log_level,
    "reject-type": _reject_type,
    "set-tos": _set_tos,
}
