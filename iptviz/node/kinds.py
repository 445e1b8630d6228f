"""What kinds of evidence there are of a node beside its iptables rules: to recognise another one, add a row.

The content decides; the command that printed a text, or its file's name, is a hint where the content alone could
be more than one thing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = 1 << 13
"""So many bytes at the beginning of a text are looked at."""


class EvidenceKind(NamedTuple):
    """A kind of evidence.

    Attributes:
        label: what people call it.
        lines: a pattern of the beginnings of lines near its beginning, of which one is enough.
        begins: a pattern of how it begins, where it has no lines of its own: JSON, XML.
        partial: a pattern of commands that print a part of it only, which says nothing of the rest.
        name: a pattern of paths that are of this kind whatever they hold: a list may be empty.
        meant: a pattern of paths that are meant to be of this kind: what made them may have failed, and a short
            text that is of no kind is all that they hold.
        tells: what answers take from it; empty where none makes use of it.
    """

    label: str
    lines: str = ""
    begins: str = ""
    partial: str = ""
    name: str = ""
    meant: str = ""
    tells: str = ""


_ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]+)"
_STATES = "UP|DOWN|UNKNOWN|LOWERLAYERDOWN|NOTPRESENT|DORMANT|TESTING"
_SCHEDULERS = "rr|wrr|lc|wlc|lblc|lblcr|dh|sh|mh|sed|nq|fo|ovf|twos"
_NFT_FAMILY = "(?:ip6?|inet|arp|bridge|netdev)"
_ROUTE_KINDS = "unicast|local|broadcast|multicast|anycast|unreachable|blackhole|prohibit|throw"

KINDS: dict[str, EvidenceKind] = {
    "addresses": EvidenceKind(
        "ip addr",
        rf"[ \t]+inet6? {_ADDRESS}(?:/\d+| peer )"
        rf"|\d+: [^\n]*?\sinet6? {_ADDRESS}(?:/\d+| peer )"
        rf"|[^\s:]\S*[ \t]+(?:{_STATES})[ \t]+{_ADDRESS}/\d+",
        r'\s*\[[\s{]*"(?:ifindex|ifname)":[^\0]*?"addr_info":',
        tells="the node's addresses",
    ),
    "routes": EvidenceKind(
        "ip route",
        rf"(?:(?:{_ROUTE_KINDS}) )?(?:default|{_ADDRESS}(?:/\d+)?) "
        r"(?:via|dev|proto|nhid|encap|scope|metric|table)\b",
        r'\s*\[[\s{]*"(?:type|dst)":',
        tells="routes",
    ),
    "rules": EvidenceKind(
        "ip rule",
        r"\d+:[ \t]+(?:not )?from \S",
        r'\s*\[[\s{]*"priority":\s*\d+',
        tells="routing rules",
    ),
    "ipsets": EvidenceKind(
        "ipset save",
        r"create \S+ (?:hash|bitmap|list):|Name: \S+\s+Type: ",
        partial=r"\bipset\b.* -(?:t|n|terse|name)\b",
        tells="members of ipsets",
    ),
    "recent": EvidenceKind(
        "/proc/net/xt_recent",
        r"src=\S+ ttl: \d+ last_seen: \d+ oldest_pkt: ",
        name=r"(?:^|/)net/xt_recent/[^/]+$",
        tells="recent clients",
    ),
    "sysctls": EvidenceKind("sysctl -a", r"(?:net|kernel|vm|fs)\.[\w./-]+ ?= ?", tells="kernel settings"),
    "conntrack": EvidenceKind(
        "conntrack -L",
        r"(?:ipv[46][ \t]+\d+[ \t]+)?(?:tcp|udp|icmp|icmpv6|sctp|udplite|dccp|gre|unknown)[ \t]+\d+[ \t]"
        r"[^\n]*?\bsrc=\S+ dst=",
        partial=r"\bconntrack\b.* -(?:[psdfrqgnmlu]\b|-(?:proto|src|dst|family|reply|orig|mark|status|zone))",
        tells="tracked connections",
    ),
    "nft": EvidenceKind(
        "nft list ruleset",
        r"table (?:ip6?|inet|arp|bridge|netdev) \S+ \{",
        r'\s*\{\s*"nftables":',
        partial=rf"\blist (?!ruleset)|\blist ruleset \S|^nftables-{_NFT_FAMILY}-",
        meant=r"(?:^|/)(?:nft[\w-]*[_-]list[_-]ruleset[^/]*|nft[_-]ruleset(?:\.txt)?|nftables(?:\.json|\.txt)?"
        rf"|nftables-list(?:\.txt)?|nftables-{_NFT_FAMILY}-[^/]*)$|^[^/]+\.nft$",
        tells="tables of nft",
    ),
    "ipvs": EvidenceKind(
        "ipvsadm -Ln",
        r"IP Virtual Server version |-A (?:-[tuf]|--sctp-service) \S+ -s \w+"
        rf"|(?:TCP|UDP|SCTP)[ \t]+\S+:\d{{1,5}}[ \t]+(?:{_SCHEDULERS})\b",
        tells="IPVS servers",
    ),
    "table names": EvidenceKind(
        "/proc/net/ip_tables_names",
        begins=r"(?:(?:filter|nat|mangle|raw|security)\r?\n)+\Z",
        name=r"(?:^|/)ip6?_tables_names$",
        tells="names of tables",
    ),
    "pods": EvidenceKind(
        "kubectl get pods -o wide",
        r"(?:NAMESPACE[ \t]+)?NAME[ \t]+READY[ \t]+STATUS[ \t]+RESTARTS[ \t]+AGE[ \t]+IP[ \t]+NODE\b",
        r'\s*\{\s*"apiVersion":\s*"v1",\s*(?:"items":\s*\[\s*\{\s*"apiVersion":\s*"v1",\s*"kind":\s*"Pod"'
        r'|"kind":\s*"PodList")'
        r"|apiVersion: v1\r?\nitems:\r?\n- apiVersion: v1\r?\n  kind: Pod\r?\n",
        tells="pod names of endpoints",
    ),
    "iptables-xml": EvidenceKind("iptables-xml", begins=r"\s*(?:<[?!][^>]*>\s*)*<iptables-rules\b"),
    "kubeskoop": EvidenceKind("a kubeskoop report", begins=r'\s*\{[^\0]*?"it":\s*"'),
}
"""By its name, each kind; the first whose content fits."""

_ORDER = tuple(KINDS)


def _any_of(patterns: Iterable[str], before: str = "") -> re.Pattern[bytes]:
    """Return a pattern of all that are not empty, each in a group with the number of its kind."""
    groups = (f"(?P<k{number}>{pattern})" for number, pattern in enumerate(patterns) if pattern)
    return re.compile(f"{before}(?:{'|'.join(groups)})".encode())


# One search for all kinds: a bundle has thousands of files. A line is found fastest by the line end before it.
_LINES = _any_of((kind.lines for kind in KINDS.values()), r"\n")
_BEGINS = _any_of(kind.begins for kind in KINDS.values())
_NAMES = {name: re.compile(kind.name) for name, kind in KINDS.items() if kind.name}
_MEANT = {name: re.compile(kind.meant) for name, kind in KINDS.items() if kind.meant}
_PARTIAL = {name: re.compile(kind.partial) for name, kind in KINDS.items() if kind.partial}
_FILTERED = re.compile(r"^(?:sudo )?(?:grep|head)\b|\|[ \t]*(?!cat\b|less\b|more\b|tee\b)\w")


def kind_of(text: bytes, path: str = "") -> str | None:
    """Return the kind of evidence that a text is, None where it is none; `path` is a hint."""
    for name, pattern in _NAMES.items():
        if pattern.search(path):
            return name
    head = text[:HEAD]
    begun = _BEGINS.match(head)
    found = [begun] if begun else _LINES.finditer(b"\n" + head)
    numbers = [int((match.lastgroup or "")[1:]) for match in found]
    if numbers:
        return _ORDER[min(numbers)]
    if len(text) >= HEAD:
        return None
    return next((name for name, pattern in _MEANT.items() if pattern.search(path)), None)


def is_filtered(command: str) -> bool:
    """Whether a command chooses lines of what another one prints."""
    return _FILTERED.search(command) is not None


def is_partial(kind: str, command: str) -> bool:
    """Whether a command prints only a part of what it is asked about: one device, one table, what grep left."""
    if is_filtered(command):
        return True
    pattern = _PARTIAL.get(kind)
    if pattern is not None:
        return pattern.search(command) is not None
    return kind in _OF_IP and bool(selected(command)) and not (kind == "routes" and table_of(command))


_OF_IP = {"addresses", "routes", "rules"}
_IP = re.compile(r"\bip[46]?\b([^|>;&]*)")
_VERBS = {"s", "sh", "sho", "show", "l", "li", "lis", "list", "ls", "lst"}


def selected(command: str) -> list[str]:
    """Return what `ip` is to select by, in words: `ip -4 addr show dev eth0` -> dev, eth0."""
    found = _IP.search(command)
    words = [word for word in found[1].split() if word[0] != "-" and word not in {"4", "6"}] if found else []
    rest = words[1:]
    return rest[1:] if rest and rest[0] in _VERBS else rest


def table_of(command: str) -> str:
    """Return the routing table that `ip route` is asked for, where nothing else is selected; else nothing."""
    word, *named = selected(command) or [""]
    return named[0] if word and "table".startswith(word) and len(named) == 1 else ""
