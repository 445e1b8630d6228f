"""One client's way through the tables of a node, with the answers of a witness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, product
from iptviz.engine.effects import UNDECIDED, UNKNOWN, UndecidedError
from iptviz.engine.hooks import start_of
from iptviz.engine.moves import Enter, Lost, On
from iptviz.engine.path import CONNECTION, POLICY, ROUTING, Path, Step, joined
from iptviz.engine.walk import End, Reaching, Request, Walk, add

if TYPE_CHECKING:
    from fractions import Fraction

    from iptviz.engine.answers import Answers
    from iptviz.engine.journey import Journey
    from iptviz.engine.packet import Packet
    from iptviz.engine.stages import Stage, Turn


def passed(journey: Journey, packet: Packet, hook: str, witness: Answers) -> dict[End, Reaching]:
    """Send `packet` on its way with the answers of `witness`; return its ends, whose shares (in [0, 1]) sum to 1.

    Where some are rounded, that is noted of the diagrams of `journey`.
    """
    passing = _Passing(journey, witness)
    here: dict[Packet, Reaching] = {start_of(packet, hook): Reaching(CERTAIN, None)}
    for turn in journey.hooks.turns(hook):
        before, here = here, {}
        for packet_there, reaching in before.items():
            passing.through(turn, packet_there, reaching, here)
    for packet_there, reaching in here.items():
        add(passing.ends, End("ACCEPT", None, packet_there), reaching)
    diagrams = journey.unknowns.diagrams
    diagrams.rounded = diagrams.rounded or passing.rounded
    return passing.ends


def _translation(stage: Stage, before: Packet, after: Packet) -> Step | None:
    """Return the step in which nat does to a packet what it does to all of its connection; None for another."""
    if not stage.is_nat or before is after:
        return None
    changed = {"destination": (before.dnat, after.dnat), "source": (before.snat, after.snat)}
    texts = [f"{side} becomes {to}" for side, (was, to) in changed.items() if to is not None and to != was]
    text = f"connection: {' and '.join(texts)}"
    return Step(stage.table, stage.chain, None, text, before, kind=CONNECTION) if texts else None


class _Passing:
    """Lets packets through the stages, and keeps how they end."""

    def __init__(self, journey: Journey, witness: Answers) -> None:
        self.journey = journey
        self.witness = witness
        self.ends: dict[End, Reaching] = {}
        self.rounded = False
        self._walks: dict[tuple[int, Stage], Walk] = {}

    def through(self, turn: Turn, packet: Packet, reaching: Reaching, here: dict[Packet, Reaching]) -> None:
        """Let a packet through one stage, to `here` or to its end."""
        move = self.journey.hooks.move(turn, packet, self.witness.answer)
        if isinstance(move, On):
            path = joined(reaching.path, _translation(turn.stage, packet, move.packet))
            add(here, move.packet, reaching._replace(path=path))
        elif isinstance(move, Lost):
            step = Step("", "routing", None, move.why, move.packet, kind=ROUTING)
            self._end(End("DROP", None, move.packet), reaching, Path(None, step), CERTAIN)
        elif isinstance(move, Enter):
            self._enter(move, reaching, here)
        else:
            raise UndecidedError(move.taken)

    def _enter(self, move: Enter, reaching: Reaching, here: dict[Packet, Reaching]) -> None:
        stage = move.stage
        key = move.layer, stage
        table = self.journey.hooks.rules[move.layer].tables[stage.table]
        if key not in self._walks:
            self._walks[key] = Walk(
                table, stage.point, self.journey.hooks.host, self.journey.broken, self.witness, move.layer
            )
        passed = self._walks[key].run(Request(stage.chain, move.packet))
        self.rounded = self.rounded or self._walks[key].rounded
        policy = table.policy(stage.chain) or "ACCEPT"
        verdict, effect = (
            (UNKNOWN, f"{policy}, {UNDECIDED}") if table.lacks_end(stage.chain) else (policy, policy)
        )
        for packet, inner in passed.left.items():
            step = Step(
                stage.table, stage.chain, None, effect, packet, ends=True, kind=POLICY, layer=move.layer
            )
            shown = table.policy(stage.chain) is not None or stage.chain not in table.granted
            path = joined(inner.path, step) if shown else inner.path
            self._go(End(verdict, None, packet), reaching, path, inner.share, here)
        for end, inner in passed.ends.items():
            self._go(end, reaching, inner.path, inner.share, here)

    def _go(
        self, end: End, before: Reaching, path: Path | None, share: Fraction, here: dict[Packet, Reaching]
    ) -> None:
        if end.verdict != "ACCEPT":
            self._end(end, before, path, share)
            return
        whole, exact = product(before.share, share)
        self.rounded = self.rounded or not exact
        add(here, end.packet, Reaching(whole, joined(before.path, path)))

    def _end(self, end: End, before: Reaching, path: Path | None, share: Fraction) -> None:
        whole, exact = product(before.share, share)
        self.rounded = self.rounded or not exact
        add(self.ends, end, Reaching(whole, joined(before.path, path)))
