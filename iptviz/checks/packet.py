"""What the answer about a packet lacks, takes for granted, and what would narrow it: no diagnoses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_TAKEN = {"rp_filter": "rp_filter (taken to drop nothing)"}


def _as_taken(name: str) -> str:
    return _TAKEN.get(name, f"{name} (taken to be 1)")


REMARKS: dict[str, str | Callable[..., str]] = {
    "chain-unseen": "{chain} has no rules in this dump, which lacks lines: what it does is not known",
    "endpoint-unseen": "{chain} leads to no endpoint in this dump, which lacks lines: connections may well go "
    "to one",
    "nat-decided-before": "nat is asked for the first packet of a connection only: what a packet of state "
    "{state} is rewritten to was decided then, and the other tables see it rewritten",
    "policies-alone": "no built-in chain that {hook} asks has a rule in this dump: policies alone decide",
    "tables-taken-as-empty": lambda *, tables: (
        f"the dump has no table {', '.join(tables)}: taken as empty, which the node's may not be"
    ),
    "tables-unseen": lambda *, tables: (
        f"not in the dump: table {', '.join(tables)}; what rules the node may have there is not known"
    ),
    "evidence-unread": "not used: {problem}",
    "set-not-handed-in": "the sets handed in lack {name}: what asks about it is a condition",
    "own-addresses-unknown": "which addresses are this node's own is not known: the packet is taken to leave it "
    "(--local-ip or --addresses tells)",
    "targets-mixed": "where some DNAT targets are local to this node and others are not, no case that asks "
    "about them holds (--local-ip or --addresses tells)",
    "settings-unseen": lambda *, names: (
        f"not visible in an iptables dump: {', '.join(map(_as_taken, names))}; --sysctl tells"
    ),
    "setting-of-all": "{name} counts where it is 1; where it is not, the interface's own is taken to be 0, too",
    "narrowed-by": lambda *, options: f"to narrow it down: {', '.join(options)}",
}
