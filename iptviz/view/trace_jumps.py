"""The rules that lead from chain to chain on the way of a frontend: what a picture of a trace has as arrows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.dump.rule import Rule
from iptviz.engine.matching import rule_truth
from iptviz.jumps import jumps
from iptviz.records import NamedTuple
from iptviz.rules.iptables import compiled, dump_rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from iptviz.kube.outcome import Endpoint, Needs
    from iptviz.kube.service import ServiceTrace
    from iptviz.node.listing import RuleSource
    from iptviz.rules.form import CompiledRule, Place


class Lead(NamedTuple):
    """A rule that leads from its chain to another, or to the home of an endpoint, where all of `needs` hold."""

    rule: Place
    head: str
    needs: Needs = ()


def home_of(endpoint: Endpoint) -> str:
    """Return the chain of an endpoint; of one that stands in a map of nft, without such, the endpoint itself."""
    rule = endpoint.rule
    if not isinstance(rule, Rule) and endpoint.via.chain == rule.chain:
        return endpoint.text
    return rule.chain


class Leads:
    """Finds the rules that lead on, of a frontend's answer; `table` is what its chains are told apart from."""

    def __init__(self, service: ServiceTrace, source: RuleSource) -> None:
        self._service = service
        self._source = source
        rule = service.frontend.rule
        self.entry = rule.chain
        self.is_native = not isinstance(rule, Rule)
        self.table = rule.table.name
        self.name = self.entry if self.is_native or self.table == "nat" else f"{self.table} {self.entry}"

    @property
    def chains_of(self) -> str:
        """The table of the chains behind the one that a frontend stands in."""
        return self.table if self.is_native else "nat"

    def all(self, chains: Collection[str], homes: Collection[str], folded: Collection[str]) -> Iterator[Lead]:
        """Yield what leads to `chains` and `homes` of endpoints; to `folded` ones once from each."""
        found = self._native() if self.is_native else self._of_dump(chains, {*chains, *homes})
        hidden: set[str] = set()
        for lead in found:
            tail = lead.rule.chain
            if lead.head in folded and tail in hidden:
                continue
            hidden |= {tail} if lead.head in folded else set()
            yield lead

    @property
    def before(self) -> list[str]:
        """The chains of no service that connections meet beside the entry, and that lead on."""
        if not self.is_native:
            return []
        hops = [hop for outcome in self._service.outcomes for hop in outcome.hops]
        known = {self.entry, *(hop.chain for hop in hops)}
        return [chain for chain in dict.fromkeys(hop.via.chain for hop in hops) if chain not in known]

    def _of_dump(self, chains: Collection[str], shown: Collection[str]) -> Iterator[Lead]:
        """Yield what leads there in a dump: of the dispatching chain the rules on the way, of others all."""
        outcomes = self._service.outcomes
        dispatching = [hop.via for one in outcomes for hop in one.hops if hop.via.chain == self.entry]
        dispatching += [end.via for one in outcomes for end in one.endpoints if end.via.chain == self.entry]
        for place in dict.fromkeys(dispatching):
            rule = dump_rule(place)
            yield self._lead(compiled(rule), rule.jump or rule.chain)
        table = dump_rule(self._service.frontend.rule).table
        for rule, head in jumps(table, chains if table.name == "nat" else ()):
            made = compiled(rule)
            if rule.chain in shown and head in shown and rule_truth(made, self._service.packet).chance:
                yield self._lead(made, head)

    def _native(self) -> Iterator[Lead]:
        """Yield what leads there in a listing of nft, as connections meet it."""
        from iptviz.kube.nftables.table import proxy_table
        from iptviz.node.listing import NftListing
        from iptviz.rules.native.place import NftPlace

        table = proxy_table(self._source) if isinstance(self._source, NftListing) else None
        met: dict[tuple[Place, str], None] = {}
        for outcome in self._service.outcomes:
            met |= {(hop.via, hop.chain): None for hop in outcome.hops if hop.chain != hop.via.chain}
            met |= {(end.via, home_of(end)): None for end in outcome.endpoints}
        for via, head in met:
            if table is None or not isinstance(via, NftPlace) or via.element is not None:
                yield Lead(via, head)  # what its map asks for is what connections are told apart by
            else:
                yield self._lead(table.compiled.rules_of(via.chain)[via.number - 1], head, via)

    def _lead(self, rule: CompiledRule, head: str, place: Place | None = None) -> Lead:
        return Lead(place or rule.place, head, rule_truth(rule, self._service.packet).needs)
