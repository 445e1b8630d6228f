"""The way of a packet: the rules that matched and what they did, shared between all ways that begin alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.engine.condition import Condition
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import Place


MATCHED, MISSED, POLICY, ROUTING = "matched", "missed", "policy", "routing"
CONNECTION = "connection"
"""What happened at a stop: a rule matched, a rule did not, a built-in chain's policy decided, routing did, or nat
did what it does to all packets of a connection."""


class Step(NamedTuple):
    """One stop of `packet`, as it was before: in `chain` of `table`, by `rule` where one was asked.

    `effect` is what a rule that matched did, what a rule that did not match failed on, the policy, or what
    routing did; `kind` tells these apart. `ends` says that the table ended here. `layer` is the place of the dump
    among those that the packet passes. `into` is the chain that the rule enters, `back` says whether the next
    rule is asked after that, or after what the rule did.
    """

    table: str
    chain: str
    rule: Place | None
    effect: str
    packet: Packet
    ends: bool = False
    kind: str = MATCHED
    layer: int = 0
    into: str = ""
    back: bool = True


class Either(NamedTuple):
    """One of two ways, which lead to the same: by whether `condition` holds."""

    condition: Condition
    holding: Path | None
    otherwise: Path | None


class Path(NamedTuple):
    """A stop, the way through a called chain, or one of two ways, after the way `before`."""

    before: Path | None
    item: Step | Path | Either | None


MOST_STEPS = 2_000
"""A way longer than this is cut off: 60 chains that call the next one twice make 2^60 stops."""


def joined(before: Path | None, item: Step | Path | Either | None) -> Path | None:
    """Return the way `before`, then `item`."""
    return before if item is None else Path(before, item)


def either_way(condition: Condition, holding: Path | None, otherwise: Path | None) -> Path | None:
    """Return the way of what happens whether `condition` holds or not."""
    return holding if holding is otherwise else Path(None, Either(condition, holding, otherwise))


def steps_of(
    path: Path | None, answer: Callable[[Condition], bool | None] = lambda _condition: None
) -> tuple[list[Step], bool]:
    """Return the first stops of a way in order, and whether that is all of them.

    Of two ways that lead to the same, the one that `answer` knows to be taken is told, else the one on which
    the condition does not hold: fewer rules match on it.
    """
    steps: list[Step] = []
    pending: list[Step | Path | Either | None] = [path]
    while pending:
        item = pending.pop()
        if isinstance(item, Either):
            pending.append(item.holding if answer(item.condition) else item.otherwise)
        elif isinstance(item, Path):
            link: Path | None = item
            while link is not None:  # the first stop ends on top
                pending.append(link.item)
                link = link.before
        elif item is not None:
            if len(steps) > MOST_STEPS:
                return steps[:MOST_STEPS], False
            steps.append(item)
    return steps[:MOST_STEPS], len(steps) <= MOST_STEPS


def settled(path: Path | None, answer: Callable[[Condition], bool | None]) -> Path | None:
    """Return a way without alternatives, one step longer than is ever told where it has to be cut off."""
    steps, complete = steps_of(path, answer)
    way: Path | None = None
    for step in steps if complete else [*steps, steps[-1]]:
        way = Path(way, step)
    return way
