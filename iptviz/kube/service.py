"""What happens to a new connection to one frontend, in every case that makes a difference."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from iptviz.engine.effects import BrokenJumps
from iptviz.engine.matching import rule_truth
from iptviz.engine.packet import Packet
from iptviz.engine.survey import NOTHING_HAPPENS, Survey, survey
from iptviz.kube.comments import service_of_comment
from iptviz.kube.dispatching import rules_about
from iptviz.kube.families import (
    ENDPOINT_CHAIN,
    FIREWALL_CHAIN,
    SERVICE_CHAINS,
    SOURCE_RANGES,
    shares_out,
    stands_before,
)
from iptviz.kube.frontends import CHAIN, Frontend, frontend_of
from iptviz.kube.marks import Marks
from iptviz.kube.names import NAMELESS, ServiceName
from iptviz.kube.outcome import Endpoint, FrontendOutcome, OutcomeReader
from iptviz.kube.preempt import ConditionalJump, Preemption, conditional_jumps, preemptions
from iptviz.kube.unled import is_endpoint_alone, may_be_led_on
from iptviz.kube.unshared import joined_by_chance, with_all_lacking
from iptviz.records import NamedTuple
from iptviz.rules.form import TARGET, Action, CompiledRule
from iptviz.rules.iptables import compiled, rule_table
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.numbers import read_uint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.fields import Field
    from iptviz.engine.survey import Case

    RulesAbout = Callable[[Frontend, str], Sequence[Rule]]


class ServiceTrace(NamedTuple):
    """A frontend, the packet asked about, and what comes of it.

    There is more than one outcome where something unknown decides; the first is the usual one. `hashed` is
    the name that the chain's hash confirms, looked for where no comment tells one. `owner` is who publishes a
    port that is no service's. `nat_unseen`: rules of nat that are not shown may lead connections on.
    """

    frontend: Frontend
    packet: Packet
    outcomes: tuple[FrontendOutcome, ...]
    affinity_seconds: int | None
    broken: BrokenJumps
    left_open: tuple[Field, ...]
    rounded: bool
    preempted: tuple[Preemption, ...]
    asked_if: tuple[ConditionalJump, ...] = ()
    hashed: ServiceName = NAMELESS
    owner: str = ""
    nat_unseen: bool = False

    @property
    def usual(self) -> FrontendOutcome:
        """The outcome for the ordinary client: see `_how_special`."""
        return self.outcomes[0]

    @property
    def service(self) -> ServiceName:
        """The service port, named by the frontend's comment or one further down, else by its chain's hash."""
        rules = [self.frontend.rule, *(endpoint.via for endpoint in self.usual.endpoints[:1])]
        rules += [endpoint.rule for endpoint in self.usual.endpoints[:1]]
        if self.frontend.plain is not None and self.frontend.service is not NAMELESS:
            return self.frontend.service
        return next(filter(None, (service_of_comment(rule.comment) for rule in rules)), self.hashed)

    @property
    def chains(self) -> frozenset[str]:
        """The chains that share connections out, in any case."""
        hops = (hop.chain for outcome in self.outcomes for hop in outcome.hops)
        own = [self.frontend.leads_to] if self.frontend.kind == CHAIN else []
        return frozenset(filter(shares_out, (*own, *hops)))

    @property
    def chain(self) -> str | None:
        """The chain that shares the usual connections out, or the first one asked; None without any."""
        own = [self.frontend.leads_to] if self.frontend.kind == CHAIN else []
        chains = [*own, *(hop.chain for hop in self.usual.hops)]
        return next(filter(shares_out, reversed(chains)), None) or (chains[0] if chains else None)

    @property
    def by_policy(self) -> bool:
        """Whether outcomes differ by a policy Local alone; the usual one is that of clients outside."""
        whens = [need for outcome in self.outcomes for need in outcome.when]
        return (
            len(self.outcomes) > 1
            and any(stands_before(hop.chain) for outcome in self.outcomes for hop in outcome.hops)
            and all(need.condition.kind in _OF_POLICIES for need in whens)
            and not any(need.holds for need in self.usual.when)
            and not (self.broken.loops or self.broken.missing)
        )


_OF_POLICIES = frozenset({"source-cidr", "source-type", "in-interface"})
"""Kinds of conditions by which kube-proxy tells pods and the node itself from clients outside."""


_LATEST: WeakKeyDictionary[Dump, dict[Frontend, ServiceTrace]] = WeakKeyDictionary()
_MOST_KEPT = 8
"""The frontends of one service are asked about several times in turn: by the answer, and by what checks find."""


def trace_frontend(dump: Dump, frontend: Frontend, about: RulesAbout | None = None) -> ServiceTrace:
    """Follow new connections to `frontend` through the nat table, then see who refuses the rest.

    `about` finds the rules that may speak of a frontend; who traces many has it look them up in an index.
    The latest few are kept.
    """
    kept = _LATEST.setdefault(dump, {})
    if frontend not in kept:
        if len(kept) == _MOST_KEPT:
            del kept[next(iter(kept))]
        kept[frontend] = _followed(dump, frontend, about)
    return kept[frontend]


def _followed(dump: Dump, frontend: Frontend, about: RulesAbout | None) -> ServiceTrace:
    nat = dump.tables.get("nat")
    packet = first_packet(frontend)
    find = about or partial(rules_about, dump)
    rules = find(frontend, "nat") if frontend.kind != CHAIN else ()
    entered = _entered(nat, frontend, rules) if nat else ()
    found = (
        survey(rule_table(nat), packet, entered)
        if nat and entered
        else Survey([NOTHING_HAPPENS], BrokenJumps({}, {}, {}))
    )
    nat_unseen = may_be_led_on(nat, frontend)
    refusals = find(frontend, "filter") if not nat_unseen or frontend.rule.chain != SOURCE_RANGES else ()
    reader = OutcomeReader(packet, Marks(nat), refusals, dump.tables.get("filter"))
    admitted = _source_ranges(nat, found.cases)
    told = joined_by_chance(told_endpoints(reader.read(case, found.broken.missing) for case in found.cases))
    if nat and rule_table(nat).unprinted.chances:
        told = (with_all_lacking(outcome, found.broken.missing) for outcome in told)
    outcomes = usual_first(told, admitted)
    if is_endpoint_alone(frontend):
        outcomes = [outcome._replace(unshared=True) for outcome in outcomes]
    return ServiceTrace(
        frontend=frontend,
        packet=packet,
        outcomes=tuple(outcomes),
        affinity_seconds=_affinity(nat, found.cases),
        broken=found.broken,
        left_open=found.left_open,
        rounded=found.rounded,
        preempted=tuple(preemptions(nat, packet)) if nat and rules else (),
        asked_if=tuple(conditional_jumps(nat, packet)) if nat and rules else (),
        nat_unseen=nat_unseen,
    )


def _entered(nat: Table, frontend: Frontend, rules: Iterable[Rule]) -> Sequence[CompiledRule]:
    """Return what connections to a frontend are asked first: `rules`, or the chain that stands for it."""
    if frontend.kind == CHAIN:
        return rule_table(nat).rules_of(frontend.rule.chain)
    return [_entry(rule, frontend) for rule in rules]


def _entry(rule: Rule, frontend: Frontend) -> CompiledRule:
    """Return a rule as it concerns `frontend`: what another service at the same address takes ends there.

    Of an address that is none, the rules that name it are for it all the same.
    """
    made = compiled(rule)
    if frontend.is_malformed:
        tests = tuple(test for test in made.tests if test.kind != "destination")
        return CompiledRule(made.place, made.chain, tests, made.action)
    claim = frontend_of(rule) if frontend.suffix else None
    if claim is None or claim.suffix == frontend.suffix:
        return made
    return CompiledRule(made.place, made.chain, made.tests, Action(TARGET, "ACCEPT"))


def told_endpoints(outcomes: Iterable[FrontendOutcome]) -> list[FrontendOutcome]:
    """Return the outcomes with those endpoints alone that get something, or that a rule of their chain shadows.

    Where a condition keeps connections from an endpoint, or its chain is not entered, it is none of the outcome.
    """
    told = list(outcomes)
    met = {end.rule for outcome in told for end in outcome.endpoints if end.share}

    def is_told(end: Endpoint, outcome: FrontendOutcome) -> bool:
        entered = any(hop.chain == end.via.chain for hop in outcome.hops)
        return bool(end.share) or (end.rule not in met and entered)

    return [
        outcome._replace(endpoints=tuple(end for end in outcome.endpoints if is_told(end, outcome)))
        for outcome in told
    ]


def first_packet(frontend: Frontend) -> Packet:
    """Return the first packet of a new client's connection to `frontend`."""
    return Packet(
        protocol=frontend.protocol or None,
        destination=parse_network(frontend.address) if frontend.address else None,
        destination_port=frontend.port,
        destination_name=frontend.host_name,
        to_this_node=True if frontend.kind == "node-port" else None,
        unlisted=(ENDPOINT_CHAIN,),
        own_port=frontend.unprinted,
    )


def _affinity(nat: Table | None, cases: Sequence[Case]) -> int | None:
    """Return the seconds for which a client stays with its endpoint, or None without session affinity."""
    chains = {name for case in cases for name in case.entered if name.startswith(SERVICE_CHAINS)}
    rules = (rule for name in sorted(chains) for rule in (nat.rules_with("recent", name) if nat else ()))
    for match in (match for rule in rules for match in rule.matches if match.name == "recent"):
        seconds = match.option("--seconds")
        if match.option("--rcheck") and seconds and seconds.values:
            return read_uint(seconds.values[0])
    return None


def _source_ranges(nat: Table | None, cases: Sequence[Case]) -> set[str]:
    """Return the sources that load-balancer source ranges admit."""
    chains = {name for case in cases for name in case.entered if name.startswith(FIREWALL_CHAIN)}
    rules = (rule for name in chains for rule in (nat.rules_of(name) if nat else ()))
    needs = (need for rule in rules for need in rule_truth(compiled(rule), Packet()).needs)
    return {value for need in needs for value in need.condition.values}


def usual_first(outcomes: Iterable[FrontendOutcome], admitted: set[str]) -> list[FrontendOutcome]:
    """Return outcomes, that of the ordinary client first; `admitted` are sources that source ranges admit."""
    return sorted(outcomes, key=lambda outcome: _how_special(outcome, admitted))


def _how_special(outcome: FrontendOutcome, admitted: set[str]) -> tuple[int, bool]:
    """Order outcomes by how special their client is: a pod, the node, somebody singled out by a rule.

    Being admitted by a source range makes no client special, being refused by it does.
    """
    special = [need for need in outcome.when if need.holds and not admitted.issuperset(need.condition.values)]
    return len(special), not outcome.endpoints
