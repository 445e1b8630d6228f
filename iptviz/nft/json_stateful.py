"""What JSON of nft has for statements that count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.nft.counting import ConnectionLimit, Counter, Last, Limit, Quota
from iptviz.nft.stateful import BYTES, DEFAULT_BURST
from iptviz.nft.words import NotReadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.counting import Stateful


def _counter(inner: Any) -> Stateful:
    return Counter(inner.get("packets"), inner.get("bytes")) if inner else Counter()


def _limit(inner: Any) -> Stateful:
    unit = inner.get("rate_unit", "packets")
    over = bool(inner.get("inv", False))
    if unit == "packets":
        return Limit(int(inner["rate"]), unit, inner["per"], int(inner.get("burst", DEFAULT_BURST)), over)
    burst = int(inner.get("burst", 0)) * BYTES[inner.get("burst_unit", "bytes")]
    return Limit(int(inner["rate"]) * BYTES[unit], "bytes", inner["per"], burst, over)


def _quota(inner: Any) -> Stateful:
    used = inner.get("used")
    spent = int(used) * BYTES[inner.get("used_unit", "bytes")] if used else None
    return Quota(
        int(inner["val"]) * BYTES[inner.get("val_unit", "bytes")], bool(inner.get("inv", False)), spent
    )


def _count(inner: Any) -> Stateful:
    return ConnectionLimit(int(inner["val"]), bool(inner.get("inv", False)))


def _last(inner: Any) -> Stateful:
    return Last(str(inner.get("used", "")) if isinstance(inner, dict) else "")


_READERS: dict[str, Callable[[Any], Stateful]] = {
    "counter": _counter,
    "limit": _limit,
    "quota": _quota,
    "ct count": _count,
    "last": _last,
}


def stateful_of(name: str, inner: Any) -> Stateful:
    """Return a statement that counts.

    Raises:
        NotReadError: it is of no known form.
    """
    try:
        return _READERS[name](inner)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise NotReadError from problem
