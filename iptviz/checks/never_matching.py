"""Rules that never match, as they ask for what the only way into their chain has excluded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.intake.text import to_bytes, to_text
from iptviz.kube.families import ENDPOINT_CHAIN, KERNEL, KUBE_PROXY, PEOPLE, family_of
from iptviz.records import NamedTuple
from iptviz.rules.excluding import excludes
from iptviz.rules.form import Test
from iptviz.rules.iptables import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table


def check(node: Examined) -> Iterator[Finding]:
    """Yield rules that never match."""
    for table in node.dump.tables.values():
        yield from _contradictions(table, complete=node.dump.complete)


_WORDS = re.compile(rb" (! )?(-[sdpio]|--(?:[sd]port|(?:ct)?state)) (\S+)")
_NEVER_HAS = {"OUTPUT": "in-interface", "INPUT": "out-interface", "PREROUTING": "out-interface"}
"""What packets do not have yet, or never had, in a built-in chain."""

_INTERFACES = {b"OUTPUT": b"-i", b"INPUT": b"-o", b"PREROUTING": b"-o"}
"""The options that ask for it."""

_FARTHEST = 8
_ENDPOINTS = to_bytes(ENDPOINT_CHAIN)


class _WayIn(NamedTuple):
    """The only way into a chain: its rules from the last one back, and the built-in chain that it begins in."""

    rules: tuple[Rule, ...]
    hook: str


def _contradictions(table: Table, *, complete: bool) -> Iterator[Finding]:
    """Yield for each chain its rules that exclude what the only way into the chain has required."""
    ways, changing = _WaysIn(table), _CHANGING.get(table.name, "")
    for chain, run in table.each_run():
        if chain.startswith(_ENDPOINTS) or not (words := ways.words(chain)):
            continue
        suspects = list(_suspects(table, run, words))
        if not suspects or _is_generated(to_text(chain), table):
            continue
        excluded = [
            (rule, why)
            for rule in suspects
            if (why := _excluding(rule, ways.into(chain), changing)) is not None
        ]
        if excluded:
            rule, (test, other, by) = excluded[0]
            rules = [*filter(None, [by]), *(one for one, _ in excluded)]
            yield found(rule_contradiction, rules, line=rule.line, complete=complete, chain=rule.chain,
                state="whole" if complete else "lacking", wanted=test.part, before=other, count=len(excluded),
            )._replace(times=len(excluded))  # fmt: skip


def _is_generated(chain: str, table: Table) -> bool:
    """Whether a program writes the chain that knows its rules in one shape, needed or not; Docker is one.

    What may be wrong with the protocol of an endpoint's chain is a finding of its own.
    """
    family = family_of(chain, table.name)
    return family is not None and family.writer not in {KERNEL, PEOPLE, KUBE_PROXY}


class _WaysIn:
    """The only ways into the chains of a table, where a chain has one alone."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def words(self, chain: bytes) -> dict[bytes, set[bytes]]:
        """Return what the rules of the way in ask for, by the text: which option, and with which words."""
        words: dict[bytes, set[bytes]] = {}
        if self._table.calls.only_jump(chain) is None:
            return words
        data = self._table.data
        for _ in range(_FARTHEST):
            at = self._table.calls.only_jump(chain)
            if at is None:
                words.setdefault(_INTERFACES.get(chain, b""), set())
                break
            line = data.rfind(b"\n", 0, at) + 1
            for negation, option, value in _WORDS.findall(data, line, self._table.lines.end(at)):
                words.setdefault(option, set()).add(negation + value)
            chain = data[line:at].partition(b"-A ")[2].partition(b" ")[0]
        return words

    def into(self, chain: bytes) -> _WayIn:
        """Return the only way into a chain."""
        rules: list[Rule] = []
        for _ in range(_FARTHEST):
            at = self._table.calls.only_jump(chain)
            rule = None if at is None else self._table.rule_at(at)
            if rule is None or rule.jump != to_text(chain):
                break
            rules.append(rule)
            chain = to_bytes(rule.chain)
        return _WayIn(tuple(rules), to_text(chain))


def _suspects(table: Table, run: tuple[int, int], words: dict[bytes, set[bytes]]) -> Iterator[Rule]:
    """Yield the rules of a run that ask something else of what the way in has asked about."""
    last = -1
    for word in _WORDS.finditer(table.data, *run):
        if word[2] in words and (word[1] or b"") + word[3] not in words[word[2]] and word.start() >= last:
            last = table.lines.end(word.start())
            yield table.rule_at(word.start())


_CHANGING = {"raw": "state"}
"""The kind of test, by table, that may come out otherwise further on: raw ends the tracking of connections."""


def _excluding(rule: Rule, way: _WayIn, changing: str) -> tuple[Test, str, Rule | None] | None:
    """Return the test of a rule that no packet passes which came that way, and what had required otherwise."""
    for test in compiled(rule).tests:
        if test.kind == changing:
            continue
        for before in way.rules:
            for other in compiled(before).tests:
                if excludes(test, other):
                    return test, f"requires {other.part}", before
        if way.rules and test.kind == _NEVER_HAS.get(way.hook) and excludes(test, Test(test.kind, "")):
            return test, f"begins in {way.hook}", None
    return None


@diagnosis({"whole": "low", "lacking": "info"}, absence=True)
def rule_contradiction(*, chain: str, wanted: str, before: str, count: int) -> str:
    """A rule matches what the only path to its chain has excluded.

    Why: It never matches. An address, a port or an interface in it is wrong, or was replaced by hand.

    Do: Compare the rule with the one that leads to its chain; if the dump was edited, take a fresh one.
    """
    rules = "1 more rule" if count == 2 else f"{count - 1:,} more rules"
    more = f", nor {'does' if count == 2 else 'do'} {rules} there" if count > 1 else ""
    return f"{wanted} in {chain} never matches{more}: the only path there {before}"
