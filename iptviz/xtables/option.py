"""One row of the option tables, and how a row is spelled.

A row is `"!--destination-port|--dport 1"`: a leading `!` where iptables allows negation, the name that
iptables-save prints first or its aliases separated by `|`, and how many values follow: a number, or `?`
for a value that may be absent.
"""

from __future__ import annotations

from typing import NamedTuple


class OptionSpec(NamedTuple):
    """How one option is written: `name` as iptables-save prints it, `values` it takes (least, most)."""

    name: str
    negatable: bool
    least: int
    most: int


OptionTable = dict[str, OptionSpec]

_ARITY = {"?": (0, 1), "0": (0, 0), "1": (1, 1), "2": (2, 2)}


def table_of(rows: tuple[str, ...]) -> OptionTable:
    """Return `rows` as a mapping from every spelling of an option to its spec."""
    table: OptionTable = {}
    for row in rows:
        spellings, arity = row.removeprefix("!").split(" ")
        names = spellings.split("|")
        spec = OptionSpec(names[0], row.startswith("!"), *_ARITY[arity])
        table.update(dict.fromkeys(names, spec))
    return table
