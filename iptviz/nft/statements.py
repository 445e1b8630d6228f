"""What rules of nft do with a packet: one class for each form of statement, a match among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.nft.counting import ConnectionLimit, Counter, Last, Limit, Quota, Verdict
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from typing import TypeAlias

    from iptviz.nft.counting import Stateful
    from iptviz.nft.expressions import AnonymousSet, Expression, SetReference

__all__ = [
    "ANY_BIT", "NO_BIT", "Assign", "ConnectionLimit", "Counter", "Dup", "Fwd", "Last", "Limit", "Log", "Match",
    "Nat", "Notrack", "ObjectStatement", "Queue", "Quota", "Reject", "SetUpdate", "Statement", "Synproxy",
    "Tproxy", "Unread", "Verdict", "VerdictMap", "Xt",
]  # fmt: skip

ANY_BIT, NO_BIT = "in", "!"
"""Operators of bits: whether one of them is set, as `ct state new,related` asks, or none, as `ct state ! new`."""


class Match(NamedTuple):
    """A comparison that must hold, or the next rule is asked.

    `operator` is `==`, `!=`, `<`, `>`, `<=`, `>=`, `ANY_BIT` or `NO_BIT`. With a set at the right, `==` asks
    whether it has the left, `!=` whether it lacks it; with a prefix, range or wildcard, whether it is within.
    `tcp flags syn / syn,ack` is `tcp flags & (syn | ack) == syn`.
    """

    left: Expression
    operator: str
    right: Expression


class VerdictMap(NamedTuple):
    """The verdict that a map has for a key; the rule goes on where it has none."""

    key: Expression
    map: SetReference | AnonymousSet


class Nat(NamedTuple):
    """What nat does: `kind` is `dnat`, `snat`, `masquerade` or `redirect`.

    Attributes:
        family: `ip` or `ip6` where the rule or the table has one of them; else empty.
        address: the new one: a value, range, prefix, or a map that has addresses, or addresses joined to ports;
            listings and JSON say so by what the map holds alone.
        port: the new one, where it stands beside the address.
        flags: `random`, `fully-random`, `persistent`, in alphabetical order.
        is_prefix: whether bits of the address beside the prefix are kept (`dnat ip prefix to`).
    """

    kind: str
    family: str = ""
    address: Expression | None = None
    port: Expression | None = None
    flags: tuple[str, ...] = ()
    is_prefix: bool = False


class Reject(NamedTuple):
    """An answer that the packet is refused: by `icmp`, `icmpv6`, `icmpx` or `tcp reset`.

    `code` is the number of the ICMP code, for icmpx that of nft. A plain `reject` answers `port-unreachable` by
    what the table's family has.
    """

    kind: str
    code: int | None = None


class Assign(NamedTuple):
    """A new value for something of the packet: `meta mark set`, `ct mark set`, `ip dscp set`."""

    target: Expression
    value: Expression


class Log(NamedTuple):
    """A line of the log; options as they are named: level, group, snaplen, queue-threshold, flags."""

    prefix: str | None = None
    options: tuple[tuple[str, str], ...] = ()


class Queue(NamedTuple):
    """The packet goes to a program; what that decides nobody knows."""

    to: Expression | None = None
    flags: tuple[str, ...] = ()


class Notrack(NamedTuple):
    """Connection tracking leaves the packet alone."""


class Dup(NamedTuple):
    """A copy of the packet is sent elsewhere; the packet itself goes on."""

    address: Expression | None = None
    device: Expression | None = None


class Fwd(NamedTuple):
    """The packet leaves by another device (netdev)."""

    device: Expression
    address: Expression | None = None
    family: str = ""


class Tproxy(NamedTuple):
    """The packet is given to a socket of the node."""

    family: str = ""
    address: Expression | None = None
    port: Expression | None = None


class SetUpdate(NamedTuple):
    """An element is put into a set, or taken out: `add @s { ip saddr }`, `update`, `delete`.

    In a map `data` goes with the key. `statements` count for each element (a meter, too): where one of them does
    not match, neither does the rule. `timeout` is in milliseconds.
    """

    operation: str
    set: str
    key: Expression
    data: Expression | Verdict | None = None
    statements: tuple[Stateful, ...] = ()
    timeout: int | None = None


class ObjectStatement(NamedTuple):
    """An object of the table does its work: `counter name "http"`, `ct helper set "ftp"`, `flow add @ft`.

    `kind` is `counter`, `quota`, `limit`, `synproxy`, `secmark`, `ct helper`, `ct timeout`, `ct expectation` or
    `flow`; `name` may depend on the packet, by a map.
    """

    kind: str
    name: Expression


class Synproxy(NamedTuple):
    """SYN cookies answer for the server."""

    mss: int | None = None
    wscale: int | None = None
    flags: tuple[str, ...] = ()


class Xt(NamedTuple):
    """A match or target of iptables that nft prints no better: `xt match "statistic"`.

    What it asks or does is hidden; the match `comment` asks nothing. `kind` is `match`, `target` or `watcher`,
    empty where only the name is told.
    """

    kind: str
    name: str


class Unread(NamedTuple):
    """What is of no known form, with its text: a condition, or something that is done; nobody knows."""

    text: str


Statement: TypeAlias = (
    Match | Verdict | VerdictMap | Nat | Reject | Assign | Counter | Log | Limit | Quota | ConnectionLimit
    | Last | Queue | Notrack | Dup | Fwd | Tproxy | SetUpdate | ObjectStatement | Synproxy | Xt | Unread
)  # fmt: skip
