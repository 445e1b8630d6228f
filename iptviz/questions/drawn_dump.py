"""The chains of a dump as a jump graph has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks import reading
from iptviz.checks.refused import dangling, loop
from iptviz.errors import AbsentError, quoted
from iptviz.intake.text import to_bytes, to_text
from iptviz.jumps import led_in, loops
from iptviz.kube.find import find
from iptviz.kube.names import suffix_of
from iptviz.kube.target import parse_target
from iptviz.questions.drawn import ChainNode, Jump
from iptviz.rules.iptables import dump_rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.questions.drawn import Place


class DumpChains:
    """The chains of a dump: see `Drawn`."""

    def __init__(self, dump: Dump) -> None:
        self.source = dump

    @property
    def tables(self) -> Collection[str]:
        """The tables by name."""
        return self.source.tables

    def named(self, table: str) -> tuple[str, ...]:
        """Return the table of a name; none where there is no such."""
        return (table,) if table in self.source.tables else ()

    def chain_names(self, table: str) -> Collection[str]:
        """Return the chains that a table has."""
        return self.source.tables[table].chains

    def spelled(self, table: str) -> Iterable[str]:
        """Yield the names of chains that bear no hash."""
        return (name for name in self.source.tables[table].chain_names() if not suffix_of(name))

    def jumps(self, table: str) -> Iterator[Jump]:
        """Yield the jumps of a table, in order."""
        places = _Places(table)
        for tail, head, rules in led_in(self.source.tables[table]):
            yield Jump(places[tail], places[head], rules)

    def nodes(self, table: str) -> Iterator[ChainNode]:
        """Yield the chains that a table has, in order."""
        found = self.source.tables[table]
        policies, counts = found.policies(), found.rule_counts()
        for chain in found.chain_names():
            yield ChainNode(table, chain, policies.get(chain), counts.get(chain, 0), present=True)

    def on_path(self, target: str) -> tuple[set[Place], set[Place]]:
        """Return the chains with the rules of a target's frontends, and those that they lead to."""
        frontends = find(self.source, parse_target(target)).frontends
        if not frontends:
            from iptviz.checks.absence import absence
            from iptviz.checks.wording import sentences

            _, *more = sentences(absence(self.source, parse_target(target), target))
            raise AbsentError(
                f"no service matches {quoted(target)} in this dump",
                where=self.source.source,
                hint="\n  ".join(more),
            )
        rules = [dump_rule(frontend.rule) for frontend in frontends]
        return (
            {(rule.table.name, rule.chain) for rule in rules},
            {(rule.table.name, rule.jump) for rule in rules if rule.jump},
        )

    def notes(self, kept: Sequence[Jump], nodes: Iterable[ChainNode]) -> Iterator[Item]:
        """Yield what the dump lacks, and the loops and the missing chains among what is drawn."""
        dump = self.source
        yield from reading.gaps(dump)
        missing = {node.place for node in nodes if not node.present}
        for _, head, rules in kept if missing else ():
            if head in missing and not dump.tables[head[0]].shown.is_excerpt:
                yield dangling((head[1],), tuple(map(dump_rule, rules)), complete=dump.complete)
        for group in loops((jump.tail, jump.head) for jump in kept):
            within = set(group)
            inner = [
                dump_rule(rule) for jump in kept if {jump.tail, jump.head} <= within for rule in jump.rules
            ]
            reached = _is_reached(dump.tables[group[0][0]], within)
            yield loop([chain for _, chain in group], inner, reached=reached)


class _Places(dict[str, "Place"]):
    """The chains of a table, each made once."""

    def __init__(self, table: str) -> None:
        self._table = table

    def __missing__(self, chain: str) -> Place:
        self[chain] = place = self._table, chain
        return place


def _is_reached(table: Table, chains: set[Place]) -> bool:
    """Whether a built-in chain leads to one of `chains`, which are of `table`."""
    hooks = [to_bytes(name) for name, chain in table.chains.items() if chain.is_built_in]
    return any(
        (table.name, to_text(chain)) in chains for hook in hooks for chain in table.calls.reached(hook)
    )
