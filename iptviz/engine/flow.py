"""The walk of a packet through one table: exact shares, rewritten packets, conditions, and the way.

Within a chain each branch holds the packets that reach the next rule. A rule takes its chance of each; the
target changes the packet, ends the table, or calls a chain, whose result is worked out once per packet and
set of answers, however many ways lead there. Calls wait on a stack of their own, so that neither depth nor a
loop hangs the walk.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.branches import MOST_BRANCHES, Branch, End, Reaching, When, add, joined_branches
from iptviz.engine.chance import CERTAIN, NEVER, product, times, total
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.effects import Effect, GoOn, Stop, TargetCall, UndecidedError
from iptviz.engine.implications import Assumed
from iptviz.engine.matching import rule_truth
from iptviz.engine.meanings.lists import listed
from iptviz.engine.path import Step, joined
from iptviz.engine.targets.table import apply_target
from iptviz.rules.form import NOTHING, RETURN, UNCLEAR

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from iptviz.engine.effects import BrokenJumps
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import CompiledRule, RuleTable


class Request(NamedTuple):
    """A chain to be walked by `packet` when all of `when` hold."""

    chain: str
    packet: Packet
    when: When


class _SplitError(Exception):
    """What a called chain does hangs on conditions: the branch is to be split into these cases."""

    def __init__(self, whens: list[When]) -> None:
        self.whens = whens
        super().__init__(whens)


class Taken(NamedTuple):
    """What a rule takes of the packets that reach it: `chance` of those that are like `packet`."""

    rule: CompiledRule
    packet: Packet
    before: Fraction
    chance: Fraction
    reaching: Reaching


class _Back(NamedTuple):
    packet: Packet
    text: str


class Called(NamedTuple):
    """A chain is entered, and this is what happens there."""

    branch: Branch
    goto: bool
    text: str


Action = GoOn | Stop | _Back | Called
_Walk = Generator[Request, "list[Branch]", "list[Branch]"]
_Acting = Generator[Request, "list[Branch]", Action]


def _unread(rule: CompiledRule, packet: Packet, assumed: Assumed) -> Effect:
    """Return what a rule does whose target may be among the words that cannot be read.

    Raises:
        UndecidedError: nothing assumed tells.
    """
    asked = Condition("unread", f"line {rule.place.line}")
    goes_on = assumed.answer(asked)
    if goes_on is None:
        raise UndecidedError(asked)
    return GoOn(packet, "counted") if goes_on else Stop("STOLEN", packet, "what cannot be read ends it")


class Flow:
    """Walks chains of one table, entered by one built-in chain."""

    asks_in_vain = False
    """Whether rules are asked that nothing reaches."""

    def __init__(self, table: RuleTable, hook: str, host: Host, broken: BrokenJumps, layer: int = 0) -> None:
        self.layer = layer
        self.table = table
        self.hook = hook
        self.host = host
        self.broken = broken
        self.skipped = 0
        self.rounded = False
        self._results: dict[Request, list[Branch]] = {}
        self._open: dict[str, None] = {}  # the chains that are being walked, outermost first

    def run(self, request: Request) -> list[Branch]:
        """Return what happens to the packet in a chain and all that it calls."""
        pending = [(request, self._walk(request))]
        self._open = {request.chain: None}
        result: list[Branch] | None = None
        while pending:
            current, walk = pending[-1]
            try:
                wanted = next(walk) if result is None else walk.send(result)
            except StopIteration as done:
                result = self._results[current] = done.value
                pending.pop()
                self._open.pop(current.chain, None)
                continue
            result = self._results.get(wanted)
            if result is None:
                pending.append((wanted, self._walk(wanted)))
                self._open[wanted.chain] = None
        return self._results[request]

    def _walk(self, request: Request) -> _Walk:
        branches = [Branch(request.when, {request.packet: Reaching(CERTAIN, None)})]
        for rule in self.rules(request):
            walked: list[Branch] = []
            for branch in branches:
                walked += yield from self.pass_rule(rule, branch)
            if len(walked) > 1:
                walked = self._bounded(joined_branches(walked, len(request.when)))
            branches = walked
            if not any(branch.here for branch in branches):
                break
        return branches

    def rules(self, request: Request) -> Sequence[CompiledRule]:
        """Return the rules of a chain that may concern the packet, in order."""
        return self.table.towards(request.chain, request.packet.destination)

    def _bounded(self, branches: list[Branch]) -> list[Branch]:
        """Leave out what is beyond the bound; those with the fewest special answers come last, and stay."""
        beyond = len(branches) - MOST_BRANCHES
        if beyond <= 0:
            return branches
        self.skipped += beyond
        return branches[beyond:]

    # --- one rule ----------------------------------------------------------------------------------------

    def pass_rule(self, rule: CompiledRule, branch: Branch) -> _Walk:
        """Return the branch, or the branches that it splits into, after `rule`."""
        done: list[Branch] = []
        pending = [branch]
        while pending:
            current = pending.pop()
            try:
                yield from self.apply(rule, current)
            except UndecidedError as undecided:
                whens = [(*current.when, Assumption(undecided.condition, holds)) for holds in (False, True)]
                pending += [current.under(when) for when in whens]
            except _SplitError as split:
                pending += [current.under(when) for when in reversed(split.whens)]
            else:
                done.append(current)
        return done

    def apply(self, rule: CompiledRule, branch: Branch) -> Generator[Request, list[Branch], None]:
        """Give each packet's chance to the target; nothing changes if a condition has to be answered first."""
        assumed = Assumed(branch.when)
        taken: dict[Packet, tuple[Fraction, Action]] = {}
        for packet, reaching in branch.here.items():
            try:
                truth = assumed.settle(rule_truth(rule, packet, self.host))
                if truth.needs:
                    raise UndecidedError(truth.needs[0].condition)
                if truth.chance:
                    action = yield from self._act(rule, listed(rule, packet), branch, assumed)
                    taken[packet] = truth.chance, action
            except (UndecidedError, _SplitError):
                if reaching.share:
                    raise  # what nothing reaches hangs on nothing
        if taken:
            self._share_out(rule, branch, taken)

    def _share_out(
        self, rule: CompiledRule, branch: Branch, taken: dict[Packet, tuple[Fraction, Action]]
    ) -> None:
        before, branch.here = branch.here, {}
        for packet, reaching in before.items():
            chance, action = taken.get(packet, (NEVER, None))
            if chance != CERTAIN or self.asks_in_vain:
                add(branch.here, packet, reaching._replace(share=times(reaching.share, CERTAIN - chance)))
            if action is not None:
                took = reaching._replace(share=times(reaching.share, chance))
                self.commit(branch, Taken(rule, packet, reaching.share, chance, took), action)

    def _act(self, rule: CompiledRule, packet: Packet, branch: Branch, assumed: Assumed) -> _Acting:
        """Return what the rule's target does to a packet that matched."""
        kind = rule.action.kind
        if kind == NOTHING:
            return GoOn(packet, "counted")
        if kind == UNCLEAR:
            return _unread(rule, packet, assumed)
        callee = rule.jump
        if callee is not None:
            if self._is_broken(rule, callee):
                return _Back(packet, f"{callee} cannot be entered")
            called = yield Request(callee, packet, branch.when)
            if len(called) != 1 or called[0].when != branch.when:
                raise _SplitError([case.when for case in called])
            return Called(called[0], rule.goto, f"{kind} {callee}")
        if kind == RETURN:
            return _Back(packet, "RETURN")
        return apply_target(TargetCall(rule, packet, self.hook, self.host, assumed.answer))

    def _is_broken(self, rule: CompiledRule, callee: str) -> bool:
        """Whether the kernel would refuse the jump, which is noted."""
        if not self.table.has_chain(callee):
            self.broken.missing[rule.place] = callee
            return True
        if not self.table.rules_of(callee):
            self.broken.empty_chains[rule.place] = callee
        if callee in self._open:
            names = list(self._open)
            self.broken.loops[rule.place] = (*names[names.index(callee) :], callee)
            return True
        return False

    def commit(self, branch: Branch, taken: Taken, action: Action) -> None:
        """Put what the target took where it belongs."""
        rule = taken.rule
        ends = isinstance(action, Stop)
        step = Step(
            self.table.name, rule.chain, rule.place, action.text, taken.packet, ends=ends, layer=self.layer
        )
        reaching = taken.reaching._replace(path=joined(taken.reaching.path, step))
        if isinstance(action, Called):
            self._commit_call(branch, reaching, action)
        elif isinstance(action, Stop):
            add(branch.ends, End(action.verdict, rule.place, action.packet), reaching)
        else:
            add(branch.back if isinstance(action, _Back) else branch.here, action.packet, reaching)

    def _commit_call(self, branch: Branch, reaching: Reaching, called: Called) -> None:
        left = called.branch.left()
        ends = [
            (end, *product(reaching.share, inner.share), inner.path)
            for end, inner in called.branch.ends.items()
        ]
        backs = [
            (packet, *product(reaching.share, inner.share), inner.path) for packet, inner in left.items()
        ]
        exact = all(is_exact for _, _, is_exact, _ in (*ends, *backs))
        if not exact:
            self.rounded = True
            ends, backs = self._summing_up(reaching.share, ends, backs)
        for end, share, _, path in ends:
            add(branch.ends, end, Reaching(share, joined(reaching.path, path)))
        where = branch.back if called.goto else branch.here
        for packet, share, _, path in backs:
            add(where, packet, Reaching(share, joined(reaching.path, path)))

    def _summing_up(self, whole: Fraction, ends: list, backs: list) -> tuple[list, list]:  # type: ignore[type-arg]
        """Give what rounding lost to the last share, so that all still sum to the whole."""
        shares = backs or ends
        key, share, exact, path = shares[-1]
        rest = whole - total(part for _, part, _, _ in (*ends, *backs)) + share
        shares[-1] = (key, rest, exact, path)
        return ends, backs
