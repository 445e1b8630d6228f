"""Reads what `iptables -L` prints, into the lines that iptables-save would have printed.

All releases since 1.4 and both backends are read, with -n, -v, -x and --line-numbers or without. Without -v a
listing shows no interfaces: the rules that are made of it may be about one, and nothing tells so. Counters
above 99999 are rounded unless -x is given.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from iptviz.listing.tail import read_tail
from iptviz.records import NamedTuple
from iptviz.xtables.values.protocols import PROTOCOLS
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADING = re.compile(
    r"Chain (?P<name>\S(?:.*\S)?) \("
    r"(?:policy (?P<policy>\S+)(?: (?P<packets>\d{1,20}[KMGT]?) packets, (?P<bytes>\d{1,20}[KMGT]?) bytes)?"
    r"|-?\d+ references|ERROR obtaining refs)\)",
    re.ASCII,
)
_COLUMNS = re.compile(
    r"(?P<numbered>num\s+)?(?P<counted>pkts\s+bytes\s+)?target\s+prot\s+opt\s+(?P<interfaces>in\s+out\s+)?"
    r"source\s+destination",
    re.ASCII,
)
_BLANKS = " \t\r\n\f\v"

# iptables prints five digits, then rounds to thousands, and what it rounded again; see xtables_print_num.
_SCALES = {
    "": (1, 0),
    "K": (1_000, 500),
    "M": (1_000_000, 500_500),
    "G": (1_000_000_000, 500_500_500),
    "T": (1_000_000_000_000, 500_500_500_500),
}

# The names that iptables knows without /etc/protocols; a numeric listing of 1.8.9 has the numbers.
_PROTOCOLS = {
    str(number): PROTOCOLS[number] for number in (1, 4, 6, 17, 33, 47, 50, 51, 58, 108, 132, 135, 136)
}
_EVERY_PROTOCOL = {"all", "0"}
_EVERYWHERE = {"0.0.0.0/0", "::/0", "anywhere"}
_EVERY_INTERFACE = {"*", "any"}
_ADDRESS_V4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_ADDRESS_V6 = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", re.ASCII)

# Where ip6tables before 1.8.9 leaves `opt` blank, only a protocol's name tells whether there is a target.
_KNOWN = "|".join((*_PROTOCOLS.values(), *_EVERY_PROTOCOL, r"\d{1,3}", "icmpv6", "ipv6-mh", "ipv6"))
_COUNTERS = r"(?P<packets>\d{1,20}[KMGT]?)\s++(?P<bytes>\d{1,20}[KMGT]?)\s++"
_RULE = (
    r"(?:(?P<target>\S++)\s++)?"
    rf"(?:(?P<proto>!?\w\S*+)\s++(?P<opt>--|-f|!f)|(?P<known>!?(?:{_KNOWN}))(?!\S))"
)
_INTERFACES = r"\s++(?P<in>!?[^\s!]\S*+)\s++(?P<out>!?[^\s!]\S*+)"
_ADDRESSES = r"\s++(?P<source>!?[\w.:][\w.:/-]*+)\s++(?P<destination>!?[\w.:][\w.:/-]*+)(?!\S)"
_TAIL = r"\s*+(?P<goto>\[goto\](?!\S))?\s*+(?P<tail>.*)"

# What a rule's words begin with where they are options that every rule may have.
_OPTION = re.compile(r"!\Z|--|-[46AIacdfgijmopst]")


class ChainHeading(NamedTuple):
    """A chain's first line. `counters` are those of its policy, as `[12:34000~500]`: 500 more or less.

    Where `squeezed`, `column -t` or the like has moved the words of all lines apart.
    """

    name: str
    policy: str | None
    counters: str | None
    squeezed: bool = False


class ListedColumns(NamedTuple):
    """What a table's second line promises of its rows; without `interfaces` they are hidden, not absent."""

    numbered: bool
    counted: bool
    interfaces: bool


def read_heading(text: str) -> ChainHeading | None:
    """Read `Chain INPUT (policy ACCEPT 12 packets, 34K bytes)`; None where it is no such line."""
    line = text.strip(_BLANKS)
    found = _HEADING.fullmatch(line) or _HEADING.fullmatch(" ".join(line.split()))
    if found is None:
        return None
    counters = _counters(found) if found["packets"] else None
    return ChainHeading(found["name"], found["policy"], counters, squeezed=found.string != line)


def read_columns(text: str) -> ListedColumns | None:
    """Read `num  pkts bytes target  prot opt in  out  source  destination`; None where it is no such line."""
    found = _COLUMNS.fullmatch(text.strip(_BLANKS))
    return ListedColumns(*(found[name] is not None for name in ListedColumns._fields)) if found else None


def read_row(chain: str, text: str, columns: ListedColumns) -> str | None:
    """Read a rule of `chain` into `[9:540] -A INPUT -s 10.0.0.1/32 -j ACCEPT`; None where it is no rule.

    What no table knows of becomes an unknown match, `-m listing --text "..."`: the rule hangs on it.
    """
    line = text.strip(_BLANKS)
    found = None if "\n" in line else _row_pattern(columns).fullmatch(line)
    if found is None:
        return None
    target = found["target"] or ""
    tail = read_tail(found["tail"], target)
    words = [
        _counters(found) if columns.counted else "",
        f"-A {quote_word(chain)}",
        *_basics(found, columns),
        *tail.matches,
        f"-m listing --text {quote_word(_as_value(tail.rest))}" if tail.rest else "",
        f"-{'g' if found['goto'] else 'j'} {quote_word(target)}" if target else "",
        *tail.options,
    ]
    return " ".join(word for word in words if word)


@cache
def _row_pattern(columns: ListedColumns) -> re.Pattern[str]:
    parts = (
        r"\d+\s++" if columns.numbered else "",
        _COUNTERS if columns.counted else "",
        _RULE,
        _INTERFACES if columns.interfaces else "",
        _ADDRESSES,
        _TAIL,
    )
    return re.compile("".join(parts), re.ASCII)


def _basics(found: re.Match[str], columns: ListedColumns) -> list[str]:
    """Return the options of the rule itself, in the order of iptables-save."""
    protocol = found["proto"] or found["known"]
    sides = [("-i", found["in"]), ("-o", found["out"])] if columns.interfaces else []
    return [
        _option("-s", found["source"], _EVERYWHERE, _prefix),
        _option("-d", found["destination"], _EVERYWHERE, _prefix),
        *(_option(side, name, _EVERY_INTERFACE, lambda name: name.replace("*", "+")) for side, name in sides),
        _option("-p", protocol, _EVERY_PROTOCOL, lambda name: _PROTOCOLS.get(name, name)),
        {"-f": "-f", "!f": "! -f"}.get(found["opt"] or "", ""),
    ]


def _option(name: str, text: str, nothing: set[str], spell: Callable[[str], str]) -> str:
    """Return a basic option, or nothing for a value that says nothing, unless it is negated."""
    plain = text.removeprefix("!")
    if plain == text and text in nothing:
        return ""
    return f"{'' if plain == text else '! '}{name} {quote_word(spell(plain))}"


def _prefix(address: str) -> str:
    """Give a plain address the length that iptables-save writes; a host's name stays as it is."""
    if _ADDRESS_V4.fullmatch(address):
        return f"{address}/32"
    return f"{address}/128" if _ADDRESS_V6.fullmatch(address) else address


def _as_value(rest: str) -> str:
    """Return `rest` as a word that no reader takes for `!` or for an option."""
    return f" {rest}" if _OPTION.match(rest) else rest


def _counters(found: re.Match[str]) -> str:
    return f"[{_count(found['packets'])}:{_count(found['bytes'])}]"


def _count(text: str) -> str:
    """Write a number, and after `~` how far the true one may be from it."""
    digits = text.rstrip("KMGT")
    scale, width = _SCALES[text[len(digits) :]]
    return f"{int(digits) * scale}~{width}" if width else str(int(digits))
