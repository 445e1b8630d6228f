"""Where all connections go: the share that comes to each rule and chain, under which conditions.

A survey follows a packet as any flow does. But it is asked where connections end, so a rule that can only
mark, log or count splits nothing: it is noted with the conditions that it hangs on, and what it may have
changed is unknown from there on. A rule that nothing reaches is told as well, with share 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.branches import Branch, Note, Passage, When, add
from iptviz.engine.chance import CERTAIN, product, times, total
from iptviz.engine.effects import BrokenJumps, GoOn, TargetCall
from iptviz.engine.flow import Action, Called, Flow, Request, Taken
from iptviz.engine.host import UNKNOWN_HOST
from iptviz.engine.implications import Assumed, essential
from iptviz.engine.matching import rule_truth
from iptviz.engine.meanings.truth import RuleTruth
from iptviz.engine.targets.table import apply_target
from iptviz.rules.form import NOTHING, TARGET, UNCLEAR

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from fractions import Fraction

    from iptviz.engine.packet import Packet
    from iptviz.rules.form import CompiledRule, Place, RuleTable

_ENTRY = ""
"""The name under which the rules that are asked about stand as a chain."""


class Arrival(NamedTuple):
    """The share `before` (in [0, 1]) of all connections reaches a rule, which takes `chance` of it."""

    before: Fraction
    chance: Fraction


class Entry(NamedTuple):
    """The share (in [0, 1]) of all connections that enters a chain, and the first rule that leads any there."""

    share: Fraction
    via: Place


class Case(NamedTuple):
    """What happens when all of `when` hold.

    `ends` has the share of each rule that ends the table, `leftover` what none ends; they sum to 1.
    `arrivals` has every rule that may match and decide something, `entered` every chain that they lead to,
    callers before callees, be it with share 0; `notes` has the share of what marks, logs or counts.
    """

    when: When
    ends: dict[Place, Fraction]
    leftover: Fraction
    arrivals: dict[Place, Arrival]
    entered: dict[str, Entry]
    notes: dict[Note, Fraction]


NOTHING_HAPPENS = Case((), {}, CERTAIN, {}, {}, {})


class Survey(NamedTuple):
    """All cases; `skipped` counts those left out because there were too many.

    `rounded` says that some shares are not exact: see `chance.product`.
    """

    cases: list[Case]
    broken: BrokenJumps
    skipped: int = 0
    rounded: bool = False


def survey(table: RuleTable, packet: Packet, rules: Sequence[CompiledRule]) -> Survey:
    """Follow `packet` through `rules`, as if they were one chain of `table`, and all that they lead to."""
    flow = _SurveyingFlow(table, rules)
    branches = flow.run(Request(_ENTRY, packet, ()))
    return Survey([_case(branch) for branch in branches], flow.broken, flow.skipped, flow.rounded)


class _SurveyingFlow(Flow):
    """A flow that keeps account of what comes to each rule, and is not split by what only marks."""

    asks_in_vain = True

    def __init__(self, table: RuleTable, entry: Sequence[CompiledRule]) -> None:
        super().__init__(table, "PREROUTING", UNKNOWN_HOST, BrokenJumps({}, {}, {}))
        self._entry = entry
        self._passive = _PassiveRules(table)

    def rules(self, request: Request) -> Sequence[CompiledRule]:
        return super().rules(request) if request.chain else self._entry

    def apply(self, rule: CompiledRule, branch: Branch) -> Generator[Request, list[Branch], None]:
        if self._passive.has(rule):
            self._pass_by(rule, branch)
        else:
            yield from super().apply(rule, branch)
            reached = {packet: reaching for packet, reaching in branch.here.items() if reaching.share}
            branch.here = reached or dict(list(branch.here.items())[:1])

    def _pass_by(self, rule: CompiledRule, branch: Branch) -> None:
        assumed = Assumed(branch.when)
        before, branch.here = branch.here, {}
        for packet, reaching in before.items():
            after, notes = self._passive.pass_by(rule, packet, assumed)
            add(branch.here, after, reaching)
            for note, chance in notes if reaching.share else ():
                _count(branch, note, times(reaching.share, chance))

    def commit(self, branch: Branch, taken: Taken, action: Action) -> None:
        super().commit(branch, taken, action)
        called = action.branch if isinstance(action, Called) else None
        branch.passages.append(Passage(taken.rule, taken.chance, taken.before, taken.reaching.share, called))
        for note, share in called.notes.items() if called and taken.reaching.share else ():
            _count(branch, note, product(taken.reaching.share, share)[0])


def _count(branch: Branch, note: Note, share: Fraction) -> None:
    before = branch.notes.get(note)
    branch.notes[note] = total((before, share)) if before else share


# --- rules that can only mark, log or count: whatever they do, the next rule is asked ---------------------------

_ALWAYS = RuleTruth(CERTAIN, ())


class _PassiveRules:
    """Tells the passive rules of a table, and what packets are like after them."""

    def __init__(self, table: RuleTable) -> None:
        self.table = table
        self._chains: dict[str, bool] = {}

    def has(self, rule: CompiledRule) -> bool:
        """Whether `rule` is one: without a target, with one that goes on, or a jump to such rules alone."""
        callee = rule.jump
        if callee is None:
            return rule.action.kind in {NOTHING, UNCLEAR} or rule.action.continues
        return not rule.goto and self.table.has_chain(callee) and self._is_passive_chain(callee)

    def _is_passive_chain(self, chain: str) -> bool:
        if chain not in self._chains:
            # Only a chain that calls no other is looked into; kube-proxy's marking chains are of that kind.
            rules = self.table.rules_of(chain)
            self._chains[chain] = all(rule.jump is None and self.has(rule) for rule in rules)
        return self._chains[chain]

    def pass_by(
        self, rule: CompiledRule, packet: Packet, assumed: Assumed
    ) -> tuple[Packet, list[tuple[Note, Fraction]]]:
        """Return the packet after a passive rule, and what is to be noted, each with its chance in [0, 1]."""
        notes: list[tuple[Note, Fraction]] = []
        jump = assumed.settle(rule_truth(rule, packet))
        for inner in self._rules_behind(rule) if jump.chance else ():
            own = _ALWAYS if inner == rule else assumed.settle(rule_truth(inner, packet))
            chance, needs = jump.chance * own.chance, jump.needs + own.needs
            if chance:
                notes.append((Note(inner.place, rule.place, needs), chance))
                after = self._after(inner, packet, assumed)
                surely = chance == CERTAIN and not needs
                packet = after if surely else packet.or_else(after, inner.place.line)
        return packet, notes

    def _rules_behind(self, rule: CompiledRule) -> list[CompiledRule]:
        """Return the rules of the chain that `rule` jumps to; without a jump, or any rule there, `rule`."""
        callee = rule.jump
        return (list(self.table.rules_of(callee)) if callee is not None else []) or [rule]

    def _after(self, rule: CompiledRule, packet: Packet, assumed: Assumed) -> Packet:
        if rule.action.kind != TARGET:
            return packet
        effect = apply_target(TargetCall(rule, packet, rule.chain, UNKNOWN_HOST, assumed.answer))
        return effect.packet if isinstance(effect, GoOn) else packet


# --- the account of one case -------------------------------------------------------------------------------


def _case(branch: Branch) -> Case:
    ends: dict[Place, Fraction] = {}
    for end, reaching in branch.ends.items():
        if end.rule is not None:
            ends[end.rule] = total((ends[end.rule], reaching.share)) if end.rule in ends else reaching.share
    leftover = total(reaching.share for reaching in branch.left().values())
    arrivals, entered = _account(branch)
    return Case(essential(branch.when), ends, leftover, arrivals, entered, branch.notes)


def _account(top: Branch) -> tuple[dict[Place, Arrival], dict[str, Entry]]:
    """Pour all connections in at the top, and return what comes to each rule and chain."""
    arrivals: dict[Place, Arrival] = {}
    entered: dict[str, Entry] = {}
    entering: dict[Branch, Fraction] = {top: CERTAIN}
    for branch in _callers_first(top):
        whole = entering[branch]
        for rule, chance, before, taken, called in branch.passages:
            reaching, _ = product(whole, before)
            earlier = arrivals.get(rule.place)
            arrivals[rule.place] = Arrival(total((earlier.before, reaching)) if earlier else reaching, chance)
            if called is not None and rule.jump is not None:
                share, _ = product(whole, taken)
                entering[called] = total((entering[called], share)) if called in entering else share
                entry = entered.get(rule.jump)
                if entry is not None and entry.share:
                    entry = entry._replace(share=total((entry.share, share)))
                entered[rule.jump] = entry if entry is not None and entry.share else Entry(share, rule.place)
    return arrivals, entered


def _callers_first(top: Branch) -> Iterable[Branch]:
    """Return all branches below `top`, none before one that calls it; from a stack, however deep they lie."""
    done: dict[Branch, None] = {}
    pending = [(top, reversed(top.passages))]
    opened = {top}
    while pending:
        branch, passages = pending[-1]
        called = next((called for *_, called in passages if called and called not in opened), None)
        if called is not None:
            opened.add(called)
            pending.append((called, reversed(called.passages)))
        else:
            pending.pop()
            done[branch] = None
    return reversed(done)
