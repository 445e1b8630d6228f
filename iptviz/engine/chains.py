"""What chains do to a packet, as diagrams: worked out once for each chain and packet, whatever leads there.

A chain is read from a packet on: rules that cannot match are passed over, and what the others do is put together.
Calls wait on a stack of their own, so that neither depth nor a loop hangs the walk.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator
from itertools import islice
from typing import TYPE_CHECKING

from iptviz.engine.acting import effect_of, note_broken
from iptviz.engine.chance import CERTAIN
from iptviz.engine.effects import GoOn, Stop
from iptviz.engine.fields import FIELD_KINDS
from iptviz.engine.matching import missed_of, rule_truth, turns_of
from iptviz.engine.meanings.truth import RuleTruth
from iptviz.engine.packet import COUNTED, COUNTED_LATER
from iptviz.engine.regions import common
from iptviz.engine.stacked import answered
from iptviz.engine.steps import Step, together
from iptviz.records import NamedTuple
from iptviz.rules.form import RETURN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iptviz.engine.condition import Assumption, Condition
    from iptviz.engine.effects import BrokenJumps
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.engine.regions import Region
    from iptviz.engine.unknowns import Unknowns
    from iptviz.rules.form import CompiledRule, Parts, RuleTable


class Request(NamedTuple):
    """What becomes of `packet` from the rules after number `after` of a chain on."""

    chain: str
    after: int
    packet: Packet


class On(NamedTuple):
    """The next rule of the chain is asked about `packet`."""

    packet: Packet


class Left(NamedTuple):
    """The chain is left by its end, by RETURN, or by a goto that came back."""

    packet: Packet


class Ended(NamedTuple):
    """The table ends; `by` says by which rule where that matters."""

    verdict: str
    packet: Packet
    by: object = None


_Walk = Generator[Request, int, int]
_ASKED = RuleTruth(CERTAIN, ())
"""Of a rule whose tests are asked in their turn: see `_in_turn`."""


class Chains:
    """The chains of one table, entered by one built-in chain."""

    def __init__(
        self, unknowns: Unknowns, table: RuleTable, hook: str, host: Host, broken: BrokenJumps
    ) -> None:
        self.unknowns = unknowns
        self.diagrams = unknowns.diagrams
        self.table = table
        self.hook = hook
        self.host = host
        self.broken = broken
        self._made: dict[Request, int] = {}
        self._open: dict[str, int] = {}
        self._unchanged: tuple[Packet, int, int] | None = None

    def run(self, chain: str, packet: Packet) -> int:
        """Return what happens to the packet in a chain and all it calls: the leaves say `Left` or `Ended`."""
        return answered(Request(chain, 0, packet), self._walk, self._made, self._open)

    def _walk(self, request: Request) -> _Walk:
        self.unknowns.walked()
        steps: list[Step] = []
        packet = request.packet
        on, last = self._on_and_left(packet)
        for rule in self.rules(request):
            passed = self.passed_by(rule, packet)
            if passed is not None:
                if passed != packet:
                    last = yield Request(request.chain, self.place(rule, request), passed)
                    break
                continue
            truth = _ASKED if rule.records else rule_truth(rule, packet, self.host)
            needs = self._needs(truth.needs) if truth.chance else None
            if needs is None:
                continue
            then = yield from (self._in_turn if rule.records else self._then)(rule, packet)
            then = yield from self._with_changed(request, rule, then)
            if then == on:
                continue
            step = Step(*needs, truth.chance, then, self._goes_on(then, on))
            if step.decides:
                last = then
                break
            steps.append(step)
            if request.after and step.passes_some:
                last = yield request._replace(after=self.place(rule, request))
                break
        return together(self.diagrams, steps, last, on)

    def _on_and_left(self, packet: Packet) -> tuple[int, int]:
        """Return the leaves that say `On` and `Left` of a packet; most chains are entered by that of the last."""
        if self._unchanged is None or self._unchanged[0] is not packet:
            leaf = self.diagrams.leaf
            self._unchanged = packet, leaf(On(packet)), leaf(Left(packet))
        return self._unchanged[1:]

    def rules(self, request: Request) -> Iterable[CompiledRule]:
        """Return the rules of a chain that may concern the packet, in order."""
        found = self.table.towards(request.chain, request.packet.destination, request.packet.destination_port)
        if not request.after:
            return found
        # The number of a rule is counted each time, so that few are asked for theirs.
        start = bisect_right(found, request.after, key=lambda rule: rule.place.number)
        return islice(found, start, None)

    def place(self, rule: CompiledRule, request: Request) -> int:  # noqa: ARG002 - a survey looks
        """Return the number of a rule in its chain."""
        return rule.place.number

    def passed_by(self, rule: CompiledRule, packet: Packet) -> Packet | None:  # noqa: ARG002
        """Return the packet after a rule that is only noted; None for one that is asked."""
        return None

    def broken_jump(self, rule: CompiledRule, packet: Packet) -> int:
        """Return what happens to a packet at a jump that cannot be taken."""
        return self.unknowns.explored(lambda answer: self.diagrams.leaf(self._acted(rule, packet, answer)))

    def end(self, rule: CompiledRule, stop: Stop) -> Ended:
        """Return what is to be told of a rule that ends the table: who accepts makes no difference."""
        return Ended(stop.verdict, stop.packet, None if stop.verdict == "ACCEPT" else rule.place)

    def _needs(self, needs: Iterable[Assumption]) -> tuple[dict[int, Region], tuple[int, ...]] | None:
        """Return what has to hold: regions of fields, and other diagrams. None where it never does."""
        regions: dict[int, Region] = {}
        others: list[int] = []
        for need in needs:
            asked = self.unknowns.assumption(need)
            if asked == self.diagrams.no:
                return None
            field = self.diagrams.asks(asked)
            if (
                field is None
                or self.unknowns.fields[field].kind not in FIELD_KINDS
                or not self._is_test(asked)
            ):
                others += [asked] if asked != self.diagrams.yes else []
                continue
            region = self.diagrams.region(asked)
            both = common(regions[field], region) if field in regions else region
            if not both:
                return None
            regions[field] = both
        return regions, tuple(dict.fromkeys(others))

    def _is_test(self, asked: int) -> bool:
        """Whether a diagram asks one field alone."""
        return all(map(self.diagrams.is_leaf, self.diagrams.nodes[asked].ways))

    # --- what a rule does ------------------------------------------------------------------------------------

    def _then(self, rule: CompiledRule, packet: Packet) -> _Walk:
        """Return what happens to a packet that matched; its leaves say `On`, `Left` or `Ended`."""
        leaf = self.diagrams.leaf
        callee = rule.jump
        if callee is not None:
            if note_broken(self.table, self.broken, rule, self._open):
                return self.broken_jump(rule, packet)
            called = yield Request(callee, 0, packet)
            return called if rule.goto else self.diagrams.replaced(called, self._come_back)
        if rule.action.kind == RETURN:
            return leaf(Left(packet))
        acted = self.unknowns.explored(lambda answer: leaf(self._acted(rule, packet, answer)))
        if rule.more is None:
            return acted
        parts: dict[int, int] = {}
        for number in self.diagrams.leaves(acted):
            says = self.diagrams.says(number)
            if isinstance(says, On):
                parts[number] = yield from self._within(rule.more, says.packet)
        return self.diagrams.replaced(acted, lambda number: parts.get(number, number))

    def _within(self, parts: Parts, packet: Packet) -> _Walk:
        """Return what the parts of a rule do to a packet, of which the first that matches takes it."""
        on = self.diagrams.leaf(On(packet))
        last = on
        steps: list[Step] = []
        for part in parts.towards(packet.destination, packet.destination_port):
            truth = _ASKED if part.records else rule_truth(part, packet, self.host)
            needs = self._needs(truth.needs) if truth.chance else None
            if needs is None:
                continue
            then = yield from (self._in_turn if part.records else self._then)(part, packet)
            step = Step(*needs, truth.chance, then, goes_on=False)
            if step.decides:
                last = then
                break
            steps.append(step)
        return together(self.diagrams, steps, last, on)

    def _in_turn(self, rule: CompiledRule, packet: Packet) -> _Walk:
        """Return what happens to packets at a rule that may change lists, be it that it does not match."""
        turns = turns_of(rule, packet, self.host)
        last = turns[-1]
        result = (
            (yield from self._then(rule, last.held))
            if last.truth.chance
            else self.diagrams.leaf(On(last.missed))
        )
        missed = missed_of(turns, self._reached(result))
        for turn, packet_missed in zip(reversed(turns), reversed(missed), strict=True):
            needs = self._needs(turn.truth.needs) if turn.truth.chance else None
            passed_by = self.diagrams.leaf(On(packet_missed))
            if needs is None:
                result = passed_by
                continue
            step = Step(*needs, turn.truth.chance, result, goes_on=False)
            result = together(self.diagrams, [step], passed_by, passed_by)
        return result

    def _reached(self, then: int) -> str:
        """Return how far packets go that a rule takes: to rules of this table, of later ones, or no further."""
        reached = {
            type(says) is not Ended or (COUNTED_LATER if says.verdict == "ACCEPT" else "")
            for says in map(self.diagrams.says, self.diagrams.leaves(then))
        }
        return COUNTED if True in reached else COUNTED_LATER if COUNTED_LATER in reached else ""

    def _come_back(self, number: int) -> int:
        says = self.diagrams.says(number)
        return self.diagrams.leaf(On(says.packet)) if isinstance(says, Left) else number

    def _acted(
        self, rule: CompiledRule, packet: Packet, answer: Callable[[Condition], bool | None]
    ) -> On | Ended:
        effect = effect_of(rule, packet, self.hook, self.host, answer, self.table)
        return On(effect.packet) if isinstance(effect, GoOn) else self.end(rule, effect)

    def _with_changed(self, request: Request, rule: CompiledRule, then: int) -> _Walk:
        """Let the next rules be asked about each packet that goes on changed."""
        changed: dict[int, int] = {}
        for leaf in self.diagrams.leaves(then):
            says = self.diagrams.says(leaf)
            if isinstance(says, On) and says.packet != request.packet:
                changed[leaf] = yield Request(request.chain, self.place(rule, request), says.packet)
        return self.diagrams.replaced(then, lambda leaf: changed.get(leaf, leaf)) if changed else then

    def _goes_on(self, then: int, on: int) -> bool:
        """Whether some packets go on to the next rule as they are."""
        return on in self.diagrams.leaves(then)
