"""The jump graph of a table as networkx: chains are nodes, jumps and gotos are edges.

It is for callers who want graph algorithms: the program does without, since networkx takes longer to import than
a trace takes to answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from iptviz.dump.rule import Rule
from iptviz.engine.matching import raw_chance
from iptviz.intake.bulk import MARKING
from iptviz.intake.text import to_text
from iptviz.rules.iptables import compiled
from iptviz.xtables.targets import target_spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import networkx as nx

    from iptviz.dump.rule import RuleTable
    from iptviz.dump.table import Table
    from iptviz.intake.index import Span

    Led = tuple[str, str, tuple[Rule, ...]]
    """A chain, another to which it leads, and the rules that do."""

H = TypeVar("H", str, "tuple[str, str]")


def jumps(table: RuleTable, roots: Iterable[str] | None = None) -> Iterator[tuple[Rule, str]]:
    """Yield the rules of `table` that jump or go to a chain, and that chain, as they are met from `roots`.

    Without `roots`, all chains are.
    """
    seen: set[str] = set()
    pending = list(reversed(list(table.chains if roots is None else roots)))
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        for rule in table.rules_of(name):
            callee = rule.jump
            if callee is not None:
                yield rule, callee
                pending.append(callee)


_WORD = rb'[^\s"\\!-][^\s"\\]*+'
# What may be missing is written `(?:...|)`: that takes less time than `(?:...)?`. Compiled by who asks for all
# jumps: to compile it takes as long as to take a hundred rules apart.
_LEADING = (
    rb"(?:\[\d++:\d++\] |)-A " + _WORD + rb" (?:(?:! |)-[sdi] " + _WORD + rb" |)"
    rb"(?:(?:! |)-[sdi] " + _WORD + rb" |)(?:-p \w++ |)"
    rb'(?:-m comment --comment (?:"[^"\\\n]*+"|' + _WORD + rb") |)"
    rb"(?:-m recent --(?:set|rcheck --seconds \d++ --reap) --name " + _WORD + rb" --mask [\d.]++ --rsource |)"
    rb"(?:-m (?:(?:tcp|udp|sctp)(?: --dport \d++|)|statistic --mode random --probability [\d.]++"
    rb"|addrtype --(?:src|dst)-type [A-Z]++) |)"
    rb"-j ([A-Za-z0-9][\w-]*+)(?: --to-destination [\d.:]++|)(?:\n|\Z)"
)
"""A rule of which each word is known, as kube-proxy writes nearly all, and what stands behind its -j."""


def led_in(table: Table) -> list[Led]:
    """Return which chain leads to which, as `jumps` meets them.

    A rule may name another chain than the one that it stands in: `-A` twice.
    """
    callee_of, leading = _Callees(table), re.compile(_LEADING)
    of_endpoints = _led_in_bulk(table, callee_of)
    found: list[Led] = []
    known, strange = set[str](), False
    pending = table.chain_names()[::-1]
    while pending:
        name = pending.pop()
        if name in known:
            continue
        known.add(name)
        if marking := of_endpoints.get(name):
            found.append(marking)
            pending.append(marking[1])
            continue
        led = _led_at_sight(table, name, leading, callee_of)
        if led is None:
            rules = table.rules_of(name)
            led = [(rule.chain, jump, (rule,)) for rule in rules if (jump := rule.jump) is not None]
            strange = strange or any(tail != name for tail, _, _ in led)
        callees = [callee for _, callee, _ in led]
        found += led if len(set(callees)) == len(callees) else _joined(led)
        pending += callees
    return _joined(found) if strange else found


def _joined(found: list[Led]) -> list[Led]:
    """Return the same with all rules between two chains together."""
    joined: dict[tuple[str, str], list[Rule]] = {}
    for tail, head, rules in found:
        joined.setdefault((tail, head), []).extend(rules)
    return [(*ends, tuple(rules)) for ends, rules in joined.items()]


class _Callees(dict[bytes, "str | None"]):
    """What a word behind -j leads to: a chain of the table, None where it is a target; empty: unsure."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __missing__(self, word: bytes) -> str | None:
        name = to_text(word)
        self[word] = found = name if self._table.has_chain(name) else None if target_spec(name) else ""
        return found


_MARKING_IN_BULK = re.compile(rb"-A (KUBE-SEP-\S++) -s [^\n]*+\n")
"""The one rule of an endpoint's chain in bulk (`iptviz.intake.bulk`) that jumps: the other one sends to it."""


_NEWLINE = ord("\n")


def _led_in_bulk(table: Table, callee_of: _Callees) -> dict[str, Led]:
    """Return where chains of endpoints lead whose rules are in bulk, as nearly all of a large cluster are."""
    head = callee_of[MARKING]
    if not head or callee_of[b"DNAT"] is not None:
        return {}
    data = table.data
    found: dict[bytes, Span] = {}
    elsewhere = {chain for chain, _ in table.rest_runs()}
    for stretch, in_bulk in table.parts():
        for rule in _MARKING_IN_BULK.finditer(data, *stretch) if in_bulk else ():
            if rule[1] in found:
                elsewhere.add(rule[1])
            start, end = rule.span()
            found[rule[1]] = (start if data[start - 1] == _NEWLINE else data.rindex(b"\n", 0, start) + 1), end
    return {
        (tail := to_text(chain)): (tail, head, (Rule(table, span, 1),))
        for chain, span in found.items()
        if chain not in elsewhere
    }


def _led_at_sight(
    table: Table, chain: str, leading: re.Pattern[bytes], callee_of: _Callees
) -> list[Led] | None:
    """Return caller and callee with each rule of a chain that jumps; None where one has to be taken apart."""
    led: list[Led] = []
    number = 0
    for start, end in table.runs_of(chain):
        at = start
        # Unlike finditer, a scanner's match() admits no gaps: see `intake.index`.
        for line in iter(leading.scanner(table.data, start, end).match, None):  # type: ignore[attr-defined]
            at = line.end()
            number += 1
            callee = callee_of[line[1]]
            if callee:
                led.append((chain, callee, (Rule(table, line.span(), number),)))
            elif callee is not None:
                return None
        if at != end:
            return None
    return led


def jump_graph(table: Table, roots: Iterable[str] | None = None) -> nx.MultiDiGraph[str]:
    """Return the jumps of `table`, of all chains or of those that can be reached from `roots`.

    A node is a chain's name; its attribute `present` says whether the dump has that chain. An edge is one
    rule, its key the rule's line; its attributes are `rule`, `goto`, `chance` (a Fraction in [0, 1], the
    rule's own) and `matches` (the texts of its matches).
    """
    import networkx as nx

    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    names = list(table.chains if roots is None else roots)
    graph.add_nodes_from((name, {"present": name in table.chains}) for name in names)
    for rule, callee in jumps(table, names):
        target = rule.target
        graph.add_node(callee, present=callee in table.chains)
        matches = tuple(match.text() for match in rule.matches if match.name != "comment")
        goto = target is not None and target.goto
        graph.add_edge(
            rule.chain,
            callee,
            key=rule.line,
            rule=rule,
            goto=goto,
            chance=raw_chance(compiled(rule)),
            matches=matches,
        )
    return graph


def loops(pairs: Iterable[tuple[H, H]]) -> list[list[H]]:
    """Return what reaches itself, as groups that reach each other; the kernel refuses such chains.

    `pairs` say what leads to what.
    """
    heads: dict[H, set[H]] = {}
    for tail, head in _going_on(list(pairs)):
        heads.setdefault(tail, set()).add(head)
        heads.setdefault(head, set())
    return sorted(sorted(group) for group in _groups(heads) if len(group) > 1 or group[0] in heads[group[0]])


_ROUNDS = 16
"""Few tables have more chains than this of which each leads to the next."""


def _going_on(pairs: list[tuple[H, H]]) -> list[tuple[H, H]]:
    """Return the pairs without those that lead to what leads nowhere, once these are left out, and so on.

    None of them is part of a loop, and of a hundred thousand chains hardly any are left.
    """
    for _ in range(_ROUNDS):
        tails = {tail for tail, _ in pairs}
        further = [pair for pair in pairs if pair[1] in tails]
        if len(further) == len(pairs):
            break
        pairs = further
    return pairs


def _groups(heads: dict[H, set[H]]) -> Iterator[list[H]]:
    """Yield what reaches each other, each in one group: Tarjan's algorithm, without recursion.

    networkx has it, too, but is imported in more time than a graph takes to draw.
    """
    met: dict[H, int] = {}
    lowest: dict[H, int] = {}
    """The first met of those that one leads to and that are in no group yet."""
    open_ones: dict[H, None] = {}
    for root, first in heads.items():
        way = [(root, iter(first))] if root not in met else []
        while way:
            at, rest = way[-1]
            if at not in met:
                met[at] = lowest[at] = len(met)
                open_ones[at] = None
            for head in rest:
                if head not in met:
                    way.append((head, iter(heads[head])))
                    break
                if head in open_ones:
                    lowest[at] = min(lowest[at], met[head])
            else:
                way.pop()
                if lowest[at] == met[at]:
                    yield _closed(open_ones, at)
                elif way:
                    lowest[way[-1][0]] = min(lowest[way[-1][0]], lowest[at])


def _closed(open_ones: dict[H, None], first: H) -> list[H]:
    """Take out and return what was met from `first` on."""
    group: list[H] = []
    while first not in group[-1:]:
        group.append(open_ones.popitem()[0])
    return group
