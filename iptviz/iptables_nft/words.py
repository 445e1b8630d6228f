"""Constants of nft in the words of iptables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.nft.expressions import AnonymousSet, Element, Prefix, Range, Value
from iptviz.xtables.address import Network, full_mask
from iptviz.xtables.values.addresses import show_host, show_network
from iptviz.xtables.values.protocols import PROTOCOLS
from iptviz.xtables.words import quote_word, save_string

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.expressions import Expression

_VERSIONS = {"ipv4_addr": 4, "ipv6_addr": 6}
_NAMED = (1, 4, 6, 17, 33, 47, 50, 51, 58, 108, 132, 135, 136)
"""The protocols whose names iptables has without /etc/protocols."""
_LAST_PORT = 65535
_LINE_ENDS = re.compile(r"[ \t]*[\r\n]+[ \t]*")


def quoted(text: str) -> str:
    """Return a text as one word that no reader takes for `!` or for an option."""
    line = _LINE_ENDS.sub(" ", text)
    return save_string(f" {line}" if line[:1] in {"!", "-"} else line)


def bare(text: str) -> str:
    """Return a name as one word, in quotes only where it needs them."""
    return quote_word(_LINE_ENDS.sub(" ", text))


def number_of(expression: Expression) -> int | None:
    """Return a constant number."""
    is_number = isinstance(expression, Value) and isinstance(expression.data, int)
    return expression.data if is_number else None  # type: ignore[union-attr, return-value]


def network_words(constant: Expression) -> str | None:
    """Return an address with its mask, `10.0.0.0/8`, None for what is neither address nor network."""
    base = constant.base if isinstance(constant, Prefix) else constant
    if not isinstance(base, Value) or base.type not in _VERSIONS or not isinstance(base.data, int):
        return None
    version = _VERSIONS[base.type]
    mask = full_mask(version)
    if isinstance(constant, Prefix):
        bits = mask.bit_length()
        mask = (
            mask >> (bits - constant.length) << (bits - constant.length) if constant.length <= bits else mask
        )
    return show_network(Network(version, base.data & mask, mask))


def masked_words(value: Expression, mask: Expression) -> str | None:
    """Return an address and a mask that may have holes."""
    if not isinstance(value, Value) or value.type not in _VERSIONS:
        return None
    bits, data = number_of(mask), number_of(value)
    if bits is None or data is None or data & ~bits:
        return None
    return show_network(Network(_VERSIONS[value.type], data, bits))


def address_words(constant: Expression) -> str | None:
    """Return a single address without its mask."""
    if (
        not isinstance(constant, Value)
        or constant.type not in _VERSIONS
        or not isinstance(constant.data, int)
    ):
        return None
    version = _VERSIONS[constant.type]
    return show_host(Network(version, constant.data, full_mask(version)))


def range_words(constant: Expression) -> str | None:
    """Return `10.0.0.1-10.0.0.9`, for a network its first and last address."""
    if isinstance(constant, Range):
        low, high = address_words(constant.low), address_words(constant.high)
        return None if low is None or high is None else f"{low}-{high}"
    if isinstance(constant, Prefix) and isinstance(constant.base, Value):
        kind, data = constant.base.type, constant.base.data
        if kind not in _VERSIONS or not isinstance(data, int):
            return None
        open_bits = full_mask(_VERSIONS[kind]) >> constant.length
        ends = Range(Value(kind, data & ~open_bits), Value(kind, data | open_bits))
        return range_words(ends)
    alone = address_words(constant)
    return None if alone is None else f"{alone}-{alone}"


def span_of(operator: str, right: Expression) -> tuple[int, int] | None:
    """Return the first and the last of the 16-bit numbers that a comparison is about, denied or not."""
    if isinstance(right, Range):
        low, high = number_of(right.low), number_of(right.high)
        ends = None if low is None or high is None or operator not in _EQUAL else (low, high)
    else:
        number = number_of(right)
        ends = None if number is None else _ENDS[operator](number) if operator in _ENDS else None
    return ends if ends is not None and 0 <= ends[0] <= ends[1] <= _LAST_PORT else None


_EQUAL = {"==", "!="}
_ENDS: dict[str, Callable[[int], tuple[int, int]]] = {
    "==": lambda number: (number, number),
    "!=": lambda number: (number, number),
    "<=": lambda number: (0, number),
    ">=": lambda number: (number, _LAST_PORT),
    "<": lambda number: (0, number - 1),
    ">": lambda number: (number + 1, _LAST_PORT),
}


def span_words(ends: tuple[int, int]) -> str:
    """Return `80` or `80:90`."""
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]}:{ends[1]}"


def protocol_words(number: int) -> str:
    """Return what iptables-save prints for a protocol."""
    return PROTOCOLS[number] if number in _NAMED else str(number)


def plain_keys(found: Expression) -> list[Expression] | None:
    """Return the keys of a set that has nothing but keys, or the only one that stands in place of a set."""
    if not isinstance(found, AnonymousSet):
        return [found]
    keys = [element.key for element in found.elements]
    return keys if all(one == Element(one.key) for one in found.elements) else None
