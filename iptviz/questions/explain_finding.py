"""The question `explain` asks: what a finding means, and what to do; and what conditions there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from iptviz.checks.registry import all_diagnoses
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.errors import TargetError
from iptviz.questions.document import document_of

if TYPE_CHECKING:
    from iptviz.checks.finding import Diagnosis
    from iptviz.engine.condition_kinds import ConditionKind

CONDITIONS = "conditions"
"""What is asked for to learn of conditions; no finding is called so."""


class ExplainResult(NamedTuple):
    """What can be found, or one of it, which is told at length; or the kinds of conditions by name."""

    diagnoses: tuple[Diagnosis, ...] = ()
    conditions: tuple[tuple[str, ConditionKind], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.explain.v1`."""
        return document_of("explain", self)


def explain(what: str | None = None) -> ExplainResult:
    """Return what a finding of the id `what` is, `conditions`, or without either all that can be found.

    Raises:
        TargetError: there is no such id.
    """
    if what == CONDITIONS:
        return ExplainResult(conditions=tuple(CONDITION_KINDS.items()))
    return ExplainResult(tuple(all_diagnoses().values()) if what is None else (named(what),))


def named(what: str) -> Diagnosis:
    """Return the diagnosis whose id is `what`.

    Raises:
        TargetError: there is none.
    """
    known = all_diagnoses()
    if what in known:
        return known[what]
    from difflib import get_close_matches

    near = get_close_matches(what, [*known, CONDITIONS], 1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise TargetError(f'unknown finding "{what}"', hint=f"{meant}list them: iptviz explain")
