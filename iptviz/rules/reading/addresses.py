"""Addresses, protocols and interfaces: the basic options, iprange, addrtype."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.rules.form import Test
from iptviz.rules.reading.words import opaque, option_test
from iptviz.xtables.address import parse_network, parse_range
from iptviz.xtables.values.protocols import protocol_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.grammar.parts import Match
    from iptviz.xtables.address import Network
    from iptviz.xtables.option import Option


def networks(text: str) -> tuple[Network | None, ...]:
    """Read networks between commas: iptables makes a rule of each, so one is enough. None cannot be read."""
    return tuple(map(parse_network, text.split(",")))


def _address(side: str) -> Callable[[Option], Test]:
    """Return the reader of an option about an address; test: networks, each None where it cannot be read."""
    return lambda option: _basic(side, option, networks(option.values[0]), option.values[0])


def _basic(kind: str, option: Option, operand: object, value: str) -> Test:
    return Test(kind, operand, option.negated, value, part=option.text())


def _protocol(option: Option) -> Test:
    """Read a protocol; test: its name or number as iptables-save prints it, `all` is any."""
    name = protocol_name(option.values[0])
    return _basic("protocol", option, name, name)


def _interface(kind: str) -> Callable[[Option], Test]:
    """Return the reader of an interface; test: its name, with a `+` at its end the beginning of names."""
    return lambda option: _basic(kind, option, option.values[0], option.values[0])


BASICS: dict[str, Callable[[Option], Test] | None] = {
    "-s": _address("source"),
    "-d": _address("destination"),
    "-p": _protocol,
    "-i": _interface("in-interface"),
    "-o": _interface("out-interface"),
    "-f": lambda option: _basic("fragment", option, None, ""),
    "-4": None,
    "-6": None,
}
"""How each basic option is read; None: it asks nothing of a packet."""

_NO_VALUE = {"-f", "-4", "-6"}


def basic_tests(option: Option) -> tuple[Test, ...]:
    """Return what a basic option asks of a packet: a test, or none."""
    read = BASICS[option.name]
    if read is None:
        return ()
    return (read(option) if option.values or option.name in _NO_VALUE else opaque(option.text()),)


_RANGE_KINDS = {"--src-range": "source-range", "--dst-range": "destination-range"}


def iprange(match: Match, option: Option) -> Test:
    """Whether an address lies between two others. Test: an `AddressRange`, None cannot be read."""
    from iptviz.rules.operands import AddressRange

    text = option.values[0]
    ends = parse_range(text)
    operand = None if ends is None else AddressRange(ends[0].version, ends[0].value, ends[1].value)
    return option_test(_RANGE_KINDS[option.name], match, option, operand, text)


_LIMITS = {"--limit-iface-in": "in", "--limit-iface-out": "out"}


def addrtype(match: Match) -> list[Test]:
    """Whether an address is of a type, as the node's routing sees it. Test: the types in capitals."""
    limits = [limit for limit in _LIMITS if match.option(limit)]
    types = [option for option in match.options if option.name not in _LIMITS]
    if not limits:
        return [_address_type(match, option) for option in types]
    if len(types) != 1:
        return [opaque(match.text())]
    (option,) = types
    from iptviz.rules.operands import TypeOnInterface

    operand = TypeOnInterface(_SIDES[option.name], _types(option), _LIMITS[limits[0]])
    bare = match.text().replace("! --", "--")
    return [Test("type-on-interface", operand, option.negated, "", bare, match.text())]


_SIDES = {"--src-type": "source", "--dst-type": "destination"}


def _types(option: Option) -> tuple[str, ...]:
    return tuple(option.values[0].upper().split(","))


def _address_type(match: Match, option: Option) -> Test:
    return option_test(f"{_SIDES[option.name]}-type", match, option, _types(option), option.values[0])
