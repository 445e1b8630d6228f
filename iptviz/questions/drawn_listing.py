"""The chains of a listing of nft as a jump graph has them: where rules lead, and maps that they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.errors import AbsentError, quoted
from iptviz.kube.nftables.finding import find
from iptviz.kube.nftables.names import is_of_service
from iptviz.kube.nftables.table import proxy_table
from iptviz.kube.nftables.tracing import trace_frontend
from iptviz.kube.target import parse_target
from iptviz.nft.counting import Verdict
from iptviz.nft.expressions import AnonymousSet
from iptviz.nft.leads import CALLS, verdict_maps_of
from iptviz.nft.statements import VerdictMap
from iptviz.questions.drawn import ChainNode, Hook, Jump
from iptviz.rules.native.place import NftPlace, TableName

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.kube.service import ServiceTrace
    from iptviz.nft.expressions import Element
    from iptviz.nft.model import Rule
    from iptviz.node.listing import NftListing
    from iptviz.questions.drawn import Place


class ListingChains:
    """The chains of a listing: see `Drawn`."""

    def __init__(self, listing: NftListing) -> None:
        self.source = listing
        self._tables = listing.tables

    @property
    def tables(self) -> Collection[str]:
        """The tables by family and name: `ip kube-proxy`."""
        return self._tables

    def named(self, table: str) -> tuple[str, ...]:
        """Return the tables of a name, be it without the family."""
        return tuple(name for name, found in self._tables.items() if table in {name, found.name})

    def chain_names(self, table: str) -> Collection[str]:
        """Return the chains that a table has."""
        return self._tables[table].chains

    def spelled(self, table: str) -> Iterable[str]:
        """Yield the names of chains that bear no hash."""
        return (name for name in self._tables[table].chains if not is_of_service(name))

    def jumps(self, table: str) -> Iterator[Jump]:
        """Yield the jumps of a table, in order: by rules, and by elements of the maps that they ask."""
        name = TableName(table)
        for chain in self._tables[table].chains.values():
            led: dict[str, dict[NftPlace, None]] = {}
            for rule in chain.rules:
                for place, verdict in _leading(rule, name):
                    led.setdefault(verdict.chain, {})[place] = None
            for head, places in led.items():
                yield Jump((table, chain.name), (table, head), tuple(places))

    def nodes(self, table: str) -> Iterator[ChainNode]:
        """Yield the chains that a table has, in order."""
        for chain in self._tables[table].chains.values():
            base = chain.base
            hook = None if base is None else Hook(base.type, base.hook, base.priority)
            policy = None if base is None else base.policy
            yield ChainNode(table, chain.name, policy, len(chain.rules), present=True, hook=hook)

    def on_path(self, target: str) -> tuple[set[Place], set[Place]]:
        """Return the chains that connections to a target's frontends enter, and those that they come to."""
        table = proxy_table(self.source)
        found = find(table, parse_target(target)) if table else None
        if table is None or found is None or not found.frontends:
            raise AbsentError(
                f"no service matches {quoted(target)} in this listing",
                where=self.source.source,
                hint="list them: iptviz services DUMP",
            )
        traces = [trace_frontend(table, frontend) for frontend in found.frontends]
        chains = {chain for traced in traces for chain in _met(traced)}
        frontends = {traced.frontend.rule.chain for traced in traces}
        name = traces[0].frontend.rule.table.name
        return {(name, chain) for chain in frontends | chains}, {(name, chain) for chain in chains}

    def notes(self, kept: Sequence[Jump], nodes: Iterable[ChainNode]) -> Iterator[Item]:  # noqa: ARG002
        """Yield what the listing lacks; a kernel takes no loop, and no jump to a chain that is not there."""
        if not self.source.complete:
            yield from self.source.ruleset.remarks


def _leading(rule: Rule, table: TableName) -> Iterator[tuple[NftPlace, Verdict]]:
    """Yield where a rule leads, each with the rule, or the element of a map that it asks."""
    for one in rule.statements:
        if isinstance(one, Verdict) and one.kind in CALLS:
            yield NftPlace(rule, table), one
        elif isinstance(one, VerdictMap) and isinstance(one.map, AnonymousSet):
            for (_, element), led in _calls((0, each) for each in one.map.elements):
                yield NftPlace(rule, table, element), led
    for found in verdict_maps_of(rule):
        for (line, element), led in _calls(found.lines):
            yield NftPlace(rule, table, element, line), led


def _calls(lines: Iterable[tuple[int, Element]]) -> Iterator[tuple[tuple[int, Element], Verdict]]:
    for line, element in lines:
        if isinstance(element.data, Verdict) and element.data.kind in CALLS:
            yield (line, element), element.data


def _met(traced: ServiceTrace) -> Iterator[str]:
    """Yield the chains of services and endpoints that connections come to, and those that refuse them."""
    for outcome in traced.outcomes:
        yield from (hop.chain for hop in outcome.hops)
        yield from (end.rule.chain for end in outcome.endpoints)
        if outcome.verdict is not None:
            by = outcome.verdict.rule
            data = by.element.data if isinstance(by, NftPlace) and by.element is not None else None
            yield (data.chain if isinstance(data, Verdict) else "") or by.chain
