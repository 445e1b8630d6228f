"""What comes of a connection under given conditions: endpoints with exact shares, marks, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.assumed import Assumed
from iptviz.engine.chance import CERTAIN, NEVER, product, total
from iptviz.engine.condition import Assumption
from iptviz.engine.matching import rule_truth
from iptviz.kube.frontends import Frontend, rules_about
from iptviz.kube.names import (
    ENDPOINT_CHAIN,
    MARK_DROP,
    MARK_MASQUERADE,
)
from iptviz.xtables.address import parse_network, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from fractions import Fraction

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.engine.cases import Case
    from iptviz.engine.packet import Packet
    from iptviz.engine.walk import ChainWalk, Effect, End, Step
    from iptviz.grammar.parts import Counters
    from iptviz.kube.marks import Marks

Needs = tuple[Assumption, ...]


class Endpoint(NamedTuple):
    """One DNAT rule and the share (in [0, 1]) of new connections that it gets.

    `via` is the rule that jumps to the endpoint's chain: it is reached by the share `before` of all
    connections and takes `chance` of them. Where `share` is not their product, other ways lead here too.
    """

    address: str
    port: int | None
    share: Fraction
    rule: Rule
    via: Rule
    before: Fraction
    chance: Fraction
    hairpin: Rule | None

    @property
    def counters(self) -> Counters | None:
        """Packets and bytes of the DNAT rule; nat counts a connection once."""
        return self.rule.counters


class Verdict(NamedTuple):
    """What happens to connections that get no endpoint: REJECT or DROP, by which rule."""

    kind: str
    rule: Rule


class Hop(NamedTuple):
    """A chain on the way, the share of all connections that enters it, and the first rule leading there."""

    chain: str
    share: Fraction
    via: Rule


class Masquerade(NamedTuple):
    """The source is rewritten where all of `needs` hold (without any: always), says `rule`."""

    needs: Needs
    rule: Rule


class Outcome(NamedTuple):
    """What happens when all of `when` hold; the endpoints' shares and `leftover` sum to 1.

    `others` are rules other than DNAT that end the nat table, with their shares; they count as leftover.
    `hollow` are chains that connections enter although they hold no rule.
    """

    when: Needs
    endpoints: tuple[Endpoint, ...]
    leftover: Fraction
    verdict: Verdict | None
    masquerade: tuple[Masquerade, ...]
    hops: tuple[Hop, ...]
    others: tuple[End, ...]
    hollow: tuple[Hop, ...]


class OutcomeReader:
    """Reads the walk of one case as endpoints, marks and refusals."""

    def __init__(self, dump: Dump, frontend: Frontend, packet: Packet, marks: Marks) -> None:
        self.packet = packet
        self.marks = marks
        self.refusals = rules_about(dump, frontend, "filter")

    def read(self, case: Case) -> Outcome:
        """Return what comes of a connection in this case."""
        inflow = _inflow(case)
        steps = {step.rule: step for walk in (case.walk, *case.chains.values()) for step in walk.steps}
        ends = case.walk.ends.values()
        endpoints = tuple(self._endpoint(end, steps, inflow) for end in ends if _is_dnat(end.rule))
        others = tuple(end for end in ends if not _is_dnat(end.rule))
        leftover = case.walk.leftover + total(end.share for end in others)
        effects = [*case.walk.effects, *self._effects_on_the_way(case, inflow)]
        verdict = self._verdict(case, effects) if leftover else None
        refused = verdict is not None and not endpoints
        hops = (hop for hop in inflow.values() if hop.share and not hop.chain.startswith(ENDPOINT_CHAIN))
        return Outcome(
            when=case.when,
            endpoints=endpoints,
            leftover=leftover,
            verdict=verdict,
            masquerade=()
            if refused
            else self._masquerade(effects),  # a mark on what is refused is for nothing
            hops=tuple(hops),
            others=others,
            hollow=tuple(_hollow(effects)),
        )

    def _endpoint(self, end: End, steps: Mapping[Rule, Step], inflow: Mapping[str, Hop]) -> Endpoint:
        via = end.via or end.rule
        entering = inflow[via.chain].share if via.chain in inflow else CERTAIN
        step = steps[via]
        address, port = split_endpoint((end.rule.target and end.rule.target.value("--to-destination")) or "")
        port = self.packet.destination_port if port is None else port  # DNAT without a port keeps it
        return Endpoint(
            address=address,
            port=port,
            share=end.share,
            rule=end.rule,
            via=via,
            before=product(entering, step.before)[0],
            chance=step.chance,
            hairpin=self._hairpin(end.rule, address),
        )

    def _hairpin(self, dnat: Rule, address: str) -> Rule | None:
        """Return the rule by which an endpoint that reaches itself through its service is masqueraded."""
        own = parse_network(address)
        for rule in dnat.table.rules_of(dnat.chain):
            networks = [parse_network(need.condition.value) for need in rule_truth(rule, self.packet).needs]
            if self.marks.masquerades(rule) and networks == [own]:
                return rule
        return None

    def _effects_on_the_way(self, case: Case, inflow: Mapping[str, Hop]) -> Iterator[Effect]:
        """Yield the effects in all chains that connections enter but the endpoints' own."""
        for name, walk in case.chains.items():
            if name in inflow and inflow[name].share and not name.startswith(ENDPOINT_CHAIN):
                yield from walk.effects

    def _masquerade(self, effects: Sequence[Effect]) -> tuple[Masquerade, ...]:
        """Return what masquerades, each condition once; what always does makes the others pointless."""
        found: dict[Needs, Masquerade] = {}
        for effect in effects:
            if self.marks.masquerades(effect.rule):
                found.setdefault(effect.needs, Masquerade(effect.needs, effect.via))
        return (found[()],) if () in found else tuple(found.values())

    def _verdict(self, case: Case, effects: Sequence[Effect]) -> Verdict | None:
        """Return who refuses what got no endpoint: a drop mark on the way, or a rule of the filter table."""
        for effect in effects:
            if self.marks.drops(effect.rule) and not effect.needs:
                return Verdict("DROP", effect.via)
        assumed = Assumed(case.when)
        for rule in self.refusals:
            target = rule.target
            truth = assumed.settle(rule_truth(rule, self.packet))
            if target and target.name in {"REJECT", "DROP"} and truth.chance and not truth.needs:
                return Verdict(target.name, rule)
        return None


def _hollow(effects: Sequence[Effect]) -> Iterator[Hop]:
    """Yield the jumps into chains without rules: they return at once, so the next rule is asked.

    Marking chains may be empty: kube-proxy only sees to it that KUBE-MARK-DROP exists, its rule is kubelet's.
    """
    for effect in effects:
        chain = effect.rule.jump
        if chain is not None and chain not in {MARK_MASQUERADE, MARK_DROP}:
            yield Hop(chain, effect.chance, effect.rule)


def _is_dnat(rule: Rule) -> bool:
    return rule.target is not None and rule.target.name == "DNAT"


def _inflow(case: Case) -> dict[str, Hop]:
    """Return for each chain which share of all connections enters it, callers before callees.

    A walk finishes callees first, so the reverse of its order never meets a chain before its callers.
    """
    inflow: dict[str, Hop] = {}

    def pour(walk: ChainWalk, entering: Fraction) -> None:
        for step in walk.steps:
            if step.callee is None:
                continue
            share, _ = product(entering, step.taken)
            known = inflow.get(step.callee, Hop(step.callee, NEVER, step.rule))
            inflow[step.callee] = known._replace(share=total((known.share, share)))

    pour(case.walk, CERTAIN)
    for name in reversed(case.chains):
        if name in inflow:
            pour(case.chains[name], inflow[name].share)
    return inflow
