"""The jump graph of a table as networkx: chains are nodes, jumps and gotos are edges.

The walk of `engine` does not need it, since networkx takes longer to import than a trace takes to answer;
pictures and callers who want graph algorithms do.
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
    import networkx as nx

    graph: nx.DiGraph[H] = nx.DiGraph()
    graph.add_edges_from(pairs)
    groups = nx.strongly_connected_components(graph)
    return sorted(
        sorted(group) for group in groups if len(group) > 1 or graph.has_edge(*[next(iter(group))] * 2)
    )
