"""At which addresses of the node its node ports answer: what the jumps to KUBE-NODEPORTS ask of the destination.

kube-proxy's --nodeport-addresses writes a jump for each address (`-d 192.0.2.10/32`),
--iptables-localhost-nodeports=false one for all but the loopback (`! -d 127.0.0.0/8`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.families import NODE_PORTS
from iptviz.records import NamedTuple
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.rules.form import Place


class AddressLimit(NamedTuple):
    """The addresses at which a port answers: those in `networks` alone, or (not `only`) all but those.

    `rules` say so.
    """

    only: bool
    networks: tuple[str, ...]
    rules: tuple[Place, ...]

    def admits(self, address: str) -> bool:
        """Whether the port answers at `address`."""
        asked = parse_network(address)
        inside = asked is not None and any(
            network.contains(asked) for network in map(parse_network, self.networks) if network
        )
        return inside == self.only

    @property
    def text(self) -> str:
        """The limit in words, with the lines that set it; without lines with chains and numbers."""
        which = "only at" if self.only else "at this node's addresses except"
        lines = ", ".join(str(rule.line) for rule in self.rules)
        where = f"{'line' if len(self.rules) == 1 else 'lines'} {lines}"
        if not all(rule.line for rule in self.rules):
            where = ", ".join(f"{rule.chain} rule {rule.number}" for rule in self.rules)
        return f"{which} {', '.join(self.networks)} ({where})"


def node_port_limit(nat: Table) -> AddressLimit | None:
    """Return the addresses at which the node ports of a dump answer; None: at all, or no rule tells.

    Several jumps add up. Where one of several excludes addresses, what is left over is not told.
    """
    asked = [(rule, _destination(rule)) for rule in nat.rules_to(NODE_PORTS)]
    named = [(rule, *destination) for rule, destination in asked if destination is not None]
    if not asked or len(named) < len(asked):
        return None
    negated = [each for each in named if each[2]]
    if negated and len(named) > 1:
        return None
    return AddressLimit(
        not negated, tuple(_shown(network) for _, network, _ in named), tuple(rule for rule, *_ in named)
    )


def _destination(rule: Rule) -> tuple[str, bool] | None:
    """Return the network that a rule names as the destination, and whether it wants any but that one."""
    for option in rule.parts.basics:
        if option.name == "-d" and option.values:
            return option.values[0], option.negated
    return None


def _shown(network: str) -> str:
    """Return a network as people write it: a single address without a mask."""
    address, _, length = network.partition("/")
    return address if length in {"32", "128"} else network
