"""What the answer to one question says of another: a row for each kind of condition that others settle.

Fields that lie in regions need none of it, since a diagram asks a field once. The functions of `IMPLICATIONS`
take a condition, with where it holds as far as is known, and return where it holds once they have had their say;
those of `IMPOSSIBLE` tell cases that cannot be, where to ask more would make more cases.
"""

from __future__ import annotations

from functools import cache, reduce
from operator import or_
from typing import TYPE_CHECKING, Protocol

from iptviz.engine.condition_kinds import BY_ROUTE, CONDITION_KINDS
from iptviz.engine.fields import (
    STATES,
    TYPES,
    YES,
    Field,
    field_of,
    interfaces,
    network_region,
    value_of,
)
from iptviz.engine.host import FIXED_TYPES
from iptviz.engine.regions import Range, Region, complement, lies_in, meets, region_of
from iptviz.xtables.address import full_mask, parse_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from iptviz.engine.condition import Assumption, Condition, When
    from iptviz.engine.diagram import Diagrams
    from iptviz.engine.host import Host
    from iptviz.supplied.route_lines import Route
    from iptviz.xtables.address import Network


class Asked(Protocol):
    """What is not known of a packet, as far as one question asks another: see `unknowns.Unknowns`."""

    diagrams: Diagrams
    family: str
    host: Host

    @property
    def version(self) -> int:
        """The version of IP: 4 or 6."""

    def used(self, kind: str) -> list[Field]:
        """Return the fields of a kind that were asked about so far."""

    def in_region(self, field: Field, region: Region) -> int:
        """Return where a field lies in `region`."""

    def in_networks(self, field: Field, networks: Sequence[Network]) -> int | None:
        """Return where an address lies in one of `networks`; None where that cannot be told."""


# --- the type of an address, and the address -------------------------------------------------------------------


def _by_address(unknowns: Asked, condition: Condition, asked: int) -> int:
    """Where all of the node's own addresses are known, an address tells whether it is one."""
    own = unknowns.host.local
    if own is None or condition.rewritten:
        return asked
    address = Field(condition.kind.removesuffix("-type"), since=condition.since)
    fixed = [
        network for kind, network in FIXED_TYPES if kind == "LOCAL" and network.version == unknowns.version
    ]
    inside = unknowns.in_networks(address, [*fixed, *sorted(own)])
    if inside is None:
        return asked
    others = [word for word in condition.values if word.upper() != "LOCAL"]
    regions = [value_of(TYPES, word.upper()) for word in others if word.upper() in TYPES]
    elsewhere = unknowns.in_region(
        field_of(condition), region_of([bounds for region in regions for bounds in region])
    )
    wanted = unknowns.diagrams.yes if len(others) < len(condition.values) else unknowns.diagrams.no
    return unknowns.diagrams.choose(inside, wanted, elsewhere if len(regions) == len(others) else asked)


def _by_member(unknowns: Asked, condition: Condition, asked: int) -> int:
    """A set of which the entries are known is a region of the address that is looked up."""
    sets = unknowns.host.sets
    side = {"src": "source", "dst": "destination"}.get(condition.details)
    if side is None or sets is None or condition.value not in sets:
        return asked
    members = sets[condition.value].addresses(unknowns.family)
    if members is None or condition.rewritten or condition.since is not None:
        return asked
    inside = unknowns.in_networks(Field(side), sorted(members))
    return asked if inside is None else inside


# --- the interface that a packet leaves by, and its route -------------------------------------------------------


def _by_route(unknowns: Asked, condition: Condition, asked: int) -> int:
    """Where routes are known, the destination tells the interface; where no route leads, nothing does."""
    routes = unknowns.host.routes
    if routes is None or condition.details != BY_ROUTE:
        return asked
    wanted = [bounds for name in condition.values for bounds in interfaces(name)]
    destination, result = Field("destination", since=condition.since), asked
    for route in reversed(list(routes.by_precedence())):
        inside = (
            unknowns.in_networks(destination, [route.network])
            if route.network.version == unknowns.version
            else None
        )
        if inside is None:
            continue
        result = unknowns.diagrams.choose(inside, _leaves_by(route, wanted, unknowns, asked), result)
    return result


def _leaves_by(route: Route, wanted: list[Range], unknowns: Asked, asked: int) -> int:
    """Return whether a route leads out by one of some interfaces."""
    if route.device is None or route.kind != "unicast" or route.sources is not None:
        return asked
    leaves = meets(interfaces(route.device), region_of(wanted))
    return unknowns.diagrams.yes if leaves else unknowns.diagrams.no


# --- the bits of marks -----------------------------------------------------------------------------------------


@cache
def _bits(kind: str, value: str) -> Network | None:
    row = CONDITION_KINDS.get(kind)  # fields are of kinds of their own
    return None if row is None or row.bits is None else row.bits(value)


def whole_bit(condition: Condition) -> Condition | None:
    """Return the opposite question where one bit is asked to be 0: whether it is set. None elsewhere."""
    bits = _bits(condition.kind, condition.value)
    if bits is None or bits.value or bits.mask.bit_count() != 1:
        return None
    return condition._replace(value=f"{bits.mask:#x}/{bits.mask:#x}")


def goes_without_saying(assumption: Assumption, others: When) -> bool:
    """Whether others say it: that some bits of a mark, which are so, are otherwise, or how nat rewrote."""
    condition, holds = assumption
    if condition.kind == "rewriting" and not holds:
        return any(other.holds and other.condition.kind in {"dnat", "snat"} for other in others)
    bits = None if holds else _bits(condition.kind, condition.value)
    return bits is not None and any(
        other.holds
        and (other.condition.kind, other.condition.since) == (condition.kind, condition.since)
        and (these := _bits(condition.kind, other.condition.value)) is not None
        and not bits.meets(these)
        for other in others
    )


def _by_other_bits(unknowns: Asked, condition: Condition, asked: int) -> int:
    """What some bits of a mark are says that others are so, or not so."""
    own, diagrams = _bits(condition.kind, condition.value), unknowns.diagrams
    if own is None or asked in {diagrams.no, diagrams.yes}:
        return asked
    for field in unknowns.used(condition.kind):
        bits = _bits(field.kind, field.value)
        if bits is None or field.since != condition.since or bits == own:
            continue
        other = unknowns.in_region(field, ((1, None),))
        if own.contains(bits):
            asked = diagrams.choose(other, diagrams.yes, asked)
        elif not own.meets(bits):
            asked = diagrams.choose(other, diagrams.no, asked)
        elif bits.contains(own):
            asked = diagrams.choose(other, asked, diagrams.no)
    return asked


def _by_what_nat_made(unknowns: Asked, _condition: Condition, asked: int) -> int:
    """What is known to have been sent elsewhere, or to appear as somebody else, nat has rewritten."""
    no = unknowns.diagrams.no
    return no if any(unknowns.in_region(field, _LEFT_ALONE) == no for field in _REWRITINGS) else asked


_REWRITINGS = (Field("dnat"), Field("snat"))
_LEFT_ALONE: Region = (("", "\0"),)


IMPLICATIONS: dict[str, tuple[Callable[[Asked, Condition, int], int], ...]] = {
    "source-type": (_by_address,),
    "destination-type": (_by_address,),
    "set": (_by_member,),
    "out-interface": (_by_route,),
    "mark": (_by_other_bits,),
    "connmark": (_by_other_bits,),
    "rewriting": (_by_what_nat_made,),
}
"""By the kind of a condition what settles it besides its own answer."""


# --- cases that cannot be --------------------------------------------------------------------------------------


def _other_type(unknowns: Asked, regions: Mapping[Field, Region]) -> bool:
    """A loopback, multicast or broadcast address has a type of its own, whatever the node's routes are."""
    for field, types in regions.items():
        side = field.kind.removesuffix("-type")
        address = regions.get(Field(side, since=field.since), ())
        told = side != field.kind and address and not field.rewritten
        if told and not meets(address, _addresses_of(types, unknowns.version)):
            return True
    return False


def _addresses_of(types: Region, version: int) -> Region:
    """Return the addresses that may be of one of some types; only multicast addresses are MULTICAST."""
    fixed = [
        (kind, region)
        for kind, network in FIXED_TYPES
        if network.version == version and (region := network_region(network))
    ]
    found = [bounds for kind, region in fixed if meets(types, value_of(TYPES, kind)) for bounds in region]
    if not lies_in(types, value_of(TYPES, "MULTICAST")):
        found += complement(region_of([bounds for _, region in fixed for bounds in region]), 0)
    return region_of(found)


def _no_such_mark(_unknowns: Asked, regions: Mapping[Field, Region]) -> bool:
    """Some bits of one mark cannot be so that all answers about them are true."""
    asked: dict[tuple[str, int | None], list[tuple[Network, bool]]] = {}
    for field, answer in regions.items():
        bits = _bits(field.kind, field.value)
        if bits is not None:
            asked.setdefault((field.kind, field.since), []).append((bits, answer == YES))
    return any(not _some_mark(answers) for answers in asked.values() if len(answers) > 1)


_MOST_BITS_TRIED = 10


def _some_mark(answers: list[tuple[Network, bool]]) -> bool:
    """Whether some mark gives all of `answers`; where too many bits are open, one is taken to."""
    value = mask = 0
    for bits, holds in answers:
        if holds:
            if (bits.value ^ value) & mask & bits.mask or bits.value & ~bits.mask:
                return False
            value, mask = value | bits.value, mask | bits.mask
    negated = _worth_trying([bits for bits, holds in answers if not holds], mask)
    open_bits = [
        1 << place for place in range(32) if any((bits.mask & ~mask) >> place & 1 for bits in negated)
    ]
    if len(open_bits) > _MOST_BITS_TRIED:
        return not any(bits.mask & ~mask == 0 and value & bits.mask == bits.value for bits in negated)
    return any(all(mark & bits.mask != bits.value for bits in negated) for mark in _marks(value, open_bits))


def _worth_trying(negated: list[Network], mask: int) -> list[Network]:
    """Return the bits that are not to be so, without those of which one bit is in no other: it can be chosen."""
    while True:
        kept = [
            bits
            for bits in negated
            if not bits.mask & ~mask & ~reduce(or_, (other.mask for other in negated if other != bits), 0)
        ]
        if kept == negated:
            return kept
        negated = kept


def _marks(value: int, open_bits: list[int]) -> Iterator[int]:
    """Yield `value` with each choice of the open bits."""
    for chosen in range(1 << len(open_bits)):
        yield value | sum(bit for place, bit in enumerate(open_bits) if chosen >> place & 1)


def _outside_of_holes(unknowns: Asked, regions: Mapping[Field, Region]) -> bool:
    """What lies in a network whose mask has holes lies in the network that its first bits name."""
    for field, answer in regions.items():
        side = field.kind.removesuffix("-cidr")
        address = regions.get(Field(side, since=field.since), ()) if side != field.kind else ()
        network = parse_network(field.value) if address and answer == YES else None
        if network is not None and network.version == unknowns.version:
            open_bits = (full_mask(network.version) & ~network.mask).bit_length()
            first = network._replace(mask=full_mask(network.version) >> open_bits << open_bits)
            region = network_region(first._replace(value=first.value & first.mask))
            if region is not None and not meets(address, region):
                return True
    return False


def _marked_without_connection(_unknowns: Asked, regions: Mapping[Field, Region]) -> bool:
    """A new connection's mark is 0 (nf_conntrack_alloc); without a connection no question about it holds."""
    states = regions.get(Field("state"))
    answers = [
        (bits.value == 0, answer == YES)
        for field, answer in regions.items()
        if field.kind == "connmark" and field.since is None and (bits := _bits(field.kind, field.value))
    ]
    if states is None or not answers:
        return False
    possible = {
        "NEW": all(zero == holds for zero, holds in answers),
        **dict.fromkeys(("INVALID", "UNTRACKED"), not any(holds for _, holds in answers)),
    }
    return not any(possible.get(state, True) and meets(states, value_of(STATES, state)) for state in STATES)


IMPOSSIBLE: tuple[Callable[[Asked, Mapping[Field, Region]], bool], ...] = (
    _other_type, _no_such_mark, _marked_without_connection, _outside_of_holes,
)  # fmt: skip
"""What tells of the values of several fields that no packet has them together."""
