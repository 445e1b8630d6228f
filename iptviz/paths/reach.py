"""Whether clients reach a frontend, in a word: what lists and first lines say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from iptviz.engine.chance import CERTAIN, NEVER
from iptviz.paths.model import ACCEPT, CLIENT_KINDS, LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from iptviz.engine.condition import Condition
    from iptviz.paths.model import ClientPaths, Decider, FrontendPaths

Word = Literal["yes", "no", "in part", "depends", "this node"]


class Reach(NamedTuple):
    """How clients of one kind fare.

    Of their connections at least the share `at_least` (in [0, 1]) works, at most `at_most`. `entries` are
    the cases of these clients. `is_port`: the frontend is a port of the node for something else: what is
    delivered to the node itself there does not get to it.
    """

    client: str
    at_least: Fraction
    at_most: Fraction
    entries: tuple[ClientPaths, ...]
    is_port: bool = False

    @property
    def word(self) -> Word:
        """Whether all, none, or some of the connections work; `depends`: a condition decides that.

        `this node`: what no endpoint gets is delivered to this node, as where a DNS cache listens on the
        address. Left aside, where there are others, are cases of settings of the kernel that are not known, and
        of clients that rules single out.
        """
        usual = [
            entry for entry in self.entries if not hangs_on_settings(entry) and not is_singled_out(entry)
        ] or self.entries
        at_least = min(entry.at_least for entry in usual)
        at_most = max(entry.at_most for entry in usual)
        if at_least == CERTAIN:
            return "yes"
        if self._is_local:
            return "this node"
        if at_most == NEVER:
            return "depends" if any(map(self._is_taken, usual)) else "no"
        return "in part" if at_least == at_most else "depends"

    @property
    def failing(self) -> tuple[Decider | None, ...]:
        """Who makes connections fail, each once, largest share first; None: nobody here is known to."""
        found = sorted(self._failures(), key=lambda each: -each[0])
        return tuple(dict.fromkeys(by for _, by in found))

    def _failures(self) -> Iterator[tuple[Fraction, Decider | None]]:
        for entry in self.entries:
            for row in entry.endpoints:
                if not row.reaches:
                    yield row.share, row.by if row.outcome != ACCEPT else row.reply_by
            for rest in entry.leftover:
                if rest.share and (rest.outcome != LOCAL or self.is_port):
                    yield rest.share, rest.by

    @property
    def _is_local(self) -> bool:
        """Whether this node itself takes whatever reaches no endpoint."""
        return not self.failing and any(map(self._is_taken, self.entries))

    def _is_taken(self, entry: ClientPaths) -> bool:
        """Whether this node itself takes what an entry is about."""
        return not self.is_port and any(rest.outcome == LOCAL for rest in entry.leftover)


def hangs_on_settings(entry: ClientPaths) -> bool:
    """Whether an entry is about a setting of the kernel that is not known and is not as nodes have it."""
    return any(one.condition.kind == "sysctl" and not one.holds for one in entry.when)


def is_singled_out(entry: ClientPaths) -> bool:
    """Whether an entry is about clients that rules name by their own address, or by the port they send from."""
    return any(one.holds and _names_one(one.condition) for one in entry.when)


def _names_one(condition: Condition) -> bool:
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
    return Reach(client, least, most, own, paths.kind in _PORTS)


_PORTS = {"node-port", "host-port", "published"}
