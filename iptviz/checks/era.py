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
    "services-in-userspace": "kube-proxy runs or ran in userspace mode (line {at}): connections go to its "
    "own ports, its endpoints are not in iptables.",
    "services-nowhere": _NOWHERE,
    "services-cut": f"The nat table has no {SERVICES} chain, but this dump is incomplete: whether kube-proxy "
    "runs in iptables mode is unknown.",
    "services-elsewhere": f"{_NOWHERE} kubelet runs on this node, so services may be handled elsewhere: by "
    "kube-proxy in nftables mode (see nft list table ip kube-proxy) or by a CNI plug-in without kube-proxy.",
}
