"""The question `diff` asks: what changed between two nodes, or one node at two moments, by what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from iptviz.compare.chains.forms import ChainChanges, Explained, Uncompared
from iptviz.compare.ports.compared import compared
from iptviz.compare.ports.hiding import NOTHING_HIDDEN
from iptviz.compare.ports.shared_chains import SharedChains
from iptviz.dump.model import Dump
from iptviz.errors import DumpError
from iptviz.node.snapshot import Snapshot, as_snapshot
from iptviz.progress import nobody, part_of
from iptviz.questions.diff_modes import across_modes, without_kube_proxys_chains
from iptviz.questions.diff_notes import diff_notes, not_asked, uncompared
from iptviz.questions.diff_pair import PairDiff
from iptviz.questions.diff_sides import Asked, examined_dump, reduced
from iptviz.questions.document import document_of
from iptviz.questions.finding_changes import FindingChanges, finding_changes
from iptviz.questions.pairing import (
    findings_hidden,
    hides_parts,
    hiding_of,
    paired,
    services_in,
    sources_of,
    unpaired,
    with_shared_evidence,
)
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Item
    from iptviz.compare.chains.forms import Side
    from iptviz.compare.fates.equivalence import Equivalence
    from iptviz.compare.ports.differences import PortChanges
    from iptviz.compare.ports.form import PortForm
    from iptviz.node.listing import NftListing
    from iptviz.progress import Progress
    from iptviz.questions.diff_packet import PacketFates
    from iptviz.questions.diff_sides import Reduced
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
    def dump(self) -> Dump | NftListing:
        """What is obviously meant of the new node: the first of its sources of rules that are compared."""
        return self.sources(1)[0]

    def sources(self, side: Literal[0, 1]) -> tuple[Dump | NftListing, ...]:
        """Return the sources of rules of the old node (0) or of the new one (1), the compared ones first."""
        node = (self.old, self.snapshot)[side]
        compared_first = {id(pair[side]): pair[side] for pair in self.pairs}
        others = {
            id(source): source for source in sources_of(node) if isinstance(source, Dump) or not node.dumps
        }
        return tuple((compared_first | others).values())

    @property
    def expected(self) -> tuple[Item, ...]:
        """What kube-proxy's modes mean to do otherwise, where the sides are in different ones; each once."""
        return tuple(dict.fromkeys(item for pair in self.pairs for item in pair.expected))

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
    mine, theirs = as_snapshot(old, listed=True), as_snapshot(new, listed=True)
    before, after, lone = with_shared_evidence(mine, theirs)
    if packet is not None:
        return _of_packet(mine, theirs, packet)
    pairs = paired(before, after)
    asked = Asked(services_only or namespace is not None, ignore_local, namespace)
    left_out = [*unpaired(before, after, pairs), *lone]
    if equivalent:
        return _of_equivalence(before, after, pairs, left_out, progress)
    share = 1 / len(pairs)
    found = []
    for place, pair in enumerate(pairs):
        left_out += services_in(pair)
        part = part_of(progress, place * share, (place + 1) * share)
        found.append(_pair((before, after), pair, pairs, asked, part))
    return DiffResult(
        before,
        after,
        tuple(found),
        (*left_out, *uncompared(found), *not_asked(services_only=asked.services_only, namespace=namespace)),
        tuple(diff_notes(found, namespace)),
        namespace,
    )


# --- one pair of sources ---------------------------------------------------------------------------------------


def _pair(
    nodes: tuple[Snapshot, Snapshot], pair: Pair, pairs: Sequence[Pair], asked: Asked, progress: Progress
) -> PairDiff:
    shared = SharedChains(pair.old, pair.new)
    across = any(other.across for other in pairs if other.family == pair.family)
    old, new = (
        reduced(
            node, source, asked, shared, part_of(progress, place * 0.45, place * 0.45 + 0.45),
            checked=not across,
        )
        for place, (node, source) in enumerate(zip(nodes, pair.sources, strict=True))
    )  # fmt: skip
    progress("comparing", 0.9)
    is_shown = pair.keeps_services and not list(services_in(pair))
    hiding = hiding_of(nodes, pair.sources)
    own = NOTHING_HIDDEN if pair.across else hiding  # first comes what the modes mean
    ports = compared(old.forms, new.forms, own) if is_shown else None
    counts = (len(old.forms), len(new.forms)) if pair.keeps_services else (0, 0)
    findings = _findings(nodes, pair, old, new)
    both_dumps = isinstance(pair.old, Dump) and isinstance(pair.new, Dump)
    has_findings = both_dumps and not asked.services_only and not across
    found = PairDiff(*pair.sources, ports, counts, None, findings, findings_compared=has_findings)
    if pair.across and ports is not None:
        found = across_modes(found, ports, hiding, (*old.forms, *new.forms))
    del old, new, shared  # what is the same on both sides is no longer needed
    if not asked.services_only:
        found = found._replace(chains=_chains(nodes, pair, pairs, ports))
    if across and found.chains and isinstance(pair.old, Dump) and isinstance(pair.new, Dump):
        found = without_kube_proxys_chains(found, found.chains, pairs)
    return _without_own_place(found, nodes) if asked.ignore_local else found


def _findings(nodes: tuple[Snapshot, Snapshot], pair: Pair, old: Reduced, new: Reduced) -> FindingChanges:
    """Return what `check` finds on one side alone."""
    if not (isinstance(pair.old, Dump) and isinstance(pair.new, Dump)):
        return FindingChanges()
    hiding = findings_hidden(nodes, pair.old, pair.new)
    changes = finding_changes(old.findings, new.findings, pair.family)
    return changes.where_shown(old_hides=hiding[0], new_hides=hiding[1])


def _without_own_place(found: PairDiff, nodes: tuple[Snapshot, Snapshot]) -> PairDiff:
    """Return what differs but for what the place of each node rightly makes different."""
    from iptviz.compare.chains.own_place import without_own
    from iptviz.compare.ports.own_place import without_local  # few compare two nodes so

    ports, chains, set_aside = found.ports, found.chains, 0
    if ports:
        ports, set_aside = without_local(ports)
    if chains and isinstance(found.old, Dump) and isinstance(found.new, Dump):
        old, new = (node.own_addresses(found.new.family) or () for node in nodes)
        chains, rules = without_own(chains, (found.old, found.new), (old, new))
        set_aside += rules
    return found._replace(ports=ports, chains=chains, set_aside=set_aside)


def _chains(
    nodes: tuple[Snapshot, Snapshot], pair: Pair, pairs: Sequence[Pair], ports: PortChanges | None
) -> ChainChanges | None:
    """Return what differs of rules that are no service's; None where they are of two languages."""
    explained = _explained(ports) if ports else Explained()
    if isinstance(pair.old, Dump) and isinstance(pair.new, Dump):
        from iptviz.compare.chains.compared import chain_changes  # services alone do not wait for it

        if any(map(hides_parts, (pair.old, pair.new))):
            return _not_shown(pair.old, pair.new)
        unseen = (nodes[0].unseen_tables(pair.old), nodes[1].unseen_tables(pair.new))
        return chain_changes(pair.old, pair.new, explained, unseen)
    if isinstance(pair.old, Dump) or isinstance(pair.new, Dump):
        return None
    from iptviz.compare.chains.native import native_changes
    from iptviz.questions.diff_modes import scope_of  # most sides are dumps

    return native_changes(pair.old, pair.new, scope_of(pair, pairs, explained))


def _not_shown(old: Dump, new: Dump) -> ChainChanges:
    """Return that no table is compared, since what rules ask is named alone."""
    sides: dict[Side, Dump] = {"old": old, "new": new}
    hiding = tuple(side for side, dump in sides.items() if hides_parts(dump))
    tables = dict.fromkeys((*new.tables, *old.tables))
    return ChainChanges((), (), tuple(Uncompared(table, hiding, "by-name") for table in tables), ())


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
        addresses=frozenset(_addresses((*old, *new))),
    )


def _addresses(ports: Sequence[PortForm]) -> Iterator[str]:
    for form in (form for port in ports for form in port.frontends):
        yield from [form.address] if form.address else []
        yield from (end.address for end in form.endpoints)


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

    _refuse_listings(pairs)
    asked = Asked(services_only=True, ignore_local=False, namespace=None)
    families: dict[str, tuple[list[Examined], list[Examined]]] = {}
    refused = [item for pair in pairs for item in services_in(pair)]
    for pair in pairs:
        shared = SharedChains(pair.old, pair.new)
        sides = families.setdefault(pair.family, ([], []))
        for node, source, side in zip((old, new), pair.sources, sides, strict=True):
            if isinstance(source, Dump):
                side.append(examined_dump(node, source, asked, shared, progress))
    progress("comparing", None)
    answers = tuple(equivalence(*sides) for sides in families.values())
    return DiffResult(old, new, not_compared=(*left_out, *refused), equivalences=answers)


def _refuse_listings(pairs: Sequence[Pair]) -> None:
    """Raise an error where services are in listings of nft, whose connections are not compared so.

    Raises:
        DumpError: a side has its services in such a listing.
    """
    for source in (source for pair in pairs if pair.keeps_services for source in pair.sources):
        if not isinstance(source, Dump):
            raise DumpError(
                "--equivalent compares iptables rules alone, and services are in tables of nft",
                where=source.source,
                hint="iptviz diff alone compares who reaches which services",
            )
