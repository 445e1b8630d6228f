"""What a bridge of the node passes on between its ports, and rules see nevertheless; it is not routed then.

Source: net/bridge/br_netfilter_hooks.c: with bridge-nf-call-iptables a bridge asks rules about what it passes on.
Nothing is taken off the time to live, and no route, reverse path or ip_forward is asked for; what DNAT has
rewritten is routed all the same (br_nf_pre_routing_finish), and bridged if that leads back to the bridge. What
would leave by the port from which it came needs hairpin mode (should_deliver in net/bridge/br_forward.c).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.effects import answered
from iptviz.engine.moves import Lost, On

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet

    Answer = Callable[[Condition], bool | None]

ASKS_RULES = {4: "net.bridge.bridge-nf-call-iptables", 6: "net.bridge.bridge-nf-call-ip6tables"}
"""Whether bridges ask rules about what they pass on, by version of IP."""
_NO_BRIDGE = re.compile(
    r"(?:cali|veth|lxc(?!br)|en|gke|azv|tun|tap|wg|wl|vxlan|flannel|cilium_).*|eth\d{0,3}"
)
"""Names of devices that are no bridges, as programs choose them; a pseudonym begins as they do."""


class Bridges:
    """The bridges of a node, of which nobody knows which interfaces they are: that is a condition, `bridged`."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def passed_on(self, packet: Packet, answer: Answer, *, of_ttl: bool) -> On | Lost | None:
        """Return what becomes of a packet that a bridge passes on; None for one that is routed.

        `of_ttl`: it makes a difference that nothing is taken off its time to live. Where neither that does, nor
        hairpin mode, nobody asks.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        name, leaves_by = packet.in_interface, packet.leaves_by
        if not name or name == "lo" or packet.proxied or leaves_by not in (None, name):
            return None
        back = _goes_back(packet)
        if not of_ttl and (not back or _NO_BRIDGE.fullmatch(name)):
            return None
        if self._asks_none() or not answered(Condition("bridged", name), answer):
            return None
        if back and not answered(Condition("hairpin", name), answer):
            return Lost(packet, f"{name} does not send back by the port it came from: no hairpin mode")
        return On(packet._replace(leaves_by=name))

    def pass_unrouted(self, packet: Packet, answer: Answer) -> bool:
        """Whether a bridge passes on a packet that the node would not route.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        name = packet.in_interface
        if not name or packet.leaves_by != name or _NO_BRIDGE.fullmatch(name):
            return False
        if packet.dnat or packet.proxied or self._asks_none() or self.host.is_local(packet.destination):
            return False
        return answered(Condition("bridged", name), answer)

    def _asks_none(self) -> bool:
        """Whether it is known that bridges ask no rules."""
        return self.host.sysctl(ASKS_RULES[self.host.version]) == "0"


def _goes_back(packet: Packet) -> bool:
    """Whether a packet is for its own sender, as of a pod that is sent to itself through a service."""
    return packet.source is not None and packet.source == packet.destination
