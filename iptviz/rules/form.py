"""What the engine needs of a rule: tests, an action, a place. Made once per rule; nothing is read after that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from iptviz.grammar.parts import Counters
    from iptviz.supplied.ipvs import RealServer, VirtualServer
    from iptviz.xtables.address import Network


class Named(Protocol):
    """A table as far as a place tells of it."""

    @property
    def name(self) -> str:
        """The table's name."""


class Place(Protocol):
    """A rule as it stands in its source; two are equal when they stand in the same place of the same source."""

    def __hash__(self) -> int: ...

    @property
    def line(self) -> int:
        """The rule's line in its source, counted from 1."""

    @property
    def number(self) -> int:
        """The rule's place in its chain, counted from 1."""

    @property
    def chain(self) -> str:
        """The name of the chain that holds the rule."""

    @property
    def text(self) -> str:
        """The rule as it stands there."""

    @property
    def table(self) -> Named:
        """The table that holds the rule."""

    @property
    def comment(self) -> str | None:
        """What its author says of it; None where nothing is."""

    @property
    def counters(self) -> Counters | None:
        """Packets and bytes; None where the source tells none."""


class GrantedPlace(NamedTuple):
    """A rule that stands in no line of its source and is taken for granted: see `iptviz.rules.granted`.

    Answers name neither a line nor a number of it. `number` tells only its order in its chain.
    """

    table: Named
    chain: str
    number: int
    text: str
    line: int = 0
    comment: str | None = None
    counters: Counters | None = None


def is_granted(place: object) -> bool:
    """Whether a rule is taken for granted and stands in no line."""
    return isinstance(place, GrantedPlace)


class _NoTable(NamedTuple):
    """What stands for a table."""

    name: str


_IPVS = _NoTable("IPVS")


class ServerPlace(NamedTuple):
    """Where ipvsadm prints a virtual server of IPVS, which is no rule, or the `number`-th of its real servers.

    That is counted from 1, and 0 for the virtual server.
    """

    virtual: VirtualServer
    real: RealServer | None = None
    number: int = 0

    @property
    def line(self) -> int:
        """The line, counted from 1."""
        return self.virtual.line if self.real is None else self.real.line

    @property
    def chain(self) -> str:
        """What stands for a chain: the virtual server, with what picks one of its real servers."""
        virtual = self.virtual
        return " ".join(filter(None, ("virtual server", virtual.protocol, virtual.at, virtual.scheduler)))

    @property
    def text(self) -> str:
        """What the line says."""
        return self.chain if self.real is None else f"real server {self.real.end}"

    @property
    def table(self) -> Named:
        """What stands for a table."""
        return _IPVS

    @property
    def comment(self) -> str | None:
        """Nothing: IPVS keeps none."""
        return None

    @property
    def counters(self) -> Counters | None:
        """Nothing: ipvsadm counts all packets of connections, not connections alone as nat does."""
        return None


def is_virtual(place: object) -> bool:
    """Whether a place is one of a virtual server: no rule."""
    return isinstance(place, ServerPlace)


def virtual_of(place: object) -> VirtualServer | None:
    """Return the virtual server of a place; None of a rule."""
    return place.virtual if isinstance(place, ServerPlace) else None


class Test(NamedTuple):
    """One thing that a rule asks of a packet.

    Attributes:
        kind: a key of the engine's table of meanings.
        operand: what it is compared with, already read; `operands.py` says what that is for each kind.
        negated: whether the rule wants the opposite.
        value: what a condition of the test's own kind asks about, as `condition_kinds.CONDITION_KINDS` writes it.
        quote: the test without its negation, as a condition of kind `match` quotes it.
        part: the part of the rule that holds the test, as it is told where the test fails.
    """

    kind: str
    operand: Any = None
    negated: bool = False
    value: str = ""
    quote: str = ""
    part: str = ""


NOTHING, UNCLEAR, JUMP, GOTO, RETURN, TARGET = "nothing", "unclear", "jump", "goto", "return", "target"
ASK, UNSEEN = "ask", "unseen"
"""What actions there are; `unclear` is that of a rule whose target may be among words that cannot be read,
`unseen` that of one which does what stands in a set or map whose elements are not shown.

`ask` is that of a rule which only asks before its parts do something, and is no step of a way.
"""


class Action(NamedTuple):
    """What a rule does with a packet that matches.

    Attributes:
        kind: `nothing`, `ask`, `unclear`, `unseen`, `jump`, `goto`, `return` or `target`.
        name: the chain, the target, or the set or map, that is named.
        operand: what the target is given, already read: None, or a `Rewriting`, or a row of `operands.py`.
        known: whether it is known what a target of this name does.
        continues: whether the next rule is asked whatever the target does, as LOG and MARK let it be.
    """

    kind: str
    name: str = ""
    operand: Any = None
    known: bool = True
    continues: bool = False


class Rewriting(NamedTuple):
    """Where nat sends a packet, or as whom it appears.

    `addresses` and `ports` are as the rule has them, empty for none; `network` is the smallest one that holds
    all the addresses, `port` the only port there is. Of several the first and the last are `span` and
    `port_span`. `randomized`: the kernel draws a port, be the packet's own among them or not.
    """

    addresses: str
    network: Network | None
    ports: str
    port: int | None
    span: tuple[int, int] | None = None
    port_span: tuple[int, int] | None = None
    randomized: bool = False


_UNKNOWN, _NOT_READABLE = "an unknown destination", "not readable"
UNKNOWN_PORTS = "?"


def unreadable(chain: str) -> Rewriting:
    """Return that of a rule whose options iptables could not print; `chain` is the endpoint's, if it is one's."""
    name = f"{_NOT_READABLE} ({chain})" if chain else _UNKNOWN
    return Rewriting(name, None, UNKNOWN_PORTS, None)


def is_unreadable(addresses: str) -> bool:
    """Whether these are the addresses of a rule whose options iptables could not print."""
    return addresses == _UNKNOWN or addresses.startswith(f"{_NOT_READABLE} (")


_RECORDING = {"recent", "recent-set"}
_COUNTING = "turn"


class Parts(Protocol):
    """Rules within a rule, which the packets meet that matched it, once its action is done.

    The first that matches takes a packet. What goes on after that, or is taken by none, comes to the next rule of
    the chain; a return or goto in here is one of that chain.
    """

    def towards(self, destination: Network | None, port: int | None = None) -> Sequence[CompiledRule]:
        """Return those that may match a packet to `destination` and `port`, in order; None is not known."""


class CompiledRule:
    """A rule as the engine walks it; two are equal when they stand in the same place.

    Attributes:
        place: where the rule stands: what answers and documents name.
        chain: the name of the chain that holds it.
        tests: what it asks of a packet, all of which must hold, in the rule's order.
        action: what it does then.
        records: whether one of its tests may change a list or a count, in the order in which they are asked.
        jump: the chain that it jumps or goes to, or None.
        goto: whether that chain does not come back to it.
        more: what else it asks and does, after its action, or None.
    """

    __slots__ = ("action", "chain", "goto", "jump", "more", "place", "records", "tests")

    def __init__(
        self, place: Place, chain: str, tests: tuple[Test, ...], action: Action, more: Parts | None = None
    ) -> None:
        self.more = more
        self.place = place
        self.chain = chain
        self.tests = tests
        self.action = action
        self.records = any(
            test.kind == _COUNTING or (test.kind in _RECORDING and test.operand.asking != "rcheck")
            for test in tests
        )
        self.goto = action.kind == GOTO
        self.jump = action.name if self.goto or action.kind == JUMP else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CompiledRule) and (self is other or self.place == other.place)

    def __hash__(self) -> int:
        return hash(self.place)

    def __repr__(self) -> str:
        return f"<CompiledRule line {self.place.line}: {self.place.text}>"


class RuleTable(Protocol):
    """A table of rules."""

    @property
    def name(self) -> str:
        """The table's name."""

    @property
    def family(self) -> str:
        """Either `ipv4` or `ipv6`."""

    def has_chain(self, chain: str) -> bool:
        """Whether the table has a chain of this name."""

    @property
    def granted(self) -> tuple[str, ...]:
        """The chains of which rules are taken for granted that the source does not show."""

    def decides_unseen(self, chain: str) -> bool | None:
        """Whether a chain that is not there decides about all that enters it, as far as its name tells.

        None where the source shows all chains: then the chain does not exist.
        """

    def is_empty(self, chain: str) -> bool:
        """Whether a chain holds no rule; that of a long one is told without a look at its rules."""

    def policy(self, chain: str) -> str | None:
        """Return what becomes of packets that a chain leaves, ACCEPT or DROP; None: its caller goes on."""

    def line_of(self, chain: str) -> int | None:
        """Return the line where a chain is declared, counted from 1; None where its source has no lines of it."""

    def lacks_end(self, chain: str) -> bool:
        """Whether rules may be missing at the end of a chain whose policy is not ACCEPT: that decides nothing."""

    def rules_of(self, chain: str) -> Sequence[CompiledRule]:
        """Return the rules of a chain in order, each made once; a chain that is not there has none."""

    def towards(
        self, chain: str, destination: Network | None, port: int | None = None
    ) -> Sequence[CompiledRule]:
        """Return the rules of a chain that may match a packet to `destination` and `port`, in order.

        None is not known.
        """


class BaseChain(NamedTuple):
    """A chain that a hook leads to, of a table that is none of iptables'.

    `hook` is the hook as iptables calls it, such as `PREROUTING`; `type` is `filter`, `nat` or `route`. Of equal
    `priority` in one table the one with the greater `place` was registered later.
    """

    table: str
    chain: str
    type: str
    hook: str
    priority: int
    place: int


class RuleSet(Protocol):
    """All tables of one backend of a node."""

    @property
    def bases(self) -> tuple[BaseChain, ...]:
        """The chains that hooks lead to, beside the built-in ones of iptables' tables."""

    @property
    def backend(self) -> str | None:
        """Either `nf_tables` or `legacy`, or None where that is not known."""

    @property
    def tables(self) -> Mapping[str, RuleTable]:
        """The tables by name."""

    @property
    def wants_tracking(self) -> bool:
        """Whether some rule makes the kernel track connections."""

    @property
    def asks_ttl(self) -> bool:
        """Whether some rule asks for the time to live, or changes it."""
