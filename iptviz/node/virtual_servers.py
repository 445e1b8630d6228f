"""The virtual servers of IPVS as a source of services: they are kept beside all rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.node.snapshot import PlacedServer
    from iptviz.supplied.ipvs import VirtualServer


class IpvsListing:
    """The virtual servers of one family at addresses and ports, as one file tells of them: a `RuleSource`.

    `unplaced` counts those of no such place: of a firewall mark, or listed with names in place of numbers. They
    are of no family, and counted with the first that there is.
    """

    tool = "ipvsadm"
    backend: str | None = None
    number: int | None = None
    is_excerpt = False
    tables: tuple[str, ...] = ()
    rule_count = 0

    def __init__(
        self, source: str, family: str, servers: Iterable[VirtualServer], unplaced: int, *, complete: bool
    ) -> None:
        self.source = source
        self.family = family
        self.servers = tuple(servers)
        self.unplaced = unplaced
        self.complete = complete


def listings_of(found: Iterable[PlacedServer]) -> list[IpvsListing]:
    """Return the virtual servers by family, of the file that tells most: all of them, with schedulers."""
    files: dict[str, list[PlacedServer]] = {}
    for one in found:
        files.setdefault(one.source, []).append(one)
    if not files:
        return []
    source, told = max(files.items(), key=lambda each: _telling(each[1]))
    complete = all(one.whole for one in told)
    families: dict[str, list[VirtualServer]] = {}
    unplaced = 0
    for one in told:
        network = parse_network(one.server.address) if one.server.port else None
        if network is None:
            unplaced += 1
        else:
            families.setdefault(f"ipv{network.version}", []).append(one.server)
    return [
        IpvsListing(source, family, families[family], 0 if number else unplaced, complete=complete)
        for number, family in enumerate(sorted(families))
    ] or [IpvsListing(source, "ipv4", (), unplaced, complete=complete)]


def _telling(servers: list[PlacedServer]) -> tuple[bool, bool]:
    return all(one.whole for one in servers), all(one.server.scheduler for one in servers)
