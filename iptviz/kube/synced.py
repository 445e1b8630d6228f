"""Whether the rules that kube-proxy keeps in a dump are all there: made, written, not taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.era import era_of
from iptviz.kube.families import (
    CLUSTER_CHAIN,
    ENTRY_CHAINS,
    FIREWALLD,
    KUBE_PROXY,
    MARK_DROP,
    MARK_MASQUERADE,
    NODE_PORTS,
    PROXY_CANARY,
    SERVICE_CHAINS,
    SERVICES,
    SHOREWALL,
    written_by,
)
from iptviz.kube.preempt import HOOKS, hooks_without_services
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

_SIGNS = {
    FIREWALLD.name: (*written_by(FIREWALLD), "INPUT_direct"),
    SHOREWALL.name: written_by(SHOREWALL),
}
"""Chains that tell of a program that takes kube-proxy's rules away when it starts; ferm has none of its own."""

_NFT_SIGNS = {"firewalld": "firewalld"}
"""The names of tables that such programs make by nft."""

_FAMILIES = {"ipv4": "ip", "ipv6": "ip6"}
_LAST_TO_NEED_DROP = 24
"""The last release whose kube-proxy jumps to KUBE-MARK-DROP."""


class Flusher(NamedTuple):
    """A program that takes kube-proxy's rules away, and what tells that it is here."""

    program: str
    sign: str


def flusher_of(dump: Dump, beyond: Iterable[str] = ()) -> Flusher | None:
    """Return who may have taken kube-proxy's rules away; `beyond` are the node's tables that no dump shows."""
    for program, chains in _SIGNS.items():
        for table in dump.tables.values():
            chain = next((name for name in chains if table.has_chain(name)), None)
            if chain is not None:
                return Flusher(program, f"chain {chain} in {table.name}, line {table.chains[chain].line}")
    words = {word for text in beyond for word in text.split()}
    return next(
        (Flusher(program, f"nft table {name}") for program, name in _NFT_SIGNS.items() if name in words), None
    )


def own_nft_table(dump: Dump) -> str:
    """Return what kube-proxy's own nft table for the dump's family is called."""
    return f"nft {_FAMILIES[dump.family]} kube-proxy"


def nftables_mode(dump: Dump, beyond: Iterable[str]) -> bool:
    """Whether evidence shows kube-proxy's own nft table for the dump's family, with rules."""
    return own_nft_table(dump) in beyond


def has_services(dump: Dump) -> bool:
    """Whether nat has the chain that dispatches to services, and such as are a service's."""
    nat = dump.tables.get("nat")
    return nat is not None and nat.has_chain(SERVICES) and not lacks_services(nat)


def dispatching(nat: Table) -> Rule | None:
    """Return the first rule by which connections come to a service's chain; None where no hook leads there."""
    chains = SERVICE_CHAINS + ENTRY_CHAINS
    for dispatcher in (SERVICES, NODE_PORTS):
        rules = nat.rules_with(" -j KUBE-", dispatcher)
        found = next((rule for rule in rules if (rule.jump or "").startswith(chains)), None)
        if found is not None:
            return found if len(hooks_without_services(nat)) < len(HOOKS) else None
    return None


def lost_hooks(dump: Dump) -> list[str]:
    """Return the hooks from which nothing leads to services; an excerpt tells it of those alone that it shows."""
    nat = dump.tables.get("nat")
    if nat is None or not nat.has_chain(SERVICES):
        return []
    shown = [hook for hook in hooks_without_services(nat) if dump.complete or nat.has_chain(hook)]
    return [hook for hook in shown if not nat.shown.may_lack(hook)]


def is_emptied(dump: Dump) -> bool:
    """Whether chains of services are there and KUBE-SERVICES, which leads to each of them, has no rule at all.

    This is what `iptables -t nat -F` leaves; in an excerpt, rules may be what was left out.
    """
    nat = dump.tables.get("nat")
    return (
        dump.complete
        and nat is not None
        and nat.has_chain(SERVICES)
        and not nat.runs_of(SERVICES)
        and nat.has_any_chain(CLUSTER_CHAIN)
    )


def lost_filter(dump: Dump) -> bool:
    """Whether filter has lost kube-proxy's chains: a release that writes canaries keeps one in each table.

    Those of kubelet do not count, which writes its own anew every minute.
    """
    mangle, own = dump.tables.get("mangle"), dump.tables.get("filter")
    return (
        dump.complete
        and own is not None
        and mangle is not None
        and mangle.has_chain(PROXY_CANARY)
        and has_services(dump)
        and not any(map(own.has_chain, written_by(KUBE_PROXY)))
    )


def lacks_services(nat: Table) -> bool:
    """Whether kube-proxy's chains are there, and none of any service, in a text that names all chains."""
    made = nat.has_chain(SERVICES) and MARK_MASQUERADE in nat.chains
    return made and nat.shown.names_all and not nat.has_any_chain(CLUSTER_CHAIN)


def was_written(nat: Table) -> bool:
    """Whether a table without services shows that kube-proxy wrote into it: with none there are none to write.

    It writes the jump to node ports with the services, unless no address of the family has node ports. The rule
    that marks is its own where kubelet, which wrote both marks up to 1.26, has not written the other.
    """
    ports = any(rule.jump == NODE_PORTS for rule in nat.rules_of(SERVICES))
    return ports or bool(nat.rules_of(MARK_MASQUERADE) and not nat.rules_of(MARK_DROP))


def needing_drop_mark(dump: Dump, others: Iterable[Dump]) -> Dump | None:
    """Return the dump of the node's other family that shows that `dump`, never written, lacks KUBE-MARK-DROP."""
    nat = dump.tables.get("nat")
    if nat is None or MARK_DROP in nat.chains:
        return None
    for other in others:
        beside = other.tables.get("nat")
        if other.family == dump.family or beside is None or MARK_DROP not in beside.chains:
            continue
        releases = era_of(other).releases
        if releases and max(releases) <= _LAST_TO_NEED_DROP:
            return other
    return None


class MarkJumps(NamedTuple):
    """The rules that jump to a chain that marks and is not there."""

    chain: str
    rules: tuple[Rule, ...]


def jumps_to_missing_marks(nat: Table) -> Iterator[MarkJumps]:
    """Yield the jumps to each of the chains that mark, where the table does not have it."""
    for chain in (MARK_MASQUERADE, MARK_DROP):
        if not nat.has_chain(chain) and (rules := tuple(nat.rules_to(chain))):
            yield MarkJumps(chain, rules)
