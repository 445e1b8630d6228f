"""Texts that are no dump, as people hand them over by mistake: what they are, and what to bring instead."""

from __future__ import annotations

import re

from iptviz.errors import NothingError
from iptviz.records import NamedTuple

_SAVE = "run iptables-save as root on the node"
_OF_DIFF = "pass one of the two dumps, or their diff -u"


class _Foreign(NamedTuple):
    """A kind of text: how its lines begin, what it is, and what to bring instead."""

    lines: str
    what: str
    instead: str = _SAVE


_IP = r"\d{1,3}(?:\.\d{1,3}){3}"
_KINDS = (
    _Foreign(
        r"table (?:ip6?|inet|bridge|arp|netdev) \S+ \{",
        '"nft list ruleset" output, which only iptviz packet reads',
        "run iptables-save (iptables-nft-save) instead",
    ),
    _Foreign(
        r"[^\n]{0,200}?\btrace id [0-9a-f]{8} \S", 'the output of "nft monitor trace": the path of one packet'
    ),
    _Foreign(
        r"[^\n]{0,200}?\bTRACE: \d+ [0-9a-f]{8} ",
        'the output of "xtables-monitor --trace": the path of one packet',
    ),
    _Foreign(r"[^\n]{0,200}?\bEVENT: (?:-[46] )?-t \S", 'the output of "xtables-monitor": changes of rules'),
    _Foreign(
        r"[^\n]{0,200}?\bTRACE: (?:filter|nat|mangle|raw|security):",
        "the kernel's log of TRACE: the path of one packet",
    ),
    _Foreign(r"@@@ -\d", "a combined diff, of more than two files", _OF_DIFF),
    _Foreign(r"-A [^\t\n]{1,400}\t[ \t]*(?:[|<>]\t[ \t]*)?-A ", "a diff side by side (diff -y)", _OF_DIFF),
    _Foreign(r"Bridge (?:table|chain): ", "the output of ebtables, which filters frames of bridges"),
    _Foreign(r"(?:Status: (?:in)?active\s*$|To +Action +From\s*$)", 'the output of "ufw status", a summary'),
    _Foreign(
        r"\S+ \((?:active|default)[^)\n]{0,60}\)\s*\n  target: ",
        'the output of "firewall-cmd --list-all", a summary',
    ),
    _Foreign(
        rf"(?:Proto Recv-Q|Netid +State|State +Recv-Q|(?:tcp|udp)6? +\d+ +\d+ +{_IP}:)",
        "a list of sockets (ss, netstat)",
    ),
    _Foreign(
        r"(?:NAMESPACE +)?NAME +(?:TYPE +CLUSTER-IP|ENDPOINTS +AGE|READY +STATUS|ADDRESSTYPE)",
        "the output of kubectl get: Kubernetes API objects, not the rules of a node",
    ),
    _Foreign(
        r"(?:pass|block) (?:in|out|drop|return)\b",
        "rules of pf, not iptables",
        "run it on the Linux node",
    ),
    _Foreign(
        r"ipfw |\d{5} (?:allow|deny|count) ",
        "rules of ipfw, not iptables",
        "run it on the Linux node",
    ),
    _Foreign(r"Rule Name: ", "rules of Windows' firewall, not iptables", "run it on the Linux node"),
    _Foreign(
        r"(?:[\w./-]{1,40}: (?:line \d{1,6}: )?)?ip6?tables[\w-]{0,12}: (?:command )?not found",
        "a shell error: iptables is not installed",
    ),
    _Foreign(
        r"[^\n]{0,200}?ip6?tables[^\n]{0,120}(?:Permission denied|you must be root)",
        "the error of an iptables that did not run as root",
    ),
    _Foreign(
        r"Total Number of Rules: 0\s*$",
        "a listing without any chain: the command failed (not run as root?)",
    ),
    _Foreign(
        r'[\s{]{0,100}"(?:kind|apiVersion)": ?"(?:\w*List|Service|Pod|Node|Endpoints|EndpointSlice|v1|discovery)',
        "Kubernetes API objects, not the rules of a node",
        f"{_SAVE}; iptviz verify DUMP FILE compares both",
    ),
)
_PATTERNS = tuple((re.compile(b"^" + kind.lines.encode(), re.MULTILINE), kind) for kind in _KINDS)
_LOOKED_AT = 1 << 20


def foreign_error(raw: bytes, source: str) -> NothingError | None:
    """Return the error for a text that is of another known kind, None where nothing tells its kind."""
    head = raw[:_LOOKED_AT]
    for pattern, kind in _PATTERNS:
        if found := pattern.search(head):
            line = head.count(b"\n", 0, found.start()) + 1
            return NothingError(f"this is {kind.what}", where=f"{source}:{line}", hint=kind.instead)
    return None
