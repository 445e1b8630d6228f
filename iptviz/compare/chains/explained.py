"""Rules that a differing service port explains: those of its chains and addresses, as kube-proxy writes them.

Source: writeServiceToEndpointRules and syncProxyRules in pkg/proxy/iptables/proxier.go.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from iptviz.intake.text import to_text
from iptviz.kube.families import DISPATCHERS, ENDPOINT_CHAIN, HASHED_CHAINS, MARK_MASQUERADE, names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.compare.chains.forms import Explained
    from iptviz.dump.table import Table

_COMMENT = r'(?: -m comment --comment (?:"(?:[^"\\]|\\.)*+"|\S++))?'
_PORT = r"(?: -m (?:tcp|udp|sctp) --dport \d++)?"
_PROTOCOL = r" -p (?:tcp|udp|sctp)"
_RECENT = r"(?: -m recent [^\n]{1,200}?)?"
_HASHED = "|".join(map(re.escape, HASHED_CHAINS))
_FORMS = {
    "service": rf"(?: (?:! )?-s \S++)?(?: -d \S++)?(?: (?:! )?-i \S++)?(?:{_PROTOCOL})?{_COMMENT}{_PORT}"
    rf"(?: -m physdev ! --physdev-is-in)?(?: -m addrtype (?:! )?--(?:src|dst)-type LOCAL)?{_COMMENT}"
    rf" -j (?:KUBE-MARK-(?:MASQ|DROP)|(?:{_HASHED})\S++|DROP)",
    "way": rf"{_COMMENT}(?: -m statistic --mode random --probability \S++)?{_RECENT}{_COMMENT}"
    rf"(?: -m statistic --mode random --probability \S++)? -j {ENDPOINT_CHAIN}\S++",
    "endpoint": rf"(?: -s \S++{_COMMENT} -j KUBE-MARK-MASQ"
    rf"|{_PROTOCOL}{_COMMENT}{_RECENT} -m (?:tcp|udp|sctp) -j DNAT --to-destination \S++)",
    "refusal": rf"(?: -d \S++)?(?:{_PROTOCOL})?{_COMMENT}(?: -m addrtype --dst-type LOCAL)?{_PORT}"
    rf"(?: -m addrtype --dst-type LOCAL)?{_COMMENT} -j (?:REJECT --reject-with \S++|DROP|ACCEPT)",
}
_WRITTEN = {
    "hashed": re.compile(rf"-A \S++(?:{_FORMS['service']}|{_FORMS['way']}|{_COMMENT})"),
    "endpoint": re.compile(rf"-A \S++{_FORMS['endpoint']}"),
    "dispatching": re.compile(rf"-A \S++(?:{_FORMS['service']}|{_FORMS['refusal']})"),
}
_WAY = re.compile(rf"-A \S++{_FORMS['way']}")
_HEALTH_CHECKS = names("health checks", table="filter")
_HAIRPIN = f" -j {MARK_MASQUERADE}"
_STATISTIC = re.compile(r" -m statistic --mode random --probability \S++")
_CHOSEN = re.compile(rb" -j (%b\S++)" % ENDPOINT_CHAIN.encode())
_JUMP = re.compile(rf" -j (?:{_HASHED})(\S++)")
_TEXT = re.compile(r'--comment (?:"((?:[^"\\]|\\.)*+)"|(\S++))')


class Explaining:
    """Tells which rules of one table are of service ports that differ."""

    def __init__(self, explained: Explained, table: str, sides: Iterable[Table | None]) -> None:
        self._explained = explained
        self._dispatchers = {*DISPATCHERS.get(table, ()), *(_HEALTH_CHECKS if table == "filter" else ())}
        chosen = [set(self._chosen(side)) if side is not None else set() for side in sides]
        self._endpoints = set().union(*chosen)
        self._staying = set.intersection(*chosen)

    def _chosen(self, table: Table) -> Iterator[str]:
        """Yield the chains of endpoints that chains of differing service ports lead to."""
        for suffix in self._explained.suffixes:
            for begin in HASHED_CHAINS:
                for run in table.runs_of(begin + suffix):
                    yield from (name.decode() for name in _CHOSEN.findall(table.data, *run))

    def own_lines(self, chain: str, old: bytes, new: bytes) -> int | None:
        """Return how many lines differ of a chain of a differing service port; None for another chain.

        None as well where not all of its lines are written as kube-proxy writes them.
        """
        form = self._form(chain)
        if form not in {"hashed", "endpoint"}:
            return None
        texts = [to_text(lines).splitlines() for lines in (old, new)]
        if not all(_WRITTEN[form].fullmatch(text) for lines in texts for text in lines):
            return None
        before, after = map(Counter, texts)
        differing = (before - after) + (after - before)
        return None if any(self._is_hairpin(chain, text) for text in differing) else differing.total()

    def is_only_order(self, chain: str, old: bytes, new: bytes) -> bool:
        """Whether a chain of a service port that does not differ leads to the same endpoints in another order.

        That port has been compared, and each endpoint's share with it. What the chain does before it leads to
        them, such as to mark what is to be masqueraded, is to stand where it stood.
        """
        if not self._explained.compared or self._form(chain) or not chain.startswith(HASHED_CHAINS):
            return False
        texts = [to_text(lines).splitlines() for lines in (old, new)]
        if not all(map(_WRITTEN["hashed"].fullmatch, (*texts[0], *texts[1]))):
            return False
        ways = [sorted(_STATISTIC.sub("", text) for text in lines) for lines in texts]
        return ways[0] == ways[1] and list(map(_role, texts[0])) == list(map(_role, texts[1]))

    def _is_hairpin(self, chain: str, text: str) -> bool:
        """Whether it is the rule of an endpoint that reaches itself, there on both sides: no form tells of it."""
        return chain in self._staying and text.endswith(_HAIRPIN)

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
        if not form or _WRITTEN[form].fullmatch(text) is None or self._is_hairpin(chain, text):
            return False
        return form != "dispatching" or line in lines or self._is_about_one(text)

    def _is_about_one(self, text: str) -> bool:
        """Whether a dispatching rule leads to a differing service port, or its comment names one."""
        jump, comment = _JUMP.search(text), _TEXT.search(text)
        if jump and jump[1] in self._explained.suffixes:
            return True
        words = (comment[1] or comment[2] or "").split() if comment else []
        return any(word.rstrip(":") in self._explained.names for word in words)


def _role(text: str) -> str:
    """Return what a rule is for among those of its chain: the same for all that lead to an endpoint alike."""
    if not _WAY.fullmatch(text):
        return text
    return "affinity" if " -m recent " in text else "endpoint"
