"""The facts below a tree: how even the shares are, what is masqueraded, what the answer depends on."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from iptviz.checks.wording import sentences
from iptviz.engine.chance import total
from iptviz.engine.condition import Assumption, Condition
from iptviz.kube.balance import Balance, balance_of
from iptviz.kube.observed import LEVEL as OBSERVED_LEVEL
from iptviz.view.cases import CaseView, case_views
from iptviz.view.labels import endpoint_label, frontend_label, leftover_label, when_label
from iptviz.view.numbers import counted, one_in, percent, seconds
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.rule import Rule
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.observed import Observation
    from iptviz.kube.outcome import FrontendOutcome as Outcome
    from iptviz.kube.service import ServiceTrace
    from iptviz.questions.trace import TraceResult


class Fact(NamedTuple):
    """A sentence below the tree: its label, its text, and whether it is good, bad or neither."""

    label: str
    text: str
    mood: str = ""


def facts_of(
    result: TraceResult,
    one: ServiceTrace,
    siblings: tuple[Frontend, ...],
    observed: tuple[Observation, ...] = (),
) -> Iterator[Fact]:
    """Yield what is to be said below the tree of one frontend."""
    cases = case_views(one.outcomes)
    usual = one.usual
    if result.wanted:
        share = total(end.share for end in usual.endpoints if end.rule in result.wanted)
        yield Fact("Target", f"{printable(result.target)} gets {percent(share)} of new connections")
    for case in cases:
        yield _balance_fact(case, complete=result.complete)
    if len(cases) == 1 and usual.endpoints:
        yield Fact("Masquerade", _masquerade_text(usual))
    yield from _hairpin_facts(cases)
    if one.affinity_seconds is not None:
        span = seconds(one.affinity_seconds)
        yield Fact("Affinity", f"a client stays with its endpoint for {span}; shares are for new clients")
    yield from observed_facts(observed)
    if siblings:
        yield Fact("Also at", ", ".join(map(frontend_label, siblings)))
    yield Fact("Depends on", _conditions(result, one))


def _hairpin_facts(cases: list[CaseView]) -> Iterator[Fact]:
    endpoints = [endpoint for case in cases for endpoint in case.outcome.endpoints]
    without = dict.fromkeys(endpoint_label(end) for end in endpoints if end.hairpin is None)
    if without:
        who = ", ".join(list(without)[:3]) + (" ..." if len(without) > 3 else "")
        yield Fact("Hairpin", f"no masquerade for {who}: it cannot reach itself through this service", "bad")
    elif endpoints:
        yield Fact("Hairpin", "an endpoint that reaches itself is masqueraded")


def _conditions(result: TraceResult, one: ServiceTrace) -> str:
    """Say what the answer depends on that the dump does not hold."""
    asked = dict.fromkeys(need.condition for outcome in one.outcomes for need in outcome.when)
    asked |= dict.fromkeys(need.condition for preemption in one.preempted for need in preemption.when)
    marks = (mark for outcome in one.outcomes for mark in outcome.masquerade)
    marking = dict.fromkeys(need.condition for mark in marks for need in mark.needs)
    questions = [printable(_question(condition)) for condition in asked]
    questions += [f"for masquerading, {printable(_question(mark))}" for mark in marking if mark not in asked]
    if one.affinity_seconds is not None:
        questions.append("for a returning client, this node's recent lists")
    if not result.complete:
        questions.append("what this dump lacks: see the notes")
    return "; ".join(questions) or "nothing outside this dump"


def observed_facts(observed: tuple[Observation, ...]) -> Iterator[Fact]:
    """Yield what the counters of each balancing chain tell."""
    yield from (_observed_fact(seen, several=len(observed) > 1) for seen in observed)


def _observed_fact(seen: Observation, *, several: bool) -> Fact:
    """Say what the counters tell, by which test, and whether chance explains it."""
    what = counted(seen.connections, "connection") + (f" by {printable(seen.chain)}" if several else "")
    if seen.problems:
        return Fact(
            "Observed", f"{what}; not to be compared: {printable('; '.join(sentences(seen.problems)))}", "bad"
        )
    if len(seen.seen) == 1:
        return Fact("Observed", what)
    if seen.p is None:
        return Fact("Observed", f"{what}: too few to tell chance from error, it takes {seen.needed:,}")
    test = f"chi-square test, p = {seen.p:.2g}, level 1 in {1 / OBSERVED_LEVEL:,.0f}"
    if seen.verdict == "chance":
        return Fact("Observed", f"{what}: as expected, chance explains the difference ({test})", "good")
    return Fact("Observed", f"{what}: NOT as expected, by more than chance ({test})", "bad")


def _question(condition: Condition) -> str:
    return f"whether {Assumption(condition, holds=True).text}"


def _masquerade_text(outcome: Outcome) -> str:
    if not outcome.masquerade:
        return "none: endpoints see the client's address"
    return ", or ".join(map(when_label, outcome.masquerade))


def _balance_fact(case: CaseView, *, complete: bool) -> Fact:
    outcome = case.outcome
    label = f"Case {case.letter}" if case.letter else "Verdict"
    text = balance_label(outcome, complete=complete)
    balance = _balance(outcome)
    mood = "good" if balance and balance.even and not outcome.leftover else "bad"
    masquerade = f"; masquerade {_masquerade_text(outcome)}" if case.letter and balance else ""
    return Fact(label, text + masquerade, mood)


def _balance(outcome: Outcome) -> Balance | None:
    return balance_of([endpoint.share for endpoint in outcome.endpoints])


def balance_label(outcome: Outcome, *, complete: bool) -> str:
    """Say how an outcome's connections are shared, or what becomes of them where nobody gets them."""
    balance = _balance(outcome)
    if balance is not None:
        return _balance_text(balance, outcome)
    if outcome.verdict:
        return f"no endpoint: {outcome.verdict.kind}"
    return leftover_label(outcome, complete=complete)


def unfair_ends(outcome: Outcome) -> set[Rule]:
    """Return the rules of the endpoints that do not get their fair share, beyond what kube-proxy rounds."""
    balance = _balance(outcome)
    if balance is None or balance.even:
        return set()
    fair = Fraction(1, balance.endpoints)
    return {end.rule for end in outcome.endpoints if abs(end.share - fair) > balance.allowed}


def _balance_text(balance: Balance, outcome: Outcome) -> str:
    if balance.endpoints == 1 and not outcome.leftover:
        return "1 endpoint, which gets every connection"
    count = counted(balance.endpoints, "endpoint")
    if outcome.leftover:
        spread = f"{percent(balance.least)} to {percent(balance.most)}"
        return f"{count}, {spread}, {percent(outcome.leftover)} get none"
    if not balance.even:
        return f"{count}, UNEVEN: {percent(balance.least)} to {percent(balance.most)}"
    each = f"{count}, {percent(balance.most)} each"
    if not balance.deviation:
        return f"{each}, exactly even"
    why = " (five-digit probabilities, rounded)" if balance.rounded else ""
    return f"{each}, even to {one_in(balance.deviation)}{why}"
