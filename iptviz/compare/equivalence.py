"""Whether two nodes treat every new connection to services alike, or a packet that tells them apart.

Both are followed as decision diagrams over the same fields, so that equal diagrams are equal behaviour. What is
compared of a connection: what becomes of its first packet, the endpoint that it is sent to and with which
share, the source that it then has, and what becomes of the endpoint's answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from iptviz.checks.examined import Examined
    from iptviz.engine.condition import When
    from iptviz.kube.names import ServiceName
    from iptviz.paths.model import Decider

Unknown = Literal["too many cases", "cannot be followed", "not printed", "no frontend"]
"""Why it is not known whether two nodes treat connections alike: there are too many cases to be compared; tables
that no dump shows may do anything to them; a side does not print what its rules do; a port is not printed."""


class Ending(NamedTuple):
    """How the share `share` (in (0, 1]) of connections ends.

    `outcome` is ACCEPT, LOCAL (accepted by this node without DNAT), DROP, REJECT, QUEUE, STOLEN or UNKNOWN.
    `endpoint` is where DNAT sends what is accepted, `address:port`, empty where nothing rewrites it; `snat` is
    the source that it then has: None for its own, MASQUERADE, or an address. `reply` says the same of the
    endpoint's answer; None: not seen by the node, or not known. `by` and `reply_by` decide that, None where
    nobody here is known to.
    """

    share: Fraction
    outcome: str
    endpoint: str
    snat: str | None
    reply: str | None
    by: Decider | None = None
    reply_by: Decider | None = None


class TellingPacket(NamedTuple):
    """A packet that two nodes treat differently, where all of `when` hold.

    Addresses are texts; `hook` is `prerouting` (arrives) or `output` (sent by the node). The interface is None
    where any will do. `destination` is None for a node port on a node whose addresses are not known.
    """

    hook: str
    source: str
    destination: str | None
    protocol: str
    source_port: int | None
    destination_port: int | None
    in_interface: str | None
    ttl: int
    length: int
    when: When


class Difference(NamedTuple):
    """A frontend where connections fare differently: one packet, with how it ends on both sides.

    `frontend` is as people write it, `10.96.0.1:443/tcp`. `alike` are other frontends that differ likewise,
    whose packets would only have other addresses.
    """

    service: ServiceName
    frontend: str
    packet: TellingPacket
    old: tuple[Ending, ...]
    new: tuple[Ending, ...]
    alike: tuple[str, ...] = ()


class NotKnown(NamedTuple):
    """Frontends, as people write them, of which it is not known whether they are treated alike, and why."""

    why: Unknown
    frontends: tuple[str, ...]


class Equivalence(NamedTuple):
    """The answer: `alike` is True, False where something differs, None where that is not known.

    `frontends` counts those that were compared, of services of either side. `assumed` is taken for granted of all
    packets, and of both sides: conditions that are the same on both have the same answer. `set_aside` names
    what is known of one side alone, or otherwise of each, and was therefore left open: `addresses`,
    `interfaces`, `routes`, or `set NAME` and the like.
    """

    alike: bool | None
    frontends: int
    different: tuple[Difference, ...]
    not_known: tuple[NotKnown, ...]
    assumed: When
    set_aside: tuple[str, ...] = ()


def equivalence(old: Sequence[Examined], new: Sequence[Examined]) -> Equivalence:
    """Compare how two nodes treat new connections to services; `old` and `new` are dumps of one family each.

    Their service ports are those whose frontends are compared.
    """
    raise NotImplementedError
