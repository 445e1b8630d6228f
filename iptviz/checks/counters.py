"""Why counters cannot be compared with shares, or are not there; none of it is wrong with the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REMARKS: dict[str, str | Callable[..., str]] = {
    "counter-backwards": "its counter went backwards, from {before:,} to {now:,}: zeroed between the two dumps",
    "not-counted-before": "{chain} is not in the older dump, or without counters",
    "shares-not-printed": "the dump does not show the expected shares",
    "counters-rounded": "the listing rounded its counters",
    "counters-of-different-times": "{chain} counted {left:,} but its callers {entered:,} (counters zeroed at "
    "different times?)",
    "no-counters": "this dump has no counters; save it with `iptables-save -c`",
    "no-counters-before": "{source} has no counters; save it with `iptables-save -c`",
}
