"""From which hooks a chain is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iptviz.dump.table import Table


def hooks_leading(table: Table, chain: str) -> set[str]:
    """Return the built-in chains from which `chain` is reached, itself where it is one."""
    seen, pending = {chain}, [chain]
    while pending:
        callers = {rule.chain for rule in table.rules_to(pending.pop())} - seen
        seen |= callers
        pending += callers
    return {name for name in seen if name in table.chains and table.chains[name].is_built_in}
