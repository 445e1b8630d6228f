"""What a comparison of nft asks of a packet: ways in which it may hold, each some tests."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.nft.expressions import (
    AnonymousSet,
    Binary,
    CatchAll,
    Concatenation,
    Ct,
    Meta,
    Numgen,
    Payload,
    Range,
    SetReference,
    Value,
)  # fmt: skip
from iptviz.nft.marks import Arithmetic, arithmetic
from iptviz.nft.statements import ANY_BIT, NO_BIT
from iptviz.records import NamedTuple
from iptviz.rules.form import Test
from iptviz.rules.native.fields import ALL_FLAGS, bounds_of, field_of, flags_test
from iptviz.rules.native.words import match_words, words_of
from iptviz.rules.operands import ChangingSet
from iptviz.xtables.values.numbers import ALL_BITS, Masked, show_mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.nft.expressions import Expression
    from iptviz.nft.statements import Match
    from iptviz.rules.native.scope import Scope

Way = tuple[Test, ...]


class Compared(NamedTuple):
    """What is asked: the tests `first` must hold, and of the `ways` one; where it is `negated`, none of them."""

    ways: tuple[Way, ...]
    first: Way = ()
    negated: bool = False


def never(text: str) -> Test:
    """Return the test that no packet passes."""
    return Test("chance", Fraction(0), part=text)


def quoting(text: str, *, negated: bool = False) -> Test:
    """Return the test of what nothing here understands: a condition."""
    return Test("match", None, negated, quote=text, part=text)


_NEGATING = {"!=", NO_BIT}


def compared(match: Match, scope: Scope, only: tuple[Expression, ...] | None = None) -> Compared:
    """Return what a comparison asks of packets of the scope's family.

    `only` are those constants of a set, for packets that can be none of the others.
    """
    text = match_words(match)
    chance = _chance(match, scope)
    if chance is not None:
        return Compared(((chance._replace(part=text),),))
    constants = _constants(match, scope) if only is None else only
    found = None if constants is None else among(match.left, constants, scope, match.operator)
    if found is None:
        negated = match.operator in _NEGATING
        shown = match_words(match, ANY_BIT) if negated else text
        return Compared(((quoting(shown, negated=negated),),), _needed(match.left, scope))
    said = [
        tuple(test._replace(quote=test.quote or text, part=text) for test in way)
        for way in (found.first, *found.ways)
    ]
    ways = tuple(said[1:])
    if isinstance(match.right, SetReference) and scope.changes(match.right):
        quote = match_words(match, ANY_BIT)
        ways = ((Test("changing-set", ChangingSet(match.right.name, ways), quote=quote, part=text),),)
    return Compared(ways, said[0], match.operator in _NEGATING)


_LAYERS = {"icmp": "icmp", "icmpv6": "ipv6-icmp", "esp": "esp", "ah": "ah", **{
    name: name for name in ("tcp", "udp", "udplite", "sctp", "dccp")
}}  # fmt: skip
_OF_FAMILY = {"ip": "ipv4", "ip6": "ipv6"}


def in_unseen(key: Expression, name: str, scope: Scope) -> Way:
    """Return what is asked where a key is looked up in a set or map whose elements are not shown."""
    return (*_needed(key, scope), quoting(f"{words_of(key)} @{name}"))


def _needed(left: Expression, scope: Scope) -> Way:
    """Return what a packet must be so that it has a field of which nothing else is understood."""
    if isinstance(left, Binary):
        return _needed(left.left, scope)
    if isinstance(left, Concatenation):
        return tuple(dict.fromkeys(test for part in left.parts for test in _needed(part, scope)))
    if not isinstance(left, Payload):
        return ()
    if _OF_FAMILY.get(left.protocol, scope.family) != scope.family:
        return (never(words_of(left)),)
    return _protocol_test(_LAYERS.get(left.protocol, ""))


_UP_TO = {"<": -1, "<=": 0}
_FROM = {">": 1, ">=": 0}


def _constants(match: Match, scope: Scope) -> tuple[Expression, ...] | None:
    """Return the constants of which one must fit; None where they are not known."""
    right = match.right
    if isinstance(right, SetReference | AnonymousSet):
        elements = scope.elements(right)
        return None if elements is None else tuple(element.key for element in elements)
    if match.operator not in {*_UP_TO, *_FROM}:
        return (right,)
    field = field_of(match.left)
    if field is None or not field.last or not isinstance(right, Value) or not isinstance(right.data, int):
        return None
    if match.operator in _UP_TO:
        first, last = 0, right.data + _UP_TO[match.operator]
    else:
        first, last = right.data + _FROM[match.operator], field.last
    return (Range(right._replace(data=first), right._replace(data=last)),) if first <= last else ()


def among(
    left: Expression, constants: Sequence[Expression], scope: Scope, operator: str = "=="
) -> Compared | None:
    """Return what it asks that `left` is one of some constants; None where nothing here understands that."""
    if any(isinstance(constant, CatchAll) for constant in constants):
        return Compared(((),))
    if isinstance(left, Concatenation):
        return _joined(left, constants, scope)
    if left in _FAMILIES:
        return _of_family(left, constants, scope)
    if left == _FLAGS or (isinstance(left, Binary) and left.left == _FLAGS):
        return _flags(left, constants, operator)
    number = arithmetic(left)
    if number is not None:
        return _marks(number, constants)
    return _of_field(left, constants, scope, operator)


def _of_field(
    left: Expression, constants: Sequence[Expression], scope: Scope, operator: str
) -> Compared | None:
    field = field_of(left)
    if field is None or (operator in {"==", "!="} and left == _SEVERAL_BITS):
        return None
    if field.family and field.family != scope.family:
        return Compared(((never(words_of(left)),),), (never(words_of(left)),))
    first = (*_protocol_test(field.protocol), *field.first)
    if not constants:
        return Compared((), first)
    together = field.read(constants)
    if together is not None:
        return Compared(((together,),), first)
    each = [field.read((constant,)) for constant in constants]
    return None if None in each else Compared(tuple((test,) for test in each if test is not None), first)


def _protocol_test(name: str) -> Way:
    return (Test("protocol", name, value=name),) if name else ()


def _joined(left: Concatenation, constants: Sequence[Expression], scope: Scope) -> Compared | None:
    first: dict[Test, None] = {}
    ways = []
    for constant in constants:
        if not isinstance(constant, Concatenation) or len(constant.parts) != len(left.parts):
            return None
        way: list[Test] = []
        for asked, part in zip(left.parts, constant.parts, strict=True):
            found = among(asked, (part,), scope)
            if found is None:
                text = f"{words_of(asked)} {words_of(part)}"
                way.append(quoting(text))
                first |= dict.fromkeys(_needed(asked, scope))
                continue
            first |= dict.fromkeys(found.first)
            if len(found.ways) > 1:
                return None
            way += found.ways[0] if found.ways else (never(""),)
        ways.append(tuple(way))
    return Compared(tuple(ways), tuple(first))


# --- families, flags, marks ----------------------------------------------------------------------------------

_FAMILIES: dict[Expression, dict[int, str]] = {
    Meta("nfproto"): {2: "ipv4", 10: "ipv6"},
    Meta("protocol"): {0x0800: "ipv4", 0x86DD: "ipv6"},
    Payload("ip", "version"): {4: "ipv4", 6: "ipv6"},
    Payload("ether", "type"): {0x0800: "ipv4", 0x86DD: "ipv6"},
}
_FLAGS = Payload("tcp", "flags")
_SEVERAL_BITS = Ct("status")
"""Of these bits several may be set, so that they are not compared as a number."""


def _of_family(left: Expression, constants: Sequence[Expression], scope: Scope) -> Compared:
    names = _FAMILIES[left]
    numbers = [bounds_of(constant) for constant in constants]
    fits = any(one is not None and names.get(one.first) == scope.family for one in numbers)
    return Compared(((),) if fits else ())


def _flags(left: Expression, constants: Sequence[Expression], operator: str) -> Compared | None:
    mask = ALL_FLAGS
    if isinstance(left, Binary):
        bits = bounds_of(left.right)
        if bits is None or left.operator != "&":
            return None
        mask = bits.first
    ways = []
    for constant in constants:
        bounds = bounds_of(constant)
        if bounds is None:
            return None
        value = bounds.first
        if operator in {ANY_BIT, NO_BIT}:
            alone = value & (value - 1) == 0
            test = flags_test(value, value if alone else 0)
            test = test if alone or test is None else test._replace(negated=True)
        else:
            test = never("tcp flags") if value & ~mask else flags_test(mask, value)
        if test is None:
            return None
        ways.append((test,))
    return Compared(tuple(ways), _protocol_test("tcp"))


def _marks(number: Arithmetic, constants: Sequence[Expression]) -> Compared | None:
    of, keep, flip = number
    if not of:
        return None
    ways = []
    for constant in constants:
        bounds = bounds_of(constant)
        if bounds is None or bounds.first != bounds.last:
            return None
        value = (bounds.first & ALL_BITS) ^ flip
        operand = Masked(value, keep)
        ways.append((never("mark"),) if value & ~keep else (Test(of, operand, value=show_mark(operand)),))
    return Compared(tuple(ways))


# --- chances -------------------------------------------------------------------------------------------------

_DRAWN_BITS = 32


def _chance(match: Match, scope: Scope) -> Test | None:
    """Return the test of a number that is drawn; None for anything else."""
    left = match.left
    drawn = _drawn(left)
    if drawn is None or (isinstance(left, Numgen) and left.mode == "inc" and scope.counts() > 1):
        return None
    offset, count = drawn
    numbers = _constants_drawn(match, scope, offset + count - 1)
    if numbers is None:
        return None
    covered = sum(max(0, min(last, offset + count - 1) - max(first, offset) + 1) for first, last in numbers)
    share = Fraction(covered, count)
    return Test("chance", 1 - share if match.operator in _NEGATING else share)


def _drawn(left: Expression) -> tuple[int, int] | None:
    """Return the least number that may be drawn, and how many there are."""
    if isinstance(left, Numgen):
        return left.offset, left.modulus
    if left == Meta("random"):
        return 0, 1 << _DRAWN_BITS
    if isinstance(left, Binary) and left.operator == "&" and left.left == Meta("random"):
        bounds = bounds_of(left.right)
        if bounds is not None and bounds.first & (bounds.first + 1) == 0:
            return 0, bounds.first + 1
    return None


def _constants_drawn(match: Match, scope: Scope, last: int) -> list[tuple[int, int]] | None:
    right = match.right
    constants: Sequence[Expression] = (right,)
    if isinstance(right, SetReference | AnonymousSet):
        elements = scope.elements(right)
        if elements is None:
            return None
        constants = [element.key for element in elements]
    bounds = [bounds_of(constant) for constant in constants]
    if None in bounds:
        return None
    found = [(one.first, one.last) for one in bounds if one is not None]
    if match.operator in _UP_TO:
        return [(0, found[0][1] + _UP_TO[match.operator])]
    if match.operator in _FROM:
        return [(found[0][0] + _FROM[match.operator], last)]
    return found


def drawn_of(key: Expression) -> tuple[int, int] | None:
    """Return the least number that is drawn as a key, and how many there are; None for other keys."""
    return _drawn(key)
