"""The sets of `-m set`, as `ipset save` or `ipset list` print them."""

from __future__ import annotations

import re
from itertools import pairwise, product
from typing import TYPE_CHECKING

from iptviz.errors import quoted
from iptviz.ipset.membership import LIST, IpSet
from iptviz.ipset.parts import MARK_WIDTH, PARTS, SetOptions, address_bits, beginning
from iptviz.ipset.subject import Subject
from iptviz.supplied.lines import SourceLine, places
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.numbers import read_uint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.ipset.blocks import Block

__all__ = ["IpSet", "Subject", "read_ipsets"]

_HINT = "pass the output of `ipset save`"

_TYPES = frozenset(
    {
        *("bitmap:ip", "bitmap:ip,mac", "bitmap:port", LIST),
        *("hash:ip", "hash:mac", "hash:ip,mac", "hash:ip,mark", "hash:ip,port", "hash:ip,port,ip"),
        *("hash:ip,port,net", "hash:net", "hash:net,net", "hash:net,port", "hash:net,port,net"),
        "hash:net,iface",
    }
)
# Their entries hold no addresses, so that packets of both families are in them.
_OF_NO_FAMILY = frozenset({"hash:mac", "bitmap:port", LIST})
_FAMILIES = {"inet": 4, "inet6": 6, "ipv4": 4, "ipv6": 6}

_COMMENT = re.compile(r'\bcomment "[^"]*"')
_PHYSDEV = "physdev:"

# Where the text of `ipset save` begins below that of `ipset list`, and the other way round.
_SAVED = re.compile(rf"(?:create|-N) \S+ (?:{'|'.join(sorted(_TYPES))})(?:\s|$)")
_NAMED = re.compile("Name: ")

_CREATING = ("create", "-N")

_COUNT = "Number of entries"
# What `ipset list` prints about a set before its entries, next to `Name:`, `Type:` and `Header:`.
_LISTED = re.compile(
    rf"(?P<key>Name|Type|Header|Members|Revision|Size in memory|References|{_COUNT}):(?P<value>.*)"
)


def read_ipsets(text: str, source: str) -> dict[str, IpSet]:
    """Read all sets, by name.

    Entries with a timeout count: whether they have run out since is not to be told from the text. Where a text
    lists sets and saves them too, what is saved goes first.

    Raises:
        DumpError: a line creates no set of a known type, or adds what its set cannot hold; or a set is listed
            without all its entries.
    """
    listed: dict[str, IpSet] = {}
    saved: dict[str, IpSet] = {}
    for place, words, is_listed in _commands(text, source):
        if words[0] == "COMMIT":
            continue
        command = _COMMANDS.get(words[0])
        if command is None or len(words) < 3:
            raise place.error(f"cannot parse ipset line {quoted(' '.join(words))}", _HINT)
        command(words[1:], listed if is_listed else saved, place)
    return {**listed, **saved}


def _commands(text: str, source: str) -> Iterator[tuple[SourceLine, list[str], bool]]:
    """Yield the words of each line, and whether it lists: then those that `ipset save` would print instead."""
    lines = [*places(text, source)]
    at = 0
    while at < len(lines):
        begins = _SAVED if lines[at][1].startswith("Name:") else _NAMED
        end = next((to for to in range(at + 1, len(lines)) if begins.match(lines[to][1])), len(lines))
        if begins is _SAVED:
            yield from ((place, words, True) for place, words in _listed(lines[at:end]))
        else:
            yield from ((place, words, False) for place, words in _saved(lines[at:end]))
        at = end


def _saved(lines: list[tuple[SourceLine, str]]) -> Iterator[tuple[SourceLine, list[str]]]:
    """Yield the words of each line; a name with blanks in it, which nothing quotes, is one of them."""
    spaced: list[str] = []
    for place, line in lines:
        words = _words(line)
        if words[0] in _CREATING and len(words) > 3 and words[2] not in _TYPES:
            kind = next((at for at, word in enumerate(words) if word in _TYPES), 2)
            words[1:kind] = [" ".join(words[1:kind])]
            spaced = sorted({*spaced, words[1]}, key=len, reverse=True)
        for name in spaced:
            own = name.split()
            if words[0] not in _CREATING and words[1 : len(own) + 1] == own and len(words) > len(own) + 1:
                words[1 : len(own) + 1] = [name]
                break
        yield place, words


def _words(line: str) -> list[str]:
    """Split a line without its comment, in which any word may stand."""
    return (_COMMENT.sub("", line) if '"' in line else line).split()


def _listed(lines: list[tuple[SourceLine, str]]) -> Iterator[tuple[SourceLine, list[str]]]:
    listing = _Listing()
    for place, line in lines:
        found = _LISTED.fullmatch(line)
        if found is None:
            listing.members += 1
            yield place, ["add", listing.seen["Name"], *_words(line)]
            continue
        if found["key"] == "Name":
            listing.check(place)
            listing = _Listing()
        listing.see(found["key"], found["value"].strip(), place)
        if found["key"] == "Header":
            seen = listing.seen
            yield place, ["create", seen["Name"], seen.get("Type", ""), *_words(seen["Header"])]
    listing.check(lines[-1][0])


class _Listing:
    """What was seen of one set of `ipset list`."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}
        self.members = 0
        self._counted: SourceLine | None = None

    def see(self, key: str, value: str, place: SourceLine) -> None:
        """Keep what a line says before the members."""
        self.seen[key] = value
        if key == _COUNT:
            self._counted = place

    def check(self, end: SourceLine) -> None:
        """Refuse a set whose members are not all there, as an address would look as if it were not in it.

        That is so in what `ipset list -terse` prints, and in a text that is cut. Old releases do not count. Of a
        set with timeouts the kernel counts members that have run out, which it does not list any more.
        """
        if "Header" not in self.seen:
            return
        name = quoted(self.seen["Name"])
        if "Members" not in self.seen:
            raise end.error(f"the members of the set {name} are not listed", _HINT)
        count = read_uint(self.seen.get(_COUNT, "0"))
        if self._counted and count and self.members < count and "timeout" not in self.seen["Header"].split():
            raise self._counted.error(f"the set {name} lists {self.members} of {count} members", _HINT)


def _create(words: list[str], sets: dict[str, IpSet], place: SourceLine) -> None:
    name, kind, *typed = words
    if kind not in _TYPES:
        raise place.error(f"unknown set type {quoted(kind)}", _HINT)
    if name in sets:
        raise place.error(f"the set {quoted(name)} is created twice", "pass the sets of one host only")
    sets[name] = IpSet(name, kind, _options_of(kind, typed, place))


def _options_of(kind: str, typed: list[str], place: SourceLine) -> SetOptions:
    """Read the options of `create` that decide what matches; all others are of no account here."""
    values = dict(pairwise(typed))
    family = None if kind in _OF_NO_FAMILY else _FAMILIES.get(values.get("family", "inet"))
    if family is None and kind not in _OF_NO_FAMILY:
        raise place.error(f"invalid family {quoted(values['family'])}", _HINT)
    bits, marks = address_bits(family), (1 << MARK_WIDTH) - 1
    if family is not None and ("netmask" in values or "bitmask" in values):
        bits = _bits(family, values, place)
    if "markmask" in values:
        marks = _mark_bits(values["markmask"], place)
    return SetOptions(family, bits, marks, both_ports=kind == "bitmap:port")


def _bits(family: int, values: dict[str, str], place: SourceLine) -> int:
    """Return the bits that the option `netmask` (a length) or `bitmask` (an address) names."""
    zero = "0.0.0.0" if family == 4 else "::"  # noqa: S104
    text = f"{zero}/{values['netmask']}" if "netmask" in values else values["bitmask"]
    network = parse_network(text)
    if network is None or network.version != family:
        raise place.error(f"invalid mask {quoted(text)}", _HINT)
    return network.mask if "netmask" in values else network.value


def _mark_bits(text: str, place: SourceLine) -> int:
    number = read_uint(text)
    if number is None or number >= 1 << MARK_WIDTH:
        raise place.error(f"invalid markmask {quoted(text)}", _HINT)
    return number


def _add(words: list[str], sets: dict[str, IpSet], place: SourceLine) -> None:
    name, entry, *flags = words
    made = sets.get(name)
    if made is None:
        raise place.error(f"adds to the set {quoted(name)} before a line creates it", _HINT)
    if made.kind == LIST:
        named = (" ".join(words[1:end]) for end in range(len(words), 1, -1))
        made.members.append(next((member for member in named if member in sets), entry))
        return
    bridged = _PHYSDEV in entry
    parts = _parts(entry.replace(_PHYSDEV, "", 1) if bridged else entry, made, place)
    if "wildcard" in flags and made.dimensions[-1] == "iface":
        parts[-1] = [beginning(block) for block in parts[-1]]
    nomatch = "nomatch" in flags
    for blocks in product(*parts):
        made.add(blocks, nomatch=nomatch, bridged=bridged)


def _parts(entry: str, made: IpSet, place: SourceLine) -> list[list[Block]]:
    """Read an entry's part in each dimension; that of a MAC address may be missing in bitmap:ip,mac."""
    texts = entry.split(",", len(made.dimensions) - 1)
    if made.kind == "bitmap:ip,mac" and len(texts) == 1:
        texts.append("")
    read = [PARTS[part](text, made.options) for part, text in zip(made.dimensions, texts, strict=False)]
    parts = [blocks for blocks in read if blocks]
    if len(parts) != len(made.dimensions):
        raise place.error(f"invalid entry {quoted(entry)} for a set of type {made.kind}", _HINT)
    return parts


_COMMANDS: dict[str, Callable[[list[str], dict[str, IpSet], SourceLine], None]] = {
    "create": _create,
    "-N": _create,
    "add": _add,
    "-A": _add,
}
