"""Names that iptables takes for numbers, and numbers it prints as names.

Protocols as in Debian's and the kernel's `/etc/protocols`, of which iptables prints the name; services of
`/etc/services`, of which it prints the number.
"""

from __future__ import annotations

import re
from functools import cache

from iptviz.xtables.numbers import read_uint

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
_PROTOCOL_ALIASES = {
    "ip": "all",
    "hopopt": "all",
    "icmpv6": "ipv6-icmp",
    "ipv6-mh": "mobility-header",
    "mh": "mobility-header",
}
_PROTOCOL_NUMBERS = {name: number for number, name in PROTOCOLS.items()}
# The protocols whose names iptables has itself (`xtables_chain_protos`), without asking `/etc/protocols`.
_BUILT_IN = frozenset((0, 1, 6, 17, 33, 50, 51, 58, 108, 132, 135, 136))

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


def protocol_name(text: str) -> str:
    """Return the protocol `text`, a name or a number, as iptables-save prints it."""
    name = text.lower()
    number = read_uint(name)
    if number is not None:
        return PROTOCOLS.get(number, str(number))
    return _PROTOCOL_ALIASES.get(name, name)


def protocol_number(text: str) -> int | None:
    """Return the number of the protocol `text`, a name or a number, or None."""
    number = read_uint(text)
    return _PROTOCOL_NUMBERS.get(protocol_name(text)) if number is None else number


def rule_protocol_name(text: str) -> str:
    """Return the protocol of `-p` as iptables-save prints it, since 1.8.11 a number for most."""
    number = protocol_number(text)
    if number is None:
        return text.lower()
    return PROTOCOLS[number] if number in _BUILT_IN else str(number)


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


def user_number(name: str) -> int | None:
    """Return the number of the machine's user `name`, or None."""
    if name == "root" or not _ACCOUNT.fullmatch(name):
        return 0 if name == "root" else None
    try:
        import pwd

        return pwd.getpwnam(name).pw_uid
    except (ImportError, KeyError):  # no such user, or Windows
        return None


def group_number(name: str) -> int | None:
    """Return the number of the machine's group `name`, or None."""
    if name == "root" or not _ACCOUNT.fullmatch(name):
        return 0 if name == "root" else None
    try:
        import grp

        return grp.getgrnam(name).gr_gid
    except (ImportError, KeyError):  # no such group, or Windows
        return None


_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,63}")
