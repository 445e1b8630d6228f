"""Statements that an element of a set may have, too: verdicts, and what counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from typing import TypeAlias


class Verdict(NamedTuple):
    """What becomes of the packet: `accept`, `drop`, `continue`, `return`, or to a chain, `jump` and `goto`."""

    kind: str
    chain: str = ""


class Counter(NamedTuple):
    """A count of packets and bytes; `nft -s` hides the numbers."""

    packets: int | None = None
    bytes: int | None = None


class Limit(NamedTuple):
    """How often a rule may match: `rate` units (packets, bytes) in `per` (second to week), `over`: above that."""

    rate: int
    unit: str
    per: str
    burst: int | None = None
    over: bool = False


class Quota(NamedTuple):
    """How many bytes a rule matches, or from how many on (`over`)."""

    bytes: int
    over: bool = False
    used: int | None = None


class ConnectionLimit(NamedTuple):
    """How many connections there may be: `ct count over 10`."""

    most: int
    over: bool = False


class Last(NamedTuple):
    """When the rule matched last, as it is printed; empty where it is not."""

    used: str = ""


Stateful: TypeAlias = Counter | Limit | Quota | ConnectionLimit | Last
