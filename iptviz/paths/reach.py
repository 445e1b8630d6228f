"""Whether clients reach a frontend, in a word: what lists and first lines say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from iptviz.engine.chance import CERTAIN, NEVER
from iptviz.engine.condition import Condition
from iptviz.paths.model import ACCEPT, CLIENT_KINDS, LOCAL
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from iptviz.engine.condition import When
    from iptviz.paths.model import ClientPaths, Decider, FrontendPaths

Word = Literal["yes", "no", "in part", "depends", "this node"]


class Reach(NamedTuple):
    """How clients of one kind fare.

    Of their connections at least the share `at_least` (in [0, 1]) works, at most `at_most`. `entries` are
    the cases of these clients. `is_health_check`: the
    frontend is a port at which kube-proxy itself tells load balancers of a service.
    """

    client: str
    at_least: Fraction
    at_most: Fraction
    entries: tuple[ClientPaths, ...]
    is_health_check: bool = False

    @property
    def usual(self) -> tuple[ClientPaths, ...]:
        """The usual cases: not those of what is not known of the node, and of clients that rules single out.

        Where there are no others, these are the usual ones.
        """
        found = (entry for entry in self.entries if not hangs_on_node(entry) and not is_singled_out(entry))
        return tuple(found) or self.entries

    @property
    def word(self) -> Word:
        """Whether all, none, or some of the connections work; `depends`: a condition decides that.

        `this node`: what no endpoint gets is delivered to this node, as where a DNS cache listens on the
        address. It is that of the usual cases.
        """
        usual = self.usual
        at_least = min(entry.at_least for entry in usual)
        at_most = max(entry.at_most for entry in usual)
        if at_least == CERTAIN:
            return "yes"
        if self._are_taken(usual):
            return "this node"
        if at_most == NEVER:
            return "depends" if any(map(self._is_taken, usual)) else "no"
        return "in part" if at_least == at_most else "depends"

    @property
    def failing(self) -> tuple[Decider | None, ...]:
        """Who makes connections fail, each once, largest share first; None: nobody here is known to."""
        found = sorted(self._failures(self.entries), key=lambda each: -each[0])
        return tuple(dict.fromkeys(by for _, by in found))

    def _failures(self, entries: Iterable[ClientPaths]) -> Iterator[tuple[Fraction, Decider | None]]:
        for entry in entries:
            for row in entry.endpoints:
                if not row.reaches:
                    yield row.share, row.by if row.outcome != ACCEPT else row.reply_by
            for rest in entry.leftover:
                if rest.share and not (rest.outcome == LOCAL and self._may_take(entry)):
                    yield rest.share, rest.by

    def _are_taken(self, entries: Iterable[ClientPaths]) -> bool:
        """Whether this node itself takes whatever reaches no endpoint."""
        return not any(self._failures(entries)) and any(map(self._is_taken, entries))

    def _is_taken(self, entry: ClientPaths) -> bool:
        """Whether this node itself takes some of what an entry is about."""
        return self._may_take(entry) and any(rest.outcome == LOCAL for rest in entry.leftover)

    def _may_take(self, entry: ClientPaths) -> bool:
        """Whether the node is meant to take connections: those not tracked, or to a health check port."""
        return entry.untracked or self.is_health_check


def hangs_on_node(entry: ClientPaths) -> bool:
    """Whether an entry is about something that is not known of the node, and is not as nodes have it.

    That is a setting of the kernel; or that it lacks an address to which nothing is tracked: a DNS cache
    has it.
    """
    unlike = _unlike(entry.when)
    return "sysctl" in unlike or (entry.untracked and "destination-type" in unlike)


def _unlike(when: When) -> set[str]:
    return {one.condition.kind for one in when if not one.holds}


def is_usual(when: When) -> bool:
    """Whether conditions are about clients in general, at a node as nodes are."""
    return not singling(when) and "sysctl" not in _unlike(when)


def is_singled_out(entry: ClientPaths) -> bool:
    """Whether an entry is about clients that rules name by their own address, or by their port.

    So it is about those that ask a node port at ::1, where kube-proxy publishes none: there is no route_localnet
    for IPv6 (kube-proxy 1.26 and later write `! -d ::1/128` in the jump to KUBE-NODEPORTS).
    """
    return bool(singling(entry.when))


def singling(when: When) -> When:
    """Return those of some conditions that hold for such clients alone; none: all may be meant."""
    return tuple(
        one for one in when if one.holds and (names_one(one.condition) or one.condition in _LOOPBACK)
    )


_LOOPBACK = frozenset({Condition("destination-cidr", "::1"), Condition("destination-cidr", "::1/128")})


def names_one(condition: Condition) -> bool:
    """Whether what is asked singles out clients by their own address, or by their port."""
    if condition.kind == "source-port":
        return True
    return condition.kind == "source-cidr" and all(map(_ONE.search, condition.values))


_ONE = re.compile(r"^[^/:]+(?:/32)?$|^[^/]*:[^/]*(?:/128)?$")


def reaches(paths: FrontendPaths) -> tuple[Reach, ...]:
    """Return how each kind of clients fares, in the order of `CLIENT_KINDS`, or an address asked for."""
    kinds = dict.fromkeys(client for entry in paths.entries for client in entry.clients)
    ordered = sorted(kinds, key=lambda kind: CLIENT_KINDS.index(kind) if kind in CLIENT_KINDS else 0)
    return tuple(_reach(kind, paths) for kind in ordered)


def _reach(client: str, paths: FrontendPaths) -> Reach:
    own = tuple(entry for entry in paths.entries if client in entry.clients)
    least, most = min(entry.at_least for entry in own), max(entry.at_most for entry in own)
    return Reach(client, least, most, own, paths.kind == "health-check")
