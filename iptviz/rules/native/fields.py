"""What is asked of one field of a packet: constants that are compared with it, as tests.

A reader gets the constants of which one must fit, and returns the one test that asks for all of them, or None
where it takes several, or where nothing here understands them.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from iptviz.nft.expressions import Ct, Fib, Meta, Payload, Range, Value, Wildcard, network_of
from iptviz.nft.symbols import SYMBOLS
from iptviz.records import NamedTuple
from iptviz.rules.form import Test
from iptviz.rules.operands import (
    AddressRange,
    Owner,
    PortLists,
    TcpFlags,
    Tracked,
    TupleField,
    TypeOnInterface,
)  # fmt: skip
from iptviz.xtables.address import Network, full_mask
from iptviz.xtables.values.addresses import show_address, show_network
from iptviz.xtables.values.icmp import IcmpType
from iptviz.xtables.values.numbers import Masked, show_range
from iptviz.xtables.values.numbers import Range as Numbers
from iptviz.xtables.values.protocols import protocol_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iptviz.nft.expressions import Expression

    Reader = Callable[[Sequence[Expression]], Test | None]


class Field(NamedTuple):
    """A field: how constants of it are read, and what a packet must be so that it has the field.

    `family` is that of packets which have it, empty for both; `protocol` their protocol, empty for any. `first`
    are tests that must hold whatever is asked: of a connection that there must be one. `last` is the greatest
    number.
    """

    read: Reader
    family: str = ""
    protocol: str = ""
    first: tuple[Test, ...] = ()
    last: int = 0


# --- constants as numbers ------------------------------------------------------------------------------------


def bounds_of(constant: Expression) -> Numbers | None:
    """Return the first and the last number of a constant; None for what is no number.

    A range that ends before it begins is none: nft takes no such range, and lists one where two comparisons that
    it took for the ends of a range are of two fields (`tcp sport < 81 ip ttl > 5` as `ip ttl != 81-5`).
    """
    if isinstance(constant, Value):
        return Numbers(constant.data, constant.data) if isinstance(constant.data, int) else None
    if isinstance(constant, Range):
        low, high = constant.low.data, constant.high.data
        return Numbers(low, high) if isinstance(low, int) and isinstance(high, int) and low <= high else None
    return None


def _one(constants: Sequence[Expression]) -> Numbers | None:
    return bounds_of(constants[0]) if len(constants) == 1 else None


def _single(constants: Sequence[Expression]) -> int | None:
    bounds = _one(constants)
    return bounds.first if bounds is not None and bounds.first == bounds.last else None


# --- addresses -----------------------------------------------------------------------------------------------

_VERSIONS = {"ipv4_addr": 4, "ipv6_addr": 6}


def networks_of(constant: Expression) -> list[Network] | None:
    """Return the networks that a constant is: of a range, the fewest that make it up."""
    if isinstance(constant, Range) and constant.low.type in _VERSIONS:
        return _range_networks(constant)
    network = network_of(constant)
    return None if network is None else [network]


def _range_networks(constant: Range) -> list[Network] | None:
    version, bounds = _VERSIONS[constant.low.type], bounds_of(constant)
    if bounds is None:
        return None
    make: Any = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    found = ipaddress.summarize_address_range(make(bounds.first), make(bounds.last))
    return [Network(version, int(one.network_address), int(one.netmask)) for one in found]


def _address(side: str) -> Reader:
    def read(constants: Sequence[Expression]) -> Test | None:
        if len(constants) == 1 and isinstance(constants[0], Range):
            return _address_range(side, constants[0])
        found = [networks_of(constant) for constant in constants]
        networks = tuple(one for some in found for one in some or ())
        return None if None in found else Test(side, networks, value=",".join(map(show_network, networks)))

    return read


def _address_range(side: str, constant: Range) -> Test | None:
    bounds, version = bounds_of(constant), _VERSIONS.get(constant.low.type)
    if bounds is None or version is None:
        return None
    value = "-".join(show_address(end, version) for end in bounds)
    return Test(f"{side}-range", AddressRange(version, *bounds), value=value)


# --- numbers and names ---------------------------------------------------------------------------------------


def _port(side: str) -> Reader:
    def read(constants: Sequence[Expression]) -> Test | None:
        found = [bounds_of(constant) for constant in constants]
        ranges = tuple(one for one in found if one is not None)
        if len(ranges) < len(found):
            return None
        value = ",".join(map(show_range, ranges))
        if len(ranges) == 1:
            return Test(f"{side}-port", ranges[0], value=value)
        return Test("multiport", PortLists((side,), ranges), value=value)

    return read


def _numbers(kind: str, shift: int = 0) -> Reader:
    """Return the reader of numbers that lie in one range, which the kernel counts `shift` lower than nft."""

    def read(constants: Sequence[Expression]) -> Test | None:
        bounds = _one(constants)
        if bounds is None:
            return None
        return Test(kind, Numbers(bounds.first + shift, bounds.last + shift))

    return read


def _protocol(constants: Sequence[Expression]) -> Test | None:
    number = _single(constants)
    if number is None:
        return None
    name = protocol_name(str(number))
    return Test("protocol", name, value=name)


def _interface(kind: str) -> Reader:
    def read(constants: Sequence[Expression]) -> Test | None:
        if len(constants) != 1:
            return None
        (constant,) = constants
        name = constant.data if isinstance(constant, Value) else None
        name = f"{constant.begins}+" if isinstance(constant, Wildcard) else name
        return Test(kind, name, value=name) if isinstance(name, str) and name else None

    return read


def _tos(shift: int, mask: int) -> Reader:
    def read(constants: Sequence[Expression]) -> Test | None:
        number = _single(constants)
        return None if number is None else Test("tos", Masked(number << shift, mask))

    return read


def _icmp(constants: Sequence[Expression]) -> Test | None:
    number = _single(constants)
    return None if number is None else Test("icmp-type", IcmpType(number, None))


def _mac(constants: Sequence[Expression]) -> Test | None:
    number = _single(constants)
    if number is None:
        return None
    return Test("mac", ":".join(f"{byte:02X}" for byte in number.to_bytes(6, "big")))


_PACKET_TYPES = {0: "unicast", 1: "broadcast", 2: "multicast"}


def _packet_type(constants: Sequence[Expression]) -> Test | None:
    word = _PACKET_TYPES.get(_single(constants) or 0) if _single(constants) is not None else None
    return None if word is None else Test("packet-type", word)


def _owner(place: int) -> Reader:
    def read(constants: Sequence[Expression]) -> Test | None:
        bounds = _one(constants)
        return None if bounds is None else Test("owner", Owner(place, bounds))

    return read


# --- types of addresses --------------------------------------------------------------------------------------

_TYPE_NAMES = {number: name.upper() for name, number in SYMBOLS["fib_addrtype"].items()}


def fib_field(asked: Fib) -> Field | None:
    """Return the field of what routing says of an address; None where nothing here understands it."""
    side = {"saddr": "source", "daddr": "destination"}.get(asked.flags[0])
    beside = asked.flags[1:]
    if asked.result != "type" or side is None or beside not in {(), ("iif",), ("oif",)}:
        return None

    def read(constants: Sequence[Expression]) -> Test | None:
        numbers = [_single((constant,)) for constant in constants]
        types = tuple(_TYPE_NAMES[number] for number in numbers if number in _TYPE_NAMES)
        if len(types) < len(numbers):
            return None
        if beside:
            return Test("type-on-interface", TypeOnInterface(side, types, beside[0][:-1]))
        return Test(f"{side}-type", types, value=",".join(types))

    return Field(read)


# --- connections ---------------------------------------------------------------------------------------------

_CONNECTED = (Test("tracked", Tracked(None, beside_state=False), part="ct"),)
"""Of what is asked of a connection there must be one (nft_ct_get_eval in net/netfilter/nft_ct.c)."""
_STATES = {1: "INVALID", 2: "ESTABLISHED", 4: "RELATED", 8: "NEW", 64: "UNTRACKED"}
_STATUSES = {1: "EXPECTED", 2: "SEEN_REPLY", 4: "ASSURED", 8: "CONFIRMED", 16: "SNAT", 32: "DNAT"}


def _bits(constants: Sequence[Expression], names: dict[int, str]) -> frozenset[str] | None:
    """Return the names of the bits of which any will do."""
    numbers = [_single((constant,)) for constant in constants]
    if None in numbers or any((number or 0) & ~sum(names) for number in numbers):
        return None
    return frozenset(name for bit, name in names.items() if any((number or 0) & bit for number in numbers))


def _state(constants: Sequence[Expression]) -> Test | None:
    wanted = _bits(constants, _STATES)
    return None if wanted is None else Test("state", wanted, value=",".join(sorted(wanted)))


def _status(constants: Sequence[Expression]) -> Test | None:
    wanted = _bits(constants, _STATUSES)
    return None if wanted is None else Test("status", wanted)


def _direction(constants: Sequence[Expression]) -> Test | None:
    number = _single(constants)
    return None if number is None else Test("direction", number == 0)


def _tuple(reply: bool, field: str) -> Reader:  # noqa: FBT001 - a row of a table
    def read(constants: Sequence[Expression]) -> Test | None:
        if field.endswith("port"):
            bounds = _one(constants)
            return None if bounds is None else Test("tuple", TupleField(reply, field, bounds))
        found = [networks_of(constant) for constant in constants]
        networks = tuple(one for some in found for one in some or ())
        wanted = TupleField(reply, field, networks)
        value = ",".join(map(show_network, networks))
        return None if None in found else Test("tuple", wanted, value=value)

    return read


def _tracked_protocol(constants: Sequence[Expression]) -> Test | None:
    test = _protocol(constants)
    return None if test is None else test._replace(kind="tracked-protocol")


_SIDES = {
    "saddr": "source",
    "daddr": "destination",
    "proto-src": "source_port",
    "proto-dst": "destination_port",
}
_TURNED = {"source": "destination", "destination": "source"}


def ct_field(asked: Ct) -> Field | None:
    """Return the field of a connection; None where nothing here understands it."""
    if asked.key in _SIDES and asked.direction:
        reply = asked.direction == "reply"
        side = _SIDES[asked.key]
        if reply:  # as the packet names it on its way
            side = side.replace(*next(pair for pair in _TURNED.items() if side.startswith(pair[0])))
        family = {"ip": "ipv4", "ip6": "ipv6"}.get(asked.family, "")
        return Field(_tuple(reply, side), family, first=_CONNECTED, last=0xFFFF)
    return _CONNECTIONS.get(asked.key) if not asked.direction else None


_CONNECTIONS = {
    "state": Field(_state),
    "status": Field(_status, first=_CONNECTED),
    "direction": Field(_direction, first=_CONNECTED),
    "protocol": Field(_tracked_protocol, first=_CONNECTED),
}

# --- all -----------------------------------------------------------------------------------------------------

_SOCKET = (Test("owner", Owner(None, None), part="meta skuid"),)
"""What has no socket has no user, whatever is asked (nft_meta_get_eval in net/netfilter/nft_meta.c)."""
_LAST = {8: 0xFF, 16: 0xFFFF, 32: 0xFFFFFFFF}
_WITH_PORTS = ("tcp", "udp", "udplite", "sctp", "dccp")

FIELDS: dict[Expression, Field] = {
    Payload("ip", "saddr"): Field(_address("source"), "ipv4", last=_LAST[32]),
    Payload("ip", "daddr"): Field(_address("destination"), "ipv4", last=_LAST[32]),
    Payload("ip6", "saddr"): Field(_address("source"), "ipv6", last=full_mask(6)),
    Payload("ip6", "daddr"): Field(_address("destination"), "ipv6", last=full_mask(6)),
    Payload("ip", "protocol"): Field(_protocol, "ipv4", last=_LAST[8]),
    Payload("ip6", "nexthdr"): Field(_protocol, "ipv6", last=_LAST[8]),
    Payload("ip", "ttl"): Field(_numbers("ttl"), "ipv4", last=_LAST[8]),
    Payload("ip6", "hoplimit"): Field(_numbers("ttl"), "ipv6", last=_LAST[8]),
    Payload("ip", "length"): Field(_numbers("length"), "ipv4", last=_LAST[16]),
    Payload("ip6", "length"): Field(_numbers("length", 40), "ipv6", last=_LAST[16]),
    Payload("ip", "dscp"): Field(_tos(2, 0xFC), "ipv4"),
    Payload("ip6", "dscp"): Field(_tos(2, 0xFC), "ipv6"),
    Payload("ip", "ecn"): Field(_tos(0, 0x03), "ipv4"),
    Payload("ip6", "ecn"): Field(_tos(0, 0x03), "ipv6"),
    Payload("icmp", "type"): Field(_icmp, "ipv4", "icmp"),
    Payload("icmpv6", "type"): Field(_icmp, "ipv6", "ipv6-icmp"),
    Payload("ether", "saddr"): Field(_mac),
    **{
        Payload(protocol, f"{side[0]}port"): Field(
            _port(side), protocol=protocol if protocol != "th" else "", last=_LAST[16]
        )
        for protocol in (*_WITH_PORTS, "th")
        for side in ("source", "destination")
    },
    Meta("l4proto"): Field(_protocol, last=_LAST[8]),
    Meta("length"): Field(_numbers("length"), last=_LAST[16]),
    Meta("pkttype"): Field(_packet_type),
    Meta("skuid"): Field(_owner(0), first=_SOCKET, last=_LAST[32]),
    Meta("skgid"): Field(_owner(1), first=_SOCKET, last=_LAST[32]),
    **{
        Meta(key): Field(_interface(f"{way}-interface"))
        for way in ("in", "out")
        for key in (f"{way[0]}if", f"{way[0]}ifname")
    },
}
"""What is understood of a packet's own fields."""


def field_of(expression: Expression) -> Field | None:
    """Return the field that an expression is; None for what nothing here understands."""
    if isinstance(expression, Fib):
        return fib_field(expression)
    return ct_field(expression) if isinstance(expression, Ct) else FIELDS.get(expression)


# --- flags of TCP --------------------------------------------------------------------------------------------

_FLAGS = {1: "FIN", 2: "SYN", 4: "RST", 8: "PSH", 16: "ACK", 32: "URG"}
ALL_FLAGS = sum(_FLAGS)


def flags_test(mask: int, wanted: int) -> Test | None:
    """Return the test that of the flags of TCP in `mask` those in `wanted` are set; None for those of ECN."""
    if (mask | wanted) & ~ALL_FLAGS:
        return None
    looked_at, set_ = (
        frozenset(name for bit, name in _FLAGS.items() if bits & bit) for bits in (mask, wanted)
    )
    shown = [
        ",".join(sorted(flags, key=list(_FLAGS.values()).index)) or "NONE" for flags in (looked_at, set_)
    ]
    return Test("tcp-flags", TcpFlags(looked_at, set_), value=f"--tcp-flags {' '.join(shown)}")
