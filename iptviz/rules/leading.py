"""Whether a rule, wherever it stands, calls another chain or goes there for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.dump.rule import Rule

if TYPE_CHECKING:
    from iptviz.rules.form import Place


def goes_for_good(place: Place) -> bool:
    """Whether a rule that leads to chains, or an element of a map that does, goes there for good."""
    if isinstance(place, Rule):
        return place.target is not None and place.target.goto
    from iptviz.nft.leads import verdicts_in, verdicts_of  # dumps do without
    from iptviz.rules.native.place import NftPlace

    if not isinstance(place, NftPlace):
        raise TypeError(place)
    found = verdicts_in(place.rule) if place.element is None else verdicts_of((place.element,))
    return all(verdict.kind == "goto" for verdict in found)
