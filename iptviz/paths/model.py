"""What becomes of connections to one frontend: who is asked, and a row for each way that they may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction

    from iptviz.engine.condition import When

CLIENT_KINDS = ("outside", "pod", "node")
"""Kinds of clients: from another host and no pod of the cluster, a pod, this node itself."""

ACCEPT, LOCAL = "ACCEPT", "LOCAL"
"""Outcomes of connections that get through; LOCAL: delivered to this node, where nothing was rewritten."""


AS_WRITTEN = "as kube-proxy writes it, not in this dump"
"""The text of a rule that decides and is taken for granted: no line of the dump has it."""


class Decider(NamedTuple):
    """The rule that decides, or the policy of a chain, which has no `number`.

    `number` counts from 1 in the chain, `line` in the dump; both are None where there is no such rule.
    `table` is empty where routing decides, not a rule. `others` counts rules and policies that decide alike
    for other clients of the same row. `comment` is what its author says of a rule of kube-proxy's or kubelet's.
    """

    table: str
    chain: str
    number: int | None
    line: int | None
    text: str
    others: int = 0
    comment: str = ""


def is_flannels(by: Decider) -> bool:
    """Whether a rule is one with which flannel masquerades."""
    return by.chain == "FLANNEL-POSTRTG" or "flanneld masq" in by.text


def is_exempting(by: Decider) -> bool:
    """Whether a rule is one of programs that masquerade, and leave alone the pods of their own node."""
    return is_flannels(by) or by.chain.startswith("IP-MASQ")


class EndpointRow(NamedTuple):
    """What becomes of connections that a DNAT sends to an endpoint, where all of `when` hold.

    They are the share `share` (in [0, 1]) of all. `port` is None where it is not known. `outcome` is
    ACCEPT, DROP, REJECT, QUEUE, STOLEN or UNKNOWN, as decided by `by`. `snat` is None, MASQUERADE, or the address
    that the source becomes, by the rule `snat_by`. `reply` says the same of the endpoint's answer on its way
    back through this node; None: it is not seen here, or not known.
    """

    address: str
    port: int | None
    share: Fraction
    when: When
    outcome: str
    by: Decider | None = None
    snat: str | None = None
    reply: str | None = None
    reply_by: Decider | None = None
    snat_by: Decider | None = None

    @property
    def reaches(self) -> bool:
        """Whether these connections work as far as this node's rules decide it."""
        return self.outcome == ACCEPT and self.reply in {ACCEPT, None}


def is_among(address: str, addresses: frozenset[str]) -> bool:
    """Whether an address, or a range with a range of ports, is one of `addresses`, which have no ports."""
    return address in addresses or ("-" in address and address.rpartition(":")[0].strip("[]") in addresses)


def rests_on_unread(when: When) -> bool:
    """Whether something is so only where a rule ends packets of which nobody here knows what it does."""
    return any(one.condition.kind in {"target", "unread"} and not one.holds for one in when)


class LeftoverRow(NamedTuple):
    """What becomes of connections that no DNAT sends anywhere, where all of `when` hold.

    They are the share `share` (in [0, 1]) of all. `outcome` ACCEPT means that they go on to `to` unchanged,
    LOCAL that they are delivered to this node.
    """

    share: Fraction
    when: When
    outcome: str
    by: Decider | None
    to: str


class ClientPaths(NamedTuple):
    """What becomes of the connections of some kinds of clients, where all of `when` hold.

    `clients` are kinds of clients, or the one address that was asked for. `untracked`: NOTRACK keeps nat
    out. The shares of the rows whose `when` holds of one client sum to 1. At least the share `at_least` of
    connections reaches an endpoint and is answered, at most `at_most`: they differ where that hangs on
    conditions of rows. `unshared`: the dump does not print by what chance each endpoint is chosen, so that the
    shares of rows are none.
    """

    clients: tuple[str, ...]
    when: When
    untracked: bool
    endpoints: tuple[EndpointRow, ...]
    leftover: tuple[LeftoverRow, ...]
    at_least: Fraction
    at_most: Fraction
    unshared: bool = False


class FrontendPaths(NamedTuple):
    """All that may become of connections to one frontend; entries of one kind of client exclude each other.

    `assumed` is taken for granted of all clients. `left_open` says that questions were left open, since
    there were too many cases. `kind` is that of the frontend.
    """

    assumed: When
    entries: tuple[ClientPaths, ...]
    left_open: bool = False
    kind: str = ""
