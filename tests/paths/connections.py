"""A whole connection in the words of tests/engine/interpreter.py: the first packet, the answer, another packet.

Every way that dice may fall is tried, so that shares are exact. What a node sends to itself is followed, too.
Sources: nf_nat_inet_fn in net/netfilter/nf_nat_core.c, which asks no rules about later packets but does again, or
gives back, what the first got; ip_route_me_harder in net/ipv4/netfilter.c, and __mkroute_output and
ip_route_input_slow in net/ipv4/route.c for addresses of the loopback device.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from tests.engine.concrete import Packet, address
from tests.engine.interpreter import Rule, Rules, Walk

if TYPE_CHECKING:
    from tests.engine.concrete import Address
    from tests.paths.site import Site

Ends = tuple["Address", int]


class Sent(NamedTuple):
    """The first packet of a connection; `interface` is empty where the node itself sends it."""

    kind: str
    source: str
    destination: str
    protocol: str
    sport: int
    dport: int
    interface: str = ""
    localnet: bool = False


class End(NamedTuple):
    """How a connection ends; `address` is empty where no DNAT sends it anywhere."""

    address: str
    port: int | None
    outcome: str
    snat: str | None
    reply: str | None


class First(NamedTuple):
    """How its first packet ends."""

    verdict: str
    dnat: tuple[str, int] | None
    snat: str | None


class Laws(NamedTuple):
    """The shares of ends: of first packets, and of whole connections."""

    first: dict[First, Fraction]
    whole: dict[End, Fraction]


LOOPED = ("raw PREROUTING", "mangle PREROUTING", "mangle INPUT", "filter INPUT", "security INPUT")
"""What is asked of a packet that comes back by lo; nat has chosen by then."""


def laws(rules: Rules, sent: Sent, site: Site) -> Laws:
    """Return how connections of one client end."""
    first: dict[First, Fraction] = defaultdict(Fraction)
    whole: dict[End, Fraction] = defaultdict(Fraction)
    pending: list[tuple[bool, ...]] = [()]
    while pending:
        dice = _Dice(pending.pop())
        one, end = _followed(rules, sent, site, dice)
        first[one] += dice.share
        whole[end] += dice.share
        pending += dice.untried()
    return Laws(dict(first), dict(whole))


class _Dice:
    """Falls as it is told, and then on the side of what is likely."""

    def __init__(self, falls: tuple[bool, ...]) -> None:
        self._told = len(falls)
        self._falls = list(falls)
        self._thrown = 0
        self.share = Fraction(1)

    def draw(self, text: str) -> bool:
        chance = Fraction(int(Fraction(text) * 2**31 + Fraction(1, 2)), 2**31)
        if chance in {0, 1}:
            return bool(chance)
        if self._thrown == len(self._falls):
            self._falls.append(True)
        fell = self._falls[self._thrown]
        self._thrown += 1
        self.share *= chance if fell else 1 - chance
        return fell

    def untried(self) -> list[tuple[bool, ...]]:
        """Return how else it may fall, from where it fell as it liked."""
        return [(*self._falls[:place], False) for place in range(self._told, len(self._falls))]


class _FirstWalk(Walk):
    """The first packet of a connection, among the links of a node."""

    def __init__(self, rules: Rules, packet: Packet, site: Site, *, localnet: bool) -> None:
        super().__init__(rules, packet)
        self.site = site
        self.localnet = localnet
        self.into = packet.into
        self.sent_by = site.way_to(str(packet.destination))
        self.dnat: Ends | None = None
        self.snat: str | None = None

    def hooks(self) -> str:
        verdict = super().hooks()
        packet = self.packet
        if verdict != "ACCEPT" or packet.route != "OUTPUT" or not self.site.has(str(packet.destination)):
            return verdict
        packet.route, self.into = "INPUT", "lo"
        verdicts = (self.ask(*stop.split()) for stop in LOOPED)
        return next((verdict for verdict in verdicts if verdict != "ACCEPT"), "ACCEPT")

    def route(self) -> str:
        ends = self.packet.source, self.packet.destination
        if any(end.is_loopback for end in ends) and not (self.localnet and ends[0].version == 4):
            return "DROP"
        return super().route()

    def ask(self, name: str, chain: str) -> str:
        towards = str(self.packet.destination)
        self.interfaces = self.into, self.sent_by if chain == "OUTPUT" else self.site.way_to(towards)
        self.packet.leaving = address(self.site.address_towards(towards))
        verdict = self.asked(name, chain)
        if (name, chain) == ("nat", "OUTPUT") and verdict == "ACCEPT" and not self.can_leave():
            return "DROP"
        return verdict

    def asked(self, name: str, chain: str) -> str:
        return super().ask(name, chain)

    def can_leave(self) -> bool:
        """Whether there is a route: none leads from a loopback address to somebody else."""
        packet = self.packet
        here = self.site.has(str(packet.destination)) or not packet.source.is_loopback
        return here or self.localnet or packet.source.version == 6

    def translate(self, hook: str, rule: Rule) -> None:
        super().translate(hook, rule)
        if hook in {"PREROUTING", "OUTPUT"}:
            self.dnat = self.packet.destination, self.packet.dport
        else:
            self.snat = rule.options.get("--to-source", rule.target)


class _Later(_FirstWalk):
    """A later packet: nat makes its destination and its source what `ends` says, in this order."""

    def __init__(self, first: _FirstWalk, rules: Rules, packet: Packet, ends: tuple[Ends, Ends]) -> None:
        super().__init__(rules, packet, first.site, localnet=first.localnet)
        self._connection = first.packet.connection
        self._ends = ends

    def track(self) -> str:
        if self.packet.tracking != "UNTRACKED":
            self.packet.tracking, self.packet.connection = "ESTABLISHED", self._connection
        return "ACCEPT"

    def asked(self, name: str, chain: str) -> str:
        if name != "nat":
            return super().asked(name, chain)
        destination, source = self._ends
        if self.packet.connection is None:
            return "ACCEPT"
        if chain in {"PREROUTING", "OUTPUT"}:
            self.packet.destination, self.packet.dport = destination
        else:
            self.packet.source, self.packet.sport = source
        return "ACCEPT"


def _followed(rules: Rules, sent: Sent, site: Site, dice: _Dice) -> tuple[First, End]:
    start = _packet(sent, site, dice)
    first = _FirstWalk(rules, replace(start), site, localnet=sent.localnet)
    verdict = first.hooks()
    dnat = first.dnat and (str(first.dnat[0]), first.dnat[1])
    told = First(verdict, dnat, first.snat)
    where, port = dnat or ("", None)
    if verdict != "ACCEPT" or dnat is None:
        is_local = verdict == "ACCEPT" and first.packet.route == "INPUT"
        return told, End(where, port, "LOCAL" if is_local else verdict, first.snat if dnat else None, None)
    end = End(where, port, "ACCEPT", first.snat, "ACCEPT")
    reply = _answered(rules, start, first)
    if reply != "ACCEPT":
        return told, end._replace(reply=reply)
    later = _next(rules, start, first)
    return told, end if later == "ACCEPT" else end._replace(outcome=later, reply=None)


def _answered(rules: Rules, start: Packet, first: _FirstWalk) -> str:
    """Return what becomes of the answer; without nat, which gives the address back, it is lost."""
    end = first.packet
    packet = replace(
        start,
        source=end.destination, sport=end.dport, destination=end.source, dport=end.sport,
        route="OUTPUT" if end.route == "INPUT" else "",
        into="" if end.route == "INPUT" else first.site.way_to(str(end.destination)),
        flags=frozenset({"SYN", "ACK"}),
    )  # fmt: skip
    back = _Later(first, rules, packet, ((start.source, start.sport), (start.destination, start.dport)))
    verdict = back.hooks()
    return "DROP" if verdict == "ACCEPT" and packet.tracking == "UNTRACKED" else verdict


def _next(rules: Rules, start: Packet, first: _FirstWalk) -> str:
    end = first.packet
    packet = replace(start, flags=frozenset({"ACK"}))
    return _Later(first, rules, packet, ((end.destination, end.dport), (end.source, end.sport))).hooks()


def _packet(sent: Sent, site: Site, dice: _Dice) -> Packet:
    return Packet(
        source=address(sent.source), destination=address(sent.destination), protocol=sent.protocol,
        sport=sent.sport, dport=sent.dport, flags=frozenset({"SYN"}), icmp=(0, 0), ttl=64, tos=0, length=60,
        local=frozenset(map(address, [*site.own, site.loopback])), leaving=address(site.own[0]),
        into=sent.interface, out="", route="" if sent.interface else "OUTPUT", draw=dice.draw,
    )  # fmt: skip
