"""How a node's services are kept: by kube-proxy in one of its modes, or by somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.kube.families import (
    ENDPOINT_CHAIN,
    ENTRY_CHAINS,
    EXTERNAL_SERVICES,
    IPVS_NODE_PORT,
    KUBE_PROXY,
    KUBELET_CANARY,
    PROXY_CANARY,
    SERVICE_CHAINS,
    SERVICES,
    USERSPACE,
    written_by,
)
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.nft.model import Ruleset

ModeName = Literal[
    "iptables", "ipvs", "userspace", "nftables", "flushed", "elsewhere", "none", "no-nat", "cut"
]  # fmt: skip
"""A mode of kube-proxy, or why none is told. Of `nftables` a listing of nft tells, never a dump.

`flushed`: nat has lost kube-proxy's rules, other chains of its are still there. `elsewhere`: a kubelet is here
and kube-proxy is not, so nftables mode or a CNI plug-in. `none`: no sign of either. `no-nat`: the dump has no nat
table. `cut`: it lacks lines.
"""

PROXY_MODES = ("iptables", "ipvs", "userspace")
"""The modes that a dump proves."""

_SIGNS: tuple[tuple[ModeName, tuple[str, ...]], ...] = (
    ("ipvs", (IPVS_NODE_PORT,)),  # asked first: KUBE-SERVICES is there in IPVS mode, too
    ("iptables", (SERVICES,)),
    ("userspace", written_by(USERSPACE)),
)
"""Chains of the nat table that tell a mode; where several are there, the first counts."""


_OF_SERVICES = (*SERVICE_CHAINS, *ENTRY_CHAINS, ENDPOINT_CHAIN)
"""Chains that tell the mode where KUBE-SERVICES is not shown."""

_BY_SET = "--match-set KUBE-"
"""What rules of the IPVS mode ask."""

_LEFT_BEHIND = (PROXY_CANARY, *(name for name in written_by(KUBE_PROXY) if name != PROXY_CANARY))
"""Chains that show that kube-proxy has been here, the most telling first."""


class Mode(NamedTuple):
    """A mode, and the line of the chain or rule that shows it, None without any.

    `chain` is what a flush of nat has left, in `table`; in nftables mode that is kube-proxy's own. `lacking` is
    `no-nat` or `cut` where the mode is told and KUBE-SERVICES, where services are, is not shown.
    """

    name: ModeName
    line: int | None = None
    table: str = ""
    chain: str = ""
    lacking: ModeName | Literal[""] = ""


def mode_of(dump: Dump) -> Mode:
    """Return how the services of a dump's node are kept."""
    return next(_modes(dump), Mode("none"))


def mode_of_ruleset(ruleset: Ruleset, families: Iterable[str] = ("ipv4", "ipv6")) -> Mode | None:
    """Return that services are kept in nftables mode, as far as a listing of nft tells; None where it does not.

    Without any service of a family kube-proxy writes its table as well.
    """
    from iptviz.kube.nftables.own import is_written, own_table  # what a dump alone does not need

    for table in (own_table(ruleset, family) for family in families):
        if table is not None and is_written(table):
            return Mode("nftables", table.line or None, table=f"{table.family} {table.name}")
    return None


def _modes(dump: Dump) -> Iterator[Mode]:
    """Yield the modes of which there is a sign, the most telling first."""
    nat = dump.tables.get("nat")
    if nat is not None:
        yield from _modes_of_nat(nat)
    yield from (Mode("ipvs", line) for line, _ in _declared(dump, IPVS_NODE_PORT))
    if nat is None:
        yield from _modes_of_filter(dump.tables.get("filter"))
        yield Mode("no-nat")
    elif dump.lacks_lines:
        yield Mode("cut")
    for chain in _LEFT_BEHIND:
        for line, table in _declared(dump, chain):
            if table != "nat" or chain == PROXY_CANARY:  # kubelet writes some of the others into nat, too
                yield Mode("flushed", line, table, chain)
    yield from (Mode("elsewhere", line) for line, _ in _declared(dump, KUBELET_CANARY))


def _modes_of_filter(table: Table | None) -> Iterator[Mode]:
    """Yield the mode that kube-proxy's refusals tell where nat is not shown: no other mode writes them."""
    if table is not None:
        yield from (
            Mode("iptables", table.chains[chain].line, lacking="no-nat")
            for chain in (SERVICES, EXTERNAL_SERVICES)
            if table.has_chain(chain)
        )


def _modes_of_nat(nat: Table) -> Iterator[Mode]:
    if nat.has_chain(IPVS_NODE_PORT) and _leads_to_services(nat):
        yield Mode("iptables", nat.chains[SERVICES].line)  # the other mode's chain is left over
    for name, chains in _SIGNS:
        yield from (Mode(name, nat.chains[chain].line) for chain in chains if nat.has_chain(chain))
        if name == "iptables" and not nat.shown.is_whole:
            held = (chain for chain in nat.chain_names(*_OF_SERVICES) if nat.runs_of(chain))
            yield from (Mode(name, nat.chains[chain].line, lacking="cut") for chain in held)
        if name == "ipvs":
            yield from (Mode(name, rule.line) for rule in nat.rules_with(_BY_SET))


def _leads_to_services(nat: Table) -> bool:
    """Whether KUBE-SERVICES leads to a chain of a service, which IPVS mode does not write, and asks no set."""
    leading = (rule for rule in nat.rules_with(" -j KUBE-SV", SERVICES))
    return (
        any((rule.jump or "").startswith(SERVICE_CHAINS) for rule in leading)
        and next(nat.rules_with(_BY_SET, SERVICES), None) is None
    )


def _declared(dump: Dump, chain: str) -> Iterator[tuple[int, str]]:
    """Yield the line of a chain in each table that has it, and the table's name."""
    for table in dump.tables.values():
        if table.has_chain(chain):
            yield table.chains[chain].line, table.name
