"""What targets make of a packet of which everything is known: see interpreter.py."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.engine.concrete import Address, Connection, Packet, address, masked, network

if TYPE_CHECKING:
    from collections.abc import Callable

Options = dict[str, str]


# --- targets that change the packet, and go on ---------------------------------------------------------------

BITS: dict[str, Callable[[int, int], tuple[int, int]]] = {
    **dict.fromkeys(("--set-xmark", "--set-tos"), lambda value, mask: (value, mask)),
    "--set-mark": lambda value, mask: (value, value | mask),
    **dict.fromkeys(("--and-mark", "--and-tos"), lambda value, _: (0, ~value)),
    **dict.fromkeys(("--or-mark", "--or-tos"), lambda value, _: (value, value)),
    **dict.fromkeys(("--xor-mark", "--xor-tos"), lambda value, _: (value, 0)),
}
"""For each option, what is exclusive-ored to a number after which bits of it are zeroed."""
TIMES: dict[str, Callable[[int, int], int]] = {
    "set": lambda _, number: number,
    "inc": lambda ttl, number: min(ttl + number, 255),
    "dec": lambda ttl, number: max(ttl - number, 0),
}


def with_bits(number: int, options: Options) -> int:
    ((option, text),) = options.items()
    value, mask = BITS[option](*masked(text))
    return number & ~mask ^ value


def _mark(packet: Packet, options: Options) -> None:
    packet.mark = with_bits(packet.mark, options)


def _connmark(packet: Packet, options: Options) -> None:
    connection = packet.connection
    mine, theirs = (int(options.get(name, "0xffffffff"), 0) for name in ("--nfmask", "--ctmask"))
    if connection is None:
        return
    if "--save-mark" in options:
        connection.mark = connection.mark & ~theirs ^ packet.mark & mine
    elif "--restore-mark" in options:
        packet.mark = packet.mark & ~mine ^ connection.mark & theirs
    else:
        connection.mark = with_bits(connection.mark, options)


def _untrack(packet: Packet, options: Options) -> None:
    assert options.keys() <= {"--notrack", "--zone"}
    if packet.tracking != "INVALID":  # another rule was first
        return
    packet.tracking = "NEW" if options.get("--zone") else "UNTRACKED"
    if options.get("--zone"):
        nobody = type(packet.source)(0)
        packet.connection = Connection(nobody, nobody, nobody, 0)
        packet.connection.answered = frozenset({"CONFIRMED"})


def _ttl(packet: Packet, options: Options) -> None:
    ((option, text),) = options.items()
    packet.ttl = TIMES[option[-3:]](packet.ttl, int(text))


def _tos(packet: Packet, options: Options) -> None:
    packet.tos = with_bits(packet.tos, options)


def _dscp(packet: Packet, options: Options) -> None:
    packet.tos = packet.tos & 3 | int(options["--set-dscp"], 0) << 2


CHANGES: dict[str, Callable[[Packet, Options], None]] = {
    "MARK": _mark, "CONNMARK": _connmark, "NOTRACK": _untrack, "CT": _untrack, "TTL": _ttl, "HL": _ttl,
    "TOS": _tos, "DSCP": _dscp, "CHECKSUM": lambda *_: None, "": lambda *_: None,
}  # fmt: skip


# --- nat: where a new connection goes to or comes from; it ends the table ------------------------------------

End = tuple[Address, int]


def _given(end: End, text: str) -> End:
    found = re.fullmatch(r"\[?([\d.]+|[\da-f:]+)\]?(?::(\d+))?", text)
    assert found is not None
    host, port = found.groups()
    return address(host), int(port or end[1])


def _mapped(end: End, text: str) -> End:
    net, bits = network(text)
    return type(end[0])(int(end[0]) & ~bits | net), end[1]


NAT: dict[str, Callable[[Packet, End, Options], End]] = {
    "DNAT": lambda _, end, options: _given(end, options["--to-destination"]),
    "SNAT": lambda _, end, options: _given(end, options["--to-source"]),
    "NETMAP": lambda _, end, options: _mapped(end, options["--to"]),
    "MASQUERADE": lambda packet, end, _: (packet.leaving, end[1]),
}


def translate(packet: Packet, chain: str, target: str, options: Options) -> None:
    """Rewrite the destination before routing, the source after it."""
    connection = packet.connection
    assert connection is not None
    if chain in {"PREROUTING", "OUTPUT"}:
        before = packet.destination, packet.dport
        after = packet.destination, packet.dport = NAT[target](packet, before, options)
        connection.answerer = packet.destination
        status = "DNAT"
    else:
        before = packet.source, packet.sport
        after = packet.source, packet.sport = NAT[target](packet, before, options)
        status = "SNAT"
    if after != before:
        connection.statuses.add(status)
