"""In what two forms of a service port differ, and which ports of two lists came, went or differ.

Order of endpoints and rules is no difference, nor are the digits in which a probability is printed. What one side
does not tell is not compared.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from iptviz.compare.ports.differences import (
    ChangedPort,
    FrontendDifference,
    PortChanges,
    PropertyDifference,
    ReachedDifference,
)
from iptviz.compare.ports.form import FrontendForm
from iptviz.compare.ports.frontends import FrontendPair, frontend_differences
from iptviz.compare.ports.hiding import NOTHING_HIDDEN
from iptviz.compare.ports.matching import matched_frontends, matched_ports
from iptviz.compare.ports.reach import deciders
from iptviz.kube.frontends import CHAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iptviz.compare.ports.differences import NotCompared, PortDifference, PortProperty, Value
    from iptviz.compare.ports.form import PortForm
    from iptviz.compare.ports.hiding import Sides

_ORDER = (
    "reached", "frontend removed", "endpoint removed", "endpoint port", "endpoint added", "verdict", "leftover",
    "share", "frontend added", "frontend kind", "node port addresses", "internal policy", "external policy",
    "local only", "affinity", "source ranges", "masquerade", "health check",
)  # fmt: skip
_PLACES = {kind: place for place, kind in enumerate(_ORDER)}


def compared(old: Iterable[PortForm], new: Iterable[PortForm], hiding: Sides = NOTHING_HIDDEN) -> PortChanges:
    """Return what differs between the service ports of two rule sets, matched by name, else by hash or place.

    `hiding` is what either side may have and not show: that it lacks it is not said.
    """
    old, new = tuple(old), tuple(new)
    both, removed, added = matched_ports(old, new)
    removed, added = _not_elsewhere(removed, new), _not_elsewhere(added, old)
    unlike = [pair for pair in both if not _are_alike(*pair)]
    untold = Counter(what for pair in unlike for what in not_compared(*pair, hiding))
    gone = tuple(port for port in removed if not hiding[1].port(port))
    come = tuple(port for port in added if not hiding[0].port(port))
    untold["services"] = len(removed) - len(gone) + len(added) - len(come)
    changed = (ChangedPort(*pair, tuple(differences(*pair, hiding))) for pair in unlike)
    return PortChanges(
        added=come,
        removed=gone,
        changed=tuple(port for port in changed if port.differences),
        compared=len(both),
        not_compared=dict(+untold),
    )


def without_hidden(changes: PortChanges, hiding: Sides) -> PortChanges:
    """Return changes without those of which a side may hide that it has the same; these are not compared."""
    untold: Counter[NotCompared] = Counter(changes.not_compared)
    gone = tuple(port for port in changes.removed if not hiding[1].port(port))
    come = tuple(port for port in changes.added if not hiding[0].port(port))
    untold["services"] += len(changes.removed) - len(gone) + len(changes.added) - len(come)
    kept = []
    for port in changes.changed:
        hidden = [one for one in port.differences if _may_be_hidden(one, hiding)]
        for one in hidden:
            untold[_HIDDEN[one.kind]] += len(one.frontends) or 1
        left = tuple(one for one in port.differences if one not in hidden)
        kept += [port._replace(differences=left)] if left else []
    return changes._replace(added=come, removed=gone, changed=tuple(kept), not_compared=dict(+untold))


def _not_elsewhere(alone: Iterable[PortForm], others: Iterable[PortForm]) -> list[PortForm]:
    """Return ports of one side alone but for more that an excerpt has of one of them, or of the other side's.

    Of a chain to which no rule leads there, not even the protocol is known.
    """
    alone = list(alone)
    whole = [port for port in alone if any(form.kind != CHAIN for form in port.frontends)]
    if len(whole) == len(alone):
        return alone
    known = {text for port in (*whole, *others) for text in (port.suffix, port.service.text) if text}
    return [port for port in alone if port in whole or known.isdisjoint((port.suffix, port.service.text))]


def _are_alike(old: PortForm, new: PortForm) -> bool:
    """Whether it is plain at sight that both tell all, and the same: most ports of two large rule sets do."""
    return (
        old[3:8] == new[3:8]
        and old.properties_told is new.properties_told
        and len(old.frontends) == len(new.frontends)
        and all(map(_are_alike_there, old.frontends, new.frontends))
    )


def _are_alike_there(old: FrontendForm, new: FrontendForm) -> bool:
    told = old.reached and not (old.untold or new.untold) and old.kind != CHAIN
    return bool(told) and old[:_LAST] == new[:_LAST]


_LAST = FrontendForm._fields.index("reached") + 1
"""Fields behind this do not say what a frontend does."""


def differences(old: PortForm, new: PortForm, hiding: Sides = NOTHING_HIDDEN) -> Iterator[PortDifference]:
    """Yield all in which a service port differs, the worst first; frontends that differ alike together."""
    found = [one for one in _seeming(old, new) if not _may_be_hidden(one, hiding)]
    if any(one.kind in _POLICIES for one in found):
        found = [one for one in found if one.kind != "local only"]  # that is what the policy means
    yield from sorted(_joined(found), key=lambda one: _PLACES[one.kind])


def not_compared(old: PortForm, new: PortForm, hiding: Sides = NOTHING_HIDDEN) -> Iterator[NotCompared]:
    """Yield what is not compared of a port or of one of its frontends, as one side does not tell it."""
    for pair in matched_frontends(old.frontends, new.frontends)[0]:
        yield from FrontendPair(*pair).untold()
    if _is_of_excerpt(old) or _is_of_excerpt(new):
        yield "frontends"
    if old.has_endpoints and new.has_endpoints:  # without any, no rule shows these, and none needs to
        yield from (kind for kind, told, _ in _PROPERTIES if told(old) != told(new))
    if hiding is not NOTHING_HIDDEN:
        yield from (_HIDDEN[one.kind] for one in _seeming(old, new) if _may_be_hidden(one, hiding))


def _seeming(old: PortForm, new: PortForm) -> Iterator[PortDifference]:
    """Yield what differs if both sides hide nothing."""
    yield from _of_frontends(old, new)
    yield from _of_port(old, new)


_HIDDEN: dict[str, NotCompared] = {
    "frontend removed": "frontends",
    "frontend added": "frontends",
    "health check": "health check",
    "reached": "reached",
}
"""What is not compared, by the difference that is not told."""


def _may_be_hidden(one: PortDifference, hiding: Sides) -> bool:
    """Whether a side that seems to lack something may have it."""
    if isinstance(one, ReachedDifference):
        return _may_decide_alike(one, hiding)
    sides = [side for side, value in zip(hiding, (one.old, one.new), strict=True) if value is None]
    if isinstance(one, FrontendDifference):
        return any(side.frontend(form) for side in sides for form in one.frontends)
    return one.kind == "health check" and any(side.health_checks for side in sides)


def _may_decide_alike(one: ReachedDifference, hiding: Sides) -> bool:
    """Whether what decides how clients fare on one side may be on the other side and not be shown."""
    if any(side.hides_parts for side in hiding):
        return True
    told = [
        (by, side) for fare, side in zip((one.new, one.old), hiding, strict=True) for by in deciders(fare)
    ]
    if not told:  # rules that single out clients decide, which a fare does not name
        return hiding[0].lacks_rules_of(hiding[1]) or hiding[1].lacks_rules_of(hiding[0])
    return any(side.chain(by.table, by.chain) for by, side in told if by.table and by.chain)


# --- frontends -----------------------------------------------------------------------------------------------


def _of_frontends(old: PortForm, new: PortForm) -> Iterator[PortDifference]:
    both, removed, added = matched_frontends(old.frontends, new.frontends)
    for form in removed if not _is_of_excerpt(new) else ():
        yield FrontendDifference("frontend removed", form, None)
    for form in added if not _is_of_excerpt(old) else ():
        yield FrontendDifference("frontend added", None, form)
    for pair in both:
        yield from frontend_differences(FrontendPair(*pair))


def _is_of_excerpt(port: PortForm) -> bool:
    """Whether some of its frontends are not shown, or all."""
    return any(form.kind == CHAIN for form in port.frontends)


def _joined(found: Iterable[PortDifference]) -> Iterator[PortDifference]:
    """Yield differences that are alike but for the frontend as one, of all these frontends."""
    alike: dict[object, list[PortDifference]] = {}
    for one in found:
        own = one if isinstance(one, FrontendDifference) else one._replace(frontends=())
        alike.setdefault(own, []).append(one)
    for first, *others in alike.values():
        if others and not isinstance(first, FrontendDifference):
            frontends = (frontend for one in (first, *others) for frontend in one.frontends)
            yield first._replace(frontends=tuple(frontends))
        else:
            yield first


# --- properties of the port ----------------------------------------------------------------------------------

_POLICIES = {"internal policy", "external policy"}


def _ranges(port: PortForm) -> Value:
    return frozenset(port.source_ranges or ())


_PROPERTIES: tuple[tuple[PortProperty, Callable[[PortForm], bool], Callable[[PortForm], Value]], ...] = (
    ("internal policy", lambda port: port.internal_policy is not None, lambda port: port.internal_policy),
    ("external policy", lambda port: port.external_policy is not None, lambda port: port.external_policy),
    ("affinity", lambda port: port.properties_told, lambda port: port.affinity),
    ("source ranges", lambda port: port.source_ranges is not None, _ranges),
    ("health check", lambda _port: True, lambda port: port.health_check),
)
"""Each property: whether a form tells it, and what it says."""


def _of_port(old: PortForm, new: PortForm) -> Iterator[PropertyDifference]:
    for kind, told, value in _PROPERTIES:
        if told(old) and told(new) and value(old) != value(new):
            yield PropertyDifference(kind, value(old), value(new))
