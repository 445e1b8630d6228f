"""Sets of values that questions ask about, so that one answer implies others.

Inside 10.1.0.0/16 means inside 10.0.0.0/8 and outside 10.2.0.0/16; the same holds for ports, interfaces,
protocols, states and the bits of a mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from iptviz.xtables.address import Network, parse_network
from iptviz.xtables.values.numbers import Range, read_mark
from iptviz.xtables.values.protocols import read_ports

if TYPE_CHECKING:
    from collections.abc import Callable


class Region(Protocol):
    """A set of values; it is only ever compared with one of its own kind."""

    def contains(self, other: Any) -> bool:
        """Whether every value of `other` is in this set."""

    def meets(self, other: Any) -> bool:
        """Whether some value is in both."""


class Ports(Range):
    """The ports from `first` to `last`, both included."""

    __slots__ = ()

    def contains(self, other: Ports) -> bool:
        """Whether every port of `other` is in this range."""
        return self.first <= other.first and other.last <= self.last

    def meets(self, other: Ports) -> bool:
        """Whether some port is in both."""
        return self.first <= other.last and other.first <= self.last


class Interface(NamedTuple):
    """The interfaces that `-i` or `-o` names: one, or with a `+` at the end all that begin so."""

    name: str

    def contains(self, other: Interface) -> bool:
        """Whether all that `other` names are named."""
        if self.name.endswith("+"):
            return other.name.startswith(self.name[:-1])
        return self.name == other.name

    def meets(self, other: Interface) -> bool:
        """Whether some interface is named by both."""
        return self.contains(other) or other.contains(self)


class Names(frozenset[str]):
    """A few names, such as protocols or conntrack states."""

    def contains(self, other: frozenset[str]) -> bool:
        """Whether every name of `other` is one of these."""
        return self >= other

    def meets(self, other: frozenset[str]) -> bool:
        """Whether some name is in both."""
        return not self.isdisjoint(other)


def _ports(text: str) -> Ports | None:
    """Read `80` or `80:90`."""
    ports = read_ports(text)
    return None if ports is None else Ports(*ports)


def _mark_bits(text: str) -> Network | None:
    """Read `0x4000/0x4000`: value and mask relate as those of a network do."""
    mark = read_mark(text)
    return None if mark is None else Network(0, *mark)


def _names(text: str) -> Names:
    return Names(text.split(","))


READERS: dict[str, Callable[[str], Region | None]] = {
    "source-cidr": parse_network,
    "destination-cidr": parse_network,
    "source-port": _ports,
    "destination-port": _ports,
    "in-interface": Interface,
    "out-interface": Interface,
    "protocol": _names,
    "state": _names,
    "mark": _mark_bits,
    "connmark": _mark_bits,
}
"""For each kind of condition how to read what it asks about; a kind without a row implies nothing."""


def split_since(value: str) -> tuple[str, str]:
    """Split `10.0.0.0/8 (as line 7 left it)` into what is asked about and when."""
    text, blank, since = value.partition(" (as line ")
    return text, blank + since
