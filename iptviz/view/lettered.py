"""The cases of several frontends in one picture: a letter for each, what it means, what endpoints get in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.chance import total
from iptviz.view.cases import case_views, letter_of, result_of
from iptviz.view.facts import balance_label
from iptviz.view.labels import frontend_label
from iptviz.view.numbers import percent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from iptviz.kube.outcome import Endpoint
    from iptviz.kube.outcome import FrontendOutcome as Outcome
    from iptviz.kube.service import ServiceTrace
    from iptviz.questions.trace import TraceResult


class LetteredCase(NamedTuple):
    """A case of one frontend; in the whole picture its letter means one thing, and is empty if it is alone."""

    letter: str
    one: ServiceTrace
    when: tuple[str, ...]
    outcome: Outcome

    def told(self, text: str) -> str:
        """Return `text` as being said of this case."""
        return f"{self.letter}: {text}" if self.letter else text


def lettered_cases(result: TraceResult) -> list[LetteredCase]:
    """Return the cases of all frontends in order; those that come to the same have the same letter."""
    cases = [(one, case) for one in result.services for case in case_views(one.outcomes)]
    letters: dict[object, str] = {}
    lettered = []
    for one, case in cases:
        letter = letters.setdefault((case.when, result_of(case.outcome)), letter_of(len(letters)))
        lettered.append(LetteredCase(letter, one, case.when, case.outcome))
    return lettered if len(letters) > 1 else [case._replace(letter="") for case in lettered]


def cases_told(cases: list[LetteredCase], *, complete: bool) -> Iterator[str]:
    """Yield what every case is and comes to, once for all frontends that share it."""
    alike: dict[str, list[LetteredCase]] = {}
    for case in cases:
        alike.setdefault(case.letter, []).append(case)
    for letter, those in alike.items():
        result = balance_label(those[0].outcome, complete=complete)
        if not letter:
            yield result
            continue
        where = ", ".join(dict.fromkeys(frontend_label(case.one.frontend) for case in those))
        first, *others = those[0].when or ("",)
        yield f"{letter}: {where}" + (f", when {first}" if first else "") + ("" if others else f": {result}")
        for number, other in enumerate(others, 1):
            yield f"   or when {other}" + (f": {result}" if number == len(others) else "")


class Shares:
    """What each endpoint's chain gets in every case of every frontend that leads there."""

    def __init__(self, cases: list[LetteredCase]) -> None:
        self._of: dict[str, dict[str, Fraction]] = {}
        for case in cases:
            reached = by_chain((case.outcome,))
            for chain in by_chain(case.one.outcomes):
                share = total(end.share for end in reached.get(chain, ()))
                self._of.setdefault(chain, {})[case.letter] = share

    def lines(self, chain: str) -> Iterator[str]:
        """Yield one share where all cases agree, else each case's."""
        letters: dict[str, list[str]] = {}
        for letter, share in self._of[chain].items():
            letters.setdefault(percent(share), []).append(letter)
        if len(letters) == 1:
            yield from letters
        else:
            yield from (f"{', '.join(those)}: {share}" for share, those in letters.items())


def by_chain(outcomes: tuple[Outcome, ...]) -> dict[str, list[Endpoint]]:
    """Return the endpoints of all outcomes by their chain, in the order in which they are met."""
    chains: dict[str, list[Endpoint]] = {}
    for outcome in outcomes:
        for endpoint in outcome.endpoints:
            chains.setdefault(endpoint.rule.chain, []).append(endpoint)
    return chains
