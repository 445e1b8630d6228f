"""When a dump was written, and where services are kept that are not in iptables, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.intake.remark import remark
from iptviz.kube.releases import spans_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.intake.remark import Remark
    from iptviz.kube.cues import Cue
    from iptviz.kube.era import Era
    from iptviz.kube.releases import Releases


def era_remark(era: Era) -> Remark:
    """Return the era as a clause: `written by kube-proxy 1.24 to 1.26`."""
    if era.mode != "iptables":
        return mode_remark(era.mode)
    if era.mixed:
        one, other = era.conflict
        return remark("era-mixed", one=one, other=other)
    return remark("era-known", releases=era.releases) if era.dated else remark("era-untold")


def mode_remark(mode: str) -> Remark:
    """Return where the services of a node are kept that are not in iptables."""
    return remark(_MODES[mode])


def _mixed(*, one: Cue, other: Cue) -> str:
    clauses = (f"{cue.text} (line {cue.line}) is of {spans_text(cue.releases)}" for cue in (one, other))
    return f"mixed eras: {', '.join(clauses)}"


def _known(*, releases: Releases) -> str:
    return f"written by kube-proxy {spans_text(releases)}"


_MODES = {
    "ipvs": "mode-ipvs",
    "elsewhere": "mode-elsewhere",
    "userspace": "mode-userspace",
    "none": "mode-none",
}
"""What is said of a node whose services are not in iptables."""

REMARKS: dict[str, str | Callable[..., str]] = {
    "mode-ipvs": "kube-proxy in IPVS mode: endpoints are not in iptables, `ipvsadm -Sn` has them; what is here "
    "masquerades and filters",
    "mode-elsewhere": "no kube-proxy in iptables mode, but a kubelet: services are kept by kube-proxy in "
    "nftables mode (`nft list table ip kube-proxy`) or by a CNI plug-in",
    "mode-userspace": "kube-proxy in userspace mode: connections go to its own ports, endpoints are not here",
    "mode-none": "no kube-proxy in iptables mode",
    "era-mixed": _mixed,
    "era-untold": "written by some kube-proxy: nothing here tells which",
    "era-known": _known,
}
