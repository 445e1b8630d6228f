"""The question `packet` asks: what happens to one packet, in every table that it meets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from iptviz.checks.finding import distinct, findings_among
from iptviz.engine.assume import read_assumption
from iptviz.engine.branches import Outcome
from iptviz.engine.chance import total
from iptviz.engine.hooks import Journey, cases_of
from iptviz.engine.implications import Assumed
from iptviz.engine.path import either_way, settled
from iptviz.node.snapshot import Snapshot, as_snapshot
from iptviz.questions.document import document_of
from iptviz.questions.host import supplied_host
from iptviz.questions.packet_fields import read_packet, with_fields
from iptviz.questions.packet_notes import packet_notes
from iptviz.rules.iptables import DumpRules
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.checks.finding import Finding, Item
    from iptviz.dump.model import Dump
    from iptviz.engine.branches import Branch, When
    from iptviz.engine.condition import Assumption
    from iptviz.engine.packet import Packet
    from iptviz.questions.packet_fields import PacketFields
    from iptviz.supplied.files import FileArgument


class PacketResult(NamedTuple):
    """The answer: outcomes grouped by their conditions, those with the same `when` sum to 1.

    `asked` is the packet as it was described, `hook` where it starts: `prerouting` or `output`.
    `given` are the answers that were assumed; `notes` are findings and remarks on what the answer lacks or
    hangs on. `passed` are the dumps that the packet passes, `dump` the first of them.
    """

    dump: Dump
    asked: Packet
    hook: str
    outcomes: tuple[Outcome, ...]
    notes: tuple[Item, ...]
    complete: bool
    given: tuple[Assumption, ...] = ()
    passed: tuple[Dump, ...] = ()
    snapshot: Snapshot | None = None

    @property
    def dumps(self) -> tuple[Dump, ...]:
        """The dumps that the packet passes; a step names one by its place."""
        return self.passed or (self.dump,)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with what was asked for."""
        return findings_among(self.notes)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.packet.v1`."""
        return document_of("packet", self)


def packet(
    dump: Dump | Snapshot,
    *,
    local_ips: Sequence[str] = (),
    addresses: FileArgument = None,
    routes: FileArgument = None,
    ipset: FileArgument = None,
    recent: FileArgument = None,
    assume: Sequence[str] = (),
    explain: bool = False,
    **fields: Unpack[PacketFields],
) -> PacketResult:
    """Follow one packet through all tables of a node; what is None is unknown, and becomes conditions.

    It passes the dumps of its family, one for each backend. What the snapshot holds beside them, addresses,
    routes, sets and lists, is known; what is supplied goes before that.

    `fields` describe the packet: `src`, `dst`, `protocol`, `dport` and so on, as `PacketFields` lists them.
    `hook` among them is where it starts: `prerouting` for a packet that arrives, `output` for one that the node
    sends. `local_ips` are the node's own addresses, all of them. `addresses`, `routes`, `ipset` and `recent` are
    paths of what `ip addr`, `ip route`, `ipset save` and /proc/net/xt_recent say. `assume` are conditions, in
    the words of an answer, that are to hold. `explain` adds the rules that were asked and did not match.

    Raises:
        TypeError: there is no such field.
        PacketError: the packet cannot be: an address of the wrong family, a port out of range, and so on.
        DumpError: one of the files cannot be read.
    """
    snapshot = as_snapshot(dump)
    dumps = _passed(snapshot, fields)
    first = dumps[0]
    asked, hook = read_packet(first.family, fields)
    host = supplied_host(
        snapshot, first.family, asked.out_interface, local_ips,
        addresses=addresses, routes=routes, ipset=ipset, recent=recent,
    )  # fmt: skip
    start = asked._replace(out_interface=None)  # the host knows: there is none before the packet is routed
    given = tuple(map(read_assumption, assume))
    unseen = (name for each in dumps for name in snapshot.unseen_tables(each))
    journey = Journey(list(map(DumpRules, dumps)), host, unseen, snapshot.tables_beyond(first.family))
    branches = journey.run(start, hook, given)
    outcomes = tuple(_outcomes(branches, given))
    if explain:
        from iptviz.questions.explain import explained

        outcomes = tuple(explained(dumps, host, given, outcome) for outcome in outcomes)
    faulty = bool(journey.broken.loops or journey.broken.missing or journey.skipped)
    notes = distinct(packet_notes(snapshot, dumps, journey, start, hook, outcomes, given))
    complete = all(passed.complete for passed in dumps) and not faulty
    return PacketResult(first, asked, hook, outcomes, notes, complete, given, dumps, snapshot)


def _passed(node: Snapshot, fields: PacketFields) -> tuple[Dump, ...]:
    """Return the dumps that a packet passes: those of its family, else of the one that is obviously meant."""
    address = parse_network(fields.get("dst") or fields.get("src") or "")
    family = f"ipv{address.version}" if address else node.dump.family
    return node.of_family(family if any(dump.family == family for dump in node.dumps) else node.dump.family)


packet.__signature__ = with_fields(packet)  # type: ignore[attr-defined]


def _outcomes(branches: list[Branch], given: When) -> Iterator[Outcome]:
    """Yield the fates of the packet, case by case; ends that look the same from outside are one."""
    for when, outcomes in _joined([(when, list(_ends(when, branch))) for when, branch in cases_of(branches)]):
        answer = Assumed((*given, *when)).answer
        yield from (outcome._replace(when=when, path=settled(outcome.path, answer)) for outcome in outcomes)


def _ends(when: When, branch: Branch) -> Iterator[Outcome]:
    found: dict[object, list[Outcome]] = {}
    for end, weight in branch.ends.items():
        outcome = Outcome(
            end.verdict, weight.share, when, end.packet.route, end.rule, end.packet, weight.path
        )
        by = None if end.verdict == "ACCEPT" else end.rule
        found.setdefault((_visible(outcome), by), []).append(outcome)
    for same in found.values():
        likeliest = max(same, key=lambda outcome: outcome.share)
        yield likeliest._replace(share=total(outcome.share for outcome in same))


def _visible(outcome: Outcome) -> tuple[object, ...]:
    """Return what can be told from outside."""
    end = outcome.packet
    return outcome.verdict, outcome.route, end.dnat, end.snat, end.mark


CaseOutcomes = tuple["When", list[Outcome]]


def _joined(cases: list[CaseOutcomes]) -> list[CaseOutcomes]:
    """Join cases that differ in one answer and look the same from outside, until none do."""
    joined = list(cases)
    at = 0
    while at < len(joined):
        partner = next((other for other in joined[at + 1 :] if _are_partners(joined[at], other)), None)
        if partner is None:
            at += 1
            continue
        joined.remove(partner)
        joined[at] = _as_one(joined[at], partner)
        at = 0
    return joined


def _as_one(one: CaseOutcomes, other: CaseOutcomes) -> CaseOutcomes:
    """Return the case of both, in which either way is remembered."""
    ((condition, holds),) = (need for need in one[0] if need not in other[0])
    ways = {(_visible(outcome)): outcome.path for outcome in other[1]}
    outcomes = [
        outcome._replace(
            path=either_way(condition, *((outcome.path, ways[key]) if holds else (ways[key], outcome.path)))
        )
        for outcome in one[1]
        for key in [_visible(outcome)]
    ]
    return tuple(need for need in one[0] if need.condition != condition), outcomes


def _are_partners(one: CaseOutcomes, other: CaseOutcomes) -> bool:
    """Whether two cases differ in the answer to one condition alone, and nothing can be told from outside."""
    mine, theirs = set(one[0]), set(other[0])
    only_mine, only_theirs = mine - theirs, theirs - mine
    if len(only_mine) != 1 or len(only_theirs) != 1 or only_mine.pop().opposite() != only_theirs.pop():
        return False
    return _shares(one[1]) == _shares(other[1])


def _shares(outcomes: Iterable[Outcome]) -> dict[object, object]:
    shares: dict[object, list[Any]] = {}
    for outcome in outcomes:
        shares.setdefault(_visible(outcome), []).append(outcome.share)
    return {key: total(values) for key, values in shares.items()}
