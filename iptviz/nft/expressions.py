"""What rules of nft ask about and compare with: one class for each form of expression.

Constants are read by the type of what they stand beside: `tcp dport ssh`, `tcp dport 22` and 22 of JSON are one.
The names of fields and types are those of `man nft`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.xtables.address import Network, full_mask

if TYPE_CHECKING:
    from typing import TypeAlias

    from iptviz.nft.counting import Stateful, Verdict

Type = tuple[str, ...]
"""The names of data types, several where values are joined: `("ipv4_addr", "inet_proto", "inet_service")`."""

UNKNOWN: Type = ()
"""The type of what nothing tells."""


class Value(NamedTuple):
    """A constant: an integer where its type has integers or names of them, else a text.

    Addresses of IP and MAC are integers, as are ports, protocols, marks, states (bits), ICMP types. Interfaces,
    helpers and what has no known type are texts.
    """

    type: str
    data: int | str


class Prefix(NamedTuple):
    """All values that begin with the same bits: `10.0.0.0/8`."""

    base: Value
    length: int


class Range(NamedTuple):
    """All values from the first to the last, both among them."""

    low: Value
    high: Value


class Wildcard(NamedTuple):
    """All texts that begin in one way: `"cali*"`."""

    type: str
    begins: str


class CatchAll(NamedTuple):
    """The element `*` of a set: what no other element matches."""


class Payload(NamedTuple):
    """A field of a header: `ip saddr`, `th dport`, `icmpv6 type`."""

    protocol: str
    field: str


class RawPayload(NamedTuple):
    """Bits of a header, counted from its beginning: `@th,16,16`."""

    base: str
    offset: int
    length: int


class Meta(NamedTuple):
    """What the kernel knows of a packet beside its bytes: `meta l4proto`, `meta mark`, `iifname`."""

    key: str


class Ct(NamedTuple):
    """What connection tracking knows of a packet's connection: `ct state`, `ct original ip saddr`.

    `direction` is `original` or `reply`, or empty; `family` is `ip` or `ip6` where the text has it.
    """

    key: str
    direction: str = ""
    family: str = ""


class Fib(NamedTuple):
    """What the routing tables say: `fib saddr . iif oif` has the flags saddr and iif, and the result oif."""

    flags: tuple[str, ...]
    result: str


class Numgen(NamedTuple):
    """A number from `offset` up, below `offset + modulus`: drawn (`random`) or counted up (`inc`)."""

    mode: str
    modulus: int
    offset: int = 0


class Hash(NamedTuple):
    """A number from `offset` up that the key, or all of a packet (symhash, which has none), decides."""

    kind: str
    key: Expression | None
    modulus: int
    seed: int | None = None
    offset: int = 0


class Socket(NamedTuple):
    """What the socket that a packet is for says of itself; `level` is that of a cgroup."""

    key: str
    level: int | None = None


class Osf(NamedTuple):
    """The operating system that a SYN looks like."""

    key: str
    ttl: str = ""


class Rt(NamedTuple):
    """What the route says that a packet got: `rt nexthop`, `rt mtu`."""

    key: str
    family: str = ""


class Ipsec(NamedTuple):
    """What the transformation says that a packet took: `ipsec in reqid`."""

    direction: str
    key: str
    family: str = ""
    number: int = 0


class Extension(NamedTuple):
    """A field of a header that may be missing; without a field, whether it is there.

    `kind` is `exthdr`, `tcp option`, `ip option`, `sctp chunk` or `dccp option`.
    """

    kind: str
    name: str
    field: str = ""


class Concatenation(NamedTuple):
    """Several values as one: `ip daddr . meta l4proto . th dport`."""

    parts: tuple[Expression, ...]


class SetReference(NamedTuple):
    """A named set or map of the rule's table."""

    name: str


class AnonymousSet(NamedTuple):
    """A set or map that stands within a rule."""

    elements: tuple[Element, ...]


class Binary(NamedTuple):
    """Arithmetic of bits: `&`, `|`, `^`, `<<` or `>>`; constants alone are worked out."""

    operator: str
    left: Expression
    right: Expression


class MapLookup(NamedTuple):
    """The value that a map has for a key: `numgen random mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }`."""

    key: Expression
    map: SetReference | AnonymousSet


class Unreadable(NamedTuple):
    """An expression of a form that is not known, with its text."""

    text: str


class Element(NamedTuple):
    """What a set or a map holds.

    Attributes:
        key: a value, prefix, range, or several joined, or `CatchAll`.
        data: what a map has for it, a verdict in a verdict map; None in a set.
        comment: None where there is none.
        timeout: in milliseconds, as the element has it on its own.
        expires: in milliseconds from when it was listed.
        statements: what is done with each packet that finds it, such as a counter.
    """

    key: Expression
    data: Expression | Verdict | None = None
    comment: str | None = None
    timeout: int | None = None
    expires: int | None = None
    statements: tuple[Stateful, ...] = ()


Expression: TypeAlias = (
    Value | Prefix | Range | Wildcard | CatchAll | Payload | RawPayload | Meta | Ct | Fib | Numgen | Hash
    | Socket | Osf | Rt | Ipsec | Extension | Concatenation | SetReference | AnonymousSet | Binary | MapLookup
    | Unreadable
)  # fmt: skip

CONSTANTS = (Value, Prefix, Range, Wildcard, CatchAll)
"""The classes of what is the same for every packet."""

_VERSIONS = {"ipv4_addr": 4, "ipv6_addr": 6}


def network_of(expression: Expression) -> Network | None:
    """Return the addresses that a constant is, where these are one address or a prefix; else None."""
    base = expression.base if isinstance(expression, Prefix) else expression
    if not isinstance(base, Value) or base.type not in _VERSIONS or isinstance(base.data, str):
        return None
    version = _VERSIONS[base.type]
    full = full_mask(version)
    bits = full.bit_length()
    length = expression.length if isinstance(expression, Prefix) else bits
    mask = full >> (bits - length) << (bits - length)
    return Network(version, base.data & mask, mask)
