"""Connections that somebody tries to open, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.kernel.segments import Segment

NODE = "node"


class Attempt(NamedTuple):
    """Who opens a connection to whom: `client` is a link's name, or `node`."""

    client: str
    source: str
    destination: str
    port: int
    protocol: str = "tcp"


class Fate:
    """What became of an attempt.

    `arrived` is the first request that came out of the node, or into it, and `at` where: a link or `node`.
    `answered` says that the client heard the answer, `refused` what it heard instead. `went_on` says that what
    the client sent after the answer arrived, too.
    """

    __slots__ = ("answered", "arrived", "at", "attempt", "refused", "sport", "went_on")

    def __init__(self, attempt: Attempt, sport: int) -> None:
        self.attempt = attempt
        self.sport = sport
        self.arrived: Segment | None = None
        self.at = ""
        self.answered = self.went_on = False
        self.refused = ""

    @property
    def rewritten(self) -> bool:
        """Whether the request arrived elsewhere than where it was sent."""
        came = self.arrived
        return came is not None and (came.destination, came.dport) != (
            self.attempt.destination, self.attempt.port,
        )  # fmt: skip

    @property
    def reaches(self) -> bool:
        """Whether a server elsewhere than where it was sent answered, and heard more."""
        return self.rewritten and self.answered and self.went_on

    @property
    def is_over(self) -> bool:
        return self.went_on if self.answered else bool(self.refused)

    def __repr__(self) -> str:
        came = self.arrived
        where = f"{came.destination}:{came.dport} at {self.at} from {came.source}" if came else "nowhere"
        word = "answered" if self.answered else self.refused or "silence"
        stuck = self.answered and not self.is_over
        return f"{word}, arrived {where}{', went no further' if stuck else ''}"
