"""Rules beside kube-proxy's that the kernel's route_localnet decides about: to or from 127.0.0.0/8."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from iptviz.engine.martians import LOOPBACK
from iptviz.engine.packet import Packet
from iptviz.engine.survey import survey
from iptviz.kube.published import published_port, publishing_rules
from iptviz.rules.iptables import compiled, dump_rule, rule_table
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

_MANY = 100
"""Of more rules the first ones are followed."""


def through_loopback(nat: Table) -> list[Rule]:
    """Return the DNAT rules that send to 127.0.0.0/8 what arrives, or elsewhere what is for 127.0.0.1."""
    return [rule for rule in islice(publishing_rules(nat), _MANY) if _crosses(nat, rule)]


def _crosses(nat: Table, rule: Rule) -> bool:
    port = published_port(rule)
    address = port.destination.rpartition(":")[0] or port.destination
    target = parse_network(address)
    if target is None or target.version != LOOPBACK.version or not rule.target or rule.target.name != "DNAT":
        return False
    own = parse_network("127.0.0.1")
    comes_in = LOOPBACK.contains(target)
    packet = Packet(
        protocol=port.protocol or "tcp",
        source=None if comes_in else own,
        destination=parse_network(port.address or "") if comes_in else own,
        destination_port=next(iter(port.single_ports), None),
        to_this_node=True,
    )
    entry = list(map(compiled, nat.rules_of("PREROUTING" if comes_in else "OUTPUT")))
    cases = survey(rule_table(nat), packet, entry).cases if entry else ()
    return any(share and dump_rule(place) == rule for case in cases for place, share in case.ends.items())
