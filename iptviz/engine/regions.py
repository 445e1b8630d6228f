"""Sets of values of a field, as stretches: sorted, apart, each from its first value to before its end.

Values are whole numbers from 0, or texts in the order of their characters. An end of None is that of the field.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

Range = tuple[Any, Any]
Region = tuple[Range, ...]

NOTHING: Region = ()


def everything(least: Any) -> Region:
    """Return all values of a field whose smallest is `least`: 0, or the empty text."""
    return ((least, None),)


def region_of(ranges: list[Range]) -> Region:
    """Return the values in any of `ranges`, which may overlap and stand in any order."""
    joined: list[Range] = []
    for first, after in sorted(ranges, key=lambda bounds: bounds[0]):
        if joined and _reaches(joined[-1][1], first):
            joined[-1] = joined[-1][0], _later(joined[-1][1], after)
        else:
            joined.append((first, after))
    return tuple(joined)


def complement(region: Region, least: Any) -> Region:
    """Return the other values of a field whose smallest is `least`."""
    outside: list[Range] = []
    start = least
    for first, after in region:
        if first != start:
            outside.append((start, first))
        if after is None:
            return tuple(outside)
        start = after
    return (*outside, (start, None))


def common(one: Region, other: Region) -> Region:
    """Return the values that are in both."""
    found: list[Range] = []
    mine = theirs = 0
    while mine < len(one) and theirs < len(other):
        (first, after), (start, end) = one[mine], other[theirs]
        low, high = max(first, start), _earlier(after, end)
        if high is None or low < high:
            found.append((low, high))
        if high is None and after is None and end is None:
            break
        if high == after:
            mine += 1
        else:
            theirs += 1
    return tuple(found)


def meets(one: Region, other: Region) -> bool:
    """Whether some value is in both."""
    return bool(common(one, other))


def touches(region: Region, first: Any, after: Any) -> bool:
    """Whether some value from `first` to before `after` (None: to the end) is in a region, by bisection."""
    place = (len(region) if after is None else bisect_left(region, (after,))) - 1
    return place >= 0 and (region[place][1] is None or region[place][1] > first)


def lies_in(inner: Region, outer: Region) -> bool:
    """Whether all values of `inner` are in `outer`."""
    return common(inner, outer) == inner


def holds_value(region: Region, value: Any) -> bool:
    """Whether a value is in a region."""
    return any(first <= value and (after is None or value < after) for first, after in region)


def _reaches(end: Any, start: Any) -> bool:
    return end is None or start <= end


def _later(one: Any, other: Any) -> Any:
    return None if one is None or other is None else max(one, other)


def _earlier(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
