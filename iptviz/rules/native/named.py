"""Which addresses and ports a text of nft names: rather too many than too few.

Between two of these in order all are alike, but for what is called by its own address.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from iptviz.nft.constants import read_word
from iptviz.nft.expressions import Value
from iptviz.xtables.address import full_mask, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_HOST = r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4}:[0-9a-fA-F.]*:[0-9a-fA-F:.]*"
_ADDRESS = re.compile(rf"(?<![\w.:-])({_HOST})(?:/(\d{{1,3}})|-({_HOST}))?")
_NUMBER = re.compile(r"(?<![\w.])(?:0x([0-9a-fA-F]{1,8})|(\d{1,5}))(?![\w.])")
_WORD = re.compile(r"(?<![\w./-])[a-z][\w-]*")


def addresses_in(texts: Iterable[str]) -> frozenset[int]:
    """Return where addresses, networks and ranges that texts name begin, and where they have ended."""
    return frozenset(
        bound for text in texts for found in _ADDRESS.finditer(text) for bound in _bounds(*found.groups())
    )


def ports_in(texts: Iterable[str]) -> frozenset[int]:
    """Return where ports and ranges of them that texts name begin, be it by the names of services, and end."""
    ports: set[int] = set()
    words: set[str] = set()
    for text in texts:
        for in_hex, decimal in _NUMBER.findall(text):
            number = int(in_hex, 16) if in_hex else int(decimal)
            ports.update((number, number + 1))
        words.update(_WORD.findall(text))
    for word in words:
        read = read_word(word, "inet_service")
        if isinstance(read, Value) and isinstance(read.data, int):
            ports.update((read.data, read.data + 1))
    return frozenset(ports)


def _bounds(address: str, length: str | None, last: str | None) -> Iterator[int]:
    network = parse_network(f"{address}/{length}" if length else address)
    upper = parse_network(last) if last else None
    if network is not None:
        yield network.value
        yield network.value + (full_mask(network.version) & ~network.mask) + 1
    if upper is not None:
        yield upper.value + 1


class Places:
    """Tells the places of addresses among sorted ones: equal for those between which none of these is."""

    def __init__(self, cuts: Sequence[int]) -> None:
        self._cuts = cuts
        self._blocks: dict[str, int | None] = {}

    def of(self, addresses: Sequence[str]) -> list[int | None]:
        """Return the places of addresses; None stands for a text that is none."""
        blocks = self._blocks
        begins = [address.rpartition(".")[0] for address in addresses]
        found = [blocks.get(begin) for begin in begins]
        if None in found:
            return [self._of(*each) for each in zip(addresses, begins, strict=True)]
        return found

    def _of(self, address: str, begin: str) -> int | None:
        if begin not in self._blocks:
            self._blocks[begin] = self._of_block(begin)
        place = self._blocks[begin]
        if place is not None:
            return place
        network = parse_network(address)
        return None if network is None else bisect_right(self._cuts, network.value)

    def _of_block(self, begin: str) -> int | None:
        """Return the place of all 256 addresses of IPv4 that begin so; None where they have several."""
        block = parse_network(f"{begin}.0/24") if begin.count(".") == 2 else None
        if block is None or block.version != 4:
            return None
        place = bisect_right(self._cuts, block.value)
        return place if place == bisect_right(self._cuts, block.value | 0xFF) else None
