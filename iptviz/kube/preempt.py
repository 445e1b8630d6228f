"""What is asked before kube-proxy's chains: a rule of somebody else that takes the connection first."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from iptviz.engine.matching import rule_truth
from iptviz.engine.survey import survey
from iptviz.kube.families import SERVICES
from iptviz.records import NamedTuple
from iptviz.rules.iptables import compiled, dump_rule, rule_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.condition import When
    from iptviz.engine.packet import Packet

HOOKS = ("PREROUTING", "OUTPUT")
"""The built-in chains that lead to KUBE-SERVICES."""


class Preemption(NamedTuple):
    """`rule` ends the nat table for connections that come through `hook` when all of `when` hold."""

    hook: str
    rule: Rule
    when: When


class ConditionalJump(NamedTuple):
    """The only way from `hook` to KUBE-SERVICES is by `rule`, where all of `when` hold."""

    hook: str
    rule: Rule
    when: When


def preemptions(nat: Table, packet: Packet) -> Iterator[Preemption]:
    """Yield the rules above the jump to KUBE-SERVICES that may take `packet`'s connection."""
    for hook in HOOKS:
        above = _above(nat, hook)
        for case in survey(rule_table(nat), packet, list(map(compiled, above))).cases if above else ():
            for rule, share in case.ends.items():
                if share:
                    yield Preemption(hook, dump_rule(rule), case.when)


def _above(nat: Table, hook: str) -> list[Rule]:
    """Return the rules that are asked before KUBE-SERVICES; none where nothing leads there.

    Where the hook leads there by other chains, these are followed as long as they are entered by all packets.
    """
    leading = {SERVICES} if _direct(nat, hook) else _leading(nat)
    found: list[Rule] = []
    entered, chain = {SERVICES}, hook
    while chain not in entered:
        entered.add(chain)
        rules = nat.rules_of(chain)
        above = list(takewhile(lambda rule: rule.jump not in leading, rules))
        if len(above) == len(rules):
            return found
        found += above
        jump = rules[len(above)]
        chain = chain if compiled(jump).tests else jump.jump or chain
    return found


def conditional_jumps(nat: Table, packet: Packet) -> Iterator[ConditionalJump]:
    """Yield the hooks from which a single way leads to KUBE-SERVICES, and that under conditions."""
    direct = [_direct(nat, hook) for hook in HOOKS]
    if all(rule is not None and not rule_truth(compiled(rule), packet).needs for rule in direct):
        return  # as kube-proxy writes it
    leading = _leading(nat)
    callers = {
        chain: [rule for rule in nat.rules_to(chain) if rule.chain in leading] for chain in leading - {*HOOKS}
    }
    for hook in HOOKS:
        way = _only_way(hook, callers)
        needs = [(rule, need) for rule in way for need in rule_truth(compiled(rule), packet).needs]
        if needs:
            yield ConditionalJump(hook, needs[0][0], tuple(dict.fromkeys(need for _, need in needs)))


def _direct(nat: Table, hook: str) -> Rule | None:
    """Return the first jump of a hook to KUBE-SERVICES."""
    return next((rule for rule in nat.rules_of(hook) if rule.jump == SERVICES), None)


def _only_way(hook: str, callers: Mapping[str, Sequence[Rule]]) -> list[Rule]:
    """Return the jumps of the way from a hook to KUBE-SERVICES, the last first; none where there are several."""
    way: list[Rule] = []
    chain = SERVICES
    while chain != hook and len(way) <= len(callers):
        from_here = [rule for rule in callers.get(chain, ()) if rule.chain not in HOOKS or rule.chain == hook]
        if len(from_here) != 1:
            return []
        way += from_here
        chain = from_here[0].chain
    return way


def _leading(nat: Table) -> set[str]:
    """Return KUBE-SERVICES and all chains from which it is reached."""
    leading, pending = {SERVICES}, [SERVICES]
    while pending:
        callers = {rule.chain for rule in nat.rules_to(pending.pop())} - leading
        leading |= callers
        pending += callers.difference(HOOKS)
    return leading


def hooks_without_services(nat: Table) -> list[str]:
    """Return the hooks from which nothing leads to KUBE-SERVICES, be it by other chains."""
    leading = _leading(nat)
    return [hook for hook in HOOKS if hook not in leading]
