"""What is not known of a packet and its node: the fields that are asked about, and what conditions say of them.

What is known of a field is a region of its values: how the packet was described, or what is assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.engine.condition import Condition
from iptviz.engine.diagram import Diagrams
from iptviz.engine.fields import (
    FIELD_KINDS,
    OF_THE_NODE,
    YES,
    Field,
    all_values,
    field_of,
    network_region,
    region_asked,
    values_of,
)
from iptviz.engine.host import UNKNOWN_HOST, Host
from iptviz.engine.implications import IMPLICATIONS, IMPOSSIBLE, whole_bit
from iptviz.engine.regions import NOTHING, Region, common, complement, meets, region_of
from iptviz.errors import PacketError, quoted
from iptviz.xtables.values.addresses import show_network
from iptviz.xtables.values.protocols import WITH_PORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from iptviz.engine.condition import Assumption
    from iptviz.xtables.address import Network

_CLASSES = {
    **dict.fromkeys(OF_THE_NODE, 0),
    **{kind: place for place, kind in enumerate(FIELD_KINDS, 1)},
    "mark": len(FIELD_KINDS) + 1,
    "connmark": len(FIELD_KINDS) + 1,
}
_OTHERS = len(FIELD_KINDS) + 2
_FIELDS_PER_CLASS = 1 << 40

_PORTS = Field("source-port"), Field("destination-port")
_WITH_PORTS = region_asked(Condition("protocol", ",".join(WITH_PORTS)))

_USUALLY_SO = {*OF_THE_NODE, "target", "unread", "as-printed"}

MOST_WALKS = 100_000
"""More walks through chains are given up: marks that hang on many questions make each packet another one."""

COUNTS = "turn"
"""The kind of questions that are always left open: cases by them would have shares of their own."""

EXCLUDED = "excluded"
"""What a leaf says of packets that are not those which are assumed."""


class Unknowns:
    """The fields of diagrams, in the order in which they are asked, and what is known of their values.

    `known` are the regions in which fields lie; what `open_` names is left open: either answer is followed and
    nobody tells them apart.
    """

    def __init__(
        self,
        family: str,
        known: Mapping[Field, Region] | None = None,
        host: Host = UNKNOWN_HOST,
        open_: Collection[Field] = (),
    ) -> None:
        self.family = family
        self.host = host
        self.diagrams = Diagrams()
        self.open = open_
        self.fields: dict[int, Field] = {}
        self.named: dict[int, dict[Region, tuple[str, str]]] = {}
        """By the rank of a field the regions that conditions named, with their kind and word for it."""
        self._known = dict(known or {})
        self._ranks: dict[Field, int] = {}
        self._counts: dict[int, int] = {}
        self._asked: dict[Condition, int] = {}
        self._given = self.diagrams.yes
        self._left_open: list[Field] = []
        self._walks = 0
        self._unnamed: dict[int, tuple[int, Region]] = {}
        self.telling: dict[int, tuple[object, Any]] = {}  # by rank, what tells its regions, and of when

    @property
    def version(self) -> int:
        """The version of IP: 4 or 6."""
        return 6 if self.family == "ipv6" else 4

    def rank(self, field: Field) -> int:
        """Return the place of a field among all: by its kind, then by first use."""
        rank = self._ranks.get(field)
        if rank is None:
            place = _CLASSES.get(field.kind, _OTHERS)
            count = self._counts[place] = self._counts.get(place, 0) + 1
            rank = self._ranks[field] = place * _FIELDS_PER_CLASS + count
            self.fields[rank] = field
            self.named[rank] = {}
        return rank

    def used(self, kind: str) -> list[Field]:
        """Return the fields of a kind that were asked about so far."""
        return [field for field in self._ranks if field.kind == kind]

    def walked(self) -> None:
        """Take account of a walk through a chain.

        Raises:
            PacketError: there were more than `MOST_WALKS`.
        """
        self._walks += 1
        if self._walks > MOST_WALKS:
            raise too_much()

    def possible(self, regions: Mapping[Field, Region]) -> bool:
        """Whether some packet has values in all of `regions`, and in those that are known."""
        both = self._known | dict(regions)
        return not any(never(self, both) for never in IMPOSSIBLE)

    def unnamed(self, rank: int) -> Region:
        """Return the values of a field that no condition names; of a question of its own the usual answer.

        That is no; but nodes do track connections, and what no dump shows is told last, where it does nothing.
        """
        field = self.fields[rank]
        if field.kind not in FIELD_KINDS:
            return YES if field.kind in _USUALLY_SO else complement(YES, 0)
        named = self.named[rank]
        if len(named) != self._unnamed.get(rank, (0,))[0]:
            outside = complement(region_of([bounds for region in named for bounds in region]), field.least)
            self._unnamed[rank] = len(named), outside
        return self._unnamed[rank][1] if named else all_values(field)

    def known(self, field: Field) -> Region:
        """Return the values that a field may have."""
        return self._known.get(field) or all_values(field)

    def in_region(self, field: Field, region: Region) -> int:
        """Return where a field lies in `region`, as far as that is not known."""
        known = self.known(field)
        inside = common(known, region)
        if inside == NOTHING:
            return self.diagrams.no
        if inside == known:
            return self.diagrams.yes
        if self.leaves_open(field):
            self._left_open.append(field)
            return self.diagrams.either((self.diagrams.no, self.diagrams.yes))
        return self.diagrams.test(self.rank(field), region)

    def leaves_open(self, field: Field) -> bool:
        """Whether nobody tells apart what happens by the answers to a question about a field."""
        return field in self.open or field.kind == COUNTS

    def in_networks(self, field: Field, networks: Sequence[Network]) -> int | None:
        """Return where an address lies in one of `networks`, which become words for it; None with holes."""
        regions = [network_region(network) for network in networks]
        if None in regions:
            return None
        inside = self.in_region(
            field, region_of([bounds for region in regions if region for bounds in region])
        )
        if field in self._ranks:
            for region, network in zip(regions, networks, strict=True):
                if region is not None and region != all_values(field):
                    words = f"{field.kind}-cidr", show_network(network)
                    self.named[self._ranks[field]].setdefault(region, words)
        return inside

    def condition(self, condition: Condition) -> int:
        """Return where a condition holds, with what others imply about it."""
        asked = self._asked.get(condition)
        if asked is None:
            bit = whole_bit(condition)
            asked = self._about(condition) if bit is None else self.diagrams.not_(self.condition(bit))
            self._asked[condition] = asked
        return asked

    def _about(self, condition: Condition) -> int:
        field = field_of(condition)
        asked = self.in_region(field, region_asked(condition))
        if field.kind in FIELD_KINDS and field in self._ranks:
            named = self.named[self._ranks[field]]
            for word, region in values_of(condition) or ():
                named.setdefault(region, (condition.kind, word))
        for implied in IMPLICATIONS.get(condition.kind, ()):
            asked = implied(self, condition, asked)
        return asked

    def told(self, condition: Condition) -> bool | None:
        """Return whether a condition holds, as far as that is known."""
        if not self._known and condition.kind not in IMPLICATIONS:
            return None
        asked = self.condition(condition)
        return {self.diagrams.yes: True, self.diagrams.no: False}.get(asked)

    def assumption(self, assumption: Assumption) -> int:
        """Return where an assumption is true."""
        asked = self.condition(assumption.condition)
        return asked if assumption.holds else self.diagrams.not_(asked)

    def assume(self, assumptions: Sequence[Assumption]) -> None:
        """Take `assumptions` for known.

        Raises:
            PacketError: one is about a count, or cannot be so, from what is known of the packet or assumed.
        """
        has_port = any(port in self._known for port in _PORTS)
        for assumption in assumptions:
            if assumption.condition.kind == COUNTS:
                raise PacketError(
                    f"{quoted(assumption.text)} cannot be assumed",
                    hint="shares would depend on how the counts of several rules stand to each other",
                )
            asked = self.assumption(assumption)
            if asked == self.diagrams.no:
                raise cannot_be(assumption)
            self._learn_where(asked)
            self._learn(assumption.condition, holds=assumption.holds)
            self._asked.clear()
            has_port |= assumption.holds and field_of(assumption.condition) in _PORTS
            if not self.possible({}) or (has_port and not meets(self.known(Field("protocol")), _WITH_PORTS)):
                raise cannot_be(assumption)
        for assumption in assumptions:  # what several fields tell together is learnt of none
            self._given = self.diagrams.choose(self.assumption(assumption), self._given, self.diagrams.no)
            if self._given == self.diagrams.no:
                raise cannot_be(assumption)

    def _learn_where(self, asked: int) -> None:
        """Learn the region of the one field that an assumption comes to, be it that a set is a region of it."""
        rank = self.diagrams.asks(asked)
        if rank is not None and all(map(self.diagrams.is_leaf, self.diagrams.nodes[asked].ways)):
            field = self.fields[rank]
            self._known[field] = common(self.known(field), self.diagrams.region(asked))

    def _learn(self, condition: Condition, *, holds: bool) -> None:
        bit = whole_bit(condition)
        if bit is not None:
            self._learn(bit, holds=not holds)
            return
        field, region = field_of(condition), region_asked(condition)
        region = region if holds else complement(region, field.least)
        self._known[field] = common(self.known(field), region)

    def explored(self, act: Callable[[Callable[[Condition], bool | None]], int]) -> int:
        """Return what `act` does, which asks conditions: of one that is not known, what it does either way."""
        return self._explored(act, {})

    def _explored(
        self, act: Callable[[Callable[[Condition], bool | None]], int], answers: dict[Condition, bool]
    ) -> int:
        from iptviz.engine.effects import UndecidedError

        try:
            return act(answers.get)
        except UndecidedError as undecided:
            condition = undecided.condition
        asked = self.condition(condition)
        ways = {}
        for holds, sure in ((True, self.diagrams.no), (False, self.diagrams.yes)):
            if asked != sure:
                answers[condition] = holds
                ways[holds] = self._explored(act, answers)
                del answers[condition]
        if len(ways) == 1:
            return next(iter(ways.values()))
        return self.diagrams.choose(asked, ways[True], ways[False])

    def narrowed(self, number: int) -> int:
        """Return a diagram without what is known to be otherwise: a leaf that says `EXCLUDED` stands there."""
        number = self.diagrams.choose(self._given, number, self.diagrams.leaf(EXCLUDED))
        for rank, field in self.fields.items():
            known = self._known.get(field)
            if known is not None:
                number = self.diagrams.within(number, rank, known)
        return number

    @property
    def left_open(self) -> tuple[Field, ...]:
        """The fields that were left open, as far as they came up."""
        return tuple(field for field in dict.fromkeys(self._left_open) if field.kind != COUNTS)

    @property
    def counts(self) -> tuple[Field, ...]:
        """The counts of rules of which nobody knows which packets they take."""
        return tuple(field for field in dict.fromkeys(self._left_open) if field.kind == COUNTS)

    def busiest(self) -> set[Field]:
        """Return the fields that most nodes ask: half of them."""
        counted: dict[int, int] = {}
        for node in self.diagrams.nodes:
            if node.rank in self.fields and self.fields[node.rank].kind not in OF_THE_NODE:
                counted[node.rank] = counted.get(node.rank, 0) + 1
        most = sorted(counted, key=lambda rank: counted[rank], reverse=True)
        return {self.fields[rank] for rank in most[: (len(most) + 1) // 2]}


def too_much() -> PacketError:
    """Return the refusal of a question about more different packets than can be followed."""
    return PacketError(
        "too many different packets to follow",
        hint="narrow the packet: source, destination, protocol, ports, interface or mark",
    )


def cannot_be(assumption: Assumption) -> PacketError:
    """Return the refusal of what is assumed against what is known."""
    return PacketError(
        f"{quoted(assumption.text)} contradicts the packet or another --assume", hint="drop one of them"
    )
