"""The paths of connections to frontends of a node, for every kind of client."""

from __future__ import annotations

from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.hooks import Hooks
from iptviz.engine.knowing import within_bounds
from iptviz.engine.unknowns import Unknowns
from iptviz.errors import PacketError
from iptviz.paths.alike import Alike
from iptviz.paths.clients import (
    LOOPBACK,
    Asked,
    Client,
    client_at,
    clients_of,
    is_at_loopback,
    on_loopback,
    opened,
)
from iptviz.paths.hairpin import with_endpoints
from iptviz.paths.model import ClientPaths, FrontendPaths
from iptviz.paths.rows import Entries
from iptviz.paths.way import FEW, SINGLE, Way
from iptviz.records import NamedTuple
from iptviz.rules.iptables import DumpRules
from iptviz.rules.unprinted import AS_PRINTED
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from iptviz.dump.model import Dump
    from iptviz.engine.condition import When
    from iptviz.engine.fields import Field
    from iptviz.engine.host import Host
    from iptviz.kube.frontends import Frontend
    from iptviz.node.listing import NftListing
    from iptviz.paths.surroundings import Surroundings
    from iptviz.rules.form import RuleSet
    from iptviz.xtables.address import Network


class Evidence(NamedTuple):
    """What is known of a node: its dumps of one family, and what is beside them.

    `listing` are tables of nft that no dump has, `unseen` and `beyond` tables that nothing shows: see `Hooks`.
    `given` are assumptions of whoever asks.
    """

    dumps: Sequence[Dump]
    host: Host
    unseen: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()
    given: When = ()
    listing: NftListing | None = None

    @property
    def rules(self) -> list[RuleSet]:
        """All rules that packets meet, by source."""
        found: list[RuleSet] = list(map(DumpRules, self.dumps))
        if self.listing is not None:
            from iptviz.rules.nftables import NftRules  # most nodes have no listing

            found.append(NftRules(self.listing.ruleset, self.listing.family, self.listing.chains_elsewhere))
        return found


class Survey:
    """Finds the paths of frontends of one source of rules.

    They are those of `clients` of one kind, or at an address; empty: of all.
    `by_decider`: kinds of clients that fare alike are told apart where different rules decide that. `asks_own` is
    as of `Routing`.
    """

    def __init__(
        self,
        around: Surroundings,
        evidence: Evidence,
        clients: str = "",
        *,
        by_decider: bool = False,
        asks_own: bool = False,
    ) -> None:
        self._around = around
        self.by_decider = by_decider
        self.evidence = evidence
        self._clients = clients
        self._alike: dict[tuple[Network, ...], Alike] = {}
        state = None if any(one.condition.kind == "state" for one in evidence.given) else "NEW"
        self._rules = evidence.rules
        self.hooks = Hooks(
            self._rules, evidence.host, state, evidence.unseen, evidence.beyond, asks_own=asks_own
        )

    def alike(self, networks: Sequence[Network]) -> Alike:
        """Return what tells which endpoints no rule tells apart, nor that they are in networks of pods."""
        key = tuple(networks)
        if key not in self._alike:
            self._alike[key] = Alike(
                self.evidence.dumps, self.evidence.host, networks, listing=self.evidence.listing
            )
        return self._alike[key]

    @property
    def around(self) -> Surroundings:
        """What surrounds the services."""
        return self._around

    @cached_property
    def few(self) -> int:
        """How many packets are followed one by one before dumps are searched for what tells them apart."""
        tables = [table for dump in self.evidence.dumps for table in dump.tables.values()]
        size = sum(end - start for table in tables for start, end in table.rest())
        return FEW if size > _LARGE else SINGLE

    @property
    def granted(self) -> When:
        """That tables not shown do nothing, chains are as kube-proxy writes them, rules as wide as printed."""
        dumps = (rules for rules in self._rules if isinstance(rules, DumpRules))
        lines = (f"line {rule.line}" for rules in dumps for rule in rules.narrower)
        asked = [self.hooks.nothing_unseen] if self.hooks.unseen or self.hooks.beyond else []
        asked += [self.hooks.as_granted] if self.hooks.granted else []
        asked += [Condition(AS_PRINTED, line) for line in lines]
        return tuple(Assumption(condition, holds=True) for condition in asked)

    def paths(self, frontend: Frontend, chains: Iterable[str], endpoints: Sequence[str]) -> FrontendPaths:
        """Return the paths of connections to a frontend.

        `chains` are those of the service, whose rules may name the network of pods; `endpoints` are the
        addresses of the service's own, in its order.

        Raises:
            PacketError: what is assumed can be so of no kind of client.
        """
        networks = self._around.pod_networks(chains)
        local = frontend.address is not None and self._around.is_untracked(frontend.address)
        own, host = frontend.address is None, self.evidence.host
        others = self._around.service_ips(frontend) if own else ()
        taken = [address for address in others if host.is_local(address) is None]
        asked = Asked(frontend, self._around.family, networks, host, local, taken)
        finding = _Finding(self, asked, list(dict.fromkeys(endpoints)))
        source = parse_network(self._clients)
        if source is not None:
            return finding.of_address(source, self._clients)
        return finding.of_kinds(self._clients)


class _Finding:
    """Finds the paths of one frontend."""

    def __init__(self, survey: Survey, asked: Asked, endpoints: list[str]) -> None:
        self._survey = survey
        self._asked = asked
        self._order = {address: place for place, address in enumerate(endpoints)}
        self._addresses = {text: network for text in endpoints if (network := parse_network(text))}
        self._assumed: dict[Assumption, None] = {}
        self._left_open = False
        self._refusal: PacketError | None = None

    def of_address(self, source: Network, name: str) -> FrontendPaths:
        return self._told(self._entries(client_at(self._asked, source, name)))

    def of_kinds(self, kind: str) -> FrontendPaths:
        kind = kind or ("node" if is_at_loopback(self._asked) else "")
        hosts = {
            text: address
            for text, address in self._addresses.items()
            if not any(network.contains(address) for network in self._asked.networks)
        }
        found: list[ClientPaths] = []
        for client in clients_of(self._asked, list(self._addresses.values())):
            if kind in {"", client.name}:
                own = {
                    text: self._entries(one)
                    for text, address in islice(hosts.items(), MOST_HOSTS)
                    for one in clients_of(self._asked, (), address)
                    if one.name == client.name and client.name != "pod"
                }
                found += with_endpoints(
                    self._entries(client), {text: entries for text, entries in own.items() if entries}
                )
        if kind in {"", "node"}:
            found = self._with_loopback(found)
        if len(hosts) > MOST_HOSTS:
            others = ",".join(list(hosts)[MOST_HOSTS:])
            self._assumed[Assumption(Condition("source-cidr", others), holds=False)] = None
        return self._told(found)

    def _with_loopback(self, found: list[ClientPaths]) -> list[ClientPaths]:
        """Return entries with what the node meets that asks its own port at the loopback address."""
        client = on_loopback(self._asked)
        if client is None:
            return found
        there = self._entries(client)
        if set(there) == {entry for entry in found if entry.clients == ("node",)}:
            return found
        loopback = Assumption(Condition("destination-cidr", LOOPBACK[self._asked.family]), holds=True)
        return [
            *(_when(loopback.opposite(), entry) if entry.clients == ("node",) else entry for entry in found),
            *(_when(loopback, entry) for entry in there),
        ]

    def _told(self, found: list[ClientPaths]) -> FrontendPaths:
        if self._refusal and not found:
            raise self._refusal
        together = _together(found, by_decider=self._survey.by_decider)
        entries = tuple(map(self._in_order, together))
        return FrontendPaths(tuple(self._assumed), entries, self._left_open, self._asked.frontend.kind)

    def _in_order(self, entry: ClientPaths) -> ClientPaths:
        """Return an entry with its endpoints in the order of the service's own."""
        last = len(self._order)
        rows = sorted(entry.endpoints, key=lambda row: self._order.get(row.address, last))
        return entry._replace(endpoints=tuple(rows))

    def _entries(self, client: Client) -> list[ClientPaths]:
        """Return the entries of a client; none where what is assumed cannot be so of it."""
        survey = self._survey
        given = survey.evidence.given
        asked = opened(client._replace(assumed=(*client.assumed, *survey.granted)), given)

        def begun(open_: Collection[Field]) -> Unknowns:
            unknowns = Unknowns(self._asked.family, asked.regions, self._asked.host, open_)
            unknowns.assume(
                [*asked.is_so, *(each for each in asked.assumed if each.condition.kind in _ASKED)]
            )
            unknowns.assume(given)
            return unknowns

        def told(unknowns: Unknowns) -> list[ClientPaths]:
            networks = self._asked.networks
            way = Way(survey.hooks, unknowns, asked.hook, networks, survey.alike(networks), survey.few)
            self._left_open |= bool(unknowns.left_open or unknowns.counts)
            return Entries(way, asked.packet).made((asked.name,))

        try:
            entries = within_bounds(begun, told)
        except PacketError as refused:
            self._refusal = refused
            return []
        self._assumed |= dict.fromkeys(asked.assumed)
        return entries


_LARGE = 1 << 19
"""Bytes of rules that take as long to be searched as ten packets to be followed."""

MOST_HOSTS = 8
"""What more endpoints outside of the pods' networks send to themselves is not told."""

_ASKED = {"bridge-port", "unseen-tables", "unseen-chains", AS_PRINTED}
"""What is taken for granted and stands in no field of the packet."""


def _when(also: Assumption, entry: ClientPaths) -> ClientPaths:
    return entry._replace(when=(also, *entry.when))


def _together(entries: Iterable[ClientPaths], *, by_decider: bool) -> list[ClientPaths]:
    """Return entries of which those are one that differ in clients alone, or in who decides the same."""
    found: dict[object, ClientPaths] = {}
    for entry in entries:
        alike = entry._replace(clients=()) if by_decider else _without_deciders(entry)
        before = found.get(alike)
        clients = (*before.clients, *entry.clients) if before else entry.clients
        found[alike] = (before or entry)._replace(clients=tuple(dict.fromkeys(clients)))
    return list(found.values())


def _without_deciders(entry: ClientPaths) -> ClientPaths:
    return entry._replace(
        clients=(),
        endpoints=tuple(row._replace(by=None, reply_by=None) for row in entry.endpoints),
        leftover=tuple(row._replace(by=None) for row in entry.leftover),
    )
