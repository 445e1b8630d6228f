"""From a chain down to where connections end, with the exact share of each end.

Theory. Within a chain, `before` is the share of the chain's connections that reach a rule, and `taken`
the share that its target gets: before * chance. What a called chain does not end comes back and goes on
(a jump), or skips the rest of this chain (a goto). So a chain is one linear form over the ends below it,
worked out once however many paths lead to it: 60 chains that each jump twice to the next are 2^60 paths
and 60 sums. Chains are worked out callees first, from an explicit stack: neither depth nor a loop hangs it.

A rule that hangs on something unknown raises UndecidedError, and `cases` asks again under both answers. A
rule that can only mark, log or count moves no share: it is noted with its conditions instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.chance import CERTAIN, NEVER, product, total
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.matching import RuleTruth, rule_truth
from iptviz.xtables.targets import target_spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from fractions import Fraction

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.assumed import Assumed
    from iptviz.engine.packet import Packet


class UndecidedError(Exception):
    """The walk came to a rule whose condition has no answer yet."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        super().__init__(condition)


class End(NamedTuple):
    """A rule that ends the table for `share` of the connections.

    `via` is the rule by which they first come to its chain; None if the walk began there.
    """

    rule: Rule
    share: Fraction
    via: Rule | None


class Step(NamedTuple):
    """A rule that may match: its chance, and which share of the chain's connections reaches it.

    `taken`, their product, is the share that its target gets. `callee` is the chain it enters; None where it
    enters none, be it that the kernel would refuse the jump.
    """

    rule: Rule
    chance: Fraction
    before: Fraction
    taken: Fraction
    callee: str | None


class Effect(NamedTuple):
    """A rule that marks, logs or counts and goes on: reached with `chance` where all of `needs` hold.

    `via` is the rule of the walked chain that led to it, by a jump or because it is the rule itself.
    """

    rule: Rule
    via: Rule
    chance: Fraction
    needs: tuple[Assumption, ...]


class ChainWalk(NamedTuple):
    """What a chain does: steps in order, ends, and the share it leaves; ends and leftover sum to 1."""

    steps: tuple[Step, ...]
    ends: dict[Rule, End]
    leftover: Fraction
    effects: tuple[Effect, ...]


class Faults(NamedTuple):
    """Jumps that the kernel would refuse: those that close a loop, and those to a chain that is not there."""

    loops: dict[Rule, tuple[str, ...]]
    missing: dict[Rule, str]


class Walker:
    """Walks chains of one table for one packet under fixed assumptions."""

    def __init__(self, table: Table, packet: Packet, assumed: Assumed) -> None:
        self.table = table
        self.packet = packet
        self.assumed = assumed
        self.chains: dict[str, ChainWalk] = {}
        self.faults = Faults({}, {})
        self.rounded = False
        self._truths: dict[Rule, RuleTruth] = {}
        self._passive: dict[str, bool] = {}

    def walk(self, rules: Iterable[Rule]) -> ChainWalk:
        """Walk `rules` as one chain, and whatever they lead to.

        Raises:
            UndecidedError: a condition decides where connections go, and nothing assumed answers it.
        """
        rules = list(rules)
        self._work_out_callees(rules)
        return _Summation(self, rules).result()

    def truth(self, rule: Rule) -> RuleTruth:
        """Return whether `rule` matches, once what is assumed is taken into account."""
        if rule not in self._truths:
            truth = rule_truth(rule, self.packet)
            needs = tuple(_dated(need, rule) for need in truth.needs)
            self._truths[rule] = self.assumed.settle(truth._replace(needs=needs))
        return self._truths[rule]

    def callee(self, rule: Rule) -> str | None:
        """Return the chain that `rule` enters, once worked out; None for a jump the kernel would refuse."""
        return rule.jump if rule.jump in self.chains and rule not in self.faults.loops else None

    def _work_out_callees(self, rules: list[Rule]) -> None:
        """Fill `chains` with all that `rules` lead to, callees before callers."""
        names: dict[str, None] = {}  # the chains that are being worked out, outermost first
        pending: list[Iterator[Rule]] = [iter(rules)]
        while pending:
            callee = self._next_callee(pending[-1], names)
            if callee is not None:
                names[callee] = None
                pending.append(iter(self.table.chains[callee].rules))
                continue
            pending.pop()
            if names:
                name, _ = names.popitem()
                self.chains[name] = _Summation(self, self.table.chains[name].rules).result()

    def _next_callee(self, rules: Iterator[Rule], open_chains: dict[str, None]) -> str | None:
        """Return the next chain that must be known before these rules are summed up, noting faults."""
        for rule in rules:
            callee = rule.jump
            if callee is None or callee in self.chains or not self.truth(rule).chance:
                continue
            if callee not in self.table.chains:
                self.faults.missing[rule] = callee
            elif callee in open_chains:
                names = list(open_chains)
                self.faults.loops[rule] = (*names[names.index(callee) :], callee)
            elif not self.is_passive(rule):
                return callee
        return None

    def is_passive(self, rule: Rule) -> bool:
        """Whether `rule` can only mark, log or count: whatever it does, the next rule is asked."""
        target = rule.target
        if target is None:
            return True
        callee = rule.jump
        if callee is None:
            spec = target_spec(target.name)
            return spec is not None and spec.continues
        if target.goto or callee not in self.table.chains:
            return False
        if callee not in self._passive:
            # Only a chain that calls no other is looked into; kube-proxy's marking chains are of that kind.
            inner = self.table.chains[callee].rules
            self._passive[callee] = all(one.jump is None and self.is_passive(one) for one in inner)
        return self._passive[callee]


def _dated(need: Assumption, rule: Rule) -> Assumption:
    """Tie a question about the mark to the rule that asks it: this walk does not carry what marks are set."""
    kind, value = need.condition
    if kind != "mark":
        return need
    return Assumption(Condition(kind, f"{value} at line {rule.line}"), need.holds)


class _Summation:
    """Sums one chain up, rule by rule, from the walks of the chains it calls."""

    def __init__(self, walker: Walker, rules: Iterable[Rule]) -> None:
        self.walker = walker
        self.rules = rules
        self.steps: list[Step] = []
        self.ends: dict[Rule, End] = {}
        self.effects: list[Effect] = []
        self.left = CERTAIN  # what still goes on to the next rule
        self.returned = NEVER  # what has left the chain without an end

    def result(self) -> ChainWalk:
        for rule in self.rules:
            truth = self.walker.truth(rule)
            if truth.chance:
                self._apply(rule, truth)
        return ChainWalk(tuple(self.steps), self.ends, total((self.left, self.returned)), tuple(self.effects))

    def _apply(self, rule: Rule, truth: RuleTruth) -> None:
        if self.walker.is_passive(rule):
            if self.left:
                self._note_effects(rule, truth)
            return
        if truth.needs:
            if self.left:
                raise UndecidedError(truth.needs[0].condition)
            return  # nothing reaches it, so its condition does not matter
        taken = self.left * truth.chance
        callee = self.walker.callee(rule)
        self.steps.append(Step(rule, truth.chance, self.left, taken, callee))
        self.left *= CERTAIN - truth.chance  # a product: taking `taken` off would reduce ever longer numbers
        self._take(rule, callee, taken)

    def _note_effects(self, rule: Rule, truth: RuleTruth) -> None:
        """Note the rule, or the rules of the passive chain it jumps to."""
        for inner in self._passive_rules(rule):
            inner_truth = RuleTruth(CERTAIN, ()) if inner == rule else self.walker.truth(inner)
            chance = self.left * truth.chance * inner_truth.chance
            if chance:
                self.effects.append(Effect(inner, rule, chance, truth.needs + inner_truth.needs))

    def _passive_rules(self, rule: Rule) -> Sequence[Rule]:
        """Return the rules of the chain that `rule` jumps to; without a jump, or any rule there, `rule`."""
        callee = rule.jump
        return (callee is not None and self.walker.table.chains[callee].rules) or [rule]

    def _take(self, rule: Rule, callee: str | None, taken: Fraction) -> None:
        """Give `taken` to the rule's target."""
        target = rule.target
        if callee is not None:
            self._call(rule, callee, taken)
        elif target is None or target.name == "RETURN" or rule.jump is not None:
            self.returned += taken  # a jump that the kernel would refuse leads nowhere
        elif target_spec(target.name) is None:
            self._unknown_target(rule, taken)
        else:
            self._add_end(End(rule, taken, None))

    def _call(self, rule: Rule, callee: str, taken: Fraction) -> None:
        walk = self.walker.chains[callee]
        ends = [(end, *product(taken, end.share)) for end in walk.ends.values()]
        for end, share, _ in ends:
            self._add_end(End(end.rule, share, end.via or rule))
        back, exact = product(taken, walk.leftover)
        if not (exact and all(end_exact for _, _, end_exact in ends)):
            self.walker.rounded = True
            back = taken - total(share for _, share, _ in ends)  # so that all shares still sum to 1
        if rule.target is not None and rule.target.goto:
            self.returned = total((self.returned, back))
        elif back:
            self.left = total((self.left, back))

    def _add_end(self, end: End) -> None:
        known = self.ends.get(end.rule)
        self.ends[end.rule] = known._replace(share=total((known.share, end.share))) if known else end

    def _unknown_target(self, rule: Rule, taken: Fraction) -> None:
        """A target that no table knows may end the table or not: that is a condition of its own."""
        condition = Condition("target", rule.target.name if rule.target else "")
        answer = self.walker.assumed.answer(condition)
        if answer is None and taken:
            raise UndecidedError(condition)
        if answer:
            self.left += taken
        else:
            self._add_end(End(rule, taken, None))
