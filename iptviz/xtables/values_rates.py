"""How iptables-save prints rates and chances: `3/m`, `2mbit`, `0.5`."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.saving import Saving

# --- packets in a time -----------------------------------------------------------------------------------

# Units as typed, of which the beginning is enough, and as printed; the kernel counts in 1/10000 s.
_SCALE = 10000
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_PRINTED = (("day", 86400), ("hour", 3600), ("min", 60), ("sec", 1))
_RATE = re.compile(r"[ \t]*\+?([0-9]{1,10})[^/]*(?:/([a-z]+))?", re.IGNORECASE | re.ASCII)


def _limit_rate(text: str, _saving: Saving) -> str:
    """Print the number of 1/10000 s between two packets, which rounds the rate (libxt_limit.c)."""
    found = _RATE.fullmatch(text)
    seconds = read_unit(text)
    number = int(found[1]) if found else 0
    if not seconds or not number or number > seconds * _SCALE:
        return quote_word(text)
    return print_period(_SCALE * seconds // number, _SCALE)[0]


def read_unit(text: str) -> int:
    """Return the seconds of what follows the slash, 1 without a slash, and 0 for what is no unit."""
    _, slash, unit = text.partition("/")
    name = unit.lower() if slash else "second"
    return next((_UNITS[unit] for unit in _UNITS if name and unit.startswith(name)), 0)


def print_period(period: int, scale: int) -> tuple[str, int]:
    """Return the rate, and its unit in seconds; `period` lies between two packets, `scale` makes a second.

    The unit is the last that is neither shorter than the period nor divided too coarsely.
    """
    name, seconds = _PRINTED[0]
    for next_name, next_seconds in _PRINTED[1:]:
        length = next_seconds * scale
        if period > length or length // period < length % period:
            break
        name, seconds = next_name, next_seconds
    return f"{seconds * scale // period}/{name}", seconds


# --- bits in a second ------------------------------------------------------------------------------------

_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4}
_SUFFIXES = {
    "": 1,
    "bit": 1,
    "bps": 8,
    **{
        f"{letter}{binary}{unit}": bits * base**power
        for letter, power in _POWERS.items()
        for binary, base in (("i", 1024), ("", 1000))
        for unit, bits in (("bit", 1), ("bps", 8))
    },
}
_BITS = re.compile(r"([0-9]{1,20}(?:\.[0-9]{0,20})?)([a-z]{0,5})", re.IGNORECASE | re.ASCII)
_MILLION = 1_000_000


def _bit_rate(text: str, _saving: Saving) -> str:
    """Print the number of bytes, whole and of 32 bits, as bits (libxt_rateest.c)."""
    found = _BITS.fullmatch(text)
    scale = _SUFFIXES.get(found[2].lower()) if found else None
    if not found or scale is None:
        return quote_word(text)
    bits = int(float(found[1]) * scale / 8) * 8
    if bits >> 35:  # more bytes than the field holds
        return quote_word(text)
    if bits >= 1000 * _MILLION:
        return f"{bits / _MILLION:.0f}Mbit"
    return f"{bits / 1000:.0f}Kbit" if bits >= _MILLION else f"{bits}bit"


# --- chances ---------------------------------------------------------------------------------------------

_DECIMAL = re.compile(r"\+?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_HEXADECIMAL = re.compile(r"\+?0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*(?:[pP][-+]?[0-9]+)?")
_PARTS = 1 << 31
_LONGEST = 1000  # no number between 0 and 1 needs as many digits


def _probability(text: str, _saving: Saving) -> str:
    """Print k/2^31 with 11 decimals, k the nearest (libxt_statistic.c)."""
    try:
        chance = _read_float(text)
    except (ValueError, OverflowError):
        return quote_word(text)
    if not 0 <= chance <= 1:
        return quote_word(text)
    return f"{math.floor(chance * _PARTS + 0.5) / _PARTS:.11f}"


def _read_float(text: str) -> float:
    """Read a number as strtod does."""
    if len(text) > _LONGEST:
        raise ValueError(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _HEXADECIMAL.fullmatch(text):
        return float.fromhex(text)
    raise ValueError(text)


RATE_KINDS: dict[str, Callable[[str, Saving], str]] = {
    "limit-rate": _limit_rate,
    "bit-rate": _bit_rate,
    "probability": _probability,
}
