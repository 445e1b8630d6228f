"""Why connections fail, in words: the rule or policy that decides, and what must be so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import listed
from iptviz.engine.condition import clauses
from iptviz.engine.effects import UNKNOWN
from iptviz.paths.model import AS_WRITTEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.engine.condition import When
    from iptviz.paths.fares import Cause, Failure
    from iptviz.paths.model import Decider

_WHY = {
    "rule": "",
    "answer": "the endpoint's answer: ",
    "not DNATed": "not DNATed",
    "redirected": "redirected to ",
    "no endpoints": "no endpoints: ",
    "no local endpoints": "no local endpoints: ",
    "source ranges": "not in loadBalancerSourceRanges: ",
    "not known": "the deciding rule is unknown",
}


_LINES = 3
"""How many lines are named of rules that decide alike."""


def failure_text(failure: Failure, most: int | None = None, deciders: Sequence[Decider] = ()) -> str:
    """Return why connections fail and under which conditions, of which `most` are told and more are counted.

    `deciders` are the rules of one chain by which they do so, where each service has its own.
    """
    return cause_text(failure.cause, deciders) + _when_text(failure.when, most)


def _when_text(when: When, most: int | None) -> str:
    if not when:
        return ""
    shown = when[:most]
    more = len(when) - len(shown)
    rest = f" and {more:,} more condition{'s' if more > 1 else ''}" if more else ""
    return f" when {clauses(shown)}{rest}"


def cause_text(cause: Cause, deciders: Sequence[Decider] = ()) -> str:
    """Return why connections fail, with the rule or policy that decides, without when."""
    if cause.why == "not DNATed":
        return _WHY[cause.why] + (f" ({place_of(cause.by)})" if cause.by else "")
    if cause.outcome == UNKNOWN and cause.by and cause.by.number is None and cause.by.text != AS_WRITTEN:
        return f"this dump may lack rules of {cause.by.table} {cause.by.chain}"
    if not cause.outcome or cause.outcome == UNKNOWN:
        return _WHY[cause.why]
    if cause.to:
        return f"{_WHY[cause.why]}{cause.to}, not an endpoint of the service"
    place = _places(deciders) if len(deciders) > 1 else place_of(cause.by) if cause.by else ""
    by = f" by {place}" if place else ""
    return f"{_WHY[cause.why]}{cause.outcome}{by}"


def _places(rules: Sequence[Decider]) -> str:
    """Return how many rules of a chain it is, and in which lines the first of them stand."""
    lines = listed([str(rule.line) for rule in rules if rule.line is not None], _LINES)
    place = f"{len(rules):,} rules of {rules[0].table} {rules[0].chain}"
    return f"{place} (lines {lines})" if lines else place


def place_of(by: Decider) -> str:
    """Return where a rule or policy stands; a rule itself can be as long as it likes, and is not quoted."""
    if not by.table:
        return f"routing: {by.text}" if by.text else "routing"
    line = f", line {by.line}" if by.line is not None else ""
    place = f"{by.table} {by.chain}"
    return f"the policy of {place}{line}" if by.number is None else f"{place} rule {by.number}{line}"
