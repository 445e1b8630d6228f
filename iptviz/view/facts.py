"""What is said below a trace's tree: verdict, masquerading, counters, and what the answer depends on."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.engine.chance import total
from iptviz.engine.condition import Assumption, Condition
from iptviz.kube.frontends import SERVICE_KINDS
from iptviz.view.blocks import Fact, verdict_fact
from iptviz.view.labels import (
    OPEN_QUESTIONS,
    balance_label,
    endpoint_label,
    frontend_label,
    masquerade_label,
    outcome_balance,
)
from iptviz.view.numbers import percent, seconds
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.rule import Rule
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.observed import Observation
    from iptviz.kube.outcome import FrontendOutcome
    from iptviz.kube.service import ServiceTrace
    from iptviz.questions.trace import TraceResult
    from iptviz.view.labels import OutcomeCase


def trace_facts(
    result: TraceResult,
    service: ServiceTrace,
    cases: list[OutcomeCase],
    siblings: tuple[Frontend, ...],
    observed: tuple[Observation, ...] = (),
) -> Iterator[Fact]:
    """Yield what is to be said below the tree of one frontend."""
    usual, of_service = service.usual, service.frontend.kind in SERVICE_KINDS
    if result.wanted:
        share = total(end.share for end in usual.endpoints if end.rule in result.wanted)
        gets = f"{printable(result.target)} gets {percent(share)} of new connections"
        yield Fact("Target", gets, kind="target")
    for case in cases:
        yield _balance_fact(case, complete=result.complete, masqueraded=of_service)
    if of_service:  # who else publishes a port has marks of its own
        if len(cases) == 1 and usual.endpoints:
            yield Fact("Masquerade", masquerade_label(usual), kind="masquerade")
        yield from _hairpin_facts(cases)
    if service.affinity_seconds is not None:
        span = seconds(service.affinity_seconds)
        stays = f"a client stays with its endpoint for {span}; shares are for new clients"
        yield Fact("Affinity", stays, kind="affinity")
    if observed:
        from iptviz.view.observed import observed_facts  # most dumps have no counters

        yield from observed_facts(observed)
    if siblings:
        yield Fact("Also at", ", ".join(map(frontend_label, siblings)), kind="also")
    yield Fact("Depends on", _conditions(result, service), kind="depends")


def _balance_fact(case: OutcomeCase, *, complete: bool, masqueraded: bool) -> Fact:
    outcome, letter = case.outcome, case.case.letter
    balance = outcome_balance(outcome)
    good = balance and balance.even and not outcome.leftover
    masquerade = f"; masquerade {masquerade_label(outcome)}" if letter and balance and masqueraded else ""
    text = balance_label(outcome, balance, complete=complete) + masquerade
    return verdict_fact(case.case, text, good=bool(good))


def _hairpin_facts(cases: list[OutcomeCase]) -> Iterator[Fact]:
    endpoints = [endpoint for case in cases for endpoint in case.outcome.endpoints]
    without = dict.fromkeys(endpoint_label(end) for end in endpoints if end.hairpin is None)
    if without:
        who = ", ".join(list(without)[:3]) + (" ..." if len(without) > 3 else "")
        text = f"no masquerade for {who}: it cannot reach itself through this service"
        yield Fact("Hairpin", text, "bad", "hairpin")
    elif endpoints:
        yield Fact("Hairpin", "an endpoint that reaches itself is masqueraded", kind="hairpin")


def _conditions(result: TraceResult, service: ServiceTrace) -> str:
    """Say what the answer depends on that the dump does not hold."""
    asked = dict.fromkeys(need.condition for outcome in service.outcomes for need in outcome.when)
    asked |= dict.fromkeys(need.condition for preemption in service.preempted for need in preemption.when)
    marks = (mark for outcome in service.outcomes for mark in outcome.masquerade)
    marking = dict.fromkeys(need.condition for mark in marks for need in mark.needs)
    questions = [printable(_question(condition)) for condition in asked]
    questions += [f"for masquerading, {printable(_question(mark))}" for mark in marking if mark not in asked]
    if service.affinity_seconds is not None:
        questions.append("for a returning client, this node's recent lists")
    if not result.complete:
        questions.append("what this dump lacks: see the notes")
    if service.left_open:
        questions.append(OPEN_QUESTIONS)
    return "; ".join(questions) or "nothing outside this dump"


def _question(condition: Condition) -> str:
    return f"whether {Assumption(condition, holds=True).text}"


def unfair_ends(outcome: FrontendOutcome) -> set[Rule]:
    """Return the rules of the endpoints that do not get their fair share, beyond what kube-proxy rounds."""
    balance = outcome_balance(outcome)
    if balance is None or balance.even:
        return set()
    fair = Fraction(1, balance.endpoints)
    return {end.rule for end in outcome.endpoints if abs(end.share - fair) > balance.allowed}
