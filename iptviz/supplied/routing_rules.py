"""The rules by which the host chooses a routing table, as `ip rule` prints them."""

from __future__ import annotations

import re
from typing import NamedTuple

from iptviz.supplied.lines import SourceLine, is_json, places, quoted, read_json, shown

_HINT = "give what `ip rule` prints"
_RULE = re.compile(r"(?P<priority>\d+):\s+(?P<selector>(?:not )?from .*)")
_USUAL = {("from all lookup local"), ("from all lookup main"), ("from all lookup default")}


class RoutingRule(NamedTuple):
    """One rule: its priority (the lower, the earlier it is asked), and what it says in the words of `ip rule`."""

    priority: int
    selector: str

    @property
    def usual(self) -> bool:
        """Whether every host has it: all packets ask the tables local, main and default, in that order."""
        return self.selector in _USUAL


def read_routing_rules(text: str, source: str) -> tuple[RoutingRule, ...]:
    """Read what `ip rule` prints, as text or, with -j, as JSON.

    Raises:
        DumpError: a line is no rule.
    """
    if is_json(text):
        return tuple(map(_of_object, read_json(text, source, "ip -j rule")))
    return tuple(_of_line(place, line) for place, line in places(text, source))


def _of_line(place: SourceLine, line: str) -> RoutingRule:
    found = _RULE.fullmatch(line)
    if found is None:
        raise place.error(f"{quoted(line)} is no rule of routing", _HINT)
    return RoutingRule(int(found["priority"]), " ".join(found["selector"].split()))


def _of_object(item: dict[str, object]) -> RoutingRule:
    """Read one object; what it selects by stands in keys of its own, of which any makes it no usual rule."""
    selects = [
        f"{key} {shown(item[key])}" for key in item if key not in {"priority", "src", "table", "protocol"}
    ]
    words = [f"from {shown(item.get('src', 'all'))}", *selects, f"lookup {shown(item.get('table', 'main'))}"]
    priority = shown(item.get("priority", 0))
    return RoutingRule(int(priority) if priority.isdecimal() else 0, " ".join(words))
