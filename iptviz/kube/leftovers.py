"""Chains that something else than today's kube-proxy wrote and nothing removed, named for what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.families import (
    DISPATCHERS,
    DOCKERSHIM,
    ENDPOINT_CHAIN,
    ENTRY_CHAINS,
    EXTERNAL_CHAIN,
    IPVS,
    NODE_PORTS,
    SERVICE_CHAINS,
    SOURCE_RANGES,
    USERSPACE,
    written_by,
)
from iptviz.kube.mode import mode_of
from iptviz.kube.synced import dispatching, nftables_mode
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

WRITERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "userspace": {"nat": written_by(USERSPACE)},
    "dockershim": {"nat": written_by(DOCKERSHIM)},
    "iptables": {
        "nat": (NODE_PORTS, ENDPOINT_CHAIN, *SERVICE_CHAINS, *ENTRY_CHAINS),
        # The IPVS mode writes the chain of source ranges, too, under the same name.
        "filter": (NODE_PORTS, *(name for name in DISPATCHERS["filter"] if name != SOURCE_RANGES)),
    },
    "ipvs": {"nat": written_by(IPVS), "filter": written_by(IPVS)},
}
"""Who wrote chains whose names begin so, by table: kube-proxy in another mode, or dockershim for host ports."""

_OTHER_MODES = {"iptables", "ipvs"}
"""Writers of which something is left only where another mode has taken over."""

_OLD_LOCAL = "KUBE-XLB-"


class Leftover(NamedTuple):
    """Chains of one writer, in order; `asked` is a rule elsewhere that leads to one of them, or None.

    `acts` says whether rules there decide anything. `whole` says whether the tables were read to their end: else
    a rule that leads there may be what is missing.
    """

    writer: str
    chains: tuple[str, ...]
    line: int
    asked: Rule | None
    acts: bool
    whole: bool


def leftovers(dump: Dump, beyond: Iterable[str] = ()) -> Iterator[Leftover]:
    """Yield what is left of each writer; `beyond` are the node's tables that no dump shows."""
    if "nat" not in dump.tables:
        return
    gone = _modes_left(dump, beyond)
    for writer, prefixes in WRITERS.items():
        if writer in _OTHER_MODES and writer not in gone:
            continue
        found = [
            (dump.tables[table], chain)
            for table, begins in prefixes.items()
            if table in dump.tables
            for chain in dump.tables[table].chain_names(*begins)
        ]
        if found:
            (first, chain), chains = found[0], tuple(dict.fromkeys(name for _, name in found))
            whole = all(table.shown.is_whole for table, _ in found)
            acting = [place for place in found if _acts(*place, writer)]
            asked = _asked(acting, found) or _asked(found, found)
            acts = asked is not None and _asked(acting, found) is not None
            yield Leftover(writer, chains, first.chains[chain].line, asked, acts, whole)


def _modes_left(dump: Dump, beyond: Iterable[str]) -> set[str]:
    """Return the modes of which nothing should be there: another is in use, and they act no more in nat."""
    nat = dump.tables["nat"]
    mode = mode_of(dump).name
    if mode == "iptables" and not nftables_mode(dump, beyond):
        return {"ipvs"}
    if (mode == "ipvs" or nftables_mode(dump, beyond)) and dispatching(nat) is None:
        return {"iptables"}
    return set()


def _acts(table: Table, chain: str, writer: str) -> bool:
    """Whether rules of a chain may still decide something; of a mode that was replaced some never do."""
    return writer not in _OTHER_MODES or any(map(_ends, table.rules_of(chain)))


def _asked(wanted: Iterable[tuple[Table, str]], found: Iterable[tuple[Table, str]]) -> Rule | None:
    """Return a rule of a chain which is none of `found` that leads to one of `wanted`."""
    chains = {(table.name, chain) for table, chain in found}
    leading = (rule for table, chain in wanted for rule in table.rules_to(chain))
    return next((rule for rule in leading if (rule.table.name, rule.chain) not in chains), None)


def _ends(rule: Rule) -> bool:
    """Whether a rule decides what becomes of connections, or leads on."""
    return rule.target is not None and (rule.target.name in {"REJECT", "DROP", "DNAT"})


class OldLocalChains(NamedTuple):
    """Chains KUBE-XLB-..., which releases up to 1.23 wrote: their names, and the rules in them that lead on."""

    chains: tuple[str, ...]
    line: int
    rules: tuple[Rule, ...]


def old_local_chains(nat: Table) -> OldLocalChains | None:
    """Return the chains KUBE-XLB-... that stand beside KUBE-EXT-..., which took their place in 1.24.

    None where no rule of theirs leads on: empty ones keep nobody from deleting other chains.
    """
    if next(nat.rules_with(f"-A {EXTERNAL_CHAIN}"), None) is None:
        return None
    chains = tuple(nat.chain_names(_OLD_LOCAL))
    if not chains:
        return None
    onward = (*SERVICE_CHAINS, ENDPOINT_CHAIN)
    rules = (rule for chain in chains for rule in nat.rules_of(chain))
    leading = tuple(rule for rule in rules if (rule.jump or "").startswith(onward))
    return OldLocalChains(chains, nat.chains[chains[0]].line, leading) if leading else None


_FLANNEL_CHAIN, _FLANNEL_COMMENT, _CALICO_CHAIN = "FLANNEL-POSTRTG", "flanneld masq", "cali-nat-outgoing"


def masqueraded_twice(nat: Table) -> tuple[Rule, Rule] | None:
    """Return the rules by which flannel and Calico both masquerade what pods send, or None.

    Flannel beside Calico's policies (Canal) has no such rule of Calico's.
    """
    calico = next((rule for rule in nat.rules_of(_CALICO_CHAIN) if _masquerades(rule)), None)
    if calico is None or next(nat.rules_to(_CALICO_CHAIN), None) is None:
        return None
    own = [*nat.rules_of(_FLANNEL_CHAIN)] if next(nat.rules_to(_FLANNEL_CHAIN), None) else []
    early = (rule for rule in nat.rules_of("POSTROUTING") if rule.comment == _FLANNEL_COMMENT)
    flannel = next((rule for rule in (*own, *early) if _masquerades(rule)), None)
    return None if flannel is None else (flannel, calico)


def _masquerades(rule: Rule) -> bool:
    return rule.target is not None and rule.target.name in {"MASQUERADE", "SNAT"}
