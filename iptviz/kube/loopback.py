"""Rules beside kube-proxy's that the kernel's route_localnet decides about: to or from 127.0.0.0/8."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from iptviz.engine.martians import LOOPBACK
from iptviz.engine.packet import Packet
from iptviz.engine.survey import survey
from iptviz.kube.frontends import value_of
from iptviz.kube.published import is_host_port, ports_of, publishing_rules
from iptviz.rules.iptables import compiled, dump_rule, rule_table
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.protocols import read_port

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

_MANY = 100
"""Of more rules the first ones are followed."""


def through_loopback(nat: Table, *, host_ports: bool) -> list[Rule]:
    """Return the DNAT rules that send to 127.0.0.0/8 what arrives, or elsewhere what is for 127.0.0.1.

    Those of host ports are among them only where `host_ports` says so.
    """
    rules = (rule for rule in publishing_rules(nat) if host_ports or not is_host_port(rule))
    return [rule for rule in islice(rules, _MANY) if _crosses(nat, rule)]


def _crosses(nat: Table, rule: Rule) -> bool:
    destination = (rule.target and rule.target.value("--to-destination")) or ""
    target = parse_network(destination.partition(":")[0])
    if target is None or target.version != LOOPBACK.version:
        return False
    own = parse_network("127.0.0.1")
    comes_in = LOOPBACK.contains(target)
    packet = Packet(
        protocol=value_of(rule, "-p") or "tcp",
        source=None if comes_in else own,
        destination=parse_network(value_of(rule, "-d") or "") if comes_in else own,
        destination_port=read_port(ports_of(rule)),
        to_this_node=True,
    )
    entry = list(map(compiled, nat.rules_of("PREROUTING" if comes_in else "OUTPUT")))
    cases = survey(rule_table(nat), packet, entry).cases if entry else ()
    return any(share and dump_rule(place) == rule for case in cases for place, share in case.ends.items())
