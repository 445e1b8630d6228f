"""The question `diff` asks: what changed between two nodes, or one node at two moments, by what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.checks.examined import Examined
from iptviz.checks.finding import findings_among
from iptviz.checks.registry import examine
from iptviz.compare.chains.forms import Explained
from iptviz.compare.ports.compared import compared
from iptviz.compare.ports.of_rules import forms_of
from iptviz.compare.ports.shared_chains import SharedChains
from iptviz.kube.dispatching import DispatchingRules
from iptviz.node.snapshot import Snapshot, as_snapshot
from iptviz.paths.fares import reached_in
from iptviz.progress import nobody, part_of, stepwise
from iptviz.questions.diff_notes import diff_notes, not_asked, uncompared
from iptviz.questions.diff_pair import PairDiff
from iptviz.questions.document import document_of
from iptviz.questions.finding_changes import finding_changes
from iptviz.questions.pairing import (
    findings_hidden,
    hiding_of,
    paired,
    services_in,
    unpaired,
    with_shared_evidence,
)
from iptviz.questions.ways import FOLLOWING, Beside, evidence_of
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.checks.finding import Finding, Item
    from iptviz.compare.chains.forms import ChainChanges
    from iptviz.compare.fates.equivalence import Equivalence
    from iptviz.compare.ports.differences import PortChanges
    from iptviz.compare.ports.form import PortForm
    from iptviz.dump.model import Dump
    from iptviz.progress import Progress
    from iptviz.questions.diff_packet import PacketFates
    from iptviz.questions.pairing import Pair


class DiffResult(NamedTuple):
    """What differs between two nodes, `old` and `snapshot`, the new one: of each pair of dumps of one family.

    Where the fate of a packet was asked for, or whether both nodes are equivalent, that is all the answer: there
    are no `pairs`. `not_compared` says what was left out and why, `notes` what else is to be known. `namespace`
    is the one of which alone services were compared.
    """

    old: Snapshot
    snapshot: Snapshot
    pairs: tuple[PairDiff, ...] = ()
    not_compared: tuple[Item, ...] = ()
    notes: tuple[Item, ...] = ()
    namespace: str | None = None
    fates: PacketFates | None = None
    equivalences: tuple[Equivalence, ...] = ()

    @property
    def dump(self) -> Dump:
        """The dump of the new node that is obviously meant."""
        return self.snapshot.dump

    @property
    def differs(self) -> bool:
        """Whether what was asked for differs; what is not known to be equal is taken for a difference."""
        if self.fates is not None:
            return self.fates.differs is not False
        if self.equivalences:
            return any(each.alike is not True for each in self.equivalences)
        return any(pair.differs for pair in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.diff.v1`."""
        return document_of("diff", self)


class _Asked(NamedTuple):
    services_only: bool
    ignore_local: bool
    namespace: str | None


def diff(
    old: Dump | Snapshot,
    new: Dump | Snapshot,
    *,
    services_only: bool = False,
    ignore_local: bool = False,
    namespace: str | None = None,
    packet: str | None = None,
    equivalent: bool = False,
    progress: Progress = nobody,
) -> DiffResult:
    """Return what changed between two nodes, or one node at two moments, by what it means.

    Service ports are compared as `iptviz services` has them, other chains by what their rules do, and the
    findings of `iptviz check`. Counters do not count, nor the order of declarations, of tables, and of rules
    where it changes nothing, digits of probabilities, or which tool wrote the rules. `services_only` leaves out
    other rules and what `check` finds; so does `namespace`, which leaves out the services of others, too.
    `ignore_local` leaves out what policies Local, and a node's own addresses, rightly make different between two
    nodes.

    `packet`, as `SRC DST PROTO PORT`, asks for the fate of one packet instead; `equivalent`, whether both nodes
    treat every new connection to services alike. `progress` is told what is done next, and which share of all is
    done by then, from 0 to 1.

    Raises:
        DumpError: the two cannot be compared: of different families, or modes of kube-proxy.
        PacketError: there is no such packet.
    """
    before, after, lone = with_shared_evidence(as_snapshot(old), as_snapshot(new))
    if packet is not None:
        return _of_packet(as_snapshot(old), as_snapshot(new), packet)
    pairs = paired(before, after)
    asked = _Asked(services_only or namespace is not None, ignore_local, namespace)
    left_out = [*unpaired(before, after, pairs), *lone]
    if equivalent:
        return _of_equivalence(before, after, pairs, left_out, progress)
    share = 1 / len(pairs)
    found = []
    for place, pair in enumerate(pairs):
        left_out += services_in(pair)
        part = part_of(progress, place * share, (place + 1) * share)
        found.append(_pair((before, after), pair, asked, part))
    return DiffResult(
        before,
        after,
        tuple(found),
        (*left_out, *uncompared(found), *not_asked(services_only=asked.services_only, namespace=namespace)),
        tuple(diff_notes(found, namespace)),
        namespace,
    )


# --- one pair of dumps -----------------------------------------------------------------------------------------


class _Reduced(NamedTuple):
    """What is kept of a dump to compare it: so much less than its service ports and paths take."""

    forms: tuple[PortForm, ...]
    findings: tuple[Finding, ...]


_READING, _CHECKING = 0.2, 0.9


def _pair(nodes: tuple[Snapshot, Snapshot], pair: Pair, asked: _Asked, progress: Progress) -> PairDiff:
    shared = SharedChains(*pair)
    old, new = (
        _reduced(node, dump, asked, shared, part_of(progress, place * 0.45, place * 0.45 + 0.45))
        for place, (node, dump) in enumerate(zip(nodes, pair, strict=True))
    )
    progress("comparing", 0.9)
    is_shown = not list(services_in(pair))
    ports = compared(old.forms, new.forms, hiding_of(nodes, pair)) if is_shown else None
    counts = len(old.forms), len(new.forms)
    hiding = findings_hidden(nodes, pair)
    findings = finding_changes(old.findings, new.findings, pair[1].family).where_shown(
        old_hides=hiding[0], new_hides=hiding[1]
    )
    del old, new, shared  # what is the same on both sides is no longer needed
    chains = None if asked.services_only else _chains(nodes, pair, ports)
    found = PairDiff(*pair, ports, counts, chains, findings)
    return _without_own_place(found, nodes) if asked.ignore_local else found


def _without_own_place(found: PairDiff, nodes: tuple[Snapshot, Snapshot]) -> PairDiff:
    """Return what differs but for what the place of each node rightly makes different."""
    from iptviz.compare.chains.own_place import without_own
    from iptviz.compare.ports.own_place import without_local  # few compare two nodes so

    ports, chains, set_aside = found.ports, found.chains, 0
    if ports:
        ports, set_aside = without_local(ports)
    if chains:
        old, new = (node.own_addresses(found.new.family) or () for node in nodes)
        chains, rules = without_own(chains, (found.old, found.new), (old, new))
        set_aside += rules
    return found._replace(ports=ports, chains=chains, set_aside=set_aside)


def _reduced(node: Snapshot, dump: Dump, asked: _Asked, shared: SharedChains, progress: Progress) -> _Reduced:
    """Return what is compared of a dump, which is examined once."""
    examined = _examined(node, dump, asked, shared, progress)
    if asked.services_only:
        findings: tuple[Finding, ...] = ()
    else:
        progress("checking", _CHECKING)
        findings = findings_among(examine(examined))
    forms = forms_of(dump, examined.ports, examined.reached)
    for table in dump.tables.values():
        table.forget()  # the other dump needs the memory
    return _Reduced(forms, findings)


def _examined(
    node: Snapshot, dump: Dump, asked: _Asked, shared: SharedChains, progress: Progress
) -> Examined:
    progress("reading services", 0.0)
    rules = DispatchingRules(dump)
    ports = tuple(
        port for port in shared.service_ports(rules) if asked.namespace in {None, port.service.namespace}
    )
    evidence = evidence_of(node, dump.family, Beside())
    followed = stepwise(ports, FOLLOWING, progress, _READING, _CHECKING)
    return Examined(
        node, dump, rules, ports, reached_in(rules, followed, evidence, by_decider=True), evidence
    )


def _chains(nodes: tuple[Snapshot, Snapshot], pair: Pair, ports: PortChanges | None) -> ChainChanges:
    from iptviz.compare.chains.compared import chain_changes  # services alone do not wait for it

    unseen = [node.unseen_tables(dump) for node, dump in zip(nodes, pair, strict=True)]
    return chain_changes(*pair, _explained(ports) if ports else Explained(), (unseen[0], unseen[1]))


def _explained(ports: PortChanges) -> Explained:
    """Return the service ports that differ, so that no rule of theirs is told once more.

    Where only clients fare otherwise, no rule of the port needs to differ.
    """
    changed = [port for port in ports.changed if any(one.kind != "reached" for one in port.differences)]
    old = [*ports.removed, *(port.old for port in changed)]
    new = [*ports.added, *(port.new for port in changed)]
    return Explained(
        frozenset(port.suffix for port in (*old, *new) if port.suffix),
        frozenset(port.service.text for port in (*old, *new) if port.service.text),
        _lines(old),
        _lines(new),
        compared="shares" not in ports.not_compared,
    )


def _lines(ports: Sequence[PortForm]) -> frozenset[int]:
    return frozenset(one.line for port in ports for one in port.frontends if one.line is not None)


# --- other questions about two nodes ---------------------------------------------------------------------------


def _of_packet(old: Snapshot, new: Snapshot, packet: str) -> DiffResult:
    from iptviz.questions.diff_packet import packet_fates

    return DiffResult(old, new, fates=packet_fates(old, new, packet))


def _of_equivalence(
    old: Snapshot, new: Snapshot, pairs: Sequence[Pair], left_out: Sequence[Item], progress: Progress
) -> DiffResult:
    from iptviz.compare.fates.equivalence import equivalence

    asked = _Asked(services_only=True, ignore_local=False, namespace=None)
    families: dict[str, tuple[list[Examined], list[Examined]]] = {}
    refused = [item for pair in pairs for item in services_in(pair)]
    for pair in pairs:
        shared = SharedChains(*pair)
        sides = families.setdefault(pair[0].family, ([], []))
        for node, dump, side in zip((old, new), pair, sides, strict=True):
            side.append(_examined(node, dump, asked, shared, progress))
    progress("comparing", None)
    answers = tuple(equivalence(*sides) for sides in families.values())
    return DiffResult(old, new, not_compared=(*left_out, *refused), equivalences=answers)
