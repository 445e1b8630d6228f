"""Whether a text shows a part of a table, as `nft list map` and `nft list chain` print it."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from iptviz.nft.model import VERDICT
from iptviz.nft.statements import Verdict

if TYPE_CHECKING:
    from iptviz.nft.model import SetOrMap, Table

_FIRST = 200
"""So many rules are looked at for sets that they ask."""
_ASKS_SET = re.compile(
    r"(?<!flow add )(?<!flow offload )(?<!\"flowtable\": \")@(?!(?:th|nh|ih|ll),)[A-Za-z_]"
)
"""Neither what flow tables are named, nor raw fields of packets (`@th,16,16`)."""


def is_part(table: Table) -> bool:
    """Whether a table surely has more than is shown: chains to which maps lead, or sets that rules ask.

    The kernel has no element that leads to no chain, and no rule that asks no set.
    """
    if not table.chains:
        return any(_leads(found) for found in table.sets.values())
    if table.sets:
        return False
    rules = (rule for chain in table.chains.values() for rule in chain.rules)
    return any(_ASKS_SET.search(rule.text) for rule in islice(rules, _FIRST))


def shows_chains_alone(table: Table) -> bool:
    """Whether there are chains and nothing in them, as `nft list chains` prints them, or a flushed table is."""
    if table.sets or any(chain.has_rules for chain in table.chains.values()):
        return False
    return bool(table.bases) and len(table.bases) < len(table.chains)


def _leads(found: SetOrMap) -> bool:
    """Whether an element of a map leads to a chain."""
    if found.head.data_type != VERDICT:
        return False
    return any(isinstance(element.data, Verdict) and element.data.chain for element in found.elements)
