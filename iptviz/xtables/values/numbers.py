"""Numbers: plain ones, ranges, chances, and numbers of which a mask says which bits count."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

ALL_BITS = 0xFFFFFFFF
"""All bits of a mark."""

_UINT = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}")


def read_uint(text: str) -> int | None:
    """Read a number as strtoul with base 0 does: decimal, 0x hexadecimal, 0 octal; None for anything else."""
    if not _UINT.fullmatch(text):
        return None
    octal = len(text) > 1 and text[0] == "0" and text[1] not in "xX"
    try:
        return int(text, 8 if octal else 0)
    except ValueError:
        return None


def read_uint8(text: str) -> int | None:
    """Read a number without the bits that the kernel has no room for."""
    number = read_uint(text)
    return None if number is None else number & 0xFF


def read_uint16(text: str) -> int | None:
    """Read a number without the bits that the kernel has no room for."""
    number = read_uint(text)
    return None if number is None else number & 0xFFFF


def read_led_delay(text: str) -> int | None:
    """Read a delay in milliseconds, of which `inf` is the number -1 (libxt_LED.c)."""
    number = ALL_BITS if text[:3].lower() == "inf" else read_uint(text)
    if number is None or number > ALL_BITS:
        return None
    return number - (1 << 32) if number >> 31 else number


_CLASS = r"(?:0[xX])?([0-9a-fA-F]{1,8}):(?:0[xX])?([0-9a-fA-F]{1,8})"


def read_class(text: str) -> tuple[int, int] | None:
    """Read a class of traffic control, whose two numbers are hexadecimal and of 16 bits."""
    found = re.fullmatch(_CLASS, text)
    return (int(found[1], 16) & 0xFFFF, int(found[2], 16) & 0xFFFF) if found else None


def show_class(numbers: tuple[int, int]) -> str:
    """Show `1:10` as `0001:0010`."""
    return ":".join(f"{number:04x}" for number in numbers)


# --- ranges ----------------------------------------------------------------------------------------------


class Range(NamedTuple):
    """The numbers from `first` to `last`, both included."""

    first: int
    last: int


def read_open_range(text: str, last: int) -> Range | None:
    """Read `5`, `5:9`, `:9` or `5:`, where `last` is the greatest number (xtopt_parse_mint)."""
    low, colon, high = text.partition(":")
    first_number = read_uint(low) if low or not colon else 0
    last_number = (read_uint(high) if high else last) if colon else first_number
    if first_number is None or last_number is None or max(first_number, last_number) > last:
        return None
    return Range(first_number, last_number)


def show_range(numbers: Range) -> str:
    """Show `80:80` as `80`."""
    first, last = numbers
    return str(first) if first == last else f"{first}:{last}"


def show_both_ends(numbers: Range) -> str:
    """Show `80:80` as it is."""
    return f"{numbers.first}:{numbers.last}"


def read_dashed_range(text: str) -> Range | None:
    """Read `5` or `5-9`."""
    low, dash, high = text.partition("-")
    first, last = read_uint(low), read_uint(high if dash else low)
    return None if first is None or last is None else Range(first, last)


def show_dashed_range(numbers: Range) -> str:
    """Show `5-5` as `5`."""
    first, last = numbers
    return str(first) if first == last else f"{first}-{last}"


def read_queue_range(text: str) -> Range | None:
    """Read `1:3`, `:3` for `0:3` and `3:` for `3:65535`; one queue alone is no range."""
    low, colon, high = text.partition(":")
    first, last = read_uint(low or "0"), read_uint(high or "65535")
    return None if not colon or first is None or last is None else Range(first, last)


_LAST_COUNT = (1 << 64) - 1


def read_count(text: str) -> Range | None:
    """Read a range of bytes or packets; one without an end goes on to the greatest number (libxt_connbytes.c)."""
    low, colon, high = text.partition(":")
    first = read_uint(low) if low or not colon else 0
    last = read_uint(high) if high else _LAST_COUNT
    if first is None or last is None or max(first, last) > _LAST_COUNT:
        return None
    return Range(first, last or _LAST_COUNT)


def show_count(count: Range) -> str:
    """Show a range of bytes or packets; of one without an end, or with the end 0, its start."""
    return str(count.first) if count.last == _LAST_COUNT else f"{count.first}:{count.last}"


# --- numbers with a mask ---------------------------------------------------------------------------------


class Masked(NamedTuple):
    """A number, and the mask of the bits that count: of a mark, a device group, a realm, a type of service."""

    value: int
    mask: int


def read_mark(text: str) -> Masked | None:
    """Read `VALUE` or `VALUE/MASK`, of 32 bits both (xtopt_parse_markmask)."""
    value_text, slash, mask_text = text.partition("/")
    value, mask = read_uint(value_text), read_uint(mask_text) if slash else ALL_BITS
    if value is None or mask is None or max(value, mask) > ALL_BITS:
        return None
    return Masked(value, mask)


def show_mark(mark: Masked) -> str:
    """Show the value, and the mask where not all bits count."""
    value, mask = mark
    return f"{value:#x}" if mask == ALL_BITS else f"{value:#x}/{mask:#x}"


def show_xmark(mark: Masked) -> str:
    """Show value and mask, as `--set-xmark` always does."""
    return f"{mark.value:#x}/{mark.mask:#x}"


def show_device_group(group: Masked) -> str:
    """Show a group of devices: 0 is `default` in the table of groups that iproute2 brings (libxt_devgroup.c)."""
    return "default" if group == (0, ALL_BITS) else show_mark(group)


def bit_change(option: str, operand: Masked, full: int) -> Masked | None:
    """Return what an operation of MARK, CONNMARK or TOS comes to: `(old & ~mask) ^ value`.

    `full` has all bits of what is changed; None for any other option (libxt_MARK.c, libxt_TOS.c).
    """
    change = _CHANGES.get(option)
    return None if change is None else Masked(*change(operand.value, operand.mask, full))


_CHANGES: dict[str, Callable[[int, int, int], tuple[int, int]]] = {
    "--set-xmark": lambda value, mask, _full: (value, mask),
    "--set-tos": lambda value, mask, _full: (value, mask),
    "--set-mark": lambda value, mask, _full: (value, value | mask),
    **dict.fromkeys(("--and-mark", "--and-tos"), lambda value, _mask, full: (0, value ^ full)),
    **dict.fromkeys(("--or-mark", "--or-tos"), lambda value, _mask, _full: (value, value)),
    **dict.fromkeys(("--xor-mark", "--xor-tos"), lambda value, _mask, _full: (value, 0)),
}

# --- chances ---------------------------------------------------------------------------------------------

RANDOM_BITS = 31
"""Of the kernel's random number (net/netfilter/xt_statistic.c)."""

_DECIMAL = frozenset("0123456789.eE+-")
_HEXADECIMAL = frozenset("0123456789abcdefABCDEFxXpP.+-")
_LONGEST = 1000  # no number between 0 and 1 needs as many digits


def read_probability(text: str) -> int | None:
    """Read a number in [0, 1] as how many of 2^31 random numbers match: the nearest (libxt_statistic.c)."""
    chance = _read_float(text)
    if chance is None or not 0 <= chance <= 1:
        return None
    exact = math.ldexp(chance, RANDOM_BITS)
    whole = math.floor(exact)
    return whole + (exact - whole >= 0.5)  # adding the half first would round once more


def show_probability(matching: int) -> str:
    """Show the share of 2^31 with 11 decimals."""
    return f"{math.ldexp(matching, -RANDOM_BITS):.11f}"


def _read_float(text: str) -> float | None:
    """Read a number as strtod does, which unlike Python knows no `_` in it; one below zero is not needed."""
    if len(text) > _LONGEST or text.startswith("-"):
        return None
    hexadecimal = text.removeprefix("+")[:2] in {"0x", "0X"}
    if not _HEXADECIMAL.issuperset(text) if hexadecimal else not _DECIMAL.issuperset(text):
        return None
    try:
        return float.fromhex(text) if hexadecimal else float(text)
    except (ValueError, OverflowError):
        return None
