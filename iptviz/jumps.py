"""The jump graph of a table as networkx: chains are nodes, jumps and gotos are edges.

It is for callers who want graph algorithms: the program does without, since networkx takes longer to import than
a trace takes to answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from iptviz.engine.matching import raw_chance
from iptviz.rules.iptables import compiled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import networkx as nx

    from iptviz.dump.rule import Rule, RuleTable
    from iptviz.dump.table import Table


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
    for tail, head in pairs:
        heads.setdefault(tail, set()).add(head)
        heads.setdefault(head, set())
    return sorted(sorted(group) for group in _groups(heads) if len(group) > 1 or group[0] in heads[group[0]])


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
