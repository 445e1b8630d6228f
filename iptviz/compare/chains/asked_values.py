"""What the tests of a rule ask, in values that compare: whether some packet passes those of two rules."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from iptviz.engine.fields import STATES, TYPES, interfaces, network_region, value_of
from iptviz.engine.regions import Region, common, complement, everything, region_of
from iptviz.records import NamedTuple
from iptviz.xtables.address import full_mask
from iptviz.xtables.values.protocols import protocol_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iptviz.rules.form import Test
    from iptviz.rules.operands import AddressRange, PortLists, TcpFlags
    from iptviz.xtables.address import Network
    from iptviz.xtables.values.icmp import IcmpType
    from iptviz.xtables.values.numbers import Masked, Range

Bits = tuple[int, int]
"""Which bits are looked at, and those of them that must be set."""

RANDOM = "chance"
"""A test that holds by chance alone."""


class Asks(NamedTuple):
    """What tests ask: for each field the values that pass, and bits of those that are asked bit by bit.

    `others` are the rest, of which only opposites exclude each other; of those that want a field not to have some
    bits as they say, `excepting` are the kinds. `impossible`: no packet passes. `whole`: there is no other rest,
    and no field tells anything of another, so that what passes each passes all.
    """

    regions: dict[str, Region]
    bits: dict[str, Bits]
    others: frozenset[Test]
    excepting: tuple[str, ...]
    impossible: bool
    whole: bool


def _after(value: Any) -> Any:
    return value + ("\0" if isinstance(value, str) else 1)


# --- regions ---------------------------------------------------------------------------------------------------


def _networks(networks: Sequence[Network | None]) -> Region | None:
    regions = [network_region(network) if network else None for network in networks]
    if None in regions:
        return None
    return region_of([bounds for region in regions for bounds in region or ()])


def _addresses(found: AddressRange) -> Region:
    last = full_mask(found.version)
    return ((found.first, None if found.last == last else found.last + 1),)


def _protocol(name: str) -> Region | None:
    if name == "all":
        return everything(0)
    number = protocol_number(name)
    return None if number is None else ((number, number + 1),)


def _range(bounds: Range) -> Region:
    return ((bounds.first, bounds.last + 1),) if bounds.first <= bounds.last else ()


def _ports(lists: PortLists) -> Region | None:
    if len(lists.sides) != 1 or None in lists.ranges:
        return None
    return region_of([bounds for ports in lists.ranges if ports for bounds in _range(ports)])


def _icmp(wanted: IcmpType) -> Region:
    if wanted.type is None:
        return everything(0)
    first = wanted.type << _CODE_BITS
    code = wanted.code
    return ((first, first + (1 << _CODE_BITS)),) if code is None else ((first + code, first + code + 1),)


_CODE_BITS = 8


def _one_of(names: tuple[str, ...]) -> Callable[[Iterable[str]], Region | None]:
    def read(wanted: Iterable[str]) -> Region | None:
        known = [value_of(names, word) for word in wanted if word in names]
        return region_of([bounds for region in known for bounds in region]) if {*wanted} <= {*names} else None

    return read


def _word(word: str) -> Region:
    return ((word, _after(word)),)


class _Field(NamedTuple):
    """Which field a kind of test asks, how its operand is a region of it, and the field's smallest value.

    `greatest` is the largest one of a number, None where regions of all others end in None. `alone`: no other
    field says anything of this one.
    """

    name: str
    read: Callable[[Any], Region | None]
    least: int | str = 0
    greatest: int | None = None
    alone: bool = True


_FIELDS = {
    "source": _Field("source", _networks),
    "destination": _Field("destination", _networks),
    "source-range": _Field("source", _addresses),
    "destination-range": _Field("destination", _addresses),
    "protocol": _Field("protocol", _protocol, greatest=0xFF),
    "in-interface": _Field("in-interface", interfaces, ""),
    "out-interface": _Field("out-interface", interfaces, ""),
    "source-port": _Field("source-port", _range, greatest=0xFFFF),
    "destination-port": _Field("destination-port", _range, greatest=0xFFFF),
    "multiport": _Field("", _ports, greatest=0xFFFF),
    "icmp-type": _Field("icmp-type", _icmp, greatest=0xFFFF),
    "state": _Field("state", _one_of(STATES)),
    "source-type": _Field("source-type", _one_of(TYPES), alone=False),
    "destination-type": _Field("destination-type", _one_of(TYPES), alone=False),
    "length": _Field("length", _range, greatest=0xFFFF, alone=False),
    "ttl": _Field("ttl", _range, greatest=0xFF),
    "mac": _Field("mac", _word, "", alone=False),
    "packet-type": _Field("packet-type", _word, "", alone=False),
}
"""Kinds of tests that ask where a field lies."""


def _region(test: Test) -> tuple[_Field, str, Region] | None:
    """Return the field that a test asks, its name, and the values that pass; None for another test."""
    row = _FIELDS.get(test.kind)
    found = None if row is None or test.operand is None else row.read(test.operand)
    if row is None or found is None:
        return None
    name = row.name or f"{test.operand.sides[0]}-port"
    passing = complement(found, row.least) if test.negated else found
    return row, name, passing if row.greatest is None else common(passing, ((0, row.greatest + 1),))


# --- bits ------------------------------------------------------------------------------------------------------

_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


def _masked(masked: Masked) -> Bits | None:
    """Return the bits; None where the value has one that the mask has not: no packet has that."""
    return (masked.mask, masked.value) if masked.value & ~masked.mask == 0 else None


def _flags(flags: TcpFlags) -> Bits | None:
    if not flags.wanted <= flags.looked_at or not flags.looked_at <= {*_FLAGS}:
        return None
    looked_at, wanted = (
        sum(1 << place for place, flag in enumerate(_FLAGS) if flag in names)
        for names in (flags.looked_at, flags.wanted)
    )
    return looked_at, wanted


_BITS: dict[str, Callable[[Any], Bits | None]] = {
    "mark": _masked,
    "connmark": _masked,
    "tos": _masked,
    "tcp-flags": _flags,
}
"""Kinds of tests that ask bits of a field of their own."""


def _bits(test: Test) -> Bits | None:
    """Return the bits that a test asks; None for another test, and where it wants several bits otherwise."""
    read = _BITS.get(test.kind)
    found = None if read is None or test.operand is None else read(test.operand)
    if found is None or not test.negated:
        return found
    looked_at, wanted = found
    return (looked_at, looked_at & ~wanted) if looked_at.bit_count() == 1 else None


def _excepts(test: Test) -> bool:
    """Whether a test wants several bits not all to be as it says, and there are packets of which they are not."""
    read = _BITS.get(test.kind)
    asked = None if read is None or test.operand is None else read(test.operand)
    return test.negated and asked is not None and asked[0] != 0


# --- rules -----------------------------------------------------------------------------------------------------


def asks_of(tests: Iterable[Test]) -> Asks:
    """Return what tests ask that must all hold."""
    regions: dict[str, Region] = {}
    bits: dict[str, Bits] = {}
    others: set[Test] = set()
    excepting: list[str] = []
    impossible, whole = False, True
    for test in tests:
        if (in_field := _region(test)) is not None:
            row, name, region = in_field
            whole = whole and row.alone
            regions[name] = common(regions[name], region) if name in regions else region
            impossible = impossible or not regions[name]
        elif (asked := _bits(test)) is not None:
            impossible = impossible or _conflict(bits.get(test.kind, (0, 0)), asked)
            bits[test.kind] = _joined(bits.get(test.kind, (0, 0)), asked)
        elif test.kind == RANDOM:
            impossible = impossible or not test.operand
        else:
            others.add(test)
            if _excepts(test):
                excepting.append(test.kind)
            else:
                whole = False
    return Asks(regions, bits, frozenset(others), tuple(excepting), impossible, whole)


def _conflict(one: Bits, other: Bits) -> bool:
    return (one[1] ^ other[1]) & one[0] & other[0] != 0


def _joined(one: Bits, other: Bits) -> Bits:
    return one[0] | other[0], one[1] | other[1]


def meet(one: Asks, other: Asks) -> bool | None:
    """Whether some packet passes what both ask; None: that cannot be told."""
    if one.impossible or other.impossible or next(apart(one, other), None) is not None:
        return False
    return True if one.whole and other.whole and not _entangled(one, other) else None


def _entangled(one: Asks, other: Asks) -> bool:
    """Whether a field that is not to have some bits is asked for others as well: then perhaps none passes."""
    asked = Counter((*one.excepting, *other.excepting, *one.bits, *other.bits))
    return any(asked[kind] > 1 for kind in (*one.excepting, *other.excepting))


def apart(one: Asks, other: Asks) -> Iterator[str]:
    """Yield the fields of which no value passes both, as `Test` kinds name them."""
    for field, region in one.regions.items():
        if field in other.regions and not common(region, other.regions[field]):
            yield field
    for field, asked in one.bits.items():
        if field in other.bits and _conflict(asked, other.bits[field]):
            yield field
    opposites = {_opposite(test) for test in one.others if _is_lasting(test)}
    yield from (test.kind for test in other.others if _plain(test) in opposites)


def _is_lasting(test: Test) -> bool:
    """Whether a test answers the same each time that it is asked of one packet."""
    return test.kind in _LASTING


_LASTING = {
    "set", "owner", "mark", "connmark", "tos", "tcp-flags", "multiport", "bridge-port", "physdev", "status",
    "direction", "fragment", "bytes", "tcp-options", "type-on-interface",
}  # fmt: skip


def _plain(test: Test) -> tuple[Any, ...]:
    return test.kind, test.operand, test.negated, test.quote


def _opposite(test: Test) -> tuple[Any, ...]:
    return test.kind, test.operand, not test.negated, test.quote
