"""What becomes of a packet, case by case, each with the way of one client of the case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.answers import Anybody
from iptviz.engine.cases import Case, cases_of, regions_of
from iptviz.engine.chance import total
from iptviz.engine.effects import UndecidedError
from iptviz.engine.journey import NOT_FOLLOWED, Fate, Journey, Seen, fate_of
from iptviz.engine.marks import UNKNOWN_MARK
from iptviz.engine.nodes import TooLargeError
from iptviz.engine.passing import passed
from iptviz.engine.regions import common
from iptviz.engine.witness import Witness
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from fractions import Fraction

    from iptviz.engine.answers import Answers
    from iptviz.engine.condition import When
    from iptviz.engine.diagram import Diagrams
    from iptviz.engine.laws import Law
    from iptviz.engine.marks import Mark
    from iptviz.engine.packet import Packet
    from iptviz.engine.path import Path
    from iptviz.engine.regions import Region
    from iptviz.engine.unknowns import Unknowns
    from iptviz.engine.walk import End, Reaching
    from iptviz.rules.form import Place


class Outcome(NamedTuple):
    """One fate of the packet: of all that meet `when`, the share `share` (in [0, 1]) ends so.

    Outcomes with the same `when` sum to 1, and no packet meets two different ones. `first` is what is to be said
    of the case where those before it do not hold. `by` is the rule that decided, None where a policy, or nobody,
    did.
    `verdict` is ACCEPT, DROP, REJECT, QUEUE (a program decides), STOLEN (a target kept it), or UNKNOWN
    (a chain decides that the dump does not show).
    `route` is where an accepted packet is: `INPUT` (delivered to this node), `FORWARD`, `OUTPUT`, or empty
    where it got no further. `packet` is the packet in the end, with `dnat`, `snat` and `mark` as rewritten; the
    mark is unknown where it differs between packets that fare alike. `path` is the way of one of them, which
    `client` tells from others of its case. `certain`: all of the case are decided alike, by `by` or by a policy;
    else that is so of this client alone. `at_most` is the greatest share where questions were left open, of
    which `share` is then the least; else None.
    """

    verdict: str
    share: Fraction
    when: When
    route: str
    by: Place | None
    packet: Packet
    path: Path | None
    first: When = ()
    at_most: Fraction | None = None
    client: When = ()
    certain: bool = True

    @property
    def most(self) -> Fraction:
        """The greatest share; `share` itself where that is exact."""
        return self.share if self.at_most is None else self.at_most


class Told(NamedTuple):
    """The outcomes of one case, with the client whose way they tell."""

    outcomes: list[Outcome]
    witness: Answers


def told_cases(journey: Journey, packet: Packet, hook: str) -> list[Told]:
    """Return what happens to `packet` in every case in which it can be followed.

    Raises:
        TooLargeError: there are too many cases.
    """
    try:
        return [_of_anybody(journey, packet, hook)]
    except UndecidedError:  # then there are cases to be told apart
        return list(_by_cases(journey, packet, hook))


def _of_anybody(journey: Journey, packet: Packet, hook: str) -> Told:
    """Return the only case.

    Raises:
        UndecidedError: there are several.
    """
    witness = Anybody(journey.unknowns.told)
    ends = passed(journey, packet, hook, witness)
    marks: dict[Fate, set[Mark]] = {}
    for end in ends:
        marks.setdefault(fate_of(end.verdict, end.packet), set()).add(end.packet.mark)
    outcomes = _outcomes(Case((), (), {}, None), ends)
    return Told([_with_mark(outcome, marks) for outcome in outcomes], witness)


def _by_cases(journey: Journey, packet: Packet, hook: str) -> Iterator[Told]:
    unknowns, diagrams = journey.unknowns, journey.unknowns.diagrams
    whole = journey.diagram(packet, hook)
    fates = diagrams.replaced(whole, lambda leaf: diagrams.leaf(diagrams.says(leaf).fate))
    cases = cases_of(unknowns, unknowns.narrowed(diagrams.flattened(fates)))
    reached = [_reached(diagrams, whole, case) for case in cases]
    marks = _marks(cases, reached)
    for case, seen in zip(cases, reached, strict=True):
        law: Law = case.says
        if all(fate != NOT_FOLLOWED.fate for fate, _, _ in law.parts):
            witness = Witness(unknowns, case.regions)
            ends = passed(journey, packet, hook, witness)
            outcomes = _bounded(_outcomes(case, ends), law, case, packet)
            several = _decided_by_several(seen)
            apart = _told_from_others(unknowns, whole, case, witness) if several else ()
            client = tuple(dict.fromkeys((*witness.client(), *apart))) or tuple(witness.left_open())
            marked = [_with_mark(outcome, marks[law])._replace(client=client) for outcome in outcomes]
            yield Told([_with_doubt(outcome, several) for outcome in marked], witness)


def _reached(diagrams: Diagrams, whole: int, case: Case) -> list[Seen]:
    """Return what may become of packets of a case."""
    return [diagrams.says(leaf) for leaf in diagrams.leaves_within(whole, case.regions)]


def _marks(cases: Sequence[Case], reached: Sequence[Sequence[Seen]]) -> dict[Law, dict[Fate, set[Mark]]]:
    """Return the marks that packets may have in the end, by what becomes of them.

    Cases that come to the same are told as one, in words that may be those of each other: see `Case.first`.
    """
    found: dict[Law, dict[Fate, set[Mark]]] = {}
    for case, those in zip(cases, reached, strict=True):
        marks = found.setdefault(case.says, {})
        for seen in those:
            marks.setdefault(seen.fate, set()).add(seen.mark)
    return found


def _decided_by_several(reached: Sequence[Seen]) -> set[Fate]:
    """Return the fates that some packets of a case owe to one rule or policy, and others to another."""
    deciders: dict[Fate, set[object]] = {}
    for seen in reached:
        deciders.setdefault(seen.fate, set()).add(seen.by)
    return {fate for fate, by in deciders.items() if len(by) > 1}


def _told_from_others(unknowns: Unknowns, whole: int, case: Case, witness: Witness) -> When:
    """Return what tells a client from others of its case, to whom the same comes by other rules.

    Where that takes too many words it is left out.
    """
    diagrams = unknowns.diagrams
    own = {diagrams.says(leaf)._replace(mark=UNKNOWN_MARK) for leaf in witness.leaves(whole)}
    for rank, region in case.regions.items():
        whole = diagrams.within(whole, rank, region)
    like = diagrams.replaced(
        whole, lambda leaf: diagrams.leaf(diagrams.says(leaf)._replace(mark=UNKNOWN_MARK) in own)
    )
    try:
        found = regions_of(unknowns, unknowns.narrowed(diagrams.flattened(like)))
    except TooLargeError:
        return ()
    regions = next((each for each, _ in found if witness.is_of(each)), {})
    return tuple(need for rank, region in regions.items() for need in _narrower(witness, case, rank, region))


def _narrower(witness: Witness, case: Case, rank: int, region: Region) -> When:
    """Return in which part of its case a client is by one field, of the values in `region`."""
    of_case = case.regions.get(rank)
    part = region if of_case is None else common(region, of_case)
    return () if part == of_case else witness.told_of(rank, part)


def _with_doubt(outcome: Outcome, several: Collection[Fate]) -> Outcome:
    """Return an outcome that says whether all of its case are decided alike."""
    return outcome._replace(certain=fate_of(outcome.verdict, outcome.packet) not in several)


def _with_mark(outcome: Outcome, marks: dict[Fate, set[Mark]]) -> Outcome:
    """Return an outcome whose mark is that of all its packets; of several, it is not known."""
    possible = marks[fate_of(outcome.verdict, outcome.packet)]
    mark = next(iter(possible)) if len(possible) == 1 else UNKNOWN_MARK
    return outcome._replace(packet=outcome.packet._replace(mark=mark))


def outcomes_of(ends: dict[End, Reaching]) -> list[Outcome]:
    """Return the outcomes of one packet of which all is answered, as `passed` finds its ends."""
    return list(_outcomes(Case((), (), {}, None), ends))


def _outcomes(case: Case, ends: dict[End, Reaching]) -> Iterator[Outcome]:
    """Yield the ends, of which those that look the same from outside, and that one rule decided, are one."""
    found: dict[tuple[Fate, Place | None], list[tuple[End, Reaching]]] = {}
    for end, reaching in ends.items():
        by = None if end.verdict == "ACCEPT" else end.rule
        found.setdefault((fate_of(end.verdict, end.packet), by), []).append((end, reaching))
    for same in found.values():
        end, likeliest = max(same, key=lambda one: one[1].share)
        yield Outcome(
            end.verdict, total(reaching.share for _, reaching in same), case.when, end.packet.route, end.rule,
            end.packet, likeliest.path, case.first,
        )  # fmt: skip


def _bounded(outcomes: Iterator[Outcome], law: Law, case: Case, packet: Packet) -> Iterator[Outcome]:
    """Yield the outcomes, with bounds instead of shares where questions were left open."""
    if all(least == most for _, least, most in law.parts):
        yield from outcomes
        return
    bounds = {fate: (least, most) for fate, least, most in law.parts}
    for outcome in outcomes:
        fate = fate_of(outcome.verdict, outcome.packet)
        if fate in bounds:  # of several rules that decide alike one is told
            least, most = bounds.pop(fate)
            yield outcome._replace(share=least, at_most=most)
    for fate, (least, most) in bounds.items():
        end = packet._replace(route=fate.route, dnat=fate.dnat, snat=fate.snat)
        yield Outcome(fate.verdict, least, case.when, fate.route, None, end, None, case.first, most)
