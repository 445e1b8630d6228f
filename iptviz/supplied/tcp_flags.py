"""Which packets of TCP belong to a connection that the kernel tracks, by its state, their direction and flags.

Source: tcp_conntracks, tcp_valid_flags and nf_conntrack_tcp_packet in nf_conntrack_proto_tcp.c of net/netfilter.
What is ignored there (sIG), since the entry may be out of step, is of the connection, too. Sequence numbers are
taken to be in the window: a packet outside of it is INVALID, whatever its flags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

Fate = Literal["belongs", "invalid", "begins", "begins-perhaps"]
"""What becomes of a packet: it is of the connection, or INVALID, or the connection is over and it begins another.

Once the connection is reset, a SYN begins another if it comes from the end that reset it, or if an end had closed
the connection before (FIN); no list says so.
"""

_VALID = {
    frozenset(flags.split(","))
    for flags in ("SYN", "SYN,URG", "SYN,ACK", "RST", "RST,ACK", "FIN,ACK", "FIN,ACK,URG", "ACK", "ACK,URG")
}
_NOT_ASKED = {"PSH"}

_STATES = (
    "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",
    "SYN_SENT2",
)  # fmt: skip
_FATES: dict[str, Fate] = {".": "belongs", "x": "invalid", "N": "begins", "n": "begins-perhaps"}
# A column for each of the states above: `.` belongs to the connection, `x` is invalid, `N` begins another.
_TABLE = {
    (False, "SYN"): "......Nn.",
    (False, "SYN,ACK"): "x.xxxxxx.",
    (False, "FIN"): "x.......x",
    (False, "ACK"): "x.......x",
    (False, "RST"): ".........",
    (True, "SYN"): ".xxxxxNx.",
    (True, "SYN,ACK"): ".........",
    (True, "FIN"): "x.......x",
    (True, "ACK"): ".........",
    (True, "RST"): ".........",
}


def fate_in(state: str, flags: Collection[str], *, is_reply: bool) -> Fate:
    """Return what becomes of a packet with `flags`; in a state that is not known here it is of the connection."""
    asked = frozenset(flags) - _NOT_ASKED
    if asked not in _VALID:
        return "invalid"
    if state not in _STATES:
        return "belongs"
    return _FATES[_TABLE[is_reply, _kind(asked)][_STATES.index(state)]]


def _kind(flags: frozenset[str]) -> str:
    """Return the kind of a packet, as get_conntrack_index does."""
    if "RST" in flags:
        return "RST"
    if "SYN" in flags:
        return "SYN,ACK" if "ACK" in flags else "SYN"
    return "FIN" if "FIN" in flags else "ACK"
