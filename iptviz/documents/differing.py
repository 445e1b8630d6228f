"""In words, what of a service port differs: values on both sides, and what a frontend is."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from iptviz.checks.causes import failure_text, place_of
from iptviz.checks.wording import KIND_WORDS, percent
from iptviz.engine.condition import clauses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iptviz.compare.ports.differences import PropertyDifference, ReachedDifference
    from iptviz.compare.ports.form import FrontendForm
    from iptviz.kube.outcome import Needs
    from iptviz.paths.fares import Fare


def frontend_text(form: FrontendForm) -> str:
    """Return a frontend as people write it, with its kind."""
    return f"{KIND_WORDS.get(form.kind, form.kind)} {form.unled or form.at}"


def property_texts(differing: PropertyDifference) -> tuple[str, str, str]:
    """Return which property it is, and its value on the old and on the new side."""
    label, said = _PROPERTIES[differing.kind]
    return label, said(differing.old), said(differing.new)


def property_text(differing: PropertyDifference) -> str:
    """Return a property with both values: `session affinity 10800 s -> none`."""
    label, old, new = property_texts(differing)
    return f"{label} {old} -> {new}"


def reached_texts(differing: ReachedDifference) -> tuple[str, str, str]:
    """Return which clients are spoken of, and how they fare on the old and on the new side."""
    old, new = differing.old, differing.new
    with_shares = (old.at_least, old.at_most) != (new.at_least, new.at_most) and old.word == new.word
    return (
        f"reached from {', '.join(differing.clients)}",
        _fare(old, with_shares=with_shares),
        _fare(new, with_shares=with_shares),
    )


def reached_text(differing: ReachedDifference) -> str:
    """Return how clients fare on both sides: `reached from outside: yes -> no: ...`."""
    label, old, new = reached_texts(differing)
    return f"{label}: {old} -> {new}"


def _fare(fare: Fare, *, with_shares: bool) -> str:
    """Return a word, why where it fails, which rule changes the source; shares where the words are the same."""
    shares = ""
    if with_shares:
        least, most = percent(fare.at_least), percent(fare.at_most)
        shares = f" ({least})" if least == most else f" ({least} to {most}, by client)"
    why = f": {failure_text(fare.failures[0])}" if fare.failures else ""
    by = [place_of(each.by) + (f" when {clauses(each.when)}" if each.when else "") for each in fare.rewrites]
    source = f", source rewritten by {by[0]}{f' and {len(by) - 1} more' if len(by) > 1 else ''}" if by else ""
    return f"{fare.word}{shares}{why}{source}"


def _or_none(value: Any) -> str:
    return "none" if value is None else str(value)


def _seconds(value: Any) -> str:
    return "none" if value is None else f"{value} s"


def _share(value: Any) -> str:
    return percent(value) if isinstance(value, Fraction) else "not known"


def _yes(value: Any) -> str:
    return "yes" if value else "no"


def _ranges(value: Any) -> str:
    return ", ".join(sorted(value)) or "none" if value is not None else "none"


def snat_text(when: tuple[Needs, ...] | None) -> str:
    """Return when connections get this node's address as their source."""
    return " or ".join(map(_needs, when)) if when else "no"


def _needs(needs: Needs) -> str:
    if len(needs) == 1 and not needs[0].holds:
        return f"unless {needs[0].opposite().text}"
    return f"if {clauses(needs)}" if needs else "always"


def _addresses(value: Any) -> str:
    if value is None:
        return "all addresses of the node"
    only, networks = value
    return f"{'only' if only else 'all but'} {', '.join(networks)}"


_PROPERTIES: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "leftover": ("connections without endpoint", _share),
    "verdict": ("refused by", _or_none),
    "local only": ("local endpoints alone from outside", _yes),
    "masquerade": ("SNAT", snat_text),
    "node port addresses": ("node port answers at", _addresses),
    "affinity": ("session affinity", _seconds),
    "internal policy": ("internalTrafficPolicy", _or_none),
    "external policy": ("externalTrafficPolicy", _or_none),
    "source ranges": ("loadBalancerSourceRanges", _ranges),
    "health check": ("health check port", _or_none),
}
"""What answers call each property, and what makes a text of its value."""
