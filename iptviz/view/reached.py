"""Who reaches a service and who does not, in a word and with the cause; causes that many services share, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.causes import failure_text
from iptviz.checks.wording import kind_word
from iptviz.engine.chance import NEVER
from iptviz.paths.fares import FARE_WORDS, fails, surely_reached, worst_at
from iptviz.records import NamedTuple
from iptviz.view.blocks import Fact
from iptviz.view.numbers import counted, percent
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.compare.ports.form import FrontendForm, PortForm
    from iptviz.paths.fares import Failure, Fare, FareWord
    from iptviz.paths.model import Decider
    from iptviz.questions.services import ServicesResult
    from iptviz.view.nodes import Mood

_WORDS: dict[FareWord, str] = {"no": "not by {clients}", "yes": "yes"}
"""What is said of clients of whom not all fare alike; the word and the clients where nothing stands here."""

_PEOPLE = {"outside": "outside clients", "pod": "pods", "node": "this node"}
"""What kinds of clients are called in a sentence."""

NOT_REACHED = "Not reached"
_IN_PART = "Partly reached"
_REDIRECTED = "Redirected"
_DEPENDS = "Depends"
_LABELS: dict[FareWord, str] = {
    "no": NOT_REACHED,
    "no endpoints": NOT_REACHED,
    "in part": _IN_PART,
    "redirected": _REDIRECTED,
    "depends": _DEPENDS,
}
"""What a line begins with that says why clients fail, by how they fare."""
_ORDER = (NOT_REACHED, _IN_PART, _REDIRECTED, _DEPENDS)
_NAMED = 3
_MOST_CONDITIONS = 2
_BOTH = 2
"""So many causes are told where there are no more: the one or the other holds."""
MOST_CAUSES = 8
"""Of more causes than this the others are counted."""


class ReachedWords:
    """Says how clients fare at service ports: of those at which they fare alike once."""

    def __init__(self) -> None:
        self._known: dict[object, tuple[Sequence[FrontendForm], str, list[str]]] = {}

    def of(self, port: Sequence[FrontendForm]) -> tuple[str, list[str]]:
        """Return what `reached_text` and `cause_remarks` say."""
        key = tuple([(frontend.kind, id(frontend.reached)) for frontend in port])
        if key not in self._known:
            self._known[key] = port, reached_text(port), cause_remarks(port)
        return self._known[key][1:]


# --- in a word -----------------------------------------------------------------------------------------------


def reached_text(port: Sequence[FrontendForm]) -> str:
    """Return the words for the worst frontend, with its kind and those that fare alike where others do not."""
    worst, named = _words(_worst(port)), _named(port)
    if len(named) == len(port):
        return worst
    return f"{', '.join(dict.fromkeys(map(frontend_kind, named)))} {worst}"


def _worst(port: Sequence[FrontendForm]) -> FrontendForm:
    """Return the worst frontend: of those that fare alike one that fails whatever else is so."""
    return min(port, key=lambda frontend: (worst_at(frontend), _conditions(frontend)))


def _conditions(frontend: FrontendForm) -> int:
    """Return how many conditions the cause of most failures has where clients fare worst."""
    word = FARE_WORDS[worst_at(frontend)] if frontend.fares else None
    return min(
        (len(fare.failures[0].when) for fare in frontend.fares if fare.word == word and fare.failures),
        default=0,
    )


def _named(port: Sequence[FrontendForm]) -> list[FrontendForm]:
    """Return the frontends of which is said what is said of the worst one."""
    worst = _words(_worst(port))
    return [one for one in port if _words(one) == worst]


def frontend_kind(frontend: FrontendForm) -> str:
    """Return the kind of a frontend in words."""
    return kind_word(frontend.kind, untold="kind" in frontend.untold)


def _words(frontend: FrontendForm) -> str:
    """Return how clients fare at a frontend; what is well is not said beside what is not."""
    if not frontend.fares:
        return "?"
    by_word: dict[FareWord, list[str]] = {}
    for fare in sorted(frontend.fares, key=lambda fare: FARE_WORDS.index(fare.word)):
        by_word.setdefault(fare.word, []).extend(fare.clients)
    if len(by_word) == 1:
        return next(iter(by_word))
    return "; ".join(_of_some(word, clients) for word, clients in by_word.items() if word != "yes")


def _of_some(word: FareWord, clients: list[str]) -> str:
    return _WORDS.get(word, f"{word}: {{clients}}").format(clients=", ".join(clients))


# --- with the cause ------------------------------------------------------------------------------------------


def cause_remarks(port: Sequence[FrontendForm]) -> list[str]:
    """Return why connections to the worst frontend fail, for each kind of clients the cause of most failures.

    The frontend is named where others that are called as bad fail by something else.
    """
    worst = _worst(port)
    causes = _causes(worst)
    alike = all(_causes(one) == causes for one in _named(port))
    at = "" if alike else f" at {frontend_kind(worst)}"
    return [f"{clients}{at}: {cause}" for clients, cause in causes]


def _causes(frontend: FrontendForm) -> list[tuple[str, str]]:
    """Return why connections to a frontend fail, in words, with whose they are."""
    fares = (fare for fare in frontend.fares if fare.failures and fare.word != "no endpoints")
    return [
        (", ".join(fare.clients), _failure_text(fare.failures[0], fare.word) + _otherwise(fare))
        for fare in fares
    ]


def _failure_text(failure: Failure, word: FareWord) -> str:
    said = printable(failure_text(failure, _MOST_CONDITIONS))
    share = f"{percent(failure.share)}: " if word == "in part" else ""
    return f"{word}: {said}" if word == "depends" else share + said


def _otherwise(fare: Fare) -> str:
    """Say by what else clients fail, where all fail by the one cause or the other: one alone tells half of it."""
    if fare.at_most != NEVER or len(fare.failures) != _BOTH or not fare.failures[0].when:
        return ""
    return printable(f"; otherwise {failure_text(fare.failures[1]._replace(when=()))}")


# --- of many services ----------------------------------------------------------------------------------------


def reached_parts(ports: Sequence[tuple[FrontendForm, ...]]) -> list[str]:
    """Return how many service ports some clients do not reach, of how many conditions decide, or nobody knows."""
    failing = sum(map(fails, ports))
    others = [port for port in ports if not fails(port) and not surely_reached(port)]
    unknown = sum(any(not frontend.fares for frontend in port) for port in others)
    counts = {
        "not reached by all clients": failing,
        "depending on conditions": len(others) - unknown,
        "not known": unknown,
    }
    return [f"{count:,} {what}" for what, count in counts.items() if count]


class _Failing(NamedTuple):
    """A service port, how many frontends it has, and those at which clients fail, in words."""

    name: str
    frontends: int
    places: list[str]

    @property
    def text(self) -> str:
        """Its name, with the frontends where others fare otherwise."""
        return self.name if len(self.places) == self.frontends else f"{self.name} ({', '.join(self.places)})"


class _Group(NamedTuple):
    """Services of which the same kinds of clients fail by the same cause under the same conditions.

    `failure` is that of the first; `deciders` are the rules of all, where each service has its own; `otherwise`
    says by what else they fail.
    """

    label: str
    failure: Failure
    people: tuple[str, ...]
    ports: dict[int, _Failing]
    deciders: dict[Decider, None]
    otherwise: str

    def place(self) -> tuple[bool, int, int]:
        """Sort what is refused as it should be last, what is not reached at all first, then by frontends."""
        frontends = sum(len(port.places) for port in self.ports.values())
        return self.failure.cause.why == "no endpoints", _ORDER.index(self.label), -frontends

    @property
    def fact(self) -> Fact:
        """The services, the clients and the cause in a line."""
        names = printable(", ".join(port.text for port in list(self.ports.values())[:_NAMED]))
        why = printable(failure_text(self.failure, _MOST_CONDITIONS, tuple(self.deciders)))
        said = f" by {_listed(self.people)}: {why}{self.otherwise}"
        if len(self.ports) > _NAMED:
            said += f" ({names} ...)"
            names = counted(len(self.ports), "service port")
        is_open = self.label == _DEPENDS or self.failure.cause.why == "no endpoints"
        return Fact(self.label, names + said, "" if is_open else "bad", "services")


def _listed(words: Sequence[str]) -> str:
    """Return words with commas between them, and `and` before the last."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def cause_facts(results: Iterable[ServicesResult]) -> Iterator[Fact]:
    """Yield why connections fail, each cause once with all services, that of the most services first.

    What fails under conditions alone comes last: it is told as such.
    """
    groups: dict[object, _Group] = {}
    for port, frontend, fare in _failing(results):
        failure = fare.failures[0]
        people = tuple(_PEOPLE.get(client, client) for client in fare.clients)
        label = _label(fare)
        otherwise = _otherwise(fare)
        key = label, failure.cause.key, people, failure.when, otherwise
        group = groups.setdefault(key, _Group(label, failure, people, {}, {}, otherwise))
        if failure.cause.by:
            group.deciders[failure.cause.by] = None
        found = group.ports.setdefault(id(port), _Failing(port.name, len(port.frontends), []))
        found.places.append(f"{frontend_kind(frontend)} {frontend.at}".rstrip())
    ordered = sorted(groups.values(), key=_Group.place)
    yield from (group.fact for group in ordered[:MOST_CAUSES])
    if (more := len(ordered) - MOST_CAUSES) > 0:
        label = ordered[MOST_CAUSES].label
        mood: Mood = "" if label == _DEPENDS else "bad"
        yield Fact(label, f"and by {counted(more, 'more cause')} (see the list)", mood, "services")


def _label(fare: Fare) -> str:
    """Return what a line begins with that says why clients fail."""
    if fare.word == "depends" and fare.fails:
        return NOT_REACHED if fare.at_most == NEVER else _IN_PART
    return _LABELS[fare.word]


def _failing(results: Iterable[ServicesResult]) -> Iterator[tuple[PortForm, FrontendForm, Fare]]:
    """Yield what fails, or may: of which service port, at which of its frontends, and how."""
    for result in results:
        for port in result.forms:
            for frontend in port.frontends:
                for fare in frontend.fares:
                    if fare.failures and (fare.fails or fare.may_fail):
                        yield port, frontend, fare
