"""The view of a packet's fate as a picture: the chains on its ways, and a box for each end."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, total
from iptviz.engine.condition import clauses
from iptviz.engine.path import MISSED, steps_of
from iptviz.records import NamedTuple
from iptviz.view.labels import FOLD_FROM, SHOWN, dump_label, note_texts
from iptviz.view.numbers import bounds, counted
from iptviz.view.packet_labels import (
    PacketCase,
    asked_label,
    assumed_of,
    circumstances_label,
    effect_label,
    fate_label,
    packet_cases,
    rewritten_labels,
)
from iptviz.view.picture import Box, Link, Picture, chain_id
from iptviz.view.rules import quoted_rules
from iptviz.view.text import note_line, printable, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from iptviz.engine.outcome import Outcome
    from iptviz.engine.path import Step
    from iptviz.questions.packet import PacketResult

_PACKET, _FOLDED = "packet", "folded"
_MOST_LETTERS = 6


class _Way(NamedTuple):
    """An outcome with its case and the rules that matched on its way."""

    letter: str
    outcome: Outcome
    steps: list[Step]

    @property
    def chains(self) -> list[str]:
        """The ids of the chains in which the steps were made."""
        return [chain_id(step.chain, step.table) for step in self.steps]


def packet_picture(result: PacketResult, *, fold: bool = True) -> Picture:
    """Return the picture of `result`; `fold` joins many ends into one box."""
    cases = packet_cases(result.outcomes)
    ways = [_way(case, outcome) for case in cases for outcome in case.outcomes]
    painter = _WaysPainter(result, ways, fold=fold)
    links = painter.links()
    footer = [circumstances_label(result.asked, result.hook)]
    assumed = assumed_of(result)
    footer += [f"assumed: {printable(clauses(assumed))}"] if assumed else []
    footer += _case_headings([case for case in cases if case.when], fold=fold)
    footer += [note_line(note) for note in note_texts(result.notes)]
    rules = [step.rule for way in ways for step in way.steps if step.rule]
    return Picture(
        asked_label(result.asked),
        tuple(painter.boxes()),
        tuple(links),
        tuple(footer),
        dump_label(result.dump, complete=result.dump.complete),
        quoted_rules(rules, fold=fold),
        downward=True,
    )


def _case_headings(cases: list[PacketCase], *, fold: bool) -> Iterator[str]:
    """Yield when each case comes about; of many, folded, the first."""
    shown = SHOWN if fold and len(cases) > FOLD_FROM else len(cases)
    headings = (heading for case in cases[:shown] for heading in case.case.lines)
    yield from (line for heading in headings for line in wrapped(heading))
    if shown < len(cases):
        yield f"and {counted(len(cases) - shown, 'more case')} (--all)"


def _way(case: PacketCase, outcome: Outcome) -> _Way:
    steps, _ = steps_of(outcome.path)
    return _Way(case.letter, outcome, [step for step in steps if step.kind != MISSED])


class _WaysPainter:
    """Draws the ways of the first ends; the others come to one box."""

    def __init__(self, result: PacketResult, ways: list[_Way], *, fold: bool) -> None:
        self.asked = result.asked
        self.node = result.snapshot
        self.ends: dict[tuple[str, ...], list[_Way]] = {}
        for way in ways:
            self.ends.setdefault(self._end_lines(way.outcome), []).append(way)
        shown = SHOWN if fold and len(self.ends) > FOLD_FROM else len(self.ends)
        self.drawn = dict(list(self.ends.items())[:shown])
        self.hidden = [way for those in list(self.ends.values())[shown:] for way in those]

    def _end_lines(self, outcome: Outcome) -> tuple[str, ...]:
        return (fate_label(outcome), *filter(None, rewritten_labels(outcome, self.asked, self.node)))

    def boxes(self) -> Iterator[Box]:
        yield Box(_PACKET, "frontend", (asked_label(self.asked),))
        steps = {chain_id(step.chain, step.table): step for way in self._drawn_ways() for step in way.steps}
        for identifier, step in steps.items():
            yield Box(identifier, "chain", (printable(f"{step.table} {step.chain}"),))
        for number, (lines, ways) in enumerate(self.drawn.items()):
            kind = "endpoint" if ways[0].outcome.verdict == "ACCEPT" else "verdict"
            yield Box(f"end/{number}", kind, (*lines, *_shares(ways)))
        if self.hidden:
            number = len(self.ends) - len(self.drawn)
            lines = (counted(number, "more end"), *_shares(self.hidden), "(--all)")
            yield Box(_FOLDED, "fold", lines)

    def _drawn_ways(self) -> list[_Way]:
        return [way for ways in self.drawn.values() for way in ways]

    def links(self) -> list[Link]:
        """Return a link for each change of chain, with all ways that go by it, and those to the ends."""
        used: dict[tuple[str, str, tuple[str, ...]], list[_Way]] = {}
        for number, ways in enumerate(self.drawn.values()):
            for way in ways:
                for key in dict.fromkeys(_moves(way, f"end/{number}")):
                    used.setdefault(key, []).append(way)
        for way in self.hidden:
            for key in dict.fromkeys(_moves(way, _FOLDED)):
                if key in used:
                    used[key].append(way)
        links = [
            Link(tail, head, (*lines, *_shares(ways)), "jump", _most(ways))
            for (tail, head, lines), ways in used.items()
        ]
        if self.hidden:
            links.append(Link(self._fork(), _FOLDED, (), "jump", _most(self.hidden)))
        return links

    def _fork(self) -> str:
        """Return the last box that is drawn, of those that all hidden ways have in common."""
        drawn = {identifier for way in self._drawn_ways() for identifier in way.chains}
        together = zip(*(way.chains for way in self.hidden), strict=False)
        common = takewhile(lambda ids: len(set(ids)) == 1 and ids[0] in drawn, together)
        return next(reversed([ids[0] for ids in common]), _PACKET)


def _moves(way: _Way, end: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield from where to where a way goes, and by which step, whenever it comes to another chain.

    A chain that a jump entered and in which nothing matched has no box: the way goes on from the caller.
    """
    places = [_PACKET, *way.chains, end]
    yield _PACKET, places[1], ()
    been = {places[1]}
    for step, tail, head in zip(way.steps, way.chains, places[2:], strict=True):
        came_back = _callee(step) not in {"", head}
        if tail != head and not (came_back and head in been):
            yield tail, head, () if came_back else _effect_lines(step)
        been.add(head)


def _callee(step: Step) -> str:
    """Return the id of the chain that a step enters, empty for one that enters none."""
    how, _, chain = step.effect.partition(" ")
    return chain_id(chain, step.table) if how in {"jump", "goto"} else ""


def _effect_lines(step: Step) -> tuple[str, ...]:
    return effect_label(step), f"line {step.rule.line}" if step.rule else ""


def _most(ways: Iterable[_Way]) -> float:
    """Return the largest share that the ways of one case may have together."""
    return max(float(most) for _, most in _by_letter(ways).values())


def _shares(ways: Iterable[_Way]) -> tuple[str, ...]:
    """Return what the ways have together: one share where there is one case, else each case's."""
    letters: dict[str, list[str]] = {}
    for letter, shares in _by_letter(ways).items():
        letters.setdefault(bounds(*shares), []).append(letter)
    return tuple(f"{_letters(those)}: {share}" if those[0] else share for share, those in letters.items())


def _letters(those: list[str]) -> str:
    more = len(those) - _MOST_LETTERS
    return ", ".join(those[:_MOST_LETTERS]) + (f" and {more} more" if more > 0 else "")


def _by_letter(ways: Iterable[_Way]) -> dict[str, tuple[Fraction, Fraction]]:
    """Return the least and the greatest share that the ways of each case have together."""
    groups: dict[str, list[Outcome]] = {}
    for way in ways:
        groups.setdefault(way.letter, []).append(way.outcome)
    return {letter: _together(outcomes) for letter, outcomes in groups.items()}


def _together(outcomes: list[Outcome]) -> tuple[Fraction, Fraction]:
    least = total(outcome.share for outcome in outcomes)
    if all(outcome.at_most is None for outcome in outcomes):
        return least, least
    return least, min(CERTAIN, total(outcome.most for outcome in outcomes))
