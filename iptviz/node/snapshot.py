"""One node at one moment: its dumps of both families and both backends, and the evidence beside them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from iptviz.errors import DumpError
from iptviz.intake.index import TABLE_NAMES
from iptviz.intake.plain import DumpForm
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from iptviz.dump.model import Dump
    from iptviz.ipset.saved import IpSet
    from iptviz.node.evidence import Evidence
    from iptviz.node.listing import NftListing, ReadListing
    from iptviz.supplied.conntrack import TrackedConnections
    from iptviz.supplied.files import FileArgument
    from iptviz.supplied.interface_addresses import ByInterface
    from iptviz.supplied.ipvs import VirtualServer
    from iptviz.supplied.pods import Pods
    from iptviz.supplied.recent import RecentList
    from iptviz.supplied.routes import Routes
    from iptviz.supplied.routing_rules import RoutingRule
    from iptviz.xtables.address import Network

VERSIONS = {"ipv4": 4, "ipv6": 6}
_NFT_FAMILIES = {"ipv4": "ip", "ipv6": "ip6"}
_SHOWN_BY = {"nft": "nf_tables", "table names": "legacy"}
"""Which backend's tables a kind of evidence shows."""
_LOOPBACKS = {4: 127 << 24 | 1, 6: 1}


class PlacedServer(NamedTuple):
    """A virtual server of IPVS, the file that tells of it, and whether that tells all of IPVS' servers."""

    source: str
    server: VirtualServer
    whole: bool


class Snapshot:
    """A node: `dumps`, the one that is obviously meant first, and `evidence` of other kinds.

    `problems` are files that could not be read.
    `nothing` is the error for a node of which there are no rules at all, but a listing of nft that shows none.
    What the evidence says is read when it is asked for; None means that there is none of that kind, and what
    could not be read of it is added to `evidence_problems`.
    """

    def __init__(
        self,
        dumps: Sequence[Dump],
        evidence: Iterable[Evidence] = (),
        *,
        name: str | None = None,
        problems: Iterable[DumpError] = (),
        nothing: DumpError | None = None,
    ) -> None:
        """Take the node's dumps, and what else there is: without dumps, a listing of nft is among that."""
        self.dumps = tuple(dumps)
        self.evidence = tuple(evidence)
        self._name = name
        self.problems = tuple(problems)
        self.nothing = nothing
        self._own_tables_alone = False
        self.evidence_problems: list[DumpError] = []
        self._read: dict[str, tuple[Any, ...]] = {}
        self._listings: dict[str, NftListing | None] = {}

    @property
    def name(self) -> str | None:
        """The node's name, where something tells it."""
        return self._name or (self.dumps[0].node if self.dumps else None)

    @property
    def dump(self) -> Dump:
        """The dump that is obviously meant.

        Raises:
            DumpError: there is none, but a listing of nft.
        """
        if not self.dumps:
            raise self.without_dumps()
        return self.dumps[0]

    def without_dumps(self) -> DumpError:
        """Return what keeps questions from a node of which there are no rules that they are about."""
        unread = next(iter(self.evidence_problems), None) if not self.dumps else None
        return (
            unread
            or self.nothing
            or DumpError(
                "only a listing of nft, with no chain of a table ip kube-proxy or ip6 kube-proxy",
                where=self.listed_in,
                hint="list all tables (nft list ruleset), or follow a packet through these: iptviz packet",
            )
        )

    @property
    def listed_in(self) -> str:
        """The file of the first listing of nft; empty without any."""
        return next((piece.source.name for piece in self.evidence if piece.kind == "nft"), "")

    def of_family(self, family: str | None) -> tuple[Dump, ...]:
        """Return the dumps of a family, `ipv4` or `ipv6`; all of them where it is None or there is none."""
        return tuple(dump for dump in self.dumps if family in {None, dump.family}) or self.dumps

    def listing(self, family: str) -> NftListing | None:
        """Return the tables of nft that packets of a family meet and that no dump has; None without any."""
        if not any(piece.kind == "nft" for piece in self.evidence):
            return None
        if family not in self._listings:
            from iptviz.node.listing import listing_of

            found = listing_of(self.listings, family, self.dumps)
            own = found.own() if found is not None and self._own_tables_alone else found
            self._listings[family] = own if own is not None and own.tables else None
        return self._listings[family]

    @property
    def has_tables_of_others(self) -> bool:
        """Whether listings of nft show tables that neither kube-proxy nor iptables has made."""
        listings = (self.listing(family) for family in VERSIONS)
        return any(found is not None and found.has_tables_of_others for found in listings)

    def without_tables_of_others(self) -> Snapshot:
        """Return the same node, of whose tables of nft those alone count that kube-proxy or iptables made."""
        kept = self._with(self.evidence)
        kept._own_tables_alone = True
        return kept

    def without_evidence(self, kinds: Collection[str]) -> Snapshot:
        """Return the same node without some kinds of evidence."""
        return self._with(piece for piece in self.evidence if piece.kind not in kinds)

    def _with(self, evidence: Iterable[Evidence]) -> Snapshot:
        """Return the same node with other evidence."""
        made = Snapshot(self.dumps, evidence, name=self._name, problems=self.problems, nothing=self.nothing)
        made._own_tables_alone = self._own_tables_alone
        return made

    @cached_property
    def listings(self) -> tuple[ReadListing, ...]:
        """What is in each listing of nft, be it nothing."""
        if not any(piece.kind == "nft" for piece in self.evidence):
            return ()
        from iptviz.node.listing import read_listings

        return read_listings(self.evidence)

    # --- what the evidence says --------------------------------------------------------------------------

    def _all(self, kind: str) -> tuple[Any, ...]:
        """Return what each piece of a kind says; one that cannot be read is a problem, and says nothing."""
        if not self.evidence:
            return ()
        if kind not in self._read:
            self._read[kind] = tuple(self._readings(kind))
        return self._read[kind]

    def _readings(self, kind: str) -> Iterator[Any]:
        from iptviz.node.evidence import READERS, tables_there  # what a dump alone does not need

        if kind == "nft":  # which are read as a whole besides
            found = (one for one in self.listings if one.piece.is_whole)
            yield from (tables_there(one.ruleset) for one in found if one.ruleset is not None)
            return
        for piece in self.evidence:
            if piece.kind == kind and piece.is_whole:
                try:
                    yield READERS[kind](piece)
                except DumpError as error:
                    self.evidence_problems.append(error)

    def own_addresses(self, family: str) -> frozenset[Network] | None:
        """Return all addresses of the node of a family, single ones or networks; None where they are not known.

        They are known where a list has the loopback address, which every node has, and others: what `ip addr`
        prints of all devices, or the table `local` of `ip route show table all`.
        """
        version = VERSIONS[family]
        listed = frozenset(own for found in self._all("addresses") for own in found if own.version == version)
        if _has_loopback(listed, version) and any(not _is_loopback(own) for own in listed):
            return listed
        local = (route for routes in self._all("routes") for route in routes if route.kind == "local")
        routed = frozenset(
            route.network for route in local if route.network.version == version and route.table == "local"
        )
        return listed | routed if _has_loopback(routed, version) else None

    @property
    def interfaces(self) -> frozenset[str] | None:
        """The names of all interfaces; None where no list has all."""
        return next((names for found in self._all("addresses") if (names := found.interfaces)), None)

    @property
    def interface_addresses(self) -> ByInterface:
        """The addresses of each interface, as far as lists tell whose they are."""
        listed = [found.by_interface for found in self._all("addresses")]
        if not listed:
            return {}
        from iptviz.supplied.interface_addresses import joined

        return joined(listed)

    @cached_property
    def routes(self) -> Routes | None:
        """All routes; where rules of the node's own choose between tables, only those that are asked first."""
        found = [route for routes in self._all("routes") for route in routes]
        if not found:
            return None
        from iptviz.supplied.routes import Routes

        return Routes(dict.fromkeys(found), self.routing_rules)

    @property
    def routing_rules(self) -> tuple[RoutingRule, ...]:
        """The rules that choose a table of routes."""
        return tuple(dict.fromkeys(rule for rules in self._all("rules") for rule in rules))

    @property
    def sets(self) -> Mapping[str, IpSet] | None:
        """The ipsets by name."""
        return _merged(self._all("ipsets"))

    @property
    def recent(self) -> Mapping[str, RecentList] | None:
        """The lists of `-m recent` by name."""
        return _merged(self._all("recent"))

    @property
    def sysctls(self) -> Mapping[str, str] | None:
        """The kernel's settings by name."""
        return _merged(self._all("sysctls"))

    @property
    def has_ipvs(self) -> bool:
        """Whether there is a listing of virtual servers."""
        return any(piece.kind == "ipvs" for piece in self.evidence)

    @property
    def virtual_servers(self) -> list[PlacedServer]:
        """The virtual servers of IPVS; where only a part of them was listed, these."""
        from iptviz.node.evidence import READERS

        found = []
        for piece in self.evidence:
            if piece.kind == "ipvs" and piece.namespace is None:
                try:
                    servers = READERS["ipvs"](piece)
                except DumpError as error:
                    self.evidence_problems.append(error)
                else:
                    found += [PlacedServer(piece.source.name, one, not piece.partial) for one in servers]
        return found

    @property
    def connections(self) -> tuple[TrackedConnections, ...]:
        """The connections that the kernel tracks, of each list, be it a part of them."""
        from iptviz.node.evidence import READERS

        found = []
        for piece in self.evidence:
            if piece.kind == "conntrack" and piece.namespace is None:
                try:
                    found.append(READERS["conntrack"](piece))
                except DumpError as error:
                    self.evidence_problems.append(error)
        return tuple(found)

    @cached_property
    def pods(self) -> Pods | None:
        """The pods of all lists; None where there is none."""
        found = self._all("pods")
        if not found:
            return None
        from iptviz.supplied.pods import Pods

        return Pods(pod for pods in found for pod in pods)

    def pod_at(self, address: str, port: int | None) -> str:
        """Return the pod that lists have at an address, `namespace/name`; empty where none is known."""
        pod = self.pods.at(address, port) if self.pods is not None else None
        return pod.text if pod else ""

    def with_pods(self, file: FileArgument) -> Snapshot:
        """Return the same node with a list of pods in place of those that it has; itself without one.

        Raises:
            DumpError: the list cannot be read.
        """
        if file is None:
            return self
        from iptviz.node.evidence import READERS, supplied_as

        pieces = supplied_as("pods", file)
        for piece in pieces:
            READERS["pods"](piece)
        others = (piece for piece in self.evidence if piece.kind != "pods")
        return self._with((*others, *pieces))

    # --- tables that no dump shows -----------------------------------------------------------------------

    def tables_elsewhere(self, dump: Dump) -> frozenset[str]:
        """Return the tables of the dump's family that evidence shows, if it shows any that the dump has."""
        family = _NFT_FAMILIES[dump.family]
        shown = [
            {table.name for table in tables if table.family == family and table.name in TABLE_NAMES}
            for kind, backend in _SHOWN_BY.items()
            if dump.backend in {None, backend}
            for tables in self._all(kind)
        ]
        return frozenset().union(*(names for names in shown if names & dump.tables.keys()))

    def unseen_tables(self, dump: Dump) -> tuple[str, ...]:
        """Return the tables that the node may have and the dump does not show.

        iptables-save writes all tables there are. A listing shows those that somebody asked for, and a dump that
        is not whole, what is left of it; there the evidence may tell which tables there are.
        """
        missing = [name for name in TABLE_NAMES if name not in dump.tables]
        elsewhere = self.tables_elsewhere(dump)
        if elsewhere:
            return tuple(name for name in missing if name in elsewhere)
        if dump.form != DumpForm.SAVE or any(gap.id == "last-line-cut" for gap in dump.gaps):
            return tuple(missing)  # where it was cut, all that came later is lost
        lost = {"table-missing", "table-incompatible"}
        return tuple(name for name in missing if name in _tables_of(dump, lost))

    def tables_beyond(self, family: str) -> tuple[str, ...]:
        """Return tables with rules that packets of a family meet and that none of its dumps can show.

        They are those that nft made for itself, those in which it made chains for itself, and those of a backend
        of which there is no dump. Of tables of iptables-legacy the kernel tells names alone: it may have them for
        no more than a look.
        """
        backends = {dump.backend for dump in self.dumps if dump.family == family}
        found = [
            table.text(backend)
            for kind, backend in _SHOWN_BY.items()
            for tables in self._all(kind)
            for table in sorted(tables)
            if table.acts and table.family in {"inet", _NFT_FAMILIES[family]}
            if not (table.is_of_iptables and backends & {None, backend})
        ]
        chains = (
            f"nf_tables {name}"
            for dump in self.dumps
            if dump.family == family
            for name in sorted(_tables_of(dump, {"base-chains-unseen"}))
        )
        warned = (
            LEGACY_TABLES
            for dump in self.dumps
            if dump.family == family and "legacy" not in backends and dump.legacy_warning
        )
        return tuple(dict.fromkeys((*found, *chains, *warned)))


LEGACY_TABLES = "legacy tables"
"""What is called so is there, but which tables and rules there are nothing tells."""


def as_snapshot(node: Dump | Snapshot, *, listed: bool = False, ipvs: bool = False) -> Snapshot:
    """Return a node of which a dump is all that there is, as one.

    `listed`: a listing of nft that has some table will do, too; `ipvs`: so will one of virtual servers.

    Raises:
        DumpError: there is none of these.
    """
    if not isinstance(node, Snapshot):
        return Snapshot((node,))
    if not (node.dumps or (listed and not node.nothing) or (ipvs and node.has_ipvs)):
        raise node.without_dumps()
    return node


def _tables_of(dump: Dump, gaps: Collection[str]) -> set[str]:
    """Return the tables that gaps of some kinds are about."""
    return {str(dict(gap.values)["table"]) for gap in dump.gaps if gap.id in gaps}


def _is_loopback(own: Network) -> bool:
    return own.value == _LOOPBACKS[own.version]


def _has_loopback(found: Iterable[Network], version: int) -> bool:
    return any(own.version == version and _LOOPBACKS[version] & own.mask == own.value for own in found)


def _merged(found: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what several pieces say, by name; what a later one says of the same name counts."""
    return {name: value for part in found for name, value in part.items()} if found else None
