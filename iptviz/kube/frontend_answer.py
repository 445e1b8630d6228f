"""What comes of an ordinary client's connection to one frontend, in few words and fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from iptviz.engine.chance import NEVER
from iptviz.engine.condition import Assumption, Condition
from iptviz.kube.broken_endpoints import is_flawed
from iptviz.kube.endpoint_form import EndpointForm
from iptviz.kube.families import (
    CLUSTER_CHAIN,
    DISPATCHERS,
    EXTERNAL_CHAIN,
    LOCAL_CHAINS,
    MARK_MASQUERADE,
    SOURCE_RANGES,
)
from iptviz.kube.frontends import (
    CHAIN,
    CLIENT_CONDITIONS,
    is_loopback,
    port_of,
    value_of,
)
from iptviz.kube.outcome import lacking_share
from iptviz.kube.plain_chains import External, PlainChains
from iptviz.kube.service import trace_frontend
from iptviz.records import NamedTuple
from iptviz.rules.iptables import dump_rule
from iptviz.rules.reading.words import QUOTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from iptviz.dump.table import Table
    from iptviz.kube.dispatching import About, DispatchingRules
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.names import ServiceName
    from iptviz.kube.outcome import FrontendOutcome, Needs, Verdict
    from iptviz.kube.plain_chains import Balancing, Mask
    from iptviz.kube.service import ServiceTrace
    from iptviz.rules.form import Place


class Everywhere(NamedTuple):
    """What clients meet whom a policy Local sends to all endpoints, where all rules have kube-proxy's own form.

    `ways` tell who they are, as `External` does. `masquerade` has the conditions of each rule that masquerades
    what comes to this frontend; `networks` are those of pods, as far as rules name them.
    """

    ways: tuple[tuple[str, bool, str], ...]
    endpoints: Sequence[EndpointForm]
    masquerade: tuple[Needs, ...]
    any_time: bool
    networks: tuple[str, ...]


class FrontendAnswer(NamedTuple):
    """What comes of an outside client's new connection; the endpoints' shares and `leftover` sum to 1.

    `chain` shares the connections out. `masquerade` has the conditions of each rule that masquerades, empty
    ones for always. `local_only` says that outside clients get this node's endpoints alone. `unseen` is what
    connections come to and an incomplete dump lacks. `depends` says that other clients meet something else, by a
    condition that the dump does not settle, or that the rules break off where a chain is missing. `by_policy`: it
    is a policy Local alone by which they do, so that all clients outside meet what the answer says. `taken_by`
    are rules that take connections before the service is asked, be they another's that claims the address.
    `plain` says that all rules on the way have kube-proxy's own form; `flawed` that one within the service's
    chains keeps connections from endpoints. `unshared`: the dump does not print by what chance each endpoint is
    chosen, so that shares are not known; those that endpoints have here are no shares. `nat_unseen`: rules of nat
    that are not shown may lead them on. `unread`: a rule that is not understood decides who gets what share.
    `rounded`: exact shares would have too many digits. `kind_untold`: nothing tells an external IP from a load
    balancer's. `elsewhere` are addresses of endpoints that other clients alone get, as far as they were looked
    for. `everywhere` is what other clients meet, if all of it is plain.
    """

    frontend: Frontend
    service: ServiceName
    chain: str | None
    endpoints: Sequence[EndpointForm]
    leftover: Fraction
    verdict: Verdict | None
    affinity: int | None
    masquerade: tuple[Needs, ...]
    local_only: bool
    unseen: tuple[str, ...] = ()
    depends: bool = False
    taken_by: tuple[Place, ...] = ()
    plain: bool = False
    flawed: bool = False
    by_policy: bool = False
    nat_unseen: bool = False
    unshared: bool = False
    unread: bool = False
    rounded: bool = False
    kind_untold: bool = False
    elsewhere: tuple[str, ...] = ()
    everywhere: Everywhere | None = None

    @property
    def shares_known(self) -> bool:
        """Whether the shares that endpoints have here are theirs, and not those of one case among several."""
        return not (self.unshared or self.unread)

    @property
    def settled(self) -> bool:
        """Whether all clients meet what the answer says, or all those outside."""
        return self.by_policy or not self.depends

    @property
    def masquerades_others(self) -> bool:
        """Whether a rule marks what clients send that are no pods."""
        return any(not any(need.holds for need in needs) for needs in self.masquerade)


class FrontendAnswers:
    """Answers for the frontends of one dump; `plain` are the chains of its nat table, if somebody has them."""

    def __init__(self, rules: DispatchingRules, plain: PlainChains | None = None) -> None:
        self._rules = rules
        nat = rules.dump.tables.get("nat")
        self._plain = plain or (PlainChains(nat) if nat else None)

    def of(self, frontend: Frontend) -> FrontendAnswer:
        """Return what comes of a connection to `frontend`."""
        plain = self.plain_answer(frontend)
        if plain is not None:
            return plain
        return followed(self._rules, frontend)

    def plain_answer(self, frontend: Frontend) -> FrontendAnswer | None:
        """Return the answer where every rule on the way has kube-proxy's form, else None."""
        if frontend.kind == CHAIN or self._plain is None:
            return None
        abouts = [about for about in self._rules.read_about(frontend, "nat") if _may_concern(about, frontend)]
        if not abouts or not all(about.asks_for_nothing_else for about in abouts):
            return None
        *marking, last = abouts
        chain = last.jump
        if chain is None or any(about.jump != MARK_MASQUERADE for about in marking):
            return None
        onward = self._plain.external(chain) if chain.startswith(EXTERNAL_CHAIN) else External(chain)
        if onward is None or onward.chain is None:
            return None
        balancing = self._plain.balancing(onward.chain, frontend.protocol)
        if balancing is None or balancing.leftover:
            return None
        needs = [
            *([()] if onward.masquerade else []),
            *map(_sources, marking),
            *(mask.needs for mask in balancing.masks if _is_about(mask, frontend)),
        ]
        others = self._others(onward, frontend) if onward.local_only else None
        differs = onward.local_only and (others is None or others.endpoints != balancing.endpoints)
        return FrontendAnswer(
            frontend=frontend,
            service=frontend.service,
            chain=onward.chain,
            endpoints=_endpoints_of(balancing, frontend),
            leftover=NEVER,
            verdict=None,
            affinity=balancing.affinity,
            masquerade=((),) if () in needs else tuple(dict.fromkeys(needs)),  # what always does is enough
            local_only=onward.local_only or onward.chain.startswith(LOCAL_CHAINS),
            depends=differs,
            plain=True,
            by_policy=differs,
            rounded=not balancing.exact,
            kind_untold=frontend.kind_untold,
            everywhere=None if others is None or others.leftover else _everywhere(onward, others, frontend),
        )

    def _others(self, onward: External, frontend: Frontend) -> Balancing | None:
        """Return what pods and the node itself meet, where a policy Local sends outside clients elsewhere."""
        if self._plain is None or onward.chain is None:
            return None
        return self._plain.balancing(CLUSTER_CHAIN + onward.chain.rpartition("-")[2], frontend.protocol)


def _everywhere(onward: External, others: Balancing, frontend: Frontend) -> Everywhere:
    named = [need.condition for mask in others.masks for need in mask.needs]
    return Everywhere(
        onward.ways,
        _endpoints_of(others, frontend),
        tuple(dict.fromkeys(mask.needs for mask in others.masks if _is_about(mask, frontend))),
        others.affinity is None,
        tuple(dict.fromkeys(condition.value for condition in named if condition.kind == "source-cidr")),
    )


def _endpoints_of(balancing: Balancing, frontend: Frontend) -> Sequence[EndpointForm]:
    """Return the endpoints of a chain, the same for all frontends but for a port that no DNAT names."""
    if balancing.names_ports:
        return balancing.endpoints
    return tuple(end._replace(port=frontend.port) if end.port is None else end for end in balancing.endpoints)


def _is_about(mask: Mask, frontend: Frontend) -> bool:
    return mask.port == frontend.port and mask.address in {None, frontend.address}


def _may_concern(about: About, frontend: Frontend) -> bool:
    """Whether a rule may match an ordinary client's packets to `frontend`: not those by way of the loopback."""
    rule, plain = about.rule, about.plain
    if frontend.address is None and is_loopback((plain.address if plain else value_of(rule, "-d")) or ""):
        return False
    if plain is not None:
        return (plain.port, plain.protocol) == (frontend.port, frontend.protocol)
    return port_of(rule) in {None, frontend.port} and value_of(rule, "-p") in {None, frontend.protocol}


def _sources(about: About) -> Needs:
    """Return what must hold of the source for a rule that marks."""
    if about.plain is not None:
        return () if about.plain.source is None else _no_source(about.plain.source)
    return tuple(
        Assumption(Condition(CLIENT_CONDITIONS[option.name], option.values[0]), holds=False)
        for option in about.rule.parts.basics
        if option.name in CLIENT_CONDITIONS
    )


def _no_source(source: str) -> Needs:
    return (Assumption(Condition(CLIENT_CONDITIONS["-s"], source), holds=False),)


def followed(rules: DispatchingRules, frontend: Frontend) -> FrontendAnswer:
    """Return what comes of a connection to `frontend` as the engine follows it: for who asks of few."""
    return answer_of_trace(trace_frontend(rules.dump, frontend, rules.about), complete=rules.dump.complete)


def answer_of_trace(trace: ServiceTrace, *, complete: bool) -> FrontendAnswer:
    """Return the engine's answer in few words; `complete` says whether the dump lacks nothing."""
    usual = trace.usual
    missing = [*(hop.chain for hop in usual.empty_chains), *trace.broken.missing.values()]
    if not missing and usual.leftover and not usual.verdict and trace.chain:
        missing = [f"rules of {trace.chain}"]
    missing += [f"rules of {chain}" for chain in _cut_off(trace) if chain not in missing]
    if trace.nat_unseen and trace.frontend.rule.chain == SOURCE_RANGES:
        missing.append("what nat has of it")
    hops = [hop.chain for outcome in trace.outcomes for hop in outcome.hops]
    differs = len(set(map(_shares_of, trace.outcomes))) > 1
    return FrontendAnswer(
        frontend=trace.frontend,
        service=trace.service,
        chain=trace.chain if trace.chains else None,
        endpoints=tuple(
            dict.fromkeys(EndpointForm(end.address, end.port, end.share) for end in usual.endpoints)
        ),
        leftover=usual.leftover,
        verdict=usual.verdict,
        affinity=trace.affinity_seconds,
        masquerade=tuple(mark.needs for mark in usual.masquerade),
        local_only=(usual.verdict is not None and usual.verdict.lacks_local)
        or any(hop.startswith(LOCAL_CHAINS) for hop in hops),
        unseen=() if complete else tuple(dict.fromkeys(missing)),
        depends=differs or bool(trace.broken.loops or trace.broken.missing),
        taken_by=tuple(
            end.rule
            for end in (*usual.others, *usual.returning)
            if end.share and end.rule.chain in DISPATCHERS["nat"]
        ),
        flawed=is_flawed(trace),
        by_policy=trace.by_policy,
        nat_unseen=trace.nat_unseen,
        unshared=any(outcome.unshared for outcome in trace.outcomes),
        unread=differs and any(need.condition.kind == QUOTED for one in trace.outcomes for need in one.when),
        rounded=trace.rounded,
        kind_untold=trace.frontend.kind_untold,
    )


def _cut_off(trace: ServiceTrace) -> Iterator[str]:
    """Yield the chains at whose end connections are left over, and where the text is cut off."""
    for outcome in trace.outcomes:
        if outcome.leftover > lacking_share(outcome) and not outcome.verdict and outcome.hops:
            last = outcome.hops[-1]
            if cast("Table", dump_rule(last.via).table).shown.is_cut_at(last.chain):
                yield last.chain


def _shares_of(outcome: FrontendOutcome) -> object:
    """Return what clients get in one case: equal where they get the same."""
    return outcome.leftover, tuple((end.rule, end.share) for end in outcome.endpoints)
