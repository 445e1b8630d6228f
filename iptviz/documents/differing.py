"""In words, what of a service port differs: values on both sides, and what a frontend is."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from iptviz.checks.causes import cause_text, place_of
from iptviz.checks.wording import kind_word, percent
from iptviz.compare.ports.reach import whys_apart
from iptviz.engine.condition import clauses
from iptviz.paths.fares import Failure, Rewrite
from iptviz.paths.reach import is_usual, singling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from iptviz.compare.ports.differences import PropertyDifference, ReachedDifference
    from iptviz.compare.ports.form import FrontendForm
    from iptviz.compare.ports.reach import Why
    from iptviz.engine.condition import When
    from iptviz.kube.outcome import Needs
    from iptviz.paths.fares import Fare
    from iptviz.paths.model import Decider

    Reason = TypeVar("Reason", Failure, Rewrite)


def frontend_text(form: FrontendForm) -> str:
    """Return a frontend as people write it, with its kind."""
    return f"{kind_word(form.kind, untold='kind' in form.untold)} {form.unled or form.at}"


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
    label = f"reached from {', '.join(differing.clients)}"
    alike = old.word == new.word
    with_shares = alike and (old.at_least, old.at_most) != (new.at_least, new.at_most)
    apart = whys_apart(old, new)
    before, after = (
        _fare(fare if alike else fare._replace(rewrites=()), whys, with_shares=with_shares)
        for fare, whys in zip((old, new), apart, strict=True)
    )
    if before == after:
        before, after = (f"{before} ({_rule_texts(whys)})" for whys in apart)
    return label, before, after if before != after else f"{after}, in other cases"


def _rule_texts(whys: Iterable[Why]) -> str:
    """Return the rules that decide as they are written: those of one place are told apart by that."""
    deciders = [why.by if isinstance(why, Rewrite) else why.cause.by for why in whys]
    return ", ".join(dict.fromkeys(by.text for by in deciders if by is not None)) or "in other cases"


def single_text(differing: ReachedDifference) -> str:
    """Return what single clients meet on one side alone: `now DROP by filter INPUT rule 1, line 12 (...)`."""
    gone, come = map(_whys_text, whys_apart(differing.old, differing.new))
    said = [*([f"now {come}"] if come else []), *([f"no longer {gone}"] if gone else [])]
    return ", ".join(said) or "{} -> {}".format(*reached_texts(differing)[1:])


def _whys_text(whys: Iterable[Why]) -> str:
    """Return why connections fail, each reason with the clients that are meant."""
    reasons: dict[str, dict[str, None]] = {}
    for why in whys:
        named = clauses(_without_place(singling(why.when)))
        reasons.setdefault(_why_text(why), {})[named] = None
    return ", ".join(f"{reason} ({' or '.join(named)})" for reason, named in reasons.items())


def _without_place(when: When) -> When:
    """Return conditions without where packets had been sent when they were asked."""
    return tuple(one._replace(condition=one.condition._replace(rewritten="")) for one in when)


def _why_text(why: Why) -> str:
    if isinstance(why, Rewrite):
        return f"source rewritten by {place_of(why.by)}{_others(why.by)}"
    return cause_text(why.cause) + _others(why.cause.by)


def _others(by: Decider | None) -> str:
    """Return how many rules decide the same as one that is told."""
    return f", and {by.others:,} other rule{'s' if by.others > 1 else ''}" if by and by.others else ""


def reached_text(differing: ReachedDifference) -> str:
    """Return how clients fare on both sides: `reached from outside: yes -> no: ...`."""
    label, old, new = reached_texts(differing)
    return f"{label}: {old} -> {new}"


def _fare(fare: Fare, apart: Iterable[Why], *, with_shares: bool) -> str:
    """Return a word, why where it fails, which rule changes the source; shares where the words are the same.

    Of several reasons one of those `apart` is told, which the other side has not.
    """
    shares = ""
    if with_shares:
        least, most = percent(fare.at_least), percent(fare.at_most)
        shares = f" ({least})" if least == most else f" ({least} to {most}, by client)"
    first = next(_told_first(fare.failures, apart), None)
    why = f": {_why_text(first)}{_when_text(first)}" if first else ""
    by = [_why_text(each) + _when_text(each) for each in _told_first(fare.rewrites, apart)]
    source = f", {by[0]}{f' and {len(by) - 1} more' if len(by) > 1 else ''}" if by else ""
    return f"{fare.word}{shares}{why}{source}"


def _told_first(every: Sequence[Reason], apart: Iterable[Why]) -> Iterator[Reason]:
    """Yield reasons, those first that concern clients in general, then those that the other side has not."""
    ours = set(apart)
    yield from sorted(every, key=lambda one: (not is_usual(one.when), one not in ours))


def _when_text(why: Failure | Rewrite) -> str:
    """Return conditions as they are told of many services: without where their packets had been sent."""
    return f" when {clauses(_without_place(why.when))}" if why.when else ""


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
