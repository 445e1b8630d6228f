"""Rewrites of matches whose options change each other's values, or stand for other options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.option import Option
from iptviz.xtables.values import print_value
from iptviz.xtables.values_payload import print_payload, read_hex_string, to_payload
from iptviz.xtables.values_time import MONTHDAYS, WEEKDAYS, read_monthdays, read_weekdays

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iptviz.xtables.saving import Saving


def _plain(name: str, *values: str) -> Option:
    return Option(name, negated=False, values=values)


# --- recent, set, ipvs, srh ------------------------------------------------------------------------------

_WHOLE_MASK = {"ipv4": "255.255.255.255", "ipv6": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}
_SIDES = ("--rsource", "--rdest")


def rewrite_recent(options: list[Option], saving: Saving) -> list[Option]:
    """Return the options with a mask, and with one side: the last that was typed, or the source."""
    sides = [option for option in options if option.name in _SIDES] or [_plain("--rsource")]
    others = [option for option in options if option.name not in _SIDES]
    masks = [] if any(option.name == "--mask" for option in options) else [_WHOLE_MASK[saving.family]]
    return [*others, *(_plain("--mask", mask) for mask in masks), sides[-1]]


def rewrite_set(options: list[Option], _saving: Saving) -> list[Option]:
    """Return the options without the updates of counters that a set does anyway."""
    always = {"--update-counters", "--update-subcounters"}
    return [option for option in options if option.negated or option.name not in always]


def rewrite_ipvs(options: list[Option], _saving: Saving) -> list[Option]:
    """Return the options without `--ipvs` where another implies it."""
    others = [option for option in options if option.name != "--ipvs"]
    return others or options


def rewrite_srh(options: list[Option], _saving: Saving) -> list[Option]:
    """Return the options with one value for `-eq`, `-gt` and `-lt` of a field, which share it: the last."""
    last = {_srh_field(option): option.values for option in options}
    return [option._replace(values=last[_srh_field(option)]) for option in options]


def _srh_field(option: Option) -> str:
    return option.name[:-3] if option.name.endswith(("-eq", "-gt", "-lt")) else option.name


# --- string ----------------------------------------------------------------------------------------------

_READERS: dict[str, Callable[[str], bytes | None]] = {
    "--string": to_payload,
    "--hex-string": read_hex_string,
}


def rewrite_string(options: list[Option], _saving: Saving) -> list[Option]:
    """Return the options with what is looked for as text if it is printable, else in hexadecimal."""
    return [_sought(option) for option in options]


def _sought(option: Option) -> Option:
    read = _READERS.get(option.name)
    payload = read(option.values[0]) if read and option.values else None
    if payload is None:
        return option
    name, value = print_payload(payload)
    return Option(name, option.negated, (value,))


# --- time ------------------------------------------------------------------------------------------------

_DAY = {"--timestart": "00:00:00", "--timestop": "23:59:59"}
_DAYS: dict[str, tuple[Callable[[str], tuple[str, ...] | None], Sequence[str]]] = {
    "--weekdays": (read_weekdays, WEEKDAYS),
    "--monthdays": (read_monthdays, MONTHDAYS),
}
_EPOCH = "1970-01-01T00:00:00"


def rewrite_time(options: list[Option], saving: Saving) -> list[Option]:
    """Return the options as libxt_time.c prints them.

    Both ends of the hours stand or none; days are never negated; `--localtz` is the old name of `--kerneltz`.
    """
    last = {option.name: option for option in options}
    hours = [last.get(name, _plain(name, value)) for name, value in _DAY.items()]
    days = [_days(last[name]) for name in _DAYS if name in last]
    others = [
        _plain("--kerneltz") if option.name == "--localtz" else option
        for option in last.values()
        if option.name not in {*_DAY, *_DAYS, "--utc"}
        and not (option.name == "--datestart" and _is(_EPOCH, "date", option, saving))
    ]
    if all(_is(_DAY[option.name], "clock", option, saving) for option in hours):
        hours = []
    return [*hours, *(option for option in days if option), *others]


def _is(printed: str, kind: str, option: Option, saving: Saving) -> bool:
    return [print_value(kind, value, saving) for value in option.values] == [printed]


def _days(option: Option) -> Option | None:
    """Return the option with the days that it means, None for every day."""
    read, every = _DAYS[option.name]
    named = read(option.values[0]) if option.values else None
    if named is None:
        return option
    meant = [day for day in every if (day in named) != option.negated]
    if not meant:
        return option  # no day at all, which iptables-save prints as an empty word that nobody can read
    return None if len(meant) == len(every) else _plain(option.name, ",".join(meant))
