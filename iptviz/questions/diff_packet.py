"""The question `diff --packet` asks: does one packet fare differently, and where do its ways part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.compare.fates.packets import Asking, Parting, compared_packet
from iptviz.dump.model import Dump
from iptviz.errors import AbsentError, DumpError, PacketError, quoted
from iptviz.questions.packet import PacketResult, packet
from iptviz.records import NamedTuple
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.addresses import show_network

if TYPE_CHECKING:
    from iptviz.engine.condition import Condition
    from iptviz.node.snapshot import Snapshot


class PacketFates(NamedTuple):
    """The fates of one packet on two nodes.

    `differs` is None where that is not known, since there are too many cases, or since what the dumps show
    differs and one of them lacks lines (`lacks_lines`). `parting` says of one packet that
    fares differently where its ways part. `old` and `new` are the whole answers, as of `iptviz packet`. `same`
    are questions that nobody answers and both sides ask, taken to have one answer; `set_aside` names what is
    known of one node alone, or otherwise of each, and was left open when they were compared.
    """

    asked: str
    old: PacketResult
    new: PacketResult
    differs: bool | None
    parting: Parting | None
    same: tuple[Condition, ...] = ()
    set_aside: tuple[str, ...] = ()
    lacks_lines: bool = False


NODE, ANY = "node", "-"
_WORDS = ("SRC", "DST", "PROTO", "PORT")


def packet_fates(old: Snapshot, new: Snapshot, asked: str) -> PacketFates:
    """Follow one packet, `SRC DST PROTO PORT`, through two nodes; `-` stands for any of these.

    SRC is an address, or `node`; DST an address or a service's name. It starts at hook output where SRC is
    `node`, or an address of a node, else at prerouting. A service that one node does not have is asked at the
    address that the other one gives it.

    Raises:
        PacketError: this is no packet, or it cannot be.
        AbsentError: DST is a service's name, and neither node has such a service.
        DumpError: a packet passes tables of nft on a node.
    """
    fields = _read(asked, (old, new))
    for node in (old, new):
        if not node.dumps:
            raise _not_compared(node.listed_in)
    try:
        mine = packet(old, **fields)
    except AbsentError:
        theirs = packet(new, **fields)
        mine = packet(old, **_at(fields, theirs))
    else:
        try:
            theirs = packet(new, **fields)
        except AbsentError:
            theirs = packet(new, **_at(fields, mine))
    for answer in (mine, theirs):
        _refuse_listings(answer)
    found = compared_packet(_asking(mine), _asking(theirs))
    lacking = any(dump.lacks_lines for answer in (mine, theirs) for dump in answer.dumps)
    if found.differs and lacking:
        found = found._replace(differs=None)
    return PacketFates(asked, mine, theirs, *found, lacks_lines=lacking)


def _read(typed: str, nodes: tuple[Snapshot, Snapshot]) -> dict[str, Any]:
    """Return the fields of a packet, as `iptviz.packet` takes them."""
    words = typed.split()
    if len(words) != len(_WORDS):
        raise PacketError(
            f"invalid --packet {quoted(typed)}",
            hint=f'use "{" ".join(_WORDS)}", such as "10.244.0.9 10.96.0.10 udp 53"; - stands for any',
        )
    source, *others = (None if word == ANY else word for word in words)
    sent = source == NODE or any(_is_own(node, source) for node in nodes)
    names = ("dst", "protocol", "dport")
    return {
        "src": None if source == NODE else source,
        **dict(zip(names, others, strict=True)),
        "hook": "output" if sent else "prerouting",
    }


def _is_own(node: Snapshot, source: str | None) -> bool:
    address = parse_network(source or "")
    own = None if address is None else node.own_addresses(f"ipv{address.version}")
    return own is not None and address in own


def _at(fields: dict[str, Any], found: PacketResult) -> dict[str, Any]:
    """Return the fields of a packet with the address and port that the other node has for its destination."""
    asked = found.asked
    address = show_network(asked.destination).partition("/")[0] if asked.destination else None
    return {**fields, "dst": address, "protocol": asked.protocol, "dport": asked.destination_port}


def _refuse_listings(found: PacketResult) -> None:
    """Raise an error where rules of nft were asked, which are not compared.

    Raises:
        DumpError: there are such rules.
    """
    listing = next((source for source in found.sources if not isinstance(source, Dump)), None)
    if listing is not None:
        raise _not_compared(listing.source)


def _not_compared(source: str) -> DumpError:
    return DumpError(
        "--packet compares iptables rules alone, and packets pass tables of nft",
        where=source,
        hint="ask iptviz packet about each node",
    )


def _asking(found: PacketResult) -> Asking:
    assert found.evidence is not None  # noqa: S101 - what `packet` answers has it
    return Asking(found.evidence, found.asked, found.hook)
