"""The first step at which the ways of one packet through two nodes differ by meaning."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from iptviz.compare.fates.two_nodes import told_text, without_chain
from iptviz.dump.rule import Rule
from iptviz.engine.path import MISSED, POLICY, ROUTING, steps_of
from iptviz.engine.stages import STAGES
from iptviz.kube.families import ENDPOINT_CHAIN, HASHED_CHAINS
from iptviz.records import NamedTuple
from iptviz.rules.iptables import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.engine.outcome import Outcome
    from iptviz.engine.packet import Packet
    from iptviz.engine.path import Step

_Where = tuple[str, str]
_HASHED = (*HASHED_CHAINS, ENDPOINT_CHAIN)


class _Passage(NamedTuple):
    """The way of a packet through a table at one hook: its steps, the packet behind them, and its end there."""

    steps: tuple[Step, ...]
    after: Packet
    verdict: str


def parting_steps(old: Outcome, new: Outcome, hook: str) -> tuple[Step | None, Step | None]:
    """Return the first steps that differ by meaning on the ways to two outcomes of a packet starting at `hook`.

    None: a side has no step there; both: the ways are not known, or the same.
    """
    mine, theirs = (_passages(outcome) for outcome in (old, new))
    for where in _in_order(hook, mine, theirs):
        one, other = mine.get(where), theirs.get(where)
        if one is None or other is None or _does(one) != _does(other):
            return _first_apart(one.steps if one else (), other.steps if other else ())
    return None, None


def _passages(outcome: Outcome) -> dict[_Where, _Passage]:
    """Return the way of an outcome by tables and the hooks at which they are asked."""
    steps, _ = steps_of(outcome.path)
    taken = [step for step in steps if step.kind != MISSED]
    starts = [0, *(place + 1 for place, step in enumerate(taken) if step.ends or step.kind == ROUTING)]
    found: dict[_Where, _Passage] = {}
    for start, end in zip(starts, [*starts[1:], len(taken)], strict=True):
        own = tuple(taken[start:end])
        if own:
            is_last = end == len(taken)
            after = outcome.packet if is_last else taken[end].packet
            verdict = outcome.verdict if is_last else "ACCEPT"
            found[own[0].table, own[0].chain] = _Passage(own, after, verdict)
    return found


def _in_order(hook: str, *sides: dict[_Where, _Passage]) -> Iterator[_Where]:
    """Yield where either side does something, in the order of the hooks, then what stands nowhere among them."""
    stages = dict.fromkeys((stage.table, stage.chain) for stage in STAGES[hook])
    for where in dict.fromkeys((*stages, *(where for side in sides for where in side))):
        if any(where in side and _does_something(side[where]) for side in sides):
            yield where


def _does_something(passage: _Passage) -> bool:
    before = passage.steps[0].packet
    return passage.verdict != "ACCEPT" or _seen(before) != _seen(passage.after)


def _does(passage: _Passage) -> object:
    """Return what a passage does to a packet."""
    return passage.verdict, _seen(passage.after) if passage.verdict == "ACCEPT" else None


_SEEN = (
    "destination", "destination_port", "source", "source_port", "dnat", "snat", "ttl", "tos", "state", "statuses",
)  # fmt: skip


def _seen(packet: Packet) -> tuple[object, ...]:
    """Return of a packet what later rules may ask, and nothing that names lines."""
    marks = [(mark.keep, mark.value) for mark in (packet.mark, packet.connmark)]
    return *(getattr(packet, name) for name in _SEEN), *marks


def _first_apart(old: Sequence[Step], new: Sequence[Step]) -> tuple[Step | None, Step | None]:
    """Return the first step of each side, of those that do anything, that the other side does not take.

    Where both take the same, in another order, the first that stand in different places.
    """
    entered = {_target(step) for step in new} & {_target(step) for step in old}
    telling = [list(_telling(steps)) for steps in (old, new)]
    taken = [{_key(step, entered) for step in steps} for steps in (old, new)]
    alone = [
        next((step for step in own if _key(step, entered) not in other), None)
        for own, other in zip(telling, reversed(taken), strict=True)
    ]
    if any(alone):
        return alone[0], alone[1]
    for one, other in zip_longest(*telling):
        if one is None or other is None or _key(one, entered) != _key(other, entered):
            return one, other
    return None, None


def _telling(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield the steps that change a packet, end its way, or lead to one that does."""
    kept: list[Step] = []
    after = ""
    for place in range(len(steps) - 1, -1, -1):
        step = steps[place]
        target = _target(step)
        changes = place + 1 < len(steps) and _seen(step.packet) != _seen(steps[place + 1].packet)
        leads = bool(target) and bool(kept) and after == target
        if step.ends or step.kind in {POLICY, ROUTING} or leads or (changes and not target):
            kept.append(step)
            after = step.chain
    return reversed(kept)


def _target(step: Step) -> str:
    """Return the chain that a step enters; empty for another."""
    return compiled(step.rule).jump or "" if isinstance(step.rule, Rule) else ""


def _key(step: Step, shared: set[str]) -> object:
    """Return what a step does; a chain that has another name on the other side is no difference by itself."""
    rule = step.rule
    if not isinstance(rule, Rule):
        return step.table, step.kind, step.effect
    text = without_chain(rule, told_text(rule))
    target = _target(step)
    if target and target not in shared and not target.startswith(_HASHED):
        return step.table, text.partition(f" {target}")[0]
    return step.table, text
