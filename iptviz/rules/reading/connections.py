"""Marks and connections: what mark, connmark, conntrack and state ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.rules.form import Test
from iptviz.rules.reading.addresses import networks
from iptviz.rules.reading.words import QUOTED, if_read, option_test, unread
from iptviz.xtables.values.numbers import read_mark
from iptviz.xtables.values.protocols import protocol_name, read_decimal_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.grammar.parts import Match
    from iptviz.rules.operands import TupleField
    from iptviz.xtables.option import Option

_STATE_OPTIONS = {"--ctstate", "--state"}
_REWRITTEN = {"SNAT", "DNAT"}


def mark(match: Match, option: Option) -> Test:
    """The packet's mark. Test: `Masked`."""
    return if_read("mark", match, option, read_mark(option.values[0]))


def connmark(match: Match, option: Option) -> Test:
    """The connection's mark. Test: `Masked`, None cannot be read."""
    return option_test("connmark", match, option, read_mark(option.values[0]))


def state(match: Match, option: Option) -> Test:
    """The connection's state, SNAT and DNAT among them. Test: a set of words in capitals."""
    wanted = frozenset(option.values[0].upper().split(","))
    return option_test("state", match, option, wanted, ",".join(sorted(wanted - _REWRITTEN)))


def conntrack(match: Match) -> list[Test]:
    """State, direction, tuples and status; without a connection only the state counts. Test: `Tracked`."""
    if not match.options:
        return [_tracked(Test(QUOTED, part=match.text()), None, beside_state=False)]
    beside_state = any(option.name in _STATE_OPTIONS for option in match.options)
    return [_conntrack_option(match, option, beside_state=beside_state) for option in match.options]


def _conntrack_option(match: Match, option: Option, *, beside_state: bool) -> Test:
    if option.name in _STATE_OPTIONS:
        return state(match, option)
    inner = _OPTIONS.get(option.name, unread)(match, option)
    return _tracked(inner, inner, beside_state=beside_state)


def _tracked(words: Test, inner: Test | None, *, beside_state: bool) -> Test:
    """Return a test of the connection with the words of another."""
    from iptviz.rules.operands import Tracked

    return words._replace(kind="tracked", operand=Tracked(inner, beside_state))


def _status(match: Match, option: Option) -> Test:
    """What the connection got so far; test: a set of words in capitals."""
    return option_test("status", match, option, frozenset(option.values[0].upper().split(",")))


def _direction(match: Match, option: Option) -> Test:
    """The direction of the packet; test: whether that of the first packet is wanted."""
    return option_test("direction", match, option, option.values[0].upper() == "ORIGINAL")


def _protocol(match: Match, option: Option) -> Test:
    name = protocol_name(option.values[0])
    return option_test("tracked-protocol", match, option, name, name)


def _tuple_address(match: Match, option: Option) -> Test:
    text = option.values[0]
    return option_test("tuple", match, option, _tuple_field(option, networks(text)), text)


def _tuple_port(match: Match, option: Option) -> Test:
    return option_test("tuple", match, option, _tuple_field(option, read_decimal_ports(option.values[0])))


def _tuple_field(option: Option, wanted: object) -> TupleField:
    from iptviz.rules.operands import TupleField

    return TupleField(*_TUPLE_FIELDS[option.name], wanted)  # type: ignore[arg-type]


_TUPLE_FIELDS = {
    "--ctorigsrc": (False, "source"),
    "--ctorigdst": (False, "destination"),
    "--ctreplsrc": (True, "destination"),
    "--ctrepldst": (True, "source"),
    "--ctorigsrcport": (False, "source_port"),
    "--ctorigdstport": (False, "destination_port"),
    "--ctreplsrcport": (True, "destination_port"),
    "--ctrepldstport": (True, "source_port"),
}
"""For each option whether it asks about the reply, and what that is of the packet as it goes on its way."""

_OPTIONS: dict[str, Callable[[Match, Option], Test]] = {
    "--ctstatus": _status,
    "--ctdir": _direction,
    "--ctproto": _protocol,
    **{
        name: _tuple_port if field.endswith("_port") else _tuple_address
        for name, (_, field) in _TUPLE_FIELDS.items()
    },
}
