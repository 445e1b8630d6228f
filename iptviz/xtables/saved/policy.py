"""How iptables-save prints the match `policy`, whose elements are groups of options.

The rows of a table give every option one place, so what follows the first group is printed here, as the last
value of the option before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.matches import match_options
from iptviz.xtables.option import Option, with_quotes
from iptviz.xtables.values.kinds import print_value

if TYPE_CHECKING:
    from iptviz.xtables.option import OptionTable, Saving

_OF_ALL = ("--dir", "--pol", "--strict")


def rewrite_policy(options: list[Option], saving: Saving) -> list[Option]:
    """Return the options of the first element; those after `--next` are its printed value."""
    elements: list[list[Option]] = [[]]
    for option in options:
        if option.name == "--next":
            elements.append([])
        elif option.name not in _OF_ALL:
            elements[-1].append(option)
    if not all(elements) or len(elements) == 1:
        return with_quotes(options, "--next")
    rest = " --next ".join(_print_element(element, saving) for element in elements[1:])
    whole = [option for option in options if option.name in _OF_ALL]
    return [*whole, *elements[0], Option("--next", negated=False, values=(rest,))]


def _print_element(element: list[Option], saving: Saving) -> str:
    table = match_options("policy") or {}
    order = list(table)
    ordered = sorted(element, key=lambda option: order.index(option.name))
    return " ".join(_print_option(option, table, saving) for option in ordered)


def _print_option(option: Option, table: OptionTable, saving: Saving) -> str:
    kinds = table[option.name].kinds
    values = (print_value(kind, value, saving) for kind, value in zip(kinds, option.values, strict=False))
    return " ".join((*(["!"] if option.negated else []), option.name, *values))
