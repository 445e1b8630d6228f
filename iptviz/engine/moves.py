"""What a stage of netfilter's hooks may do to a packet before any rule of it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.engine.condition import Condition
    from iptviz.engine.packet import Packet
    from iptviz.engine.stages import Stage


class On(NamedTuple):
    """The next stage is asked about `packet`."""

    packet: Packet


class Lost(NamedTuple):
    """Routing drops the packet."""

    packet: Packet
    why: str


class Unseen(NamedTuple):
    """Something may happen that no dump shows: that it is as `taken` says was not granted."""

    taken: Condition


class Enter(NamedTuple):
    """A chain that a hook leads to, of the rules at place `layer`, is asked about `packet`."""

    layer: int
    packet: Packet
    stage: Stage


Move = On | Lost | Unseen | Enter
