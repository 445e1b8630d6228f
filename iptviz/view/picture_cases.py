"""The cases of a picture: all frontends of a trace share its letters, so that each means one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import total
from iptviz.records import NamedTuple
from iptviz.view.labels import (
    balance_label,
    frontend_label,
    letter_of,
    outcome_balance,
    outcome_cases,
    result_of,
    share_text,
)
from iptviz.view.trace_jumps import home_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.kube.outcome import Endpoint, FrontendOutcome
    from iptviz.kube.service import ServiceTrace
    from iptviz.questions.trace import TraceResult
    from iptviz.view.nodes import LetteredCase


class FrontendCase(NamedTuple):
    """A case of one frontend; in the whole picture its letter means one thing, and is empty if it is alone."""

    case: LetteredCase
    frontend: ServiceTrace
    outcome: FrontendOutcome

    def label(self, text: str) -> str:
        """Return `text` as being said of this case."""
        return f"{self.case.letter}: {text}" if self.case.letter else text


def frontend_cases(result: TraceResult) -> list[FrontendCase]:
    """Return the cases of all frontends in order; those that come to the same have the same letter."""
    letters: dict[object, str] = {}
    lettered = []
    for service in result.services:
        for case, outcome in outcome_cases(service.outcomes):
            letter = letters.setdefault((case.when, result_of(outcome)), letter_of(len(letters)))
            lettered.append(FrontendCase(case._replace(letter=letter), service, outcome))
    if len(letters) > 1:
        return lettered
    return [alone._replace(case=alone.case._replace(letter="")) for alone in lettered]


def case_summaries(cases: list[FrontendCase], *, complete: bool) -> Iterator[str]:
    """Yield what every case is and comes to, once for all frontends that share it."""
    alike: dict[str, list[FrontendCase]] = {}
    for case in cases:
        alike.setdefault(case.case.letter, []).append(case)
    for letter, those in alike.items():
        outcome = those[0].outcome
        result = balance_label(outcome, outcome_balance(outcome), complete=complete)
        if not letter:
            yield result
            continue
        where = ", ".join(dict.fromkeys(frontend_label(case.frontend.frontend) for case in those))
        first, *others = those[0].case.when or ("",)
        yield f"{letter}: {where}" + (f", when {first}" if first else "") + ("" if others else f": {result}")
        for number, other in enumerate(others, 1):
            yield f"   or when {other}" + (f": {result}" if number == len(others) else "")


class SharesByCase:
    """What each endpoint's chain gets in every case of every frontend that leads there."""

    def __init__(self, cases: list[FrontendCase]) -> None:
        self._of: dict[str, dict[str, str]] = {}
        for case in cases:
            reached = by_chain((case.outcome,))
            for chain in by_chain(case.frontend.outcomes):
                share = total(end.share for end in reached.get(chain, ()))
                self._of.setdefault(chain, {})[case.case.letter] = share_text(share, case.outcome)

    def lines(self, chain: str) -> Iterator[str]:
        """Yield one share where all cases agree, else each case's."""
        letters: dict[str, list[str]] = {}
        for letter, share in self._of[chain].items():
            letters.setdefault(share, []).append(letter)
        if len(letters) == 1:
            yield from letters
        else:
            yield from (f"{', '.join(those)}: {share}" for share, those in letters.items())


def by_chain(outcomes: tuple[FrontendOutcome, ...]) -> dict[str, list[Endpoint]]:
    """Return the endpoints of all outcomes by their homes, in the order in which they are met."""
    chains: dict[str, list[Endpoint]] = {}
    for outcome in outcomes:
        for endpoint in outcome.endpoints:
            chains.setdefault(home_of(endpoint), []).append(endpoint)
    return chains
