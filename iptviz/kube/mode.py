"""How a node's services are kept: by kube-proxy in one of its modes, or by somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from iptviz.kube.families import IPVS_NODE_PORT, KUBELET_CANARY, SERVICES, USERSPACE, written_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump

ModeName = Literal["iptables", "ipvs", "userspace", "elsewhere", "none"]
"""A mode of kube-proxy; `elsewhere`: a kubelet is here, so nftables mode or a CNI plug-in; `none`: no sign."""

PROXY_MODES = ("iptables", "ipvs", "userspace")
"""The modes that a dump proves."""

_SIGNS: tuple[tuple[ModeName, tuple[str, ...]], ...] = (
    ("ipvs", (IPVS_NODE_PORT,)),  # asked first: KUBE-SERVICES is there in IPVS mode, too
    ("iptables", (SERVICES,)),
    ("userspace", written_by(USERSPACE)),
)
"""Chains of the nat table that tell a mode; where several are there, the first counts."""


class Mode(NamedTuple):
    """A mode, and the line of the chain or rule that shows it, None without any."""

    name: ModeName
    line: int | None = None


def mode_of(dump: Dump) -> Mode:
    """Return how the services of a dump's node are kept."""
    return next(_modes(dump), Mode("none"))


def _modes(dump: Dump) -> Iterator[Mode]:
    """Yield the modes of which there is a sign, the most telling first."""
    nat = dump.tables.get("nat")
    if nat is not None:
        for name, chains in _SIGNS:
            yield from (Mode(name, nat.chains[chain].line) for chain in chains if nat.has_chain(chain))
            if name == "ipvs":
                yield from (Mode(name, rule.line) for rule in nat.rules_with("--match-set KUBE-"))
    for table in dump.tables.values():
        if table.has_chain(KUBELET_CANARY):
            yield Mode("elsewhere", table.chains[KUBELET_CANARY].line)
