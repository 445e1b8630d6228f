"""What nodes of a fleet say otherwise, in words and by the names of the nodes."""

from __future__ import annotations

from functools import cache, reduce
from operator import or_
from typing import TYPE_CHECKING

from iptviz.checks.between_nodes import Otherwise, sentence_between
from iptviz.checks.finding import plain
from iptviz.checks.registry import diagnosis_of
from iptviz.checks.wording import KIND_WORDS
from iptviz.compare.ports.differences import PROPERTY_CHANGES, PropertyDifference
from iptviz.documents.differing import frontend_text, property_texts
from iptviz.fleets.summary import labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.fleets.differing import OddFinding
    from iptviz.fleets.summary import Nodes, Summary
    from iptviz.intake.remark import Values
    from iptviz.questions.fleet import FleetResult


def members(nodes: Nodes) -> list[int]:
    """Return the places of the nodes in a set, the first one first.

    Of large sets this is much faster than taking bit by bit away, which copies the whole set each time.
    """
    return [place for place, bit in enumerate(bin(nodes)[:1:-1]) if bit == "1"]


def named_by(summary: Summary) -> Callable[[Nodes], tuple[str, ...]]:
    """Return what names the nodes in a set; many findings have the same nodes."""
    names = labels(summary.nodes)

    @cache
    def named(nodes: Nodes) -> tuple[str, ...]:
        return tuple(names[place] for place in members(nodes))

    return named


def port_name(odd: OddFinding) -> str:
    """Return the service port that a finding is about, with its protocol; without a name, where it is reached."""
    if odd.service is not None and odd.service.text:
        return f"{odd.service.text}/{odd.protocol}" if odd.protocol else odd.service.text
    return f"the service at {odd.at}" if odd.at else ""


def odd_text(result: FleetResult, odd: OddFinding, nodes: tuple[str, ...] = ()) -> str:
    """Return a finding in words, with the first of `nodes`, if they shall be named."""
    at = "" if odd.frontend is None else frontend_text(odd.frontend)
    by_api = result.truth == "api"
    values = _property_values(odd.values) if odd.id == "property-differs" else odd.values
    otherwise = Otherwise(port_name(odd), at, odd.endpoints, nodes, odd.of, by_api, values)
    return sentence_between(odd.id, otherwise)


def _property_values(values: Values) -> Values:
    """Return a property and its values in words."""
    said = dict(values)
    what, here, elsewhere = str(said.get("what", "")), said.get("here"), said.get("elsewhere")
    if what in PROPERTY_CHANGES:
        # As rows of a comparison have them: the truth is the old side.
        what, elsewhere, here = property_texts(PropertyDifference(what, elsewhere, here))  # type: ignore[arg-type]
    elif what == "frontend kind":
        what = "kind"
        here, elsewhere = (KIND_WORDS.get(str(kind), kind) for kind in (here, elsewhere))
    return ("what", what), ("here", here), ("elsewhere", elsewhere)


def odd_advice(odd: OddFinding) -> str:
    """Return what to do about a finding."""
    return plain(odd_todo(odd))


def odd_todo(odd: OddFinding) -> str:
    """Return the same with commands between backticks."""
    made = diagnosis_of(odd.id)
    return made.advice_where({"otherwise": Otherwise(values=odd.values)}) if made.fitting else made.advice


def not_compared(result: FleetResult) -> Nodes:
    """Return the nodes that are in no group: their rules show no services, or are of another cluster."""
    return ((1 << len(result.summary.nodes)) - 1) & ~reduce(or_, (group.nodes for group in result.groups), 0)
