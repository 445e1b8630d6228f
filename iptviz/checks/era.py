"""When a dump was written, and where services are kept that are not in iptables, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import listed, percent
from iptviz.intake.remark import remark
from iptviz.kube.era import DATED_MODES, VIRTUAL_SERVERS
from iptviz.kube.families import SERVICES
from iptviz.kube.releases import spans_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iptviz.intake.remark import Remark
    from iptviz.kube.cues import Cue
    from iptviz.kube.era import Era
    from iptviz.kube.releases import Releases
    from iptviz.supplied.ipvs import VirtualServer

_MOST_ENDS = 20
_MOST_NAMED = 5
"""So many real servers are named where something is said of some."""


def era_remark(era: Era) -> Remark:
    """Return the era as a clause: `written by kube-proxy 1.24 to 1.26`."""
    if era.mode not in DATED_MODES:
        return mode_remark(era.mode)
    if era.mixed:
        one, other = era.conflict
        return remark("era-mixed", one=one, other=other)
    return remark("era-known", releases=era.releases) if era.dated else remark("era-untold")


def mode_remark(mode: str) -> Remark:
    """Return where the services of a node are kept that are not in iptables."""
    return remark(_MODES[mode])


def elsewhere(modes: Iterable[str]) -> Iterator[Remark]:
    """Yield that services are not in the rules of dumps of these modes, where they are kept somewhere else."""
    found = tuple(modes)
    if "iptables" not in found:
        kept = dict.fromkeys(mode for mode in found if mode in _KEPT_ELSEWHERE)
        yield from (remark("services-not-decided-here", mode=mode) for mode in kept)


def _mixed(*, one: Cue, other: Cue) -> str:
    clauses = (
        f"{cue.text}{f' (line {cue.line})' if cue.line else ''} is from {_versions(cue.releases)}"
        for cue in (one, other)
    )
    return f"rules of different kube-proxy versions: {', '.join(clauses)}"


def _known(*, releases: Releases) -> str:
    return f"kube-proxy {_versions(releases)}"


def _versions(releases: Releases) -> str:
    """Return releases in a sentence; documents have other words for the same."""
    return spans_text(releases).replace("later", "newer").replace("earlier", "older")


def _not_decided_here(*, mode: str) -> str:
    where = REMARKS[_MODES[mode]]
    return f"these rules do not decide where connections to service addresses go: {where}"


_MODES = {
    "ipvs": "mode-ipvs",
    VIRTUAL_SERVERS: "mode-virtual-servers",
    "elsewhere": "mode-elsewhere",
    "userspace": "mode-userspace",
    "none": "mode-none",
    "flushed": "mode-flushed",
    "no-nat": "mode-no-nat",
    "cut": "mode-cut",
}
"""What is said of a node whose services are not in iptables."""

_KEPT_ELSEWHERE = {"ipvs", "elsewhere", "userspace"}
"""Those in which somebody else than iptables has them."""

_NOWHERE = (
    f"The nat table has no {SERVICES} chain, and no chain of this dump shows that kube-proxy "
    "ran: it does not run in iptables mode, or its rules were flushed."
)


def _ipvs_server(*, server: VirtualServer, place: str, whole: bool) -> str:
    if server.shares is not None and whole:
        gets = [f" {percent(share)}" for share in server.shares]
    else:
        gets = ["" if one.weight is None else f" weight {one.weight}" for one in server.servers]
    ends = [one.end + share for one, share in zip(server.servers, gets, strict=True)]
    scheduler = f", scheduler {server.scheduler}" if server.scheduler else ""
    kept = f"; a client keeps its endpoint for {server.persistent:,} s" if server.persistent else ""
    at = f"{server.protocol} {server.at}{scheduler}"
    part = "" if whole else " (the output may be incomplete)"
    told = f"goes to {listed(ends, _MOST_ENDS)}" if ends else "has no real server"
    return f"IPVS ({place}): {at}, {told}{part}{kept}"


# --- virtual servers -----------------------------------------------------------------------------------------

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
    return f"connections to {at} are not DNATed: they are {_FORWARDED[forward]} {listed(ends, _MOST_NAMED)}"


def _drained(*, at: str, ends: tuple[str, ...], served: bool) -> str:
    rest = "" if served else " (IPVS refuses connections: none is left)"
    one = len(ends) == 1
    return (
        f"{listed(ends, _MOST_NAMED)} of {at} {'has' if one else 'have'} weight 0 (drained, as kube-proxy does "
        f"with terminating endpoints): no new clients{rest}"
    )


def _servers(count: int) -> str:
    return f"{count:,} virtual server{'s' * (count != 1)}"


REMARKS: dict[str, str | Callable[..., str]] = {
    "mode-ipvs": (
        "kube-proxy in IPVS mode: endpoints are not in iptables but in IPVS (`ipvsadm -Sn`); these rules only "
        "masquerade and filter"
    ),
    "mode-virtual-servers": "services are virtual servers of IPVS, which do not tell who made them, or when",
    "mode-elsewhere": "no sign of kube-proxy in iptables mode, but of kubelet: services may be handled by "
    "kube-proxy in nftables mode (`nft list table ip kube-proxy`) or by a CNI plug-in",
    "mode-userspace": "kube-proxy in userspace mode: connections go to its own ports, not to endpoints",
    "mode-none": "no sign of kube-proxy in iptables mode",
    "mode-flushed": "unknown: kube-proxy ran on this node, but its rules are gone from nat (see the notes)",
    "mode-no-nat": "the dump has no nat table",
    "mode-cut": f"the dump is incomplete and has no {SERVICES} chain",
    "services-not-decided-here": _not_decided_here,
    "era-mixed": _mixed,
    "era-untold": "kube-proxy of unknown version",
    "era-known": _known,
    "services-in-ipvs": "kube-proxy runs in IPVS mode: its endpoints are not in iptables; run ipvsadm -Sn.",
    "ipvs-server": _ipvs_server,
    "ipvs-rules-not-asked": "Virtual servers of IPVS alone: what iptables or nft rules do to these connections "
    "(drop, reject, SNAT) was not looked at, so it is not known which clients get through.",
    "ipvs-partial": "{source}: the output of ipvsadm may be incomplete; shares are not known",
    "ipvs-shares-unknown": lambda *, scheduler: (
        f"{scheduler_text(scheduler)}: the share of each real server is not known"
    ),
    "ipvs-drained": _drained,
    "ipvs-not-rewritten": _not_rewritten,
    "ipvs-drained-at": lambda *, count: (
        f"{_servers(count)} with real servers of weight 0 (drained, as kube-proxy does with terminating "
        "endpoints): these get no new clients, and are not listed"
    ),
    "ipvs-not-rewritten-at": lambda *, count: (
        f"{_servers(count)} with real servers that are routed to, or get connections through a tunnel: not DNATed"
    ),
    "ipvs-nameless": "ipvsadm does not name services: a list with their addresses does "
    "(--services FILE, from kubectl get services -A)",
    "ipvs-not-at-addresses": lambda *, count: (
        f"not listed: {_servers(count)} of a firewall mark, or with names in place of "
        "numbers (ipvsadm -Ln prints numbers)"
    ),
    "ipvs-kinds-untold": lambda *, count: (
        f"{_servers(count)}: cluster IP, external IP or node port is not known; "
        "kube-proxy's sets (ipset save) show it"
    ),
    "services-in-userspace": "kube-proxy runs or ran in userspace mode (line {at}): connections go to its "
    "own ports, its endpoints are not in iptables.",
    "services-nowhere": _NOWHERE,
    "services-cut": f"The nat table has no {SERVICES} chain, but this dump is incomplete: whether kube-proxy "
    "runs in iptables mode is unknown.",
    "services-elsewhere": f"{_NOWHERE} kubelet runs on this node, so services may be handled elsewhere: by "
    "kube-proxy in nftables mode (see nft list table ip kube-proxy) or by a CNI plug-in without kube-proxy.",
}
