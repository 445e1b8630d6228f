"""Chains that something else than today's kube-proxy wrote and nothing removed, named for what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.kube.families import DOCKERSHIM, USERSPACE, written_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

WRITERS = {
    "kube-proxy's userspace mode, the default before 1.2": written_by(USERSPACE),
    "host ports of dockershim, which Kubernetes 1.24 removed": written_by(DOCKERSHIM),
}
"""Who wrote chains whose names begin so."""


class Leftover(NamedTuple):
    """Chains of one writer, in order; `asked` is a rule elsewhere that leads to one of them, or None.

    `whole` says whether the table was read to its end: else such a rule may be what is missing.
    """

    writer: str
    chains: tuple[str, ...]
    line: int
    asked: Rule | None
    whole: bool

    @property
    def text(self) -> str:
        """What is left, and whether it still acts."""
        more = f" and {len(self.chains) - 1} more" if len(self.chains) > 1 else ""
        nobody = "nothing leads there any more" if self.whole else "nothing in this cut table leads there"
        still = f"line {self.asked.line} still leads there" if self.asked else nobody
        return f"{self.chains[0]}{more}: {self.writer}; {still}"


def leftovers(dump: Dump) -> Iterator[Leftover]:
    """Yield what is left in the nat table, for each writer."""
    nat = dump.tables.get("nat")
    if nat is None:
        return
    for writer, prefixes in WRITERS.items():
        chains = tuple(chain for chain in nat.chain_names() if chain.startswith(prefixes))
        if chains:
            yield Leftover(writer, chains, nat.chains[chains[0]].line, _asked(nat, chains), nat.committed)


def _asked(nat: Table, chains: tuple[str, ...]) -> Rule | None:
    return next((rule for chain in chains for rule in nat.rules_to(chain) if rule.chain not in chains), None)
