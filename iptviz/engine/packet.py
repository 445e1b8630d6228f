"""The packet a question is about; what is None is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from iptviz.xtables.address import Network


class Packet(NamedTuple):
    """The first packet of a connection as the nat table meets it.

    `to_this_node` says whether the destination is one of the node's own addresses (`--dst-type LOCAL`).
    `unlisted` are prefixes of `-m recent` lists that the source is known not to be in: a new client.
    """

    protocol: str | None = None
    destination: Network | None = None
    destination_port: int | None = None
    to_this_node: bool | None = None
    unlisted: tuple[str, ...] = ()
    state: str = "NEW"
