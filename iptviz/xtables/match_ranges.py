"""Rewrites of matches from which iptables-save leaves out what every packet satisfies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.option import Option
from iptviz.xtables.values import print_value

if TYPE_CHECKING:
    from iptviz.xtables.option import Rewrite
    from iptviz.xtables.saving import Saving

_PORTS = ("ports", "0:65535")
_NUMBERS = ("range32", "0:4294967295")
_FULL = {
    "tcp": {"--sport": _PORTS, "--dport": _PORTS, "--tcp-flags": ("tcp-flags", "NONE")},
    "udp": {"--sport": _PORTS, "--dport": _PORTS},
    "ah": {"--ahspi": _NUMBERS},
    "esp": {"--espspi": _NUMBERS},
    "frag": {"--fragid": _NUMBERS},
    "ipcomp": {"--ipcompspi": _NUMBERS},
    "mh": {"--mh-type": ("mh-types", "0:255")},
    "rt": {"--rt-segsleft": _NUMBERS},
}
_SYN = ("FIN,SYN,RST,ACK", "SYN")


def without_full_ranges(match: str) -> Rewrite:
    """Return the rewrite that leaves out ranges of everything; an inverted one, true of nothing, stays."""
    full = _FULL[match]

    def rewrite(options: list[Option], saving: Saving) -> list[Option]:
        return [option for option in options if option.negated or not _is_full(option, full, saving)]

    return rewrite


def _is_full(option: Option, full: dict[str, tuple[str, str]], saving: Saving) -> bool:
    kind, whole = full.get(option.name, ("", ""))
    return bool(kind) and bool(option.values) and print_value(kind, option.values[0], saving) == whole


def rewrite_tcp(options: list[Option], saving: Saving) -> list[Option]:
    """Return the options with `--syn` as the `--tcp-flags` it means, and without full ranges."""
    spelled = [
        Option("--tcp-flags", option.negated, _SYN) if option.name == "--syn" else option
        for option in options
    ]
    return without_full_ranges("tcp")(spelled, saving)


def rewrite_limit(options: list[Option], saving: Saving) -> list[Option]:
    """Return the options without a burst of 0, for which nftables' own limit takes the default."""
    kept = saving.backend == "legacy"
    return [option for option in options if kept or option.name != "--limit-burst" or option.values != ("0",)]
