"""Arithmetic of marks: every expression of one mark and constants is `(mark & keep) ^ flip`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.nft.expressions import Binary, Ct, Meta, Value
from iptviz.records import NamedTuple
from iptviz.xtables.values.numbers import ALL_BITS

if TYPE_CHECKING:
    from iptviz.nft.expressions import Expression


class Arithmetic(NamedTuple):
    """`(of & keep) ^ flip`, where `of` is `mark`, `connmark`, or empty for a constant; then `keep` is 0."""

    of: str
    keep: int
    flip: int


_MARKS = {Meta("mark"): "mark", Ct("mark"): "connmark"}


def arithmetic(expression: Expression) -> Arithmetic | None:
    """Return what an expression makes of a mark; None for anything else."""
    if expression in _MARKS:
        return Arithmetic(_MARKS[expression], ALL_BITS, 0)  # type: ignore[index]
    if isinstance(expression, Value) and isinstance(expression.data, int):
        return Arithmetic("", 0, expression.data & ALL_BITS)
    if not isinstance(expression, Binary):
        return None
    left, right = arithmetic(expression.left), arithmetic(expression.right)
    if left is None or right is None or (left.of and right.of):
        return None
    if expression.operator in {"<<", ">>"}:
        return None if left.of or right.of else _shifted(left.flip, expression.operator, right.flip)
    one, bits = (left, right.flip) if not right.of else (right, left.flip)
    return _combined(one, expression.operator, bits)


def _shifted(value: int, operator: str, by: int) -> Arithmetic:
    by = min(by, ALL_BITS.bit_length())
    return Arithmetic("", 0, (value << by if operator == "<<" else value >> by) & ALL_BITS)


def _combined(one: Arithmetic, operator: str, bits: int) -> Arithmetic:
    if operator == "&":
        return Arithmetic(one.of, one.keep & bits, one.flip & bits)
    if operator == "|":
        return Arithmetic(one.of, one.keep & ~bits & ALL_BITS, one.flip & ~bits & ALL_BITS | bits)
    return Arithmetic(one.of, one.keep, one.flip ^ bits)
