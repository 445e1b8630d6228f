"""Rules that do nothing where they stand: never reached, taken by an earlier one, there more than once."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from iptviz.checks.finding import diagnosis, found
from iptviz.intake.text import to_bytes, to_text
from iptviz.rules.excluding import implies, is_understood
from iptviz.rules.form import GOTO, RETURN, TARGET
from iptviz.rules.iptables import compiled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.intake.index import Span

_COMMENTS = rb'(?: -m comment --comment (?:"(?:[^"\\\n]|\\.)*+"|[^\s"]++))*+'
_ENDING = (
    rb" (?:-j ?(?:ACCEPT|DROP|REJECT|RETURN|QUEUE|NFQUEUE|DNAT|SNAT|MASQUERADE|REDIRECT|NETMAP)(?!\S)|-g ?\S)"
)
_ONE_TEST = rb"(?: ! (?=-)| )(?:-[sdpio] \S++|-m (?:conntrack|state) (?:! )?--(?:ct)?state \S++)"
_UNCONDITIONAL = re.compile(rb"-A (\S++)" + _COMMENTS + _ENDING)
_BROAD = re.compile(rb"-A (\S++)" + _COMMENTS + _ONE_TEST + _COMMENTS + _ENDING)


def check(node: Examined) -> Iterator[Finding]:
    """Yield rules that do nothing in their chain."""
    for table in node.dump.tables.values():
        yield from _unreachable(table)
        yield from _shadowed(table)
    yield from _duplicates(node.dump)


def _not_last(table: Table, wanted: re.Pattern[bytes]) -> Iterator[Rule]:
    """Yield the rules whose text matches, but for those that end their chain."""
    ends: dict[bytes, int] = {}
    for block in table.blocks():
        for match in wanted.finditer(table.data, *block):
            if match[1] not in ends:
                ends[match[1]] = max((run[1] for run in table.runs_of(to_text(match[1]))), default=0)
            if table.lines.end(match.start()) < ends[match[1]]:
                yield table.rule_at(match.start())


def _ends(rule: Rule) -> bool:
    """Whether no packet that a rule matches comes to the next one."""
    action = compiled(rule).action
    return action.kind in {GOTO, RETURN} or (action.kind == TARGET and action.known and not action.continues)


# --- never reached ---------------------------------------------------------------------------------------------


def _unreachable(table: Table) -> Iterator[Finding]:
    """Yield for each chain that a rule without a condition ends the rules below it."""
    done: set[str] = set()
    for rule in _not_last(table, _UNCONDITIONAL):
        if rule.chain not in done and not compiled(rule).tests and _ends(rule):
            done.add(rule.chain)
            below = table.rules_of(rule.chain)[rule.number :]
            yield found(unreachable_rule, [rule, *below], line=rule.line, target=_target(rule),
                chain=rule.chain, count=len(below),
            )._replace(times=len(below))  # fmt: skip


def _target(rule: Rule) -> str:
    """Return what a rule does, as it is typed: `-j DROP`, `-g OTHER`."""
    target = rule.target
    return "" if target is None else f"{'-g' if target.goto else '-j'} {target.name}"


# --- taken by an earlier rule ----------------------------------------------------------------------------------

_MOST_TAKING, _LONGEST = 16, 2_000
"""In a chain so many rules are compared with those below them, in chains of no more rules than that."""


def _shadowed(table: Table) -> Iterator[Finding]:
    """Yield for each rule with one wide condition those below it that it takes all packets from."""
    taking: dict[str, list[Rule]] = {}
    for rule in _not_last(table, _BROAD):
        some = taking.setdefault(rule.chain, [])
        if len(some) < _MOST_TAKING and _takes(rule):
            some.append(rule)
    for chain, takers in taking.items():
        rules = table.rules_of(chain)
        if takers and len(rules) <= _LONGEST:
            yield from _taken(takers, rules)


def _takes(rule: Rule) -> bool:
    tests = compiled(rule).tests
    return len(tests) == 1 and is_understood(tests[0]) and _ends(rule)


def _taken(takers: Sequence[Rule], rules: Sequence[Rule]) -> Iterator[Finding]:
    """Yield which of a chain's rules each of some takes everything from; another fate is what makes it matter."""
    told: set[Rule] = set()
    for taker in takers:
        wanted, fate = compiled(taker).tests[0], compiled(taker).action
        below = [
            rule
            for rule in rules[taker.number :]
            if rule not in told
            and compiled(rule).action != fate
            and any(implies(test, wanted) for test in compiled(rule).tests)
        ]
        told.update(below)
        if below:
            yield found(shadowed_rule, [taker, *below], line=taker.line, target=_target(taker),
                chain=taker.chain, wanted=wanted.part, count=len(below), at=below[0].line,
            )._replace(times=len(below))  # fmt: skip


# --- there more than once --------------------------------------------------------------------------------------

_MOST_EVIDENCE = 1_000
_SOME_TEXT = 1 << 16
_COUNTERS = re.compile(rb"^\[[\d~]+:[\d~]+\] ", re.MULTILINE)


class _Repeated(NamedTuple):
    """A run of a chain's rules, some of which stand there more than once; `copies` are beside the first ones."""

    table: Table
    run: tuple[int, int]
    copies: Counter[bytes]

    @property
    def first(self) -> Rule:
        """The first rule of the run."""
        return self.table.rule_at(self.run[0])


def _duplicates(dump: Dump) -> Iterator[Finding]:
    """Yield that rules stand more than once in their chains; what was pasted or listed proves none of it."""
    if dump.form != "iptables-save":
        return
    repeated = [one for table in dump.tables.values() for one in _repeated(table)]
    if repeated:
        worst = max(repeated, key=lambda one: max(one.copies.values()))
        total = sum(one.copies.total() for one in repeated)
        evidence = _copies(repeated)
        most = max(worst.copies.values()) + 1
        chain = worst.first.chain
        yield found(duplicate_rules, evidence, line=evidence[0].line, count=total, chain=chain,
            table=worst.table.name, most=most,
        )._replace(times=total)  # fmt: skip


def _repeated(table: Table) -> Iterator[_Repeated]:
    """Yield the runs that hold a line again; in nearly all none does, so many are looked at together."""
    for runs in _together(run for _, run in table.each_run()):
        lines = _lines(table, (runs[0][0], runs[-1][1]))
        if len(set(lines)) < len(lines):
            yield from _repeated_in(table, runs)


def _together(runs: Iterable[Span]) -> Iterator[list[Span]]:
    """Yield runs that stand one behind the other, so many at once that they are some text."""
    some: list[Span] = []
    for run in runs:
        if some and (some[-1][1] != run[0] or run[0] - some[0][0] > _SOME_TEXT):
            yield some
            some = []
        some.append(run)
    if some:
        yield some


def _repeated_in(table: Table, runs: Iterable[Span]) -> Iterator[_Repeated]:
    for run in runs:
        lines = _lines(table, run)
        if len(set(lines)) < len(lines):
            copies = Counter(lines)
            copies.subtract(set(lines))
            yield _Repeated(table, run, +copies)


def _lines(table: Table, run: tuple[int, int]) -> list[bytes]:
    text = table.data[run[0] : run[1]]
    return (_COUNTERS.sub(b"", text) if text[:1] == b"[" or b"\n[" in text else text).splitlines()


def _copies(repeated: Iterable[_Repeated]) -> list[Rule]:
    """Return the rules that stand there again, the first thousand."""
    rules: list[Rule] = []
    for one in repeated:
        seen: set[bytes] = set()
        for rule in one.table.rules_of(one.first.chain):
            text = to_bytes(rule.text)
            if text in seen:
                rules.append(rule)
            seen.add(text)
        if len(rules) >= _MOST_EVIDENCE:
            break
    return rules[:_MOST_EVIDENCE]


# --- the words -------------------------------------------------------------------------------------------------


def _rules(count: int) -> str:
    return "the rule below it" if count == 1 else f"the {count:,} rules below it"


@diagnosis("low", general=True)
def unreachable_rule(*, target: str, chain: str, count: int) -> str:
    """Rules stand below one that takes every packet.

    It has no condition, and ends the chain: ACCEPT, DROP, RETURN.

    Why: The rules below do nothing. Often they were appended (-A) to a chain that ends so, where they should have
    been inserted (-I).

    Do: Move the rules above that one, or remove them.
    """
    are = "is" if count == 1 else "are"
    return f"{target} in {chain} takes every packet: {_rules(count)} {are} never reached"


@diagnosis("medium", reference="kubernetes/dns#745", general=True)
def shadowed_rule(*, target: str, chain: str, wanted: str, count: int, at: int) -> str:
    """An earlier rule with one wide condition takes all packets that later ones name.

    What the later ones would do with them is something else.

    Why: The later rules are dead, although their own text is right: a `! -p 253 -j ACCEPT` above NOTRACK rules
    keeps every one of them from being asked.

    Do: Find out which program wrote the earlier rule. Move the later rules above it, or narrow it.
    """
    more = f" and {count - 1:,} more" if count > 1 else ""
    return f"{wanted} {target} in {chain} takes all packets that the rule of line {at}{more} would match"


@diagnosis("medium", reference="k/k#82361, #14870, k3s-io/k3s#3117")
def duplicate_rules(*, count: int, chain: str, table: str, most: int) -> str:
    """Identical rules stand more than once in one chain.

    Why: A program adds its rule again and again, as it does not recognise its own: iptables 1.8.0 to 1.8.4, or
    two versions on one node. Thousands of copies slow down every packet and every restore.

    Do: Compare the versions of iptables on the node and in the images that write rules (iptables -V). Update the
    old ones, then remove the copies: a reboot does, or iptables -D for each.
    """
    copies = "1 rule is" if count == 1 else f"{count:,} rules are"
    return (
        f"{copies} a copy of another in the same chain; {chain} of table {table} has one rule {most:,} times"
    )
