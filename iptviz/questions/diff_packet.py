"""The question `diff --packet` asks: does one packet fare differently, and where do its ways part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.compare.packets import Parting
    from iptviz.node.snapshot import Snapshot
    from iptviz.questions.packet import PacketResult


class PacketFates(NamedTuple):
    """The fates of one packet on two nodes.

    `differs` is None where that is not known, since there are too many cases. `parting` says of one packet that
    fares differently where its ways part. `old` and `new` are the whole answers, as of `iptviz packet`;
    `set_aside` names what is known of one side alone, and was left open when they were compared.
    """

    asked: str
    old: PacketResult
    new: PacketResult
    differs: bool | None
    parting: Parting | None
    set_aside: tuple[str, ...] = ()


def packet_fates(old: Snapshot, new: Snapshot, asked: str) -> PacketFates:
    """Follow one packet, `SRC DST PROTO PORT`, through two nodes.

    SRC is an address, `-` for any, or `node`; DST an address or a service's name. It starts at hook output where
    SRC is `node`, or an address of the node, else at prerouting.

    Raises:
        PacketError: this is no packet, or it cannot be.
        AbsentError: DST is a service's name, and a dump has no such service.
    """
    raise NotImplementedError
