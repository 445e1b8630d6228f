"""Rewrites of matches of which one option stands for another: limits of connections, clusters, DSCP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.numbers import read_uint
from iptviz.xtables.option import Option
from iptviz.xtables.values import print_value
from iptviz.xtables.values_symbols import dscp_of_class

if TYPE_CHECKING:
    from iptviz.xtables.saving import Saving

FULL_LENGTHS = {"ipv4": "32", "ipv6": "128"}
_OPPOSITES = {
    f"--{match}-{name}": f"--{match}-{opposite}"
    for match in ("connlimit", "hashlimit")
    for name, opposite in (("upto", "above"), ("above", "upto"))
}
_LIMITS = {"--connlimit-upto", "--connlimit-above"}
_SIDES = {"--connlimit-saddr", "--connlimit-daddr"}
_MOST_NODES = 32


def without_negation(option: Option) -> Option:
    """Return `! --connlimit-upto` as the `--connlimit-above` that it is, and the other way round."""
    if option.negated and option.name in _OPPOSITES:
        return Option(_OPPOSITES[option.name], negated=False, values=option.values)
    return option


def rewrite_connlimit(options: list[Option], saving: Saving) -> list[Option]:
    """Return the options with a mask and a side, of the source if none was typed (libxt_connlimit.c)."""
    there = {option.name for option in options}
    added = []
    if there & _LIMITS and "--connlimit-mask" not in there:
        added.append(Option("--connlimit-mask", negated=False, values=(FULL_LENGTHS[saving.family],)))
    if there & _LIMITS and not there & _SIDES:
        added.append(Option("--connlimit-saddr", negated=False, values=()))
    return [*map(without_negation, options), *added]


def rewrite_connbytes(options: list[Option], saving: Saving) -> list[Option]:
    """Return the options without the negation of a range of one number: it is kept as a swap of the ends."""
    return [
        option._replace(negated=False) if option.negated and _is_one_count(option, saving) else option
        for option in options
    ]


def _is_one_count(option: Option, saving: Saving) -> bool:
    count = print_value("connection-count", option.values[0], saving) if option.values else ""
    first, colon, last = count.partition(":")
    return bool(colon) and first == last


def rewrite_cluster(options: list[Option], _saving: Saving) -> list[Option]:
    """Return the options with the number of a node as a mask with one bit (libxt_cluster.c)."""
    return [_as_node_mask(option) for option in options]


def _as_node_mask(option: Option) -> Option:
    is_node = option.name == "--cluster-local-node" and option.values
    number = read_uint(option.values[0]) if is_node else None
    if number is None or not 1 <= number <= _MOST_NODES:
        return option
    return Option("--cluster-local-nodemask", option.negated, (str(1 << (number - 1)),))


def rewrite_dscp(options: list[Option], _saving: Saving) -> list[Option]:
    """Return the options with the name of a class as its number (libxt_dscp.c)."""
    return [_as_dscp(option) for option in options]


def _as_dscp(option: Option) -> Option:
    is_class = option.name == "--dscp-class" and option.values
    number = dscp_of_class(option.values[0]) if is_class else None
    return option if number is None else Option("--dscp", option.negated, (str(number),))
