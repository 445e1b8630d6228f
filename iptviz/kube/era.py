"""Which releases of kube-proxy can have written a dump, with the evidence, and never more precise than that."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from iptviz.kube.counted_cues import counted_cues
from iptviz.kube.cues import NEWEST, OLDEST, Cue, Releases, cues_of, since
from iptviz.kube.names import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.dump.model import Dump

NEWEST_KNOWN = 36
"""The newest release of which something is known."""

_ALL = since(OLDEST)
_USERSPACE = ("KUBE-PORTALS-HOST", "KUBE-PORTALS-CONTAINER")


class Era(NamedTuple):
    """When a dump was written.

    `mode` is `iptables`, `ipvs`, `userspace`, `elsewhere` (a kubelet is here) or `none`. `releases` are minor
    releases of Kubernetes 1.x, all of which write everything that was seen; none where no single one does: then
    the dump is of mixed eras.
    """

    mode: str
    releases: Releases
    cues: tuple[Cue, ...]
    kubelet: Releases

    @property
    def mixed(self) -> bool:
        """Whether no single release writes all that was seen."""
        return self.mode == "iptables" and not self.releases

    @property
    def dated(self) -> bool:
        """Whether something that was seen tells releases apart."""
        return self.releases != _ALL

    @property
    def evidence(self) -> tuple[Cue, ...]:
        """The cues that bound the releases, the narrowest first asked; none where kube-proxy is elsewhere."""
        if self.mode != "iptables":
            return ()
        own = [cue for cue in self.cues if cue.of == "kube-proxy"]
        needed: list[Cue] = []
        for cue in sorted(own, key=lambda one: len(one.releases)):
            if _common(needed) - cue.releases:
                needed.append(cue)
        return tuple(sorted(needed, key=lambda one: one.line))

    @property
    def conflict(self) -> tuple[Cue, Cue]:
        """Two cues that no release has both."""
        own = [cue for cue in self.cues if cue.of == "kube-proxy"]
        pairs = ((one, other) for one in own for other in own if not one.releases & other.releases)
        return next(pairs, (own[0], own[-1]))


def era_of(dump: Dump) -> Era:
    """Return when `dump` was written."""
    cues = list(cues_of(dump))
    nat = dump.tables.get("nat")
    cues += counted_cues(nat) if nat is not None else ()
    cues.sort(key=lambda cue: cue.line)
    kubelet = _common(cue for cue in cues if cue.of == "kubelet")
    mode = _mode(dump)
    releases = _common(cue for cue in cues if cue.of == "kube-proxy") if mode == "iptables" else frozenset()
    return Era(mode, releases, tuple(cues), kubelet)


def _common(cues: Iterable[Cue]) -> Releases:
    return reduce(lambda known, cue: known & cue.releases, cues, _ALL)


def _mode(dump: Dump) -> str:
    nat = dump.tables.get("nat")
    if nat is not None and (
        nat.has_chain("KUBE-NODE-PORT") or next(nat.rules_with("--match-set KUBE-"), None)
    ):
        return "ipvs"
    if nat is not None and nat.has_chain(SERVICES):
        return "iptables"
    if nat is not None and any(map(nat.has_chain, _USERSPACE)):
        return "userspace"
    tables = dump.tables.values()
    return "elsewhere" if any(table.has_chain("KUBE-KUBELET-CANARY") for table in tables) else "none"


def spans_text(releases: Releases) -> str:
    """Return releases as people write them: `1.12 to 1.17`, `1.8 to 1.11 or 1.18`, `1.25 or later`."""
    spans: list[list[int]] = []
    for minor in sorted(releases):
        if spans and spans[-1][1] == minor - 1:
            spans[-1][1] = minor
        else:
            spans.append([minor, minor])
    return " or ".join(_span_text(*span) for span in spans)


def _span_text(first: int, last: int) -> str:
    if last == NEWEST:
        return f"1.{first} or later"
    if first == OLDEST and last != OLDEST:
        return f"1.{last} or earlier"
    return f"1.{first}" if first == last else f"1.{first} to 1.{last}"
