"""Where two diagrams say different things, and a packet for which they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, NEVER
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.engine.fields import FIELD_KINDS
from iptviz.engine.nodes import EITHER, MIX, TooLargeError, least
from iptviz.engine.regions import common, meets, region_of, touches
from iptviz.kube.balance import balance_of
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction

    from iptviz.engine.diagram import Diagrams
    from iptviz.engine.regions import Range, Region
    from iptviz.engine.unknowns import Unknowns

Regions = Mapping[int, "Region"]
Parts = tuple[tuple["Fraction", int], ...]

MOST_WAYS = 20_000
"""Of more ways through a diagram it is not found out whether a packet goes one of them."""

_ENOUGH = 500
"""Of so many cases the simplest are taken."""

MOST_CASES = 24
"""So many cases are tried, until one is that of a packet."""


class Rest(NamedTuple):
    """What two mixing diagrams have each for itself, once what both have is taken off: shares and diagrams."""

    old: Parts
    new: Parts


def evened(diagrams: Diagrams, number: int) -> int:
    """Return a diagram in which shares that are even but for kube-proxy's rounding are exactly even."""
    return diagrams.with_chances(number, evened_shares)


def evened_shares(chances: tuple[Fraction, ...]) -> Sequence[Fraction]:
    """Return shares, exactly even where they are but for kube-proxy's rounding."""
    balance = balance_of(chances)
    if balance is None or not balance.even:
        return chances
    return [CERTAIN / len(chances)] * len(chances)


def unlike(diagrams: Diagrams, old: int, new: int) -> int:
    """Return where two diagrams may differ: leaves say `Rest`, or False where both are the same."""

    def decide(parts: tuple[int, ...]) -> int | None:
        mine, theirs = parts
        if mine == theirs:
            return diagrams.no
        if min(diagrams.nodes[each].rank for each in parts) < EITHER:
            return None
        return diagrams.leaf(_rest(_parts(diagrams, mine), _parts(diagrams, theirs)))

    return diagrams.combined((old, new), decide)


def _parts(diagrams: Diagrams, number: int) -> Parts:
    node = diagrams.nodes[number]
    return tuple(zip(node.cuts, node.ways, strict=True)) if node.rank == MIX else ((CERTAIN, number),)


def _rest(old: Parts, new: Parts) -> Rest:
    mine, theirs = ({way: share for share, way in parts} for parts in (old, new))
    return Rest(_more(mine, theirs), _more(theirs, mine))


def _more(mine: dict[int, Fraction], theirs: dict[int, Fraction]) -> Parts:
    """Return what one side has more of, each with how much more."""
    found = ((share - theirs.get(way, NEVER), way) for way, share in mine.items())
    return tuple((share, way) for share, way in found if share > 0)


def differing(
    diagrams: Diagrams, rest: Rest, told: Callable[[int], int], same: Callable[[object, object], bool]
) -> int:
    """Return where the laws of what two sides have each for itself differ: leaves say True or False.

    `told` makes of a diagram the one that is compared, `same` says whether two laws are the same.
    """
    laws = [diagrams.merged_laws((share, told(way)) for share, way in parts) for parts in rest]

    def decide(parts: tuple[int, ...]) -> int | None:
        if all(map(diagrams.is_leaf, parts)):
            return diagrams.leaf(not same(*map(diagrams.says, parts)))
        return None

    return diagrams.combined((laws[0], laws[1]), decide)


# --- a packet for which a diagram is true ----------------------------------------------------------------------


def cases_of(unknowns: Unknowns, number: int) -> list[Regions]:
    """Return a few cases in which a diagram is true, the plainest first; none where it never is.

    A case is the values of fields, by their ranks.

    Raises:
        TooLargeError: there are too many ways to look at.
    """
    found: list[tuple[tuple[bool, int, int, int], int, Regions]] = []
    for regions in _true_ways(unknowns, number):
        fields = {unknowns.fields[rank]: region for rank, region in regions.items()}
        if unknowns.possible(fields):
            own = sum(field.kind not in FIELD_KINDS or field.since is not None for field in fields)
            unusual = sum(not meets(region, unknowns.unnamed(rank)) for rank, region in regions.items())
            key = contradicts_itself(unknowns, regions), own, unusual, len(fields)
            found.append((key, len(found), regions))
            if len(found) >= _ENOUGH:
                break
    return [regions for _, _, regions in sorted(found)[:MOST_CASES]]


def _true_ways(unknowns: Unknowns, number: int) -> Iterator[Regions]:
    """Yield the ways to the leaf that says True, of which no two meet.

    Raises:
        TooLargeError: there are too many.
    """
    diagrams = unknowns.diagrams
    leads = _leading_to(diagrams, number, diagrams.yes)
    pending: list[tuple[int, Regions]] = [(number, {})]
    looked = 0
    while pending:
        looked += 1
        if looked > MOST_WAYS:
            raise TooLargeError
        current, regions = pending.pop()
        if current == diagrams.yes:
            yield regions
        elif current in leads and not diagrams.is_leaf(current):
            rank = diagrams.nodes[current].rank
            pending += [
                (way, {**regions, rank: region}) for way, region in _ways(unknowns, current) if way in leads
            ]


def _leading_to(diagrams: Diagrams, number: int, leaf: int) -> set[int]:
    """Return the nodes below one, itself among them, from which a way leads to a leaf."""
    found = {leaf}
    for current in diagrams.from_below(number):
        if not found.isdisjoint(diagrams.nodes[current].ways):
            found.add(current)
    return found


def _ways(unknowns: Unknowns, number: int) -> Iterator[tuple[int, Region]]:
    """Yield the ways of a node, each once, with the values for which it is taken, as far as they are possible."""
    node = unknowns.diagrams.nodes[number]
    known = unknowns.known(unknowns.fields[node.rank])
    bounds = [least(node), *node.cuts, None]
    stretches: dict[int, list[Range]] = {}
    for way, first, after in zip(node.ways, bounds[:-1], bounds[1:], strict=True):
        if touches(known, first, after):
            stretches.setdefault(way, []).append((first, after))
    for way, ranges in stretches.items():
        yield way, common(known, region_of(ranges))


def contradicts_itself(unknowns: Unknowns, regions: Regions) -> bool:
    """Whether two rules that keep a state each give different answers to one question: it may be one state."""
    answers: dict[tuple[str, str, str], set[Region]] = {}
    for rank, region in regions.items():
        field = unknowns.fields[rank]
        if field.rule is not None and CONDITION_KINDS[field.kind].per_rule:
            answers.setdefault((field.kind, field.value, field.details), set()).add(region)
    return any(len(found) > 1 for found in answers.values())
