"""The small world of the tests, told in IPv4 and read as IPv6 where that is asked for."""

from __future__ import annotations

import ipaddress
import re

_ADDRESS = re.compile(r"(?<![\w.])(10\.\d+\.\d+\.\d+)(?:/([\d.]+))?(:\d+)?(?![\w.])")
_LENGTHS = re.compile(r"(?<=--length )[\d:]+")
_WORDS = {
    "-p icmp": "-p ipv6-icmp", "-m icmp ": "-m icmp6 ", "--icmp-type 8": "--icmpv6-type 128",
    "--icmp-type 13": "--icmpv6-type 139", "--icmp-type 0": "--icmpv6-type 129",
    "--icmp-type any": "--icmpv6-type 128", "-m ttl --ttl": "-m hl --hl", "-m ttl ! --ttl": "-m hl ! --hl",
    "TTL --ttl": "HL --hl", "icmp-host-prohibited": "icmp6-adm-prohibited",
}  # fmt: skip
_IPV6_ICMP = {8: 128, 13: 139, 0: 129}


def icmp_type(number: int, family: int) -> int:
    """The type of an ICMP packet that plays the same part in `family`."""
    return _IPV6_ICMP.get(number, number) if family == 6 else number


def in_family(text: str, family: int) -> str:
    """Return rules, a command or an address of the world in `family`: 10.2.0.3/32 as fd10:2::3/128."""
    if family == 4:
        return text
    for word, other in _WORDS.items():
        text = text.replace(word, other)
    text = _LENGTHS.sub(lambda found: re.sub(r"\d+", lambda one: str(int(one[0]) + 20), found[0]), text)
    return _ADDRESS.sub(_address, text)


def _address(found: re.Match[str]) -> str:
    address, mask, port = found.groups()
    text = str(ipaddress.IPv6Address(_groups(address, 0xFD10)))
    if mask is not None:
        text += f"/{_mask(mask)}"
    return f"[{text}]{port}" if port else text


def _groups(address: str, first: int) -> int:
    """10.a.b.c as fd10:a:b::c."""
    _, second, third, last = map(int, address.split("."))
    return first << 112 | second << 96 | third << 80 | last


def _mask(mask: str) -> str:
    if not mask.isdigit():
        return {"255.0.0.255": "ffff::ffff"}[mask]
    length = int(mask)
    return str(length * 2 if length < 24 else 112 if length == 24 else 96 + length)
