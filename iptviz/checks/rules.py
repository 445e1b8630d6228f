"""Rules that do nothing where they stand: never reached, taken by an earlier one, there more than once."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.intake.text import to_bytes, to_text
from iptviz.kube.families import FIREWALL_CHAIN
from iptviz.records import NamedTuple
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

_COMMENTS = rb'(?: -m comment --comment (?:"(?:[^"\\\n]|\\.)*+"|[^\s"]++)){0,3}'
_ENDING = (
    rb" (?:-j ?(?:ACCEPT|DROP|REJECT|RETURN|QUEUE|NFQUEUE|DNAT|SNAT|MASQUERADE|REDIRECT|NETMAP)(?!\S)|-g ?\S)"
)
_ONE_TEST = rb"(?: ! (?=-)| )(?:-[sdpio] \S++|-m (?:conntrack|state) (?:! )?--(?:ct)?state \S++)"
_BROAD = re.compile(rb"-A (\S++)" + _COMMENTS + rb"(?:(" + _ONE_TEST + rb")" + _COMMENTS + rb")?" + _ENDING)
"""A rule that ends its chain for all packets, or for those that pass one test."""


def check(node: Examined) -> Iterator[Finding]:
    """Yield rules that do nothing in their chain; where interfaces are not shown, none."""
    if not any(gap.id == "interfaces-not-shown" for gap in node.dump.gaps):
        for table in node.dump.tables.values():
            broad = list(_not_last(table))
            yield from _unreachable(table, [rule for rule, asks in broad if not asks])
            yield from _shadowed(table, [rule for rule, asks in broad if asks])
    yield from _duplicates(node.dump)


def _not_last(table: Table) -> Iterator[tuple[Rule, bool]]:
    """Yield the rules that are broad by their text, and whether they ask something; none that end their chain."""
    ends: dict[bytes, int] = {}
    for block in table.blocks():
        for match in _BROAD.finditer(table.data, *block):
            if match[1] not in ends:
                ends[match[1]] = max((run[1] for run in table.runs_of(to_text(match[1]))), default=0)
            if table.lines.end(match.start()) < ends[match[1]]:
                yield table.rule_at(match.start()), match[2] is not None


def _ends(rule: Rule) -> bool:
    """Whether no packet that a rule matches comes to the next one."""
    action = compiled(rule).action
    return action.kind in {GOTO, RETURN} or (action.kind == TARGET and action.known and not action.continues)


# --- never reached ---------------------------------------------------------------------------------------------


def _unreachable(table: Table, ending: Iterable[Rule]) -> Iterator[Finding]:
    """Yield for each chain that a rule without a condition ends the rules below it."""
    done: set[str] = set()
    for rule in ending:
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

_WEAVE = (" -o weave -j DROP", "-A FORWARD -o weave -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
"""Weave Net writes these two, one above the other, on every node: its policies accept answers before."""


def _shadowed(table: Table, ending: Iterable[Rule]) -> Iterator[Finding]:
    """Yield for each chain that a rule with one wide condition takes all packets from rules below it."""
    taking: dict[str, list[Rule]] = {}
    for rule in ending:
        some = taking.setdefault(rule.chain, [])
        if len(some) < _MOST_TAKING and _takes(table, rule):
            some.append(rule)
    for chain, takers in taking.items():
        rules = table.rules_of(chain)
        if takers and len(rules) <= _LONGEST and (pairs := list(_taken(takers, rules))):
            yield _shadowing(pairs)


def _takes(table: Table, rule: Rule) -> bool:
    """Whether a rule has one condition that stays what it was on a packet's way through the table.

    In raw a rule may end the tracking of a connection, and so change its state.
    """
    tests = compiled(rule).tests
    changes = len(tests) == 1 and tests[0].kind == "state" and table.name == "raw"
    return len(tests) == 1 and is_understood(tests[0]) and not changes and _ends(rule)


def _taken(takers: Sequence[Rule], rules: Sequence[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """Yield the first that takes everything from a rule, and the rule, where that would do something else."""
    told: set[Rule] = set()
    for taker in takers:
        wanted, fate = compiled(taker).tests[0], compiled(taker).action
        for rule in rules[taker.number :]:
            if (
                rule not in told
                and compiled(rule).action != fate
                and any(implies(test, wanted) for test in compiled(rule).tests)
                and not (taker.text.endswith(_WEAVE[0]) and rule.text == _WEAVE[1])
            ):
                told.add(rule)
                yield taker, rule


def _shadowing(pairs: Sequence[tuple[Rule, Rule]]) -> Finding:
    """Return the finding for a chain; a condition that only few packets fail takes nearly all of them."""
    taker, rule = pairs[0]
    takers = dict.fromkeys(taker for taker, _ in pairs)
    wide = any(compiled(one).tests[0].negated for one in takers)
    made = found(shadowed_rule, [*takers, *(one for _, one in pairs)], line=taker.line,
        state="nearly-all" if wide else "some", target=_target(taker), chain=taker.chain,
        wanted=compiled(taker).tests[0].part, count=len(pairs), at=rule.line,
    )  # fmt: skip
    return made._replace(times=len(pairs))


# --- there more than once --------------------------------------------------------------------------------------

_MOST_EVIDENCE = 1_000
_SOME_TEXT = 1 << 16
_COUNTERS = re.compile(rb"\n\[[\d~]++:[\d~]++\] ")
_CHAIN = re.compile(rb"(?:\[[\d~]+:[\d~]+\] )?-A (\S++)")


class _Repeated(NamedTuple):
    """A run of a chain's rules, some of which stand there more than once; `copies` are beside the first ones."""

    table: Table
    run: tuple[int, int]
    copies: Counter[bytes]

    @property
    def first(self) -> Rule:
        """The first rule of the run."""
        return self.table.rule_at(self.run[0])


_MANY, _SEVERAL = 10, 3
"""So many times has a chain one rule where a program adds it again and again; so many where it may have begun."""

_REPEATED_BY_KUBE_PROXY = FIREWALL_CHAIN.encode()
"""Up to 1.23 kube-proxy writes the rules of these once for each address of a load balancer."""


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
        yield found(duplicate_rules, evidence, line=evidence[0].line, state=_how_many(most), count=total,
            chain=worst.first.chain, table=worst.table.name, most=most,
        )._replace(times=total)  # fmt: skip


def _how_many(most: int) -> str:
    return "many" if most >= _MANY else "several" if most >= _SEVERAL else "twice"


def _repeated(table: Table) -> Iterator[_Repeated]:
    """Yield the runs that hold a line again; in nearly all none does, so many are looked at together."""
    if not any(map(partial(_holds_again, table), _pieces(table))):
        return
    for runs in _together(
        run for chain, run in table.each_run() if not chain.startswith(_REPEATED_BY_KUBE_PROXY)
    ):
        if _holds_again(table, (runs[0][0], runs[-1][1])):
            yield from _repeated_in(table, runs)


def _holds_again(table: Table, stretch: Span) -> bool:
    lines = _lines(table, stretch)
    return len(set(lines)) < len(lines)


def _pieces(table: Table) -> Iterator[Span]:
    """Yield stretches of rules, each some text, that cut none of those stretches that are of one chain."""
    data = table.data
    for start, end in table.blocks():
        at = start
        while at < end:
            after = data.rfind(b"\n", at, min(at + _SOME_TEXT, end) - 1) + 1 or at
            chain = _chain_at(data, after, end)
            while after < end and _chain_at(data, after, end) == chain:
                after = data.find(b"\n", after, end) + 1 or end
            yield at, after
            at = after


def _chain_at(data: bytes, at: int, end: int) -> bytes:
    found = _CHAIN.match(data, at, end)
    return found[1] if found else b""


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
    if text[:1] == b"[" or b"\n[" in text:
        text = _COUNTERS.sub(b"\n", b"\n" + text)[1:]
    return text.splitlines()


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


@diagnosis({"nearly-all": "medium", "some": "low"}, reference="kubernetes/dns#745", general=True)
def shadowed_rule(*, target: str, chain: str, wanted: str, count: int, at: int) -> str:
    """An earlier rule with one wide condition takes all packets that later ones match.

    What the later ones would do with them is something else.

    Why: The later rules do nothing, although their own text is right. Where the earlier one excludes next to
    nothing (! -p 253), it was meant for something else.

    Do: Find out which program wrote the earlier rule. Move the later rules above it, or narrow it.
    """
    rules = "1 more rule is" if count == 2 else f"{count - 1:,} more rules are"
    more = f"; {rules} below one that takes all" if count > 1 else ""
    return f"{wanted} {target} in {chain} takes all packets that the rule of line {at} would match{more}"


@diagnosis(
    {"many": "medium", "several": "low", "twice": "info"},
    reference="k/k#82361, #14870, k3s-io/k3s#3117",
    general=True,
)
def duplicate_rules(*, count: int, chain: str, table: str, most: int) -> str:
    """Identical rules stand more than once in one chain.

    Why: Twice does no harm in most cases. More often a program does not recognise its own rule and adds it again
    and again: iptables 1.8.0 to 1.8.4, or two versions on one node. Thousands slow down every packet.

    Do: Compare the versions of iptables on the node and in the images that write rules (iptables -V). Update the
    old ones, then remove the copies: iptables -D for each, or drain and reboot the node.
    """
    others = count - most + 1
    more = (
        f", and {others:,} more {'rule is a copy' if others == 1 else 'rules are copies'}" if others else ""
    )
    return f"{chain} of table {table} has one rule {'twice' if most == 2 else f'{most:,} times'}{more}"
