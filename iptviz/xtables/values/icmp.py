"""Types of ICMP and ICMPv6: those that a match asks about (libxt_icmp.h), and those that REJECT answers with."""

from __future__ import annotations

import re

from iptviz.records import NamedTuple
from iptviz.xtables.values.numbers import read_uint

# As iptables-save prints them: as numbers, whatever was typed.
_TYPES = {
    "ipv4": {
        "any": "any",
        "echo-reply": "0",
        "pong": "0",
        "destination-unreachable": "3",
        "network-unreachable": "3/0",
        "host-unreachable": "3/1",
        "protocol-unreachable": "3/2",
        "port-unreachable": "3/3",
        "fragmentation-needed": "3/4",
        "source-route-failed": "3/5",
        "network-unknown": "3/6",
        "host-unknown": "3/7",
        "network-prohibited": "3/9",
        "host-prohibited": "3/10",
        "tos-network-unreachable": "3/11",
        "tos-host-unreachable": "3/12",
        "communication-prohibited": "3/13",
        "host-precedence-violation": "3/14",
        "precedence-cutoff": "3/15",
        "source-quench": "4",
        "redirect": "5",
        "network-redirect": "5/0",
        "host-redirect": "5/1",
        "tos-network-redirect": "5/2",
        "tos-host-redirect": "5/3",
        "echo-request": "8",
        "ping": "8",
        "router-advertisement": "9",
        "router-solicitation": "10",
        "time-exceeded": "11",
        "ttl-exceeded": "11",
        "ttl-zero-during-transit": "11/0",
        "ttl-zero-during-reassembly": "11/1",
        "parameter-problem": "12",
        "ip-header-bad": "12/0",
        "required-option-missing": "12/1",
        "timestamp-request": "13",
        "timestamp-reply": "14",
        "address-mask-request": "17",
        "address-mask-reply": "18",
    },
    "ipv6": {
        "destination-unreachable": "1",
        "no-route": "1/0",
        "communication-prohibited": "1/1",
        "beyond-scope": "1/2",
        "address-unreachable": "1/3",
        "port-unreachable": "1/4",
        "failed-policy": "1/5",
        "reject-route": "1/6",
        "packet-too-big": "2",
        "time-exceeded": "3",
        "ttl-exceeded": "3",
        "ttl-zero-during-transit": "3/0",
        "ttl-zero-during-reassembly": "3/1",
        "parameter-problem": "4",
        "bad-header": "4/0",
        "unknown-header-type": "4/1",
        "unknown-option": "4/2",
        "echo-request": "128",
        "ping": "128",
        "echo-reply": "129",
        "pong": "129",
        "mld-listener-query": "130",
        "mld-listener-report": "131",
        "mld-listener-done": "132",
        "mld-listener-reduction": "132",
        "router-solicitation": "133",
        "router-advertisement": "134",
        "neighbour-solicitation": "135",
        "neighbor-solicitation": "135",
        "neighbour-advertisement": "136",
        "neighbor-advertisement": "136",
        "redirect": "137",
    },
}
_NUMBERS = re.compile(r"(\w{1,20})(?:/(\w{1,20})(?::(\w{1,20}))?)?", re.ASCII)
_LAST = 255
_ALL_CODES = (0, _LAST)


class IcmpType(NamedTuple):
    """A type and a code; without a code it stands for all, without a type for any message of ICMP."""

    type: int | None
    code: int | None


ANY_TYPE = IcmpType(None, None)


def read_icmp_type(text: str, family: str) -> IcmpType | None:
    """Read a type by its name, of which the beginning is enough, or by its numbers."""
    asked = text.lower()
    begun = [numbers for name, numbers in _TYPES[family].items() if asked and name.startswith(asked)]
    return _numbered(begun[0] if len(begun) == 1 else text, family)


def _numbered(text: str, family: str) -> IcmpType | None:
    """Read `TYPE`, `TYPE/CODE` or `TYPE/CODE:CODE`: of a range of codes the first counts, all are as none."""
    if text == "any":
        return ANY_TYPE
    found = _NUMBERS.fullmatch(text)
    read = [read_uint(number) for number in found.groups() if number] if found else []
    numbers = [number for number in read if number is not None and number <= _LAST]
    if not numbers or len(numbers) < len(read):
        return None
    if len(numbers) == 1 or tuple(numbers[1:]) == _ALL_CODES:
        return ANY_TYPE if family == "ipv4" and numbers[0] == _LAST else IcmpType(numbers[0], None)
    return IcmpType(numbers[0], numbers[1])


def show_icmp_type(message: IcmpType) -> str:
    """Show `TYPE`, `TYPE/CODE` or `any`."""
    if message.type is None:
        return "any"
    return str(message.type) if message.code is None else f"{message.type}/{message.code}"


# --- answers of REJECT -----------------------------------------------------------------------------------

# In the order in which iptables compares them: the beginning of a name or of its alias is enough.
_REJECT_TYPES = {
    "ipv4": (
        ("icmp-net-unreachable", "net-unreach"),
        ("icmp-host-unreachable", "host-unreach"),
        ("icmp-proto-unreachable", "proto-unreach"),
        ("icmp-port-unreachable", "port-unreach"),
        ("icmp-net-prohibited", "net-prohib"),
        ("icmp-host-prohibited", "host-prohib"),
        ("tcp-reset", "tcp-rst"),
        ("icmp-admin-prohibited", "admin-prohib"),
    ),
    "ipv6": (
        ("icmp6-no-route", "no-route"),
        ("icmp6-adm-prohibited", "adm-prohibited"),
        ("icmp6-addr-unreachable", "addr-unreach"),
        ("icmp6-port-unreachable", "port-unreach"),
        ("tcp-reset", "tcp-reset"),
        ("icmp6-policy-fail", "policy-fail"),
        ("icmp6-reject-route", "reject-route"),
    ),
}


def read_reject_type(text: str, family: str) -> str | None:
    """Read the name of an answer as iptables-save prints it; the beginning of a name or alias is enough."""
    asked = text.lower()
    found = (names[0] for names in _REJECT_TYPES[family] if any(name.startswith(asked) for name in names))
    return next(found, None)
