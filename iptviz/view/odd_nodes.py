"""Odd nodes of a fleet: those with the same differences as one row, the most harmful first."""

from __future__ import annotations

from functools import reduce
from itertools import chain
from operator import or_
from typing import TYPE_CHECKING

from iptviz.checks.finding import SEVERITIES, pieces, plain
from iptviz.documents.fleet_odd import members, not_compared, odd_text, odd_todo
from iptviz.records import NamedTuple
from iptviz.view.blocks import Fact, Table
from iptviz.view.heat import port_of
from iptviz.view.node_names import node_names
from iptviz.view.nodes import Below, Cell, Columns, TableRow, texts
from iptviz.view.numbers import counted
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iptviz.fleets.differing import OddFinding
    from iptviz.fleets.summary import Nodes
    from iptviz.questions.fleet import FleetResult

    Named = Callable[[Nodes], tuple[str, ...]]

GROUPS = Columns(
    "groups",
    ("GROUP", "NODES", "SEVERITY", "WHICH", "DIFFERENCE"),
    spared=("GROUP",),
    summary="WHICH",
    wrapped=True,
)
_MOST_ROWS = 10
_MOST_FINDINGS = 3
_BAD = {"critical", "high"}


class OddNodes(NamedTuple):
    """Nodes that have the same findings, the most harmful of which is the first."""

    nodes: Nodes
    findings: tuple[OddFinding, ...]

    @property
    def severity(self) -> str:
        """The severity of the worst finding."""
        return self.findings[0].severity


def odd_nodes(result: FleetResult) -> tuple[OddNodes, ...]:
    """Return all odd nodes, those first whose worst finding is the most severe, then those with most findings."""
    by_nodes: dict[Nodes, list[int]] = {}
    for place, odd in enumerate(result.odd):
        by_nodes.setdefault(odd.nodes, []).append(place)
    # Findings by the hundred concern the same nodes: of each such set the nodes are looked at once.
    sets = list(by_nodes.values())
    met: dict[int, list[int]] = {}
    for number, nodes in enumerate(by_nodes):
        for node in members(nodes):
            met.setdefault(node, []).append(number)
    alike: dict[tuple[int, ...], Nodes] = {}
    for node, numbers in met.items():
        alike[tuple(numbers)] = alike.get(tuple(numbers), 0) | 1 << node
    found = (
        OddNodes(nodes, tuple(result.odd[place] for place in sorted(chain(*(sets[one] for one in numbers)))))
        for numbers, nodes in alike.items()
    )
    return tuple(sorted(found, key=_harm))


def _harm(odd: OddNodes) -> tuple[int, bool, int, int]:
    """Return the place of odd nodes: those first of which nothing works, before those with many findings."""
    of_services = all(one.service is not None for one in odd.findings if one.severity == odd.severity)
    return SEVERITIES.index(odd.severity), of_services, -len(odd.findings), -odd.nodes.bit_count()


def groups_table(
    result: FleetResult, odd: Sequence[OddNodes], named: Named, *, fold: bool
) -> tuple[Table, *tuple[Fact, ...]]:
    """Return a row for the nodes that are as they should be, then one for each group of odd nodes.

    Below it stands what is different, and what to do where no row above says that.
    """
    numbers = {group.nodes: f"{group.number}" for group in result.groups}
    everywhere = (1 << len(result.summary.nodes)) - 1
    apart = not_compared(result)
    right = everywhere & ~reduce(or_, (one.nodes for one in odd), apart)
    shown = odd[:_MOST_ROWS] if fold and len(odd) > _MOST_ROWS + 1 else odd
    said: set[str] = set()
    rows = [_right_row(result, right, numbers.get(right | apart, ""), named)] if right and odd else []
    rows += [_row(result, one, numbers.get(one.nodes, ""), named, said, fold=fold) for one in shown]
    rows += [_apart_row(apart, named)] if apart else []
    left = odd[len(shown) :]
    count = sum(one.nodes.bit_count() for one in left)
    more = f"{counted(count, 'node')} in {counted(len(left), 'more group')} (--all)"
    return Table(GROUPS, tuple(rows)), *((Fact("More", more),) if left else ())


def _right_row(result: FleetResult, nodes: Nodes, number: str, named: Named) -> TableRow:
    version = "as the API has it" if result.truth == "api" else "as most nodes have it"
    return TableRow(texts((number, f"{nodes.bit_count():,}", "", node_names(named(nodes)), version)))


def _apart_row(nodes: Nodes, named: Named) -> TableRow:
    said = "not compared: no service in these rules, or none in common with the others"
    return TableRow(texts(("", f"{nodes.bit_count():,}", "", node_names(named(nodes)), said)))


def _row(
    result: FleetResult, odd: OddNodes, number: str, named: Named, said: set[str], *, fold: bool
) -> TableRow:
    cells = (
        Cell("number", number),
        Cell("number", f"{odd.nodes.bit_count():,}"),
        Cell("fate", odd.severity),
        Cell("text", node_names(named(odd.nodes))),
        Cell("text", several_text(result, odd.findings)),
    )
    below = tuple(_below(result, odd, said, fold=fold))
    return TableRow(cells, below, "bad" if odd.severity in _BAD else "")


def _below(result: FleetResult, odd: OddNodes, said: set[str], *, fold: bool) -> Iterator[Below]:
    """Yield what is different: of each kind the first, then others, as far as there is room."""
    findings = [one for one in odd.findings if one.service is not None or one.frontend is not None]
    if fold and len(findings) > _MOST_FINDINGS + 1:
        firsts = list({one.id: one for one in reversed(findings)}.values())[::-1]
        rest = (one for one in findings if one not in firsts)
        shown = [*firsts, *rest][:_MOST_FINDINGS]
    else:
        shown = findings
    yield from (Below(printable(odd_text(result, one)), is_sentence=True) for one in shown)
    if left := len(findings) - len(shown):
        yield Below(f"and {counted(left, 'more difference')} (--all)")
    todo = odd_todo(odd.findings[0])
    if todo not in said:
        said.add(todo)
        yield Below(plain(todo), label="Do", pieces=pieces(todo))


# --- in short ------------------------------------------------------------------------------------------------

_OF_PORTS = {
    "service-missing": ("is missing", "are missing"),
    "frontend-missing": ("lacks an address", "lack addresses"),
    "endpoint-extra": ("has extra endpoints", "have extra endpoints"),
    "endpoint-missing": ("lacks endpoints", "lack endpoints"),
    "service-extra": ("is extra", "are extra"),
    "frontend-extra": ("has an extra address", "have extra addresses"),
    "property-differs": ("has another property", "have other properties"),
    "share-differs": ("has other shares", "have other shares"),
    "no-majority": ("is otherwise on others", "are otherwise on others"),
}
"""What several service ports have in common, by the id of the findings: of one, and of several."""


def several_text(result: FleetResult, findings: Iterable[OddFinding]) -> str:
    """Return findings in short: those about service ports are counted."""
    ports: dict[str, set[tuple[str, str, str]]] = {}
    of_nodes: dict[str, None] = {}
    for odd in findings:
        if odd.id in _OF_PORTS and odd.service is not None:
            ports.setdefault(_kind(odd), set()).add(port_of(odd))
        else:
            of_nodes[printable(odd_text(result, odd))] = None
    counts = [
        f"{counted(len(those), 'service port')} {_OF_PORTS[what][len(those) != 1]}"
        for what, those in ports.items()
    ]
    return "; ".join((*of_nodes, *counts))


def _kind(odd: OddFinding) -> str:
    """Return the key of what a finding has in common with others."""
    of_frontend = odd.frontend is not None and odd.id in {"service-missing", "service-extra"}
    return odd.id.replace("service", "frontend") if of_frontend else odd.id


def worst_text(result: FleetResult, odd: Sequence[OddNodes], named: Named) -> str:
    """Return which nodes are the most harmful, and in what."""
    return f"{node_names(named(odd[0].nodes))}: {several_text(result, odd[0].findings)}"
