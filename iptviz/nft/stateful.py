"""Statements that count, with an element of a set or on their own: counter, limit, quota, `ct count`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.nft.counting import ConnectionLimit, Counter, Last, Limit, Quota
from iptviz.nft.tokens import read_number
from iptviz.nft.words import NotReadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.counting import Stateful
    from iptviz.nft.words import Words

BYTES = {"bytes": 1, "kbytes": 1 << 10, "mbytes": 1 << 20, "gbytes": 1 << 30}
"""How many bytes a unit is."""

DEFAULT_BURST = 5
"""So many packets may come at once where nobody says (netlink_linearize.c)."""

_RATE = re.compile(r"(\d{1,19})/(\w+)", re.ASCII)


def read_counter(words: Words) -> Stateful:
    """Read `counter packets 3 bytes 4`, or without numbers."""
    words.expect("counter")
    if not words.skip("packets"):
        return Counter()
    packets = words.number()
    words.expect("bytes")
    return Counter(packets, words.number())


def _is_over(words: Words) -> bool:
    over = words.skip("over")
    if not over:
        words.skip("until")
    return over


def read_limit(words: Words) -> Limit:
    """Read `limit rate over 10/second burst 5 packets`, or bytes instead of packets."""
    words.expect("limit")
    words.expect("rate")
    over = _is_over(words)
    word = words.take()
    if found := _RATE.fullmatch(word):
        return Limit(int(found[1]), "packets", found[2], _burst(words, DEFAULT_BURST), over)
    rate, unit = read_number(word), words.take()
    unit, slash, per = unit.partition("/")
    if rate is None or not slash:
        raise NotReadError
    if unit == "packets":
        return Limit(rate, unit, per, _burst(words, DEFAULT_BURST), over)
    if unit not in BYTES:
        raise NotReadError
    return Limit(rate * BYTES[unit], "bytes", per, _burst(words, 0), over)


def _burst(words: Words, default: int) -> int:
    if not words.skip("burst"):
        return default
    number = words.number()
    return number * BYTES[words.take()] if words.peek() in BYTES else (words.skip("packets"), number)[1]


def _amount(words: Words) -> int:
    number = words.number()
    return number * BYTES[words.one_of(BYTES)]


def read_quota(words: Words) -> Quota:
    """Read `quota over 20 mbytes used 3 bytes`."""
    words.expect("quota")
    over = _is_over(words)
    amount = _amount(words)
    return Quota(amount, over, _amount(words) if words.skip("used") else None)


def read_connection_limit(words: Words) -> ConnectionLimit:
    """Read `ct count over 5`."""
    words.expect("ct")
    words.expect("count")
    over = _is_over(words)
    return ConnectionLimit(words.number(), over)


def _last(words: Words) -> Last:
    words.expect("last")
    return Last(words.take() if words.skip("used") else "")


_READERS: dict[str, Callable[[Words], Stateful]] = {
    "counter": read_counter,
    "limit": read_limit,
    "quota": read_quota,
    "ct": read_connection_limit,
    "last": _last,
}
STATEFUL = frozenset(_READERS)
"""The keywords that begin one of them, where nothing else may stand."""


def read_stateful(words: Words) -> Stateful:
    """Read one of them."""
    return _READERS[words.peek()](words)
