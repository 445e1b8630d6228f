"""The rules by which the host chooses a routing table, as `ip rule` prints them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from iptviz.errors import quoted
from iptviz.supplied.lines import SourceLine, is_json, places, read_json, shown
from iptviz.xtables.values.numbers import ALL_BITS

_HINT = "pass the output of `ip rule`"
_RULE = re.compile(r"(?P<priority>\d+):\s+(?P<selector>(?:not )?from .*)")
_BY_MARK = re.compile(
    r"(?P<negated>not )?from all fwmark (?P<value>0x[0-9a-f]+|\d+)"
    r"(?:(?:/| fwmask )(?P<mask>0x[0-9a-f]+|\d+))? lookup (?P<table>\S+)(?: proto \S+)?"
)
_MARKED = re.compile(r"\bfwmark (0x[0-9a-f]+|\d+)(?:(?:/| fwmask )(0x[0-9a-f]+|\d+))?")
_TABLE = re.compile(r"\blookup (\S+)")
_USUAL = {f"from all lookup {table}": table for table in ("local", "main", "default")}

HasMark = Callable[[int, int], bool | None]
"""What says whether `mark & mask == value` of a packet, by value and mask; None where that is not known."""


class RoutingRule(NamedTuple):
    """One rule: its priority (the lower, the earlier it is asked), and what it says in the words of `ip rule`."""

    priority: int
    selector: str

    @property
    def usual(self) -> bool:
        """Whether every host has it: all packets ask the tables local, main and default, in that order."""
        return self.selector in _USUAL

    @property
    def table(self) -> str | None:
        """The table that it names, where all that it selects by is the packet's mark; None elsewhere."""
        found = _BY_MARK.fullmatch(self.selector)
        return found["table"] if found else _USUAL.get(self.selector)

    @property
    def mark(self) -> tuple[int, int] | None:
        """The mark by which it selects, be it beside other things, as value and mask; None: by none."""
        found = _MARKED.search(self.selector)
        return (int(found[1], 0), int(found[2], 0) if found[2] else ALL_BITS) if found else None

    @property
    def leads_to(self) -> str:
        """The table that it names; empty where it does something else."""
        found = _TABLE.search(self.selector)
        return found[1] if found else ""

    @property
    def text(self) -> str:
        """The rule as `ip rule` prints it."""
        return f"{self.priority}: {self.selector}"

    def selects(self, has_mark: HasMark) -> bool | None:
        """Whether it is asked about a packet; None where that is not known (fib_rule_match in fib_rules.c)."""
        if self.usual:
            return True
        found = _BY_MARK.fullmatch(self.selector)
        if found is None:
            return None
        mask = int(found["mask"], 0) if found["mask"] else ALL_BITS
        selected = has_mark(int(found["value"], 0) & mask, mask)
        return None if selected is None else selected != bool(found["negated"])


USUAL_RULES = tuple(RoutingRule(at, text) for at, text in zip((0, 32_766, 32_767), _USUAL, strict=True))
UNKNOWN_RULE = RoutingRule(1, "")
"""Stands for rules that nobody handed in: what it selects, and which table, is not known."""


def rules_among(text: str, source: str) -> tuple[RoutingRule, ...]:
    """Return the rules that stand among other lines, such as those of `ip route`."""
    return tuple(_of_line(place, line) for place, line in places(text, source) if is_rule(line))


def is_rule(line: str) -> bool:
    """Whether a line is one of `ip rule`."""
    return _RULE.fullmatch(line) is not None


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
        raise place.error(f"not an ip rule: {quoted(line)}", _HINT)
    return RoutingRule(int(found["priority"]), " ".join(found["selector"].split()))


def _of_object(item: dict[str, object]) -> RoutingRule:
    """Read one object; what it selects by stands in keys of its own, of which any makes it no usual rule."""
    selects = [
        f"{key} {shown(item[key])}" for key in item if key not in {"priority", "src", "table", "protocol"}
    ]
    words = [f"from {shown(item.get('src', 'all'))}", *selects, f"lookup {shown(item.get('table', 'main'))}"]
    priority = shown(item.get("priority", 0))
    return RoutingRule(int(priority) if priority.isdecimal() else 0, " ".join(words))
