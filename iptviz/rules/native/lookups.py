"""Maps of nft: the rules that stand for their elements, of which those are made that a packet may find."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.nft.expressions import (
    CatchAll,
    Concatenation,
    Hash,
    Numgen,
    Payload,
    SetReference,
    network_of,
)
from iptviz.nft.model import CHANGING
from iptviz.nft.statements import Nat, VerdictMap
from iptviz.rules.form import Test
from iptviz.rules.native.comparing import among, drawn_of, quoting
from iptviz.rules.native.fields import bounds_of, networks_of
from iptviz.rules.native.words import words_of
from iptviz.xtables.address import full_mask
from iptviz.xtables.values.addresses import show_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeGuard

    from iptviz.nft.expressions import AnonymousSet, Element, Expression
    from iptviz.nft.model import SetOrMap
    from iptviz.nft.statements import Match
    from iptviz.rules.form import CompiledRule
    from iptviz.rules.native.comparing import Way
    from iptviz.rules.native.scope import Scope
    from iptviz.xtables.address import Network

    Maker = Callable[[Way, Element, int], "CompiledRule"]
    Line = tuple[int, Element]

_ADDRESSES: tuple[Expression, ...] = (Payload("ip", "daddr"), Payload("ip6", "daddr"))


class FewParts:
    """Parts of a rule that are asked one after the other: see `Parts`."""

    def __init__(self, rules: Iterable[CompiledRule]) -> None:
        self._rules = tuple(rules)

    def towards(self, destination: Network | None, port: int | None = None) -> Sequence[CompiledRule]:  # noqa: ARG002
        """Return all of them."""
        return self._rules


def lookup(
    key: Expression, found: SetReference | AnonymousSet, scope: Scope, make: Maker
) -> FewParts | ElementParts:
    """Return the parts that look up a key: one for each element, which `make` makes of its tests and line."""
    elements = scope.lines(found) if drawn_of(key) or isinstance(key, Hash) else ()
    if isinstance(key, Hash):
        return FewParts(_hashed(key, elements or (), make))
    if drawn_of(key) and not (isinstance(key, Numgen) and key.mode == "inc" and scope.counts() > 1):
        return FewParts(_drawn(key, elements or (), make))
    return ElementParts(key, found, scope, make)


def _drawn(key: Expression, elements: Sequence[Line], make: Maker) -> Iterable[CompiledRule]:
    """Yield a cascade of chances that comes to what each element has of all numbers; keys that lack leak."""
    first, count = drawn_of(key) or (0, 1)
    left = count
    for line, element in _in_order(elements):
        covered = left if isinstance(element.key, CatchAll) else _covered(element, first, first + count - 1)
        if covered and left:
            text = f"{words_of(key)} {words_of(element.key)}"
            yield make((Test("chance", Fraction(covered, left), quote=text, part=text),), element, line)
            left -= covered


def drawn_share(statements: Iterable[object], element: Element) -> Fraction | None:
    """Return the share (in (0, 1]) that an element has of what a rule draws; None if that draws nothing."""
    keys = (
        one.key if isinstance(one, VerdictMap) else getattr(one.address, "key", None)
        for one in statements
        if isinstance(one, VerdictMap | Nat)
    )
    for key in keys:
        drawn = drawn_of(key) if key is not None else None
        if drawn is not None and isinstance(key, Numgen) and not isinstance(element.key, CatchAll):
            first, count = drawn
            return Fraction(_covered(element, first, first + count - 1), count) or None
    return None


def _in_order(elements: Iterable[Line]) -> list[Line]:
    """Return elements by their keys, what stands for all others last."""
    return sorted(elements, key=lambda found: _first(found[1]))


def _first(element: Element) -> int:
    bounds = bounds_of(element.key)
    return 1 << 64 if bounds is None else bounds.first


def _covered(element: Element, first: int, last: int) -> int:
    bounds = bounds_of(element.key)
    return 0 if bounds is None else max(0, min(bounds.last, last) - max(bounds.first, first) + 1)


def _hashed(key: Hash, elements: Sequence[Line], make: Maker) -> Iterable[CompiledRule]:
    """Yield parts of which a hash chooses one: what it comes to is a condition, the last of all is left."""
    last = key.offset + key.modulus - 1
    left = key.modulus
    for line, element in _in_order(elements):
        covered = left if isinstance(element.key, CatchAll) else _covered(element, key.offset, last)
        if covered:
            text = f"{words_of(key)} {words_of(element.key)}"
            yield make(() if covered == left else (quoting(text),), element, line)
            left -= covered


class ElementParts:
    """The elements of a set or map as parts of a rule: see `Parts`. Those are made that may match."""

    def __init__(
        self, key: Expression, found: SetReference | AnonymousSet, scope: Scope, make: Maker
    ) -> None:
        self._key = key
        self._parts = key.parts if isinstance(key, Concatenation) else (key,)
        self._found = found
        self._scope = scope
        self._make = make
        self._address = next((at for at, part in enumerate(self._parts) if part in _ADDRESSES), None)
        self._port = next((at for at, part in enumerate(self._parts) if _is_destination_port(part)), None)
        self._made: dict[Line, CompiledRule | None] = {}
        self._towards: dict[Network | int | None, Sequence[CompiledRule]] = {}

    def towards(self, destination: Network | None, port: int | None = None) -> Sequence[CompiledRule]:
        """Return those that may match a packet to `destination` and `port`; None is not known."""
        known = destination if self._address is not None else None
        wanted = port if known is None and self._port is not None else known
        if wanted not in self._towards:
            rules = map(self._rule, self._elements(wanted))
            self._towards[wanted] = tuple(rule for rule in rules if rule is not None)
        return self._towards[wanted]

    def _elements(self, wanted: Network | int | None) -> Sequence[Line]:
        named = self._scope.named(self._found)
        if named is not None and "interval" not in named.head.flags and _is_host(wanted):
            found = named.elements_with(show_host(wanted))
            return [one for one in found if self._may_fit(one[1], wanted)]
        elements = self._scope.lines(self._found) or ()
        chosen = [one for one in elements if wanted is None or self._may_fit(one[1], wanted)]
        return sorted(chosen, key=lambda one: isinstance(one[1].key, CatchAll))

    def _may_fit(self, element: Element, wanted: Network | int) -> bool:
        parts = element.key.parts if isinstance(element.key, Concatenation) else (element.key,)
        if len(parts) != len(self._parts):
            return True
        if isinstance(wanted, int):
            bounds = bounds_of(parts[self._port or 0])
            return bounds is None or bounds.first <= wanted <= bounds.last
        networks = networks_of(parts[self._address or 0])
        return networks is None or any(network.meets(wanted) for network in networks)

    def _rule(self, found: Line) -> CompiledRule | None:
        if found not in self._made:
            self._made[found] = self._compiled(*found)
        return self._made[found]

    def _compiled(self, line: int, element: Element) -> CompiledRule | None:
        found = among(self._key, (element.key,), self._scope)
        text = f"{words_of(self._key)} {words_of(element.key)}"
        if found is None:
            return self._make((quoting(text),), element, line)
        if not found.ways:
            return None
        tests = (*found.first, *found.ways[0])
        return self._make(
            tuple(test._replace(quote=test.quote or text, part=text) for test in tests), element, line
        )


class SetParts:
    """A rule that asks whether the destination is in a long set, as one part: see `Parts`.

    Of a destination that is known, the others of the set are not asked: none is that.
    """

    def __init__(
        self, found: SetOrMap, make: Callable[[tuple[Expression, ...] | None], CompiledRule]
    ) -> None:
        self._found = found
        self._make = make
        self._towards: dict[Network | None, Sequence[CompiledRule]] = {}

    def towards(self, destination: Network | None, port: int | None = None) -> Sequence[CompiledRule]:  # noqa: ARG002
        """Return the rule, where it may match a packet to `destination`; None is not known."""
        wanted = destination if _is_host(destination) else None
        if wanted not in self._towards:
            self._towards[wanted] = self._rules(wanted)
        return self._towards[wanted]

    def _rules(self, wanted: Network | None) -> Sequence[CompiledRule]:
        if wanted is None:
            return (self._make(None),)
        same = tuple(self._keys_of(wanted))
        return (self._make(same),) if same else ()

    def _keys_of(self, wanted: Network) -> Iterator[Expression]:
        if self._is_of_hosts:  # which is searched in no time
            found = (element.key for _, element in self._found.elements_with(show_host(wanted)))
            yield from (key for key in found if network_of(key) == wanted)
            return
        yield from self._by_network.get(wanted, ())
        yield from self._by_network.get(None, ())

    @cached_property
    def _is_of_hosts(self) -> bool:
        return self._found.is_of_hosts

    @cached_property
    def _by_network(self) -> dict[Network | None, list[Expression]]:
        """The keys by their addresses; by None what is no single address."""
        found: dict[Network | None, list[Expression]] = {}
        for element in self._found.elements:
            network = network_of(element.key)
            found.setdefault(network if _is_host(network) else None, []).append(element.key)
        return found


def is_searched(match: Match, scope: Scope) -> bool:
    """Whether `SetParts` is for a comparison: of the destination with a long set of single addresses."""
    if match.left not in _ADDRESSES or match.operator != "==" or not isinstance(match.right, SetReference):
        return False
    found = scope.named(match.right)
    plain = found is not None and not _OTHERWISE.intersection(found.head.flags)
    return plain and found is not None and found.has_many(_LONG)


_LONG = 64
_OTHERWISE = frozenset({"interval", *CHANGING})
"""Flags of sets whose elements are more than addresses, or may be others later."""


def _is_host(wanted: Network | int | None) -> TypeGuard[Network]:
    return isinstance(wanted, tuple) and wanted.mask == full_mask(wanted.version)


def _is_destination_port(part: Expression) -> bool:
    return isinstance(part, Payload) and part.field == "dport"
