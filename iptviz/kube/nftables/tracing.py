"""What happens to a new connection to a frontend, as kube-proxy's own table decides it in nftables mode.

The rules of its base chains are asked in the order in which a packet meets them; what is sent to an endpoint ends
there. What other tables do stands in the paths.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.engine.chance import total
from iptviz.engine.survey import survey
from iptviz.kube.families import AFFINITY_SETS
from iptviz.kube.frontends import CHAIN
from iptviz.kube.nftables.frontends import Frontends
from iptviz.kube.nftables.names import ENDPOINT, is_of_service, read_chain
from iptviz.kube.nftables.table import HAIRPINS
from iptviz.kube.outcome import Endpoint, FrontendOutcome, Hop, Masquerade, OtherEnd, lacking_hops
from iptviz.kube.outcome import Verdict as Refusal
from iptviz.kube.service import ServiceTrace, first_packet, told_endpoints, usual_first
from iptviz.nft.expressions import Concatenation, MapLookup, Value
from iptviz.nft.statements import Nat, Reject, Verdict
from iptviz.rules.native.fields import bounds_of
from iptviz.rules.native.lookups import drawn_share
from iptviz.rules.native.place import NftPlace
from iptviz.rules.native.words import words_of
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.addresses import show_address, show_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from fractions import Fraction

    from iptviz.engine.packet import Packet
    from iptviz.engine.survey import Case
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.kube.outcome import Needs
    from iptviz.nft.expressions import Expression
    from iptviz.rules.form import CompiledRule, Place


def trace_frontend(table: ProxyTable, frontend: Frontend) -> ServiceTrace:
    """Follow new connections to `frontend` through kube-proxy's own table."""
    packet = packet_to(frontend)
    found = survey(table.compiled, packet, _entered(table, frontend))
    reading = _Reading(table, packet, found.broken.missing)
    outcomes = told_endpoints(map(reading.outcome, found.cases))
    return ServiceTrace(
        frontend=frontend,
        packet=packet,
        outcomes=tuple(usual_first(outcomes, _admitted(table, frontend))),
        affinity_seconds=_affinity(table, [name for case in found.cases for name in case.entered]),
        broken=found.broken,
        left_open=found.left_open,
        rounded=found.rounded,
        preempted=(),
    )


def _entered(table: ProxyTable, frontend: Frontend) -> Sequence[CompiledRule]:
    if frontend.kind == CHAIN:
        return table.compiled.rules_of(frontend.rule.chain)
    return table.entered(here=frontend.kind == "node-port")


def packet_to(frontend: Frontend) -> Packet:
    """Return a new client's first packet; to a node port it goes by the first address at which that answers."""
    packet = first_packet(frontend)._replace(unlisted=(f"@{AFFINITY_SETS}",))
    limit = frontend.addresses
    if frontend.address is None and limit is not None and limit.only:
        return packet._replace(destination=parse_network(limit.networks[0]))
    return packet


def _admitted(table: ProxyTable, frontend: Frontend) -> set[str]:
    """Return the sources that source ranges admit, as conditions write them."""
    return {show_network(network) for network in Frontends(table).admitted(frontend)}


def _affinity(table: ProxyTable, chains: Sequence[str]) -> int | None:
    """Return the seconds for which a client stays with its endpoint, None without session affinity."""
    for name in dict.fromkeys(filter(is_of_service, chains)):
        for rule in table.nft.chains[name].rules if name in table.nft.chains else ():
            asked = _AFFINITY.search(rule.text)
            found = table.nft.sets.get(asked[1]) if asked else None
            if found is not None and found.head.timeout is not None:
                return found.head.timeout // 1000
    return None


_AFFINITY = re.compile(rf"@({AFFINITY_SETS}[^\s\"]+)")


class _Reading:
    """Reads the walk of a case as endpoints, marks and refusals."""

    def __init__(self, table: ProxyTable, packet: Packet, missing: Mapping[Place, str]) -> None:
        self._table = table
        self._packet = packet
        self._missing = missing

    def outcome(self, case: Case) -> FrontendOutcome:
        """Return what comes of a connection in a case."""
        ends = {place: share for place, share in case.ends.items() if isinstance(place, NftPlace)}
        endpoints = tuple(
            self._endpoint(place, nat, share, case)
            for place, share in ends.items()
            if (nat := nat_of(place)) is not None and nat.kind == "dnat"
        )
        others = tuple(
            OtherEnd(place, share, takes=nat_of(place) is not None)
            for place, share in ends.items()
            if place not in {end.rule for end in endpoints}
        )
        leftover = total((case.leftover, *(end.share for end in others)))
        lacking = tuple(self._lacking(case, leftover))
        refusing = (self._verdict(end.rule) for end in others if end.share)
        verdict = None if lacking else next(filter(None, refusing), None)  # what is not shown comes before
        if verdict is not None:
            verdict = verdict._replace(rule=_leading(verdict.rule, case))
        refused = verdict is not None and not endpoints
        return FrontendOutcome(
            when=case.when,
            endpoints=endpoints,
            leftover=leftover,
            verdict=verdict,
            masquerade=() if refused else self._masquerade(case),
            hops=tuple(self._hops(case)),
            others=() if verdict is not None or lacking else others,
            empty_chains=(),
            lacking=lacking,
        )

    def _lacking(self, case: Case, leftover: Fraction) -> Iterator[Hop]:
        """Yield the chains that the listing lacks, and last what it lacks of one that was cut off."""
        absent = list(lacking_hops(case, self._missing))
        yield from absent
        rest = leftover - total(hop.share for hop in absent)
        for name, entry in case.entered.items():
            if rest and self._table.compiled.is_cut(name):
                yield Hop(f"rules of {name}", rest, entry.via)
                return

    def _endpoint(self, place: NftPlace, nat: Nat, share: Fraction, case: Case) -> Endpoint:
        address, port = destination_of(place, nat, self._packet.destination_port)
        entry = case.entered.get(place.chain)
        is_own = (own := read_chain(place.chain)) is not None and own.kind == ENDPOINT
        via = entry.via if entry is not None and is_own else place
        arrival = case.arrivals[via]
        return Endpoint(
            address=address,
            port=port,
            share=share,
            rule=place,
            via=via,
            before=arrival.before,
            chance=arrival.chance,
            hairpin=self._hairpin(place, address, port),
            local_hairpin=HAIRPINS in self._table.nft.sets,
            drawn=_drawn(via),
        )

    def _hairpin(self, place: NftPlace, address: str, port: int | None) -> Place | None:
        """Return what masquerades an endpoint that reaches itself: an element, or a rule of its chain."""
        for line, element in self._table.elements(HAIRPINS, address):
            parts = element.key.parts if isinstance(element.key, Concatenation) else ()
            hosts = [_shown(part) for part in parts[:2]]
            asked = self._table.asked(HAIRPINS)
            if asked and hosts == [address, address] and _number(parts[-1]) == port:
                return self._table.place(asked.rule, element, line)
        for rule in self._table.nft.chains[place.chain].rules if is_of_service(place.chain) else ():
            if f"saddr {address} " in rule.text and self._table.marks(rule):
                return self._table.place(rule)
        return None

    def _hops(self, case: Case) -> Iterator[Hop]:
        for name, entry in case.entered.items():
            own = read_chain(name)
            if entry.share and is_of_service(name) and (own is None or own.kind != ENDPOINT):
                yield Hop(name, entry.share, entry.via)

    def _verdict(self, place: Place) -> Refusal | None:
        """Return how a rule refuses connections; None for one that does not."""
        if not isinstance(place, NftPlace):
            return None
        data = place.element.data if place.element else None
        for statement in (data,) if data is not None else place.rule.statements:
            if isinstance(statement, Reject):
                return Refusal("REJECT", place, answer=_REJECTS.get(statement.kind))
            if isinstance(statement, Verdict) and statement.kind == "drop":
                return Refusal("DROP", place)
        return None

    def _masquerade(self, case: Case) -> tuple[Masquerade, ...]:
        """Return what masquerades, each condition once; what always does makes the others pointless."""
        found: dict[Needs, Masquerade] = {}
        for note, share in case.notes.items():
            place, via = note.rule, note.via
            if share and isinstance(place, NftPlace) and self._table.marks(place.rule):
                own = read_chain(via.chain)
                if own is None or own.kind != ENDPOINT:
                    found.setdefault(note.needs, Masquerade(note.needs, via))
        return (found[()],) if () in found else tuple(found.values())


def _drawn(via: Place) -> Fraction | None:
    """Return the share that an endpoint has of the numbers of which one is drawn for all at once; else None."""
    if not isinstance(via, NftPlace) or via.element is None:
        return None
    return drawn_share(via.rule.statements, via.element)


def _leading(place: Place, case: Case) -> Place:
    """Return what leads to a rule that refuses: a map's element, where a chain of no service refuses for all."""
    entry = case.entered.get(place.chain)
    is_helper = entry is not None and not is_of_service(place.chain)
    by_map = (
        is_helper and isinstance(entry.via, NftPlace) and entry.via.element is not None if entry else False
    )
    return entry.via if entry and by_map else place


_REJECTS = {"tcp reset": "tcp-reset", "icmp": "icmp-port-unreachable", "icmpv6": "icmp6-port-unreachable"}


def nat_of(place: NftPlace) -> Nat | None:
    """Return the statement by which a rule rewrites; None without one, or where its element leads elsewhere."""
    leads = place.element is not None and isinstance(place.element.data, Verdict)
    found = (one for one in place.rule.statements if isinstance(one, Nat))
    return None if leads else next(found, None)


def destination_of(place: NftPlace, nat: Nat, port: int | None) -> tuple[str, int | None]:
    """Return where a rule sends what comes to `port`: an address, and the port that it has then."""
    mapped = place.element.data if place.element else None
    data = mapped if not isinstance(mapped, Verdict) else None
    address = data if isinstance(nat.address, MapLookup) else nat.address
    own = data if isinstance(nat.port, MapLookup) else nat.port
    if isinstance(address, Concatenation):
        joined = address.parts
        address, own = joined[0], joined[1]
    number = port if own is None else _number(own)
    return (_shown(address) if address is not None else ""), number


def _number(expression: Expression) -> int | None:
    bounds = bounds_of(expression)
    return bounds.first if bounds is not None and bounds.first == bounds.last else None


_VERSIONS = {"ipv4_addr": 4, "ipv6_addr": 6}


def _shown(expression: Expression) -> str:
    if isinstance(expression, Value) and isinstance(expression.data, int) and expression.type in _VERSIONS:
        return show_address(expression.data, _VERSIONS[expression.type])
    return words_of(expression)
