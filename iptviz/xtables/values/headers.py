"""Fields of headers: the type of service, MAC addresses, what stands in headers of IPv6, SCTP and DCCP."""

from __future__ import annotations

import re

from iptviz.xtables.values.numbers import Masked, Range, read_uint

# --- the link --------------------------------------------------------------------------------------------

_MAC = re.compile(r"(?:[0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}")


def read_mac(text: str) -> bytes | None:
    """Read the six bytes of a MAC address."""
    return bytes(int(part, 16) for part in text.split(":")) if _MAC.fullmatch(text) else None


def show_mac(address: bytes) -> str:
    """Show a MAC address in small letters."""
    return address.hex(":")


def show_mac_upper(address: bytes) -> str:
    """Show a MAC address in capitals, as CLUSTERIP does."""
    return address.hex(":").upper()


_PACKET_TYPES = {
    **{name: name for name in ("unicast", "broadcast", "multicast", "otherhost")},
    "host": "unicast",
    "bcast": "broadcast",
    "mcast": "multicast",
}


def read_packet_type(text: str) -> str | None:
    """Read to whom a packet goes on the link."""
    return _PACKET_TYPES.get(text.lower())


# --- the type of service -----------------------------------------------------------------------------------

_TOS_NAMES = {
    "minimize-delay": 0x10,
    "maximize-throughput": 0x08,
    "maximize-reliability": 0x04,
    "minimize-cost": 0x02,
    "normal-service": 0x00,
}
_TOS_NAME_MASK = 0x3F
_BYTE = 0xFF


def read_tos(text: str) -> Masked | None:
    """Read `VALUE[/MASK]` or a name as two numbers of 8 bits; a name leaves the two bits of ECN alone."""
    if (named := _TOS_NAMES.get(text.lower())) is not None:
        return Masked(named, _TOS_NAME_MASK)
    value_text, slash, mask_text = text.partition("/")
    value, mask = read_uint(value_text), read_uint(mask_text) if slash else _BYTE
    return None if value is None or mask is None else Masked(value & _BYTE, mask & _BYTE)


def show_tos(tos: Masked) -> str:
    """Show value and mask, with two digits each."""
    return f"0x{tos.value:02x}/0x{tos.mask:02x}"


_DSCP_CLASSES = {
    "be": 0x00,
    "ef": 0x2E,
    **{f"cs{number}": number << 3 for number in range(8)},
    **{f"af{number}{drop}": (number << 3) | (drop << 1) for number in range(1, 5) for drop in range(1, 4)},
}


def dscp_of_class(name: str) -> int | None:
    """Return the number of a class of DSCP such as `EF` or `AF11`, or None."""
    return _DSCP_CLASSES.get(name.lower())


# --- options of TCP ----------------------------------------------------------------------------------------

_TCP_OPTIONS = {"mss": 2, "wscale": 3, "sack-permitted": 4, "sack": 5, "timestamp": 8, "md5": 19}


def read_tcp_options(text: str) -> list[int] | None:
    """Read options of TCP by name or number, in their order: iptables keeps a set of bits."""
    read = [_TCP_OPTIONS.get(word, read_uint(word)) for word in text.split(",")]
    numbers = {number for number in read if number is not None}
    return None if None in read else sorted(numbers)


def show_numbers(numbers: list[int]) -> str:
    """Show numbers between commas."""
    return ",".join(map(str, numbers))


# --- SCTP and DCCP -----------------------------------------------------------------------------------------

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
_GROUPS = {"ALL", "NONE"}


def read_sctp_chunks(text: str) -> dict[str, str] | None:
    """Read `data:u,init` as chunks and their flags, or a group: `ALL` or `NONE`.

    A flag in capitals must be set, a small one must not be.
    """
    if text.upper() in _GROUPS:
        return {text.upper(): ""}
    asked: dict[str, str] = {}
    for chunk in text.split(","):
        name, _, flags = chunk.partition(":")
        asked[name.upper()] = asked.get(name.upper(), "") + flags
    if not asked.keys() <= _CHUNK_FLAGS.keys():
        return None
    return {name: _chunk_flags(name, asked[name]) for name in _CHUNK_FLAGS if name in asked}


def _chunk_flags(name: str, flags: str) -> str:
    asked = (flag for flag in _CHUNK_FLAGS[name] if flag in flags.upper())
    return "".join(flag if flag in flags else flag.lower() for flag in asked)


def show_sctp_chunks(chunks: dict[str, str]) -> str:
    """Show `DATA:u,INIT`."""
    return ",".join(f"{name}:{flags}" if flags else name for name, flags in chunks.items())


DCCP_TYPES = (
    *("REQUEST", "RESPONSE", "DATA", "ACK", "DATAACK", "CLOSEREQ", "CLOSE", "RESET", "SYNC", "SYNCACK"),
    "INVALID",
)

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


def read_ipv6_headers(text: str) -> list[str] | None:
    """Read extension headers by name or number, in the order in which they are printed."""
    asked = [_HEADER_NAMES.get(word) or _HEADER_NUMBERS.get(read_uint(word)) for word in text.split(",")]
    return None if None in asked else [name for name in _HEADERS if name in asked]


_MOST_OPTIONS = 16
ANY_LENGTH = 0xFF
"""The length of an option of which only the type counts (libip6t_dst.c)."""


def read_ipv6_options(text: str) -> list[tuple[int, int]] | None:
    """Read options of an IPv6 header as types and lengths, `TYPE[:LENGTH]`, of 8 bits each."""
    words = text.split(",", _MOST_OPTIONS)
    read = [_ipv6_option(word) for word in words[:_MOST_OPTIONS]]
    options = [option for option in read if option is not None]
    return options if len(options) == len(words) else None


def _ipv6_option(text: str) -> tuple[int, int] | None:
    type_text, colon, length_text = text.partition(":")
    number, length = read_uint(type_text), read_uint(length_text) if colon else ANY_LENGTH
    return None if number is None or length is None else (number & _BYTE, length & _BYTE)


def show_ipv6_options(options: list[tuple[int, int]]) -> str:
    """Show options between commas, each with its length if that counts."""
    return ",".join(
        str(number) if length == ANY_LENGTH else f"{number}:{length}" for number, length in options
    )


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


def read_mh_types(text: str) -> Range | None:
    """Read types of mobility headers: one, or the first and the last."""
    low, colon, high = text.partition(":")
    first = _mh_type(low) if low or not colon else 0
    last = (_mh_type(high) if high else _LAST_MH_TYPE) if colon else first
    return None if first is None or last is None else Range(first, last)
