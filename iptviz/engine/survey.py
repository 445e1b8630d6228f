"""Where all connections go: the share that comes to each rule and chain, under which conditions.

A survey follows a packet through chains of one table. It is asked where connections end, so a rule that can
only mark, log or count splits nothing: it is noted with the conditions that it hangs on, and what it may have
changed is unknown from there on. A rule that nothing reaches is told as well, with share 0. Counts (nth) of
several rules are taken to be independent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.answers import Anybody
from iptviz.engine.chance import CERTAIN, NEVER, product, times, total
from iptviz.engine.effects import BrokenJumps, UndecidedError
from iptviz.engine.host import UNKNOWN_HOST
from iptviz.engine.matching import settled
from iptviz.engine.meanings.truth import RuleTruth
from iptviz.engine.packet import UNCOUNTED
from iptviz.engine.passive import ENTRY, HOOK, PassiveRules
from iptviz.engine.walk import Back, Passage, Request, Walk, Walked, add
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

    from iptviz.engine.answers import Answers
    from iptviz.engine.condition import When
    from iptviz.engine.fields import Field
    from iptviz.engine.packet import Note, Packet
    from iptviz.engine.walk import Action, Taken, Took
    from iptviz.rules.form import CompiledRule, Place, RuleTable


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
    """All cases; no two of them have anything in common.

    `left_open` are fields of which nothing is told, since there were too many cases; what hangs on them is told
    of a client to whom no question about them applies. `rounded` says that some shares are not exact: see
    `chance.product`.
    """

    cases: list[Case]
    broken: BrokenJumps
    left_open: tuple[Field, ...] = ()
    rounded: bool = False


def survey(table: RuleTable, packet: Packet, rules: Sequence[CompiledRule]) -> Survey:
    """Follow `packet` through `rules`, as if they were one chain of `table`, and all that they lead to."""
    surveyor = _Surveyor(table, packet, rules)
    try:
        return surveyor.of_anybody()
    except UndecidedError:  # then there are cases to be told apart
        return surveyor.by_cases()


class _Surveyor:
    """Surveys rules that are asked about one packet."""

    def __init__(self, table: RuleTable, packet: Packet, rules: Sequence[CompiledRule]) -> None:
        self.table = table
        self.packet = packet._replace(counted=UNCOUNTED)
        self.entry = rules
        self.passive = PassiveRules(table)
        self.broken = BrokenJumps({}, {}, {})

    def of_anybody(self) -> Survey:
        """Return the only case.

        Raises:
            UndecidedError: there are several.
        """
        return self._survey([((), Anybody())])

    def by_cases(self) -> Survey:
        """Return all cases."""
        from iptviz.engine.survey_cases import cases  # one case, as there mostly is, needs no diagram

        found, left_open = cases(self.table, self.packet, self.entry, self.passive, self.broken)
        return self._survey(found)._replace(left_open=left_open)

    def _survey(self, cases: Sequence[tuple[When, Answers]]) -> Survey:
        walks = [_SurveyingWalk(self, witness) for _, witness in cases]
        walked = [walk.run(Request(ENTRY, self.packet)) for walk in walks]
        told = [_case(when, found) for (when, _), found in zip(cases, walked, strict=True)]
        return Survey(told, self.broken, rounded=any(walk.rounded for walk in walks))


class _SurveyingWalk(Walk):
    """A walk that keeps account of what comes to each rule."""

    asks_in_vain = True

    def __init__(self, surveyor: _Surveyor, witness: Answers) -> None:
        super().__init__(surveyor.table, HOOK, UNKNOWN_HOST, surveyor.broken, witness)
        self._entry = surveyor.entry
        self._passive = surveyor.passive

    def rules(self, request: Request) -> Iterable[CompiledRule]:
        return super().rules(request) if request.chain else self._entry

    def broken_jump(self, rule: CompiledRule, packet: Packet) -> Action:
        return Back(packet, f"{rule.jump} cannot be entered")

    def settled(self, truth: RuleTruth, share: Fraction) -> RuleTruth:
        if share or not truth.needs:
            return super().settled(truth, share)
        sure = settled(truth, self.witness.told)  # what nothing reaches hangs on nothing
        return RuleTruth(NEVER, ()) if sure.needs else sure

    def pass_by(self, rule: CompiledRule, walked: Walked) -> bool:
        if not self._passive.has(rule):
            return False
        before, walked.here = walked.here, {}
        for packet, reaching in before.items():
            after, notes = self._passive.pass_by(rule, packet, self.witness.told)
            add(walked.here, after, reaching)
            for note, chance in notes if reaching.share else ():
                _count(walked, note, times(reaching.share, chance))
        return True

    def share_out(self, rule: CompiledRule, walked: Walked, taken: dict[Packet, Took]) -> None:
        super().share_out(rule, walked, taken)
        if len(walked.here) > 1:
            reached = {packet: reaching for packet, reaching in walked.here.items() if reaching.share}
            walked.here = reached or dict(list(walked.here.items())[:1])

    def path(self, taken: Taken, action: Action) -> None:
        """Nobody asks a survey for ways."""

    def passed(self, walked: Walked, taken: Taken, called: Walked | None) -> None:
        walked.passages.append(Passage(taken.rule, taken.chance, taken.before, taken.share, called))
        for note, share in called.notes.items() if called and taken.share else ():
            _count(walked, note, product(taken.share, share)[0])


def _count(walked: Walked, note: Note, share: Fraction) -> None:
    before = walked.notes.get(note)
    walked.notes[note] = total((before, share)) if before else share


# --- the account of one case -------------------------------------------------------------------------------


def _case(when: When, walked: Walked) -> Case:
    ends: dict[Place, Fraction] = {}
    for end, reaching in walked.ends.items():
        if end.rule is not None:
            ends[end.rule] = total((ends[end.rule], reaching.share)) if end.rule in ends else reaching.share
    leftover = total(reaching.share for reaching in walked.left.values())
    arrivals, entered = _account(walked)
    return Case(when, ends, leftover, arrivals, entered, walked.notes)


def _account(top: Walked) -> tuple[dict[Place, Arrival], dict[str, Entry]]:
    """Pour all connections in at the top, and return what comes to each rule and chain."""
    arrivals: dict[Place, Arrival] = {}
    entered: dict[str, Entry] = {}
    entering: dict[Walked, Fraction] = {top: CERTAIN}
    for walked in _callers_first(top):
        whole = entering[walked]
        for rule, chance, before, taken, called in walked.passages:
            reaching, _ = product(whole, before)
            earlier = arrivals.get(rule.place)
            arrivals[rule.place] = Arrival(total((earlier.before, reaching)) if earlier else reaching, chance)
            if called is None:
                continue
            share, _ = product(whole, taken)
            entering[called] = total((entering[called], share)) if called in entering else share
            if rule.jump is not None:
                entry = entered.get(rule.jump)
                if entry is not None and entry.share:
                    entry = entry._replace(share=total((entry.share, share)))
                entered[rule.jump] = entry if entry is not None and entry.share else Entry(share, rule.place)
    return arrivals, entered


def _callers_first(top: Walked) -> Iterable[Walked]:
    """Return all walks below `top`, none before one that calls it; from a stack, however deep they lie."""
    done: dict[Walked, None] = {}
    pending = [(top, reversed(top.passages))]
    opened = {top}
    while pending:
        walked, passages = pending[-1]
        called = next((called for *_, called in passages if called and called not in opened), None)
        if called is not None:
            opened.add(called)
            pending.append((called, reversed(called.passages)))
        else:
            pending.pop()
            done[walked] = None
    return reversed(done)
