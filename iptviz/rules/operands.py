"""What tests and targets are given, already read.

By the kinds of tests, their operands:

    source, destination             networks (a tuple of `Network`, None: cannot be read), of which one is enough
    source-range, destination-range `AddressRange`, None: cannot be read
    source-type, destination-type   types of `-m addrtype` in capitals, a tuple
    type-on-interface               `TypeOnInterface`
    protocol                        its name, else its number, as iptables-save prints it; `all` is any
    in-interface, out-interface     its name, with a `+` at the end the beginning of names
    source-port, destination-port   `Range`
    multiport                       `PortLists`
    tcp-flags                       `TcpFlags`, None: cannot be read
    icmp-type                       `IcmpType`
    length                          `Range` of bytes
    ttl                             `Range`, None: cannot be read
    tos                             `Masked`, None: cannot be read; DSCP and ECN are bits of it
    mac                             its text in capitals
    packet-type                     a word of `-m pkttype`, None: no such type
    owner                           `Owner`, None: cannot be read
    mark, connmark                  `Masked`; of connmark None: cannot be read
    state, status                   words of conntrack in capitals, a frozenset
    direction                       whether that of the connection's first packet is wanted
    tuple                           `TupleField`
    tracked-protocol                the name of a protocol
    tracked                         `Tracked`: a test of a connection that must be there
    recent, recent-set, set         `RecentList`, for --set as well; `SetMember`
    chance, turn                    Fraction in [0, 1], negation included; `turn` is one that is counted: nth
    match                           None: nothing here understands the test, which is a condition in its `quote`
    bytes                           the name of a match that looks at the packet's bytes: see the test's `quote`
    tcp-options                     None: options of TCP, or its flags of ECN, are asked, as in the `quote`
    unprinted-port, unprinted-node-port    None: what the rule asks was not printed, a condition about its value
    unprinted-mark, unprinted-chance, as-printed    None, likewise
    fragment, rate, quota, count, time, listener    None
    both-ports                      two tests of ports, which the kernel may compare as one
    merged                          None: whether the kernel compares fields as one, as in the `value`
    changing-set                    `ChangingSet`: an element of a set of nft that rules may change
    bridge-port, physdev            None

Few dumps need any of the rows below, so whoever makes one imports it then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.rules.form import Test
    from iptviz.xtables.address import Network
    from iptviz.xtables.values.numbers import Masked, Range


# --- tests ---------------------------------------------------------------------------------------------------


class AddressRange(NamedTuple):
    """The addresses of one IP `version`, 4 or 6, from `first` to `last`, both included, as numbers."""

    version: int
    first: int
    last: int


class TypeOnInterface(NamedTuple):
    """The `types` that one interface gives the source or destination: the one it comes `in` by, or goes `out`."""

    side: str
    types: tuple[str, ...]
    by: str


class TcpFlags(NamedTuple):
    """Of the flags `looked_at` exactly `wanted` are set."""

    looked_at: frozenset[str]
    wanted: frozenset[str]


class PortLists(NamedTuple):
    """The port of one of `sides` (`source`, `destination`) lies in one of `ranges`; None cannot be read."""

    sides: tuple[str, ...]
    ranges: tuple[Range | None, ...]


class Owner(NamedTuple):
    """The user (`place` 0) or the group (1) of the sending program; without a place, that there is a socket.

    `supplementary`: one of the program's other groups will do as well.
    """

    place: int | None
    numbers: Range | None
    supplementary: bool = False


class Tracked(NamedTuple):
    """A test of the packet's connection, None for none but that there is one.

    `beside_state` says that another test of the same match asks for the state: a packet without a connection then
    passes this one (net/netfilter/xt_conntrack.c).
    """

    test: Test | None
    beside_state: bool


class TupleField(NamedTuple):
    """A field of the connection's tuple, as the packet names it on its way, and what it is compared with.

    `reply` says that the tuple of the reply is asked. `wanted` are networks for an address, a range for a port;
    None cannot be read.
    """

    reply: bool
    field: str
    wanted: tuple[Network | None, ...] | Range | None


class RecentList(NamedTuple):
    """An address is on list `name`, the destination or else the source.

    `asking` is `rcheck`, or what is done to the address as well: `set` puts it there, `update` counts it once
    more where it is found, `remove` takes it off. `mask` is put on the address before. `hits` (None: cannot be
    read) is how often it must have come. `timed`: only what came within some seconds counts. `same_ttl`: its time
    to live must be that of the packet that came last. `details` quotes all but the name.
    """

    name: str
    asking: str
    to_destination: bool
    mask: int | None
    hits: int | None
    timed: bool
    same_ttl: bool
    details: str


class SetMember(NamedTuple):
    """The packet's `directions` (`src`, `dst`) are in set `name`, an entry marked nomatch counting or not.

    `details` quotes all but the name.
    """

    name: str
    directions: tuple[str, ...]
    return_nomatch: bool
    details: str


class ChangingSet(NamedTuple):
    """The set `name`, and for each element that was listed the tests of it."""

    name: str
    ways: tuple[tuple[Test, ...], ...]


# --- targets -------------------------------------------------------------------------------------------------


class Queue(NamedTuple):
    """The `number` of a queue, or a range of them; `bypass`: what nobody listens for is accepted."""

    number: str
    bypass: bool


class Socket(NamedTuple):
    """The `port` on which TPROXY expects a socket, in words, and what it makes of the packet's mark.

    `ends`: it accepts the packet; in nft the rule goes on.
    """

    port: str
    mark: Masked
    ends: bool = True


class ConnectionMark(NamedTuple):
    """What CONNMARK does: `way` is `set`, `save` or `restore`.

    `change` is what it sets, value and mask of `(mark & ~mask) ^ value`, None if that cannot be read. Saving and
    restoring take the bits of `nfmask` of the packet's mark and those of `ctmask` of the connection's. All are
    shifted by `shift` bits, to the left, or to the right where it is negative.
    """

    way: str
    change: Masked | None
    nfmask: int
    ctmask: int
    shift: int


class SetChange(NamedTuple):
    """The sets that SET changes, and what it does in words; `marks` says that an entry sets the packet's mark."""

    names: tuple[str, ...]
    text: str
    marks: bool
