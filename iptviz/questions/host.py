"""What is supplied beside the dump of the node: its addresses, routes, sets and lists of recent clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.host import Host
from iptviz.questions.packet_values import Typed, read_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.supplied.files import FileArgument


def supplied_host(
    family: str,
    out_interface: str | None,
    local_ips: Sequence[str],
    *,
    addresses: FileArgument,
    routes: FileArgument,
    ipset: FileArgument,
    recent: FileArgument,
) -> Host:
    """Return what is known of the node; `out_interface` is where the packet in question leaves.

    Raises:
        PacketError: a local address is none, or not of the family of the dump.
        DumpError: a file cannot be read.
    """
    from iptviz.ipset.saved import read_ipsets
    from iptviz.supplied.addresses import read_addresses
    from iptviz.supplied.files import read_file
    from iptviz.supplied.recent import read_recent_lists
    from iptviz.supplied.routes import read_routes

    own = frozenset(read_address("--local-ip", text, Typed(family, {})) for text in local_ips)
    listed = read_file(addresses, read_addresses)
    return Host(
        local=None if listed is None and not own else own | (listed or frozenset()),
        routes=read_file(routes, read_routes),
        sets=read_file(ipset, read_ipsets),
        recent=read_file(recent, lambda text, source: read_recent_lists(text, source, "DEFAULT")),
        out_interface=out_interface,
    )
