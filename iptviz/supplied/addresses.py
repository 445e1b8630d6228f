"""The addresses of the host, of `ip addr` in any of its forms or written one a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self

from iptviz.errors import quoted
from iptviz.supplied.interface_addresses import ByInterface, addresses_by_interface
from iptviz.supplied.lines import SourceLine, is_json, places, read_json, shown
from iptviz.xtables.address import Network, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable

_HINT = "pass the output of `ip addr`, or one address per line"
_COMMAND = "ip -j addr"

# The words of `ip addr` around an address: `inet 10.0.0.1/24`, `inet 10.0.0.1 peer 10.0.0.2/32`.
_INET = re.compile(r"(?:^|\s)inet6?\s+(?P<address>\S+)")
# The heading of a device, also in `ip -o addr`. Where one stands, lines without an address are details.
_DEVICE = re.compile(r"^[0-9]+: \S", re.MULTILINE)
_HEADING = re.compile(r"^[0-9]+: ([^\s:@]+)(?:@\S+)?: <", re.MULTILINE)
_FAMILY = re.compile(r"^\s+(inet6?)\s", re.MULTILINE)
_FAMILIES = 2
_LINK = re.compile(r"^\s+link/\S", re.MULTILINE)
_BRIEF_LINE = re.compile(
    r"^([^\s:@]+)(?:@\S+)?\s+(?:UP|DOWN|UNKNOWN|LOWERLAYERDOWN|NOTPRESENT|DORMANT|TESTING)\b(.*)$",
    re.MULTILINE,
)
# A line of `ip -br addr`: device, state, addresses. What follows one is the other end's address, or a metric.
_BRIEF = re.compile(r"\S+\s+(?:UP|DOWN|UNKNOWN|LOWERLAYERDOWN|NOTPRESENT|DORMANT|TESTING)(?P<rest>(?:\s.*)?)")
_OF_OTHERS = re.compile(r"\s(?:peer|metric)\s+\S+")


class Addresses(frozenset[Network]):
    """Addresses of the host; `interfaces` are the names of all its interfaces, None where they are not known.

    `by_interface` are those of which it is told whose they are.
    """

    interfaces: frozenset[str] | None
    by_interface: ByInterface

    def __new__(
        cls,
        own: Iterable[Network],
        interfaces: frozenset[str] | None = None,
        by_interface: ByInterface | None = None,
    ) -> Self:
        """Make a set of addresses."""
        made = super().__new__(cls, own)
        made.interfaces = interfaces
        made.by_interface = by_interface or {}
        return made


def read_addresses(text: str, source: str) -> Addresses:
    """Read the host's own addresses, each with a full mask.

    The network an address is configured with is no address of the host, so the prefix length is dropped.

    Raises:
        DumpError: a line holds no address where it must.
    """
    if is_json(text):
        return _of_json(text, source)
    headed = _DEVICE.search(text) is not None
    own = (host for place, line in places(text, source) for host in _of_line(line, place, headed=headed))
    return Addresses(own, _all_interfaces(text), addresses_by_interface(text))


def _all_interfaces(text: str) -> frozenset[str] | None:
    """Return the names of all interfaces, where a text has all: those without addresses, too, and lo.

    `ip -4 addr` and `ip -o addr` leave out interfaces that have no such address; the first lacks the lines of the
    link, the second the headings. What `ip -br addr` leaves out shows where lo has one family's address alone.
    """
    headings = _HEADING.findall(text)
    names = frozenset(headings if len(headings) == len(_LINK.findall(text)) else ())
    if not headings:
        lines = dict(_BRIEF_LINE.findall(text))
        names = frozenset(lines) if {"127.0.0.1/8", "::1/128"} <= set(lines.get("lo", "").split()) else names
    parts = [part for part in re.split(r"(?m)^(?=[0-9]+: )", text) if part.strip()]
    if headings and len({found for part in parts for found in _FAMILY.findall(part)}) < _FAMILIES:
        # With -d, -4 has the lines of the link, too: then each interface that is there has an address.
        names = frozenset() if all(map(_FAMILY.search, parts)) else names
    return names if "lo" in names and len(names) > 1 else None


def _of_line(line: str, place: SourceLine, *, headed: bool) -> list[Network]:
    """Read one line of any text form; `headed` texts are those of `ip addr` with headings."""
    if found := _INET.search(line):
        return [single_address(found["address"], place, _HINT)]
    if found := _BRIEF.fullmatch(line):
        own = _OF_OTHERS.sub("", found["rest"]).split()
        return [single_address(word, place, _HINT) for word in own if not word.startswith("<")]
    if headed:
        return []
    return [single_address(line.partition("#")[0].strip(), place, _HINT)]


def single_address(text: str, place: SourceLine, hint: str) -> Network:
    """Return the single address of `10.0.0.1/24`, `fe80::1%eth0` or a bare address."""
    address, slash, length = text.partition("/")
    network = parse_network(address.partition("%")[0])
    if network is None or (slash and parse_network(text) is None):
        what = "address/prefix length" if length else "address"
        raise place.error(f"invalid {what} {quoted(text)}", hint)
    return network


def _of_json(text: str, source: str) -> Addresses:
    """Read `ip -j addr`; an interface without addresses is an empty object there in some versions."""
    place = SourceLine(source, 1)
    hint = f"pass the unchanged output of `{_COMMAND}`"
    found = set()
    names: set[str | None] = set()
    for device in read_json(text, source, _COMMAND):
        infos = device.get("addr_info", [])
        names.add(shown(device["ifname"]) if "link_type" in device and "ifname" in device else None)
        for info in infos if isinstance(infos, list) else [infos]:
            local = info.get("local") if isinstance(info, dict) else info
            # An entry may lack `local`: iproute2 prints an empty object for an address it was told to filter.
            if info != {}:
                found.add(single_address(shown(local), place, hint))
    whole = (
        "lo" in names and None not in names and len(names) > 1
    )  # with -4 or -6 there is no link_type, nor every interface
    every = frozenset(name for name in names if name is not None) if whole else None
    return Addresses(found, every, addresses_by_interface(text))
