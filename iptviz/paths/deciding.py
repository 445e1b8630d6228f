"""Who decides how connections end, of all rows at once: the deciders of each, and the first of them in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.effects import UNDECIDED
from iptviz.engine.journey import Policy
from iptviz.engine.reaching import reached_from
from iptviz.engine.regions import common
from iptviz.kube.families import KUBE_PROXY, KUBELET, PROXY_TABLES, family_of
from iptviz.paths.model import ACCEPT, AS_WRITTEN, Decider, is_exempting
from iptviz.rules.form import is_granted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from iptviz.engine.regions import Region
    from iptviz.paths.ends import Deciding, End
    from iptviz.paths.leg import By
    from iptviz.paths.way import Way

    Regions = Mapping[int, Region]

_SPEAKING = {KUBE_PROXY, KUBELET}
"""Whose comments say why a rule is there."""


class WhoDecides:
    """Finds who decides that connections end in some way: all is asked first, and then found in one walk a part.

    What is asked is about clients in `regions`, in a case of theirs; both have to be kept by who asks.
    """

    def __init__(self, way: Way) -> None:
        self._way = way
        self._asked: dict[int, dict[tuple[int, int], Regions]] = {}
        self._found: dict[int, dict[End, dict[Deciding, int]]] = {}
        self._places: dict[int, dict[tuple[int, int], int]] = {}
        self._told: dict[By, Decider] = {}

    def ask(self, part: int, regions: Regions, case: Regions) -> None:
        """Take account of a question about a diagram whose leaves say `Ended`, where some client is in both."""
        asked = self._asked.setdefault(part, {})
        both = _both(regions, case)
        if all(both.values()):
            asked[id(regions), id(case)] = both

    def asked(self, part: int, regions: Regions, case: Regions) -> bool:
        """Whether some client may be in both."""
        return (id(regions), id(case)) in self._asked[part]

    def of(self, part: int, regions: Regions, case: Regions, end: End) -> Iterator[Deciding]:
        """Yield who may decide that connections end so, each once; what was asked before."""
        if part not in self._found:
            self._find(part)
        bit = 1 << self._places[part][id(regions), id(case)]
        return (by for by, mask in self._found[part].get(end, {}).items() if mask & bit)

    def _find(self, part: int) -> None:
        asked = self._asked[part]
        self._places[part] = {key: place for place, key in enumerate(asked)}
        found = self._found[part] = {}
        for leaf, mask in reached_from(self._way.diagrams, part, [*asked.values()]).items():
            says = self._way.diagrams.says(leaf)
            by = found.setdefault(says.end, {})
            by[says.by] = by.get(says.by, 0) | mask

    def first(self, found: Iterable[By]) -> Decider | None:
        """Return the first of those who decide, with the number of the others; who exempts some comes last."""
        deciders = {self._in_words(by) for by in found if by is not None}
        if not deciders:
            return None
        first = min(deciders, key=lambda each: (is_exempting(each), each.line or 0, each))
        return first._replace(others=len(deciders) - 1)

    def _in_words(self, by: By) -> Decider:
        if by not in self._told:
            self._told[by] = _told(by, self._way)
        return self._told[by]


def _both(regions: Regions, case: Regions) -> Regions:
    """Return where fields lie both in the regions of clients and in those of a case."""
    both = {**regions, **case}
    for rank in regions.keys() & case.keys():
        both[rank] = common(regions[rank], case[rank])
    return both


def _told(by: By, way: Way) -> Decider:
    if isinstance(by, str):
        return Decider("", "routing", None, None, by)
    if isinstance(by, Policy):
        rules = way.hooks.rules[by.layer]
        table = rules.tables[by.table]
        text = f"policy {table.policy(by.chain) or ACCEPT}"
        text += f", {UNDECIDED}" if table.lacks_end(by.chain) else ""
        return Decider(by.table, by.chain, None, table.line_of(by.chain), text)
    assert by is not None  # noqa: S101 - who decides is left out where nobody does
    if is_granted(by):
        return Decider(by.table.name, by.chain, None, None, AS_WRITTEN)
    family = family_of(by.chain, by.table.name)
    speaks = by.table.name in PROXY_TABLES or (family is not None and family.writer in _SPEAKING)
    comment = (by.comment or "") if speaks else ""
    return Decider(by.table.name, by.chain, by.number, by.line or None, by.text, comment=comment)
