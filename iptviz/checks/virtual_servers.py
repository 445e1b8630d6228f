"""Virtual servers of IPVS in words: who picks a real server, and what ipvsadm does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import listed

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_ENDS = 5

_PICKS = {
    "rr": "in turn",
    "wrr": "in turn, by weight",
    "lc": "the one with the fewest connections",
    "wlc": "the one with the fewest connections for its weight",
    "sh": "by the client's address",
    "dh": "by the destination address",
    "mh": "by the client's address",
    "sed": "the one with the shortest expected delay",
    "nq": "an idle one, or the one with the shortest expected delay",
    "lblc": "by the destination address, then the one with the fewest connections",
    "lblcr": "by the destination address, then the one with the fewest connections",
    "fo": "the one with the greatest weight",
    "ovf": "the one with the greatest weight that is not full",
    "twos": "the less busy of two drawn ones",
}
"""How each scheduler of the kernel picks a real server for a new connection (net/netfilter/ipvs/ip_vs_*.c)."""


def scheduler_text(scheduler: str) -> str:
    """Return a scheduler, and how it picks a real server: `scheduler sh: by the client's address`."""
    picks = _PICKS.get(scheduler)
    if not scheduler or scheduler == "unknown":
        return "scheduler not shown"
    return f"scheduler {scheduler}" + (f": {picks}" if picks else "")


_FORWARDED = {"route": "routed to", "tunnel": "sent through a tunnel to"}


def _not_rewritten(*, at: str, ends: tuple[str, ...], forward: str) -> str:
    return (
        f"connections to {at} are {_FORWARDED[forward]} {listed(ends, _MOST_ENDS)} with their destination "
        "unchanged (no DNAT)"
    )


def _drained(*, at: str, ends: tuple[str, ...], served: bool) -> str:
    rest = "" if served else ", and there is no other: IPVS refuses connections"
    one = len(ends) == 1
    return (
        f"{listed(ends, _MOST_ENDS)} of {at} {'has' if one else 'have'} weight 0 (drained, as kube-proxy does "
        f"with terminating endpoints): no new connections{rest}"
    )


REMARKS: dict[str, str | Callable[..., str]] = {
    "ipvs-rules-not-asked": "Virtual servers of IPVS alone: what iptables or nft rules do to these connections "
    "(drop, reject, SNAT) was not looked at, so it is not known which clients get through.",
    "ipvs-partial": "{source}: the output of ipvsadm may be incomplete; shares are not known",
    "ipvs-shares-unknown": lambda *, scheduler: (
        f"{scheduler_text(scheduler)}: the share of each real server is not known"
    ),
    "ipvs-drained": _drained,
    "ipvs-not-rewritten": _not_rewritten,
    "ipvs-nameless": "ipvsadm does not name services: a list with their addresses does "
    "(--services FILE, from kubectl get services -A)",
    "ipvs-not-at-addresses": lambda *, count: (
        f"not listed: {count:,} virtual server{'s' * (count != 1)} of a firewall mark, or with names in place of "
        "numbers (ipvsadm -Ln prints numbers)"
    ),
    "ipvs-kinds-untold": lambda *, count: (
        f"{count:,} virtual server{'s' * (count != 1)}: cluster IP, external IP or node port is not told; "
        "kube-proxy's sets (ipset save) tell it"
    ),
}
