"""The first lines of a trace: what was asked for, who does not reach it and why, who does and with which shares.

What all frontends say stands in a line or two; below it, frontends with the same answer stand together once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import kind_word
from iptviz.records import NamedTuple
from iptviz.view.blocks import Fact, Facts, Heading, later
from iptviz.view.deciders import decider_label
from iptviz.view.fates import FATE_KINDS, RARE
from iptviz.view.labels import (
    OPEN_QUESTIONS,
    frontend_label,
    frontends_label,
    here,
    service_label,
    services_label,
    some_of,
)
from iptviz.view.nodes import OTHERWISE
from iptviz.view.numbers import counted
from iptviz.view.ways import REACHED, way_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iptviz.kube.service import ServiceTrace
    from iptviz.view.nodes import Mood
    from iptviz.view.together import Together
    from iptviz.view.ways import WayLine

_MOST_PARTS = 3
"""Of more groups of clients and frontends it is not told in one line who gets which share."""

_INCOMPLETE = "is incomplete: see the notes"

_NOT_FOLLOWED = Fact(
    "Not known",
    "which clients get through: what rules do to these connections was not looked at",
    "",
    "about",
)

_LEAST = 2
"""So many lines follow what was asked for."""


class FirstLines(NamedTuple):
    """The first lines of an answer: what was asked for, and at most two lines on what comes of it.

    `whole` says that they tell all that is usual of every frontend, so that it need not be told again.
    """

    heading: Heading
    facts: Callable[[], tuple[Fact, ...]]
    whole: bool

    @property
    def blocks(self) -> tuple[Heading, Facts]:
        """The lines as blocks."""
        return self.heading, Facts(self.facts)


def first_lines(
    groups: Sequence[Together],
    verdicts: Sequence[Fact],
    *,
    complete: bool,
    left_open: bool,
    follows_rules: bool,
) -> FirstLines:
    """Return the first lines of what is said of groups of frontends.

    `verdicts` is what kube-proxy's chains choose, where nobody looked at what else happens; `complete` says
    whether the dump lacks nothing, `left_open` whether questions were left open, which is no fault of the dump;
    `follows_rules`, whether it was looked at what rules do.
    """
    services = [service for group in groups for service in group.services]
    heading = Heading(services_label(services), frontends_label([service.frontend for service in services]))
    said, names = list(_said(groups)), _Names(services)
    short = _Short(said, names)

    def facts() -> tuple[Fact, ...]:
        told = map(names.fact, said) if len(said) <= _LEAST else short.facts()
        read = f"the {here(groups[0].answer.dump).removeprefix('this ')}"
        warnings = {f"{read} {_INCOMPLETE}": not complete, OPEN_QUESTIONS: left_open}
        lacking = (Fact("WARNING", text, "bad", "about") for text, holds in warnings.items() if holds)
        unknown = () if follows_rules else (_NOT_FOLLOWED,)
        return (*told, *verdicts, *unknown, *lacking)

    whole = len(said) <= _LEAST or short.is_whole
    return FirstLines(heading, later(facts), whole=whole)


class _Said(NamedTuple):
    """A line and the places of the frontends of which it is said."""

    line: WayLine
    places: tuple[int, ...]

    @property
    def is_plain(self) -> bool:
        """Whether it is said of clients under no condition."""
        return self.line.who == ", ".join(self.line.clients)

    @property
    def roughly(self) -> str:
        """The clients, and under which condition where that is one and needs no other line."""
        who = self.line.who
        _, *conditions = who.split(" when ")
        is_long = OTHERWISE in who or len(conditions) > 1 or any(" and " in one for one in conditions)
        return f"{', '.join(self.line.clients)} in some cases" if is_long else who


def _said(groups: Sequence[Together]) -> Iterator[_Said]:
    """Yield what is usual, what fails first; lines that name different rules of one sort are one."""
    alike: dict[object, list[tuple[WayLine, range]]] = {}
    begin = 0
    for group in groups:
        places = range(begin, begin := begin + len(group.places))
        for line in way_lines(group.ways) if group.ways else ():
            if line.kind not in RARE:
                alike.setdefault(_sort_of(line), []).append((line, places))
    found = list(map(_joined, alike.values()))
    yield from sorted(found, key=_urgency)


def _urgency(said: _Said) -> tuple[int, bool, int]:
    """Sort what fails first, and of that what fails under no condition, and at most frontends."""
    return FATE_KINDS.index(said.line.kind), not said.is_plain, -len(said.places)


def _sort_of(line: WayLine) -> object:
    """Return what is equal for lines that differ in nothing but the rule that decides, with one comment."""
    rest = _without_place(line)
    if line.by is None or line.by.number is None:
        return line.kind, line.word, line.who, rest
    rest = rest.replace(decider_label(line.by), "")
    return line.kind, line.word, line.who, rest, line.by.table, line.by.comment or line.by


def _without_place(line: WayLine) -> str:
    """Return what a line says without the address that connections keep."""
    return line.text.replace(f" to {line.to} unchanged", " unchanged") if line.to else line.text


def _joined(those: list[tuple[WayLine, range]]) -> _Said:
    """Return one line for those of one sort; where several rules decide, the first is named."""
    line = those[0][0]
    deciders = dict.fromkeys(one.by for one, _ in those if one.by)
    if len({one.to for one, _ in those}) > 1:
        line = line._replace(text=_without_place(line))
    if line.by and len(deciders) > 1:
        by = line.by._replace(others=sum(one.others + 1 for one in deciders) - 1)
        line = line._replace(text=line.text.replace(decider_label(line.by), decider_label(by)))
    return _Said(line, tuple(dict.fromkeys(place for _, places in those for place in places)))


class _Short:
    """The worst that is said, and in one line who reaches what with which shares."""

    def __init__(self, said: list[_Said], names: _Names) -> None:
        self.names = names
        self.good = [one for one in said if one.line.kind == REACHED]
        bad = [one for one in said if one.line.kind != REACHED]
        most = _LEAST - bool(self.good)
        self.shown, self.hidden = bad[:most], bad[most:]

    @property
    def is_whole(self) -> bool:
        """Whether the lines leave nothing out."""
        exact = all(one.roughly == one.line.who for one in (*self.shown, *self.good))
        return not self.hidden and exact and self._parts <= _MOST_PARTS

    def facts(self) -> Iterator[Fact]:
        """Yield the lines."""
        for one in self.shown:
            yield one.line.fact._replace(text=f"{self.names.roughly(one)}: {one.line.text}")
        if self.good:
            mood: Mood = "bad" if any(one.line.mood == "bad" for one in self.good) else "good"
            yield Fact(REACHED, self._reached(), mood, "reach")
        if self.hidden:
            told = dict.fromkeys(f"{one.line.word} {self.names.roughly(one)}" for one in self.hidden)
            yield Fact("also", "; ".join(some_of(list(told))), self.hidden[0].line.mood, "reach")

    @property
    def _parts(self) -> int:
        return sum(len(list(self.names.all_of(those, apart=False))) for those in self._texts().values())

    def _texts(self) -> dict[str, list[_Said]]:
        """Return what is reached, with the lines that say so."""
        texts: dict[str, list[_Said]] = {}
        for one in self.good:
            share = one.line.word.removeprefix(REACHED).strip()
            texts.setdefault(f"{share} to {one.line.text}" if share else one.line.text, []).append(one)
        return texts

    def _reached(self) -> str:
        """Say who reaches what with which shares, as far as that is short."""
        apart = len(self.good) > 1 and len(self.names.services) > 1
        if self._parts <= _MOST_PARTS:
            parts = ((self.names.all_of(those, apart=apart), text) for text, those in self._texts().items())
            return "; ".join("; ".join(who) + f": {text}" for who, text in parts)
        clients = ", ".join(dict.fromkeys(client for one in self.good for client in one.line.clients))
        counts = sorted({len(one.line.ends) for one in self.good})
        most = counted(counts[-1], "endpoint")
        ends = most if len(counts) == 1 else f"{counts[0]} to {most}"
        uneven = ", UNEVEN" if any(one.line.mood == "bad" for one in self.good) else ""
        return f"{clients}: {ends}{uneven}, differing by client and frontend"


# --- names ---------------------------------------------------------------------------------------------------


class _Names:
    """Calls some of an answer's frontends: by their service, their kind or their address, as short as will do."""

    def __init__(self, services: Sequence[ServiceTrace]) -> None:
        self.services = services

    def fact(self, said: _Said) -> Fact:
        """Return a line with who and where it is said of."""
        fact = said.line.fact
        where = self._where(said.places)
        return fact._replace(text=f"{self.who(said)}: {said.line.text}") if where else fact

    def all_of(self, those: Sequence[_Said], *, apart: bool) -> Iterator[str]:
        """Yield who all these lines are said of: clients of no condition together, by the frontends they ask.

        `apart`: of all frontends it is told that it is said of all.
        """
        at: dict[str, set[int]] = {}
        for one in those:
            if one.is_plain:
                for client in one.line.clients:
                    at.setdefault(client, set()).update(one.places)
        alike: dict[tuple[int, ...], list[str]] = {}
        for client, places in at.items():
            alike.setdefault(tuple(sorted(places)), []).append(client)
        for where, clients in sorted(alike.items(), key=lambda each: -len(each[0])):
            who = self._from(where, ", ".join(clients))
            yield f"all frontends from {who}" if apart and len(where) == len(self.services) else who
        yield from (self.roughly(one) for one in those if not one.is_plain)

    def roughly(self, said: _Said) -> str:
        """Return the clients and frontends; conditions that would be long are not told."""
        return self._from(said.places, said.roughly)

    def who(self, said: _Said) -> str:
        """Return the clients, and at which frontends where not at all of them."""
        return self._from(said.places, said.line.who)

    def _from(self, places: tuple[int, ...], who: str) -> str:
        where = self._where(places)
        return f"{where} from {who}" if where else who

    def _where(self, places: tuple[int, ...]) -> str:
        """Return how some frontends are called; empty for all of them."""
        if len(places) == len(self.services):
            return ""
        own = set(places)
        for call in (service_label, _kind_word, _place_word):
            called = dict.fromkeys(call(self.services[place]) for place in places)
            if {at for at, service in enumerate(self.services) if call(service) in called} == own:
                break
        if call is service_label:
            return services_label([self.services[place] for place in places])
        return ", ".join(some_of(list(called)))


def _kind_word(service: ServiceTrace) -> str:
    return kind_word(service.frontend.kind, untold=service.frontend.kind_untold)


def _place_word(service: ServiceTrace) -> str:
    return frontend_label(service.frontend)
