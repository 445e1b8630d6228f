"""In what two forms of one frontend differ: endpoints and shares, what becomes of the rest, who gets through."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

from iptviz.compare.ports.differences import (
    EndpointDifference,
    FrontendDifference,
    PropertyDifference,
    ReachedDifference,
)
from iptviz.compare.ports.reach import (
    Scale,
    concerns_single_clients,
    fares_differing,
    surely_otherwise,
    when_key,
)
from iptviz.compare.ports.shares import are_even, are_told, by_text, differ, differing, evened, slack_of
from iptviz.dump.rule import Rule
from iptviz.kube.families import NODE_PORTS
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from iptviz.compare.ports.differences import (
        EndpointKind,
        NotCompared,
        PortDifference,
        PropertyKind,
        Value,
    )
    from iptviz.compare.ports.form import EndpointForm, FrontendForm, Untold
    from iptviz.compare.ports.shares import Endpoints
    from iptviz.dump.table import Table
    from iptviz.kube.outcome import Needs


class FrontendPair(NamedTuple):
    """One frontend as both sides have it."""

    old: FrontendForm
    new: FrontendForm

    @property
    def both_lead_on(self) -> bool:
        """Whether both lead to endpoints: of what is refused no rule shows the rest."""
        return bool(self.old.endpoints and self.new.endpoints)

    def untold(self) -> Iterator[NotCompared]:
        """Yield what one side does not tell of it."""
        hidden = self.old.untold | self.new.untold
        for what in ("port", "endpoints", "shares"):
            if what in hidden:
                yield what
        if "kind" in hidden and self.old.kind != self.new.kind:
            yield "kind"
        if self.both_lead_on and (self.old.masquerade is None) != (self.new.masquerade is None):
            yield "masquerade"
        if not (self.old.reached and self.new.reached) or (
            self.old.reached != self.new.reached and self.unseen_rules_may_decide
        ):
            yield "reached"

    @property
    def unseen_rules_may_decide(self) -> bool:
        """Whether rules that one side does not show may decide how clients fare there."""
        return bool(_MAY_DECIDE & (self.old.untold | self.new.untold))


_MAY_DECIDE: frozenset[Untold] = frozenset({"nat", "rule"})


def frontend_differences(pair: FrontendPair) -> Iterator[PortDifference]:
    """Yield all in which a frontend differs, the worst first."""
    old, new = pair
    if old.kind != new.kind and "kind" not in old.untold | new.untold:
        yield FrontendDifference("frontend kind", old, new)
    yield from _reached(pair)
    yield from _endpoints(pair)
    for kind, before, after in _properties(pair):
        yield PropertyDifference(kind, before, after, (new,))


# --- who gets through ----------------------------------------------------------------------------------------


def _reached(pair: FrontendPair) -> Iterator[ReachedDifference]:
    old, new = pair
    if not old.reached or not new.reached or old.reached == new.reached:
        return
    for clients, fares in fares_differing(old.reached, new.reached, cache(lambda: _scale(pair))):
        if surely_otherwise(*fares) or not pair.unseen_rules_may_decide:
            yield ReachedDifference(clients, *fares, (new,), concerns_single_clients(*fares))


def _scale(pair: FrontendPair) -> Scale:
    before, after = by_text(pair.old.endpoints), by_text(pair.new.endpoints)
    even = pair.both_lead_on and are_even(before) and are_even(after)
    counts = (len(before), len(after)) if even else (1, 1)
    return Scale(*counts, slack_of(pair.old.endpoints, pair.new.endpoints))


# --- endpoints -----------------------------------------------------------------------------------------------


def _endpoints(pair: FrontendPair) -> Iterator[EndpointDifference]:
    old, new = _as_chosen(*pair), _as_chosen(*reversed(pair))
    if old == new:
        return
    hidden = pair.old.untold | pair.new.untold
    before, after = by_text(old), by_text(new)
    told = "shares" not in hidden and are_told(before) and are_told(after)
    even = are_even(before), are_even(after)
    if all(even) and before.keys() == after.keys():
        return
    for one, other in _moved(pair, before, after):
        yield EndpointDifference(_kind_of_move(one, other), one, other, (pair.new,), even)
    if told and "endpoints" not in hidden:
        for one, other in differing(before, after, even=all(even)):
            yield EndpointDifference("share", one, other, (pair.new,), even)


def _as_chosen(own: FrontendForm, other: FrontendForm) -> Sequence[EndpointForm]:
    """Return the endpoints of a form; where it leaves a choice and the other side chose so, that one's."""
    if not own.choices and not own.may_be_fewer:
        return own.endpoints
    chosen = frozenset(by_text(other.endpoints))
    allowed = [frozenset(by_text(own.endpoints)), *own.choices]
    if chosen in allowed or (_may_be_fewer(own, chosen) and any(chosen <= each for each in allowed)):
        return evened(tuple(by_text(other.endpoints).values()))
    return own.endpoints


def _may_be_fewer(own: FrontendForm, chosen: Collection[object]) -> bool:
    """Whether some endpoints alone would be right, of those chosen; none at all is so for a policy Local."""
    return own.may_be_fewer and bool(chosen or own.local_only)


def _moved(
    pair: FrontendPair, old: Endpoints, new: Endpoints
) -> Iterator[tuple[EndpointForm | None, EndpointForm | None]]:
    """Yield endpoints that one side alone has; those of one address and different ports together.

    What a side may have beyond what it tells is not said to have come or gone.
    """
    gone = {text: end for text, end in old.items() if text not in new}
    come = {text: end for text, end in new.items() if text not in old}
    hides_old, hides_new = ("endpoints" in form.untold for form in pair)
    for one, other in [] if hides_old or hides_new else list(_of_one_address(gone, come)):
        yield gone.pop(one), come.pop(other)
    if not hides_old and not _may_be_fewer(pair.new, old):
        yield from ((None, end) for end in come.values())
    if not hides_new and not _may_be_fewer(pair.old, new):
        yield from ((end, None) for end in gone.values())


def _of_one_address(gone: Endpoints, come: Endpoints) -> Iterator[tuple[str, str]]:
    """Yield what went and what came at the same address."""
    by_address: dict[str, list[str]] = {}
    for text, end in gone.items():
        by_address.setdefault(end.address, []).append(text)
    for text, end in come.items():
        if by_address.get(end.address):
            yield by_address[end.address].pop(0), text


def _kind_of_move(old: EndpointForm | None, new: EndpointForm | None) -> EndpointKind:
    if old is None:
        return "endpoint added"
    return "endpoint removed" if new is None else "endpoint port"


# --- the rest ------------------------------------------------------------------------------------------------


def _properties(pair: FrontendPair) -> Iterator[tuple[PropertyKind, Value, Value]]:
    """Yield the properties that differ, with both values."""
    old, new = pair
    if "endpoints" not in old.untold | new.untold:
        if old.verdict != new.verdict:
            yield "verdict", old.verdict, new.verdict
        if pair.both_lead_on and _leftovers_differ(pair):
            yield "leftover", old.leftover, new.leftover
    if old.local_only is not None and new.local_only is not None and old.local_only != new.local_only:
        yield "local only", old.local_only, new.local_only
    if pair.both_lead_on:
        if old.masquerade is not None and new.masquerade is not None and _marks(old) != _marks(new):
            yield "masquerade", old.masquerade, new.masquerade
        if _addresses(old) != _addresses(new) and _is_asked_for(old) and _is_asked_for(new):
            yield "node port addresses", old.at_addresses, new.at_addresses


def _leftovers_differ(pair: FrontendPair) -> bool:
    old, new = pair
    told = "shares" not in old.untold | new.untold and old.leftover != new.leftover
    return told and differ(old.leftover, new.leftover, slack_of(old.endpoints, new.endpoints))


def _marks(form: FrontendForm) -> frozenset[object]:
    """Return when connections are masqueraded, in whatever order the rules say so.

    Under a policy Local those of the node itself are, whom some rules part from clients outside, and some do not.
    """
    marks = form.masquerade or ()
    return frozenset(when_key(needs) for needs in marks if not (form.local_only and _is_of_node(needs)))


def _is_of_node(needs: Needs) -> bool:
    return [need.condition.kind for need in needs] == ["source-type"]


def _is_asked_for(form: FrontendForm) -> bool:
    """Whether a rule asks for node ports: without any, who reaches them tells all."""
    if form.rule is None or not isinstance(form.rule, Rule):
        return True  # what a map of nft has, a rule asks for
    return any(cast("Table", form.rule.table).rules_to(NODE_PORTS))


def _addresses(form: FrontendForm) -> object:
    """Return at which addresses a node port answers, in no order."""
    limit = form.at_addresses
    return None if limit is None else (limit[0], frozenset(limit[1]))
