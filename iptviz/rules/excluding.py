"""What one test of a rule says of another of its kind: that it implies it, or that no packet passes both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iptviz.rules.form import Test
    from iptviz.xtables.address import Network
    from iptviz.xtables.values.numbers import Range


class _Kind(NamedTuple):
    """How operands of a kind compare: whether all of the first lies in the second; whether nothing is in both.

    Both are false where that cannot be told.
    """

    inside: Callable[[Any, Any], bool]
    disjoint: Callable[[Any, Any], bool]


def _networks_inside(one: Sequence[Network | None], other: Sequence[Network | None]) -> bool:
    wider = [network for network in other if network]
    return all(part is not None and any(network.contains(part) for network in wider) for part in one)


def _networks_apart(one: Sequence[Network | None], other: Sequence[Network | None]) -> bool:
    return all(a is not None and b is not None and not a.meets(b) for a in one for b in other)


def _protocol_inside(one: str, other: str) -> bool:
    return one == other or other == _ANY


def _protocols_apart(one: str, other: str) -> bool:
    return one != other and _ANY not in {one, other}


_ANY = "all"


def _interface_inside(one: str, other: str) -> bool:
    """Whether every name that `one` means is one of `other`'s; a `+` at the end lets a name go on."""
    return one == other or (other.endswith("+") and one.startswith(other[:-1]))


def _interfaces_apart(one: str, other: str) -> bool:
    return not (_interface_inside(one, other) or _interface_inside(other, one))


def _range_inside(one: Range, other: Range) -> bool:
    return other.first <= one.first and one.last <= other.last


def _ranges_apart(one: Range, other: Range) -> bool:
    return one.last < other.first or other.last < one.first


_STATES = frozenset({"NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"})
"""Of these a packet has one; what else `--ctstate` may name, a connection has beside it."""


def _states_inside(one: frozenset[str], other: frozenset[str]) -> bool:
    return one <= other <= _STATES


def _states_apart(one: frozenset[str], other: frozenset[str]) -> bool:
    return one | other <= _STATES and one.isdisjoint(other)


_NETWORKS = _Kind(_networks_inside, _networks_apart)
_INTERFACES = _Kind(_interface_inside, _interfaces_apart)
_RANGES = _Kind(_range_inside, _ranges_apart)
_KINDS = {
    "source": _NETWORKS,
    "destination": _NETWORKS,
    "protocol": _Kind(_protocol_inside, _protocols_apart),
    "in-interface": _INTERFACES,
    "out-interface": _INTERFACES,
    "source-port": _RANGES,
    "destination-port": _RANGES,
    "state": _Kind(_states_inside, _states_apart),
}
"""The kinds of tests that are understood here."""


def is_understood(test: Test) -> bool:
    """Whether a test is of a kind of which others can be told to imply or to exclude it."""
    return test.kind in _KINDS and test.operand is not None


def implies(test: Test, other: Test) -> bool:
    """Whether every packet that passes `test` passes `other`."""
    if test.kind != other.kind or not (is_understood(test) and is_understood(other)):
        return False
    kind = _KINDS[test.kind]
    if test.negated and other.negated:
        return kind.inside(other.operand, test.operand)
    if other.negated:
        return kind.disjoint(test.operand, other.operand)
    return not test.negated and kind.inside(test.operand, other.operand)


def excludes(test: Test, other: Test) -> bool:
    """Whether no packet passes both tests."""
    if test.kind != other.kind or not (is_understood(test) and is_understood(other)):
        return False
    kind = _KINDS[test.kind]
    if test.negated:
        return not other.negated and kind.inside(other.operand, test.operand)
    return (kind.inside if other.negated else kind.disjoint)(test.operand, other.operand)
