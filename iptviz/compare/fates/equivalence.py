"""Whether two nodes treat every new connection to services alike, or a packet that tells them apart.

Both are followed as decision diagrams over the same fields, so that equal diagrams are equal behaviour. What is
compared of a connection: what becomes of its first packet, the endpoint that it is sent to and with which
share, the source that it then has, and what becomes of the endpoint's answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.compare.fates.connections import Open
from iptviz.compare.fates.frontend_comparison import FrontendComparison, Key, frontends_of
from iptviz.engine.nodes import TooLargeError
from iptviz.errors import PacketError
from iptviz.progress import nobody, stepwise
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.compare.fates.connections import Compared
    from iptviz.compare.fates.endings import Ending, TellingPacket
    from iptviz.engine.condition import Assumption, Condition, When
    from iptviz.kube.names import ServiceName
    from iptviz.progress import Progress

Unknown = (
    Open
    | Literal["tables not in the dump", "not printed", "no dump of the family", "lines missing in a dump"]
)
"""Why it is not known whether connections are treated alike: as `Open` says; they cannot be followed through
tables that no dump shows; a listing does not print all that its rules ask, or an address or port; a side has no
dump of the family of addresses; what the dumps show differs, and one of them lacks lines."""


class Difference(NamedTuple):
    """A frontend where connections fare differently: one packet, with how it ends on both sides.

    `frontend` is as people write it, `10.96.0.1:443/tcp`. `alike` are other frontends that differ likewise,
    whose packets would only have other addresses.
    """

    service: ServiceName
    frontend: str
    packet: TellingPacket
    old: tuple[Ending, ...]
    new: tuple[Ending, ...]
    alike: tuple[str, ...] = ()


class NotKnown(NamedTuple):
    """Frontends, as people write them, of which it is not known whether they are treated alike, and why."""

    why: Unknown
    frontends: tuple[str, ...]


class Equivalence(NamedTuple):
    """The answer: `alike` is True, False where something differs, None where that is not known.

    `frontends` counts those that were compared, of services of either side. `assumed` is taken for granted of
    packets to any of them; `same` are questions that nobody answers and both sides ask, taken to have one
    answer. `set_aside` names what is known of one side alone, or otherwise of each, and was therefore left open:
    `routes`, `set NAME` and the like.
    """

    alike: bool | None
    frontends: int
    different: tuple[Difference, ...]
    not_known: tuple[NotKnown, ...]
    assumed: When = ()
    same: tuple[Condition, ...] = ()
    set_aside: tuple[str, ...] = ()


def equivalence(old: Sequence[Examined], new: Sequence[Examined], progress: Progress = nobody) -> Equivalence:
    """Compare how two nodes treat new connections to their services, of which each has dumps."""
    finding = _Finding()
    families = dict.fromkeys(each.dump.family for each in (*old, *new))
    for family in families:
        mine, theirs = ([each for each in side if each.dump.family == family] for side in (old, new))
        if mine and theirs:
            finding.compare(mine, theirs, progress)
        else:
            finding.not_known("no dump of the family", (each.text for each in frontends_of((*mine, *theirs))))
    return finding.answer()


class _Finding:
    """Puts together what is found, frontend by frontend."""

    def __init__(self) -> None:
        self._compared = 0
        self._different: dict[Key, Difference] = {}
        self._unknown: dict[Unknown, dict[str, None]] = {}
        self._assumed: dict[Assumption, None] = {}
        self._same: dict[Condition, None] = {}
        self._aside: dict[str, None] = {}

    def answer(self) -> Equivalence:
        """Return what was found."""
        unknown = tuple(NotKnown(why, tuple(each)) for why, each in self._unknown.items())
        return Equivalence(
            False if self._different else None if unknown else True,
            self._compared,
            tuple(self._different.values()),
            unknown,
            tuple(self._assumed),
            tuple(self._same),
            tuple(self._aside),
        )

    def not_known(self, why: Unknown, frontends: Iterable[str]) -> None:
        """Note that of some frontends it is not known whether they are treated alike."""
        self._unknown.setdefault(why, {}).update(dict.fromkeys(frontends))

    def compare(self, old: Sequence[Examined], new: Sequence[Examined], progress: Progress) -> None:
        """Compare the frontends of dumps of one family."""
        pair = FrontendComparison(old, new)
        self._aside.update(dict.fromkeys(pair.set_aside))
        for key in stepwise(pair.keys, _COMPARING, progress, 0.0, 1.0):
            frontend = pair.first(key).frontend
            if not pair.is_printed or frontend.is_malformed or frontend.port is None:
                self.not_known("not printed", [frontend.text])
                continue
            try:
                self._note(pair, key, *pair.compared(key))
            except TooLargeError:
                self.not_known("too many cases", [frontend.text])
            except PacketError:
                self.not_known("tables not in the dump", [frontend.text])

    def _note(self, pair: FrontendComparison, key: Key, found: Compared, first: Key) -> None:
        service, frontend = pair.first(key).service, pair.first(key).frontend.text
        self._compared += 1
        self._assumed |= dict.fromkeys(found.assumed)
        self._same |= dict.fromkeys(map(pair.lines.shown, found.same))
        if found.apart is None:
            if found.open_by is not None:
                self.not_known(found.open_by, [frontend])
        elif pair.lacks_lines:
            self.not_known("lines missing in a dump", [frontend])
        elif first in self._different:
            known = self._different[first]
            self._different[first] = known._replace(alike=(*known.alike, frontend))
        else:
            packet, old, new = found.apart
            when = tuple(each._replace(condition=pair.lines.shown(each.condition)) for each in packet.when)
            self._different[first] = Difference(service, frontend, packet._replace(when=when), old, new)


_COMPARING = "comparing connections to service port"
"""What takes long, as a bar tells it."""
