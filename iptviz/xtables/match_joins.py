"""Matches that iptables of the nf_tables backend prints as one.

It tests ports and flags of TCP by expressions of nftables' own, not by the kernel's `tcp` and `udp` matches, and
puts into one match whatever such tests it finds in a rule (`nft_tcp_match` of nft-ruleparse.c). A later value
takes the place of an earlier one, but an inversion stays. `--tcp-option` and a match without any option have no
such expression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.match_rewrites import MATCH_REWRITES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.xtables.option import Option
    from iptviz.xtables.saving import Saving

    NamedOptions = tuple[str, tuple[Option, ...]]

_NATIVE = {"tcp", "udp"}


def joined(matches: Iterable[NamedOptions], saving: Saving) -> list[NamedOptions]:
    """Return the matches of a rule as iptables-save prints them, each with its name and options."""
    if saving.backend != "nf_tables":
        return list(matches)
    printed: list[NamedOptions] = []
    places: dict[str, int] = {}
    for name, typed in matches:
        options = tuple(MATCH_REWRITES[name](list(typed), saving)) if name in _NATIVE else typed
        native = name in _NATIVE and options and all(option.name != "--tcp-option" for option in options)
        if native and name in places:
            printed[places[name]] = (name, _overlaid(printed[places[name]][1], options))
            continue
        if native:
            places[name] = len(printed)
        printed.append((name, options))
    return printed


def _overlaid(first: tuple[Option, ...], later: tuple[Option, ...]) -> tuple[Option, ...]:
    options = {option.name: option for option in first}
    for option in later:
        before = options.get(option.name)
        options[option.name] = option._replace(negated=option.negated or bool(before and before.negated))
    return tuple(options.values())
