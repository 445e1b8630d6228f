"""Clients of a small world, and whether a condition holds of one: worked out from its words alone."""

from __future__ import annotations

import ipaddress
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iptviz.engine.condition import Assumption, Condition, When

BITS = 0xFFFFFFFF
WITHOUT_CONNECTION = ("INVALID", "UNTRACKED")


class Client(NamedTuple):
    """All that conditions of these tests ask about."""

    source: str = "203.0.113.9"
    source_type: str = "UNICAST"
    port: int = 40000
    interface: str = "wan0"
    protocol: str = "tcp"
    state: str = "NEW"
    mark: int = 0
    connmark: int = 0
    sets: frozenset[str] = frozenset()


def clients(**values: Iterable[object]) -> Iterator[Client]:
    """All clients with some of these values, each with all others."""
    for found in product(*values.values()):
        yield Client()._replace(**dict(zip(values, found, strict=True)))  # type: ignore[arg-type]


@cache
def in_addresses(address: str, word: str) -> bool:
    first, dash, last = word.partition("-")
    if not dash:
        return ipaddress.ip_address(address) in ipaddress.ip_network(word)
    return ipaddress.ip_address(first) <= ipaddress.ip_address(address) <= ipaddress.ip_address(last)  # type: ignore[operator]


def in_ports(port: int, word: str) -> bool:
    first, colon, last = word.partition(":")
    return int(first) <= port <= int(last if colon else first)


def is_interface(name: str, word: str) -> bool:
    return name.startswith(word[:-1]) if word.endswith("+") else name == word


def is_marked(mark: int, word: str) -> bool:
    value, slash, mask = word.partition("/")
    return mark & (int(mask, 0) if slash else BITS) == int(value, 0)


def is_marked_connection(client: Client, word: str) -> bool:
    return client.state not in WITHOUT_CONNECTION and is_marked(client.connmark, word)


HOLDS: dict[str, Callable[[Client, str], bool]] = {
    "source-cidr": lambda client, word: in_addresses(client.source, word),
    "source-range": lambda client, word: in_addresses(client.source, word),
    "source-type": lambda client, word: client.source_type == word,
    "destination-port": lambda client, word: in_ports(client.port, word),
    "in-interface": lambda client, word: is_interface(client.interface, word.strip()),
    "protocol": lambda client, word: client.protocol == word,
    "state": lambda client, word: client.state == word,
    "mark": lambda client, word: is_marked(client.mark, word),
    "connmark": is_marked_connection,
    "set": lambda client, word: word in client.sets,
}


@cache
def holds(condition: Condition, client: Client) -> bool:
    return any(HOLDS[condition.kind](client, word) for word in condition.value.split(","))


def meets_all(when: When | list[Assumption], client: Client) -> bool:
    return all(holds(condition, client) == true for condition, true in when)
