"""Matches that iptables-save prints otherwise than typed, where a row of the option tables cannot say it.

A rewrite takes the options of one match as they were read and returns those that iptables-save prints; kinds,
defaults and order are then applied by the rows. Those of limits, policy and rateest have files of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.option import Option
from iptviz.xtables.saved.limits import rewrite_connlimit, rewrite_hashlimit, rewrite_limit
from iptviz.xtables.saved.policy import rewrite_policy
from iptviz.xtables.saved.rateest import rewrite_rateest_match
from iptviz.xtables.values.headers import dscp_of_class
from iptviz.xtables.values.kinds import VALUE_KINDS, print_value
from iptviz.xtables.values.numbers import ALL_BITS, Range, read_count, read_uint
from iptviz.xtables.values.payload import print_payload, read_hex_string, to_payload
from iptviz.xtables.values.protocols import LAST_PORT
from iptviz.xtables.values.times import MONTHDAYS, WEEKDAYS, read_monthdays, read_weekdays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from iptviz.xtables.option import Rewrite, Saving

    NamedOptions = tuple[str, tuple[Option, ...]]


def _plain(name: str, *values: str) -> Option:
    return Option(name, negated=False, values=values)


# --- what every packet satisfies is left out ---------------------------------------------------------------

_PORTS = ("ports", Range(0, LAST_PORT))
_NUMBERS = ("range32", Range(0, ALL_BITS))
_FULL: dict[str, dict[str, tuple[str, object]]] = {
    "tcp": {"--sport": _PORTS, "--dport": _PORTS, "--tcp-flags": ("tcp-flags", frozenset())},
    "udp": {"--sport": _PORTS, "--dport": _PORTS},
    "ah": {"--ahspi": _NUMBERS},
    "esp": {"--espspi": _NUMBERS},
    "frag": {"--fragid": _NUMBERS},
    "ipcomp": {"--ipcompspi": _NUMBERS},
    "mh": {"--mh-type": ("mh-types", Range(0, 255))},
    "rt": {"--rt-segsleft": _NUMBERS},
}
_SYN = ("FIN,SYN,RST,ACK", "SYN")


def without_full_ranges(match: str) -> Rewrite:
    """Return the rewrite that leaves out ranges of everything; an inverted one, true of nothing, stays."""
    full = _FULL[match]

    def rewrite(options: list[Option], saving: Saving) -> list[Option]:
        return [option for option in options if option.negated or not _is_full(option, full, saving)]

    return rewrite


def _is_full(option: Option, full: dict[str, tuple[str, object]], saving: Saving) -> bool:
    kind, whole = full.get(option.name, ("", None))
    return bool(kind) and bool(option.values) and VALUE_KINDS[kind].read(option.values[0], saving) == whole


def rewrite_tcp(options: list[Option], saving: Saving) -> list[Option]:
    """Return the options with `--syn` as the `--tcp-flags` it means, and without full ranges."""
    spelled = [
        Option("--tcp-flags", option.negated, _SYN) if option.name == "--syn" else option
        for option in options
    ]
    return without_full_ranges("tcp")(spelled, saving)


# --- connbytes, cluster, dscp ------------------------------------------------------------------------------

_MOST_NODES = 32


def rewrite_connbytes(options: list[Option], _saving: Saving) -> list[Option]:
    """Return the options without the negation of a range of one number: it is kept as a swap of the ends."""
    return [
        option._replace(negated=False) if option.negated and _is_one_count(option) else option
        for option in options
    ]


def _is_one_count(option: Option) -> bool:
    count = read_count(option.values[0]) if option.values else None
    return count is not None and count.first == count.last


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


MATCH_REWRITES: dict[str, Rewrite] = {
    "ah": without_full_ranges("ah"),
    "cluster": rewrite_cluster,
    "connbytes": rewrite_connbytes,
    "connlimit": rewrite_connlimit,
    "dscp": rewrite_dscp,
    "esp": without_full_ranges("esp"),
    "frag": without_full_ranges("frag"),
    "hashlimit": rewrite_hashlimit,
    "ipcomp": without_full_ranges("ipcomp"),
    "ipvs": rewrite_ipvs,
    "limit": rewrite_limit,
    "mh": without_full_ranges("mh"),
    "policy": rewrite_policy,
    "rateest": rewrite_rateest_match,
    "recent": rewrite_recent,
    "rt": without_full_ranges("rt"),
    "set": rewrite_set,
    "srh": rewrite_srh,
    "string": rewrite_string,
    "tcp": rewrite_tcp,
    "time": rewrite_time,
    "udp": without_full_ranges("udp"),
}


# --- matches that become one -------------------------------------------------------------------------------

# iptables of the nf_tables backend tests ports and flags of TCP by expressions of nftables' own, not by the
# kernel's `tcp` and `udp` matches, and puts into one match whatever such tests it finds in a rule
# (`nft_tcp_match` of nft-ruleparse.c). A later value takes the place of an earlier one, but an inversion stays.
# `--tcp-option` and a match without any option have no such expression.
_NATIVE = {"tcp", "udp"}


def joined_matches(matches: Iterable[NamedOptions], saving: Saving) -> list[NamedOptions]:
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
