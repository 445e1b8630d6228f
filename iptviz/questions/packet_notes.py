"""What is to be noted of a packet's fate: what the answer lacks, takes for granted, and what would narrow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks import reading
from iptviz.checks.backends import backends
from iptviz.checks.era import elsewhere
from iptviz.checks.refused import broken_jumps
from iptviz.engine.condition import Condition
from iptviz.engine.condition_kinds import CONDITION_KINDS, MATCHES_SETTLED_BY
from iptviz.engine.fields import FIELD_KINDS, left_open_label
from iptviz.engine.past import ERRORS
from iptviz.engine.path import steps_of
from iptviz.engine.stages import STAGES
from iptviz.intake.remark import remark
from iptviz.kube.bridges import may_be_bridge
from iptviz.kube.families import SERVICE_CHAINS
from iptviz.kube.mode import mode_of
from iptviz.questions.packet_fields import FIELDS
from iptviz.questions.unprinted_notes import unprinted_notes
from iptviz.rules.iptables import dump_rule
from iptviz.xtables.address import full_mask
from iptviz.xtables.values.addresses import show_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from iptviz.checks.finding import Item
    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.engine.condition import Assumption, When
    from iptviz.engine.fields import Field
    from iptviz.engine.host import Host
    from iptviz.engine.journey import Journey
    from iptviz.engine.outcome import Outcome
    from iptviz.engine.packet import Packet
    from iptviz.ipset.saved import IpSet
    from iptviz.node.listing import NftListing
    from iptviz.node.snapshot import Snapshot
    from iptviz.xtables.address import Network

_NODE_OPTIONS = {
    "local_ips": "--local-ip", "addresses": "--addresses", "routes": "--routes", "ipset": "--ipset",
    "recent": "--recent", "sysctl": "--sysctl", "conntrack": "--conntrack",
}  # fmt: skip
"""The options of the command that tell of the node, by the parameters of `iptviz.packet`."""

_BRIDGED = {4: "net.bridge.bridge-nf-call-iptables", 6: "net.bridge.bridge-nf-call-ip6tables"}

_USUAL = {"mark": "0 (fits almost all packets arriving from the network)"}
"""What nearly every packet has, for who cannot know better."""


NOTHING_GIVEN: Mapping[str, str] = {}
_ENDS = ("src", "dst", "sport", "dport")


def settled_by(condition: Condition, given: Mapping[str, str] = NOTHING_GIVEN) -> str | None:
    """Return the options of the command that answer a condition, or None where only --assume does.

    Those that were `given`, by the parameters of `iptviz.packet`, did not; what each could say more exactly is
    its value there, empty for nothing. What address or port a rule has given a packet no description of it as it
    came tells.
    """
    if condition.kind == "match":
        matches = (names for text, names in MATCHES_SETTLED_BY.items() if text in condition.value)
        names, between = next(matches, ()), " and "
    else:
        names, between = CONDITION_KINDS[condition.kind].settled_by, " or "
        names = tuple(name for name in names if condition.since is None or name not in _ENDS)
    return between.join(_option(name, given) for name in names if given.get(name) != "") or None


def _settling(field: Field, given: Mapping[str, str]) -> str | None:
    """Return the options of the command that say where a field lies, or None where only --assume does."""
    kinds = (kind for kind, row in CONDITION_KINDS.items() if row.field == field.kind)
    condition = Condition(next(kinds), "") if field.kind in FIELD_KINDS else Condition(*field)
    return settled_by(condition, given)


def given_of(packet: Packet, host: Host) -> dict[str, str]:
    """Return the parameters that were given, each with what it could say more exactly, empty for nothing."""
    owner = packet.owner or (None, None)
    known = {
        **{name: getattr(packet, field.attribute, None) for name, field in FIELDS.items()},
        "mark": packet.mark.known, "out_iface": host.out_interface, "uid": owner[0], "gid": owner[1],
        "local_ips": host.local, "addresses": host.local, "routes": host.routes, "ipset": host.sets,
        "recent": host.recent, "sysctl": host.sysctls,
    }  # fmt: skip
    return {name: _COARSE.get(name, _exact)(value) for name, value in known.items() if value is not None}


def _exact(_value: object) -> str:
    return ""


def _of_network(network: Network) -> str:
    return "" if network.mask == full_mask(network.version) else "(one address)"


def _of_type(icmp_type: tuple[int, int | None]) -> str:
    return "" if icmp_type[1] is not None else "with a code"


_COARSE: dict[str, Callable[[Any], str]] = {"src": _of_network, "dst": _of_network, "icmp_type": _of_type}
"""What parameters say that may be said more exactly."""


def _place_among_options(text: str) -> int:
    """Return where the first option of a text stands among those of the command."""
    flags = [field.flag for field in FIELDS.values()] + list(_NODE_OPTIONS.values())
    return flags.index(text.split(maxsplit=1)[0])


def _option(parameter: str, given: Mapping[str, str]) -> str:
    flag, more = option_of(parameter), given.get(parameter) or _USUAL.get(parameter)
    return f"{flag} {more}" if more else flag


def option_of(parameter: str) -> str:
    """Return the option of the command for a parameter of `iptviz.packet`."""
    return FIELDS[parameter].flag if parameter in FIELDS else _NODE_OPTIONS[parameter]


def packet_notes(
    node: Snapshot,
    dumps: Sequence[Dump],
    journey: Journey,
    start: Packet,
    hook: str,
    outcomes: tuple[Outcome, ...],
    given: tuple[Assumption, ...],
    *,
    listing: NftListing | None = None,
    listed: bool = False,
) -> Iterator[Item]:
    """Yield what an answer lacks or hangs on; `listed`: there is a list of connections."""
    gaps = () if listing is None else listing.gaps
    complete = not gaps and all(dump.complete for dump in dumps)
    yield from gaps
    if listing is not None and listing.passed_over:
        yield remark("listings-passed-over", asked=listing.source, sources=listing.passed_over)
    for dump in dumps:
        yield from unprinted_notes(dump, _rules_met(dump, outcomes))
        yield from reading.gaps(dump)
    yield from broken_jumps(journey.broken, complete=complete)
    if dumps:
        yield from backends(node, dumps[0])
    is_dumped = len(dumps) == len(journey.hooks.rules)
    yield from _service_notes(node, dumps) if is_dumped else ()
    if node.evidence:
        from iptviz.questions.ipvs_notes import of_packet

        yield from of_packet(node, dumps, start)
    yield from _limit_notes(journey, outcomes)
    if any(dump.lacks_lines for dump in dumps):
        yield from _cut_notes(journey, outcomes)
    pasts = journey.hooks.pasts
    is_error = start.state == "RELATED" and start.protocol in {None, *ERRORS}
    if (start.state == "ESTABLISHED" or is_error) and not (pasts and pasts.sure):
        yield remark("nat-decided-before", state=start.state)
    yield from _table_notes(node, dumps, journey, hook)
    yield from _set_notes(dumps, journey.hooks.host.sets)
    yield from _time_notes(outcomes, journey.hooks.host)
    yield from _setting_notes(
        journey, start, hook, outcomes, "an iptables dump" if dumps else "a listing of nft"
    )
    host = journey.hooks.host
    if hook == "output" and any(host.is_local(outcome.packet.destination) is None for outcome in outcomes):
        yield remark("own-addresses-unknown")
    yield from _copy_notes(host, outcomes) if hook == "output" else _bridge_notes(host, start)
    if _hangs_on_all_targets(outcomes):
        yield remark("targets-mixed")
    yield from (
        remark("evidence-unread", problem=f"{problem.where}: {problem.what}")
        for problem in node.evidence_problems
    )
    yield from (remark("assumed", assumption=assumption) for assumption in given)
    known = given_of(start, host) | ({"conntrack": ""} if listed else {})
    known |= {"ctstate": ""} if pasts and pasts.sure else {}  # the list says what can be said of it
    yield from _narrowing_notes(outcomes, journey.unknowns.left_open, known)


def _bridge_notes(host: Host, start: Packet) -> Iterator[Item]:
    """Say what must be so for rules to see a packet between two ports of one bridge (br_netfilter_hooks.c)."""
    name, setting = start.in_interface or "", _BRIDGED[host.version]
    networks = [one.network for one in (host.addresses or {}).get(name, ()) if one.network is not None]
    neighbours = start.destination is not None and any(net.contains(start.destination) for net in networks)
    if may_be_bridge(name) and neighbours and not host.is_local(start.destination):
        value = host.sysctl(setting)
        if value != "1":
            yield remark("bridged-unseen", bridge=name, setting=setting, off=value == "0")


def _copy_notes(host: Host, outcomes: tuple[Outcome, ...]) -> Iterator[Item]:
    """Say of what is sent to many that a copy comes back (ip_mc_output in net/ipv4/ip_output.c)."""
    sent = {one.packet.destination for one in outcomes if one.verdict == "ACCEPT" and one.route == "OUTPUT"}
    for destination in sent:
        kind = None if destination is None else host.address_type(destination)
        if destination is not None and kind in {"BROADCAST", "MULTICAST"}:
            yield remark("copy-comes-back", destination=show_host(destination), joined=kind == "MULTICAST")


def _rules_met(dump: Dump, outcomes: tuple[Outcome, ...]) -> Iterator[Rule]:
    """Yield the rules of a dump on the ways of an answer."""
    tables = list(dump.tables.values())
    for step in (step for outcome in outcomes for step in steps_of(outcome.path)[0]):
        if step.rule is not None and step.rule.table in tables:
            yield dump_rule(step.rule)


def _service_notes(node: Snapshot, dumps: Sequence[Dump]) -> Iterator[Item]:
    """Say where services are that these rules do not have; a node's other backend may have them."""
    modes = [mode_of(dump).name for dump in dumps]
    yield from elsewhere(modes)
    if "flushed" in modes and "iptables" not in modes:
        from iptviz.checks.sync import emptiness

        yield from emptiness(dumps[modes.index("flushed")], node)


def _hangs_on_all_targets(outcomes: tuple[Outcome, ...]) -> bool:
    """Whether there are cases of which each takes several destinations to be alike."""
    targets: dict[When, set[str | None]] = {}
    for outcome in outcomes:
        if any(need.condition.kind == "endpoint-local" for need in outcome.when):
            targets.setdefault(outcome.when, set()).add(outcome.packet.dnat)
    return any(len(those) > 1 for those in targets.values())


def _table_notes(node: Snapshot, dumps: Sequence[Dump], journey: Journey, hook: str) -> Iterator[Item]:
    """Say which tables have no rules, and which are not there: empty, or never looked at.

    Nothing is said of those that are not among the tables that evidence beside the dumps shows.
    """
    tables = {stage.table for stage in STAGES[hook]} - {""}
    if (
        len(dumps) == len(journey.hooks.rules)
        and not journey.hooks.granted
        and not any(
            dump.tables[stage.table].rules_of(stage.chain)
            for dump in dumps
            for stage in STAGES[hook]
            if stage.table in dump.tables
        )
    ):
        yield remark("policies-alone", hook=hook)
    there = {name for dump in dumps for name in dump.tables}
    missing = tuple(
        name
        for name in ("mangle", "nat", "filter")
        if name in tables and name not in there and name not in journey.hooks.unseen
    )
    if dumps and missing and not any(map(node.tables_elsewhere, dumps)):
        yield remark("tables-taken-as-empty", tables=missing)
    unseen = tuple(name for name in journey.hooks.unseen if name in tables)
    if unseen:
        yield remark("tables-unseen", tables=unseen)


def _limit_notes(journey: Journey, outcomes: tuple[Outcome, ...]) -> Iterator[Item]:
    """Say where the walk itself fell short."""
    if journey.unknowns.diagrams.rounded:
        yield remark("shares-rounded")
    if journey.unknowns.counts and any(outcome.at_most is not None for outcome in outcomes):
        yield remark("counts-together", questions=left_open_label(journey.unknowns.counts))
    if journey.unknowns.left_open:
        yield remark("left-open", questions=left_open_label(journey.unknowns.left_open))


def _cut_notes(journey: Journey, outcomes: tuple[Outcome, ...]) -> Iterator[Item]:
    """Name the chains on the way that a dump which lacks lines has without rules, or without their end."""
    for rule, chain in journey.broken.empty_chains.items():
        yield remark("chain-unseen", rule.line, chain=chain)
    steps = (
        step for outcome in outcomes if outcome.packet.dnat is None for step in steps_of(outcome.path)[0]
    )
    for chain in dict.fromkeys(step.chain for step in steps if step.chain.startswith(SERVICE_CHAINS)):
        yield remark("endpoint-unseen", chain=chain)


def _set_notes(dumps: Sequence[Dump], sets: Mapping[str, IpSet] | None) -> Iterator[Item]:
    """Name the sets that rules ask about and that are not among those supplied."""
    if sets is None:
        return
    asked = {
        option.values[0]: rule
        for dump in dumps
        for table in dump.tables.values()
        for rule in table.rules_with("--match-set ")
        for match in rule.matches
        for option in match.options
        if option.name == "--match-set" and option.values
    }
    for name, rule in asked.items():
        if name not in sets:
            yield remark("set-not-handed-in", rule.line, name=name)


def _setting_notes(
    journey: Journey, start: Packet, hook: str, outcomes: tuple[Outcome, ...], there: str
) -> Iterator[Item]:
    """Say which of the kernel's settings are not known: what may drop the packet, an interface's own."""
    routes = {outcome.packet.route for outcome in outcomes}
    unseen = journey.hooks.routing.unseen(start, routes) if hook == "prerouting" else ()
    if unseen:
        yield remark("settings-unseen", names=unseen, there=there)
    asked = (
        need.condition for outcome in outcomes for need in outcome.when if need.condition.kind == "sysctl"
    )
    names = (condition.value.removesuffix("=1") for condition in asked)
    for name in dict.fromkeys(name for name in names if ".conf.all." in name):
        if not journey.hooks.routing.settings.of_interfaces(name.rpartition(".")[2]):
            yield remark("setting-of-all", name=name)


def _time_notes(outcomes: tuple[Outcome, ...], host: Host) -> Iterator[Item]:
    """Say why lists that were supplied leave open what rules ask of them."""
    asked = (
        need.condition for outcome in outcomes for need in outcome.when if need.condition.kind == "recent"
    )
    names = dict.fromkeys(one.value for one in asked if "--seconds" in one.details)
    for name in names:
        if name in (host.recent or ()):
            yield remark("times-not-compared", name=name)


def _narrowing_notes(
    outcomes: tuple[Outcome, ...], left_open: Sequence[Field], given: Mapping[str, str]
) -> Iterator[Item]:
    """Say which options would settle what the answer hangs on, those for what was left open first."""
    asked = dict.fromkeys(need.condition for outcome in outcomes for need in outcome.when)
    first, others = (
        sorted(set(filter(None, options)), key=_place_among_options)
        for options in (
            (_settling(field, given) for field in left_open),
            (settled_by(condition, given) for condition in asked),
        )
    )
    options = tuple(dict.fromkeys((*first, *others)))
    if options:
        yield remark("narrowed-by", options=options)
