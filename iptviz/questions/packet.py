"""The question `packet` asks: what happens to one packet, in every table that it meets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from iptviz.checks.finding import distinct, findings_among
from iptviz.dump.single import parse_rule
from iptviz.engine.assume import read_assumptions
from iptviz.engine.chance import CERTAIN
from iptviz.engine.condition import Assumption
from iptviz.engine.hooks import Hooks
from iptviz.engine.journey import Journey
from iptviz.engine.knowing import known_fields, within_bounds
from iptviz.engine.matching import rule_truth
from iptviz.engine.meanings.connections import INVALID, begins_none
from iptviz.engine.outcome import Outcome, Told, told_cases
from iptviz.engine.packet import Packet
from iptviz.engine.unknowns import Unknowns, cannot_be
from iptviz.errors import DumpError, PacketError
from iptviz.intake.remark import remark
from iptviz.node.snapshot import Snapshot, as_snapshot
from iptviz.paths.pasts import pasts_of
from iptviz.paths.survey import Evidence
from iptviz.questions.connections import refuse_unlisted, settled
from iptviz.questions.document import document_of
from iptviz.questions.host import supplied_host, tracked_connections
from iptviz.questions.packet_fields import apart, read_packet
from iptviz.questions.packet_names import by_name
from iptviz.questions.packet_notes import packet_notes
from iptviz.questions.ways import not_shown
from iptviz.records import NamedTuple
from iptviz.rules.iptables import compiled
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from iptviz.checks.finding import Finding, Item
    from iptviz.dump.model import Dump
    from iptviz.engine.condition import Condition
    from iptviz.engine.fields import Field
    from iptviz.engine.host import Host
    from iptviz.node.listing import RuleSource
    from iptviz.questions.packet_fields import PacketFields
    from iptviz.rules.form import CompiledRule
    from iptviz.supplied.files import FileArgument


class PacketResult(NamedTuple):
    """The answer: outcomes grouped by their conditions, those with the same `when` sum to 1.

    `asked` is the packet as it was described, `hook` where it starts: `prerouting` or `output`.
    `given` are the answers that were assumed; `notes` are findings and remarks on what the answer lacks or
    hangs on. `passed` is where the rules come from that the packet passes, dumps and a listing of nft, `dump` the
    first of these. `complete` says whether neither they nor the rules that were walked lack anything; `left_open`
    are fields that nobody asked about, since there were too many cases: shares then are bounds. `evidence` is
    what was known of the node, None of one without dumps.
    """

    dump: RuleSource
    asked: Packet
    hook: str
    outcomes: tuple[Outcome, ...]
    notes: tuple[Item, ...]
    complete: bool
    given: tuple[Assumption, ...] = ()
    passed: tuple[RuleSource, ...] = ()
    snapshot: Snapshot | None = None
    left_open: tuple[Field, ...] = ()
    evidence: Evidence | None = None

    @property
    def sources(self) -> tuple[RuleSource, ...]:
        """Where the rules come from that the packet passes; a step names one by its place."""
        return self.passed or (self.dump,)

    @property
    def dumps(self) -> tuple[Dump, ...]:
        """The dumps that the packet passes."""
        from iptviz.dump.model import Dump

        return tuple(source for source in self.sources if isinstance(source, Dump))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with what was asked for, and with the service that the packet is for.

        What the notes say is not found once more.
        """
        noted = findings_among(self.notes)
        if self.evidence is None:
            return noted
        from iptviz.questions.touching import touching_packet, with_noted

        node = self.snapshot or as_snapshot(self.dumps[0])
        each = [touching_packet(node, dump, self.asked, self.evidence) for dump in self.dumps]
        found = [one for some in each if some is not None for one in some]
        return with_noted(noted, found if any(some is not None for some in each) else None)

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
    sysctl: FileArgument = None,
    conntrack: FileArgument = None,
    pods: FileArgument = None,
    assume: Sequence[str] = (),
    explain: bool = False,
    **fields: Unpack[PacketFields],
) -> PacketResult:
    """Follow one packet through all tables of a node; what is None is unknown, and becomes conditions.

    It passes the dumps of its family, one for each backend. What the snapshot holds beside them, addresses,
    routes, sets, lists, sysctls and connections, is known; what is supplied goes before that.

    `fields` describe the packet: `src`, `dst`, `protocol`, `dport` and so on, as `PacketFields` lists them.
    `hook` among them is where it starts: `prerouting` for a packet that arrives, `output` for one that the node
    sends. `local_ips` are the node's own addresses, all of them. `addresses`, `routes`, `ipset`, `recent` and
    `sysctl` are paths of what `ip addr`, `ip route`, `ipset save`, /proc/net/xt_recent and `sysctl -a` say.
    `conntrack`, what `conntrack -L` prints, tells of which connection the packet is, and what nat makes of it.
    `pods`, what `kubectl get pods -A -o wide` prints, names endpoints by their pods.
    `assume` are conditions, in the words of an answer, that are to hold. `explain` adds the rules that were asked
    and did not match.

    Raises:
        TypeError: there is no such field.
        AbsentError: `dst` is a service's name, and the dump has no such service.
        PacketError: the packet cannot be: an address of the wrong family, a port out of range, and so on.
        DumpError: one of the files cannot be read.
    """
    snapshot = as_snapshot(dump, listed=True).with_pods(pods)
    fields, read_as = by_name(snapshot, apart(fields))
    family, dumps = _passed(snapshot, fields)
    listing = snapshot.listing(family)
    asked, hook = read_packet(family, fields)
    host = supplied_host(
        snapshot, family, asked.out_interface, local_ips,
        addresses=addresses, routes=routes, ipset=ipset, recent=recent, sysctl=sysctl,
    )  # fmt: skip
    unseen, beyond = not_shown(snapshot, family, dumps, listing)
    evidence = Evidence(dumps, host, unseen, beyond, listing=listing)
    rules = evidence.rules
    tracked = tracked_connections(snapshot, conntrack)
    asked, pasts, found = settled(asked, tracked, zones=_has_zones(dumps), required=conntrack is not None)
    if pasts is None and begins_none(asked, host):
        asked, found = asked._replace(state=INVALID), (*found, remark("begins-no-connection"))
    pasts = pasts or pasts_of(dumps, rules, host, asked, hook)
    start = asked._replace(out_interface=None)  # the host knows: there is none before the packet is routed
    hooks = Hooks(rules, host, asked.state, unseen, beyond, pasts=pasts)

    def answered(unknowns: Unknowns) -> tuple[Journey, tuple[Outcome, ...]]:
        journey = Journey(hooks, unknowns)
        told = told_cases(journey, start, hook)
        return journey, tuple(
            outcome for case in told for outcome in _explained(case, hooks, explain=explain)
        )

    def answer(given: Sequence[Assumption]) -> tuple[Journey, tuple[Outcome, ...]]:
        def begun(open_: Collection[Field]) -> Unknowns:
            unknowns = Unknowns(family, known_fields(asked, host), host, open_)
            unknowns.assume(given)
            return unknowns

        return within_bounds(begun, answered)

    read = read_assumptions(assume, family, lambda given: _conditions(answer(given)[1]))
    given = tuple(_as_asked(one, family) for one in read)
    _refuse_untrue(given, asked, host, family)
    refuse_unlisted(given, pasts, asked.state)
    journey, outcomes = answer(given)
    if not outcomes:
        told = given[-1]
        hint = _NOT_FOLLOWED.get(told.condition.kind, "pass a dump of these tables")
        raise PacketError(f"cannot follow the packet if {told.text}", hint=hint)
    faulty = bool(journey.broken.loops or journey.broken.missing)
    left_open = journey.unknowns.left_open
    notes = distinct(
        [
            *read_as,
            *found,
            *packet_notes(
                snapshot, dumps, journey, start, hook, outcomes, given, listing=listing, listed=bool(tracked)
            ),
        ]
    )
    sources: tuple[RuleSource, ...] = (*dumps, *([] if listing is None else [listing]))
    complete = all(passed.complete for passed in sources) and not faulty
    known = evidence if dumps else None
    return PacketResult(
        sources[0], asked, hook, outcomes, notes, complete, given, sources, snapshot, left_open, known
    )


def _has_zones(dumps: Iterable[Dump]) -> bool:
    """Whether a rule puts connections into zones."""
    tables = (dump.tables["raw"] for dump in dumps if "raw" in dump.tables)
    return any(next(table.rules_with(" --zone"), None) for table in tables)


_NOT_FOLLOWED = dict.fromkeys(
    ("rewriting", "dnat", "snat", "direction", "nat-helper"),
    "pass --conntrack, or ask about the packet as nat rewrites it: --src, --dst and ports after translation",
)
"""What to do instead of assuming what no packet can be followed under, by kinds of conditions."""


def _conditions(outcomes: Iterable[Outcome]) -> set[Condition]:
    """Return the conditions that state the cases of an answer."""
    return {one.condition for outcome in outcomes for one in (*outcome.when, *outcome.first)}


def _as_asked(given: Assumption, family: str) -> Assumption:
    """Return an assumption about options of a rule as the condition that such a rule makes, if it makes one."""
    rule = _quoting(given.condition, family)
    truth = rule_truth(rule, Packet(state=None)) if rule else None
    if truth is None or len(truth.needs) != 1 or truth.chance != CERTAIN:
        return given
    (need,) = truth.needs
    return Assumption(need.condition, need.holds == given.holds)


def _quoting(condition: Condition, family: str) -> CompiledRule | None:
    """Return the rule whose options a condition quotes; None where nobody here understands them."""
    words = _QUOTED.get(condition.kind, "").format(condition.value)
    if not words or condition.since is not None or condition.rewritten:
        return None
    flags = "-p tcp -m tcp " if words.startswith("--tcp-flags") else ""
    try:
        return compiled(parse_rule(f"-A INPUT {flags}{words}", family))
    except DumpError:
        return None


_QUOTED = {"match": "{}", "mark": "-m mark --mark {}"}
"""The kinds of conditions that are no regions of a field, as options of a rule."""


def _refuse_untrue(given: Sequence[Assumption], asked: Packet, host: Host, family: str) -> None:
    """Refuse what is assumed of a packet that is not so of it, where options of a rule are quoted.

    Raises:
        PacketError: something is not so.
    """
    for assumption in given:
        rule = _quoting(assumption.condition, family)
        truth = rule_truth(rule, asked, host) if rule else None
        if truth is not None and not truth.needs and bool(truth.chance) != assumption.holds:
            raise cannot_be(assumption)


def _explained(case: Told, hooks: Hooks, *, explain: bool) -> Iterable[Outcome]:
    """Return the outcomes of a case, with the rules that did not match where that is asked for."""
    if not explain:
        return case.outcomes
    from iptviz.questions.explain import explained

    return [explained(hooks, case.witness, outcome) for outcome in case.outcomes]


def _passed(node: Snapshot, fields: PacketFields) -> tuple[str, tuple[Dump, ...]]:
    """Return the family of a packet, and its dumps: those of its family, else of the one that is obviously meant.

    Raises:
        DumpError: the node has no rules of the family.
    """
    address = parse_network(fields.get("dst") or fields.get("src") or "")
    family = f"ipv{address.version}" if address else node.dumps[0].family if node.dumps else "ipv4"
    if any(dump.family == family for dump in node.dumps):
        return family, node.of_family(family)
    if node.listing(family) is not None:
        return family, ()
    if not node.dumps:
        raise DumpError(
            f"the listing of nft has no chain that {family.replace('ip', 'IP')} packets meet",
            where=node.listed_in,
            hint="list all tables: nft list ruleset",
        )
    family = node.dump.family
    return family, node.of_family(family)
