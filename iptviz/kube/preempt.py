"""What is asked before kube-proxy's chains: a rule of somebody else that takes the connection first."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.survey import survey
from iptviz.kube.families import SERVICES
from iptviz.rules.iptables import compiled, dump_rule, rule_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.condition import Assumption
    from iptviz.engine.packet import Packet

HOOKS = ("PREROUTING", "OUTPUT")
"""The built-in chains that lead to KUBE-SERVICES."""


class Preemption(NamedTuple):
    """`rule` ends the nat table for connections that come through `hook` when all of `when` hold."""

    hook: str
    rule: Rule
    when: tuple[Assumption, ...]


def preemptions(nat: Table, packet: Packet) -> Iterator[Preemption]:
    """Yield the rules above the jump to KUBE-SERVICES that may take `packet`'s connection."""
    for hook in HOOKS:
        rules = nat.rules_of(hook)
        above = list(takewhile(lambda rule: rule.jump != SERVICES, rules))
        if not above or len(above) == len(rules):
            continue
        for case in survey(rule_table(nat), packet, list(map(compiled, above))).cases:
            for rule, share in case.ends.items():
                if share:
                    yield Preemption(hook, dump_rule(rule), case.when)


def hooks_without_services(nat: Table) -> list[str]:
    """Return the hooks from which nothing leads to KUBE-SERVICES, be it by other chains."""
    leading = {rule.chain for rule in nat.rules_to(SERVICES)}
    pending = [] if leading.issuperset(HOOKS) else [*leading.difference(HOOKS)]
    while pending:
        callers = {rule.chain for rule in nat.rules_to(pending.pop())} - leading
        leading |= callers
        pending += callers.difference(HOOKS)
    return [hook for hook in HOOKS if hook not in leading]
