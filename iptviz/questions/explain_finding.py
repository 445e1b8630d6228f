"""The question `explain` asks: what a finding means, and what to do; and what conditions there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.checks.registry import all_diagnoses
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.errors import TargetError, near, quoted
from iptviz.questions.document import document_of
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.checks.finding import Diagnosis
    from iptviz.engine.condition_kinds import ConditionKind

CONDITIONS = "conditions"
"""What is asked for to learn of conditions; no finding is called so."""


class ExplainResult(NamedTuple):
    """What can be found, only `listed`, or some of it, told at length; and the kinds of conditions by name."""

    diagnoses: tuple[Diagnosis, ...] = ()
    conditions: tuple[tuple[str, ConditionKind], ...] = ()
    listed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.explain.v1`."""
        return document_of("explain", self)


def explain(what: str | Sequence[str] = ()) -> ExplainResult:
    """Return what findings of the ids `what` are, `conditions`, or without either all that can be found.

    Raises:
        TargetError: there is no such id.
    """
    ids = tuple(dict.fromkeys(ids_of(what)))
    if not ids:
        return ExplainResult(tuple(all_diagnoses().values()), listed=True)
    return ExplainResult(
        tuple(named(one) for one in ids if one != CONDITIONS),
        tuple(CONDITION_KINDS.items()) if CONDITIONS in ids else (),
    )


def ids_of(typed: str | Sequence[str]) -> list[str]:
    """Return ids that are named one by one, or several in a text with commas between them."""
    texts = [typed] if isinstance(typed, str) else typed
    return [what.strip() for text in texts for what in text.split(",")]


def named(what: str) -> Diagnosis:
    """Return the diagnosis whose id is `what`.

    Raises:
        TargetError: there is none.
    """
    known = all_diagnoses()
    if what in known:
        return known[what]
    typed = what.lower()
    holding = [one for one in known if typed and typed in one.split("-")]
    meant = near(typed, [*known, CONDITIONS], holding)
    raise TargetError(f"unknown finding {quoted(what)}", hint=f"{meant}list them: iptviz explain")
