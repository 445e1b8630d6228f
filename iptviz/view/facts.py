"""What is said below a trace's tree: what kube-proxy's chains choose, counters, and what is not to be seen."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.engine.chance import total
from iptviz.kube.families import ENDPOINT_CHAIN
from iptviz.kube.frontends import CHAIN, SERVICE_KINDS
from iptviz.rules.iptables import may_lack_beside
from iptviz.view.blocks import Fact, verdict_fact
from iptviz.view.fates import all_reach
from iptviz.view.labels import (
    balance_label,
    endpoint_label,
    frontend_label,
    masquerade_label,
    outcome_balance,
    pinned_label,
)
from iptviz.view.numbers import percent, seconds
from iptviz.view.text import printable
from iptviz.view.unseen import unseen_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.kube.outcome import Endpoint, FrontendOutcome
    from iptviz.kube.service import ServiceTrace
    from iptviz.questions.trace import TraceResult
    from iptviz.rules.form import Place
    from iptviz.view.fates import Ways
    from iptviz.view.labels import OutcomeCase


_CHOOSERS = {True: "kube-proxy's chains", False: "the port's own rules"}
"""Who chooses endpoints: of a service, and of a port that others publish."""


def _chooser(service: ServiceTrace) -> str:
    """Return who chooses endpoints: of a chain that stands for its frontends, for what enters it."""
    if service.frontend.kind == CHAIN:
        return f"the rules of {printable(service.frontend.leads_to)}"
    return _CHOOSERS[service.frontend.kind in SERVICE_KINDS]


def trace_facts(
    result: TraceResult, place: int, cases: list[OutcomeCase], ways: Ways | None, *, fold: bool
) -> Iterator[Fact]:
    """Yield what is to be said below the tree of one frontend, the `place`-th of the answer, with its ways."""
    service = result.services[place]
    usual, of_service = service.usual, service.frontend.kind in (*SERVICE_KINDS, CHAIN)
    if result.wanted and not service.frontend.leads_to.startswith(ENDPOINT_CHAIN):
        share = total(end.share for end in usual.endpoints if end.rule in result.wanted)
        of_all = "an unknown share" if usual.unshared else percent(share)
        part = f"{of_all} of new connections"
        yield Fact("Target", _target_text(result, part, ways), kind="target")
    yield from _chosen_facts(result, service, cases, ways)
    if of_service:  # who else publishes a port has marks of its own
        if len(cases) == 1 and usual.endpoints and ways is None and result.follows_rules:
            yield Fact("SNAT", masquerade_label(usual), kind="masquerade")
        yield from _hairpin_facts(cases)
    if service.affinity_seconds is not None:
        span = seconds(service.affinity_seconds)
        stays = f"a client stays with its endpoint for {span}; shares are for new clients"
        yield Fact("Affinity", stays, kind="affinity")
    if result.pinned and (pinned := result.pinned[place]):
        yield Fact("Affinity", pinned_label(pinned, fold=fold), kind="affinity")
    if observed := result.observed[place] if result.observed else ():
        from iptviz.view.observed import observed_facts  # most dumps have no counters

        yield from observed_facts(observed)
    shown = {traced.frontend.text for traced in result.services}
    if others := [other for other in result.siblings[place] if other.text not in shown]:
        yield Fact("Also at", ", ".join(map(frontend_label, others)), kind="also")
    if place == len(result.services) - 1 and (unseen := unseen_text(result)):
        yield Fact("Not visible", unseen, kind="depends")


def _target_text(result: TraceResult, part: str, ways: Ways | None) -> str:
    """Say what the endpoint gets that was asked for; whether it is reached is said elsewhere."""
    target = printable(result.target)
    if ways is None or all_reach(ways):
        return f"{target} gets {part}"
    return f"kube-proxy's chains choose {target} for {part}"


def verdict_facts(result: TraceResult, cases: list[OutcomeCase], ways: Ways | None) -> Iterator[Fact]:
    """Yield what is chosen where there is one case, and where nobody looked at what else happens."""
    if ways is None and len(cases) == 1:
        yield _balance_fact(cases[0], complete=result.complete, masqueraded=False)


def _chosen_facts(
    result: TraceResult, service: ServiceTrace, cases: list[OutcomeCase], ways: Ways | None
) -> Iterator[Fact]:
    """Yield what kube-proxy's own chains choose; where the ways are known, only what is odd in it.

    Who is reached has been said, and the tree says the rest.
    """
    of_service = service.frontend.kind in (*SERVICE_KINDS, CHAIN)
    facts = [
        (_balance_fact(case, complete=result.complete, masqueraded=of_service), case.outcome)
        for case in cases
    ]
    if ways is None:
        yield from (fact for fact, _ in facts if len(result.services) > 1 or len(cases) > 1)
        return
    for fact, outcome in facts:
        if fact.mood == "bad" and outcome.endpoints and not outcome.unshared:
            yield fact._replace(text=f"{_chooser(service)} choose {fact.text}", kind="chosen")


def _balance_fact(case: OutcomeCase, *, complete: bool, masqueraded: bool) -> Fact:
    outcome, letter = case.outcome, case.case.letter
    balance = outcome_balance(outcome)
    good = balance and balance.even and not outcome.leftover
    masquerade = f"; SNAT {masquerade_label(outcome)}" if letter and balance and masqueraded else ""
    text = balance_label(outcome, balance, complete=complete) + masquerade
    return verdict_fact(case.case, text, good=bool(good))


def _hairpin_facts(cases: list[OutcomeCase]) -> Iterator[Fact]:
    """Yield what is missing for an endpoint that reaches itself; nothing where all is there."""
    endpoints = [endpoint for case in cases for endpoint in case.outcome.endpoints]
    lacking = (end for end in endpoints if end.hairpin is None and not _may_lack_hairpin(end))
    without = dict.fromkeys(map(endpoint_label, lacking))
    if without:
        who = ", ".join(list(without)[:3]) + (" ..." if len(without) > 3 else "")
        text = f"no masquerade rule for {who}: it cannot reach itself through this service"
        yield Fact("Hairpin", text, "bad", "hairpin")


def _may_lack_hairpin(end: Endpoint) -> bool:
    """Whether the rule by which an endpoint reaches itself may be among what the dump does not show."""
    return end.local_hairpin or may_lack_beside(end.rule)


def unfair_ends(outcome: FrontendOutcome) -> set[Place]:
    """Return the rules of the endpoints that do not get their fair share, beyond what kube-proxy rounds."""
    balance = outcome_balance(outcome)
    if balance is None or balance.even:
        return set()
    fair = Fraction(1, balance.endpoints)
    return {end.rule for end in outcome.endpoints if abs(end.share - fair) > balance.allowed}
