"""Targets that iptables-save prints otherwise than typed, where a row of the option tables cannot say it.

A rewrite takes the options of one target as they were read and returns those that iptables-save prints; kinds,
defaults and order are then applied by the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.option import Option
from iptviz.xtables.values import split_mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.option import Rewrite
    from iptviz.xtables.saving import Saving


_MARK_OPERATIONS: dict[str, Callable[[int, int], tuple[int, int]]] = {
    "--set-mark": lambda value, mask: (value, value | mask),
    "--and-mark": lambda value, _: (0, value ^ 0xFFFFFFFF),
    "--or-mark": lambda value, _: (value, value),
    "--xor-mark": lambda value, _: (value, 0),
}


def _mark(options: list[Option], _saving: Saving) -> list[Option]:
    """Every operation on a mark is printed as the `--set-xmark` it comes to (libxt_MARK.c)."""
    return [_as_set_xmark(option) for option in options]


def _as_set_xmark(option: Option) -> Option:
    operation = _MARK_OPERATIONS.get(option.name)
    operand = split_mark(option.values[0]) if operation and option.values else None
    if operation is None or operand is None:
        return option
    value, mask = operation(*operand)
    return Option("--set-xmark", option.negated, (f"{value:#x}/{mask:#x}",))


TARGET_REWRITES: dict[str, Rewrite] = {
    "CONNMARK": _mark,
    "MARK": _mark,
}
