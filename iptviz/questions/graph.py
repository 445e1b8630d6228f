"""The question `graph` asks: which chain leads to which, everywhere, around a chain, or on a target's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.checks import reading
from iptviz.checks.finding import findings_among
from iptviz.checks.refused import dangling, loop
from iptviz.errors import AbsentError, TargetError, near, quoted
from iptviz.intake.remark import remark
from iptviz.intake.text import to_bytes, to_text
from iptviz.jumps import led_in, loops
from iptviz.kube.find import find
from iptviz.kube.names import suffix_of
from iptviz.kube.target import family_of_target, parse_target
from iptviz.node.snapshot import Snapshot, as_snapshot
from iptviz.questions.document import document_of
from iptviz.records import NamedTuple
from iptviz.rules.iptables import dump_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.checks.finding import Finding, Item
    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

Place = tuple[str, str]
"""A chain: its table and its name."""


class ChainNode(NamedTuple):
    """A chain; `policy` is that of a built-in one, `present` whether the dump has it."""

    table: str
    chain: str
    policy: str | None
    rules: int
    present: bool

    @property
    def place(self) -> Place:
        """The table and the name."""
        return self.table, self.chain


class Jump(NamedTuple):
    """All rules of one chain that lead to another."""

    tail: Place
    head: Place
    rules: tuple[Rule, ...]


class GraphResult(NamedTuple):
    """Chains and jumps, table by table; `asked` says which part of the dump that is, empty for all.

    `focus` is the TARGET on whose way they are, or empty.
    """

    dump: Dump
    asked: str
    chains: tuple[ChainNode, ...]
    jumps: tuple[Jump, ...]
    notes: tuple[Item, ...]
    focus: str = ""
    snapshot: Snapshot | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with these chains."""
        return findings_among(self.notes)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.graph.v1`."""
        return document_of("graph", self)


def graph(
    dump: Dump | Snapshot,
    *,
    tables: Iterable[str] = (),
    around: str | None = None,
    depth: int = 2,
    focus: str | None = None,
) -> GraphResult:
    """Return which chain leads to which: in `tables`, or in all, of the dump that is obviously meant.

    `around` is a chain, of which those are returned that lead to it, or that it leads to, within `depth`
    jumps; `focus` is a TARGET, of which the chains on its way are returned.

    Raises:
        TargetError: there is no such table, or TARGET has no form that names anything.
        AbsentError: the dump does not have the chain, or TARGET.
    """
    snapshot = as_snapshot(dump)
    family = family_of_target(focus) if focus is not None else None
    return _graph(snapshot, snapshot.of_family(family)[0], tables, around, depth, focus)


def _graph(
    snapshot: Snapshot,
    dump: Dump,
    tables: Iterable[str],
    around: str | None,
    depth: int,
    focus: str | None,
) -> GraphResult:
    """Return the graph of one dump of a node."""
    wanted = tuple(tables) or tuple(dump.tables)
    for name in wanted:
        if name not in dump.tables:
            raise TargetError(
                f"no table {quoted(name)} in this dump",
                where=dump.source,
                hint=f"{near(name, dump.tables)}tables: {', '.join(dump.tables)}",
            )
    found = [jump for name in wanted for jump in _jumps(dump.tables[name])]
    places, asked = None, ""
    if around is not None:
        places, asked = (
            _around(dump, wanted, found, around, depth),
            f"within {depth:,} jump{'' if depth == 1 else 's'} of {around}",
        )
    elif focus is not None:
        places, asked = _focus(dump, found, focus), f"on the path of {focus}"
    kept = [jump for jump in found if places is None or {jump.tail, jump.head} <= places]
    chains = [chain for chain in _nodes(dump, wanted, found) if places is None or chain.place in places]
    notes = (*_notes(dump, kept, chains), *_other_dumps(snapshot, dump))
    return GraphResult(dump, asked, tuple(chains), tuple(kept), notes, focus or "", snapshot)


def _other_dumps(node: Snapshot, drawn: Dump) -> Iterator[Item]:
    """Say of which dumps of the node nothing is drawn."""
    for dump in node.dumps:
        if dump is not drawn:
            yield remark(
                "dump-not-drawn", number=dump.number, source=dump.source, what=dump.tool or dump.family
            )


def _jumps(table: Table) -> Iterator[Jump]:
    found = led_in(table)
    places = {name: (table.name, name) for led in found for name in led[:2]}
    for tail, head, rules in found:
        yield Jump(places[tail], places[head], rules)


def _nodes(dump: Dump, tables: Iterable[str], found: list[Jump]) -> Iterator[ChainNode]:
    missing = {jump.head for jump in found}
    for name in tables:
        table = dump.tables[name]
        policies, counts = table.policies(), table.rule_counts()
        for chain in table.chain_names():
            missing.discard((name, chain))
            yield ChainNode(name, chain, policies.get(chain), counts.get(chain, 0), present=True)
    yield from (ChainNode(*place, None, 0, present=False) for place in sorted(missing))


def _around(dump: Dump, tables: Iterable[str], found: list[Jump], chain: str, depth: int) -> set[Place]:
    """Return what is at most so many jumps up or down from a chain, in every table that has it."""
    start = {(name, chain) for name in tables if chain in dump.tables[name].chains}
    start |= {jump.head for jump in found if jump.head[1] == chain}
    if not start:
        # Of hashes one looks like another.
        names = [name for table in tables for name in dump.tables[table].chain_names() if not suffix_of(name)]
        raise AbsentError(
            f"no chain {quoted(chain)} in this dump",
            where=dump.source,
            hint=f"{near(chain, names)}list them: iptviz graph DUMP",
        )
    up, down = _ways(found)
    return _reached(start, up, depth) | _reached(start, down, depth)


def _ways(found: list[Jump]) -> tuple[dict[Place, set[Place]], dict[Place, set[Place]]]:
    """Return what leads to each chain, and what each leads to."""
    up: dict[Place, set[Place]] = {}
    down: dict[Place, set[Place]] = {}
    for jump in found:
        down.setdefault(jump.tail, set()).add(jump.head)
        up.setdefault(jump.head, set()).add(jump.tail)
    return up, down


def _reached(start: set[Place], ways: dict[Place, set[Place]], depth: int | None = None) -> set[Place]:
    """Return what can be reached from `start`, in at most `depth` steps."""
    seen, edge = set(start), set(start)
    while edge and depth != 0:
        edge = {further for place in edge for further in ways.get(place, ())} - seen
        seen |= edge
        depth = None if depth is None else depth - 1
    return seen


def _focus(dump: Dump, found: list[Jump], target: str) -> set[Place]:
    """Return the chains on the ways of a target's frontends: those before them, and all behind."""
    frontends = find(dump, parse_target(target)).frontends
    if not frontends:
        from iptviz.checks.absence import absence
        from iptviz.checks.wording import sentences

        _, *more = sentences(absence(dump, parse_target(target), target))
        raise AbsentError(
            f"no service matches {quoted(target)} in this dump", where=dump.source, hint="\n  ".join(more)
        )
    up, down = _ways(found)
    rules = [dump_rule(frontend.rule) for frontend in frontends]
    entries = {(rule.table.name, rule.chain) for rule in rules}
    behind = {(rule.table.name, rule.jump) for rule in rules if rule.jump}
    return _reached(entries, up) | _reached(behind, down)


def _notes(dump: Dump, kept: list[Jump], nodes: list[ChainNode]) -> Iterator[Item]:
    yield from reading.gaps(dump)
    rules = {(jump.tail, jump.head): jump.rules for jump in kept}
    missing = {node.place for node in nodes if not node.present}
    for jump in kept:
        if jump.head in missing and not dump.tables[jump.head[0]].shown.is_excerpt:
            yield dangling((jump.head[1],), jump.rules, complete=dump.complete)
    for group in loops(rules):
        within = set(group)
        inner = [rule for (tail, head), some in rules.items() if {tail, head} <= within for rule in some]
        yield loop(
            [chain for _, chain in group], inner, reached=_is_reached(dump.tables[group[0][0]], within)
        )


def _is_reached(table: Table, chains: set[Place]) -> bool:
    """Whether a built-in chain leads to one of `chains`, which are of `table`."""
    hooks = [to_bytes(name) for name, chain in table.chains.items() if chain.is_built_in]
    return any(
        (table.name, to_text(chain)) in chains for hook in hooks for chain in table.calls.reached(hook)
    )
