"""Which service port of one side is which of the other, and which frontend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.frontends import CHAIN
from iptviz.kube.names import suffixes
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iptviz.compare.form import FrontendForm, PortForm

    Key = tuple[object, ...]


class Way[Form](NamedTuple):
    """A way to match: by keys, of which one in common is enough, where `fits` says that two may be matched so."""

    keys: Callable[[Form], Iterable[Key]]
    fits: Callable[[Form, Form], bool]


class Matched[Form](NamedTuple):
    """What both sides have, in the order of the new one, and what one side alone has."""

    both: list[tuple[Form, Form]]
    old: list[Form]
    new: list[Form]


def matched_ports(old: Iterable[PortForm], new: Iterable[PortForm]) -> Matched[PortForm]:
    """Match service ports by name; by hash where one side has no names, else by where they are reached."""
    return _matched(list(old), list(new), _OF_PORTS)


def matched_frontends(old: Sequence[FrontendForm], new: Sequence[FrontendForm]) -> Matched[FrontendForm]:
    """Match frontends by address and port, those of one kind first; by address where a port is not told.

    What stands for frontends that an excerpt does not show is matched where it is of one chain, and is not said
    to be on one side alone.
    """
    found = _matched(list(old), list(new), _OF_FRONTENDS)
    return Matched(found.both, *([form for form in side if form.kind != CHAIN] for side in found[1:]))


def _matched[Form](old: list[Form], new: list[Form], ways: Iterable[Way[Form]]) -> Matched[Form]:
    left, rest = dict(enumerate(old)), dict(enumerate(new))
    pairs: dict[int, int] = {}
    for way in ways:
        if left and rest:
            found = dict(_found(left, rest, way))
            pairs |= found
            for place, other in found.items():
                del rest[place], left[other]
    both = [(old[pairs[place]], form) for place, form in enumerate(new) if place in pairs]
    return Matched(both, list(left.values()), list(rest.values()))


def _found[Form](old: dict[int, Form], new: dict[int, Form], way: Way[Form]) -> Iterator[tuple[int, int]]:
    """Yield places of the new side with those of the old side, each place once."""
    index: dict[Key, list[int]] = {}
    for place, form in old.items():
        for key in way.keys(form):
            index.setdefault(key, []).append(place)
    taken: set[int] = set()
    for place, form in new.items():
        candidates = (other for key in way.keys(form) for other in index.get(key, ()))
        fitting = (other for other in candidates if other not in taken and way.fits(old[other], form))
        chosen = next(fitting, None)
        if chosen is not None:
            taken.add(chosen)
            yield place, chosen


def _always(_old: object, _new: object) -> bool:
    return True


# --- service ports -------------------------------------------------------------------------------------------


def _names(port: PortForm) -> Iterator[Key]:
    if port.service.text:
        yield port.key


def _hashes(port: PortForm) -> Iterator[Key]:
    """Yield the hashes that the chains of a service port have, or would have."""
    if port.suffix:
        yield port.suffix, port.protocol
    namespace, name, port_name, _ = port.service
    for suffix in suffixes(namespace, name, port_name, port.protocol) if port.service.text else ():
        yield suffix, port.protocol


def _places(port: PortForm) -> Iterator[Key]:
    return ((end.address, end.port, end.protocol) for end in port.frontends if end.port is not None)


def _one_is_nameless(old: PortForm, new: PortForm) -> bool:
    return not (old.service.text and new.service.text)


def _one_has_neither(old: PortForm, new: PortForm) -> bool:
    """Whether nothing but the place where it is reached says which service one of them is."""
    return any(not (port.service.text or port.suffix) for port in (old, new))


_OF_PORTS: tuple[Way[PortForm], ...] = (
    Way(_names, _always),
    Way(_hashes, _one_is_nameless),
    Way(_places, _one_has_neither),
)


# --- frontends -----------------------------------------------------------------------------------------------


def _kinds(form: FrontendForm) -> Iterator[Key]:
    yield form.kind, form.address, form.port, form.unled


def _ends(form: FrontendForm) -> Iterator[Key]:
    if form.kind != CHAIN:
        yield form.address, form.port


def _addresses(form: FrontendForm) -> Iterator[Key]:
    if form.kind != CHAIN:
        yield (form.address,)


def _one_lacks_port(old: FrontendForm, new: FrontendForm) -> bool:
    return "port" in old.untold | new.untold


_OF_FRONTENDS: tuple[Way[FrontendForm], ...] = (
    Way(_kinds, _always),
    Way(_ends, _always),
    Way(_addresses, _one_lacks_port),
)
