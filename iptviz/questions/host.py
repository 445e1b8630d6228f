"""What is known of the host beside its rules: what the snapshot holds, and what is supplied, which goes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.engine.host import Host
from iptviz.node.snapshot import VERSIONS
from iptviz.questions.packet_values import Typed, read_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.node.snapshot import Snapshot
    from iptviz.supplied.addresses import Addresses
    from iptviz.supplied.conntrack import TrackedConnections
    from iptviz.supplied.files import FileArgument
    from iptviz.supplied.interface_addresses import ByInterface
    from iptviz.xtables.address import Network


def supplied_host(
    node: Snapshot,
    family: str,
    out_interface: str | None,
    local_ips: Sequence[str],
    *,
    addresses: FileArgument,
    routes: FileArgument,
    ipset: FileArgument,
    recent: FileArgument,
    sysctl: FileArgument = None,
) -> Host:
    """Return what is known of the node; `out_interface` is where the packet in question leaves.

    Raises:
        PacketError: a local address is none, or not of the family of the dump.
        DumpError: a file that is supplied cannot be read.
    """
    typed = frozenset(read_address("--local-ip", text, Typed(family, {})) for text in local_ips)
    supplied = None if addresses is None else list(_read("addresses", addresses))
    return Host(
        local=_own_addresses(node, family, typed, supplied),
        interfaces=node.interfaces if supplied is None else _interfaces(supplied),
        addresses=node.interface_addresses if supplied is None else _by_interface(supplied),
        routes=node.routes if routes is None else _routes(node, routes),
        sets=node.sets if ipset is None else _by_name(_read("ipsets", ipset)),
        recent=node.recent if recent is None else _by_name(_read("recent", recent)),
        out_interface=out_interface,
        version=VERSIONS[family],
        sysctls=node.sysctls if sysctl is None else dict(node.sysctls or {}) | _settings(sysctl),
    )


def tracked_connections(node: Snapshot, file: FileArgument) -> tuple[TrackedConnections, ...]:
    """Return the lists of connections that are supplied, else those of the snapshot.

    Raises:
        DumpError: a file that is supplied cannot be read.
    """
    return node.connections if file is None else tuple(_read("conntrack", file))


def _own_addresses(
    node: Snapshot, family: str, typed: frozenset[Network], supplied: list[Addresses] | None
) -> frozenset[Network] | None:
    """Return all of the node's addresses: those typed or supplied, else those that the snapshot holds."""
    if supplied is not None:
        return typed.union(*supplied)
    return typed or node.own_addresses(family)


def _interfaces(supplied: list[Addresses]) -> frozenset[str] | None:
    """Return all interfaces that lists of addresses name, where one of them has all."""
    return next((found.interfaces for found in supplied if found.interfaces), None)


def _by_interface(supplied: list[Addresses]) -> ByInterface:
    from iptviz.supplied.interface_addresses import joined

    return joined([found.by_interface for found in supplied])


def _routes(node: Snapshot, file: FileArgument) -> Any:
    """Return the routes of a file, with the rules of `ip rule` that stand in it, or else in the snapshot."""
    from iptviz.supplied.files import Supplied, read_file
    from iptviz.supplied.routes import Routes
    from iptviz.supplied.routing_rules import rules_among

    given = read_file(file, Supplied)
    rules = rules_among(*given) if given else ()
    return Routes(
        (route for routes in _read("routes", given) for route in routes), rules or node.routing_rules
    )


def _settings(file: FileArgument) -> dict[str, Any]:
    """Return the settings of a file, which has some if it is the right one."""
    from iptviz.supplied.files import Supplied, read_file
    from iptviz.supplied.sysctls import check_supplied

    given = read_file(file, Supplied)
    if given is not None:
        check_supplied(*given)
    return _by_name(_read("sysctls", given))


def _read(kind: str, file: FileArgument) -> Iterator[Any]:
    """Yield what a supplied file says: each section of the kind, or the whole, which is meant to be of it."""
    from iptviz.node.evidence import READERS, supplied_as

    return map(READERS[kind], supplied_as(kind, file))


def _by_name(found: Iterator[dict[str, Any]]) -> dict[str, Any]:
    return {name: value for part in found for name, value in part.items()}
