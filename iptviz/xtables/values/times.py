"""Times and rates: hours, dates and days (libxt_time.c), packets and bits in a time."""

from __future__ import annotations

import re

# --- hours and dates -------------------------------------------------------------------------------------

_CLOCK = re.compile(r"([0-9]{1,4}):([0-9]{1,4})(?::([0-9]{0,4}))?")
_DATE = re.compile(
    r"([0-9]{4,5})(?:-([0-9]{1,2})(?:-([0-9]{1,2})"
    r"(?:T(?:([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2}))?)?)?)?)?)?"
)
_LEAST = (1970, 1, 1, 0, 0, 0)
_MOST = (2038, 12, 31, 23, 59, 59)


def read_clock(text: str) -> tuple[int, int, int] | None:
    """Read `9:5` as hour, minute and second."""
    found = _CLOCK.fullmatch(text)
    if not found:
        return None
    hour, minute, second = (int(part or "0") for part in found.groups())
    within = all(part <= most for part, most in zip((hour, minute, second), _MOST[3:], strict=True))
    return (hour, minute, second) if within else None


def show_clock(time: tuple[int, int, int]) -> str:
    """Show `09:05:00`."""
    return ":".join(f"{part:02}" for part in time)


def read_date(text: str) -> str | None:
    """Read `2020-02-30` as `2020-03-01T00:00:00`: days that a month lacks belong to the next."""
    import datetime as dt

    found = _DATE.fullmatch(text)
    parts = found.groups() if found else ()
    numbers = [int(part) if part else missing for part, missing in zip(parts, _LEAST, strict=False)]
    limits = zip(_LEAST, numbers, _MOST, strict=False)
    if not numbers or not all(low <= number <= high for low, number, high in limits):
        return None
    year, month, day, hour, minute, second = numbers
    moment = dt.datetime(year, month, 1, hour, minute, second) + dt.timedelta(days=day - 1)
    return moment.isoformat()


# --- days ------------------------------------------------------------------------------------------------

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKDAY_NAMES = {
    **{name[:2]: name for name in WEEKDAYS},
    **{str(number): name for number, name in enumerate(WEEKDAYS, 1)},
}
MONTHDAYS = tuple(map(str, range(1, _MOST[2] + 1)))


def read_weekdays(text: str) -> tuple[str, ...] | None:
    """Read names, of which two letters count, and numbers from 1; None for anything else."""
    words = [day.lstrip("0") if day[:1].isdigit() else day[:2] for day in text.split(",") if day]
    days = {_WEEKDAY_NAMES.get(word) for word in words}
    return None if None in days or not days else tuple(day for day in WEEKDAYS if day in days)


def read_monthdays(text: str) -> tuple[str, ...] | None:
    """Read numbers from 1 to 31; None for anything else."""
    days = {day.lstrip("0") for day in text.split(",") if day}
    return None if not days or not days.issubset(MONTHDAYS) else tuple(d for d in MONTHDAYS if d in days)


# --- packets in a time -----------------------------------------------------------------------------------

# Units as typed, of which the beginning is enough, and as printed; the kernel counts in 1/10000 s.
_SCALE = 10000
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_PRINTED = (("day", 86400), ("hour", 3600), ("min", 60), ("sec", 1))
_RATE = re.compile(r"[ \t]*\+?([0-9]{1,10})[^/]*(?:/([a-z]+))?", re.IGNORECASE | re.ASCII)


def read_limit_rate(text: str) -> int | None:
    """Read a rate as the 1/10000 s between two packets, which rounds it (libxt_limit.c)."""
    found = _RATE.fullmatch(text)
    seconds = read_unit(text)
    number = int(found[1]) if found else 0
    if not seconds or not number or number > seconds * _SCALE:
        return None
    return _SCALE * seconds // number


def show_limit_rate(period: int) -> str:
    """Show the rate of packets with `period` 1/10000 s between two."""
    return print_period(period, _SCALE)[0]


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


def read_bit_rate(text: str) -> int | None:
    """Read a rate as bytes in a second, whole and of 32 bits (libxt_rateest.c)."""
    found = _BITS.fullmatch(text)
    scale = _SUFFIXES.get(found[2].lower()) if found else None
    if not found or scale is None:
        return None
    rate = int(float(found[1]) * scale / 8)
    return None if rate >> 32 else rate


def show_bit_rate(rate: int) -> str:
    """Show bytes in a second as bits."""
    bits = rate * 8
    if bits >= 1000 * _MILLION:
        return f"{bits / _MILLION:.0f}Mbit"
    return f"{bits / 1000:.0f}Kbit" if bits >= _MILLION else f"{bits}bit"
