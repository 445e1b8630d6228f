"""How iptables-save prints ranges: of numbers, of users and groups, of addresses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from iptviz.xtables.names import group_number, user_number
from iptviz.xtables.numbers import read_uint
from iptviz.xtables.values_nat import full_address, print_ipv6
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.saving import Saving

# --- numbers ---------------------------------------------------------------------------------------------


def _open_range(last: int, text: str, _saving: Saving) -> str:
    """Print `:5` as `0:5`, `5:` as `5:` and the last number, `5:5` as `5` (xtopt_parse_mint)."""
    low, colon, high = text.partition(":")
    first_number = read_uint(low) if low or not colon else 0
    last_number = (read_uint(high) if high else last) if colon else first_number
    if first_number is None or last_number is None or max(first_number, last_number) > last:
        return quote_word(text)
    return str(first_number) if first_number == last_number else f"{first_number}:{last_number}"


def _owners(number_of: Callable[[str], int | None], text: str, _saving: Saving) -> str:
    """Print a user or group, a name as its number, or a range of numbers (libxt_owner.c)."""
    named = number_of(text)
    first, dash, last = text.partition("-")
    numbers = [named] if named is not None else [read_uint(one) for one in (first, last if dash else first)]
    if None in numbers:
        return quote_word(text)
    return "-".join(map(str, dict.fromkeys(numbers)))


# --- addresses -------------------------------------------------------------------------------------------

_BYTES = 4
_FULL_BYTE = 0xFF


def _dotted(parts: list[int]) -> str:
    return ".".join(map(str, parts))


def _read_parts(text: str) -> list[int] | None:
    """Read up to four numbers between dots."""
    words = text.split(".", _BYTES)
    parts = [number for word in words if (number := read_uint(word)) is not None]
    return parts if len(parts) == len(words) <= _BYTES else None


def padded_ipv4(text: str) -> str | None:
    """Read an address whose missing numbers are zeros at its end: `10.1` is 10.1.0.0 (xtables.c)."""
    parts = _read_parts(text)
    if parts is None or max(parts) > _FULL_BYTE:
        return None
    return _dotted([*parts, *[0] * (_BYTES - len(parts))])


def _classic_ipv4(text: str) -> str | None:
    """Read an address as inet_aton does, whose last number fills what is missing: `10.1` is 10.0.0.1."""
    parts = _read_parts(text)
    if parts is None or max([*parts[:-1], 0]) > _FULL_BYTE or parts[-1] >> 8 * (_BYTES + 1 - len(parts)):
        return None
    last = parts[-1].to_bytes(_BYTES + 1 - len(parts), "big")
    return _dotted([*parts[:-1], *last])


def _ipv6(text: str) -> str | None:
    import ipaddress

    if "%" in text:  # a scope, which no rule has
        return None
    try:
        return print_ipv6(int(ipaddress.IPv6Address(text)))
    except ValueError:
        return None


def _ip_range(text: str, saving: Saving) -> str:
    """Print iprange's two addresses; one alone is both ends."""
    read = padded_ipv4 if saving.family == "ipv4" else _ipv6
    first_text, dash, last_text = text.partition("-")
    first = read(first_text)
    last = read(last_text) if dash else first
    return quote_word(text) if first is None or last is None else f"{first}-{last}"


def _ip_mask(text: str, saving: Saving) -> str:
    """Print recent's mask, which is read as an address and not as a length."""
    read = _classic_ipv4 if saving.family == "ipv4" else _ipv6
    return read(text) or quote_word(text)


def _ipv6_list(text: str, _saving: Saving) -> str:
    addresses: list[str] = []
    for word in text.split(","):
        if (address := _ipv6(word)) is None:
            return quote_word(text)
        addresses.append(address)
    return ",".join(addresses)


def _host_mask(text: str, saving: Saving, *, always: bool) -> str:
    """Print `address/mask` with the bits of the host left in; a full mask only if `always`."""
    address_text, _, mask_text = text.partition("/")
    bits = 32 if saving.family == "ipv4" else 128
    address = full_address(address_text, saving.family)
    try:
        mask = _mask_text(mask_text, bits)
    except ValueError:
        return quote_word(text)
    if address is None:
        return quote_word(text)
    return address if mask == str(bits) and not always else f"{address}/{mask}"


def _mask_text(text: str, bits: int) -> str:
    """Return a mask as its length, or as an address if it has holes; ValueError for what is no mask."""
    import ipaddress

    number = read_uint(text) if text else bits
    if number is not None:
        if number > bits:
            raise ValueError(text)
        return str(number)
    mask = ipaddress.ip_address(text)
    length = int(mask).bit_count()
    holes = int(mask) != ((1 << length) - 1) << (bits - length)
    return str(mask) if holes else str(length)


RANGE_KINDS: dict[str, Callable[[str, Saving], str]] = {
    "range8": partial(_open_range, (1 << 8) - 1),
    "range16": partial(_open_range, (1 << 16) - 1),
    "range32": partial(_open_range, (1 << 32) - 1),
    "users": partial(_owners, user_number),
    "groups": partial(_owners, group_number),
    "ip-range": _ip_range,
    "ip-mask": _ip_mask,
    "ipv6-list": _ipv6_list,
    "host-mask": partial(_host_mask, always=False),
    "host-length": partial(_host_mask, always=True),
}
