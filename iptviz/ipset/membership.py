"""One set of the kernel, and whether a packet is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.ipset.blocks import Block, Level
from iptviz.ipset.subject import Subject, known_part
from iptviz.xtables.address import Network

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iptviz.ipset.parts import SetOptions

LIST = "list:set"


class IpSet:
    """A set: its type, as `hash:net,port`, and its entries, or the names of the sets it lists."""

    def __init__(self, name: str, kind: str, options: SetOptions) -> None:
        self.name = name
        self.kind = kind
        self.options = options
        self.dimensions = () if kind == LIST else tuple(kind.partition(":")[2].split(","))
        self.members: list[str] = []
        self._entries = Level()
        # Entries with `physdev:` ask for the port of a bridge, about which nothing is known.
        self._bridged = Level()
        self._has_nomatch = False

    def add(self, blocks: tuple[Block, ...], *, nomatch: bool = False, bridged: bool = False) -> None:
        """Add an entry, one block for each dimension."""
        (self._bridged if bridged else self._entries).add(blocks, nomatch=nomatch)
        self._has_nomatch |= nomatch

    def addresses(self, family: str) -> list[Network] | None:
        """Return the addresses and networks in a set that asks for nothing else; None of any other set."""
        if self.dimensions not in {("ip",), ("net",)} or self._has_nomatch or any(self._bridged.blocks()):
            return None
        version = 6 if family == "ipv6" else 4
        if self.options.family != version:
            return []
        return [Network(version, *block) for block in self._entries.blocks()]

    def matches(
        self,
        subject: Subject,
        directions: tuple[str, ...],
        sets: Mapping[str, IpSet],
        *,
        return_nomatch: bool = False,
    ) -> bool | None:
        """Return what `-m set --match-set` answers for a packet; None where what is known does not tell.

        Args:
            subject: what is known about the packet.
            directions: "src" or "dst" for each dimension; further ones are not used.
            sets: all sets by name, for one that lists others.
            return_nomatch: whether the rule has `--return-nomatch`, by which entries with the flag `nomatch`
                match and no others do.
        """
        if self.kind == LIST:
            return self._any_member(subject, directions, sets, return_nomatch=return_nomatch)
        if len(directions) < len(self.dimensions):  # ip_set_test in net/netfilter/ipset/ip_set_core.c
            return False
        if self.options.family is None or subject.family is not None:
            return self._answer(subject, directions, return_nomatch=return_nomatch)
        # The packet may be of the other family, and then it is not in the set.
        everything = Network(self.options.family, 0, 0)
        supposed = subject._replace(source=everything, destination=everything)
        answer = self._answer(supposed, directions, return_nomatch=return_nomatch)
        return None if answer else answer

    def _any_member(
        self,
        subject: Subject,
        directions: tuple[str, ...],
        sets: Mapping[str, IpSet],
        *,
        return_nomatch: bool,
    ) -> bool | None:
        """Whether some member matches; one that needs more directions than the rule has never does.

        list_set_ktest in net/netfilter/ipset/ip_set_list_set.c asks them in turn. A `nomatch` of one member does
        not keep the next from matching.
        """
        answers: set[bool | None] = set()
        for name in self.members:
            member = sets.get(name)
            if member is None or member.kind == LIST:  # a list cannot hold a list: the kernel refuses that
                answers.add(None)
            elif len(member.dimensions) <= len(directions):
                answers.add(member.matches(subject, directions, sets, return_nomatch=return_nomatch))
        return True if True in answers else None if None in answers else False

    def _answer(self, subject: Subject, directions: tuple[str, ...], *, return_nomatch: bool) -> bool | None:
        if self.options.family is not None and subject.family != self.options.family:
            return False
        flagged = return_nomatch and "net" in self.dimensions  # IPSET_TYPE_NOMATCH: types with networks
        pairs = zip(self.dimensions, directions, strict=False)
        sought = tuple(_within(known_part(part, subject, way), part, self.options) for part, way in pairs)
        answer = self._entry(sought, flagged=flagged)
        # An entry for a bridge's port may match whatever interface is known.
        if answer is False and any(True for _ in self._bridged.meeting(sought[0])):
            return None
        return answer

    def _entry(self, sought: tuple[Block, ...], *, flagged: bool) -> bool | None:
        """Whether the entry that decides has the flag `nomatch` or, unless `flagged`, lacks it.

        hash:net,iface asks no wider network once one is found, whatever its interfaces (`multi` in
        mtype_test_cidrs, net/netfilter/ipset/ip_set_hash_gen.h).
        """
        first_only = self.dimensions[-1] == "iface"
        end = _sure_end(self._entries, sought, first_only=first_only)
        answer = end is not None and end is flagged
        if answer and not self._has_nomatch and not first_only:
            return True
        for other, sure in _ends(self._entries, sought, first_only=first_only):
            if (other is not None and other is flagged) != answer:
                return None
            if sure:
                break
        return answer


def _within(block: Block, dimension: str, options: SetOptions) -> Block:
    """Return `block` as the set looks it up: the option `markmask` counts for the packet's mark, too."""
    return Block(block.value & options.mark_bits, block.mask) if dimension == "mark" else block


def _sure_end(level: Level, sought: tuple[Block, ...], *, first_only: bool) -> bool | None:
    """Return the end at which all packets arrive that arrive at no smaller block before it."""
    for below in level.around(sought[0]):
        end = below if isinstance(below, bool) else _sure_end(below, sought[1:], first_only=False)
        if end is not None or first_only:
            return end
    return None


def _ends(level: Level, sought: tuple[Block, ...], *, first_only: bool) -> Iterator[tuple[bool | None, bool]]:
    """Yield the ends that some packets may arrive at, in the kernel's order, and whether all that are left do.

    An end of None is that of packets for which the search is over without any.
    """
    for below, whole in level.meeting(sought[0]):
        over = False
        ends = [(below, True)] if isinstance(below, bool) else _ends(below, sought[1:], first_only=False)
        for end, sure in ends:
            yield end, sure and whole
            over = over or sure
        if first_only and not over:
            yield None, whole
        if first_only and whole:
            return
