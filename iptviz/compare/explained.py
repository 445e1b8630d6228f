"""Rules that a differing service port explains: those of its chains and addresses, as kube-proxy writes them.

Source: writeServiceToEndpointRules and syncProxyRules in pkg/proxy/iptables/proxier.go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.kube.families import DISPATCHERS, ENDPOINT_CHAIN, HASHED_CHAINS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.compare.chain_forms import Explained
    from iptviz.dump.table import Table

_COMMENT = r'(?: -m comment --comment (?:"(?:[^"\\]|\\.)*+"|\S++))?'
_PORT = r"(?: -m (?:tcp|udp|sctp) --dport \d++)?"
_PROTOCOL = r" -p (?:tcp|udp|sctp)"
_RECENT = r"(?: -m recent [^\n]{1,200}?)?"
_HASHED = "|".join(map(re.escape, HASHED_CHAINS))
_FORMS = {
    "service": rf"(?: (?:! )?-s \S++)?(?: -d \S++)?(?:{_PROTOCOL})?{_COMMENT}{_PORT}"
    rf"(?: -m addrtype --(?:src|dst)-type LOCAL)?{_COMMENT}"
    rf" -j (?:KUBE-MARK-(?:MASQ|DROP)|(?:{_HASHED})\S++|DROP)",
    "way": rf"{_COMMENT}(?: -m statistic --mode random --probability \S++)?{_RECENT}{_COMMENT}"
    rf"(?: -m statistic --mode random --probability \S++)? -j {ENDPOINT_CHAIN}\S++",
    "endpoint": rf"(?: -s \S++{_COMMENT} -j KUBE-MARK-MASQ"
    rf"|{_PROTOCOL}{_COMMENT}{_RECENT} -m (?:tcp|udp|sctp) -j DNAT --to-destination \S++)",
    "refusal": rf"(?: -d \S++)?(?:{_PROTOCOL})?{_COMMENT}(?: -m addrtype --dst-type LOCAL)?{_PORT}"
    rf"(?: -m addrtype --dst-type LOCAL)?{_COMMENT} -j (?:REJECT --reject-with \S++|DROP|ACCEPT)",
}
_WRITTEN = {
    "hashed": re.compile(rf"-A \S++(?:{_FORMS['service']}|{_FORMS['way']})"),
    "endpoint": re.compile(rf"-A \S++{_FORMS['endpoint']}"),
    "dispatching": re.compile(rf"-A \S++(?:{_FORMS['service']}|{_FORMS['refusal']})"),
}
_CHOSEN = re.compile(rb" -j (%b\S++)" % ENDPOINT_CHAIN.encode())
_JUMP = re.compile(rf" -j (?:{_HASHED})(\S++)")
_TEXT = re.compile(r'--comment (?:"((?:[^"\\]|\\.)*+)"|(\S++))')


class Explaining:
    """Tells which rules of one table are of service ports that differ."""

    def __init__(self, explained: Explained, table: str, sides: Iterable[Table | None]) -> None:
        self._explained = explained
        self._dispatchers = frozenset(DISPATCHERS.get(table, ()))
        self._endpoints = frozenset(
            chosen for side in sides if side is not None for chosen in self._chosen(side)
        )

    def _chosen(self, table: Table) -> Iterable[str]:
        """Yield the chains of endpoints that chains of differing service ports lead to."""
        for suffix in self._explained.suffixes:
            for begin in HASHED_CHAINS:
                for run in table.runs_of(begin + suffix):
                    yield from (name.decode() for name in _CHOSEN.findall(table.data, *run))

    def is_own(self, chain: str) -> bool:
        """Whether a chain is one of a differing service port."""
        return self._form(chain) in {"hashed", "endpoint"}

    def _form(self, chain: str) -> str:
        begin = next((name for name in HASHED_CHAINS if chain.startswith(name)), None)
        if begin and chain[len(begin) :] in self._explained.suffixes:
            return "hashed"
        if chain in self._endpoints:
            return "endpoint"
        return "dispatching" if chain in self._dispatchers else ""

    def explains(self, chain: str, text: str, line: int, lines: frozenset[int]) -> bool:
        """Whether a rule is one of a differing service port, of which `lines` are some."""
        form = self._form(chain)
        if not form or _WRITTEN[form].fullmatch(text) is None:
            return False
        return form != "dispatching" or line in lines or self._is_about_one(text)

    def _is_about_one(self, text: str) -> bool:
        """Whether a dispatching rule leads to a differing service port, or its comment names one."""
        jump, comment = _JUMP.search(text), _TEXT.search(text)
        if jump and jump[1] in self._explained.suffixes:
            return True
        words = (comment[1] or comment[2] or "").split() if comment else []
        return any(word.rstrip(":") in self._explained.names for word in words)
