"""How iptables-save prints times: the hour, the date, days of the week and of the month (libxt_time.c)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.saving import Saving

_CLOCK = re.compile(r"([0-9]{1,4}):([0-9]{1,4})(?::([0-9]{0,4}))?")
_DATE = re.compile(
    r"([0-9]{4,5})(?:-([0-9]{1,2})(?:-([0-9]{1,2})"
    r"(?:T(?:([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2}))?)?)?)?)?)?"
)
_LEAST = (1970, 1, 1, 0, 0, 0)
_MOST = (2038, 12, 31, 23, 59, 59)


def _clock(text: str, _saving: Saving) -> str:
    """Print `9:5` as `09:05:00`."""
    found = _CLOCK.fullmatch(text)
    hour, minute, second = (int(part or "0") for part in found.groups()) if found else (24, 0, 0)
    if any(part > most for part, most in zip((hour, minute, second), _MOST[3:], strict=True)):
        return quote_word(text)
    return f"{hour:02}:{minute:02}:{second:02}"


def _date(text: str, _saving: Saving) -> str:
    """Print `2020-02-30` as `2020-03-01T00:00:00`: days that a month lacks belong to the next."""
    import datetime as dt

    found = _DATE.fullmatch(text)
    parts = found.groups() if found else ()
    numbers = [int(part) if part else missing for part, missing in zip(parts, _LEAST, strict=False)]
    limits = zip(_LEAST, numbers, _MOST, strict=False)
    if not numbers or not all(low <= number <= high for low, number, high in limits):
        return quote_word(text)
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


TIME_KINDS: dict[str, Callable[[str, Saving], str]] = {
    "clock": _clock,
    "date": _date,
}
