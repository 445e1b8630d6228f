"""Which leaves of a diagram are reached from which of many cases, found in one walk for all of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from iptviz.engine.nodes import EITHER, LEAF

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from iptviz.engine.nodes import Node, Nodes
    from iptviz.engine.regions import Region


def reached_from(nodes: Nodes, number: int, cases: Sequence[Mapping[int, Region]]) -> dict[int, int]:
    """Return the leaves below a node, each with the cases that reach it: bit i is set for `cases[i]`.

    A case is what `Nodes.leaves_within` takes: regions in which fields lie, by their ranks.
    """
    if nodes.asks_again(number):
        return _one_by_one(nodes, number, cases)
    allowed = _Allowed(cases)
    reached = {number: (1 << len(cases)) - 1}
    found: dict[int, int] = {}
    for current in reversed([*nodes.from_below(number)]):
        mask = reached.get(current, 0)
        node = nodes.nodes[current]
        if not mask:
            continue
        if node.rank == LEAF:
            found[current] = mask
            continue
        bits = allowed.bits(node)
        for way, some in zip(node.ways, bits or (mask,) * len(node.ways), strict=True):
            reached[way] = reached.get(way, 0) | (mask & some)
    return found


def _one_by_one(nodes: Nodes, number: int, cases: Sequence[Mapping[int, Region]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for place, regions in enumerate(cases):
        for leaf in nodes.leaves_within(number, regions):
            found[leaf] = found.get(leaf, 0) | (1 << place)
    return found


class _Allowed:
    """By the rank of a field the regions in which cases have it, each with the bits of these cases."""

    def __init__(self, cases: Sequence[Mapping[int, Region]]) -> None:
        self._all = (1 << len(cases)) - 1
        self._by_rank: dict[int, dict[Region, int]] = {}
        for place, regions in enumerate(cases):
            for rank, region in regions.items():
                bits = self._by_rank.setdefault(rank, {})
                bits[region] = bits.get(region, 0) | (1 << place)

    def bits(self, node: Node) -> list[int] | None:
        """Return which cases may take each way of a node; None: all of them each."""
        if node.rank >= EITHER or node.rank not in self._by_rank:
            return None
        bound = self._by_rank[node.rank]
        others = self._all
        for mask in bound.values():
            others &= ~mask
        allowed = [others] * len(node.ways)
        for region, mask in bound.items():
            for first, after in region:
                low = bisect_right(node.cuts, first)
                high = len(node.cuts) if after is None else bisect_left(node.cuts, after)
                for place in range(low, high + 1):
                    allowed[place] |= mask
        return allowed
