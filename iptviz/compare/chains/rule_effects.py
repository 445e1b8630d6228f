"""What a rule may do beside letting a packet by: end the walk, write what others read, count.

Sources for what targets write: the kernel's net/netfilter/xt_*.c, and net/ipv4/netfilter for those of IPv4.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from iptviz.intake.text import to_text
from iptviz.records import NamedTuple
from iptviz.rules.form import GOTO, JUMP, NOTHING, RETURN, TARGET
from iptviz.rules.iptables import rule_table
from iptviz.xtables.targets import target_spec
from iptviz.xtables.values.numbers import ALL_BITS, Masked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iptviz.dump.table import Table
    from iptviz.rules.form import Action, CompiledRule, Test
    from iptviz.rules.operands import ConnectionMark, SetChange

Names = frozenset[str]
ALL, SEEN = "*", "seen"
"""Every field; what somebody outside sees of a packet, such as a line of a log."""


class Doing(NamedTuple):
    """What rules may do: whether they may end the walk through their chain; the fields that they write and read.

    `sets` and `asks` are bits of the packet's mark. `counts`: they count packets, or change a list by them, so
    that it matters which come to them.
    """

    ends: bool = False
    writes: Names = frozenset()
    reads: Names = frozenset()
    sets: int = 0
    asks: int = 0
    counts: bool = False

    def and_also(self, other: Doing) -> Doing:
        """Return what rules may do of which some do this and some the other."""
        return Doing(
            self.ends or other.ends,
            self.writes | other.writes,
            self.reads | other.reads,
            self.sets | other.sets,
            self.asks | other.asks,
            self.counts or other.counts,
        )

    @property
    def acts(self) -> bool:
        """Whether anything is done to a packet, or noted of it."""
        return bool(self.ends or self.writes or self.sets or self.counts)

    def disturbs(self, other: Doing) -> bool:
        """Whether this writes what the other reads."""
        if self.sets & other.asks or self.writes & other.reads:
            return True
        if ALL in self.writes:
            return bool(other.reads or other.asks)
        return ALL in other.reads and bool(self.sets or self.writes - {SEEN})

    def touches(self, kind: str) -> bool:
        """Whether this may change the answer to a test of a kind."""
        if kind == "mark":
            return bool(self.sets)
        reads = _READ_AS.get(kind, frozenset((kind,)))
        return (
            ALL in self.writes
            or bool(self.writes & reads)
            or (ALL in reads and bool(self.writes or self.sets))
        )

    def overwrites(self, other: Doing) -> bool:
        """Whether both write the same."""
        shared = (self.writes & other.writes) - {SEEN}
        return bool(self.sets & other.sets or shared or ALL in self.writes | other.writes)


ANYTHING = Doing(
    ends=True, writes=frozenset((ALL,)), reads=frozenset((ALL,)), sets=ALL_BITS, asks=ALL_BITS, counts=True
)
"""What is not known may do anything."""
PASSING = Doing()


# --- tests -----------------------------------------------------------------------------------------------------

_COUNTING = {"turn", "rate", "quota", "count", "match"}
_READS = (
    ("match bytes as-printed unprinted-port unprinted-node-port unprinted-mark unprinted-chance", ALL),
    ("state status direction tuple tracked tracked-protocol", "tracking"),
    ("source source-range source-type", "source"),
    ("destination destination-range destination-type", "destination"),
    ("recent recent-set", "recent source destination ttl"),
    ("set", "set source destination"),
    ("type-on-interface", "source destination"),
    ("connmark", "connmark tracking"),
    ("chance merged", ""),
    ("both-ports", "source-port destination-port"),
)
_READ_AS: dict[str, Names] = {
    kind: frozenset(fields.split()) for kinds, fields in _READS for kind in kinds.split()
}
"""Fields that kinds of tests read; others read a field of their own name."""
_SHARED: dict[str, Names] = {
    **dict.fromkeys(("recent", "recent-set"), frozenset(("recent",))),
    "rate": frozenset(("rate",)),
    "match": frozenset(("unknown",)),
}
"""What counting changes that tests of other rules may read: of hashlimit they share what has one name."""


def counts(test: Test) -> bool:
    """Whether it matters which packets come to a test; one that nothing here understands may be such."""
    if test.kind in {"recent", "recent-set"}:
        return test.operand is None or test.operand.asking != "rcheck"
    return test.kind in _COUNTING


def of_tests(tests: Iterable[Test]) -> Doing:
    """Return what tests do: they read, and some count."""
    found = PASSING
    for test in tests:
        if test.kind == "mark":
            one = Doing(asks=test.operand.mask | test.operand.value)
        else:
            reads = _READ_AS.get(test.kind, frozenset((test.kind,)))
            writes = _SHARED.get(test.kind, frozenset()) if counts(test) else frozenset()
            one = Doing(reads=reads, writes=writes, counts=counts(test))
        found = found.and_also(one)
    return found


# --- targets ---------------------------------------------------------------------------------------------------


def _writes(*fields: str) -> Doing:
    return Doing(writes=frozenset(fields))


_LOGS = Doing(writes=frozenset((SEEN,)), reads=frozenset((ALL,)), asks=ALL_BITS)
_WRITING: dict[str, Doing] = {
    **dict.fromkeys(("LOG", "NFLOG", "ULOG", "AUDIT", "TRACE", "TEE"), _LOGS),
    **dict.fromkeys(("IDLETIMER", "LED", "RATEEST"), _writes(SEEN)),
    **dict.fromkeys(("CT", "NOTRACK"), Doing(writes=frozenset(("tracking",)), reads=frozenset(("tracking",)))),
    **dict.fromkeys(("TTL", "HL"), _writes("ttl")),
    **dict.fromkeys(("DSCP", "TOS"), _writes("tos")),
    **dict.fromkeys(("CONNSECMARK", "SECMARK"), _writes("security")),
    "ECN": _writes("tos", "tcp-options"),
    "TCPMSS": _writes("tcp-options", "length"),
    "TCPOPTSTRIP": _writes("tcp-options"),
    "CHECKSUM": _writes("checksum"),
    "CLASSIFY": _writes("priority"),
    "SNPT": _writes("source"),
    "DNPT": _writes("destination"),
    "HMARK": Doing(reads=frozenset((ALL,)), sets=ALL_BITS),
}  # fmt: skip
"""What targets do that let the next rule be asked."""

OF_THE_PACKET = frozenset(("tos", "ttl", "length", "tcp-options", "checksum", "priority", "tracking"))
"""Fields that a dropped packet takes along."""


def of_action(action: Action) -> Doing | None:
    """Return what an action may do to a packet, None for a jump: that depends on the chain."""
    if action.kind in {JUMP, GOTO}:
        return None
    if action.kind == NOTHING:
        return PASSING
    if action.kind == RETURN:
        return Doing(ends=True)
    if action.kind != TARGET or not action.known:
        return ANYTHING
    return of_target(action.name, action.operand)


def of_target(name: str, operand: Any) -> Doing:
    """Return what a known target may do; None as operand: with any options."""
    if name in _SETTING:
        return _SETTING[name](operand)
    if name in _WRITING:
        return _WRITING[name]
    spec = target_spec(name)
    return ANYTHING if spec is None or spec.continues else Doing(ends=True)


def _mark(operand: Masked | None) -> Doing:
    return Doing(sets=ALL_BITS if operand is None else operand.mask | operand.value)


def _connmark(operand: ConnectionMark | None) -> Doing:
    of_connection = frozenset(("connmark", "tracking"))
    restored = Doing(sets=ALL_BITS, reads=of_connection, asks=ALL_BITS)
    if operand is not None and operand.way == "restore":
        return restored if operand.shift else restored._replace(sets=operand.nfmask | operand.ctmask)
    saved = Doing(writes=frozenset(("connmark",)), reads=of_connection, asks=ALL_BITS)
    return saved if operand is not None else saved.and_also(restored)


def _set(operand: SetChange | None) -> Doing:
    found = Doing(writes=frozenset(("set",)), reads=frozenset(("source", "destination")))
    marks = operand is None or operand.marks
    return found._replace(sets=ALL_BITS, writes=found.writes | {"priority"}) if marks else found


_SETTING: dict[str, Callable[[Any], Doing]] = {"MARK": _mark, "CONNMARK": _connmark, "SET": _set}


# --- chains ----------------------------------------------------------------------------------------------------

_TARGET = re.compile(rb" -(?:[jg] ?|-(?:jump|goto)[ =])\"?([^\s\"]++)")
_MOST_RULES = 2_000
"""Chains are looked into as far as they have no more rules together."""


class ChainDoings:
    """What the chains of a table may do; what is not looked into does no more than any rule of the table."""

    def __init__(self, table: Table | None) -> None:
        self._table = table
        self._known: dict[str, Doing] = {}

    @cached_property
    def most(self) -> Doing:
        """What any rule of the table may do."""
        if self._table is None:
            return ANYTHING
        table = self._table
        found = ANYTHING._replace(writes=frozenset(), sets=0)
        # Rules in bulk choose endpoints, DNAT, and lead to the chain that marks.
        words = {word for span in table.rest() for word in _TARGET.findall(table.data, *span)}
        for name in map(to_text, words):
            if not table.has_chain(name):
                found = found.and_also(of_target(name, None))
        return found

    def of(self, rule: CompiledRule) -> Doing:
        """Return what a rule may do with packets that match."""
        known = of_action(rule.action)
        if known is not None:
            return known
        called = self._of_chain(rule.action.name)
        return called._replace(ends=True) if rule.goto else called

    def _of_chain(self, name: str) -> Doing:
        if name not in self._known:
            found = self._explored(name)
            self._known[name] = self.most if found is None else found
        return self._known[name]

    def _explored(self, name: str) -> Doing | None:
        """Return what a chain and those that it leads to may do; None where they are too many, or not shown."""
        if self._table is None:
            return None
        table, found, seen, left = rule_table(self._table), PASSING, {name}, [name]
        budget = _MOST_RULES
        while left:
            chain = left.pop()
            rules = table.rules_of(chain)
            budget -= len(rules)
            if budget < 0 or not table.has_chain(chain) or self._table.shown.may_lack(chain):
                return None
            for rule in rules:
                found = found.and_also(of_tests(rule.tests))
                known = of_action(rule.action)
                if known is None and rule.action.name not in seen:
                    seen.add(rule.action.name)
                    left.append(rule.action.name)
                found = found.and_also(
                    known._replace(ends=known.ends and rule.action.kind != RETURN) if known else PASSING
                )
        return found
