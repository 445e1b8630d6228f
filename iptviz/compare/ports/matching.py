"""Which service port of one side is which of the other, and which frontend."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from iptviz.kube.frontends import CHAIN
from iptviz.kube.names import suffixes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iptviz.compare.ports.form import FrontendForm, PortForm

    Key = tuple[object, ...]
    Form = TypeVar("Form")
    Way = tuple[Callable[[Form], Iterable[Key]], Callable[[Form, Form], bool]]
    """A way to match: by keys, of which one in common is enough, where two may be matched so."""

    Matched = tuple[list[tuple[Form, Form]], list[Form], list[Form]]
    """What both sides have, in the order of the new one; what the old alone has, and what the new."""


def matched_ports(old: Iterable[PortForm], new: Iterable[PortForm]) -> Matched[PortForm]:
    """Match service ports by name; by hash where one side has no names, else by where they are reached."""
    return _matched(list(old), list(new), _OF_PORTS)


def matched_frontends(old: Sequence[FrontendForm], new: Sequence[FrontendForm]) -> Matched[FrontendForm]:
    """Match frontends by address and port, those of one kind first; by address where a port is not told.

    What stands for frontends that an excerpt does not show is matched where it is of one chain, and is not said
    to be on one side alone.
    """
    if [form[:3] for form in old] == [form[:3] for form in new] and CHAIN not in {form.kind for form in new}:
        return list(zip(old, new, strict=True)), [], []  # as most are
    both, *alone = _matched(list(old), list(new), _OF_FRONTENDS)
    gone, come = ([form for form in side if form.kind != CHAIN] for side in alone)
    return both, gone, come


def _matched(old: list[Form], new: list[Form], ways: Iterable[Way[Form]]) -> Matched[Form]:
    left, rest = dict(enumerate(old)), dict(enumerate(new))
    pairs: dict[int, int] = {}
    for way in ways:
        if left and rest:
            found = dict(_found(left, rest, way))
            pairs |= found
            for place, other in found.items():
                del rest[place], left[other]
    both = [(old[pairs[place]], form) for place, form in enumerate(new) if place in pairs]
    return both, list(left.values()), list(rest.values())


def _found(old: dict[int, Form], new: dict[int, Form], way: Way[Form]) -> Iterator[tuple[int, int]]:
    """Yield places of the new side with those of the old side, each place once."""
    keys, fits = way
    index: dict[Key, list[int]] = {}
    for place, form in old.items():
        for key in keys(form):
            index.setdefault(key, []).append(place)
    taken: set[int] = set()
    for place, form in new.items():
        candidates = (other for key in keys(form) for other in index.get(key, ()))
        fitting = (other for other in candidates if other not in taken and fits(old[other], form))
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
    (_names, _always),
    (_hashes, _one_is_nameless),
    (_places, _one_has_neither),
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
    (_kinds, _always),
    (_ends, _always),
    (_addresses, _one_lacks_port),
)
