"""The walk of a packet through one table when all questions are answered: shares, ends, and the ways there.

Within a chain each packet that reaches the next rule has its share. A rule takes its chance of each; the target
changes the packet, ends the table, or calls a chain, whose result is worked out once per packet, however many
ways lead there. Calls wait on a stack of their own.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, TypeVar

from iptviz.engine.acting import effect_of, note_broken
from iptviz.engine.chance import (
    CERTAIN,
    MOST_CASCADE_BITS,
    MOST_ROUNDED_BITS,
    NEVER,
    product,
    remaining,
    times,
    total,
)
from iptviz.engine.effects import Effect, Stop
from iptviz.engine.matching import missed_of, rule_truth, turns_of
from iptviz.engine.packet import COUNTED, COUNTED_LATER
from iptviz.engine.path import Path, Step, joined
from iptviz.engine.stacked import answered
from iptviz.records import NamedTuple
from iptviz.rules.form import RETURN, is_granted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from iptviz.engine.answers import Answers
    from iptviz.engine.effects import BrokenJumps
    from iptviz.engine.host import Host
    from iptviz.engine.meanings.truth import RuleTruth
    from iptviz.engine.packet import Note, Packet
    from iptviz.rules.form import CompiledRule, Parts, Place, RuleTable


class Reaching(NamedTuple):
    """A share (in [0, 1]) of all packets, and the way of most of them."""

    share: Fraction
    path: Path | None


class End(NamedTuple):
    """A verdict that ended the table: by which rule, about which packet; ACCEPT goes on to the next table."""

    verdict: str
    rule: Place | None
    packet: Packet


class Passage(NamedTuple):
    """A rule that takes `chance` of what reaches it, which is the share `before` of what enters its chain.

    `taken` is what it takes of that; `called` is what happens to it in the chain that the rule enters, or in its
    parts.
    """

    rule: CompiledRule
    chance: Fraction
    before: Fraction
    taken: Fraction
    called: Walked | None


class Walked:
    """What happens in a chain: `left` are the packets that leave it, `ends` those that ended the table.

    Their shares sum to 1, with `here`, the packets that go on to the next rule, while the chain is walked. A
    survey adds the `passages` through rules, and `notes` with the share that comes to each. `most_bits` is how
    long what goes on may become before it is rounded.
    """

    __slots__ = ("ends", "here", "left", "most_bits", "notes", "passages")

    def __init__(self, packet: Packet) -> None:
        self.here = {packet: Reaching(CERTAIN, None)}
        self.left: dict[Packet, Reaching] = {}
        self.ends: dict[End, Reaching] = {}
        self.passages: list[Passage] = []
        self.notes: dict[Note, Fraction] = {}
        self.most_bits = MOST_CASCADE_BITS

    @property
    def onward(self) -> dict[Packet, Reaching]:
        """The packets that a rule has taken and that go on."""
        return self.here

    def leave(self) -> None:
        """Let what goes on leave the chain."""
        for packet, reaching in self.here.items():
            add(self.left, packet, reaching)
        self.here = {}


class WalkedParts(Walked):
    """What happens in the parts of a rule: `done` are packets that one took, and that go on behind the rule."""

    __slots__ = ("done",)

    def __init__(self, packet: Packet) -> None:
        super().__init__(packet)
        self.done: dict[Packet, Reaching] = {}

    @property
    def onward(self) -> dict[Packet, Reaching]:
        """The packets that a part has taken and that go on."""
        return self.done


Key = TypeVar("Key", "Packet", End)


def add(reached: dict[Key, Reaching], key: Key, reaching: Reaching) -> None:
    """Add a share to what `key` has of it; the way of the larger one stands for both."""
    before = reached.setdefault(key, reaching)
    if before is not reaching and reaching.share:
        path = before.path if before.share >= reaching.share else reaching.path
        reached[key] = Reaching(total((before.share, reaching.share)), path)


class Request(NamedTuple):
    """A chain to be walked by `packet`."""

    chain: str
    packet: Packet


class Back(NamedTuple):
    """The packet leaves the chain."""

    packet: Packet
    text: str


class _Called(NamedTuple):
    """A chain is entered, and this is what happens there."""

    walked: Walked
    goto: bool
    text: str


class _Parted(NamedTuple):
    """What the parts of a rule have made of a packet, after its action, of which `text` tells if it does any."""

    walked: WalkedParts
    text: str


class Taken(NamedTuple):
    """What a rule takes of the packets that reach it by `path`: `chance` of the share `before` like `packet`."""

    rule: CompiledRule
    packet: Packet
    path: Path | None
    before: Fraction
    chance: Fraction
    share: Fraction


Action = Effect | Back | _Called | _Parted


class Took(NamedTuple):
    """A rule takes `chance` of some packets; `missed` are the others as it leaves them, if it changes them."""

    chance: Fraction
    action: Action | None
    missed: tuple[tuple[Fraction, Packet], ...] = ()


_NOTHING_TAKEN = Took(NEVER, None)


def _reached(action: Action | None) -> str:
    """Return how far packets go that a rule takes: to rules of this table, of later ones, or no further."""
    if isinstance(action, Stop):
        return COUNTED_LATER if action.verdict == "ACCEPT" else ""
    if not isinstance(action, _Called) or action.walked.left:  # of parts, some go on
        return COUNTED
    return COUNTED_LATER if any(end.verdict == "ACCEPT" for end in action.walked.ends) else ""


_Walk = Generator[Request, Walked, Walked]


class Walk:
    """Walks chains of one table, entered by one built-in chain, with the answers of `witness`."""

    asks_in_vain = False
    """Whether rules are asked that nothing reaches."""

    def __init__(
        self, table: RuleTable, hook: str, host: Host, broken: BrokenJumps, witness: Answers, layer: int = 0
    ) -> None:
        self.table = table
        self.hook = hook
        self.host = host
        self.broken = broken
        self.witness = witness
        self.layer = layer
        self.rounded = False
        self._results: dict[Request, Walked] = {}
        self._open: dict[str, int] = {}

    def run(self, request: Request) -> Walked:
        """Return what happens to the packet in a chain and all that it calls."""
        return answered(request, self._walk, self._results, self._open)

    def _walk(self, request: Request) -> _Walk:
        walked = Walked(request.packet)
        for rule in self.rules(request):
            if not self.pass_by(rule, walked):
                yield from self._apply(rule, walked)
            if not walked.here:
                break
        walked.leave()
        return walked

    def rules(self, request: Request) -> Iterable[CompiledRule]:
        """Return the rules of a chain that may concern the packet, in order."""
        return self.table.towards(request.chain, request.packet.destination, request.packet.destination_port)

    # --- one rule ----------------------------------------------------------------------------------------

    def pass_by(self, _rule: CompiledRule, _walked: Walked, /) -> bool:
        """Whether a rule is only noted, which is done here, instead of being asked."""
        return False

    def _apply(self, rule: CompiledRule, walked: Walked) -> Generator[Request, Walked, None]:
        """Give each packet's chance to the target."""
        taken: dict[Packet, Took] = {}
        for packet, reaching in walked.here.items():
            if rule.records:
                taken[packet] = yield from self._in_turn(rule, packet, reaching.share)
                continue
            truth = rule_truth(rule, packet, self.host)
            if not truth.chance:
                continue
            truth = self.settled(truth, reaching.share)
            if truth.chance:
                taken[packet] = Took(truth.chance, (yield from self._act(rule, packet)))
        if taken:
            self.share_out(rule, walked, taken)

    def _in_turn(
        self, rule: CompiledRule, packet: Packet, share: Fraction
    ) -> Generator[Request, Walked, Took]:
        """Ask a rule that may change lists, be it that it does not match."""
        turns, chances, chance = turns_of(rule, packet, self.host), [], CERTAIN
        for turn in turns:
            truth = self.settled(turn.truth, share) if turn.truth.chance else turn.truth
            chances.append(times(chance, 1 - truth.chance))
            chance = times(chance, truth.chance)
            if not chance:
                break
        action = (yield from self._act(rule, turns[-1].held)) if chance else None
        missed = zip(chances, missed_of(turns, _reached(action)), strict=False)
        return Took(chance, action, tuple((part, one) for part, one in missed if part))

    def settled(self, truth: RuleTruth, _share: Fraction, /) -> RuleTruth:
        """Return whether a rule matches those that reach it, which are a share of all."""
        return self.witness.settle(truth) if truth.needs else truth

    def share_out(self, rule: CompiledRule, walked: Walked, taken: dict[Packet, Took]) -> None:
        """Give the targets what the rule takes of each packet, by its chance, and the next rule the rest."""
        before, walked.here = walked.here, {}
        for packet, reaching in before.items():
            chance, action, missed = taken.get(packet, _NOTHING_TAKEN)
            after, exact = remaining(reaching.share, chance, walked.most_bits)
            if not exact:
                self.rounded, walked.most_bits = True, MOST_ROUNDED_BITS
            for part, other in missed[1:]:
                share = times(reaching.share, part)
                after -= share
                add(walked.here, other, Reaching(share, reaching.path))
            if chance != 1 or self.asks_in_vain:
                add(walked.here, missed[0][1] if missed else packet, Reaching(after, reaching.path))
            if action is not None:
                share = times(reaching.share, chance) if exact else reaching.share - after
                took = Taken(rule, packet, reaching.path, reaching.share, chance, share)
                self.commit(walked, took, action)

    def _act(self, rule: CompiledRule, packet: Packet) -> Generator[Request, Walked, Action]:
        """Return what the rule's target does to a packet that matched."""
        callee = rule.jump
        if callee is not None:
            if note_broken(self.table, self.broken, rule, self._open):
                return self.broken_jump(rule, packet)
            called = yield Request(callee, packet)
            return _Called(called, rule.goto, f"{'goto' if rule.goto else 'jump'} {callee}")
        if rule.action.kind == RETURN:
            return Back(packet, "RETURN")
        effect = effect_of(rule, packet, self.hook, self.host, self.witness.answer)
        if rule.more is None or isinstance(effect, Stop):
            return effect
        return _Parted((yield from self._within(rule.more, effect.packet)), effect.text)

    def _within(self, parts: Parts, packet: Packet) -> Generator[Request, Walked, WalkedParts]:
        """Return what the parts of a rule do to a packet."""
        walked = WalkedParts(packet)
        for part in parts.towards(packet.destination, packet.destination_port):
            yield from self._apply(part, walked)
            if not walked.here:
                break
        return walked

    def broken_jump(self, rule: CompiledRule, packet: Packet) -> Action:
        """Return what happens to a packet at a jump that cannot be taken."""
        return effect_of(rule, packet, self.hook, self.host, self.witness.answer, self.table)

    def commit(self, walked: Walked, taken: Taken, action: Action) -> None:
        """Put what the target took where it belongs."""
        rule = taken.rule
        reaching = Reaching(taken.share, self.path(taken, action))
        called: Walked | None = None
        if isinstance(action, _Called):
            called = action.walked
            self._commit_call(walked, reaching, called, walked.left if action.goto else walked.onward)
        elif isinstance(action, _Parted):
            called = action.walked
            self._commit_parts(walked, reaching, called)
        elif isinstance(action, Stop):
            by = None if is_granted(rule.place) else rule.place
            add(walked.ends, End(action.verdict, by, action.packet), reaching)
        else:
            add(walked.left if isinstance(action, Back) else walked.onward, action.packet, reaching)
        self.passed(walked, taken, called)

    def path(self, taken: Taken, action: Action) -> Path | None:
        """Return the way of what a rule took: one that is taken for granted is no step that could be shown."""
        if is_granted(taken.rule.place) or not action.text:
            return taken.path  # nor is one that only asks
        rule, ends = taken.rule, isinstance(action, Stop)
        step = Step(
            self.table.name, rule.chain, rule.place, action.text, taken.packet, ends=ends, layer=self.layer,
            into=rule.jump or "", back=not (rule.goto or rule.action.kind == RETURN),
        )  # fmt: skip
        return joined(taken.path, step)

    def passed(self, walked: Walked, taken: Taken, called: Walked | None) -> None:
        """Note that a rule took its share; `called` is what happened in the chain that it enters."""

    def _commit_parts(self, walked: Walked, reaching: Reaching, parts: WalkedParts) -> None:
        for packet, way in parts.done.items():
            add(parts.here, packet, way)
        left, parts.left, parts.here = parts.left, parts.here, {}
        self._commit_call(walked, reaching, parts, walked.onward, left)

    def _commit_call(
        self,
        walked: Walked,
        reaching: Reaching,
        called: Walked,
        where: dict[Packet, Reaching],
        returned: dict[Packet, Reaching] | None = None,
    ) -> None:
        """Put what happened in a chain, or in parts, where it belongs: what left it to `where`.

        `returned` is what leaves the calling chain, too.
        """
        whole = reaching.share
        ends = [(end, *product(whole, way.share), way.path) for end, way in called.ends.items()]
        backs = [
            ((packet, to), *product(whole, way.share), way.path)
            for to, ways in ((where, called.left), (walked.left, returned or {}))
            for packet, way in ways.items()
        ]
        if not all(exact for _, _, exact, _ in (*ends, *backs)):
            self.rounded = True
            ends, backs = _summing_up(whole, ends, backs)
        for end, share, _, path in ends:
            add(walked.ends, end, Reaching(share, joined(reaching.path, path)))
        for (packet, to), share, _, path in backs:
            add(to, packet, Reaching(share, joined(reaching.path, path)))


def _summing_up(whole: Fraction, ends: list, backs: list) -> tuple[list, list]:  # type: ignore[type-arg]
    """Give what rounding lost to the last share, so that all still sum to the whole."""
    shares = backs or ends
    key, share, exact, path = shares[-1]
    rest = whole - total(part for _, part, _, _ in (*ends, *backs)) + share
    shares[-1] = (key, rest, exact, path)
    return ends, backs
