"""One rule by itself, as somebody types it: with `-t TABLE`, with `-I`, without a dump around it."""

from __future__ import annotations

from iptviz.dump.rule import Rule
from iptviz.dump.table import Table
from iptviz.errors import DumpError, quoted
from iptviz.grammar.reader import take_apart
from iptviz.intake.index import TABLE_NAMES, Section
from iptviz.intake.lines import Lines
from iptviz.intake.text import to_bytes
from iptviz.xtables.option import Saving

_FAMILIES = ("ipv4", "ipv6")


def parse_rule(text: str, family: str = "ipv4", table: str = "filter") -> Rule:
    """Read one rule: `-A INPUT -p tcp --dport ssh -j ACCEPT`, with or without counters or `-t TABLE`.

    `family` is `ipv4` or `ipv6`; `table` is the rule's table unless it names one itself.

    Raises:
        DumpError: it is no rule: no `-A CHAIN`, a quote never closed, more than a line, an unknown table.
    """
    stripped = text.strip()
    parts = take_apart(stripped)
    name = parts.table or table
    for wrong, what in (
        ("\n" in stripped, "more than one line"),
        (parts.problem and not parts.chain, "not a rule: no -A CHAIN"),
        (not parts.chain, "not a rule: no -A CHAIN"),
        (parts.problem, f"not a rule: {parts.problem}"),
        (name not in TABLE_NAMES, f"unknown table {quoted(name)}, not one of {', '.join(TABLE_NAMES)}"),
        (_has_lone_surrogate(stripped), "not valid Unicode"),
        (family not in _FAMILIES, f"unknown family {quoted(family)}, not one of {', '.join(_FAMILIES)}"),
    ):
        if wrong:
            raise DumpError(what, where=repr(text))
    data = to_bytes(stripped)
    section = Section(name, 0, data)
    section.add_rules((0, len(data)), to_bytes(parts.chain))
    return Rule(Table(data, Lines(data), section, lambda: Saving(family, "legacy")), (0, len(data)), 1)


def _has_lone_surrogate(text: str) -> bool:
    """Whether `text` cannot be written: only surrogates that stand for bytes can (`to_text` makes them)."""
    try:
        to_bytes(text)
    except UnicodeEncodeError:
        return True
    return False
