"""Regions of a field as conditions, in the words of the rules that ask about it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.engine.fields import FIELD_KINDS, YES, Field, plain_words
from iptviz.engine.regions import Range, Region, common, complement, lies_in, meets, region_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.engine.unknowns import Unknowns

Told = tuple[tuple[Assumption, ...], Region]
"""Conditions all of which hold, and the values of the field for which they do."""
Named = dict[Region, tuple[str, str]]


def told(unknowns: Unknowns, rank: int, region: Region) -> list[Told]:
    """Return the values of a field in `region` as conditions, several times where no one set of them says it."""
    field = unknowns.fields[rank]
    if field.kind not in FIELD_KINDS:
        return [((Assumption(Condition(*field), holds=region == YES),), region)]
    telling = _telling(unknowns, rank)
    return telling.of(common(region, telling.known))


def _telling(unknowns: Unknowns, rank: int) -> Telling:
    """Return what tells regions of a field: the same as before where no rule has named another since."""
    field, names = unknowns.fields[rank], unknowns.named[rank]
    known = unknowns.known(field)
    before, made_then = unknowns.telling.get(rank, (None, None))
    made: Telling | None = made_then
    if made is None or before != (len(names), known):
        named = {key: words for key, words in names.items() if meets(key, known)}
        made = Telling(field, known, named, unknowns.version)
        unknowns.telling[rank] = (len(names), known), made
    return made


def named_part(unknowns: Unknowns, rank: int, region: Region, value: Any) -> Assumption | None:
    """Return that a field lies in one of the regions that rules have named, of several that make up `region`."""
    telling = Telling(unknowns.fields[rank], unknowns.known(unknowns.fields[rank]), unknowns.named[rank], 4)
    parts = telling.inside(region)
    if len(parts) < 2:
        return None
    return next(
        (
            telling.said([part], holds=True)
            for part in parts
            if part[0][0] <= value and (part[0][1] is None or value < part[0][1])
        ),
        None,
    )


class Telling:
    """Tells regions of one field, of which the values are `known` to be, by those that rules have named."""

    def __init__(self, field: Field, known: Region, named: Named, version: int) -> None:
        self.field = field
        self.version = version
        self.known = known
        self.named = named
        self._made: dict[Region, list[Told]] = {}

    def of(self, region: Region) -> list[Told]:
        """Return the fewest conditions for a region."""
        if region not in self._made:
            self._made[region] = self._fewest(region)
        return self._made[region]

    def _fewest(self, region: Region) -> list[Told]:
        if region == self.known:
            return [((), region)]
        these = self._exactly(region)
        if these is not None and len(these) == 1:  # no other words are fewer, and of many each costs
            return [((self.said(these, holds=True),), region)]
        others = self._exactly(self._without(self.known, region))
        found = [(names, holds) for names, holds in ((these, True), (others, False)) if names is not None]
        if not found:
            return self._in_pieces(region)
        names, holds = min(found, key=lambda said: len(said[0]))
        return [((self.said(names, holds=holds),), region)]

    def _without(self, region: Region, other: Region) -> Region:
        return common(region, complement(other, self.field.least))

    def _exactly(self, region: Region) -> list[Region] | None:
        """Return the fewest named regions that together are `region`; None where they are not."""
        inside = self.inside(region)
        return inside if inside and self._together(inside) == region else None

    def inside(self, region: Region) -> list[Region]:
        """Return the named regions that lie in `region`, without those that lie in another of them."""
        starts = [first for first, _ in region]
        chosen: list[Region] = []
        for name, part in self._parts_within(region):
            inside = part and all(_lies_in_stretch(stretch, region, starts) for stretch in part)
            if inside and not (chosen and lies_in(name, chosen[-1])):
                chosen.append(name)
        return chosen

    def _parts_within(self, region: Region) -> Iterator[tuple[Region, Region]]:
        """Yield the named regions that begin in one of a region's stretches, with what is known of each."""
        for first, after in region:
            start = bisect_left(self._starts, first)
            end = len(self._starts) if after is None else bisect_left(self._starts, after)
            yield from self._parts[start:end]

    @cached_property
    def _parts(self) -> list[tuple[Region, Region]]:
        """All named regions with what is known of each, in the order of where that begins."""
        parts = ((name, common(name, self.known)) for name in self._largest_first)
        return sorted(((name, part) for name, part in parts if part), key=lambda both: both[1][0][0])

    @cached_property
    def _starts(self) -> list[Any]:
        return [part[0][0] for _, part in self._parts]

    @cached_property
    def _largest_first(self) -> list[Region]:
        """All named regions by their first values, the larger of two first."""
        by_end = sorted(self.named, key=lambda name: _end(name[0]), reverse=True)
        return sorted(by_end, key=lambda name: name[0][0])

    def _together(self, names: Iterable[Region]) -> Region:
        return region_of([bounds for name in names for bounds in common(name, self.known)])

    def _around(self, region: Region) -> list[Region] | None:
        """Return named regions that together hold `region`, as few values as can be; None without such."""
        inside = self.inside(region)
        chosen = set(inside)
        for stretch in self._cut(self._without(region, self._together(inside))):
            holding = [name for name in self.named if name[0][0] <= stretch[0] and lies_in((stretch,), name)]
            if not holding:
                return None
            latest = max(name[0][0] for name in holding)
            chosen.add(
                min((name for name in holding if name[0][0] == latest), key=lambda name: _end(name[0]))
            )
        outer: list[Region] = []
        for name in self._largest_first:
            if name in chosen and not (outer and lies_in(name, outer[-1])):
                outer.append(name)
        return outer

    def _cut(self, region: Region) -> Iterator[Range]:
        """Yield the stretches of a region, cut where any named region begins or ends."""
        cuts = sorted({bound for name in self.named for bound in name[0] if bound is not None})
        for first, after in region:
            inner = [cut for cut in cuts if cut > first and (after is None or cut < after)]
            yield from pairwise((first, *inner, after))

    def _in_pieces(self, region: Region) -> list[Told]:
        """Say a region piece by piece: what is in some named regions and not in others, which lie in them."""
        pieces: list[Told] = []
        while region:
            piece = self._piece(region)
            if piece is None:
                return [*pieces, *map(self._plainly, region)]
            pieces.append(piece)
            region = self._without(region, piece[1])
        return pieces

    def _piece(self, region: Region) -> Told | None:
        """Return the largest piece of a region that can be said at once."""
        around = self._around(region)
        outer = self.known if around is None else self._together(around)
        excluded = self._around(self._without(outer, region))
        if excluded is None:
            return None
        piece = self._without(outer, self._together(excluded))
        if not piece or not lies_in(piece, region):
            return None
        said = [] if around is None else [self.said(around, holds=True)]
        said += [self.said(excluded, holds=False)] if excluded else []
        return tuple(said), piece

    def said(self, names: Iterable[Region], *, holds: bool) -> Assumption:
        """Return that the field lies in one of some named regions, or in none of them."""
        words = [self.named[name] for name in names]
        kind = next((kind for kind, _ in words if kind.endswith("-range")), words[0][0])
        value = CONDITION_KINDS[kind].between.join(word for _, word in words)
        return Assumption(
            Condition(kind, value, rewritten=self.field.rewritten, since=self.field.since), holds
        )

    def _plainly(self, stretch: Range) -> Told:
        """Return one stretch of values in words that no rule has used."""
        kind, value = plain_words(self.field.kind, stretch, self.version)
        condition = Condition(kind, value, rewritten=self.field.rewritten, since=self.field.since)
        return (Assumption(condition, holds=True),), (stretch,)


def _end(stretch: Range) -> tuple[bool, Any]:
    return stretch[1] is None, stretch[0] if stretch[1] is None else stretch[1]


def _lies_in_stretch(stretch: Range, region: Region, starts: list[Any]) -> bool:
    """Whether a stretch lies in one of a region's, which begin at `starts`."""
    place = bisect_right(starts, stretch[0]) - 1
    if place < 0:
        return False
    after = region[place][1]
    return after is None or (stretch[1] is not None and stretch[1] <= after)
