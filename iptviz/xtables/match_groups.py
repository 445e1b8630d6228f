"""Rewrites of matches that print groups of options, in which one option may stand several times.

The rows of a table give every option one place, so what follows the first group is printed here, as the last
value of the option before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.matches import match_options
from iptviz.xtables.option import Option
from iptviz.xtables.values import print_value
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.xtables.saving import Saving


def _print_option(match: str, option: Option, saving: Saving) -> str:
    spec = (match_options(match) or {})[option.name]
    values = (
        print_value(kind, value, saving) for kind, value in zip(spec.kinds, option.values, strict=False)
    )
    return " ".join((*(["!"] if option.negated else []), option.name, *values))


# --- policy ----------------------------------------------------------------------------------------------

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
        return _quoted(options, "--next")
    rest = " --next ".join(_print_element(element, saving) for element in elements[1:])
    whole = [option for option in options if option.name in _OF_ALL]
    return [*whole, *elements[0], Option("--next", negated=False, values=(rest,))]


def _print_element(element: list[Option], saving: Saving) -> str:
    order = list(match_options("policy") or {})
    ordered = sorted(element, key=lambda option: order.index(option.name))
    return " ".join(_print_option("policy", option, saving) for option in ordered)


def _quoted(options: Iterable[Option], *names: str) -> list[Option]:
    """Return the options with the values of `names`, which are printed as they are, in quotes if need be."""
    return [
        option._replace(values=tuple(map(quote_word, option.values))) if option.name in names else option
        for option in options
    ]


# --- rateest ---------------------------------------------------------------------------------------------

_MODES = ("--rateest-lt", "--rateest-gt", "--rateest-eq")
_NOTHING = {"bps": "0bit", "pps": "0"}


def rewrite_rateest(options: list[Option], saving: Saving) -> list[Option]:
    """Return the first estimator, all that is compared with it being its printed value (libxt_rateest.c)."""
    typed = {option.name: option for option in options}
    name = typed.get("--rateest", typed.get("--rateest1"))
    modes = [option for option in options if option.name in _MODES]
    if name is None or not modes:
        return _quoted(options, "--rateest", "--rateest1")
    mode = modes[-1]._replace(negated=any(one.negated for one in modes)).text()
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
