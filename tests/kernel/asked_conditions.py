"""Whether a condition of a document holds of a connection that was tried: from where the node is, nothing else."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.kernel.attempts import NODE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.kernel.attempts import Attempt
    from tests.kernel.site import Place

Shape = dict[str, Any]


class Facts(NamedTuple):
    """What is known of a connection: who opens it, from which port, and the endpoint of a row, if it has one.

    `settings` are sysctls by name, `first` is the backend whose tables are asked first, if there are two.
    """

    site: Place
    attempt: Attempt
    sport: int
    endpoint: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    first: str = ""


def all_hold(conditions: Iterable[Shape], facts: Facts) -> bool | None:
    """Whether all conditions hold; None where none is known not to, and one is not known."""
    answers = [holds(condition, facts) for condition in conditions]
    return False if False in answers else None if None in answers else True


def holds(condition: Shape, facts: Facts) -> bool | None:
    """Whether a condition holds; None where what is known of the connection does not say.

    What is asked after nat sent a packet elsewhere names where; that is only known of the output interface.
    """
    ask = _ANSWERS.get(condition["kind"])
    sent = _REWRITTEN.search(condition["text"])
    if ask is None or (sent and condition["kind"] != "out-interface"):
        return None
    if condition["kind"] == "out-interface":
        facts = facts._replace(endpoint=sent[1] if sent else None)
    values = condition.get("values") or [condition["value"]]
    answers = [ask(str(value), facts) for value in values]
    answer = True if True in answers else None if None in answers else False
    return None if answer is None else answer is condition["holds"]


_REWRITTEN = re.compile(r"rewritten to \[?([\d.]+|[\da-f:]+(?=\]))\]?(?::\d+)?\)")


def _in(address: str, networks: str) -> bool:
    return any(ip_address(address) in ip_network(one, strict=False) for one in networks.split(","))


def _between(address: str, ends: str) -> bool:
    first, last = map(ip_address, ends.split("-"))
    return first <= ip_address(address) <= last  # type: ignore[operator]


def _named(name: str | None, patterns: str) -> bool | None:
    if name is None:
        return None
    return any(
        name.startswith(one[:-1]) if one.endswith("+") else name == one for one in patterns.split(", ")
    )


def _in_interface(facts: Facts) -> str | None:
    return None if facts.attempt.client == NODE else facts.site.interfaces[facts.attempt.client]


def _out_interface(facts: Facts) -> str:
    """By which interface it leaves: to where nat sent it, or to where it was sent before nat was asked."""
    return facts.site.way_to(facts.endpoint or facts.attempt.destination)


def _type(address: str, types: str, site: Place) -> bool | None:
    known = {"LOCAL": site.has(address), "UNICAST": not site.has(address)}
    answers = [known.get(one) for one in types.split(",")]
    return True if True in answers else None if None in answers else False


def _setting(value: str, facts: Facts) -> bool | None:
    name, _, number = value.partition("=")
    settings = dict(facts.settings)
    return settings[name.strip()] == number.strip() if name.strip() in settings else None


def _port(port: int, ports: str) -> bool:
    found = [list(map(int, re.split("[:-]", one))) for one in ports.split(",")]
    return any(ends[0] <= port <= ends[-1] for ends in found)


_ANSWERS: dict[str, Callable[[str, Facts], bool | None]] = {
    "source-cidr": lambda value, facts: _in(facts.attempt.source, value),
    "source-range": lambda value, facts: _between(facts.attempt.source, value),
    "source-type": lambda value, facts: _type(facts.attempt.source, value, facts.site),
    "destination-cidr": lambda value, facts: _in(facts.attempt.destination, value),
    "destination-range": lambda value, facts: _between(facts.attempt.destination, value),
    "destination-type": lambda value, facts: _type(facts.attempt.destination, value, facts.site),
    "source-port": lambda value, facts: _port(facts.sport, value),
    "destination-port": lambda value, facts: _port(facts.attempt.port, value),
    "protocol": lambda value, facts: facts.attempt.protocol in value.split(","),
    "in-interface": lambda value, facts: _named(_in_interface(facts), value),
    "out-interface": lambda value, facts: _named(_out_interface(facts), value),
    "local": lambda value, facts: facts.site.has(value),
    "endpoint-local": lambda _value, facts: facts.site.has(facts.endpoint) if facts.endpoint else None,
    "bridge-port": lambda _value, _facts: False,
    "fragment": lambda _value, _facts: False,
    "state": lambda value, _facts: "NEW" in value.split(","),
    "untracked-type": lambda _value, _facts: True,
    "group": lambda _value, _facts: False,
    "cookie": lambda _value, _facts: False,
    "hairpin": lambda _value, _facts: False,
    "delivery": lambda _value, _facts: False,
    "bridged": lambda _value, _facts: False,
    "tracking": lambda _value, _facts: True,
    "rewriting": lambda _value, _facts: True,
    "nat-helper": lambda _value, _facts: True,
    "direction": lambda _value, _facts: False,
    **dict.fromkeys(("dnat", "snat"), lambda _value, _facts: False),
    "sysctl": _setting,
    "backend-order": lambda _value, facts: facts.first == "legacy" if facts.first else None,
}
