"""Which pieces are of one node, and which of its dumps say the same, belong together, or stand side by side."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.errors import DumpError, quoted
from iptviz.intake.plain import DumpForm
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Chain, Table
    from iptviz.node.evidence import Evidence
    from iptviz.source.origin import Source

_SHOWN = 12
# Not compiled here: one dump by itself needs neither.
_VOLATILE = rb"(?m)^#[^\n]*\n|\[\d+:\d+\] ?"
_EXACT = r"-[nvLt]*x[nvL]*$"
"""The options of a listing whose counters are not abbreviated, at the end of a file's name."""


_OF_A_NODE = {"addresses", "routes", "rules", "ipsets"}
"""Kinds of evidence that a collector saves once for each node."""


class Group(NamedTuple):
    """What is of one node; `name` is None where nothing tells it."""

    name: str | None
    dumps: tuple[Dump, ...]
    evidence: tuple[Evidence, ...]


# --- nodes ---------------------------------------------------------------------------------------------------


def by_node(dumps: Sequence[Dump], evidence: Sequence[Evidence]) -> list[Group]:
    """Return the nodes in the order of their dumps; of network namespaces that are no node's own, nothing.

    What names no node belongs to the only one there is. Where several have no name, as nothing tells them but the
    folders in which they stand, these are their names.
    """
    own = [dump for dump in dumps if dump.namespace is None]
    if not own:
        return []
    own_evidence = [piece for piece in evidence if piece.namespace is None]
    folders = _Folders(
        [dump for dump in own if dump.node is None], [piece for piece in own_evidence if piece.node is None]
    )
    names = list(dict.fromkeys(dump.node or folders.name(dump.origin) for dump in own))
    named = [name for name in names if name is not None]
    if len(named) < 2:
        of_evidence = list(dict.fromkeys(filter(None, (piece.node for piece in own_evidence))))
        name = next(iter(named or (of_evidence if len(of_evidence) == 1 else ())), None)
        fitting = (
            piece for piece in own_evidence if (piece.node or folders.name(piece.source)) in {None, name}
        )
        return [Group(name, tuple(own), tuple(fitting))] if own else []
    return [
        Group(
            name,
            tuple(dump for dump in own if (dump.node or folders.name(dump.origin)) == name),
            tuple(piece for piece in own_evidence if (piece.node or folders.name(piece.source)) == name),
        )
        for name in names
    ]


class _Folders:
    """Names nodes by the folders in which things without a node's name stand, where several say the same thing.

    These are dumps of one family, and evidence of one kind in files of one name.
    """

    def __init__(self, dumps: Sequence[Dump], evidence: Sequence[Evidence]) -> None:
        folders: dict[tuple[str, str], set[tuple[str, ...]]] = {}
        for dump in dumps:
            *folder, _ = dump.origin.inside.split("/")
            folders.setdefault((dump.family, ""), set()).add(tuple(folder))
        for piece in evidence:
            *folder, name = piece.source.inside.split("/")
            if piece.kind in _OF_A_NODE:
                folders.setdefault((piece.kind, name), set()).add(tuple(folder))
        self._depth: int | None = None
        if any(len(found) > 1 for found in folders.values()):
            self._depth = _shared([folder for found in folders.values() for folder in found])

    def name(self, source: Source) -> str | None:
        """Return the folder that tells a text from the others; None where folders tell nothing."""
        *folder, _ = source.inside.split("/")
        return folder[self._depth] if self._depth is not None and len(folder) > self._depth else None


def _shared(folders: Sequence[tuple[str, ...]]) -> int:
    """Return how many folders at the beginning all paths share."""
    return next(
        (at for at, names in enumerate(zip(*folders, strict=False)) if len(set(names)) > 1),
        min(map(len, folders)),
    )


def choose_node(groups: Sequence[Group], name: str, wanted: str | None) -> Group:
    """Return the node called `wanted`, or the only one; `name` is what messages call the input.

    Raises:
        DumpError: there are several, or none of that name.
    """
    if len(groups) == 1 and wanted in {None, groups[0].name}:
        return groups[0]
    if len(groups) == 1 and groups[0].name is None:
        raise DumpError(
            f"no node name in it: cannot tell whether it is {quoted(wanted)}",
            where=name,
            hint="drop --node",
        )
    chosen = [group for group in groups if group.name is not None and group.name == wanted]
    if chosen:
        return chosen[0]
    names = ", ".join(group.name or "(no name)" for group in groups[:_SHOWN])
    more = f" and {len(groups) - _SHOWN} more, see iptviz sources" if len(groups) > _SHOWN else ""
    if wanted is None:
        raise DumpError(
            f"contains dumps of {len(groups)} nodes: {names}{more}",
            where=name,
            hint="pick one with --node NAME",
        )
    raise DumpError(f"no dump of node {quoted(wanted)}; nodes: {names}{more}", where=name)


# --- the dumps of one node -----------------------------------------------------------------------------------


def settle(dumps: Sequence[Dump], name: str, family: str | None = None) -> list[Dump]:
    """Return a node's dumps, one for each family and backend, the obvious one first; `family` is preferred.

    Dumps of disjoint tables are joined: listings are made table by table.

    Raises:
        DumpError: several say different things of the same tables, and nothing tells which one is meant.
    """
    slots: dict[tuple[str, str | None], list[Dump]] = {}
    for dump in dumps:
        slots.setdefault((dump.family, dump.backend), []).append(dump)
    _give_away_the_unknown(slots)
    _refuse_the_unknown(slots, name)
    found = [_as_one(slot, dumps, name) for slot in slots.values()]
    better = (*([_of_family(family)] if family else []), *BETTER)
    return sorted(found, key=lambda dump: [not is_better(dump) for is_better in better])


def _give_away_the_unknown(slots: dict[tuple[str, str | None], list[Dump]]) -> None:
    """Put dumps that tell no backend to those of the only one that others of their family tell."""
    for family in {family for family, _ in slots}:
        known = [slot for slot in slots if slot[0] == family and slot[1] is not None]
        unknown = slots.get((family, None), [])
        lesser = bool(known) and all(dump.form == DumpForm.LISTING for dump in unknown)
        if unknown and (len(known) == 1 or lesser):
            slots[known[0]] += unknown
            del slots[family, None]


def _refuse_the_unknown(slots: dict[tuple[str, str | None], list[Dump]], name: str) -> None:
    """Raise DumpError where one dump tells no backend and others tell two: it may be the same as either."""
    for (family, backend), dumps in slots.items():
        if backend is None and any(of == family and known for of, known in slots):
            raise DumpError(
                f"contains {count(dumps)} of unknown backend besides others; pick one with --dump N",
                where=name,
                hint=listing(dumps),
            )


def _as_one(slot: list[Dump], dumps: Sequence[Dump], name: str) -> Dump:
    """Return the dump of one family and backend: the one that is meant, joined with those of other tables.

    Where nothing tells which one is meant, all `dumps` are to choose from.
    """
    joined: list[Dump] = []
    rivals: list[Dump] = []
    for dump in sorted(slot, key=_fullness):
        here = {table for other in joined for table in other.tables}
        saved = any(other.form == DumpForm.SAVE for other in joined)
        if saved and dump.form != DumpForm.SAVE and not dump.rule_count:
            continue  # a save has all tables there are; to list one that is not there makes it, empty
        if here.isdisjoint(dump.tables):
            joined.append(dump)
        elif not _says_less(dump, joined):
            rivals.append(dump)
    if rivals:
        saves = [dump for dump in slot if dump.form == DumpForm.SAVE and dump.rule_count]
        if saves and len(saves) < len(slot):
            return _as_one(saves, dumps, name)
        return _choose([*joined, *rivals], dumps, name)
    first, *others = sorted(joined, key=lambda dump: (dump.form != DumpForm.SAVE, dump.number))
    return first.joined_with(others) if others else first


def _fullness(dump: Dump) -> tuple[bool, int, bool, bool, int]:
    """Order dumps: with rules, by what their form shows, of a known backend, exactly counted, as they stand."""
    forms = (DumpForm.SAVE, DumpForm.RULES, DumpForm.NFT, DumpForm.LISTING)
    exact = re.search(_EXACT, dump.origin.inside) is not None
    return not dump.rule_count, forms.index(dump.form), dump.backend is None, not exact, dump.number


def _says_less(dump: Dump, others: Sequence[Dump]) -> bool:
    """Whether a dump adds nothing: it is the same, has no rules, or lists what a better form has."""
    if not dump.rule_count or any(_same(dump, other) for other in others):
        return True
    there = {name: table for other in others for name, table in other.tables.items()}
    if dump.form != DumpForm.LISTING or not dump.tables.keys() <= there.keys():
        return False
    better = {name for other in others if other.form != DumpForm.LISTING for name in other.tables}
    return all(name in better or _lists_the_same(table, there[name]) for name, table in dump.tables.items())


def _lists_the_same(one: Table, other: Table) -> bool:
    """Whether two listings of a table have the same chains, policies and rules, whatever their counters say."""
    return [_chain_text(chain) for chain in one.chains.values()] == [
        _chain_text(chain) for chain in other.chains.values()
    ]


def _chain_text(chain: Chain) -> tuple[str, str | None, list[str]]:
    return chain.name, chain.policy, [rule.text for rule in chain.rules]


def _same(one: Dump, other: Dump) -> bool:
    return re.sub(_VOLATILE, b"", one.data) == re.sub(_VOLATILE, b"", other.data)


def _choose(rivals: Sequence[Dump], dumps: Sequence[Dump], name: str) -> Dump:
    """Return the dump among `rivals` that is obviously meant.

    Raises:
        DumpError: nothing tells which one; it lists all `dumps`.
    """
    left = list(rivals)
    for better in BETTER:
        left = [dump for dump in left if better(dump)] or left
    if all(_same(dump, left[0]) for dump in left):
        return left[0]
    raise DumpError(
        f"contains {count(dumps)}; pick one with --dump N",
        where=name,
        hint=listing(dumps),
    )


def _of_family(family: str) -> Callable[[Dump], bool]:
    return lambda dump: dump.family == family


BETTER: tuple[Callable[[Dump], bool], ...] = (
    lambda dump: dump.rule_count > 0,
    lambda dump: any(next(table.rules_with("KUBE-"), None) for table in dump.tables.values()),
    lambda dump: dump.form == "iptables-save",
    lambda dump: dump.family == "ipv4",
    lambda dump: {"nat", "filter"} <= set(dump.tables),
)
"""What makes one dump more likely to be meant than another, the strongest reason first."""


def count(dumps: Sequence[Dump]) -> str:
    """Return how many dumps there are."""
    return f"{len(dumps)} dumps" if len(dumps) > 1 else "1 dump"


def listing(dumps: Sequence[Dump]) -> str:
    """Return a line for each of the first few dumps, with its number."""
    files = {dump.origin.bundle for dump in dumps}
    lines = [
        f"{dump.number}: {f'{dump.origin.bundle} · ' if len(files) > 1 else ''}{dump.describe()}"
        for dump in dumps[:_SHOWN]
    ]
    more = [f"and {len(dumps) - _SHOWN} more; list them: iptviz sources"] if len(dumps) > _SHOWN else []
    return "\n  ".join(lines + more)
