"""The kinds of conditions, a row each: to teach another one, add a row.

A row holds all that hangs on the kind of a question: the words for either answer, the form of what it asks
about, which of its answers imply others, what answers it, and what of it is a name of the dump.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.xtables.address import Network
from iptviz.xtables.values.numbers import read_mark
from iptviz.xtables.values.protocols import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Callable

# --- marks: an answer about some bits implies answers about others --------------------------------------------


def _mark_bits(text: str) -> Network | None:
    """Read `0x4000/0x4000`: value and mask relate as those of a network do."""
    mark = read_mark(text)
    return None if mark is None else Network(0, *mark)


# --- words that say a value otherwise than it is written -------------------------------------------------------

_THIS_NODE, _OF_TYPE = "local to this node", "of type "
_EACH_TARGET = "each DNAT target is"
_SNATED, _MASQUERADED = "SNATed to ", "masqueraded"


def _same(text: str) -> str:
    return text


def _say_type(value: str) -> str:
    return _THIS_NODE if value == "LOCAL" else _OF_TYPE + value


def _hear_type(words: str) -> str | None:
    if words == _THIS_NODE:
        return "LOCAL"
    return words.removeprefix(_OF_TYPE) if words.startswith(_OF_TYPE) else None


def _say_endpoint(value: str) -> str:
    return _EACH_TARGET if value == "DNAT" else f"{value} is"


def _hear_endpoint(words: str) -> str | None:
    return "DNAT" if words == _EACH_TARGET else words.removesuffix(" is") if words.endswith(" is") else None


def _say_mark(value: str) -> str:
    return "any mark" if value == "any" else f"mark {value}"


def _hear_mark(words: str) -> str | None:
    return "any" if words == "any mark" else words.removeprefix("mark ")


def _hear_network(words: str) -> str | None:
    """Return a network; a range, which the same words state, is none."""
    return None if re.match("[^ ]*-", words) else words


def _say_snat(value: str) -> str:
    return _MASQUERADED if value == "MASQUERADE" else _SNATED + value


def _hear_snat(words: str) -> str | None:
    if words == _MASQUERADED:
        return "MASQUERADE"
    return words.removeprefix(_SNATED) if words.startswith(_SNATED) else None


def _hear_count(words: str) -> str | None:
    return words if words.startswith("-m connlimit ") else None


def _say_setting(value: str) -> str:
    return value.removesuffix("=1")


def _hear_setting(words: str) -> str | None:
    """Return what is asked of a setting, which always is whether it is 1."""
    return f"{words}=1" if re.fullmatch(_SETTING, words) else None


# --- values that name nothing: they may stand in an answer about a dump in pseudonyms --------------------------


def _list_of(*words: str) -> str:
    either = "|".join(words)
    return f"(?:{either})(?:,(?:{either}))*"


_PORTS = _list_of(r"\d+(?::\d+)?")
_BITS = r"(?:0x[0-9A-Fa-f]+|\d+)(?:/(?:0x[0-9A-Fa-f]+|\d+))?"
_STATES = _list_of("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
_TYPES = _list_of(
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT",
    "THROW", "NAT", "XRESOLVE",
)  # fmt: skip
_PROTOCOL = _list_of(*map(re.escape, PROTOCOLS.values()), r"\d+")
_TIME = (
    r"(?:time|date)(?:start|stop) [\dT:-]+|monthdays [\d,]+|kerneltz|utc|localtz|contiguous|"
    f"weekdays {_list_of('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')}"
)


_LINE = r"line \d+"
_DIFFERS = "@?[a-z0-9,]+(?: [a-z0-9-]+)? != [a-z0-9-]+"
_SETTING = r"net\.[a-z0-9]+\.[^\s=]+"
_TABLE = "(?:raw|mangle|nat|filter|security)"
_UNSEEN = (
    f"(?:(?:legacy |nf_tables )?{_TABLE}|nft (?:ip6?|inet) table-[a-z]+|legacy tables|nft tables not listed)"
)
_CHAIN = (
    "(?:(?:ip6? )?(?:raw|mangle|nat|filter|security) [A-Z]+"
    "|(?:ip6? kube-proxy|(?:ip6?|inet) table-[a-z]+) (?:filter|nat)-[a-z-]+)"
)
_OWN_CHAINS = "[A-Z][A-Z-]*(?:, [A-Z][A-Z-]*)*"


class ConditionKind(NamedTuple):
    """What all conditions of one kind have in common.

    Attributes:
        holds: what is said when the answer is yes; {} is the value.
        fails: what is said when it is no.
        form: how a value is written, in plain words with examples; empty where the question has none.
        settled_by: the parameters of `iptviz.packet` of which any answers it; without one only `assume` does.
        field: the field of a packet of which a value, or one of several, is asked: a key of `fields.FIELD_KINDS`;
            empty where the question is one of its own.
        between: what separates several values, of which any will do; empty where there is only one.
        bits: reads a value as the bits of a mark that it means, which those of other questions may imply.
        names: what of the dump a value names: `address`, `end` which may have a port, `interface`, `list`, `set`,
            `service`, `setting` which may be one of an interface, or `options` where it quotes options of a rule,
            with whatever they name. Empty: nothing.
        plain: a pattern of all values that name nothing.
        per_rule: what is asked about changes as rules ask, so two rules ask two questions.
        always_said: the answers of which a case that one of them comes to is always told: it is not `otherwise`.
        denies: what is said when the answer is yes is a denial, so that one asks for the contrary.
        details: how what else a rule asks stands after the value, and a pattern of it; empty: nothing does.
        say: returns a value in the words that stand for {}.
        hear: returns the value that words mean; None where the words are another kind's.
    """

    holds: str
    fails: str
    form: str = ""
    settled_by: tuple[str, ...] = ()
    field: str = ""
    between: str = ""
    bits: Callable[[str], Network | None] | None = None
    names: str = ""
    plain: str = ""
    per_rule: bool = False
    always_said: tuple[bool, ...] = ()
    denies: bool = False
    details: tuple[str, str] | None = None
    say: Callable[[str], str] = _same
    hear: Callable[[str], str | None] = _same


_NETWORK = "addresses or networks, as -s takes them: 10.244.0.0/16"
_RANGE = "an address range: 10.0.0.1-10.0.0.9"
_TYPE = "types of addresses, as -m addrtype takes them: LOCAL"
_INTERFACE = "interfaces; a trailing + matches a prefix: eth0, cali+"
_PORT = "ports or port ranges: 80, 8000:8099, 80,443"
_MARK = "a mark, with or without a mask: 0x1, 0x4000/0x4000"
_WHOSE = ("local_ips", "addresses")
_EITHER = (True, False)
_ENDS = "addresses, with ports where nat chose them: 10.244.0.2:8080"
_NO_ADDRESS = r"this node(?::[\d-]+)?|another host|the packet's source|MASQUERADE"

CONDITION_KINDS = {
    "source-cidr": ConditionKind(
        "source in {}", "source not in {}", _NETWORK, ("src",), field="source", between=",", names="address",
        hear=_hear_network,
    ),
    "destination-cidr": ConditionKind(
        "destination in {}", "destination not in {}", _NETWORK, ("dst",), field="destination", between=",",
        names="address", hear=_hear_network,
    ),
    "source-range": ConditionKind(
        "source in {}", "source not in {}", _RANGE, ("src",), field="source", between=",", names="address"
    ),
    "destination-range": ConditionKind(
        "destination in {}", "destination not in {}", _RANGE, ("dst",), field="destination", between=",",
        names="address",
    ),
    "source-type": ConditionKind(
        "source is {}", "source is not {}", _TYPE, _WHOSE, field="source-type", between=",", plain=_TYPES,
        say=_say_type, hear=_hear_type,
    ),
    "destination-type": ConditionKind(
        "destination is {}", "destination is not {}", _TYPE, _WHOSE, field="destination-type", between=",",
        plain=_TYPES, say=_say_type, hear=_hear_type,
    ),
    "in-interface": ConditionKind(
        "input interface is {}", "input interface is not {}", _INTERFACE, ("in_iface",), field="in-interface",
        between=", ", names="interface",
    ),
    "out-interface": ConditionKind(
        "output interface is {}", "output interface is not {}", _INTERFACE, ("out_iface", "routes"),
        field="out-interface", between=", ", names="interface",
    ),
    "bridge-port": ConditionKind("input is a bridge port", "input is not a bridge port"),
    "source-port": ConditionKind(
        "source port {}", "source port not {}", _PORT, ("sport",), field="source-port", between=",",
        plain=_PORTS,
    ),
    "destination-port": ConditionKind(
        "destination port {}", "destination port not {}", _PORT, ("dport",), field="destination-port",
        between=",", plain=_PORTS,
    ),
    "protocol": ConditionKind(
        "protocol is {}", "protocol is not {}", "protocol names or numbers: tcp, tcp,udp, 132", ("protocol",),
        field="protocol", between=",", plain=_PROTOCOL,
    ),
    "ttl": ConditionKind(
        "time to live is {}", "time to live is not {}",
        "TTL or hop limit on arrival, or a range: 64, 0:4",
        ("ttl",), field="ttl", between=",", plain=_PORTS,
    ),
    "length": ConditionKind(
        "length is {}", "length is not {}", "bytes including the IP header, or a range: 40, 0:1500",
        ("length",), field="length", between=",", plain=_PORTS,
    ),
    "state": ConditionKind(
        "connection state is {}", "connection state is not {}", "conntrack states: ESTABLISHED,RELATED",
        ("ctstate",), field="state", between=",", plain=_STATES,
    ),
    "tracking": ConditionKind("this node tracks connections", "this node does not track connections"),
    "untracked-type": ConditionKind(
        "this kernel leaves ICMPv6 type {} untracked", "this kernel tracks ICMPv6 type {}",
        "a type that newer kernels leave untracked: 151", plain=r"\d+",
    ),
    "group": ConditionKind(
        "this node has joined {}", "this node has not joined {}", "a multicast address: 239.1.2.3",
        plain=r"2(?:2[4-9]|3\d)(?:\.\d+){3}|ff[0-9a-f:]+",
    ),
    "bridged": ConditionKind(
        "packet is bridged within {}", "packet is not bridged within {}",
        "an interface that may be a bridge: cni0", names="interface",
    ),
    "hairpin": ConditionKind(
        "{} sends back by the port from which a packet came (hairpin mode)",
        "{} does not send back by the port from which a packet came (no hairpin mode)",
        "a bridge: cni0", names="interface",
    ),
    "delivery": ConditionKind(
        "routing delivers packets of {} to this node", "routing does not deliver packets of {} to this node",
        "a mark as TPROXY sets it, or any; ip rule and the table that it names tell: 0x1, 0x1/0x1",
        plain=f"{_BITS}|any", say=_say_mark, hear=_hear_mark,
    ),
    "rewriting": ConditionKind(
        "nat has not rewritten the connection", "nat has rewritten the connection", settled_by=("conntrack",),
        always_said=(True,), denies=True,
    ),
    "nat-helper": ConditionKind(
        "no NAT helper has rewritten the connection", "a NAT helper has rewritten the connection",
        always_said=_EITHER, denies=True,
    ),
    "direction": ConditionKind(
        "packet is a reply", "packet is not a reply", settled_by=("conntrack",),
    ),
    "dnat": ConditionKind(
        "the connection was DNATed to {}", "the connection was not DNATed to {}", _ENDS, ("conntrack",),
        field="dnat", between=",", names="end", plain=_NO_ADDRESS, always_said=(True,),
    ),
    "snat": ConditionKind(
        "the connection was {}", "the connection was not {}", "SNATed to 192.168.1.10, or masqueraded",
        ("conntrack",),
        field="snat", between=",", names="end", plain=_NO_ADDRESS, always_said=(True,),
        say=_say_snat, hear=_hear_snat,
    ),
    "fragment": ConditionKind("packet is a later fragment", "packet is not a later fragment"),
    "mark": ConditionKind("mark is {}", "mark is not {}", _MARK, ("mark",), bits=_mark_bits, plain=_BITS),
    "connmark": ConditionKind(
        "connection mark is {}", "connection mark is not {}", _MARK, bits=_mark_bits, plain=_BITS
    ),
    "local": ConditionKind(
        "{} is an address of this node", "{} is not an address of this node", "an address: 192.168.1.10", _WHOSE,
        names="address",
    ),
    "endpoint-local": ConditionKind(
        "{} local to this node", "{} not local to this node",
        "DNAT for every DNAT target, or the address of one endpoint", _WHOSE, names="address",
        plain="DNAT", always_said=_EITHER, say=_say_endpoint, hear=_hear_endpoint,
    ),
    "listener": ConditionKind(
        "a program listens on {}", "no program listens on {}",
        "what a target hands packets to: netfilter queue 0, TPROXY port 15001",
        plain=r"netfilter queue \d+(?::\d+)?|TPROXY port (?:\d+|the packet's port)",
    ),
    "cookie": ConditionKind("this ACK answers a SYN/ACK of SYNPROXY", "this ACK answers no SYN/ACK of SYNPROXY"),
    "rate": ConditionKind(
        "{} is not exceeded", "{} is exceeded",
        "options of -m limit or -m hashlimit without dashes, and the rule's line: limit 3/hour at line 12",
        plain=r"limit \d+/[a-z]+(?: limit-burst \d+)?", per_rule=True,
    ),
    "time": ConditionKind(
        "now is {}", "now is not {}",
        "options of -m time without dashes: timestart 08:00:00 timestop 17:00:00",
        plain=f"any time|(?:{_TIME})(?: (?:{_TIME}))*",
    ),
    "quota": ConditionKind(
        "quota {} is not used up", "quota {} is used up", "a number, and the rule's line: 5000 at line 12",
        plain=r"\d+", per_rule=True,
    ),
    "recent": ConditionKind(
        "source is in the recent list {}", "source is not in the recent list {}",
        "the list, its other options in brackets, and the rule's line: ssh (--seconds 60 --rsource) at line 12",
        ("recent",), names="list", details=(" ({})", "(?:! )?--.*"), per_rule=True,
    ),
    "set": ConditionKind(
        "packet is in ipset {}", "packet is not in ipset {}",
        "the set, and the directions of its match: clients src, pairs dst,src",
        ("ipset",), names="set", details=(" {}", r"[^ ]+(?: --return-nomatch)?"),
    ),
    "sysctl": ConditionKind(
        "{}=1", "{} is not 1", "a sysctl and 1: net.ipv4.conf.all.route_localnet=1", ("sysctl",),
        names="setting", say=_say_setting, hear=_hear_setting,
    ),
    "backend-order": ConditionKind(
        "legacy table {} runs before that of nf_tables", "legacy table {} runs after that of nf_tables",
        "a table that both backends have: nat", plain=_TABLE,
    ),
    "hook-order": ConditionKind(
        "the kernel asks {}", "the kernel does not ask {}",
        "two chains of one priority, each with its table: filter FORWARD before ip kube-proxy filter-forward",
        plain=f"{_CHAIN} before {_CHAIN}",
    ),
    "merged": ConditionKind(
        "the kernel compares {} as one", "the kernel compares {} one by one",
        "neighbouring fields that must differ, which an old nft or iptables-nft joins, and the line of the rule: "
        "tcp sport != 80 tcp dport != 443 at line 12", per_rule=True,
        plain=rf"{_DIFFERS}(?: {_DIFFERS})+|! --[sd]port \d+ ! --[sd]port \d+",
    ),
    "unseen-tables": ConditionKind(
        "tables not in the dump ({}) have no effect", "tables not in the dump ({}) have an effect",
        "the tables, separated by commas: raw, mangle, legacy filter, nft inet filter",
        plain=f"{_UNSEEN}(?:, {_UNSEEN})*", always_said=_EITHER,
    ),
    "unseen-chains": ConditionKind(
        "missing lines of {} are as kube-proxy writes them",
        "missing lines of {} are not as kube-proxy writes them",
        "chains, separated by commas, after their table: nat PREROUTING, OUTPUT and filter FORWARD",
        plain=f"{_TABLE} {_OWN_CHAINS}(?: and {_TABLE} {_OWN_CHAINS})*", always_said=_EITHER,
    ),
    "count": ConditionKind(
        "packet matches {}", "packet does not match {}",
        "options of a counting match, and the rule's line: -m connlimit --connlimit-above 5 at line 12",
        names="options", per_rule=True, hear=_hear_count,
    ),
    "turn": ConditionKind(
        "statistic {} takes the packet", "statistic {} does not take the packet",
        "options of -m statistic --mode nth without dashes, and the rule's line: "
        "mode nth every 2 packet 0 at line 12",
        plain=r"mode nth every \d+(?: packet \d+)?", per_rule=True,
    ),
    "answer": ConditionKind(
        "the answer matches {}", "the answer does not match {}",
        "options that a rule matches on the endpoint's answer, and its line: -m length --length 40 at line 12",
        names="options", per_rule=True,
    ),
    "match": ConditionKind(
        "packet matches {}", "packet does not match {}", "options as in the rule: -m length --length 40",
        names="options", details=(" ({})", "forwarded"),
    ),
    "target": ConditionKind(
        "rules go on after target {}", "rules end at target {}", "an unknown target: FOO",
        plain="[A-Z][A-Z0-9_]*",
    ),
    "unprinted-port": ConditionKind(
        "the destination port is that of {} (not printed)",
        "the destination port is not that of {} (not printed)",
        "service ports, or a chain or line in place of one: default/web:http", field="unprinted-port",
        between=", ", names="service",
    ),
    "unprinted-node-port": ConditionKind(
        "the destination port is the node port of {} (not printed)",
        "the destination port is not the node port of {} (not printed)",
        "service ports, or a chain or line in place of one: default/web:http", field="unprinted-node-port",
        between=", ", names="service",
    ),
    "unprinted-mark": ConditionKind(
        "the mark fits {}, whose mark is not printed",
        "the mark does not fit {}, whose mark is not printed",
        "the line of the rule: line 12", plain=_LINE,
    ),
    "unprinted-chance": ConditionKind(
        "chance chooses {} (no probability printed)", "chance does not choose {} (no probability printed)",
        "lines of rules, of which chance chooses one: line 12", field="unprinted-chance", between=", ",
        plain=f"{_LINE}(?:, {_LINE})*",
    ),
    "as-printed": ConditionKind(
        "{} is as wide as printed", "{} is narrower than printed, and does not match",
        "the line of the rule: line 12", plain=_LINE,
    ),
    "unread": ConditionKind(
        "rules go on after {}, which cannot be read", "rules end at {}, which cannot be read",
        "the line of a rule whose target is not understood: line 12", plain=_LINE,
    ),
}  # fmt: skip
"""By its name, which stands in documents, each kind of question."""

BY_ROUTE = "by the routes"
"""What a question about the output interface adds where the routes are known, and the destination is not."""

MATCHES_SETTLED_BY = {
    "-m tos": ("tos",), "-m dscp": ("tos",),
    "-m mac": ("mac",), "-m owner": ("uid", "gid"), "--tcp-flags": ("tcp_flags",), "--syn": ("tcp_flags",),
    "--icmp": ("icmp_type",),
}  # fmt: skip
"""By what stands in a condition of kind `match` the parameters of `iptviz.packet` that together answer it."""
