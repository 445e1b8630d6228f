"""What a jump graph leaves out, and chains that are in no way part of it: no diagnoses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import listed

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_CHAINS = 3


def _nodes_left_out(*, count: int) -> str:
    nodes = "1 node" if count == 1 else f"{count:,} nodes"
    return f"{nodes} left out: --around CHAIN shows what is near it, --all everything"


def _chains_alone(*, chains: tuple[str, ...], complete: bool) -> str:
    """Name the chains that nothing leads to and that lead nowhere, the first of them."""
    here = "nothing" if complete else "nothing in this dump, which lacks lines,"
    they = "it leads" if len(chains) == 1 else "they lead"
    return f"{here} leads to {listed(chains, _MOST_CHAINS)}, and {they} nowhere"


REMARKS: dict[str, str | Callable[..., str]] = {
    "nodes-left-out": _nodes_left_out,
    "chains-alone": _chains_alone,
    "dump-not-drawn": "not drawn, of the same node: dump {number}, {source} ({what}); --dump {number} draws it",
}
