"""What comes of a connection under given conditions: endpoints with exact shares, marks, refusals."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from iptviz.engine.chance import NEVER, times, total
from iptviz.engine.condition import Assumption
from iptviz.engine.matching import rule_truth, settled
from iptviz.kube.comments import NO_LOCAL_ENDPOINTS, read_comment
from iptviz.kube.families import DISPATCHERS, ENDPOINT_CHAIN, MARK_DROP, MARK_MASQUERADE, SOURCE_RANGES
from iptviz.records import NamedTuple
from iptviz.rules.form import RETURN, Place, Rewriting, is_unreadable
from iptviz.rules.iptables import compiled, dump_rule
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from fractions import Fraction

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.packet import Packet
    from iptviz.engine.survey import Case
    from iptviz.grammar.parts import Counters
    from iptviz.kube.marks import MarkedDrop, Marks

Needs = tuple[Assumption, ...]

NOTHING_MISSING: Mapping[Place, str] = MappingProxyType({})


class Endpoint(NamedTuple):
    """One DNAT rule and the share (in [0, 1]) of new connections that it gets.

    `address` may be a range, or words where the dump does not show it; `ports` is the range where a rule names
    several, `port` is None then. `via` is the rule that jumps to the endpoint's chain: it is reached by the share
    `before` of all connections and takes `chance` of them. Where `share` is not their product, other ways lead
    here too. `hairpin` is what masquerades it where it reaches itself; `local_hairpin`: only endpoints on this
    node have such. `drawn` is the share that it has of the numbers of which nft draws one for all endpoints at
    once; None where rules are asked one after the other.
    """

    address: str
    port: int | None
    share: Fraction
    rule: Place
    via: Place
    before: Fraction
    chance: Fraction
    hairpin: Place | None
    ports: str = ""
    local_hairpin: bool = False
    drawn: Fraction | None = None

    @property
    def text(self) -> str:
        """The endpoint as people write it."""
        if is_unreadable(self.address):
            return self.address
        host = f"[{self.address}]" if ":" in self.address else self.address
        port = self.ports or self.port
        return host if port is None else f"{host}:{port}"

    @property
    def counters(self) -> Counters | None:
        """Packets and bytes of the DNAT rule; nat counts a connection once."""
        return self.rule.counters


class Verdict(NamedTuple):
    """What happens to connections that get no endpoint: REJECT or DROP, by which rule.

    Where `rule` only marks them, `marked` says who drops what bears the mark. `answer` is how REJECT answers,
    where the rule says so.
    """

    kind: str
    rule: Place
    marked: MarkedDrop | None = None
    answer: str | None = None

    @property
    def lacks_local(self) -> bool:
        """Whether kube-proxy's rule refuses since none of the endpoints is on this node.

        Its comment says so. Where there is none, as in listings of older nft: filter drops for this reason alone,
        and rejects what has no endpoint at all (pkg/proxy/iptables/proxier.go, from 1.4 to 1.36).
        """
        rule = self.rule
        comment = read_comment(rule.comment)
        if comment is not None or rule.comment:
            return comment is not None and comment.form is NO_LOCAL_ENDPOINTS
        in_filter = rule.table.name == "filter" and rule.chain in DISPATCHERS["filter"]
        return self.kind == "DROP" and in_filter


class Hop(NamedTuple):
    """A chain on the way, the share of all connections that enters it, and the first rule leading there."""

    chain: str
    share: Fraction
    via: Place


class OtherEnd(NamedTuple):
    """A rule that ends the nat table for `share` (in [0, 1]) of the connections, without an endpoint.

    `takes`: it sends them elsewhere, to another chain or address.
    """

    rule: Place
    share: Fraction
    takes: bool = False


class Masquerade(NamedTuple):
    """The source is rewritten where all of `needs` hold (without any: always), says `rule`."""

    needs: Needs
    rule: Place


class FrontendOutcome(NamedTuple):
    """What happens when all of `when` hold; the endpoints' shares and `leftover` sum to 1.

    `lacking` are chains that connections enter and the dump does not show, with their shares, which count as
    leftover: what becomes of these is not known. `others` are rules other than DNAT that end the nat table,
    with their shares; they count as leftover, and so does what `returning` send back before the service is
    asked. `empty_chains` are chains that connections enter although they hold no rule. `unshared`: the dump does
    not print by what chance each endpoint is chosen, so that their shares are none.
    """

    when: Needs
    endpoints: tuple[Endpoint, ...]
    leftover: Fraction
    verdict: Verdict | None
    masquerade: tuple[Masquerade, ...]
    hops: tuple[Hop, ...]
    others: tuple[OtherEnd, ...]
    empty_chains: tuple[Hop, ...]
    returning: tuple[OtherEnd, ...] = ()
    lacking: tuple[Hop, ...] = ()
    unshared: bool = False


class _Note(NamedTuple):
    """A rule that marks `share` (in [0, 1]) of the connections where all of `needs` hold; `via` led to it."""

    rule: Rule
    via: Rule
    needs: Needs
    share: Fraction


def lacking_share(outcome: FrontendOutcome) -> Fraction:
    """Return the share (in [0, 1]) of connections that come to chains which the dump does not show."""
    return total(hop.share for hop in outcome.lacking)


class OutcomeReader:
    """Reads the walk of one case as endpoints, marks and refusals."""

    def __init__(
        self, packet: Packet, marks: Marks, refusals: Sequence[Rule], filter_table: Table | None = None
    ) -> None:
        self.packet = packet
        self.marks = marks
        self.refusals = refusals
        self.filter_table = filter_table

    def read(self, case: Case, missing: Mapping[Place, str] = NOTHING_MISSING) -> FrontendOutcome:
        """Return what comes of a connection in this case; `missing` are the chains that rules lead to in vain."""
        ends = {dump_rule(place): share for place, share in case.ends.items()}
        endpoints = tuple(self._endpoint(rule, case) for rule in ends if _is_dnat(rule))
        others = tuple(
            OtherEnd(rule, share, takes_on(rule)) for rule, share in ends.items() if not _is_dnat(rule)
        )
        leftover = total((case.leftover, *(end.share for end in others)))
        lacking = tuple(lacking_hops(case, missing))
        notes = [note for note in _notes(case) if not compiled(note.via).chain.startswith(ENDPOINT_CHAIN)]
        empty = tuple(_empty_chains(notes))
        shown = not lacking and not any(map(_may_hold_rules, empty))
        verdict = self._verdict(case, notes, shown=shown) if leftover else None
        refused = verdict is not None and not endpoints
        hops = (
            Hop(chain, entry.share, dump_rule(entry.via))
            for chain, entry in case.entered.items()
            if entry.share and not chain.startswith(ENDPOINT_CHAIN)
        )
        return FrontendOutcome(
            when=case.when,
            endpoints=endpoints,
            leftover=leftover,
            verdict=verdict,
            masquerade=() if refused else self._masquerade(notes),  # a mark on what is refused is for nothing
            hops=tuple(hops),
            others=others,
            empty_chains=empty,
            returning=tuple(_returning(case)),
            lacking=lacking,
        )

    def _endpoint(self, rule: Rule, case: Case) -> Endpoint:
        entry = case.entered.get(compiled(rule).chain)
        via = rule if entry is None else dump_rule(entry.via)
        arrival = case.arrivals[via]
        address, port, ports = destination_of(rule, self.packet.destination_port)
        return Endpoint(
            address=address,
            port=port,
            ports=ports,
            share=case.ends[rule],
            rule=rule,
            via=via,
            before=arrival.before,
            chance=arrival.chance,
            hairpin=self._hairpin(rule, address),
        )

    def _hairpin(self, dnat: Rule, address: str) -> Rule | None:
        """Return the rule by which an endpoint that reaches itself through its service is masqueraded."""
        own = parse_network(address)
        for rule in dnat.table.rules_of(compiled(dnat).chain):
            if self.marks.masquerades(rule):
                needs = rule_truth(compiled(rule), self.packet).needs
                if [parse_network(need.condition.value) for need in needs] == [own]:
                    return rule
        return None

    def _masquerade(self, notes: Sequence[_Note]) -> tuple[Masquerade, ...]:
        """Return what masquerades, each condition once; what always does makes the others pointless."""
        found: dict[Needs, Masquerade] = {}
        for note in notes:
            if self.marks.masquerades(note.rule):
                found.setdefault(note.needs, Masquerade(note.needs, note.via))
        return (found[()],) if () in found else tuple(found.values())

    def _verdict(self, case: Case, notes: Sequence[_Note], *, shown: bool) -> Verdict | None:
        """Return who refuses what got no endpoint: a drop mark on the way, or a rule of the filter table.

        Not `shown` is a chain that may send it to one: what source ranges keep out is then not known.
        """
        for note in notes:
            if self.marks.drops(note.rule) and not note.needs:
                return Verdict("DROP", note.via, self.marks.dropped_by(self.filter_table))
        refusals = [rule for rule in self.refusals if shown or rule.chain != SOURCE_RANGES]
        if not refusals:
            return None
        from iptviz.engine.knowing import answers_of  # most services refuse nobody

        answer = answers_of(case.when)
        for rule in refusals:
            target = rule.target
            truth = settled(rule_truth(compiled(rule), self.packet), answer)
            if target and target.name in {"REJECT", "DROP"} and truth.chance and not truth.needs:
                return Verdict(target.name, rule, answer=target.value("--reject-with"))
        return None


def destination_of(rule: Rule, port: int | None) -> tuple[str, int | None, str]:
    """Return where a DNAT rule sends what comes to `port`: address, port, and the ports where it names several.

    Without a port of its own it keeps that of the packet. An address that could not be printed is told so.
    """
    sent: Rewriting = compiled(rule).action.operand
    if is_unreadable(sent.addresses):
        return sent.addresses, None, ""
    several = sent.ports if sent.ports and sent.port is None else ""
    return sent.addresses, (sent.port if sent.ports else port), several


def lacking_hops(case: Case, missing: Mapping[Place, str]) -> Iterator[Hop]:
    """Yield the chains that are not shown, with the share of all connections that a rule leads there."""
    for place, chain in missing.items():
        arrival = case.arrivals.get(place)
        share = times(arrival.before, arrival.chance) if arrival else NEVER
        if share:
            yield Hop(chain, share, place)


def _returning(case: Case) -> Iterator[OtherEnd]:
    """Yield the rules of dispatching chains that send connections back before a service is asked."""
    for place, arrival in case.arrivals.items():
        rule = dump_rule(place)
        share = times(arrival.before, arrival.chance)
        if share and rule.chain in DISPATCHERS["nat"] and compiled(rule).action.kind == RETURN:
            yield OtherEnd(rule, share, takes_on(rule))


def _notes(case: Case) -> Iterator[_Note]:
    for note, share in case.notes.items():
        yield _Note(dump_rule(note.rule), dump_rule(note.via), note.needs, share)


def _empty_chains(notes: Sequence[_Note]) -> Iterator[Hop]:
    """Yield the jumps into chains without rules: they return at once, so the next rule is asked.

    Marking chains may be empty: kube-proxy only sees to it that KUBE-MARK-DROP exists, its rule is kubelet's.
    """
    for note in notes:
        chain = compiled(note.rule).jump
        if chain is not None and chain not in {MARK_MASQUERADE, MARK_DROP}:
            yield Hop(chain, note.share, note.rule)


def _may_hold_rules(hop: Hop) -> bool:
    """Whether a chain without rules may have some that the dump does not show."""
    return cast("Table", dump_rule(hop.via).table).shown.may_lack(hop.chain)


def takes_on(rule: Rule) -> bool:
    """Whether a rule that ends nat sends connections elsewhere, to another chain or address."""
    return rule.jump is not None or compiled(rule).action.name in {"DNAT", "REDIRECT"}


def _is_dnat(rule: Rule) -> bool:
    return compiled(rule).action.name == "DNAT"
