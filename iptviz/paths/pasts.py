"""The ways in which a node's rules of nat may have rewritten a connection that exists, told from a packet of it.

One that goes the way of the first packet was sent where that may have been sent, by chances and conditions that
are no more. A reply comes from where a rule of DNAT sends connections, or goes to an address that a rule of SNAT
gives: the kernel puts back what the client asked for, and who the client is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.engine.hooks import Hooks, start_of
from iptviz.engine.knowing import known_fields
from iptviz.engine.meanings.connections import CONNECTED, may_have
from iptviz.engine.nodes import TooLargeError
from iptviz.engine.packet import ANSWER, NEXT, UNSURE, ConnectionTuple, End, MaybeSource, Packet, Past
from iptviz.engine.past import ASKED_FOR, ERRORS, TRACKED, Candidate, Pasts
from iptviz.engine.unknowns import Unknowns
from iptviz.errors import PacketError
from iptviz.paths.leg import Leg, Through, halves
from iptviz.records import NamedTuple
from iptviz.rules.iptables import rule_table
from iptviz.xtables.address import full_mask, join_endpoint
from iptviz.xtables.values.addresses import show_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.host import Host
    from iptviz.engine.stages import Turn
    from iptviz.rules.form import CompiledRule, RuleSet
    from iptviz.xtables.address import Network

MOST_TARGETS = 64
"""Of more targets none is told: that nat has not rewritten the connection is taken for granted instead."""

CLIENT = "the client"
_OTHER_HOST, _SOURCE = "another host", "the packet's source"
_REWRITING = ("DNAT", "SNAT", "MASQUERADE", "REDIRECT", "NETMAP")
_BEGINS = {"PREROUTING", "OUTPUT"}


def _rewrites(dump: Dump) -> bool:
    """Whether a rule of nat may have rewritten a connection when it began; it may where nat is not shown."""
    nat = dump.tables.get("nat")
    if nat is None:
        return not dump.complete
    return any(next(nat.rules_with(f"-j {target}"), None) for target in _REWRITING)


def pasts_of(
    dumps: Sequence[Dump], rules: Sequence[RuleSet], host: Host, asked: Packet, hook: str
) -> Pasts | None:
    """Return the ways in which the nat tables of a node may have rewritten the connection of a packet.

    No way is told where the packet is described too loosely, or there are too many, or where chains of nft
    choose; None: they rewrite nothing.
    """
    if asked.state not in CONNECTED:
        return None
    if any(base.type == "nat" for each in rules for base in each.bases):
        return Pasts()
    if not any(map(_rewrites, dumps)):
        return None
    to = asked.destination
    if not _is_host(to) or not (asked.protocol or _is_error(asked)):
        return Pasts()
    finding = _Finding(dumps, rules, host, hook, asked)
    try:
        found = [*finding.originals(), *finding.replies()]
    except (TooLargeError, PacketError):
        return Pasts()
    return Pasts(tuple(found) if len(found) <= MOST_TARGETS else ())


def _is_host(address: Network | None) -> bool:
    return address is not None and address.mask == full_mask(address.version)


def _is_error(packet: Packet) -> bool:
    return packet.state == "RELATED" and packet.protocol in ERRORS


class _Sent(NamedTuple):
    """Where nat sends connections: the packet as it is then, and how a condition calls that; empty: as before."""

    packet: Packet
    text: str


class _Finding:
    """Finds how a connection may have been rewritten, of which `asked` is one packet."""

    def __init__(
        self, dumps: Sequence[Dump], rules: Sequence[RuleSet], host: Host, hook: str, asked: Packet
    ) -> None:
        self.dumps = dumps
        self.host = host
        self.family = dumps[0].family
        self.hook = hook
        self.asked = asked
        self.is_error = _is_error(asked)
        self.hooks = Hooks(rules, host, "NEW")
        self._seen = frozenset({"CONFIRMED"}) if self.is_error else TRACKED
        self._unsure = UNSURE | {"SEEN_REPLY"} if self.is_error else UNSURE

    # --- packets of the first one's direction ----------------------------------------------------------------

    def originals(self) -> Iterator[Candidate]:
        """Yield what nat may have made of a connection whose first packet was like this one.

        Errors tell of replies to the client: they come from it, or from a router on the way there.
        """
        asked = self.asked
        first = asked._replace(
            tcp_flags=None,
            length=None,
            ttl=None,
            tos=None,
            out_interface=None,  # as those of the first one were
        )
        if self.is_error:
            first = first._replace(protocol=None, icmp_type=None, source=None)
        before, after = halves(self.hooks.turns(self.hook))
        found: dict[str, tuple[Packet, dict[MaybeSource, None]]] = {}
        for sent in self._sent(first, before):
            _, sources = found.setdefault(sent.text, (sent.packet, {}))
            sources |= dict.fromkeys(map(self._source, self._through(sent.packet, after)))
        for text, (target, sources) in found.items():
            if text:
                yield self._original(text, target, tuple(sources))
            else:
                yield from (self._original(text, target, (one,)) for one in sources if one.end is not None)

    def _source(self, packet: Packet) -> MaybeSource:
        """Return what nat has made of the source of a first packet that has come through."""
        chain = "INPUT" if packet.route == "INPUT" and self.hook != "output" else "POSTROUTING"
        if packet.snat is None or not may_have(packet, "SNAT"):
            return MaybeSource(chain, "", None)
        port = self.asked.source_port if self.is_error else packet.source_port
        lost = _lost(packet, "source")
        return MaybeSource(
            chain, packet.snat, End(packet.source, port, packet.snat, None, lost, packet.snat_by)
        )

    def _sent(self, first: Packet, turns: Sequence[Turn]) -> Iterator[_Sent]:
        """Yield where the first packet may have been sent, each place once."""
        found: dict[object, _Sent] = {}
        for packet in self._through(start_of(first, self.hook), turns):
            text = self._target_text(packet) if may_have(packet, "DNAT") else ""
            found.setdefault((text, packet.mark), _Sent(packet, text))  # rules may ask for the mark
        if len({one.text for one in found.values()}) > MOST_TARGETS:
            raise TooLargeError
        yield from found.values()

    def _target_text(self, packet: Packet) -> str:
        if self.is_error and packet.destination is not None:
            return show_host(packet.destination)
        return packet.dnat or ""

    def _original(self, text: str, target: Packet, sources: tuple[MaybeSource, ...]) -> Candidate:
        asked = self.asked
        port = asked.destination_port if self.is_error else target.destination_port
        to = End(target.destination, port, text, target.to_this_node, _lost(target, "destination"))
        given = {one.end is not None for one in sources}
        statuses = ({"DNAT"} if text else set()) | ({"SNAT"} if given == {True} else set())
        unsure = self._unsure | ({"SNAT"} if len(given) != 1 else set())
        original = ConnectionTuple(None, asked.destination)
        if not self.is_error:
            original = ConnectionTuple(
                asked.source, asked.destination, asked.source_port, asked.destination_port
            )
        past = Past(to if text else None, sources=sources, unsure=unsure)
        snat = "" if text else sources[0].text
        return Candidate(NEXT, text, snat, past, self._seen | statuses, original)

    # --- replies ---------------------------------------------------------------------------------------------

    def replies(self) -> Iterator[Candidate]:
        """Yield what nat may have made of a connection of which this packet is a reply."""
        sources = [("", None), *self._targets()]
        destinations = [("", None), *self._givers()]
        for dnat, source in sources:
            for snat, destination in destinations:
                if dnat or snat:
                    yield self._reply(dnat, source, snat, destination)

    def _reply(self, dnat: str, source: End | None, snat: str, destination: End | None) -> Candidate:
        asked = self.asked
        to, port = (asked.destination, asked.destination_port) if destination is None else (None, None)
        asked_for, asked_port = (
            (asked.source, asked.source_port) if source is None else (source.address, source.port)
        )
        original = ConnectionTuple(to, asked_for, port, asked_port)
        if self.is_error:  # which connection it tells of stands within it
            original = ConnectionTuple(to, source.address if source else None)
        statuses = ({"DNAT"} if dnat else set()) | ({"SNAT"} if snat else set())
        past = Past(destination, source, unsure=self._unsure)
        return Candidate(ANSWER, dnat, snat, past, self._seen | statuses, original)

    def _targets(self) -> Iterator[tuple[str, End]]:
        """Yield the source of the packet where a rule of DNAT sends connections there, with what it stands for.

        An error may come from any router behind a target, and an unknown source may be one.
        """
        asked = self.asked
        source = asked.source
        sending = [(table, rule) for table in self._nat() for rule in self._sending(table)]
        meant: set[tuple[Network | None, int | None]] = set()
        for table, rule in sending:
            meant |= set(_frontends(table, rule))
        if sending and source is not None:
            address, port = meant.pop() if len(meant) == 1 else (None, None)
            port = asked.source_port if self.is_error else port
            shown = join_endpoint(show_host(address), port) if address else ASKED_FOR
            line = sending[0][1].line
            changed = (("source", line), ("source_port", line)) if address is None else ()
            named = None if self.is_error else asked.source_port
            yield join_endpoint(show_host(source), named), End(address, port, shown, None, changed)
        elif (self.is_error or not _is_host(source)) and any(map(_targets_some, self._nat())):
            yield _OTHER_HOST if self.is_error else _SOURCE, End(None, None, ASKED_FOR)

    def _sending(self, table: Table) -> Iterator[Rule]:
        """Yield the rules of a nat table that may send connections to where the packet comes from."""
        source = self.asked.source
        if not _is_host(source) or source is None:
            return
        for rule in _targeting(table, show_host(source)):
            if self._may_send(rule_table(table).compiled(rule), source):
                yield rule

    def _may_send(self, rule: CompiledRule, source: Network) -> bool:
        asked = rule.action.operand
        port = None if self.is_error else self.asked.source_port
        if asked is None or (None not in (asked.port, port) and asked.port != port):
            return False
        if rule.action.name == "REDIRECT":
            return self.host.is_local(source) is not False
        return asked.network is None or asked.network.contains(source)

    def _givers(self) -> Iterator[tuple[str, End]]:
        """Yield the destination of the packet where a rule of SNAT gives that to connections.

        Such a connection went to where the packet comes from, and left by where that comes in. It was another
        host's or this node's; if this node sends the packet, it was delivered here.
        """
        asked, to = self.asked, self.asked.destination
        if to is None:
            return
        arrives = self.hook != "output"
        first = Packet(
            protocol=None if self.is_error else asked.protocol,
            destination=None if self.is_error else asked.source,
            destination_port=None if self.is_error else asked.source_port,
            leaves_by=asked.in_interface if arrives else None,
            state="NEW",
        )
        for route in ("FORWARD" if arrives else "INPUT", "OUTPUT"):
            name = "prerouting" if route != "OUTPUT" else "output"
            chain = "INPUT" if route == "INPUT" else "POSTROUTING"
            turns = [
                turn
                for turn in self.hooks.turns(name)
                if turn.stage.is_nat and turn.stage.point == chain and turn.stage.route in {"", route}
            ]
            for packet in self._through(first._replace(route=route), turns):
                if may_have(packet, "SNAT") and self._may_be(packet.source, to):
                    line = packet.snat_by.line if packet.snat_by else 0
                    changed = (("destination", line), ("destination_port", line))
                    yield show_host(to), End(None, None, CLIENT, None, changed)
                    return

    def _may_be(self, given: Network | None, to: Network) -> bool:
        """Whether `to` may be what a rule gave; MASQUERADE gives one of the node's own addresses."""
        if given is not None:
            return given.contains(to)
        own = (self.host.addresses or {}).get(self.asked.in_interface or "")
        if own and self.hook != "output":
            return any(one.address == to for one in own)
        return self.host.is_local(to) is not False

    # --- both ------------------------------------------------------------------------------------------------

    def _nat(self) -> Iterator[Table]:
        return (dump.tables["nat"] for dump in self.dumps if "nat" in dump.tables)

    def _through(self, packet: Packet, turns: Sequence[Turn]) -> list[Packet]:
        """Return what may become of a packet in some turns, whatever decides, as long as it goes on."""
        unknowns = Unknowns(self.family, known_fields(packet._replace(state=None), self.host), self.host)
        leg = Leg(self.hooks, unknowns)
        number = unknowns.narrowed(leg.along(packet, turns))
        leaves = (unknowns.diagrams.says(leaf) for leaf in unknowns.diagrams.leaves(number))
        return list(dict.fromkeys(one.packet for one in leaves if isinstance(one, Through)))


def _lost(packet: Packet, side: str) -> tuple[tuple[str, int], ...]:
    return tuple(each for each in packet.changed if each[0].startswith(side))


_NO_ONE_TARGET = re.compile(rb"--to-destination (?:[^\s-]*-|:|\[[^\]]*-)|-j (?:REDIRECT|NETMAP)\b")


def _targets_some(nat: Table) -> bool:
    return next(_targeting(nat), None) is not None


def _targeting(nat: Table, address: str = "") -> Iterator[Rule]:
    """Yield the rules of DNAT that may send connections to an address, of any where it is empty."""
    if not address:
        for target in ("DNAT", "REDIRECT", "NETMAP"):
            yield from nat.rules_with(f"-j {target}")
        return
    bracket = "[" if ":" in address else ""
    for opening in {"", bracket}:
        yield from nat.rules_with(f"--to-destination {opening}{address}")
    for start, end in nat.blocks():
        for found in _NO_ONE_TARGET.finditer(nat.data, start, end):
            yield nat.rule_at(found.start())


def _frontends(table: Table, rule: Rule) -> Iterator[tuple[Network | None, int | None]]:
    """Yield the addresses and ports of which rules send connections to a rule, by all ways that lead there."""
    pending: list[tuple[Rule, Network | None, int | None]] = [(rule, None, None)]
    seen = set()
    for _ in range(MOST_TARGETS):
        if not pending:
            return
        last, address, port = pending.pop()
        compiled = rule_table(table).compiled(last)
        address, port = address or _one_address(compiled), port if port is not None else _one_port(compiled)
        if last.chain in _BEGINS:
            yield address, port
        for caller in table.rules_to(last.chain):
            if (caller, address, port) not in seen:
                seen.add((caller, address, port))
                pending.append((caller, address, port))
    yield None, None


def _one_address(rule: CompiledRule) -> Network | None:
    """Return the only destination for which a rule asks, if there is one."""
    for test in rule.tests:
        networks = test.operand if test.kind == "destination" and not test.negated else ()
        if networks and len(networks) == 1 and _is_host(networks[0]):
            return networks[0]  # type: ignore[no-any-return]
    return None


def _one_port(rule: CompiledRule) -> int | None:
    for test in rule.tests:
        if test.kind == "destination-port" and not test.negated and test.operand is not None:
            first, last = test.operand
            return first if first == last else None
    return None
