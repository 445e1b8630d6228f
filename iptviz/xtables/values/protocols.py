"""Protocols and ports: their names and numbers, and the flags of TCP.

Protocols as in Debian's and the kernel's `/etc/protocols`, of which iptables prints the name; services of
`/etc/services`, of which it prints the number.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.xtables.values.numbers import Range, read_uint

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOLS = {
    0: "all",
    1: "icmp",
    2: "igmp",
    3: "ggp",
    4: "ipencap",
    5: "st",
    6: "tcp",
    8: "egp",
    9: "igp",
    12: "pup",
    17: "udp",
    20: "hmp",
    22: "xns-idp",
    27: "rdp",
    29: "iso-tp4",
    33: "dccp",
    36: "xtp",
    37: "ddp",
    38: "idpr-cmtp",
    41: "ipv6",
    43: "ipv6-route",
    44: "ipv6-frag",
    45: "idrp",
    46: "rsvp",
    47: "gre",
    50: "esp",
    51: "ah",
    57: "skip",
    58: "ipv6-icmp",
    59: "ipv6-nonxt",
    60: "ipv6-opts",
    73: "rspf",
    81: "vmtp",
    88: "eigrp",
    89: "ospf",
    93: "ax.25",
    94: "ipip",
    97: "etherip",
    98: "encap",
    103: "pim",
    108: "ipcomp",
    112: "vrrp",
    115: "l2tp",
    124: "isis",
    132: "sctp",
    133: "fc",
    135: "mobility-header",
    136: "udplite",
    137: "mpls-in-ip",
    138: "manet",
    139: "hip",
    140: "shim6",
    141: "wesp",
    142: "rohc",
    143: "ethernet",
}
EXTENSION_HEADERS = frozenset({"ipv6-route", "ipv6-frag", "ipv6-opts"})
"""What IPv6 has between its header and the protocol that `-p` asks for (ipv6_find_hdr in exthdrs_core.c).

AH is one of them with ip6_tables alone: nf_tables stops there (IP6_FH_F_AUTH in nf_tables_ipv6.h).
"""
_PROTOCOL_ALIASES = {
    "ip": "all",
    "hopopt": "all",
    "icmpv6": "ipv6-icmp",
    "ipv6-mh": "mobility-header",
    "mh": "mobility-header",
}
_LAST_PROTOCOL = 255
_PROTOCOL_NUMBERS = {name: number for number, name in PROTOCOLS.items()}
# The protocols whose names iptables has itself (`xtables_chain_protos`), without asking `/etc/protocols`.
_BUILT_IN = frozenset((0, 1, 6, 17, 33, 50, 51, 58, 108, 132, 135, 136))


def protocol_name(text: str) -> str:
    """Return the protocol `text`, a name or a number, as iptables-save prints it."""
    name = text.lower()
    number = read_uint(name)
    if number is not None:
        return PROTOCOLS.get(number, str(number))
    return _PROTOCOL_ALIASES.get(name, name)


def protocol_number(text: str) -> int | None:
    """Return the number of the protocol `text`, a name or a number of 8 bits; None for what is neither."""
    number = read_uint(text)
    if number is None:
        return _PROTOCOL_NUMBERS.get(protocol_name(text))
    return number if number <= _LAST_PROTOCOL else None


def rule_protocol_name(text: str) -> str:
    """Return the protocol of `-p` as iptables-save prints it, since 1.8.11 a number for most."""
    number = protocol_number(text)
    if number is None:
        return text.lower()
    return PROTOCOLS[number] if number in _BUILT_IN else str(number)


# --- flags of TCP ------------------------------------------------------------------------------------------

TCP_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
_FLAG_GROUPS = {"ALL": TCP_FLAGS, "NONE": (), **{flag: (flag,) for flag in TCP_FLAGS}}


def read_tcp_flags(text: str) -> frozenset[str] | None:
    """Read flags between commas, of which `ALL` and `NONE` are groups; None for a flag that TCP lacks."""
    groups = [_FLAG_GROUPS.get(name) for name in text.upper().split(",")]
    return None if None in groups else frozenset(flag for group in groups for flag in group or ())


def show_tcp_flags(flags: frozenset[str]) -> str:
    """Show the flags in the order of their bits."""
    return ",".join(flag for flag in TCP_FLAGS if flag in flags) or "NONE"


# --- ports -------------------------------------------------------------------------------------------------

LAST_PORT = 0xFFFF

_SERVICES = {
    "ftp-data": 20,
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "smtp": 25,
    "domain": 53,
    "bootps": 67,
    "bootpc": 68,
    "tftp": 69,
    "http": 80,
    "www": 80,
    "kerberos": 88,
    "pop3": 110,
    "sunrpc": 111,
    "ntp": 123,
    "netbios-ns": 137,
    "netbios-dgm": 138,
    "netbios-ssn": 139,
    "imap2": 143,
    "imap": 143,
    "snmp": 161,
    "snmp-trap": 162,
    "bgp": 179,
    "ldap": 389,
    "https": 443,
    "microsoft-ds": 445,
    "submissions": 465,
    "isakmp": 500,
    "syslog": 514,
    "submission": 587,
    "ldaps": 636,
    "domain-s": 853,
    "rsync": 873,
    "imaps": 993,
    "pop3s": 995,
    "openvpn": 1194,
    "ms-sql-s": 1433,
    "nfs": 2049,
    "mysql": 3306,
    "ms-wbt-server": 3389,
    "ipsec-nat-t": 4500,
    "sip": 5060,
    "mdns": 5353,
    "postgresql": 5432,
    "http-alt": 8080,
    "webcache": 8080,
}


@cache
def service_port(name: str) -> int | None:
    """Return the port of service `name`, by our own table or the machine's `/etc/services`, or None."""
    if name in _SERVICES:
        return _SERVICES[name]
    import socket

    try:
        return socket.getservbyname(name)
    except (OSError, ValueError):  # ValueError: a name with NUL or a character that is no byte
        return None


def read_port(text: str) -> int | None:
    """Read a port by number, which may be octal or hexadecimal, or by the name of its service."""
    number = read_uint(text)
    return service_port(text) if number is None and not text[:1].isdigit() else number


def read_decimal_port(text: str) -> int | None:
    """Read a port as getaddrinfo does (xtopt_parse_port): `010` is 10, `0x10` is nothing, and 65536 is 0."""
    if text.isascii() and text.isdecimal():
        number = read_uint(text.lstrip("0") or "0")
        return None if number is None else number & LAST_PORT
    return None if text[:1].isdigit() else service_port(text)


WITH_PORTS = ("tcp", "udp", "udplite", "sctp", "dccp")
"""The protocols that have ports, by their usual names."""


def read_ports(text: str, read: Callable[[str], int | None] = read_port) -> Range | None:
    """Read `80`, `http`, `80:90`, `:90` or `80:`, each port by `read`."""
    low, colon, high = text.partition(":")
    first = read(low) if low or not colon else 0
    last = (read(high) if high else LAST_PORT) if colon else first
    return None if first is None or last is None else Range(first, last)


def read_decimal_ports(text: str) -> Range | None:
    """Read a port or a range of ports, no octal and no hexadecimal ones."""
    return read_ports(text, read_decimal_port)


def read_port_list(text: str) -> list[tuple[int, ...]] | None:
    """Read multiport's list of ports and ranges, each as one or two numbers: a range keeps both ends."""
    read = [[read_port(port) for port in word.split(":")] for word in text.split(",")]
    ports = [tuple(port for port in word if port is not None) for word in read]
    return ports if list(map(len, ports)) == list(map(len, read)) else None


def show_port_list(ports: list[tuple[int, ...]]) -> str:
    """Show ports between commas, the ends of ranges between colons."""
    return ",".join(":".join(map(str, word)) for word in ports)


# --- ports that NAT gives ----------------------------------------------------------------------------------

_SERVICE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-")
_LONGEST_SERVICE = 64


class NatPorts(NamedTuple):
    """The ports from `first` to `last`, of which one is given; `base` is where shifted ports begin, or None."""

    first: int
    last: int
    base: int | None


def read_nat_ports(text: str) -> NatPorts | None:
    """Read `FIRST[-LAST[/BASE]]`; names may stand for a single port and for the base only (libxt_NAT.c)."""
    first_text, dash, rest = text.partition("-")
    last_text, slash, base_text = rest.partition("/")
    if _may_name_service(text):  # a name may hold a dash
        first_text, dash, slash = text, "", ""
    first = _read_nat_port(first_text)
    last = read_uint(last_text) if dash else first
    base = _read_nat_port(base_text) if slash else None
    if first is None or last is None or not first <= last <= LAST_PORT or (slash and base is None):
        return None
    return NatPorts(first, last, base)


def _may_name_service(text: str) -> bool:
    return text[:1].isalpha() and len(text) <= _LONGEST_SERVICE and _SERVICE.issuperset(text)


def _read_nat_port(text: str) -> int | None:
    if _may_name_service(text):
        return service_port(text)
    number = read_uint(text)
    return number if number is not None and number <= LAST_PORT else None


def show_nat_ports(ports: NatPorts) -> str:
    """Show one port or both ends, and the base where there is one."""
    first, last, base = ports
    return (str(first) if first == last else f"{first}-{last}") + ("" if base is None else f"/{base}")


def show_without_base(ports: NatPorts) -> str:
    """Show the base of shifted ports as 0: only DNAT has room for it."""
    return show_nat_ports(ports if ports.base is None else ports._replace(base=0))
