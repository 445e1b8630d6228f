"""Whether clients reach a frontend, in a word: what lists and first lines say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from iptviz.engine.chance import CERTAIN, NEVER
from iptviz.paths.model import ACCEPT, CLIENT_KINDS, LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from iptviz.paths.model import ClientPaths, Decider, FrontendPaths

Word = Literal["yes", "no", "in part", "depends", "this node"]


class Reach(NamedTuple):
    """How clients of one kind fare.

    Of their connections at least the share `at_least` (in [0, 1]) works, at most `at_most`. `entries` are
    the cases of these clients.
    """

    client: str
    at_least: Fraction
    at_most: Fraction
    entries: tuple[ClientPaths, ...]

    @property
    def word(self) -> Word:
        """Whether all, none, or some of the connections work; `depends`: a condition decides that.

        `this node`: what no endpoint gets is delivered to this node, as where a DNS cache listens on the
        address.
        """
        if self.at_least == CERTAIN:
            return "yes"
        if self._is_local:
            return "this node"
        if self.at_most == NEVER:
            return "no"
        return "in part" if self.at_least == self.at_most else "depends"

    @property
    def failing(self) -> tuple[Decider | None, ...]:
        """Who makes connections fail, each once, largest share first; None: nobody here is known to."""
        found = sorted(_failures(self.entries), key=lambda each: -each[0])
        return tuple(dict.fromkeys(by for _, by in found))

    @property
    def _is_local(self) -> bool:
        """Whether this node itself takes whatever reaches no endpoint."""
        return not self.failing and any(
            rest.outcome == LOCAL for each in self.entries for rest in each.leftover
        )


def reaches(paths: FrontendPaths) -> tuple[Reach, ...]:
    """Return how each kind of clients fares, in the order of `CLIENT_KINDS`, or an address asked for."""
    kinds = dict.fromkeys(client for entry in paths.entries for client in entry.clients)
    ordered = sorted(kinds, key=lambda kind: CLIENT_KINDS.index(kind) if kind in CLIENT_KINDS else 0)
    return tuple(_reach(kind, paths.entries) for kind in ordered)


def _reach(kind: str, entries: Iterable[ClientPaths]) -> Reach:
    own = tuple(entry for entry in entries if kind in entry.clients)
    return Reach(kind, min(entry.at_least for entry in own), max(entry.at_most for entry in own), own)


def _failures(entries: Iterable[ClientPaths]) -> Iterator[tuple[Fraction, Decider | None]]:
    for entry in entries:
        for row in entry.endpoints:
            if not row.reaches:
                yield row.share, row.by if row.outcome != ACCEPT else row.reply_by
        for rest in entry.leftover:
            if rest.share and rest.outcome != LOCAL:
                yield rest.share, rest.by
