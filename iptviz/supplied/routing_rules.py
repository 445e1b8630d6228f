"""The rules by which the host chooses a routing table, as `ip rule` prints them.

Source: fib_rule_match and fib_rules_lookup in net/core/fib_rules.c, fib4_rule_match in net/ipv4/fib_rules.c,
fib6_rule_match in net/ipv6/fib6_rules.c; print_rule in iproute2's ip/iprule.c for the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from iptviz.errors import quoted
from iptviz.records import NamedTuple
from iptviz.supplied.lines import SourceLine, is_json, places, read_json, shown
from iptviz.xtables.address import Network, parse_network
from iptviz.xtables.values.numbers import ALL_BITS
from iptviz.xtables.values.protocols import protocol_number

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINT = "pass the output of `ip rule`"
_RULE = re.compile(r"(?P<priority>\d+):\s+(?P<selector>(?:not )?from .*)")

HasMark = Callable[[int, int], bool | None]
"""What says whether `mark & mask == value` of a packet, by value and mask; None where that is not known."""

USUAL_TABLES = ("local", "main", "default")
_TABLE_NAMES = {"255": "local", "254": "main", "253": "default"}


def table_name(text: str) -> str:
    """Return the name of a table that may stand as a number, as `ip -N` prints it."""
    return _TABLE_NAMES.get(text, text)


def no_mark_known(_value: int, _mask: int) -> bool | None:
    """Say nothing of a mark."""
    return None


class Sought(NamedTuple):
    """A packet that is routed, as far as rules and routes ask about it; None is not known.

    `destination` may be a network: then all of it must take one route. `sources` are those that it may be routed
    with, none where that is not known: what a program sends is often routed before it has one. What the node
    sends comes in by lo. `out_interface` is the one that its sender is bound to, empty for none.
    """

    destination: Network
    sources: tuple[Network, ...] = ()
    in_interface: str | None = None
    out_interface: str | None = None
    has_mark: HasMark = no_mark_known
    tos: int | None = None
    protocol: str | None = None
    source_port: int | None = None
    destination_port: int | None = None
    uid: int | None = None


# --- what a rule selects by ------------------------------------------------------------------------------------

LEGACY_TOS = {4: 0x1C, 6: 0xFC}
"""The bits of the type of service that `tos` compares: inet_dsfield_to_dscp, INET_DSCP_LEGACY_TOS_MASK."""


def lies_in(address: Network, network: Network) -> bool | None:
    """Whether an address lies in a network; of several addresses None where only some do."""
    return True if network.contains(address) else None if network.meets(address) else False


def all_alike(answers: set[bool | None]) -> bool | None:
    """Return the answer that all give; None where they differ, or there is none."""
    return answers.pop() if len(answers) == 1 else None


def _is_from(network: Network, sought: Sought) -> bool | None:
    return all_alike({lies_in(source, network) for source in sought.sources})


def _is_to(network: Network, sought: Sought) -> bool | None:
    return lies_in(sought.destination, network)


def _is_marked(bits: tuple[int, int], sought: Sought) -> bool | None:
    value, mask = bits
    return sought.has_mark(value & mask, mask)


def _comes_by(name: str, sought: Sought) -> bool | None:
    return None if sought.in_interface is None else sought.in_interface == name


def _is_bound_to(name: str, sought: Sought) -> bool | None:
    return None if sought.out_interface is None else sought.out_interface == name


def _has_tos(value: int, sought: Sought) -> bool | None:
    return None if sought.tos is None else sought.tos & LEGACY_TOS[sought.destination.version] == value


def _is_of(number: int, sought: Sought) -> bool | None:
    return None if sought.protocol is None else protocol_number(sought.protocol) == number


def _between(bounds: tuple[int, int], number: int | None) -> bool | None:
    return None if number is None else bounds[0] <= number <= bounds[1]


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None


def _network(text: str) -> Network | None:
    return parse_network(text)


def _bits(text: str) -> tuple[int, int] | None:
    value, _, mask = text.partition("/")
    found = _number(value), _number(mask) if mask else ALL_BITS
    return None if None in found else found  # type: ignore[return-value]


def _bounds(text: str) -> tuple[int, int] | None:
    first, _, last = text.partition("-")
    found = _number(first), _number(last or first)
    return None if None in found else found  # type: ignore[return-value]


class _Selecting(NamedTuple):
    """A word by which a rule selects: how what follows it is read, and whether a packet is so."""

    read: Callable[[str], Any]
    holds: Callable[[Any, Sought], bool | None]


_SELECTORS = {
    "from": _Selecting(_network, _is_from),
    "to": _Selecting(_network, _is_to),
    "fwmark": _Selecting(_bits, _is_marked),
    "iif": _Selecting(str, _comes_by),
    "oif": _Selecting(str, _is_bound_to),
    "tos": _Selecting(_number, _has_tos),
    "dsfield": _Selecting(_number, _has_tos),
    "ipproto": _Selecting(protocol_number, _is_of),
    "sport": _Selecting(_bounds, lambda bounds, sought: _between(bounds, sought.source_port)),
    "dport": _Selecting(_bounds, lambda bounds, sought: _between(bounds, sought.destination_port)),
    "uidrange": _Selecting(_bounds, lambda bounds, sought: _between(bounds, sought.uid)),
}
_SELECTS_ALL = {("from", "all"), ("to", "all")}
REFUSING = ("unreachable", "prohibit", "blackhole")
"""What rules and routes may do with a packet instead of letting it through."""
_ALONE = {*REFUSING, "nop", "not"}
_ASIDE = {"proto", "protocol", "realms", "[detached]"}
_OF_ANY_DEVICE = "[l3mdev-table]"


class _Meant(NamedTuple):
    """What a rule says: whether it is turned round, its tests, and what it does with what it selects.

    `does` is lookup, goto, nop, or one of `REFUSING`; `where` is the table, or the priority to go on at.
    `longest` is the prefix length up to which routes do not count, None for none. A test without an operand, as
    any of what is not `understood`, may come out either way.
    """

    negated: bool = False
    tests: tuple[tuple[str, Any], ...] = ()
    does: str = "lookup"
    where: str = ""
    longest: int | None = None
    understood: bool = True


@lru_cache(maxsize=1 << 12)
def _meaning(selector: str) -> _Meant:
    """Read what stands after the priority."""
    words = iter(selector.split())
    meant = _Meant(understood=bool(selector))
    for word in words:
        if word in _ALONE:
            meant = meant._replace(**({"negated": True} if word == "not" else {"does": word}))
        elif word == "[unresolved]":  # a goto without a rule there goes on with the next one
            meant = meant._replace(does="nop")
        elif word in _ASIDE:
            next(words, "") if not word.startswith("[") else None
        else:
            meant = _with(meant, word, next(words, ""))
    return meant


def _with(meant: _Meant, word: str, value: str) -> _Meant:
    """Return what a rule says with one more word and its value."""
    if word in _SELECTORS:
        test = (word, _SELECTORS[word].read(value))
        return meant if (word, value) in _SELECTS_ALL else meant._replace(tests=(*meant.tests, test))
    if word == "goto":
        return meant._replace(does="goto", where=value)
    if word in {"lookup", "table"} and value != _OF_ANY_DEVICE:
        return meant._replace(where=table_name(value))
    if word == "suppress_prefixlength" and value.isdecimal():
        return meant._replace(longest=int(value))
    return meant._replace(understood=False)


class RoutingRule(NamedTuple):
    """One rule: its priority (the lower, the earlier it is asked), and what it says in the words of `ip rule`.

    `version` is the one of IP whose rules it is among, None where that is not known: then it may be of either.
    """

    priority: int
    selector: str
    version: int | None = None

    @property
    def usual(self) -> bool:
        """Whether every host has it: all packets ask the tables local, main and default, in that order."""
        return _meaning(self.selector) in _USUALLY_MEANT

    @property
    def does(self) -> str:
        """What it does with what it selects: `lookup`, `goto`, `nop`, or one of `REFUSING`."""
        return _meaning(self.selector).does

    @property
    def mark(self) -> tuple[int, int] | None:
        """The mark by which it selects, be it beside other things, as value and mask; None: by none."""
        return next((bits for word, bits in _meaning(self.selector).tests if word == "fwmark"), None)

    @property
    def leads_to(self) -> str:
        """The table that it names, or the priority of the rule to go on with; empty for neither."""
        return _meaning(self.selector).where

    @property
    def longest(self) -> int | None:
        """The prefix length up to which the routes that it finds do not count; None: all count."""
        return _meaning(self.selector).longest

    @property
    def understood(self) -> bool:
        """Whether all of it is: else it may do anything with any packet."""
        return _meaning(self.selector).understood

    @property
    def text(self) -> str:
        """The rule as `ip rule` prints it."""
        return f"{self.priority}: {self.selector}"

    def selects(self, sought: Sought) -> bool | None:
        """Whether it is asked about a packet; None where that is not known."""
        if self.version not in (None, sought.destination.version):
            return False
        meant = _meaning(self.selector)
        answers = [
            None if operand is None else _SELECTORS[word].holds(operand, sought)
            for word, operand in meant.tests
        ] + ([] if meant.understood else [None])
        selected = False if False in answers else None if None in answers else True
        return None if selected is None else selected != meant.negated


_USUALLY_MEANT = tuple(_Meant(where=table) for table in USUAL_TABLES)
USUAL_RULES = tuple(
    RoutingRule(at, f"from all lookup {table}")
    for at, table in zip((0, 32_766, 32_767), USUAL_TABLES, strict=True)
)
UNKNOWN_RULE = RoutingRule(1, "")
"""Stands for rules that nobody handed in: what it selects, and which table, is not known."""


# --- reading ---------------------------------------------------------------------------------------------------


def rules_among(text: str, source: str) -> tuple[RoutingRule, ...]:
    """Return the rules that stand among other lines, such as those of `ip route`."""
    return tuple(_of_line(place, line) for place, line in places(text, source) if is_rule(line))


def is_rule(line: str) -> bool:
    """Whether a line is one of `ip rule`."""
    return _RULE.fullmatch(line) is not None


def read_routing_rules(text: str, source: str, version: int | None = None) -> tuple[RoutingRule, ...]:
    """Read what `ip rule` prints, as text or, with -j, as JSON; `version` is the one of IP that was asked for.

    Raises:
        DumpError: a line is no rule.
    """
    if is_json(text):
        rules = map(_of_object, read_json(text, source, "ip -j rule"))
    else:
        rules = (_of_line(place, line) for place, line in places(text, source))  # type: ignore[assignment]
    return tuple(rule._replace(version=version) for rule in rules)


def _of_line(place: SourceLine, line: str) -> RoutingRule:
    found = _RULE.fullmatch(line)
    if found is None:
        raise place.error(f"not an ip rule: {quoted(line)}", _HINT)
    return RoutingRule(int(found["priority"]), " ".join(found["selector"].split()))


def _of_object(item: dict[str, object]) -> RoutingRule:
    """Read one object, in the words that stand for it where `ip rule` prints text."""
    priority = shown(item.get("priority", 0))
    words = " ".join(_words_of({key: shown(value) for key, value in item.items() if key not in _ASIDE_KEYS}))
    return RoutingRule(int(priority) if priority.isdecimal() else 0, words)


_ASIDE_KEYS = {"priority", "protocol", "flow_from", "flow_to", "iif_detached", "oif_detached"}
_ENDS = {"srclen": "/", "dstlen": "/", "fwmask": "/", "sport_end": "-", "dport_end": "-", "uid_end": "-"}
_KEYS = {
    "not": "not", "src": "from", "dst": "to", "tos": "tos", "fwmark": "fwmark", "iif": "iif", "oif": "oif",
    "uid_start": "uidrange", "ipproto": "ipproto", "sport": "sport", "sport_start": "sport", "dport": "dport",
    "dport_start": "dport", "table": "lookup", "suppress_prefixlen": "suppress_prefixlength",
    "suppress_ifgroup": "suppress_ifgroup", "goto": "goto", "nop": "nop", "unresolved": "[unresolved]",
}  # fmt: skip
"""The words of `ip rule` by the keys of `ip -j rule`, in their order; `_ENDS` go on with the key before them."""


def _words_of(item: dict[str, str]) -> Iterator[str]:
    """Yield the words of a rule: negation first, as it is printed."""
    if "not" in item:
        yield "not"
    words: dict[str, str] = {}
    for key, value in item.items():
        if key in _ENDS and words:
            last = next(reversed(words))
            words[last] += _ENDS[key] + value
        elif key == "action":
            words[value] = ""
        elif key != "not":
            words[_KEYS.get(key, key)] = "" if value == "None" else value
    if "l3mdev" in words:
        words = {word: value for word, value in words.items() if word != "l3mdev"} | {
            "lookup": _OF_ANY_DEVICE
        }
    yield from (f"{word} {value}".strip() for word, value in words.items())
