"""What happens to a packet, under which conditions, with what chance, and on which way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction

    from iptviz.dump.rule import Rule
    from iptviz.engine.condition import Assumption
    from iptviz.engine.packet import Packet
    from iptviz.engine.path import Path

VERDICTS = ("ACCEPT", "DROP", "REJECT", "QUEUE", "STOLEN")


class Outcome(NamedTuple):
    """One fate of the packet: of all that meet `when`, the share `share` (in [0, 1]) ends so.

    Outcomes with the same `when` sum to 1. `by` is the rule that decided, None where a policy, or nobody, did.
    `route` is where an accepted packet is: `INPUT` (delivered to this node), `FORWARD`, `OUTPUT`, or empty
    where it got no further. `packet` is the packet in the end, with `dnat`, `snat` and `mark` as rewritten.
    """

    verdict: str
    share: Fraction
    when: tuple[Assumption, ...]
    route: str
    by: Rule | None
    packet: Packet
    path: Path | None
