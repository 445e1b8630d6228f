"""How iptables-save prints the matches that limit something: `limit`, `connlimit` and `hashlimit`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.xtables.option import Option
from iptviz.xtables.values.addresses import read_mask_length
from iptviz.xtables.values.numbers import read_uint
from iptviz.xtables.values.times import print_period, read_unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.xtables.option import Saving

# --- limit -----------------------------------------------------------------------------------------------


def rewrite_limit(options: list[Option], saving: Saving) -> list[Option]:
    """Return the options without a burst of 0, for which nftables' own limit takes the default."""
    kept = saving.backend == "legacy"
    return [option for option in options if kept or option.name != "--limit-burst" or option.values != ("0",)]


# --- connlimit -------------------------------------------------------------------------------------------

_FULL_LENGTHS = {"ipv4": "32", "ipv6": "128"}
_OPPOSITES = {
    f"--{match}-{name}": f"--{match}-{opposite}"
    for match in ("connlimit", "hashlimit")
    for name, opposite in (("upto", "above"), ("above", "upto"))
}
_LIMITS = {"--connlimit-upto", "--connlimit-above"}
_SIDES = {"--connlimit-saddr", "--connlimit-daddr"}


def _without_negation(option: Option) -> Option:
    """Return `! --connlimit-upto` as the `--connlimit-above` that it is, and the other way round."""
    if option.negated and option.name in _OPPOSITES:
        return Option(_OPPOSITES[option.name], negated=False, values=option.values)
    return option


def rewrite_connlimit(options: list[Option], saving: Saving) -> list[Option]:
    """Return the options with a mask and a side, of the source if none was typed (libxt_connlimit.c)."""
    there = {option.name for option in options}
    added = []
    if there & _LIMITS and "--connlimit-mask" not in there:
        added.append(Option("--connlimit-mask", negated=False, values=(_FULL_LENGTHS[saving.family],)))
    if there & _LIMITS and not there & _SIDES:
        added.append(Option("--connlimit-saddr", negated=False, values=()))
    return [*map(_without_negation, options), *added]


# --- hashlimit -------------------------------------------------------------------------------------------

# The kernel keeps a rate as the time between two packets, in microseconds, or as what one byte costs, and a burst
# of bytes as a number of rates: neither gives back each rate that can be typed (libxt_hashlimit.c, revision 3).
_RATES = {"--hashlimit-upto", "--hashlimit-above"}
_MASKS = {"--hashlimit-srcmask", "--hashlimit-dstmask"}
_BURST, _EXPIRE = "--hashlimit-burst", "--hashlimit-htable-expire"
_MATCH, _INTERVAL = "--hashlimit-rate-match", "--hashlimit-rate-interval"
_COMPUTED = {*_RATES, _BURST, _EXPIRE, _INTERVAL}


class _Printed(NamedTuple):
    """A rate and its burst as printed; entries expire after `expire` ms unless told otherwise.

    iptables-save takes `default` for what need not be told: it knows only the rate that is left.
    """

    rate: str
    burst: str
    expire: int
    default: int
    interval: int


def rewrite_hashlimit(options: list[Option], saving: Saving) -> list[Option]:
    """Return the options as they are printed: with a burst, without what is the default."""
    options = [_without_negation(option) for option in options]
    typed = {option.name: option.values[0] if option.values else "" for option in options}
    rates = [option for option in options if option.name in _RATES and option.values]
    printed = _print_rate(rates[0].values[0], typed) if len(rates) == 1 else None
    if printed is None:
        return options
    kept = [option for option in options if option.name not in _COMPUTED and not _is_default(option, saving)]
    return [*kept, *_computed(rates[0].name, printed, typed)]


def _is_default(option: Option, saving: Saving) -> bool:
    value = option.values[0] if option.values else ""
    if option.name in _MASKS:
        return str(read_mask_length(value, saving.family)) == _FULL_LENGTHS[saving.family]
    return option.name == "--hashlimit-mode" and not value.strip(",|")


def _computed(name: str, printed: _Printed, typed: dict[str, str]) -> Iterator[Option]:
    """Yield the options whose values depend on each other."""
    yield Option(name, negated=False, values=(printed.rate,))
    if printed.burst:
        yield Option(_BURST, negated=False, values=(printed.burst,))
    expire = typed.get(_EXPIRE, str(printed.expire))
    if read_uint(expire) != printed.default:
        yield Option(_EXPIRE, negated=False, values=(expire,))
    interval = typed.get(_INTERVAL, str(printed.interval) if _MATCH in typed else "1")
    if interval != "1":
        yield Option(_INTERVAL, negated=False, values=(interval,))


def _print_rate(text: str, typed: dict[str, str]) -> _Printed | None:
    cost = _read_cost(text)
    if cost is not None:
        return _print_bytes(cost, typed.get(_BURST))
    return _print_packets(text, typed.get(_BURST, "5"), matching=_MATCH in typed)


# --- hashlimit: packets --------------------------------------------------------------------------------------

_SCALE = 1_000_000
_NUMBER = re.compile(r"\s*\+?([0-9]{1,18})", re.ASCII)
_MOST_PACKETS = 1_000_000


def _print_packets(text: str, burst_text: str, *, matching: bool) -> _Printed | None:
    """Print packets in a time; a rate that is matched is kept as that of one second, its unit as interval."""
    number, seconds = _read_number(text), read_unit(text)
    burst = _read_burst(burst_text)
    period = _SCALE * seconds // number if number else 0
    period = period // max(seconds, 1) if matching else period
    if not period or burst is None or burst > _MOST_PACKETS:
        return None
    rate, unit = print_period(period, _SCALE)
    return _Printed(rate, str(burst), seconds * 1000, unit * 1000, seconds)


def _read_number(text: str) -> int:
    found = _NUMBER.match(text)
    return int(found[1]) if found else 0


# --- hashlimit: bytes ----------------------------------------------------------------------------------------

_FACTORS = {"m": 1 << 20, "k": 1 << 10}
_UNITS = (("m", 1 << 20), ("k", 1 << 10), ("", 1))
_DEAREST = 0xFFFFFFFF
_SHIFT = 4
_BURST_WORD = re.compile(r"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,18})(.?).*", re.ASCII | re.DOTALL)


def _read_burst(text: str) -> int | None:
    found = _BURST_WORD.fullmatch(text)
    number = read_uint(found[1]) if found else None
    return number * _FACTORS.get(found[2], 1) if found and number else None


def _read_cost(text: str) -> int | None:
    """Read `512kb/s` as what a byte costs; None where it is no rate of bytes."""
    place = text.find("b/s")
    number = _read_number(text)
    if place < 1 or not number:
        return None
    units = (number * _FACTORS.get(text[place - 1], 1) >> _SHIFT) & _DEAREST
    return None if units == _DEAREST else _DEAREST // (units + 1)


def _bytes_of(cost: int) -> int:
    return (_DEAREST // cost - 1) << _SHIFT


def _print_bytes(cost: int, burst_text: str | None) -> _Printed | None:
    rate = _bytes_of(cost)
    name, size = next(unit for unit in _UNITS if unit[1] == 1 or _is_whole(rate, cost, unit[1]))
    printed = _Printed(f"{rate // size}{name}b/s", "", expire=15_000, default=15_000, interval=1)
    if burst_text is None:
        return printed
    burst = _read_burst(burst_text)
    if burst is None or not 0 < rate <= burst:
        return None
    whole = _whole_rates(burst, rate) * rate
    name, size = next(unit for unit in _UNITS if whole >= unit[1] or unit[1] == 1)
    if not whole:
        return printed._replace(expire=60_000)
    return printed._replace(burst=f"{whole // size}{name}b", expire=60_000, default=60_000)


def _whole_rates(burst: int, rate: int) -> int:
    """Return how many rates a burst is, rounded up; iptables divides only the lower 32 bits of the burst."""
    return (burst & _DEAREST) // rate + (burst % rate > 0)


def _is_whole(rate: int, cost: int, size: int) -> bool:
    """Whether the rate in this unit, without what is left over and in 32 bits, costs the same."""
    return rate >= size and _DEAREST // (((rate & _DEAREST & ~(size - 1)) >> _SHIFT) + 1) == cost
