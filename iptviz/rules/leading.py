"""Whether a rule, wherever it stands, calls another chain or goes there for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.nft.leads import verdicts_in, verdicts_of
from iptviz.rules.iptables import dump_rule
from iptviz.rules.native.place import NftPlace

if TYPE_CHECKING:
    from iptviz.rules.form import Place


def goes_for_good(place: Place) -> bool:
    """Whether a rule that leads to chains, or an element of a map that does, goes there for good."""
    if not isinstance(place, NftPlace):
        target = dump_rule(place).target
        return target is not None and target.goto
    found = verdicts_in(place.rule) if place.element is None else verdicts_of((place.element,))
    return all(verdict.kind == "goto" for verdict in found)
