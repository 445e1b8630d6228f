"""What a jump graph leaves out, and chains that are in no way part of it: no diagnoses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import are, listed
from iptviz.errors import quoted

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_CHAINS = 3


def _nodes_left_out(*, count: int) -> str:
    nodes = "1 node" if count == 1 else f"{count:,} nodes"
    return f"{nodes} not shown (--around CHAIN for one part, --all for everything)"


def _chains_alone(*, chains: tuple[str, ...], empty: bool, complete: bool, there: str) -> str:
    """Name the chains that no rule jumps to and that jump nowhere, the first of them."""
    lacking = "" if complete else f" in this incomplete {there}"
    return (
        f"unreferenced {'empty ' * empty}{are(chains, 'chain', 'chains')}{lacking}: "
        f"{listed(chains, _MOST_CHAINS)}"
    )


def _tables_not_drawn(*, tables: tuple[str, ...]) -> str:
    """Name the tables of a listing of nft that are not drawn, the first of them."""
    what = f"{are(tables, 'table', 'tables')} of nft not drawn: {listed(tables, _MOST_CHAINS)}"
    return f"{what}; draw one with --table {quoted(tables[0])}"


REMARKS: dict[str, str | Callable[..., str]] = {
    "nodes-left-out": _nodes_left_out,
    "chains-alone": _chains_alone,
    "tables-not-drawn": _tables_not_drawn,
    "dump-not-drawn": "dump {number} of the same node not drawn: {source} ({what}); draw it with --dump {number}",
}
