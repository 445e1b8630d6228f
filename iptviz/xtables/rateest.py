"""RATEEST's two times, which the kernel keeps as powers of two and iptables-save prints as such.

The interval becomes the quarter of a second times a power of two that is not shorter; the time constant is a
power of two of the interval, the greatest whose exponential average does not run longer (libxt_RATEEST.c).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from iptviz.xtables.option import Option

if TYPE_CHECKING:
    from iptviz.xtables.saving import Saving

_SECOND = 1_000_000
_UNITS = {
    "": 1,
    **dict.fromkeys(("s", "sec", "secs"), _SECOND),
    **dict.fromkeys(("ms", "msec", "msecs"), 1000),
    **dict.fromkeys(("us", "usec", "usecs"), 1),
}
_TIME = re.compile(
    r"((?:[0-9]{1,12}\.?[0-9]{0,12}|\.[0-9]{1,12})(?:e[+-]?[0-9]{1,2})?)([a-z]{0,5})", re.IGNORECASE
)
_OVERFLOW = 1 << 32


def rewrite_rateest(options: list[Option], _saving: Saving) -> list[Option]:
    """Return the options with the times that the kernel keeps; as they stand where a time cannot be read."""
    typed = {option.name: _microseconds(option.values[0]) for option in options if option.values}
    interval, constant = typed.get("--rateest-interval"), typed.get("--rateest-ewmalog")
    kept = _kept(interval, constant) if interval and constant else None
    if kept is None:
        return options
    printed = dict(zip(("--rateest-interval", "--rateest-ewmalog"), map(_print, kept), strict=True))
    return [
        Option(option.name, negated=False, values=(printed.get(option.name, *option.values),))
        if option.name in printed
        else option
        for option in options
    ]


def _microseconds(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    unit = _UNITS.get(found[2].lower()) if found else None
    return None if found is None or unit is None else int(float(found[1]) * unit) % _OVERFLOW


def _kept(interval: int, constant: int) -> tuple[int, int] | None:
    """Return both times in microseconds as the kernel has them, or None if iptables refuses."""
    length = next((length for length in _LENGTHS if interval <= length), None)
    power = next(
        (power for power in range(1, 32) if interval / -math.log(1 - 1 / (1 << power)) > constant), 32
    )
    if length is None or power == 1 or length << (power - 1) >= _OVERFLOW:
        return None
    return length, length << (power - 1)


_LENGTHS = tuple((_SECOND // 4) << power for power in range(6))


def _print(time: int) -> str:
    return f"{time / _SECOND:.1f}s" if time >= _SECOND else f"{time / 1000:.1f}ms"
