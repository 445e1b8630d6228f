"""How iptables-save prints what matches name in packets: flags of TCP, chunks of SCTP, headers of IPv6."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.names import protocol_number
from iptviz.xtables.numbers import read_uint
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iptviz.xtables.saving import Saving


def _in_order(asked: Iterable[str], order: Iterable[str]) -> str:
    """Return the names that are asked for, in their order."""
    there = set(asked)
    return ",".join(name for name in order if name in there)


# --- TCP -------------------------------------------------------------------------------------------------

_TCP_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
_FLAG_GROUPS = {"ALL": _TCP_FLAGS, "NONE": (), **{flag: (flag,) for flag in _TCP_FLAGS}}


def _tcp_flags(text: str, _saving: Saving) -> str:
    groups = [_FLAG_GROUPS.get(name) for name in text.upper().split(",")]
    if None in groups:
        return quote_word(text)
    return _in_order((flag for group in groups for flag in group or ()), _TCP_FLAGS) or "NONE"


# --- SCTP ------------------------------------------------------------------------------------------------

# In the order of their numbers. The flags of I_DATA are read but never printed (libxt_sctp.c).
_CHUNK_FLAGS = {
    "DATA": "IUBE",
    **dict.fromkeys(("INIT", "INIT_ACK", "SACK", "HEARTBEAT", "HEARTBEAT_ACK"), ""),
    "ABORT": "T",
    **dict.fromkeys(("SHUTDOWN", "SHUTDOWN_ACK", "ERROR", "COOKIE_ECHO", "COOKIE_ACK"), ""),
    **dict.fromkeys(("ECN_ECNE", "ECN_CWR"), ""),
    "SHUTDOWN_COMPLETE": "T",
    **dict.fromkeys(("I_DATA", "ASCONF_ACK", "RE_CONFIG", "PAD", "FORWARD_TSN", "ASCONF"), ""),
    "I_FORWARD_TSN": "",
}


def _sctp_chunks(text: str, _saving: Saving) -> str:
    """Print `data:u,init` as `DATA:u,INIT`; a flag in capitals must be set, a small one must not be."""
    if text.upper() in {"ALL", "NONE"}:
        return text.upper()
    asked: dict[str, str] = {}
    for chunk in text.split(","):
        name, _, flags = chunk.partition(":")
        asked[name.upper()] = asked.get(name.upper(), "") + flags
    if not asked.keys() <= _CHUNK_FLAGS.keys():
        return quote_word(text)
    return ",".join(_chunk(name, asked[name]) for name in _CHUNK_FLAGS if name in asked)


def _chunk(name: str, flags: str) -> str:
    printed = [
        flag if flag in flags else flag.lower() for flag in _CHUNK_FLAGS[name] if flag in flags.upper()
    ]
    return f"{name}:{''.join(printed)}" if printed else name


# --- IPv6 ------------------------------------------------------------------------------------------------

_HEADERS = ("hop-by-hop", "ipv6-opts", "ipv6-route", "ipv6-frag", "ah", "esp", "ipv6-nonxt", "protocol")
_HEADER_NAMES = {
    **{name: name for name in _HEADERS},
    "hop": "hop-by-hop",
    "hopopt": "hop-by-hop",
    "dst": "ipv6-opts",
    "route": "ipv6-route",
    "frag": "ipv6-frag",
    "auth": "ah",
    "none": "ipv6-nonxt",
    "prot": "protocol",
}
_HEADER_NUMBERS: dict[int | None, str] = dict(zip((0, 60, 43, 44, 51, 50, 59, 255), _HEADERS, strict=True))


def _ipv6_headers(text: str, _saving: Saving) -> str:
    asked = [_HEADER_NAMES.get(one) or _HEADER_NUMBERS.get(read_uint(one)) for one in text.split(",")]
    return quote_word(text) if None in asked else _in_order((name for name in asked if name), _HEADERS)


# In the order in which iptables compares them, with the numbers of the types (libip6t_mh.c).
_MH_TYPES = (
    ("binding-refresh-request", "brr"),
    ("home-test-init", "hoti"),
    ("careof-test-init", "coti"),
    ("home-test", "hot"),
    ("careof-test", "cot"),
    ("binding-update", "bu"),
    ("binding-acknowledgement", "ba"),
    ("binding-error", "be"),
)
_MH_NAMES = [(name, number) for number, names in enumerate(_MH_TYPES) for name in names]
_LAST_MH_TYPE = 255


def _mh_type(text: str) -> int | None:
    """Read a name, of which the beginning is enough, or a number."""
    asked = text.lower()
    begun = [(name, number) for name, number in _MH_NAMES if name.startswith(asked)]
    exact = [number for name, number in begun if name == asked]
    return (exact or [begun[0][1]])[0] if begun else read_uint(text)


def _mh_types(text: str, _saving: Saving) -> str:
    low, colon, high = text.partition(":")
    first = _mh_type(low) if low or not colon else 0
    last = (_mh_type(high) if high else _LAST_MH_TYPE) if colon else first
    if first is None or last is None:
        return quote_word(text)
    return str(first) if first == last else f"{first}:{last}"


# --- the layers below and above --------------------------------------------------------------------------

_PACKET_TYPES = {
    **{name: name for name in ("unicast", "broadcast", "multicast", "otherhost")},
    "host": "unicast",
    "bcast": "broadcast",
    "mcast": "multicast",
}


def _packet_type(text: str, _saving: Saving) -> str:
    return _PACKET_TYPES.get(text.lower()) or quote_word(text)


def _protocol_number(text: str, _saving: Saving) -> str:
    """Print the protocol of ipvs and conntrack, a number whatever was typed."""
    number = protocol_number(text)
    return quote_word(text) if number is None else str(number)


PROTOCOL_KINDS: dict[str, Callable[[str, Saving], str]] = {
    "tcp-flags": _tcp_flags,
    "sctp-chunks": _sctp_chunks,
    "ipv6-headers": _ipv6_headers,
    "mh-types": _mh_types,
    "packet-type": _packet_type,
    "protocol-number": _protocol_number,
}
