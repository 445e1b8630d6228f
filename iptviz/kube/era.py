"""Which releases of kube-proxy can have written a dump, with the evidence, and never more precise than that."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from iptviz.kube.counted_cues import counted_cues
from iptviz.kube.cues import Cue, cues_of
from iptviz.kube.families import KUBE_PROXY, KUBELET
from iptviz.kube.mode import mode_of
from iptviz.kube.releases import OLDEST, Releases, releases, since
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.dump.model import Dump

NEWEST_KNOWN = 36
"""The newest release of which something is known."""

VIRTUAL_SERVERS = "virtual-servers"
"""The mode of services in IPVS where no rules tell that kube-proxy keeps them there."""

DATED_MODES = ("iptables", "nftables")
"""The modes whose rules tell who wrote them."""

_ALL = since(OLDEST)

POLICY_UNSEEN = releases((21, 23))
"""Up to 1.23 an internal policy Local left no trace but the endpoints that are not there."""


class Era(NamedTuple):
    """When a dump was written.

    `mode` is `iptables`, `ipvs`, `userspace`, `elsewhere` (a kubelet is here) or `none`; of a table of nft it is
    `nftables`, of what ipvsadm prints `VIRTUAL_SERVERS`. `releases` are minor releases of Kubernetes 1.x, all of
    which write everything that was seen; none where no single one does: then the dump is of mixed eras.
    """

    mode: str
    releases: Releases
    cues: tuple[Cue, ...]
    kubelet: Releases

    @property
    def mixed(self) -> bool:
        """Whether no single release writes all that was seen."""
        return self.mode in DATED_MODES and not self.releases

    @property
    def dated(self) -> bool:
        """Whether something that was seen tells releases apart."""
        return self.releases != _ALL

    @property
    def hides_policy(self) -> bool:
        """Whether one of `POLICY_UNSEEN` may have written it: nothing shows an internal policy Local then."""
        if self.releases:
            return bool(self.releases & POLICY_UNSEEN)
        return all(cue.releases & POLICY_UNSEEN for cue in self._own)

    @property
    def evidence(self) -> tuple[Cue, ...]:
        """The cues that bound the releases, the narrowest first asked; none where kube-proxy is elsewhere."""
        if self.mode not in DATED_MODES:
            return ()
        needed: list[Cue] = []
        for cue in sorted(self._own, key=lambda cue: len(cue.releases)):
            if _common(needed) - cue.releases:
                needed.append(cue)
        return tuple(sorted(needed, key=lambda cue: cue.line))

    @property
    def conflict(self) -> tuple[Cue, Cue]:
        """Two cues that no release has both."""
        own = self._own
        pairs = ((cue, other) for cue in own for other in own if not cue.releases & other.releases)
        return next(pairs, (own[0], own[-1]))

    @property
    def _own(self) -> list[Cue]:
        return [cue for cue in self.cues if cue.of == KUBE_PROXY.name]


_TOLD: WeakKeyDictionary[Dump, Era] = WeakKeyDictionary()


def era_of(dump: Dump) -> Era:
    """Return when `dump` was written, which is found out once: many ask."""
    if dump not in _TOLD:
        _TOLD[dump] = _era_of(dump)
    return _TOLD[dump]


def _era_of(dump: Dump) -> Era:
    cues = list(cues_of(dump))
    nat = dump.tables.get("nat")
    cues += counted_cues(nat) if nat is not None else ()
    cues.sort(key=lambda cue: cue.line)
    kubelet = _common(cue for cue in cues if cue.of == KUBELET.name)
    mode = mode_of(dump).name
    own = (cue for cue in cues if cue.of == KUBE_PROXY.name)
    written = _common(own) if mode == "iptables" else frozenset()
    return Era(mode, written, tuple(cues), kubelet)


def _common(cues: Iterable[Cue]) -> Releases:
    return reduce(lambda common, cue: common & cue.releases, cues, _ALL)
