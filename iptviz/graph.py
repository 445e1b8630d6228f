"""The jump graph of a table as networkx: chains are nodes, jumps and gotos are edges.

The walk of `engine` does not need it, since networkx takes longer to import than a trace takes to answer;
pictures and callers who want graph algorithms do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.matching import raw_chance

if TYPE_CHECKING:
    from collections.abc import Iterable

    import networkx as nx

    from iptviz.dump.table import Table


def jump_graph(table: Table, roots: Iterable[str] | None = None) -> nx.MultiDiGraph[str]:
    """Return the jumps of `table`, of all chains or of those that can be reached from `roots`.

    A node is a chain's name; its attribute `present` says whether the dump has that chain. An edge is one
    rule, its key the rule's line; its attributes are `rule`, `goto`, `chance` (a Fraction in [0, 1], the
    rule's own) and `matches` (the texts of its matches).
    """
    import networkx as nx

    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    pending = list(reversed(list(table.chains if roots is None else roots)))
    while pending:
        name = pending.pop()
        if name in graph and "present" in graph.nodes[name]:
            continue
        graph.add_node(name, present=name in table.chains)
        for rule in table.rules_of(name):
            callee = rule.jump
            if callee is None or rule.target is None:
                continue
            matches = tuple(match.text() for match in rule.matches if match.name != "comment")
            graph.add_edge(
                name,
                callee,
                key=rule.line,
                rule=rule,
                goto=rule.target.goto,
                chance=raw_chance(rule),
                matches=matches,
            )
            pending.append(callee)
    return graph


def loops(graph: nx.MultiDiGraph[str]) -> list[list[str]]:
    """Return the chains that reach themselves, as groups that reach each other; the kernel refuses them."""
    import networkx as nx

    groups = nx.strongly_connected_components(graph)
    return sorted(
        sorted(group) for group in groups if len(group) > 1 or graph.has_edge(*[next(iter(group))] * 2)
    )
