"""Chains of services of which an excerpt does not show what leads there: they answer for themselves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.intake.text import to_bytes, to_text
from iptviz.kube.comments import service_of_comment
from iptviz.kube.families import (
    CLUSTER_CHAIN,
    ENDPOINT_CHAIN,
    EXTERNAL_CHAIN,
    FIREWALL_CHAIN,
    NODE_PORTS,
    SERVICES,
)
from iptviz.kube.frontends import CHAIN, Frontend, value_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

_FAMILIES = (CLUSTER_CHAIN, "KUBE-SVL-", "KUBE-XLB-", EXTERNAL_CHAIN, FIREWALL_CHAIN)
"""Chains of services: of those of one service port the first that is shown answers for it."""


def may_be_led_to(nat: Table) -> bool:
    """Whether rules that lead to chains of services may be among what the dump does not show."""
    return nat.shown.may_lack(SERVICES) or nat.shown.may_lack(NODE_PORTS)


def may_be_led_on(nat: Table | None, frontend: Frontend) -> bool:
    """Whether rules of nat that are not shown may lead connections on that come to nothing in those shown.

    Then filter alone tells of the frontend, or nat is cut off in a chain on the way.
    """
    if frontend.rule.table.name == "filter":
        return nat is None or may_be_led_to(nat)
    return nat is not None and not nat.committed and _is_cut_below(nat, frontend.leads_to)


def _is_cut_below(nat: Table, chain: str) -> bool:
    return any(nat.shown.is_cut_at(to_text(name)) for name in nat.calls.reached(to_bytes(chain)))


def unled(dump: Dump, suffixes: Collection[str]) -> Iterator[Frontend]:
    """Yield one chain for each service port to which none of the ways lead that the dump shows.

    `suffixes` are the hashes of the service ports that have such ways.
    """
    nat = dump.tables.get("nat")
    if nat is None or not may_be_led_to(nat):
        return
    seen = set(suffixes)
    for begin in _FAMILIES:
        for chain in filter(nat.runs_of, nat.chain_names(begin)):
            suffix = chain.rpartition("-")[2]
            if suffix not in seen:
                seen.add(suffix)
                yield chain_alone(nat, chain)


def endpoints_alone(dump: Dump) -> Iterator[Frontend]:
    """Yield the chains of endpoints to which nothing leads that the dump shows."""
    nat = dump.tables.get("nat")
    if nat is None or not may_be_led_to(nat):
        return
    for chain in filter(nat.runs_of, nat.chain_names(ENDPOINT_CHAIN)):
        if next(nat.rules_to(chain), None) is None:
            yield chain_alone(nat, chain)


def unled_chains(nat: Table, chain: str) -> list[Frontend]:
    """Return `chain` as what answers for itself; of an endpoint's, the chains of services that lead to it."""
    if not may_be_led_to(nat) or not chain.startswith((*_FAMILIES, ENDPOINT_CHAIN)) or not nat.runs_of(chain):
        return []
    leading = (rule.chain for rule in nat.rules_to(chain)) if chain.startswith(ENDPOINT_CHAIN) else ()
    callers = [name for name in dict.fromkeys(leading) if name.startswith(_FAMILIES)]
    return [chain_alone(nat, name) for name in callers or [chain]]


def is_endpoint_alone(frontend: Frontend) -> bool:
    """Whether a frontend stands for an endpoint's chain: what share that gets is not shown."""
    return frontend.kind == CHAIN and frontend.rule.chain.startswith(ENDPOINT_CHAIN)


def chain_alone(nat: Table, chain: str) -> Frontend:
    """Return a chain, which has rules, as what answers for itself: of its frontends nothing is known."""
    rules = nat.rules_of(chain)
    named = next((rule for rule in rules if service_of_comment(rule.comment)), rules[0])
    return Frontend(CHAIN, None, None, _protocol(nat, rules), named)


def _protocol(nat: Table, rules: Collection[Rule]) -> str:
    """Return the protocol that rules of a chain, or of an endpoint's below it, ask for; nothing without any."""
    below = (other for rule in rules if rule.jump for other in nat.rules_of(rule.jump))
    return next(filter(None, (value_of(rule, "-p") for rule in (*rules, *below))), "")
