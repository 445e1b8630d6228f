"""Endpoints that a service's chain names and that get no connection: without a DNAT for it, or a chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from iptviz.engine.chance import CERTAIN
from iptviz.engine.matching import raw_chance, rule_truth
from iptviz.kube.comments import way_of_comment
from iptviz.kube.families import DISPATCHERS, ENDPOINT_CHAIN, MARK_MASQUERADE
from iptviz.kube.outcome import destination_of
from iptviz.records import NamedTuple
from iptviz.rules.form import GOTO, RETURN, TARGET
from iptviz.rules.iptables import compiled, dump_rule
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from fractions import Fraction

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.packet import Packet
    from iptviz.kube.service import ServiceTrace

Fault = Literal["no-dnat", "other-protocol", "no-chance"]


class BrokenEndpoint(NamedTuple):
    """An endpoint that gets nothing: `share` (in [0, 1]) of what enters the service's chain comes to it in vain.

    `via` leads to its chain, `fault` is why. `address` is as far as a rule tells, else empty. The rules below
    take its share; `last`: there is none.
    """

    via: Rule
    fault: Fault
    share: Fraction
    address: str
    last: bool


def broken_endpoints(
    nat: Table, chains: Collection[str], working: Collection[Rule], packet: Packet
) -> Iterator[BrokenEndpoint]:
    """Yield the endpoints of `chains` that get nothing of connections like `packet`.

    `working` are the rules that lead to those that do. Empty and missing chains are told elsewhere.
    """
    for chain in sorted(chains):
        ways = [rule for rule in nat.rules_with(f"-j {ENDPOINT_CHAIN}", chain) if not _asks_a_list(rule)]
        if any(rule not in working for rule in ways):
            yield from _among(nat, ways, packet)


def is_flawed(traced: ServiceTrace) -> bool:
    """Whether a rule within a service's chains keeps connections from endpoints that these chains name.

    What kube-proxy writes has as many endpoints as rules that lead to them.
    """
    outcomes = traced.outcomes
    met = {dump_rule(end.via).jump for outcome in outcomes for end in outcome.endpoints if end.share}
    tables = {traced.frontend.leads_to: dump_rule(traced.frontend.rule).table}
    tables |= {hop.chain: dump_rule(hop.via).table for outcome in outcomes for hop in outcome.hops}
    return any(
        outcome.empty_chains
        or any(end.rule.chain not in DISPATCHERS["nat"] for end in outcome.others)
        or any(not end.share for end in outcome.endpoints)
        for outcome in outcomes
    ) or any(
        rule.jump not in met and not _asks_a_list(rule)
        for chain in traced.chains
        for rule in cast("Table", tables[chain]).rules_with(f"-j {ENDPOINT_CHAIN}", chain)
    )


def is_repeated(rule: Rule) -> bool:
    """Whether a rule stands more than once in its chain, as where a text quotes it apart from the others."""
    return sum(other.text == rule.text for other in rule.table.rules_of(rule.chain)) > 1


def taking_all_above(rule: Rule, packet: Packet) -> list[Rule]:
    """Return the rule above `rule` that lets no connection like `packet` come to it, if one alone does that."""
    for other in rule.table.rules_of(rule.chain)[: rule.number - 1]:
        made = compiled(other)
        truth = rule_truth(made, packet)
        ends = made.action.kind in {GOTO, RETURN, TARGET} or (made.jump or "").startswith(ENDPOINT_CHAIN)
        if ends and not made.action.continues and truth.chance == CERTAIN and not truth.needs:
            return [other]
    return []


def shadowed_ways(
    nat: Table, chain: str, working: Collection[Rule], packet: Packet
) -> Iterator[tuple[Rule, Rule, str]]:
    """Yield the ways of a chain to endpoints that get nothing by it, with the rule above and the address."""
    for via in nat.rules_with(f"-j {ENDPOINT_CHAIN}", chain):
        above = [] if via in working or _asks_a_list(via) else taking_all_above(via, packet)
        if above and (above[0].jump or "").startswith(ENDPOINT_CHAIN) and above[0].jump != via.jump:
            yield via, above[0], _address(via, nat.rules_of(via.jump or ""), packet)


def _asks_a_list(rule: Rule) -> bool:
    return any(match.name == "recent" for match in rule.matches)


def _among(nat: Table, ways: Sequence[Rule], packet: Packet) -> Iterator[BrokenEndpoint]:
    left = CERTAIN
    for place, via in enumerate(ways, 1):
        chance, ends = raw_chance(compiled(via)), nat.rules_of(via.jump or "")
        fault = _fault(ends, packet) if chance else "no-chance"
        if fault and ends:
            yield BrokenEndpoint(via, fault, left * chance, _address(via, ends, packet), place == len(ways))
        elif not rule_truth(compiled(via), packet).needs:
            left *= 1 - chance


def _fault(ends: Sequence[Rule], packet: Packet) -> Fault | None:
    """Return what keeps an endpoint's chain from sending connections like `packet` on."""
    rules = map(compiled, ends)
    sending = [rule for rule in rules if rule.jump != MARK_MASQUERADE and not rule.action.continues]
    if not sending:
        return "no-dnat"
    return None if any(rule_truth(rule, packet).chance for rule in sending) else "other-protocol"


def _address(via: Rule, ends: Sequence[Rule], packet: Packet) -> str:
    """Return the endpoint by its DNAT, the comment of the rule that leads to it, or the rule for its hairpin."""
    for rule in ends:
        if compiled(rule).action.name == "DNAT":
            address, port, _ = destination_of(rule, packet.destination_port)
            return join_endpoint(address, port)
    if way := way_of_comment(via.comment):
        return way
    sources = (option.values[0] for rule in ends for option in rule.parts.basics if option.name == "-s")
    return next(sources, "").partition("/")[0]
