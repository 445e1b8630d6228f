"""Cases for the eye: outcomes that come to the same are one case, and each case has a letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.condition import clauses
from iptviz.view.text import printable

if TYPE_CHECKING:
    from iptviz.kube.outcome import FrontendOutcome as Outcome


class CaseView(NamedTuple):
    """An outcome, when it comes about (any of `when`), and the letter by which the views call it.

    The letter is empty where there is only one case.
    """

    letter: str
    when: tuple[str, ...]
    outcome: Outcome


def case_views(outcomes: tuple[Outcome, ...]) -> list[CaseView]:
    """Return the cases in order; those with the same endpoints, shares, marks and refusal are joined."""
    groups: dict[object, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(result_of(outcome), []).append(outcome)
    if len(groups) == 1:
        return [CaseView("", (), outcomes[0])]
    return [
        CaseView(letter_of(number), tuple(printable(clauses(one.when)) for one in group), group[0])
        for number, group in enumerate(groups.values())
    ]


def result_of(outcome: Outcome) -> object:
    """Return what an outcome comes to: equal for those that are one case."""
    shares = tuple((endpoint.rule, endpoint.share) for endpoint in outcome.endpoints)
    return shares, outcome.leftover, outcome.verdict, outcome.masquerade


def letter_of(number: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    rest, last = divmod(number, 26)
    return (letter_of(rest - 1) if rest else "") + chr(ord("A") + last)
