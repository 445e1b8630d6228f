"""Matches that iptables-save prints otherwise than typed, where a row of the option tables cannot say it.

A rewrite takes the options of one match as they were read and returns those that iptables-save prints; kinds,
defaults and order are then applied by the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.option import Option

if TYPE_CHECKING:
    from iptviz.xtables.option import Rewrite
    from iptviz.xtables.saving import Saving


def _tcp(options: list[Option], _saving: Saving) -> list[Option]:
    """`--syn` is `--tcp-flags FIN,SYN,RST,ACK SYN`."""
    return [
        Option("--tcp-flags", option.negated, ("FIN,SYN,RST,ACK", "SYN"))
        if option.name == "--syn"
        else option
        for option in options
    ]


MATCH_REWRITES: dict[str, Rewrite] = {
    "tcp": _tcp,
}
