"""Chains of network policies: those behind kube-proxy's accept, and those of pods that are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.families import AZURE, CALICO, CILIUM, KUBE_ROUTER, WEAVE, family_of
from iptviz.kube.frontends import host_of
from iptviz.kube.hooks import hooks_leading
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule

FORWARDED = "KUBE-FORWARD"
"""Where kube-proxy accepts what it marked to be masqueraded."""

_OF_POD = "KUBE-POD-FW-"
_POLICY_WRITERS = {AZURE, CALICO, CILIUM, KUBE_ROUTER, WEAVE}


class StalePolicy(NamedTuple):
    """Several chains of policies for one pod's address: of the pod that has it, and of one that had it."""

    address: str
    chains: tuple[str, ...]
    rules: tuple[Rule, ...]


def is_of_policies(chain: str, table: str) -> bool:
    """Whether a chain is one of a program that enforces network policies."""
    family = family_of(chain, table)
    return family is not None and family.writer in _POLICY_WRITERS and family.role in {"filter", "other"}


def stale_policies(dump: Dump) -> list[StalePolicy]:
    """Return the addresses that have several chains of kube-router's in one hook."""
    table = dump.tables.get("filter")
    by_address: dict[tuple[str, str], dict[str, Rule]] = {}
    for rule in table.rules_with(f" -j {_OF_POD}") if table else ():
        address, chain = host_of(rule), rule.jump
        if address and chain:
            by_address.setdefault((rule.chain, address), {}).setdefault(chain, rule)
    found: dict[str, dict[str, Rule]] = {}
    asked: dict[str, bool] = {}
    for (caller, address), chains in by_address.items():
        if len(chains) > 1 and table is not None:
            if caller not in asked:
                asked[caller] = bool(hooks_leading(table, caller))
            if asked[caller]:
                found.setdefault(address, chains)
    return [StalePolicy(address, tuple(chains), tuple(chains.values())) for address, chains in found.items()]


def policies_behind_forward(dump: Dump) -> list[tuple[Rule, Rule]]:
    """Return what leads from FORWARD to policies behind kube-proxy's accept, each with the jump to that."""
    table = dump.tables.get("filter")
    rules = table.rules_of("FORWARD") if table else ()
    at = next((place for place, rule in enumerate(rules) if rule.jump == FORWARDED), None)
    if table is None or at is None or not any(map(_accepts_marked, table.rules_of(FORWARDED))):
        return []
    before = {rule.jump for rule in rules[:at]}
    return [
        (rules[at], rule)
        for rule in rules[at + 1 :]
        if rule.jump and rule.jump not in before and _enforces(rule) and table.rules_of(rule.jump)
    ]


def _accepts_marked(rule: Rule) -> bool:
    is_accept = rule.target is not None and rule.target.name == "ACCEPT"
    return is_accept and any(match.name == "mark" for match in rule.matches)


def _enforces(rule: Rule) -> bool:
    """Whether a rule leads to the part of a hook in which a program asks its policies."""
    return (rule.jump or "").startswith(_ENFORCING)


_ENFORCING = ("cali-FORWARD", "KUBE-ROUTER-FORWARD", "WEAVE-NPC", "AZURE-NPM")
