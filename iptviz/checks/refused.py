"""What the kernel refuses to load: jumps to chains that are missing, loops, calls that are too deep."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import listed
from iptviz.dump.rule import Rule
from iptviz.intake.text import to_bytes, to_text
from iptviz.kube.families import (
    ENDPOINT_CHAIN,
    ENTRY_CHAINS,
    KERNEL,
    MARK_DROP,
    MARK_MASQUERADE,
    SERVICE_CHAINS,
    names,
)
from iptviz.xtables.targets import target_spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.engine.effects import BrokenJumps
    from iptviz.rules.form import Place

_MOST_CHAINS = 3


def check(node: Examined) -> Iterator[Finding]:
    """Yield what the kernel would refuse of a dump, whether somebody walks there or not."""
    yield from _missing_chains(node.dump)
    for table in node.dump.tables.values():
        if table.calls.are_shallow(_DEEPEST):
            continue  # as in every table that a node runs
        yield from _loops(table)
        if node.dump.backend == "nf_tables":
            yield from _too_deep(table)


def broken_jumps(broken: BrokenJumps, *, complete: bool) -> Iterator[Finding]:
    """Yield what a walk met: loops, then jumps to chains that are missing; `complete` is the dump's.

    Of chains that mark, which a whole dump lacks, checks of the services find that as what it is.
    """
    for rule, chains in broken.loops.items():
        yield loop(chains, [rule], line=rule.line)
    for rule, chain in broken.missing.items():
        # Of an excerpt the answer itself says what it lacks.
        excerpt = isinstance(rule, Rule) and cast("Table", rule.table).shown.is_excerpt
        if not excerpt and not (complete and chain in _MARKING):
            yield dangling((chain,), [rule], complete=complete)


# --- chains that are not there ---------------------------------------------------------------------------------

_OF_SERVICES = (*SERVICE_CHAINS, *ENTRY_CHAINS, ENDPOINT_CHAIN)
"""Chains that an excerpt often leaves out: that it does not show them says nothing."""

_MARKING = {MARK_MASQUERADE, MARK_DROP}
"""Without these no service can be written, which is a finding of its own; excerpts often leave them out."""

_ADDED_TARGETS = frozenset({
    "ACCOUNT", "CHAOS", "DELUDE", "DHCPMAC", "DNETMAP", "ECHO", "FLOWOFFLOAD", "FULLCONENAT",
    "IMQ", "IPMARK", "LOGMARK", "LSCAN", "MIRROR",
    "NETFLOW", "PROTO", "RAWDNAT", "RAWSNAT", "ROUTE", "STEAL", "SYSRQ", "TARPIT",
})  # fmt: skip
"""Targets from outside the kernel's own source, which a rule may name alone, as it names a chain."""


def _missing_chains(dump: Dump) -> Iterator[Finding]:
    """Yield one finding for all chains that rules lead to and no line shows: the cause is one."""
    leading = [
        rule
        for table in dump.tables.values()
        for word in table.calls.users
        if not _is_no_chain(to_text(word)) and (dump.complete or not to_text(word).startswith(_OF_SERVICES))
        for rule in map(table.rule_at, table.calls.uses(word))
        if rule.jump == to_text(word) and not table.has_chain(to_text(word))
    ]
    if leading:
        leading.sort(key=lambda rule: rule.line)
        yield dangling(dict.fromkeys(str(rule.jump) for rule in leading), leading, complete=dump.complete)


@cache
def _is_no_chain(word: str) -> bool:
    """Whether a word is no chain that is missed here."""
    return word in _ADDED_TARGETS or word in _MARKING or target_spec(word) is not None


def dangling(chains: Iterable[str], rules: Iterable[Place], *, complete: bool) -> Finding:
    """Return the finding that `rules`, at least one, lead to `chains`, which are not there."""
    leading, state = list(rules), "whole" if complete else "lacking"
    return found(
        dangling_jump, leading, line=leading[0].line, state=state, complete=complete, chains=tuple(chains),
        table=leading[0].table.name,
    )  # fmt: skip


# --- loops, and calls that are too deep ------------------------------------------------------------------------


def _hooks(table: Table) -> tuple[bytes, ...]:
    return tuple(map(to_bytes, names("hook", table=table.name, writer=KERNEL)))


def _loops(table: Table) -> Iterator[Finding]:
    """Yield each group of chains that lead to each other, with one way round."""
    maybe = table.calls.maybe_looped
    if not maybe:
        return
    from iptviz.jumps import loops  # where nothing is looped, nothing waits for it

    rules: dict[tuple[str, str], list[Rule]] = {}
    for callee in maybe:
        for rule in map(table.rule_at, table.calls.places[callee]):
            if rule.jump == to_text(callee):
                rules.setdefault((rule.chain, rule.jump), []).append(rule)
    entered = set(map(to_text, table.calls.reached(*_hooks(table))))
    for group in loops(rules):
        way = _round(group, rules)
        inner = [rule for pair in pairwise(way) for rule in rules[pair]]
        yield loop(way, inner, line=inner[0].line, reached=not entered.isdisjoint(group))


def _round(group: list[str], pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return a way from a chain of a group back to itself."""
    within = set(group)
    leads: dict[str, list[str]] = {}
    for tail, head in pairs:
        if tail in within and head in within:
            leads.setdefault(tail, []).append(head)
    way = [group[0]]
    while way[-1] not in way[:-1]:
        way.append(leads[way[-1]][0])
    return way[way.index(way[-1]) :]


def loop(chains: Iterable[str], rules: Iterable[Place], *, line: int = 0, reached: bool = True) -> Finding:
    """Return the finding that `chains` reach themselves by `rules`; `line` is where.

    `reached` says that a built-in chain leads there.
    """
    state = "reached" if reached else "apart"
    return found(chain_loop, rules, line=line, state=state, chains=tuple(chains), reached=reached)


_DEEPEST = 15
"""So many jumps and gotos behind each other nf_tables takes, one more it refuses (NFT_JUMP_STACK_SIZE is 16)."""


def _too_deep(table: Table) -> Iterator[Finding]:
    """Yield the longest way of jumps from a built-in chain, where nf_tables refuses it."""
    way = table.calls.deepest(_hooks(table))
    if len(way) - 1 <= _DEEPEST:
        return
    steps = [
        next(
            (
                rule
                for rule in map(table.rule_at, table.calls.places[callee])
                if _is_call(rule, caller, callee)
            ),
            None,
        )
        for caller, callee in pairwise(way)
    ]
    if all(steps):  # a comment may look like a jump
        rules = [rule for rule in steps if rule]
        chains = tuple(map(to_text, way))
        yield found(nft_depth, rules, line=rules[-1].line, table=table.name, chains=chains)


def _is_call(rule: Rule, caller: bytes, callee: bytes) -> bool:
    return rule.jump == to_text(callee) and rule.chain == to_text(caller)


# --- the words -------------------------------------------------------------------------------------------------


@diagnosis({"reached": "high", "apart": "low"})
def chain_loop(*, chains: tuple[str, ...], reached: bool) -> str:
    """Chains lead to each other in a circle, or a chain leads to itself.

    Why: The kernel refuses to load such chains where a built-in chain leads to them, so no node runs these
    rules: the text was edited, or put together from several dumps. A loop that nothing leads to does load; the
    first rule that leads there is refused.

    Do: Take a fresh dump from the node and use that one.
    """
    way = " -> ".join(chains)
    if reached:
        return f"{way} is a loop, which the kernel refuses: edited by hand?"
    return f"{way} is a loop that no built-in chain leads to: the kernel refuses the first rule that does"


@diagnosis({"whole": "high", "lacking": "info"}, absence=True)
def dangling_jump(*, chains: tuple[str, ...], table: str) -> str:
    """A rule jumps to a chain that is neither declared nor has rules in this dump.

    Why: The kernel refuses a jump to a chain that does not exist, so lines are missing, and the effect of the
    chain on connections is unknown.

    Do: Take the whole dump from the node: iptables-save, not filtered by grep and not shortened.
    """
    if len(chains) == 1:
        return f"jumps to {chains[0]}, but table {table} has no such chain: cut or edited?"
    named = listed(chains, _MOST_CHAINS)
    return f"jumps to {len(chains):,} chains that their tables do not have ({named}): cut or edited?"


@diagnosis("medium")
def nft_depth(*, table: str, chains: tuple[str, ...]) -> str:
    """Chains call each other 16 deep or deeper, counted from a built-in chain, gotos included.

    Why: The nf_tables backend refuses such rules ("Too many links"); iptables-legacy loads hundreds of such
    calls. A restore of this text on the node fails, and nothing of it is loaded.

    Do: Join chains, or call some from the built-in chain itself, until no way is longer than 15 jumps.
    """
    depth = len(chains) - 1
    way = " -> ".join((*chains[:3], "...", chains[-1]))
    return f"{depth} jumps behind each other in table {table} ({way}): nf_tables takes {_DEEPEST}"
