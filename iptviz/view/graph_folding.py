"""What is shown of a jump graph: chains, those of one service or of one family of names folded into one."""

from __future__ import annotations

import re
from collections import Counter
from heapq import nsmallest
from typing import TYPE_CHECKING, Literal

from iptviz.dump.rule import Rule
from iptviz.intake.remark import remark
from iptviz.kube.families import family_of
from iptviz.records import NamedTuple
from iptviz.rules.leading import goes_for_good
from iptviz.view.graph_services import services_of
from iptviz.view.labels import here, line_label, note_texts
from iptviz.view.numbers import counted
from iptviz.view.text import printable

if TYPE_CHECKING:
    from iptviz.node.listing import RuleSource
    from iptviz.questions.drawn import ChainNode, Jump, Place
    from iptviz.questions.graph import GraphResult
    from iptviz.rules.form import Place as Leading

MOST_SERVICES = 12
"""More services than this are one node."""

MOST_ALIKE = 6
"""More chains than this, whose names differ in the end alone, are one node."""

MOST_NODES = 120
"""More nodes than this are not drawn: a picture of them could not be read."""

_MOST_NAMED = 3
"""Lines of so many rules are named; of the others it is told how many they are."""

_ALL = "all services"
"""The node of all services, where they are too many; no chain has that name."""

_STEM = re.compile(r"(.*[-_])[A-Za-z0-9+]*[A-Z0-9][A-Za-z0-9+]*|(.*[-_]).{8,}")


class GraphNode(NamedTuple):
    """A chain, or chains that are folded into one; `kind` is `hook`, `chain`, `service`, `fold` or `missing`."""

    id: Place
    kind: Literal["hook", "chain", "service", "fold", "missing"]
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines as one."""
        return " · ".join(self.lines)


class GraphLink(NamedTuple):
    """All rules that lead from one node to another."""

    tail: Place
    head: Place
    rules: tuple[Leading, ...]

    @property
    def kind(self) -> str:
        """Whether they call the other chain, or go there for good."""
        return "goto" if all(map(goes_for_good, self.rules)) else "jump"

    @property
    def text(self) -> str:
        """How many rules they are, and where."""
        if len(self.rules) == 1:
            return line_label(self.rules[0], self.tail[1])
        first = nsmallest(_MOST_NAMED, self.rules, key=_order)
        lines = [str(rule.line) for rule in first if rule.line]
        of_maps = all(getattr(rule, "element", None) is not None for rule in self.rules)
        what = counted(len(self.rules), "element" if of_maps else "rule")
        if not lines:
            return what
        more = [] if len(self.rules) == len(first) else ["..."]
        return f"{what}: lines {', '.join([*lines, *more])}"


def _order(rule: Leading) -> int:
    """Return what comes earlier for what stands earlier: of a dump it takes time to tell the line of a rule."""
    return rule.start if isinstance(rule, Rule) else rule.line


class ShownGraph(NamedTuple):
    """Nodes and links, and what is to be said of what they leave out."""

    nodes: tuple[GraphNode, ...]
    links: tuple[GraphLink, ...]
    notes: tuple[str, ...]


def shown_graph(result: GraphResult, *, fold: bool = True) -> ShownGraph:
    """Return what is shown of `result`: of chains that lead nowhere those alone that do something."""
    joined = {end for jump in result.jumps for end in (jump.tail, jump.head)}
    chains: list[ChainNode] = []
    alone: list[ChainNode] = []
    for chain in result.chains:
        if chain.place in joined or (chain.policy and (chain.rules or chain.policy.upper() != "ACCEPT")):
            chains.append(chain)
        elif chain.policy is None and not _is_canary(chain):
            alone.append(chain)
    groups = _Groups(result, chains) if fold else None
    homes = groups.homes if groups else {chain.place: chain.place for chain in chains}
    nodes = {homes[chain.place]: chain for chain in reversed(chains)}
    drawn = [_node(home, chain, groups, result.dump) for home, chain in reversed(nodes.items())]
    links = _links(result.jumps, homes)
    notes = [*result.notes]
    if fold and len(drawn) > MOST_NODES:
        drawn, links, left_out = _nearest(drawn, links)
        notes.append(remark("nodes-left-out", count=left_out))
    there = here(result.dump).removeprefix("this ")
    for empty in (True, False):
        names = tuple(f"{chain.table} {chain.chain}" for chain in alone if empty is not bool(chain.rules))
        if names:
            notes.append(
                remark("chains-alone", chains=names, empty=empty, complete=result.dump.complete, there=there)
            )
    return ShownGraph(tuple(drawn), tuple(links), note_texts(notes))


def _is_canary(chain: ChainNode) -> bool:
    """Whether a chain is one that is always there, without a rule, to reveal a flush."""
    family = family_of(chain.chain, chain.table)
    return family is not None and family.role == "canary" and not chain.rules


class _Groups:
    """Which chains are folded into one node: `homes` has the node that each is drawn in."""

    def __init__(self, result: GraphResult, chains: list[ChainNode]) -> None:
        self._of = services_of(result.dump)
        self._focus = result.focus
        self._services = self._of.of(result.jumps, chains)
        self.counts = Counter(self._services.values())
        self.many = len(self.counts) > MOST_SERVICES
        self._stems = Counter(stem for chain in chains if (stem := self._stem(chain)))
        self.homes = {chain.place: self._home(chain) for chain in chains}
        self._sizes = Counter(self.homes.values())

    def _stem(self, chain: ChainNode) -> str | None:
        if chain.place in self._services or chain.policy is not None:
            return None
        found = _STEM.fullmatch(chain.chain)
        return f"{chain.table} {found[1] or found[2]}" if found else None

    def _home(self, chain: ChainNode) -> Place:
        """Return the node that a chain is drawn in."""
        suffix = self._services.get(chain.place)
        if self.many and suffix is not None and chain.chain != self._focus:
            return chain.table, _ALL
        if chain.chain == self._focus:
            return chain.place
        if suffix is not None:
            return chain.table, f"service {suffix}"
        stem = self._stem(chain)
        if stem is not None and self._stems[stem] > MOST_ALIKE:
            return chain.table, f"family {stem}"
        return chain.place

    def lines(self, home: Place, chain: ChainNode) -> tuple[str, ...] | None:
        """Return what a folded node says, or None for a chain of its own."""
        if home == chain.place:
            return None
        size = counted(self._sizes[home], "chain")
        if home[1] == _ALL:
            return (
                f"{counted(len(self.counts), 'service port')}",
                f"{size} of {self._of.kinds} and the like",
            )
        suffix = self._services.get(chain.place)
        if suffix is not None:
            return printable(self._of.name(suffix) or f"service {suffix}"), size
        return printable(f"{(self._stem(chain) or '')}..."), size


def _node(home: Place, chain: ChainNode, groups: _Groups | None, source: RuleSource) -> GraphNode:
    folded = groups.lines(home, chain) if groups else None
    if folded is not None:
        return GraphNode(home, "service" if home[1].startswith("service ") else "fold", folded)
    name = printable(f"{chain.table} {chain.chain}")
    if not chain.present:
        return GraphNode(home, "missing", (name, f"not in {here(source)}"))
    policy = (printable(f"policy {chain.policy}"),) if chain.policy else ()
    if chain.hook is not None:
        policy = (printable(chain.hook.text), *policy)
    return GraphNode(home, "hook" if chain.policy else "chain", (name, *policy, counted(chain.rules, "rule")))


def _links(jumps: tuple[Jump, ...], homes: dict[Place, Place]) -> list[GraphLink]:
    found: dict[tuple[Place, Place], list[Leading]] = {}
    for jump in jumps:
        tail, head = homes[jump.tail], homes[jump.head]
        if tail != head or jump.tail == jump.head:
            found.setdefault((tail, head), []).extend(jump.rules)
    return [GraphLink(*ends, tuple(rules)) for ends, rules in found.items()]


def _nearest(nodes: list[GraphNode], links: list[GraphLink]) -> tuple[list[GraphNode], list[GraphLink], int]:
    """Return the nodes nearest to the hooks, as many as can be read, and how many are left out."""
    heads: dict[Place, list[Place]] = {}
    for link in links:
        heads.setdefault(link.tail, []).append(link.head)
    kept = dict.fromkeys(node.id for node in nodes if node.kind == "hook")
    pending = list(kept)
    for place in pending:
        for head in heads.get(place, ()) if len(kept) < MOST_NODES else ():
            if head not in kept and len(kept) < MOST_NODES:
                kept[head] = None
                pending.append(head)
    shown = [node for node in nodes if node.id in kept]
    joining = [link for link in links if link.tail in kept and link.head in kept]
    return shown, joining, len(nodes) - len(shown)
