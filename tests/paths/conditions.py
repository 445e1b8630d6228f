"""Whether conditions of a document hold of a client: told from their kind and values, by nothing of iptviz."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.paths.connections import Sent
    from tests.paths.site import Site

Shape = dict[str, Any]


class Facts(NamedTuple):
    """A client, the node, and the endpoint that a row is about, if it is about one.

    `is_plain`: the words do not tell whether they ask about the packet before or after nat has rewritten it.
    """

    sent: Sent
    site: Site
    endpoint: str | None = None
    is_plain: bool = False


def all_hold(conditions: Iterable[Shape], facts: Facts) -> bool | None:
    """Whether all hold; None where none is known not to, and of one it is not known."""
    answers = [holds(condition, facts) for condition in conditions]
    return False if False in answers else None if None in answers else True


def holds(condition: Shape, facts: Facts) -> bool | None:
    """Whether a condition holds; None where it asks for what a packet has become on its way."""
    if condition["kind"] in {"match", "answer"}:
        answer = _is_original(str(condition["value"]), facts)
    elif condition["kind"] == "out-interface":
        answer = _leaves_by(condition, facts)
    elif condition["since"] is not None:
        answer = _was_left(condition, facts)
    else:
        answer = any(_ANSWERS[condition["kind"]](str(value), facts) for value in condition["values"])
    return None if answer is None else answer is condition["holds"]


def _was_left(condition: Shape, facts: Facts) -> bool | None:
    """Ask for what MASQUERADE has made the source, which alone leaves an address open here."""
    if not condition["kind"].startswith("source-") or condition["kind"] == "source-port":
        return None
    source = facts.site.address_towards(facts.endpoint or facts.sent.destination)
    masqueraded = facts._replace(sent=facts.sent._replace(source=source))
    return any(_ANSWERS[condition["kind"]](str(value), masqueraded) for value in condition["values"])


def _is_original(words: str, facts: Facts) -> bool | None:
    found = re.fullmatch(r"-m conntrack --ctorigdst (\S+)", words)
    return _in(facts.sent.destination, found[1]) if found else None


def _leaves_by(condition: Shape, facts: Facts) -> bool | None:
    """What the node sends leaves OUTPUT by the way to where it was sent, unless it says otherwise."""
    sent, goes = facts.sent.destination, facts.endpoint or facts.sent.destination
    rewritten = re.search(r"\(rewritten to ([^:)]+|[^)]*:[^)]*)\)", condition["text"])
    towards = [goes if rewritten or facts.sent.interface else sent, *([goes] if facts.is_plain else [])]
    answers = {
        any(_named(facts.site.way_to(each), value) for value in condition["values"]) for each in towards
    }
    return answers.pop() if len(answers) == 1 else None


def _in(address: str, text: str) -> bool:
    return ip_address(address) in ip_network(text, strict=False)


def _between(address: str, ends: str) -> bool:
    if "-" not in ends:
        return _in(address, ends)
    first, last = map(ip_address, ends.split("-"))
    return int(first) <= int(ip_address(address)) <= int(last)


def _named(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern


def _port(port: int, text: str) -> bool:
    ends = list(map(int, re.split("[:-]", text)))
    return ends[0] <= port <= ends[-1]


def _is_type(address: str, wanted: str, site: Site) -> bool:
    return ("LOCAL" if site.has(address) else "UNICAST") == wanted


_ANSWERS: dict[str, Callable[[str, Facts], bool]] = {
    "source-cidr": lambda value, facts: _in(facts.sent.source, value),
    "source-range": lambda value, facts: _between(facts.sent.source, value),
    "source-port": lambda value, facts: _port(facts.sent.sport, value),
    "source-type": lambda value, facts: _is_type(facts.sent.source, value, facts.site),
    "destination-cidr": lambda value, facts: _in(facts.sent.destination, value),
    "destination-range": lambda value, facts: _between(facts.sent.destination, value),
    "destination-port": lambda value, facts: _port(facts.sent.dport, value),
    "destination-type": lambda value, facts: _is_type(facts.sent.destination, value, facts.site),
    "in-interface": lambda value, facts: _named(facts.sent.interface, value),
    "protocol": lambda value, facts: facts.sent.protocol == value,
    "local": lambda value, facts: facts.site.has(value),
    "endpoint-local": lambda value, facts: facts.site.has(
        (facts.endpoint or "") if value == "DNAT" else value
    ),
    "sysctl": lambda value, facts: facts.sent.localnet or "route_localnet" not in value,
    "bridge-port": lambda _value, _facts: False,
    "recent": lambda _value, _facts: False,
    "unseen-tables": lambda _value, _facts: True,
    "unseen-chains": lambda _value, _facts: True,
    "fragment": lambda _value, _facts: False,
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
    "state": lambda value, _facts: value == "NEW",
    "mark": lambda value, _facts: int(value.partition("/")[0], 0) == 0,
    "connmark": lambda value, _facts: int(value.partition("/")[0], 0) == 0,
}
"""By their kind, what conditions ask of a client's first packet as it starts."""
