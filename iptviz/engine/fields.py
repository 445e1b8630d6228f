"""The fields of a packet that questions ask about, and their values as numbers or texts in order.

Of a field that has many values, any question names a region; a question of its own is a field of the values no
and yes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.engine.marks import as_left
from iptviz.engine.regions import Range, Region, everything, region_of
from iptviz.records import NamedTuple
from iptviz.xtables.address import Network, full_mask, parse_network, parse_range
from iptviz.xtables.values.addresses import show_address
from iptviz.xtables.values.numbers import read_open_range
from iptviz.xtables.values.protocols import protocol_name, protocol_number, read_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

YES: Region = ((1, None),)
"""Of a question of its own: it holds."""

STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
TYPES = (
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT",
    "THROW", "NAT", "XRESOLVE",
)  # fmt: skip


def network_region(network: Network) -> Region | None:
    """Return the addresses of a network; None where its mask has holes."""
    size = full_mask(network.version) + 1
    width = size - network.mask
    if network.mask & (width - 1) or width & (width - 1):
        return None
    after = network.value + width
    return ((network.value, None if after == size else after),)


def _addresses(text: str) -> Region | None:
    """Read a network, or a range of addresses."""
    if "-" not in text:
        network = parse_network(text)
        return None if network is None else network_region(network)
    ends = parse_range(text)
    if ends is None or ends[0].value > ends[1].value:
        return None
    first, last = ends[0].value, ends[1].value
    return ((first, None if last == full_mask(ends[1].version) else last + 1),)


def _ports(text: str) -> Region | None:
    ports = read_ports(text)
    fits = ports is not None and ports.first <= ports.last <= 0xFFFF
    return _numbers(ports.first, ports.last, 0xFFFF) if ports is not None and fits else None


def _up_to(greatest: int) -> Callable[[str], Region | None]:
    def read(text: str) -> Region | None:
        bounds = read_open_range(text, greatest)
        if bounds is None or bounds.first > bounds.last:
            return None
        return _numbers(bounds.first, bounds.last, greatest)

    return read


def _numbers(first: int, last: int, greatest: int) -> Region:
    return ((first, None if last >= greatest else last + 1),)


def interfaces(name: str) -> Region:
    """Return the one interface, or with a `+` at the end all whose names begin so."""
    if not name.endswith("+"):
        return ((name, name + "\0"),)
    prefix = name[:-1]
    return ((prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)),) if prefix else (("", None),)


def _line(text: str) -> Region | None:
    """Read `line 12`."""
    number = text.removeprefix("line ")
    return ((int(number), int(number) + 1),) if number.isascii() and number.isdecimal() else None


def _one_name(name: str) -> Region | None:
    return ((name, name + "\0"),)


def _protocol(text: str) -> Region | None:
    number = protocol_number(text)
    return None if number is None or not number else _numbers(number, number, 0xFF)


def _one_of(names: tuple[str, ...]) -> Callable[[str], Region | None]:
    def read(text: str) -> Region | None:
        return value_of(names, text.upper()) if text.upper() in names else None

    return read


def value_of(names: tuple[str, ...], name: str) -> Region:
    """Return one of several names as a region."""
    place = names.index(name)
    return _numbers(place, place, len(names) - 1)


class FieldKind(NamedTuple):
    """What all fields of a kind have in common.

    `read` makes of one value in the words of a condition the region that it means; `least` is the smallest value.
    """

    read: Callable[[str], Region | None]
    least: int | str = 0


FIELD_KINDS = {
    "protocol": FieldKind(_protocol),
    "destination": FieldKind(_addresses),
    "destination-type": FieldKind(_one_of(TYPES)),
    "destination-port": FieldKind(_ports),
    "source": FieldKind(_addresses),
    "source-type": FieldKind(_one_of(TYPES)),
    "source-port": FieldKind(_ports),
    "in-interface": FieldKind(interfaces, ""),
    "out-interface": FieldKind(interfaces, ""),
    "state": FieldKind(_one_of(STATES)),
    "ttl": FieldKind(_up_to(0xFF)),
    "length": FieldKind(_up_to(0xFFFF)),
    "unprinted-port": FieldKind(_one_name, ""),
    "unprinted-node-port": FieldKind(_one_name, ""),
    "unprinted-chance": FieldKind(_line),
    "dnat": FieldKind(_one_name, ""),
    "snat": FieldKind(_one_name, ""),
}
"""The kinds in the order in which a diagram asks them; questions of their own come after them.

Protocol and destination first: kube-proxy's rules tell services apart by them, and routing where packets go.
"""

OF_THE_NODE = (
    "unseen-tables", "unseen-chains", "backend-order", "hook-order", "tracking", "untracked-type", "rewriting",
    "nat-helper",
)  # fmt: skip
"""Questions that no packet answers; they come before all fields."""


class Field(NamedTuple):
    """A field, or a question of its own, which then is its `kind`, `value` and `details`.

    `since` and `rewritten` are those of its conditions: what a rule changed is another field from there on.
    """

    kind: str
    value: str = ""
    details: str = ""
    rule: int | None = None
    rewritten: str = ""
    since: int | None = None

    @property
    def text(self) -> str:
        """What it is called in a sentence: `the source`, or `whether` and the question."""
        if self.kind in FIELD_KINDS:
            return f"the {self.kind.replace('-', ' ')}{as_left(self.since)}"
        return Condition(*self).question

    @property
    def least(self) -> int | str:
        """The smallest value."""
        return FIELD_KINDS[self.kind].least if self.kind in FIELD_KINDS else 0


@lru_cache(maxsize=1 << 15)
def field_of(condition: Condition) -> Field:
    """Return the field that a condition asks about: its own where its values are no region of another."""
    kind = CONDITION_KINDS[condition.kind]
    if not kind.field or values_of(condition) is None:
        return Field(*condition)
    return Field(kind.field, rewritten=condition.rewritten, since=condition.since)


@lru_cache(maxsize=1 << 15)
def values_of(condition: Condition) -> tuple[tuple[str, Region], ...] | None:
    """Return the values that a condition names, each with its region; None where one has none."""
    kind = FIELD_KINDS[CONDITION_KINDS[condition.kind].field]
    found = tuple((word, kind.read(word)) for word in condition.values)
    return None if any(region is None for _, region in found) else found  # type: ignore[return-value]


@lru_cache(maxsize=1 << 15)
def region_asked(condition: Condition) -> Region:
    """Return the values of its field for which a condition holds."""
    if field_of(condition).kind not in FIELD_KINDS:
        return YES
    ranges: list[Range] = [bounds for _, region in values_of(condition) or () for bounds in region]
    return region_of(ranges)


def all_values(field: Field) -> Region:
    """Return all values of a field."""
    return everything(field.least)


_GREATEST = {"source-port": 0xFFFF, "destination-port": 0xFFFF, "ttl": 0xFF, "length": 0xFFFF}


def plain_words(kind: str, stretch: Range, version: int) -> tuple[str, str]:
    """Return the kind and the value of a condition about a stretch of values: of addresses, ports, or names."""
    first, after = stretch
    if kind in {"source", "destination"}:
        last = full_mask(version) if after is None else after - 1
        return f"{kind}-range", f"{show_address(first, version)}-{show_address(last, version)}"
    if kind in _GREATEST:
        last = _GREATEST[kind] if after is None else after - 1
        return kind, f"{first}:{last}" if last > first else str(first)
    names = {"state": STATES, "protocol": tuple(map(protocol_name, map(str, range(256))))}.get(kind, TYPES)
    return kind, ",".join(names[first:after])


def left_open_label(fields: Iterable[Field]) -> str:
    """Return what was left open, of many the first few."""
    texts = [field.text for field in fields]
    more = len(texts) - _MOST_LEFT_OPEN
    return ", ".join(texts[:_MOST_LEFT_OPEN]) + (f" and {more} more" if more > 0 else "")


_MOST_LEFT_OPEN = 5
