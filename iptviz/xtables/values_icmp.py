"""How iptables-save prints types of ICMP and ICMPv6: as numbers, whatever was typed (libxt_icmp.h)."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from iptviz.xtables.numbers import read_uint
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.saving import Saving

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


def _icmp_type(types: dict[str, str], text: str, _saving: Saving) -> str:
    """Print the type that the text names, of which the beginning is enough, or that its numbers are."""
    asked = text.lower()
    begun = [printed for name, printed in types.items() if asked and name.startswith(asked)]
    if len(begun) == 1:
        return begun[0]
    return _by_numbers(text, any_type="any" in types) or quote_word(text)


def _by_numbers(text: str, *, any_type: bool) -> str | None:
    """Return `TYPE` or `TYPE/CODE` as printed: of a range of codes only the first, of all codes none."""
    found = _NUMBERS.fullmatch(text)
    numbers = [read_uint(number) for number in found.groups() if number] if found else [None]
    if any(number is None or number > _LAST for number in numbers):
        return None
    if len(numbers) == 1 or tuple(numbers[1:]) == _ALL_CODES:
        return "any" if any_type and numbers[0] == _LAST else str(numbers[0])
    return f"{numbers[0]}/{numbers[1]}"


ICMP_KINDS: dict[str, Callable[[str, Saving], str]] = {
    "icmp-type": partial(_icmp_type, _TYPES["ipv4"]),
    "icmpv6-type": partial(_icmp_type, _TYPES["ipv6"]),
}
