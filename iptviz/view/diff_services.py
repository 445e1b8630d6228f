"""Lines of what changed of service ports: who is no longer reached, then what went, then the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.compare.ports.differences import FRONTEND_CHANGES, PROPERTY_CHANGES
from iptviz.documents.diff_v1 import by_frontends
from iptviz.documents.differing import frontend_text, property_texts, reached_texts, single_text
from iptviz.paths.fares import FARE_WORDS
from iptviz.view.changes import ChangeLine, line
from iptviz.view.numbers import bounds, counted, percent
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from fractions import Fraction

    from iptviz.compare.ports.differences import (
        ChangedPort,
        EndpointDifference,
        FrontendDifference,
        PortChanges,
        PortDifference,
        PropertyDifference,
        ReachedDifference,
    )
    from iptviz.compare.ports.form import FrontendForm, PortForm
    from iptviz.view.changes import Sign

_MOST_PORTS = 20
_MOST_ENDS = 10
_MOST_FRONTENDS = 4
_MOST_NAMES = 3
"""So many are told one by one, unless all are asked for."""


def service_lines(ports: PortChanges, *, fold: bool) -> Iterator[ChangeLine]:
    """Yield the lines of all service ports that differ; those that differ alike together, folded some of many.

    What differs for single clients alone comes last, however many service ports it is at.
    """
    changed = sorted(filter(None, map(_without_single, ports.changed)), key=_urgency)
    worse = sum(map(is_worse, changed))
    yield from _some(_alike(changed[:worse], fold=fold), fold=fold)
    yield from _some([[_whole("-", port, fold=fold)] for port in ports.removed], fold=fold)
    yield from _some(_alike(changed[worse:], fold=fold), fold=fold)
    yield from _some([[_whole("+", port, fold=fold)] for port in ports.added], fold=fold)
    yield from _some(_of_single(ports.changed, fold=fold), fold=fold)


def _some(told: Sequence[Sequence[ChangeLine]], *, fold: bool) -> Iterator[ChangeLine]:
    shown = told[:_MOST_PORTS] if fold and len(told) > _MOST_PORTS + 1 else told
    for lines in shown:
        yield from lines
    if more := len(told) - len(shown):
        sign = told[-1][0].sign
        yield line(sign, f"and {more:,} more (--all)")


def _alike(ports: Iterable[ChangedPort], *, fold: bool) -> list[list[ChangeLine]]:
    """Return the lines of service ports, those of which the same is to be said below their names."""
    bodies: dict[tuple[ChangeLine, ...], list[ChangedPort]] = {}
    for port in ports:
        bodies.setdefault(tuple(_body(port, fold=fold)), []).append(port)
    return [[_head(those, fold=fold), *body] for body, those in bodies.items()]


def _head(ports: Sequence[ChangedPort], *, fold: bool) -> ChangeLine:
    """Return the names of service ports that differ alike; of many the first."""
    names = [_name(port.new) for port in ports]
    shown = names[:_MOST_NAMES] if fold and len(names) > _MOST_NAMES + 1 else names
    more = [f"{len(names) - len(shown):,} more"] if len(names) > len(shown) else []
    place = _place(ports[0].new.frontends[0]) if len(ports) == 1 else ""
    return line("~", printable(", ".join([*shown, *more])), place=place, is_bad=any(map(is_worse, ports)))


def is_worse(port: ChangedPort) -> bool:
    """Whether some kind of clients fares worse than it did."""
    return any(one.kind == "reached" and not one.of_single and _is_worse(one) for one in port.differences)


def _is_worse(one: ReachedDifference) -> bool:
    return _rank(one.new.word) < _rank(one.old.word) or one.new.at_most < one.old.at_most


def for_single_clients(port: ChangedPort) -> bool:
    """Whether nothing differs but for clients that rules single out, by their address or port."""
    return all(map(_is_single, port.differences))


def _is_single(one: PortDifference) -> bool:
    return one.kind == "reached" and one.of_single


def _without_single(port: ChangedPort) -> ChangedPort | None:
    """Return a service port with what differs for more than single clients; None: nothing does."""
    usual = tuple(one for one in port.differences if not _is_single(one))
    return port._replace(differences=usual) if usual else None


def _rank(word: str) -> int:
    return FARE_WORDS.index(word) if word in FARE_WORDS else len(FARE_WORDS)


def _urgency(port: ChangedPort) -> tuple[bool, bool]:
    """Sort first what is reached less well, then what has lost endpoints."""
    has_lost = any(one.kind == "endpoint removed" for one in port.differences)
    return not is_worse(port), not has_lost


# --- single clients --------------------------------------------------------------------------------------------


def _of_single(ports: Iterable[ChangedPort], *, fold: bool) -> list[list[ChangeLine]]:
    """Return a line for each thing that single clients meet on one side alone; unfolded, with names of ports."""
    alike: dict[tuple[str, str], dict[str, None]] = {}
    for port in ports:
        for one in port.differences:
            if one.kind == "reached" and one.of_single:
                key = ", ".join(one.clients), single_text(one)
                alike.setdefault(key, {})[_name(port.new)] = None
    return [
        [
            line(
                "~",
                printable(f"{_several(list(names), fold=fold)}, for single clients from {clients}: {said}"),
            )
        ]
        for (clients, said), names in alike.items()
    ]


def _several(names: Sequence[str], *, fold: bool) -> str:
    """Return names, folded how many there are."""
    return ", ".join(names) if not fold or len(names) == 1 else counted(len(names), "service port")


# --- a service port that only one side has ---------------------------------------------------------------------


def _whole(sign: Sign, port: PortForm, *, fold: bool) -> ChangeLine:
    first = port.frontends[0]
    said = f"{_name(port)}   {_frontends(port.frontends, fold=fold)}; {_endpoints(first)}"
    return line(sign, printable(said), place=_place(first))


def _endpoints(form: FrontendForm) -> str:
    if "endpoints" in form.untold:  # there may be more, and there may be some where none is shown
        return (
            f"{counted(len(form.endpoints), 'endpoint')} shown" if form.endpoints else "endpoints not shown"
        )
    return counted(len(form.endpoints), "endpoint") if form.endpoints else f"no endpoints{_refused(form)}"


def _refused(form: FrontendForm) -> str:
    return f", {form.verdict}" if form.verdict else ""


def _name(port: PortForm) -> str:
    return f"{port.name} {port.protocol}".rstrip() if port.service.text else port.name


def _frontends(forms: Sequence[FrontendForm], *, fold: bool) -> str:
    texts = list(map(frontend_text, forms))
    shown = texts[:_MOST_FRONTENDS] if fold else texts
    more = len(texts) - len(shown)
    return ", ".join([*shown, *([f"{more:,} more"] if more else [])])


def _place(form: FrontendForm) -> str:
    return "" if form.line is None else f"line {form.line}"


# --- one that both have ----------------------------------------------------------------------------------------


def _body(port: ChangedPort, *, fold: bool) -> Iterator[ChangeLine]:
    """Yield all in which a service port differs, and at which frontends where not at all; alike ones together."""
    groups = by_frontends(port)
    of_port = groups.pop((), [])
    told: dict[tuple[ChangeLine, ...], list[FrontendForm]] = {}
    for frontends, differing in groups.items():
        told.setdefault(tuple(_group(differing, fold=fold)), []).extend(frontends)
    for lines, at in sorted(told.items(), key=lambda each: -len(each[1])):
        everywhere = len(at) >= len(port.new.frontends)
        if not everywhere:
            yield line("", printable(f"at {_frontends(at, fold=fold)}"), 1)
        yield from (one._replace(depth=1 if everywhere else 2) for one in lines)
    yield from _group(of_port, fold=fold)


def _group(differing: Sequence[PortDifference], *, fold: bool) -> Iterator[ChangeLine]:
    for kinds, tell in _ORDER:
        lines = list(tell([one for one in differing if one.kind in kinds]))
        shown = lines[:_MOST_ENDS] if fold and len(lines) > _MOST_ENDS + 1 else lines
        yield from (one._replace(depth=1) for one in shown)
        if more := len(lines) - len(shown):
            yield line("", f"and {more:,} more (--all)", 1)


def _reached(those: Iterable[ReachedDifference]) -> Iterator[ChangeLine]:
    for one in those:
        label, old, new = reached_texts(one)
        yield _arrow(label, old, new, is_bad=_is_worse(one))


def _removed(those: Iterable[EndpointDifference]) -> Iterator[ChangeLine]:
    for one in those:
        if one.old is not None:
            yield line("-", printable(f"endpoint {one.old.text}{_percent(one.old.share)}"))


def _added(those: Iterable[EndpointDifference]) -> Iterator[ChangeLine]:
    for one in those:
        if one.new is not None:
            yield line("+", printable(f"endpoint {one.new.text}{_percent(one.new.share)}"))


def _other_port(those: Iterable[EndpointDifference]) -> Iterator[ChangeLine]:
    for one in those:
        if one.old is not None and one.new is not None:
            yield _arrow("endpoint", one.old.text, one.new.text)


def _percent(share: Fraction | None) -> str:
    return "" if share is None else f" ({percent(share)})"


def _shares(those: Sequence[EndpointDifference]) -> Iterator[ChangeLine]:
    """Yield which shares differ; those that differ since endpoints came or went together."""
    follow = [one for one in those if one.follows]
    for one in those:
        if not one.follows and one.old is not None and one.new is not None:
            yield _arrow(
                f"share of {one.new.text}",
                _share(one.old.share),
                _share(one.new.share),
                is_bad=not one.even[1],
            )
    if follow:
        old = [one.old.share for one in follow if one.old is not None and one.old.share is not None]
        new = [one.new.share for one in follow if one.new is not None and one.new.share is not None]
        if old and new:
            label = f"even share of {counted(len(follow), 'other endpoint')}"
            yield _arrow(label, *_even_shares(old, new))


def _even_shares(old: Sequence[Fraction], new: Sequence[Fraction]) -> tuple[str, str]:
    """Return even shares of both sides: in percent, or as 1/n where those are too many to look different."""
    before, after = (bounds(min(shares), max(shares)) for shares in (old, new))
    return (before, after) if before != after else (f"1/{round(1 / max(old))}", f"1/{round(1 / max(new))}")


def _share(share: Fraction | None) -> str:
    return "not known" if share is None else percent(share)


def _came_or_went(those: Iterable[FrontendDifference]) -> Iterator[ChangeLine]:
    for one in those:
        if one.old is not None and one.new is not None:
            yield _arrow("frontend", frontend_text(one.old), frontend_text(one.new))
        elif one.new is not None:
            yield line("+", printable(frontend_text(one.new)), place=_place(one.new))
        elif one.old is not None:
            yield line("-", printable(frontend_text(one.old)))


def _properties(those: Iterable[PropertyDifference]) -> Iterator[ChangeLine]:
    for one in those:
        yield _arrow(*property_texts(one))


def _arrow(label: str, old: str, new: str, *, is_bad: bool = False) -> ChangeLine:
    pieces = (
        (f"{printable(label)} ", False),
        (printable(old), True),
        (" -> ", False),
        (printable(new), True),
    )
    return ChangeLine("~", pieces, is_bad=is_bad)


_ORDER: Sequence[tuple[frozenset[str], Callable[..., Iterator[ChangeLine]]]] = (
    (frozenset({"reached"}), _reached),
    (frozenset({"endpoint removed"}), _removed),
    (FRONTEND_CHANGES, _came_or_went),
    (frozenset({"endpoint port"}), _other_port),
    (frozenset({"endpoint added"}), _added),
    (frozenset({"share"}), _shares),
    (PROPERTY_CHANGES, _properties),
)
"""In which order differences of some kinds are told, and what makes lines of them."""
