"""The addresses of the host, of `ip addr` in any of its forms or written one a line."""

from __future__ import annotations

import re

from iptviz.supplied.lines import SourceLine, is_json, places, quoted, read_json, shown
from iptviz.xtables.address import Network, parse_network

_HINT = "give what `ip addr` prints, or one address a line"
_COMMAND = "ip -j addr"

# The words of `ip addr` around an address: `inet 10.0.0.1/24`, `inet 10.0.0.1 peer 10.0.0.2/32`.
_INET = re.compile(r"(?:^|\s)inet6?\s+(?P<address>\S+)")
# The heading of a device, also in `ip -o addr`. Where one stands, lines without an address are details.
_DEVICE = re.compile(r"^[0-9]+: \S", re.MULTILINE)
# A line of `ip -br addr`: device, state, addresses. What follows one is the other end's address, or a metric.
_BRIEF = re.compile(r"\S+\s+(?:UP|DOWN|UNKNOWN|LOWERLAYERDOWN|NOTPRESENT|DORMANT|TESTING)(?P<rest>(?:\s.*)?)")
_OF_OTHERS = re.compile(r"\s(?:peer|metric)\s+\S+")


def read_addresses(text: str, source: str) -> frozenset[Network]:
    """Read the host's own addresses, each with a full mask.

    The network an address is configured with is no address of the host, so the prefix length is dropped.

    Raises:
        DumpError: a line holds no address where it must.
    """
    if is_json(text):
        return _of_json(text, source)
    headed = _DEVICE.search(text) is not None
    return frozenset(
        host for place, line in places(text, source) for host in _of_line(line, place, headed=headed)
    )


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
        what = f"{quoted(text)} is no address"
        raise place.error(what if not length else f"{what} with a prefix length", hint)
    return network


def _of_json(text: str, source: str) -> frozenset[Network]:
    """Read `ip -j addr`; an interface without addresses is an empty object there in some versions."""
    place = SourceLine(source, 1)
    hint = f"give what `{_COMMAND}` prints, unchanged"
    found = set()
    for device in read_json(text, source, _COMMAND):
        infos = device.get("addr_info", [])
        for info in infos if isinstance(infos, list) else [infos]:
            local = info.get("local") if isinstance(info, dict) else info
            # An entry may lack `local`: iproute2 prints an empty object for an address it was told to filter.
            if info != {}:
                found.add(single_address(shown(local), place, hint))
    return frozenset(found)
