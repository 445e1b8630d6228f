"""The view of a jump graph: chains, with those of one service, or of one family of names, folded into one."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from iptviz.checks.wording import sentences
from iptviz.kube.families import CLUSTER_CHAIN, ENDPOINT_CHAIN
from iptviz.kube.names import suffix_of
from iptviz.kube.naming import Naming
from iptviz.view.labels import dump_label
from iptviz.view.numbers import counted
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.rule import Rule
    from iptviz.questions.graph import ChainNode, GraphResult, Jump, Place

MOST_SERVICES = 12
"""More services than this are one node."""

MOST_ALIKE = 6
"""More chains than this, whose names differ in the end alone, are one node."""

MOST_NODES = 120
"""More nodes than this are not drawn: a picture of them could not be read."""

_STEM = re.compile(r"(.*[-_])[A-Za-z0-9+]*[A-Z0-9][A-Za-z0-9+]*|(.*[-_]).{8,}")
_HOVERED = 12


class GraphNode(NamedTuple):
    """A chain, or chains that are folded into one; `kind` is `hook`, `chain`, `service`, `fold` or `missing`."""

    id: Place
    kind: str
    lines: tuple[str, ...]


class GraphLink(NamedTuple):
    """All rules that lead from one node to another."""

    tail: Place
    head: Place
    rules: tuple[Rule, ...]

    @property
    def text(self) -> str:
        """How many rules they are, and where."""
        lines = sorted(rule.line for rule in self.rules)
        if len(lines) == 1:
            return f"line {lines[0]}"
        shown = ", ".join(map(str, lines[:3])) + (", ..." if len(lines) > 3 else "")
        return f"{counted(len(lines), 'rule')}: lines {shown}"


class GraphView(NamedTuple):
    """A line on the dump, what was asked, nodes and links, and what is to be said below."""

    source: str
    asked: str
    nodes: tuple[GraphNode, ...]
    links: tuple[GraphLink, ...]
    notes: tuple[str, ...]


def graph_view(result: GraphResult, *, fold: bool = True) -> GraphView:
    """Return the view of `result`; `fold` folds chains together and leaves out what nobody could read."""
    joined = {one.tail for one in result.jumps} | {one.head for one in result.jumps}
    chains = [
        one
        for one in result.chains
        if one.place in joined or (one.policy and (one.rules or one.policy != "ACCEPT"))
    ]
    alone = [one for one in result.chains if one.place not in joined and one.policy is None]
    groups = _Groups(result, chains) if fold else None
    homes = {one.place: groups.home(one) if groups else one.place for one in chains}
    nodes = {homes[one.place]: one for one in reversed(chains)}
    drawn = [_node(home, one, groups) for home, one in reversed(nodes.items())]
    links = _links(result.jumps, homes)
    notes = list(map(printable, sentences(result.notes)))
    if fold and len(drawn) > MOST_NODES:
        drawn, links, left_out = _nearest(drawn, links)
        notes.append(
            f"{counted(left_out, 'node')} left out: --around CHAIN shows what is near it, --all everything"
        )
    if alone:
        here = "nothing" if result.dump.complete else "nothing in this dump, which lacks lines,"
        notes.append(
            f"{here} leads to {_listed(alone)}, and {'it leads' if len(alone) == 1 else 'they lead'} nowhere"
        )
    asked = result.asked or "the whole jump graph"
    source = dump_label(result.dump, complete=result.dump.complete)
    return GraphView(source, printable(asked), tuple(drawn), tuple(links), tuple(notes))


def _acts_alone(one: ChainNode) -> bool:
    """Whether a built-in chain does something although it leads nowhere."""
    return one.policy is not None and (one.rules > 0 or one.policy != "ACCEPT")


def _listed(chains: list[ChainNode]) -> str:
    names = [printable(f"{one.table} {one.chain}") for one in chains]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


class _Groups:
    """Which chains are folded into one node."""

    def __init__(self, result: GraphResult, chains: list[ChainNode]) -> None:
        self._naming = Naming(result.dump)
        self._asked = {name for name in result.asked.split() if name}
        self._services = self._of_services(result.jumps, chains)
        self.counts = Counter(self._services.values())
        self.many = len(self.counts) > MOST_SERVICES
        self._stems = Counter(stem for one in chains if (stem := self._stem(one)))
        self._sizes: Counter[Place] = Counter(map(self.home, chains))

    def _of_services(self, jumps: tuple[Jump, ...], chains: list[ChainNode]) -> dict[Place, str]:
        """Return the hash of the service that a chain belongs to; endpoints belong to who leads there."""
        found = {
            one.place: suffix for one in chains if one.table == "nat" and (suffix := suffix_of(one.chain))
        }
        for jump in jumps:
            if jump.head[1].startswith(ENDPOINT_CHAIN) and jump.tail in found:
                found[jump.head] = found[jump.tail]
        return found

    def _stem(self, one: ChainNode) -> str | None:
        if one.place in self._services or one.policy is not None:
            return None
        found = _STEM.fullmatch(one.chain)
        return f"{one.table} {found[1] or found[2]}" if found else None

    def home(self, one: ChainNode) -> Place:
        """Return the node that a chain is drawn in."""
        suffix = self._services.get(one.place)
        if one.chain in self._asked:
            return one.place
        if suffix is not None:
            return (one.table, "services") if self.many else (one.table, f"service {suffix}")
        stem = self._stem(one)
        if stem is not None and self._stems[stem] > MOST_ALIKE:
            return one.table, f"family {stem}"
        return one.place

    def lines(self, home: Place, one: ChainNode) -> tuple[str, ...] | None:
        """Return what a folded node says, or None for a chain of its own."""
        if home == one.place:
            return None
        chains = counted(self._sizes[home], "chain")
        if home[1] == "services":
            return (
                f"{counted(len(self.counts), 'service port')}",
                f"{chains} of {CLUSTER_CHAIN}, {ENDPOINT_CHAIN} and the like",
            )
        suffix = self._services.get(one.place)
        if suffix is not None:
            name = self._naming.name_of(CLUSTER_CHAIN + suffix)
            return printable(name.text or f"service {suffix}"), chains
        return printable(f"{(self._stem(one) or '')}..."), chains


def _node(home: Place, one: ChainNode, groups: _Groups | None) -> GraphNode:
    folded = groups.lines(home, one) if groups else None
    if folded is not None:
        return GraphNode(home, "service" if home[1].startswith("service ") else "fold", folded)
    name = printable(f"{one.table} {one.chain}")
    if not one.present:
        return GraphNode(home, "missing", (name, "not in this dump"))
    policy = (printable(f"policy {one.policy}"),) if one.policy else ()
    return GraphNode(home, "hook" if one.policy else "chain", (name, *policy, counted(one.rules, "rule")))


def _links(jumps: tuple[Jump, ...], homes: dict[Place, Place]) -> list[GraphLink]:
    found: dict[tuple[Place, Place], list[Rule]] = {}
    for one in jumps:
        tail, head = homes[one.tail], homes[one.head]
        if tail != head or one.tail == one.head:
            found.setdefault((tail, head), []).extend(one.rules)
    return [GraphLink(*ends, tuple(rules)) for ends, rules in found.items()]


def _nearest(nodes: list[GraphNode], links: list[GraphLink]) -> tuple[list[GraphNode], list[GraphLink], int]:
    """Return the nodes nearest to the hooks, as many as can be read, and how many are left out."""
    heads: dict[Place, list[Place]] = {}
    for link in links:
        heads.setdefault(link.tail, []).append(link.head)
    kept = dict.fromkeys(one.id for one in nodes if one.kind == "hook")
    pending = list(kept)
    for place in pending:
        for head in heads.get(place, ()) if len(kept) < MOST_NODES else ():
            if head not in kept and len(kept) < MOST_NODES:
                kept[head] = None
                pending.append(head)
    shown = [one for one in nodes if one.id in kept]
    return shown, [one for one in links if one.tail in kept and one.head in kept], len(nodes) - len(shown)


def hovered(rules: tuple[Rule, ...]) -> Iterator[str]:
    """Yield the first rules of a link as they stand, and how many more there are."""
    yield from (f"line {rule.line}: {printable(rule.text)}" for rule in rules[:_HOVERED])
    if len(rules) > _HOVERED:
        yield f"and {len(rules) - _HOVERED} more"
