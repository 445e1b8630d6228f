"""Where the ways of one packet through two nodes part: by what rules do, not by where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.engine.condition import When
    from iptviz.engine.outcome import Outcome
    from iptviz.engine.path import Step


class Parting(NamedTuple):
    """Where the ways of one packet part, where all of `when` hold.

    `old` and `new` are the first steps that differ by meaning, None for a side whose way has ended before; each
    has its table, chain and rule (None for a policy, or routing). `old_ends` and `new_ends` are the outcomes of
    that packet, with their shares, and their ways.
    """

    when: When
    old: Step | None
    new: Step | None
    old_ends: tuple[Outcome, ...]
    new_ends: tuple[Outcome, ...]
