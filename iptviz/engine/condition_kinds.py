"""The kinds of conditions, a row each: to teach another one, add a row.

A row holds all that hangs on the kind of a question: the words for either answer, the form of what it asks
about, which of its answers imply others, what answers it, and what of it is a name of the dump.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from iptviz.xtables.address import Network, parse_network
from iptviz.xtables.values.numbers import Range, read_mark
from iptviz.xtables.values.protocols import PROTOCOLS, read_ports

if TYPE_CHECKING:
    from collections.abc import Callable

# --- sets of values: an answer about one implies answers about others ------------------------------------------


class Region(Protocol):
    """A set of values; it is only ever compared with one of its own kind.

    Inside 10.1.0.0/16 means inside 10.0.0.0/8 and outside 10.2.0.0/16; the same holds for ports, interfaces,
    protocols, states and the bits of a mark.
    """

    def contains(self, other: Any) -> bool:
        """Whether every value of `other` is in this set."""

    def meets(self, other: Any) -> bool:
        """Whether some value is in both."""


class Ports(Range):
    """The ports from `first` to `last`, both included."""

    __slots__ = ()

    def contains(self, other: Ports) -> bool:
        """Whether every port of `other` is in this range."""
        return self.first <= other.first and other.last <= self.last

    def meets(self, other: Ports) -> bool:
        """Whether some port is in both."""
        return self.first <= other.last and other.first <= self.last


class Interface(NamedTuple):
    """The interfaces that `-i` or `-o` names: one, or with a `+` at the end all that begin so."""

    name: str

    def contains(self, other: Interface) -> bool:
        """Whether all that `other` names are named."""
        if self.name.endswith("+"):
            return other.name.startswith(self.name[:-1])
        return self.name == other.name

    def meets(self, other: Interface) -> bool:
        """Whether some interface is named by both."""
        return self.contains(other) or other.contains(self)


class OneOf(frozenset[str]):
    """A few names, such as protocols or conntrack states."""

    def contains(self, other: frozenset[str]) -> bool:
        """Whether every name of `other` is one of these."""
        return self >= other

    def meets(self, other: frozenset[str]) -> bool:
        """Whether some name is in both."""
        return not self.isdisjoint(other)


def _ports(text: str) -> Ports | None:
    ports = read_ports(text)
    return None if ports is None else Ports(*ports)


def _mark_bits(text: str) -> Network | None:
    """Read `0x4000/0x4000`: value and mask relate as those of a network do."""
    mark = read_mark(text)
    return None if mark is None else Network(0, *mark)


def _one_of(text: str) -> OneOf:
    return OneOf(text.split(","))


# --- words that say a value otherwise than it is written -------------------------------------------------------

_THIS_NODE, _OF_TYPE = "an address of this node", "of type "


def _same(text: str) -> str:
    return text


def _say_type(value: str) -> str:
    return _THIS_NODE if value == "LOCAL" else _OF_TYPE + value


def _hear_type(words: str) -> str | None:
    if words == _THIS_NODE:
        return "LOCAL"
    return words.removeprefix(_OF_TYPE) if words.startswith(_OF_TYPE) else None


def _hear_network(words: str) -> str | None:
    """Return a network; a range, which the same words state, is none."""
    return None if re.match("[^ ]*-", words) else words


# --- values that name nothing: they may stand in an answer about a dump in pseudonyms --------------------------


def _list_of(*words: str) -> str:
    either = "|".join(words)
    return f"(?:{either})(?:,(?:{either}))*"


_PORT_RANGE = r"\d+(?::\d+)?"
_BITS = r"(?:0x[0-9A-Fa-f]+|\d+)(?:/(?:0x[0-9A-Fa-f]+|\d+))?"
_STATES = _list_of("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
_TYPES = _list_of(
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT",
    "THROW", "NAT", "XRESOLVE",
)  # fmt: skip
_PROTOCOL = "|".join((*map(re.escape, PROTOCOLS.values()), r"\d+"))
_TIME = (
    r"(?:time|date)(?:start|stop) [\dT:-]+|monthdays [\d,]+|kerneltz|utc|localtz|contiguous|"
    f"weekdays {_list_of('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')}"
)


_UNSEEN = r"(?:(?:legacy |nf_tables )?(?:raw|mangle|nat|filter|security)|nft (?:ip6?|inet) table-[a-z]+)"
_TABLE = "(?:raw|mangle|nat|filter|security)"


class ConditionKind(NamedTuple):
    """What all conditions of one kind have in common.

    Attributes:
        holds: what is said when the answer is yes; {} is the value.
        fails: what is said when it is no.
        form: how a value is written, in plain words with examples; empty where the question has none.
        settled_by: the parameters of `iptviz.packet` of which any answers it; without one only `assume` does.
        region: reads a value as the set of values that it means; without it no answer implies another.
        names: what of the dump a value names: `address`, `interface`, `list`, `set`, or `options` where it
            quotes options of a rule, with whatever they name. Empty: nothing.
        plain: a pattern of all values that name nothing, where `names` is empty.
        per_rule: each rule that asks keeps a state of its own, so two rules ask two questions.
        details: how what else a rule asks stands after the value, and a pattern of it; empty: nothing does.
        say: returns a value in the words that stand for {}.
        hear: returns the value that words mean; None where the words are another kind's.
    """

    holds: str
    fails: str
    form: str = ""
    settled_by: tuple[str, ...] = ()
    region: Callable[[str], Region | None] | None = None
    names: str = ""
    plain: str = ""
    per_rule: bool = False
    details: tuple[str, str] | None = None
    say: Callable[[str], str] = _same
    hear: Callable[[str], str | None] = _same


_NETWORK = "addresses or networks, as -s takes them: 10.244.0.0/16"
_RANGE = "the first and the last address: 10.0.0.1-10.0.0.9"
_TYPE = "types of addresses, as -m addrtype takes them: LOCAL"
_INTERFACE = "an interface, with + at the end all that begin so: eth0, cali+"
_PORT = "a port, or the first and the last: 80, 8000:8099"
_MARK = "a mark, perhaps with the mask of the bits that matter: 0x1, 0x4000/0x4000"
_WHOSE = ("local_ips", "addresses")

CONDITION_KINDS = {
    "source-cidr": ConditionKind(
        "source in {}", "source not in {}", _NETWORK, ("src",), region=parse_network, names="address",
        hear=_hear_network,
    ),
    "destination-cidr": ConditionKind(
        "destination in {}", "destination not in {}", _NETWORK, ("dst",), region=parse_network,
        names="address", hear=_hear_network,
    ),
    "source-range": ConditionKind("source in {}", "source not in {}", _RANGE, ("src",), names="address"),
    "destination-range": ConditionKind(
        "destination in {}", "destination not in {}", _RANGE, ("dst",), names="address"
    ),
    "source-type": ConditionKind(
        "source is {}", "source is not {}", _TYPE, _WHOSE, plain=_TYPES, say=_say_type, hear=_hear_type
    ),
    "destination-type": ConditionKind(
        "destination is {}", "destination is not {}", _TYPE, _WHOSE, plain=_TYPES, say=_say_type,
        hear=_hear_type,
    ),
    "in-interface": ConditionKind(
        "input interface is {}", "input interface is not {}", _INTERFACE, ("in_iface",), region=Interface,
        names="interface",
    ),
    "out-interface": ConditionKind(
        "output interface is {}", "output interface is not {}", _INTERFACE, ("out_iface", "routes"),
        region=Interface, names="interface",
    ),
    "bridge-port": ConditionKind("input is a bridge port", "input is not a bridge port"),
    "source-port": ConditionKind(
        "source port {}", "source port not {}", _PORT, ("sport",), region=_ports, plain=_PORT_RANGE
    ),
    "destination-port": ConditionKind(
        "destination port {}", "destination port not {}", _PORT, ("dport",), region=_ports, plain=_PORT_RANGE
    ),
    "protocol": ConditionKind(
        "protocol is {}", "protocol is not {}", "a protocol by its name, or number: tcp, 132", ("protocol",),
        region=_one_of, plain=_PROTOCOL,
    ),
    "state": ConditionKind(
        "connection state is {}", "connection state is not {}", "conntrack states: ESTABLISHED,RELATED",
        ("ctstate",), region=_one_of, plain=_STATES,
    ),
    "tracking": ConditionKind("this node tracks connections", "this node tracks no connections"),
    "fragment": ConditionKind("packet is a later fragment", "packet is no later fragment"),
    "mark": ConditionKind("mark is {}", "mark is not {}", _MARK, ("mark",), region=_mark_bits, plain=_BITS),
    "connmark": ConditionKind(
        "connection mark is {}", "connection mark is not {}", _MARK, region=_mark_bits, plain=_BITS
    ),
    "local": ConditionKind(
        "{} is an address of this node", "{} is no address of this node", "an address: 192.168.1.10", _WHOSE,
        names="address",
    ),
    "endpoint-local": ConditionKind(
        "the address that {} chose is one of this node", "the address that {} chose is not one of this node",
        "the target that chose it: DNAT", _WHOSE, plain="DNAT",
    ),
    "listener": ConditionKind(
        "a program listens on {}", "no program listens on {}",
        "where a target hands packets over: netfilter queue 0, TPROXY port 15001",
        plain=r"netfilter queue \d+(?::\d+)?|TPROXY port (?:\d+|the packet's port)",
    ),
    "rate": ConditionKind(
        "{} is not exceeded", "{} is exceeded",
        "what -m limit or -m hashlimit says without its dashes, and the rule's line: limit 3/hour at line 12",
        plain=r"limit \d+/[a-z]+(?: limit-burst \d+)?", per_rule=True,
    ),
    "time": ConditionKind(
        "now is {}", "now is not {}",
        "what -m time says without its dashes: timestart 08:00:00 timestop 17:00:00",
        plain=f"any time|(?:{_TIME})(?: (?:{_TIME}))*",
    ),
    "quota": ConditionKind(
        "{} bytes are not used up", "{} bytes are used up", "a number, and the rule's line: 5000 at line 12",
        plain=r"\d+", per_rule=True,
    ),
    "recent": ConditionKind(
        "source is in the recent list {}", "source is not in the recent list {}",
        "the list, and in brackets what else is asked of it: ssh, ssh (--seconds 60 --hitcount 4 --rsource)",
        ("recent",), names="list", details=(" ({})", "(?:! )?--.*"),
    ),
    "set": ConditionKind(
        "packet is in ipset {}", "packet is not in ipset {}",
        "the set, and which ends of the packet are looked up: clients src, pairs dst,src",
        ("ipset",), names="set", details=(" {}", r"[^ ]+(?: --return-nomatch)?"),
    ),
    "backend-order": ConditionKind(
        "legacy's table {} is asked before nf_tables'", "legacy's table {} is asked after nf_tables'",
        "a table that both backends have: nat", plain=_TABLE,
    ),
    "unseen-tables": ConditionKind(
        "the tables that are not in the dump ({}) do nothing here",
        "the tables that are not in the dump ({}) do something here",
        "the tables, separated by commas: raw, mangle, legacy filter, nft inet filter",
        plain=f"{_UNSEEN}(?:, {_UNSEEN})*",
    ),
    "match": ConditionKind(
        "packet matches {}", "packet does not match {}", "options as a rule has them: -m length --length 40",
        names="options",
    ),
    "target": ConditionKind(
        "rules go on after target {}", "rules end at target {}", "a target that nothing here knows: FOO",
        plain="[A-Z][A-Z0-9_]*",
    ),
    "unread": ConditionKind(
        "rules go on after {}, which cannot be read", "rules end at {}, which cannot be read",
        "the line of a rule whose target is not understood: line 12", plain=r"line \d+",
    ),
}  # fmt: skip
"""By its name, which stands in documents, each kind of question."""

MATCHES_SETTLED_BY = {
    "-m length": ("length",), "-m ttl": ("ttl",), "-m hl": ("ttl",), "-m tos": ("tos",), "-m dscp": ("tos",),
    "-m mac": ("mac",), "-m owner": ("uid", "gid"), "--tcp-flags": ("tcp_flags",), "--syn": ("tcp_flags",),
    "--icmp": ("icmp_type",),
}  # fmt: skip
"""By what stands in a condition of kind `match` the parameters of `iptviz.packet` that together answer it."""
