"""How iptables-save prints the match `rateest` and the target `RATEEST`."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from iptviz.xtables.option import Option, with_quotes
from iptviz.xtables.values.kinds import print_value
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from iptviz.xtables.option import Saving

# --- the match -------------------------------------------------------------------------------------------

# The rows of its table give every option one place, so what is compared is printed with the estimator's name.
_MODES = ("--rateest-lt", "--rateest-gt", "--rateest-eq")
_NOTHING = {"bps": "0bit", "pps": "0"}


def rewrite_rateest_match(options: list[Option], saving: Saving) -> list[Option]:
    """Return the first estimator, all that is compared with it being its printed value (libxt_rateest.c)."""
    typed = {option.name: option for option in options}
    name = typed.get("--rateest", typed.get("--rateest1"))
    modes = [option for option in options if option.name in _MODES]
    if name is None or not modes:
        return with_quotes(options, "--rateest", "--rateest1")
    mode = modes[-1]._replace(negated=any(option.negated for option in modes)).text()
    other = typed.get("--rateest2")
    texts = [" ".join(map(quote_word, name.values)), *_comparisons(typed, mode, saving)]
    texts += [other.text()] if other else []
    first = Option("--rateest1" if other else "--rateest", negated=False, values=(" ".join(texts),))
    return [*(option for option in options if option.name == "--rateest-delta"), first]


def _comparisons(typed: dict[str, Option], mode: str, saving: Saving) -> list[str]:
    return [
        _comparison(unit, typed, mode, saving)
        for unit in _NOTHING
        if any(f"--rateest-{unit}{place}" in typed for place in ("", "1", "2"))
    ]


def _comparison(unit: str, typed: dict[str, Option], mode: str, saving: Saving) -> str:
    """Return what is compared of `unit`: two differences, a rate alone, or the other estimator's rate."""
    first = typed.get(f"--rateest-{unit}1")
    second = typed.get(f"--rateest-{unit}2", typed.get(f"--rateest-{unit}"))
    values = [_rate(unit, option, saving) for option in (first, second)]
    if "--rateest-delta" in typed:
        return f"--rateest-{unit}1 {values[0]} {mode} --rateest-{unit}2 {values[1]}"
    return f"{mode} --rateest-{unit}" + ("" if "--rateest2" in typed else f" {values[1]}")


def _rate(unit: str, option: Option | None, saving: Saving) -> str:
    if option is None or not option.values:
        return _NOTHING[unit]
    return print_value("bit-rate" if unit == "bps" else "uint", option.values[0], saving)


# --- the target's two times --------------------------------------------------------------------------------

# The kernel keeps them as powers of two, and iptables-save prints them as such. The interval becomes the quarter
# of a second times a power of two that is not shorter; the time constant is a power of two of the interval, the
# greatest whose exponential average does not run longer (libxt_RATEEST.c).
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


def rewrite_rateest_target(options: list[Option], _saving: Saving) -> list[Option]:
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
