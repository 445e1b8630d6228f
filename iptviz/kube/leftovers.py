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
    "userspace": written_by(USERSPACE),
    "dockershim": written_by(DOCKERSHIM),
}
"""Who wrote chains whose names begin so: kube-proxy in userspace mode, or the host ports of dockershim."""


class Leftover(NamedTuple):
    """Chains of one writer, in order; `asked` is a rule elsewhere that leads to one of them, or None.

    `whole` says whether the table was read to its end: else such a rule may be what is missing.
    """

    writer: str
    chains: tuple[str, ...]
    line: int
    asked: Rule | None
    whole: bool


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
