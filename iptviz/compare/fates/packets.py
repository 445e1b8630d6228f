"""Whether one packet fares differently on two nodes, and where its ways part: by what rules do, not by lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.compare.fates.diagram_differences import Rest, cases_of, differing, evened, evened_shares, unlike
from iptviz.compare.fates.parting import parting_steps
from iptviz.compare.fates.sample_packet import holds
from iptviz.compare.fates.two_nodes import OneSide, SameLines, Side, hosts
from iptviz.engine.chance import NEVER, total
from iptviz.engine.hooks import Hooks
from iptviz.engine.host import UNKNOWN_HOST
from iptviz.engine.journey import Fate, Journey, fate_of
from iptviz.engine.knowing import known_fields
from iptviz.engine.nodes import TooLargeError
from iptviz.engine.outcome import Outcome, outcomes_of
from iptviz.engine.passing import passed
from iptviz.engine.unknowns import EXCLUDED, Unknowns
from iptviz.engine.witness import Witness
from iptviz.engine.words import told
from iptviz.errors import PacketError
from iptviz.paths.pasts import pasts_of
from iptviz.records import NamedTuple
from iptviz.rules.iptables import DumpRules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from fractions import Fraction

    from iptviz.compare.fates.diagram_differences import Regions
    from iptviz.engine.condition import Assumption, Condition, When
    from iptviz.engine.packet import Packet
    from iptviz.engine.path import Step
    from iptviz.paths.survey import Evidence


class Asking(NamedTuple):
    """One packet as one node is asked about it: it starts at `hook`."""

    evidence: Evidence
    packet: Packet
    hook: str


class Parting(NamedTuple):
    """Where the ways of one packet part, where all of `when` hold.

    `old` and `new` are the first steps that differ by meaning, with table, chain and rule (None for a policy,
    or routing); None: a side does nothing there, or it is not known where they part. `old_ends` and `new_ends`
    are the outcomes of that packet with their shares and ways.
    """

    when: When
    old: Step | None
    new: Step | None
    old_ends: tuple[Outcome, ...]
    new_ends: tuple[Outcome, ...]


class PacketComparison(NamedTuple):
    """What is found: `differs` is None where that is not known, since there are too many cases.

    `same` are questions that nobody answers and both sides ask, taken to have one answer; `set_aside` names
    what is known of one node alone, or otherwise of each, and was left open.
    """

    differs: bool | None
    parting: Parting | None
    same: tuple[Condition, ...] = ()
    set_aside: tuple[str, ...] = ()


def compared_packet(old: Asking, new: Asking) -> PacketComparison:
    """Compare the fates of a packet: its verdict, where routing sends it, DNAT and SNAT, each with its share."""
    told = hosts(old.evidence.host, new.evidence.host)
    lines = SameLines()
    shared = Unknowns(f"ipv{told.old.version}", known_fields(old.packet, told.old), UNKNOWN_HOST)
    sides = [
        _Asked(shared, asking, Side(asking.evidence.dumps[0], asking.evidence, host, lines))
        for asking, host in ((old, told.old), (new, told.new))
    ]
    try:
        differs, parting = _parting(shared, sides)
    except (TooLargeError, PacketError):
        differs, parting = None, None
    mine, theirs = (side.unknowns.own for side in sides)
    same = tuple(lines.shown(each) for each in mine if each in theirs)
    if parting is not None:
        when = tuple(each._replace(condition=lines.shown(each.condition)) for each in parting.when)
        parting = parting._replace(when=when)
    return PacketComparison(differs, parting, same, told.set_aside)


class _Asked:
    """One side that is asked about a packet."""

    def __init__(self, shared: Unknowns, asking: Asking, side: Side) -> None:
        evidence = side.evidence
        self.unknowns = OneSide(shared, side)
        self.unknowns.assume([*side.granted, *evidence.given])
        self.packet = asking.packet._replace(out_interface=None)
        self.hook = asking.hook
        rules = list(map(DumpRules, evidence.dumps))
        pasts = pasts_of(evidence.dumps, rules, side.host, asking.packet, asking.hook)
        hooks = Hooks(
            rules,
            side.host,
            asking.packet.state,
            evidence.unseen,
            evidence.beyond,
            pasts=pasts,
            asks_own=True,
        )
        self.journey = Journey(hooks, self.unknowns)

    def diagram(self) -> int:
        """Return the fates of the packet: the leaves say `Fate`, as far as it is seen from outside."""
        diagrams = self.unknowns.diagrams
        whole = self.journey.diagram(self.packet, self.hook)
        fates = diagrams.replaced(whole, lambda leaf: diagrams.leaf(diagrams.says(leaf).fate))
        return diagrams.replaced(
            evened(diagrams, fates), lambda leaf: diagrams.leaf(seen_fate(diagrams.says(leaf)))
        )

    def ends(self, witness: Witness) -> list[Outcome]:
        """Return the outcomes of one packet, of which all is answered."""
        return outcomes_of(passed(self.journey, self.packet, self.hook, witness))


def seen_fate(fate: Fate) -> Fate:
    """Return a fate as it is seen from outside: where what is not accepted was sent makes no difference."""
    return fate if fate.verdict == "ACCEPT" else Fate(fate.verdict, "", None, None)


def _parting(shared: Unknowns, sides: Sequence[_Asked]) -> tuple[bool | None, Parting | None]:
    """Return whether fates differ, and for one packet where its ways part.

    Raises:
        TooLargeError: there are too many cases.
        PacketError: the packet cannot be followed.
    """
    diagrams = shared.diagrams
    where = unlike(diagrams, *(side.diagram() for side in sides))
    if where == diagrams.no:
        return False, None

    def told(leaf: int) -> int:
        rest = diagrams.says(leaf)
        return differing(diagrams, rest, lambda way: way, _same) if isinstance(rest, Rest) else leaf

    number = diagrams.replaced(where, told)
    for side in sides:
        number = side.unknowns.narrowed(number)
    excluded = diagrams.leaf(EXCLUDED)
    number = diagrams.replaced(number, lambda leaf: diagrams.no if leaf == excluded else leaf)
    cases = cases_of(shared, number)
    for regions in cases:
        parting = _of_case(sides, regions)
        if parting is not None:
            return True, parting
    return (None if cases else False), None


def _same(old: object, new: object) -> bool:
    return old == new


def _of_case(sides: Sequence[_Asked], regions: Regions) -> Parting | None:
    """Return where the ways of one packet of a case part; None where it fares alike."""
    first = Witness(sides[0].unknowns, regions)
    witnesses = first, Witness(sides[1].unknowns, regions, first.values)
    old, new = (side.ends(witness) for side, witness in zip(sides, witnesses, strict=True))
    mine, theirs = _law(old), _law(new)
    if mine == theirs:
        return None
    steps = parting_steps(_most(old, mine, theirs), _most(new, theirs, mine), sides[0].hook)
    return Parting(tuple(_conditions(first)), *steps, tuple(old), tuple(new))


def _most(ends: Sequence[Outcome], own: Mapping[Fate, Fraction], other: Mapping[Fate, Fraction]) -> Outcome:
    """Return the outcome that one side has most of, compared with the other."""
    return max(ends, key=lambda end: own.get(_fate(end), NEVER) - other.get(_fate(end), NEVER))


def _conditions(witness: Witness) -> Iterator[Assumption]:
    """Yield what makes a packet one of its case."""
    for rank, region in witness.regions.items():
        for conditions, part in told(witness.unknowns, rank, region):
            if holds(part, witness.value(rank)):
                yield from conditions


def _fate(outcome: Outcome) -> Fate:
    return seen_fate(fate_of(outcome.verdict, outcome.packet))


def _law(outcomes: Sequence[Outcome]) -> dict[Fate, Fraction]:
    """Return each fate with its share, where even but for rounding exactly even."""
    shares = evened_shares(tuple(outcome.share for outcome in outcomes))
    found: dict[Fate, list[Fraction]] = {}
    for outcome, share in zip(outcomes, shares, strict=True):
        found.setdefault(_fate(outcome), []).append(share)
    return {fate: total(same) for fate, same in found.items()}
