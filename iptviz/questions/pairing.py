"""Which dumps of two nodes, or of one at two moments, are compared with each other, and with what evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.era import mode_remark
from iptviz.checks.wording import sentence
from iptviz.compare.ports.hiding import Hiding
from iptviz.errors import DumpError
from iptviz.intake.remark import remark
from iptviz.kube.mode import PROXY_MODES, mode_of
from iptviz.node.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.compare.ports.hiding import Sides
    from iptviz.dump.model import Dump

    Pair = tuple[Dump, Dump]

_SHOWN = frozenset({"iptables", "flushed", "none"})
"""Modes in which services would be in the rules that are there."""
_KEPT_ELSEWHERE = frozenset({*PROXY_MODES, "elsewhere"} - {"iptables"})
_DECIDING = ("addresses", "routes", "rules", "ipsets", "recent", "sysctls", "nft", "table names")
"""Evidence that decides how new connections fare."""


def paired(old: Snapshot, new: Snapshot) -> tuple[Pair, ...]:
    """Return which dumps of two nodes belong together: those of one family, where it has several, of one backend.

    Raises:
        DumpError: no family of addresses is on both sides.
    """
    families = dict.fromkeys(dump.family for dump in (*new.dumps, *old.dumps))
    pairs = tuple(
        pair for family in families for pair in _of_family(_dumps(old, family), _dumps(new, family))
    )
    if not pairs:
        raise DumpError(
            f"cannot compare {old.dump.family} rules with {new.dump.family} rules",
            where=new.dump.source,
            hint="name two dumps of one family, or bundles that hold both",
        )
    return pairs


def _dumps(node: Snapshot, family: str) -> list[Dump]:
    return [dump for dump in node.dumps if dump.family == family]


def _of_family(old: list[Dump], new: list[Dump]) -> Iterator[Pair]:
    """Yield pairs: first of one backend, then of what is left in its order, the obvious dumps first."""
    if len(old) > 1 or len(new) > 1:
        for one in list(old):
            same = next((other for other in new if other.backend == one.backend), None)
            if same is not None:
                old.remove(one)
                new.remove(same)
                yield one, same
    yield from zip(old, new, strict=False)


def unpaired(old: Snapshot, new: Snapshot, pairs: Sequence[Pair]) -> Iterator[Item]:
    """Yield which dumps have none to be compared with."""
    for place, (side, node) in enumerate((("old", old), ("new", new))):
        taken = {id(pair[place]) for pair in pairs}
        for dump in node.dumps:
            if id(dump) not in taken:
                yield remark(
                    "dump-on-one-side",
                    side=side,
                    family=dump.family,
                    backend=dump.backend,
                    source=dump.source,
                )


def with_shared_evidence(old: Snapshot, new: Snapshot) -> tuple[Snapshot, Snapshot, tuple[Item, ...]]:
    """Return both nodes with the kinds of evidence alone that both have, and what that leaves out.

    What is known of one side alone would make connections fare otherwise there, though no rule differs.
    """
    kinds = [{piece.kind for piece in node.evidence if piece.is_used} for node in (old, new)]
    lone = {
        side: tuple(kind for kind in _DECIDING if kind in own - other)
        for side, own, other in (("old", kinds[0], kinds[1]), ("new", kinds[1], kinds[0]))
    }
    said = tuple(
        remark("evidence-on-one-side", side=side, kinds=found) for side, found in lone.items() if found
    )
    dropped = {kind for found in lone.values() for kind in found}
    return _without(old, dropped), _without(new, dropped), said


def _without(node: Snapshot, kinds: set[str]) -> Snapshot:
    if not kinds:
        return node
    kept = (piece for piece in node.evidence if piece.kind not in kinds)
    return Snapshot(node.dumps, kept, name=node.name, problems=node.problems)


def hiding_of(nodes: tuple[Snapshot, Snapshot], pair: tuple[Dump, Dump]) -> Sides:
    """Return what each of two dumps of nodes may have and does not show."""
    old, new = (Hiding(dump, node.unseen_tables(dump)) for node, dump in zip(nodes, pair, strict=True))
    return old, new


def findings_hidden(nodes: tuple[Snapshot, Snapshot], pair: Pair) -> tuple[bool, bool]:
    """Return of each of two dumps whether `check` may find less in it, or something else, than in all its rules.

    Of tables that it does not show those count in which the other has rules.
    """
    return (
        _hides_from_checks(nodes[0], pair[0], pair[1]),
        _hides_from_checks(nodes[1], pair[1], pair[0]),
    )


def _hides_from_checks(node: Snapshot, dump: Dump, other: Dump) -> bool:
    shown = {name for name, table in other.tables.items() if table.rule_count}
    return not dump.complete or not shown.isdisjoint(node.unseen_tables(dump))


def services_in(pair: Pair) -> Iterator[Item]:
    """Yield why the service ports of two dumps are not compared; nothing where they are.

    Raises:
        DumpError: one side keeps its services elsewhere, and the other does not.
    """
    modes = [mode.lacking or mode.name for mode in map(mode_of, pair)]
    elsewhere = [mode in _KEPT_ELSEWHERE for mode in modes]
    if any(elsewhere) and "iptables" in modes:
        raise _of_another_mode(pair[elsewhere.index(True)], modes[elsewhere.index(True)])
    for side, dump, mode in zip(("old", "new"), pair, modes, strict=True):
        if mode not in _SHOWN:
            because = mode_remark(mode)
            yield remark("services-not-compared", side=side, source=dump.source, because=because)


def _of_another_mode(dump: Dump, mode: str) -> DumpError:
    return DumpError(
        f"services cannot be compared: {sentence(mode_remark(mode))}",
        where=dump.source,
        hint="the other side has its services in iptables rules; compare nodes of one mode",
    )
