"""Where rules of nft lead: the chains that they name, and the maps and sets that they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.nft.counting import Verdict
from iptviz.nft.expressions import AnonymousSet, Concatenation, MapLookup, SetReference
from iptviz.nft.statements import Assign, Match, Nat, SetUpdate, VerdictMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.nft.expressions import Element
    from iptviz.nft.model import Rule, SetOrMap

CALLS = frozenset({"jump", "goto"})
"""The verdicts that name a chain."""


def verdicts_in(rule: Rule) -> Iterator[Verdict]:
    """Yield the jumps and gotos that stand in a rule itself, those of a map within it among them."""
    for one in rule.statements:
        if isinstance(one, Verdict):
            yield from _calls((one,))
        elif isinstance(one, VerdictMap) and isinstance(one.map, AnonymousSet):
            yield from verdicts_of(one.map.elements)


def verdicts_of(elements: Iterable[Element]) -> Iterator[Verdict]:
    """Yield the jumps and gotos that a map has."""
    yield from _calls(element.data for element in elements if isinstance(element.data, Verdict))


def _calls(found: Iterable[Verdict]) -> Iterator[Verdict]:
    yield from (one for one in found if one.kind in CALLS and one.chain)


def verdict_maps_of(rule: Rule) -> Iterator[SetOrMap]:
    """Yield the maps of its table in which a rule looks verdicts up."""
    for one in rule.statements:
        if isinstance(one, VerdictMap) and isinstance(one.map, SetReference):
            found = rule.table.sets.get(one.map.name)
            if found is not None:
                yield found


def sets_asked(rule: Rule) -> Iterator[str]:
    """Yield the names of the sets and maps that a rule asks or writes to, as they are met."""
    for one in rule.statements:
        if isinstance(one, Match):
            yield from _named(one.right)
        elif isinstance(one, VerdictMap):
            yield from _named(one.map)
        elif isinstance(one, Nat):
            yield from (*_named(one.address), *_named(one.port))
        elif isinstance(one, Assign):
            yield from _named(one.value)
        elif isinstance(one, SetUpdate):
            yield one.set


def _named(asked: object) -> Iterator[str]:
    if isinstance(asked, SetReference):
        yield asked.name
    elif isinstance(asked, MapLookup):
        yield from _named(asked.map)
    elif isinstance(asked, Concatenation):
        for part in asked.parts:
            yield from _named(part)
