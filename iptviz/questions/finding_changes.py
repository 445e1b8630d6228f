"""Which findings of `check` are new, which are gone: those that are no longer the same are told apart by meaning.

A finding is the same where only its line, a counter, the spelling of a rule or the backend differs.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from iptviz.checks.finding import CERTAIN
from iptviz.checks.registry import catalogue
from iptviz.questions.baseline import known_by
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from iptviz.checks.finding import Finding

    Key = Callable[[Finding], Hashable]
    _Matched = tuple[list[Finding], list[Finding], list[tuple[Finding, Finding]]]

_OF_THE_FILE = ("reading", "unprinted", "backends")
"""Catalogues that tell what a file shows of a node, which another file of the same node may show."""


class FindingChanges(NamedTuple):
    """Findings of the new side alone, of the old alone, and those of one cause that now say something else.

    `open` counts those of which a side that does not show all its rules does not tell whether it has them.
    """

    new: tuple[Finding, ...] = ()
    gone: tuple[Finding, ...] = ()
    changed: tuple[tuple[Finding, Finding], ...] = ()
    open: int = 0

    def where_shown(self, *, old_hides: bool, new_hides: bool) -> FindingChanges:
        """Return what is sure where a side hides rules: it may have what it seems to lack."""
        if not (old_hides or new_hides):
            return self
        new = () if old_hides else _certain(self.new)
        gone = () if new_hides else _certain(self.gone)
        left = len(self.new) - len(new) + len(self.gone) - len(gone) + len(self.changed)
        return FindingChanges(new, gone, open=left)


def _certain(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(one for one in findings if one.certainty == CERTAIN)


def finding_changes(old: Iterable[Finding], new: Iterable[Finding], family: str) -> FindingChanges:
    """Return what differs between the findings of two dumps of a family."""
    ignored = _of_the_file()
    before, after = (
        [one for one in found if one.id not in ignored and not _counts(one)] for found in (old, new)
    )
    spelt = _canonical(family)
    for key in (known_by, lambda finding: tuple(sorted(known_by(finding, spelt)))):
        before, after, _ = _matched(before, after, key)
    before, after, pairs = _matched(before, after, _cause)
    before, after, more = _matched_with_several(before, after)
    return FindingChanges(tuple(after), tuple(before), (*pairs, *more))


def _counts(finding: Finding) -> bool:
    """Whether it is found by counters alone, which a dump may have or not."""
    return bool(dict(finding.values).get("packets"))


@cache
def _of_the_file() -> frozenset[str]:
    return frozenset(what for name in _OF_THE_FILE for what in catalogue(name).diagnoses)


def _cause(finding: Finding) -> Hashable:
    return finding.id, finding.severity, finding.service


def _matched_with_several(old: list[Finding], new: list[Finding]) -> _Matched:
    """Match what is found of several services at once with what is found of one that is left or came first."""
    several, single = _split(old)
    several, new, fewer = _matched(several, new, _kind)
    joined, new = _split(new)
    single, joined, more = _matched(single, joined, _kind)
    return [*several, *single], [*new, *joined], [*fewer, *more]


def _split(findings: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Return the findings that are about no one service, and those that are about one."""
    return [one for one in findings if not one.service], [one for one in findings if one.service]


def _kind(finding: Finding) -> Hashable:
    return finding.id, finding.severity


def _matched(old: list[Finding], new: list[Finding], key: Key) -> _Matched:
    """Return what has no match on the other side, and the matches, each finding in one of them at most."""
    waiting: dict[Hashable, list[Finding]] = {}
    for finding in old:
        waiting.setdefault(key(finding), []).append(finding)
    pairs, left = [], []
    for finding in new:
        same = waiting.get(key(finding))
        if same:
            pairs.append((same.pop(0), finding))
        else:
            left.append(finding)
    lone = {id(finding) for rest in waiting.values() for finding in rest}
    return [finding for finding in old if id(finding) in lone], left, pairs


_RULE = re.compile(r"-A \S.*")


def _canonical(family: str) -> Callable[[str], str]:
    """Return what spells the rules in a text as iptables-save does."""
    from iptviz.dump.single import parse_rule
    from iptviz.errors import DumpError

    @cache
    def spelt(text: str) -> str:
        try:
            return parse_rule(text, family).canonical("legacy") if _RULE.fullmatch(text) else text
        except DumpError:
            return text

    return spelt
