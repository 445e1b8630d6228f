"""What really becomes of connections to the frontends of a trace, with what is known of the node."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from iptviz.errors import PacketError, near, quoted
from iptviz.kube.frontends import CHAIN
from iptviz.paths.model import CLIENT_KINDS, FrontendPaths
from iptviz.paths.surroundings import DumpSurroundings
from iptviz.paths.survey import Evidence, Survey
from iptviz.paths.unseen_nat import with_unseen_nat
from iptviz.questions.host import supplied_host
from iptviz.records import NamedTuple
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.engine.condition import Assumption, Condition, When
    from iptviz.kube.service import ServiceTrace
    from iptviz.node.listing import NftListing, RuleSource
    from iptviz.node.snapshot import Snapshot
    from iptviz.paths.surroundings import Surroundings
    from iptviz.supplied.files import FileArgument


FOLLOWING = "following connections of service port"
"""What takes longest where many services are asked for: as a bar tells it, with how many are done."""


class Beside(NamedTuple):
    """What is asked and supplied beside the dump: see `iptviz.trace`."""

    client: str = ""
    addresses: FileArgument = None
    routes: FileArgument = None
    ipset: FileArgument = None
    recent: FileArgument = None
    sysctl: FileArgument = None
    assume: tuple[str, ...] = ()

    def once(self) -> Beside:
        """Return the same with the files read, which several dumps ask for: a pipe can be read once alone.

        Raises:
            DumpError: a file cannot be read.
        """
        files: dict[str, Any] = {
            name: getattr(self, name) for name in ("addresses", "routes", "ipset", "recent", "sysctl")
        }
        if all(file is None for file in files.values()):
            return self
        from iptviz.supplied.files import Supplied, read_file  # most questions have none

        files = {name: read_file(file, Supplied) for name, file in files.items()}
        return self._replace(**files)


def paths_of(
    source: RuleSource, services: Sequence[ServiceTrace], evidence: Evidence, beside: Beside
) -> tuple[FrontendPaths, ...]:
    """Return for each of `services`, frontends of one source of a node, what becomes of connections to it.

    Raises:
        PacketError: there is no such client, or what is assumed cannot be so of any.
    """
    family = source.family
    around = surroundings(source, evidence)
    _check_client(beside.client, family)
    if beside.assume:
        from iptviz.engine.assume import read_assumptions  # most questions assume nothing

        asks = partial(_conditions, around, services, evidence, beside)
        evidence = evidence._replace(given=read_assumptions(beside.assume, family, asks))
        _check_new(evidence.given)
    return _paths(around, services, evidence, beside)


def surroundings(source: RuleSource, evidence: Evidence) -> Surroundings:
    """Return what surrounds the services of a source of rules."""
    from iptviz.dump.model import Dump

    if isinstance(source, Dump):
        return DumpSurroundings(source)
    from iptviz.kube.nftables.table import proxy_table  # most sources are dumps
    from iptviz.node.listing import NftListing
    from iptviz.paths.native_surroundings import NativeSurroundings

    table = proxy_table(source) if isinstance(source, NftListing) else None
    if table is None:
        raise TypeError(source)
    return NativeSurroundings(table, evidence.dumps)


def evidence_of(node: Snapshot, family: str, beside: Beside) -> Evidence:
    """Return what is known of a node for packets of one family, but for what is assumed.

    Raises:
        DumpError: a file cannot be read.
    """
    dumps = tuple(dump for dump in node.dumps if dump.family == family)
    host = supplied_host(
        node, family, None, (),
        addresses=beside.addresses, routes=beside.routes, ipset=beside.ipset, recent=beside.recent,
        sysctl=beside.sysctl,
    )  # fmt: skip
    listing = node.listing(family)
    unseen, beyond = not_shown(node, family, dumps, listing)
    return Evidence(dumps, host, unseen, beyond, listing=listing)


def not_shown(
    node: Snapshot, family: str, dumps: Sequence[Dump], listing: NftListing | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return tables that dumps of a family may lack and no listing shows, and those that nothing here asks."""
    unseen = dict.fromkeys(name for each in dumps for name in node.unseen_tables(each))
    beyond = node.tables_beyond(family)
    if listing is None:
        return tuple(unseen), beyond
    return (
        tuple(name for name in unseen if not listing.has_of_iptables(name)),
        (*(name for name in beyond if name not in listing.names), *listing.unasked),
    )


_BEGINNING = {"NEW", "INVALID", "UNTRACKED"}
"""States of a packet that belongs to no connection which nat may have rewritten before."""


def _check_new(given: Sequence[Assumption]) -> None:
    for one in given:
        if one.condition.kind == "state" and not (one.holds and _BEGINNING.issuperset(one.condition.values)):
            raise PacketError(
                f"trace follows new connections only: {quoted(one.text)} does not apply",
                hint="use `iptviz packet` with --ctstate",
            )


def _check_client(client: str, family: str) -> None:
    if client in {"", *CLIENT_KINDS}:
        return
    address = parse_network(client)
    if address is None or "/" in client:
        raise PacketError(
            f"invalid client {quoted(client)}",
            hint=f"{near(client, CLIENT_KINDS)}use {', '.join(CLIENT_KINDS)}, or an address such as 10.244.0.9",
        )
    if f"ipv{address.version}" != family:
        raise PacketError(f"client {client} is IPv{address.version}, the dump is {family}")


def _paths(
    around: Surroundings, services: Sequence[ServiceTrace], evidence: Evidence, beside: Beside
) -> tuple[FrontendPaths, ...]:
    survey = Survey(around, evidence, beside.client)
    return tuple(_paths_to(survey, traced) for traced in services)


def _paths_to(survey: Survey, traced: ServiceTrace) -> FrontendPaths:
    """Return the paths of connections to a frontend; none to what is no address, or a chain of unknown ways."""
    if traced.frontend.kind == CHAIN or traced.frontend.is_malformed:
        return FrontendPaths((), (), kind=traced.frontend.kind)
    ends = [end.address for outcome in traced.outcomes for end in outcome.endpoints]
    paths = survey.paths(traced.frontend, sorted(traced.chains), ends)
    return with_unseen_nat(paths, traced.frontend, traced.usual.verdict) if traced.nat_unseen else paths


def _conditions(
    around: Surroundings,
    services: Sequence[ServiceTrace],
    evidence: Evidence,
    beside: Beside,
    given: Sequence[Assumption],
) -> set[Condition]:
    """Return the conditions that state the cases of an answer."""
    found = _paths(around, services, evidence._replace(given=tuple(given)), beside)
    return {assumption.condition for paths in found for when in _whens(paths) for assumption in when}


def _whens(paths: FrontendPaths) -> Iterator[When]:
    for entry in paths.entries:
        yield entry.when
        yield from (row.when for row in entry.endpoints)
        yield from (row.when for row in entry.leftover)
