"""The view of what changed between two nodes: the answer in a line, services, chains and rules, findings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from iptviz.view.blocks import Fact, Facts, Heading, Notes, View, later
from iptviz.view.changes import Changes
from iptviz.view.diff_rules import chain_lines, finding_lines, folded_info, told_of
from iptviz.view.diff_services import for_single_clients, is_worse, service_lines
from iptviz.view.labels import dumps_label, note_texts
from iptviz.view.numbers import counted
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.compare.chains.forms import ChainChange
    from iptviz.compare.ports.differences import PortChanges
    from iptviz.questions.diff import DiffResult
    from iptviz.questions.diff_pair import PairDiff
    from iptviz.view.blocks import Block
    from iptviz.view.changes import ChangeLine
    from iptviz.view.nodes import Mood

SAME = "No difference"
"""The label of an answer where nothing differs: in what was compared."""


def diff_view(result: DiffResult, *, fold: bool = True) -> View:
    """Return the view of `result`; `fold` shortens long lists and leaves out what is no more than information."""
    if result.fates is not None or result.equivalences:
        from iptviz.view.diff_asked import asked_lead, asked_parts  # most ask for all that changed

        lead, parts = asked_lead(result), asked_parts(result, fold=fold)
    else:
        lead, parts = _answer(result), _parts(result, fold=fold)
    return View(
        "What changed",
        "",
        (
            *parts,
            Facts(later(lambda: tuple(_facts(result, fold=fold)))),
            Notes(later(lambda: note_texts(result.notes))),
        ),
        document=result.to_dict,
        lead=(Facts(later(lambda: (lead,))), Facts(later(lambda: tuple(_sides(result))))),
    )


def _sides(result: DiffResult) -> Iterator[Fact]:
    for label, sources in (("Old", result.sources(0)), ("New", result.sources(1))):
        yield Fact(label, dumps_label(sources, complete=all(source.complete for source in sources)))


# --- the answer in a line --------------------------------------------------------------------------------------


def _answer(result: DiffResult) -> Fact:
    """Return what differs in short; where nothing does, what was compared, never that all is equal."""
    if not result.differs and not any(pair.chains or any(pair.counts) for pair in result.pairs):
        return Fact("Not compared", "neither side has such services", "", "verdict")
    if not result.differs and not compared_text(result):
        return Fact("Not compared", "nothing that both sides show", "", "verdict")
    if not result.differs:
        return Fact(SAME, f"in what was compared: {compared_text(result)}", "good", "verdict")
    worse = any(is_worse(port) for pair in result.pairs if pair.ports for port in pair.ports.changed)
    mood: Mood = "bad" if worse else ""
    return Fact("Differs", "; ".join(filter(None, _clauses(result))), mood, "verdict")


def _clauses(result: DiffResult) -> Iterator[str]:
    ports = [pair.ports for pair in result.pairs if pair.ports]
    counts = {
        "added": sum(len(one.added) for one in ports),
        "removed": sum(len(one.removed) for one in ports),
        "changed": sum(not for_single_clients(port) for one in ports for port in one.changed),
    }
    single = sum(for_single_clients(port) for one in ports for port in one.changed)
    worse = sum(is_worse(port) for one in ports for port in one.changed)
    yield (
        _no_port(ports)
        + _joined("service port", counts)
        + (f" ({worse:,} less well reached)" if worse else "")
    )
    yield f"{counted(single, 'service port')} reached otherwise by single clients" if single else ""
    yield _rules_clause([change for pair in result.pairs for change in told_of(pair) if not change.inert])
    found = [pair.findings for pair in result.pairs]
    news = sum(len(one.new) for one in found) - sum(_infos(one.new) for one in found)
    gone = sum(len(one.gone) for one in found) - sum(_infos(one.gone) for one in found)
    yield ", ".join(
        [
            *([counted(news, "new finding")] if news else []),
            *([f"{gone:,} gone"] if gone and news else [f"{counted(gone, 'finding')} gone"] if gone else []),
        ]
    )


def _no_port(ports: Sequence[PortChanges]) -> str:
    """Return that no service port differs, where all that clients meet was compared: what most ask first."""
    known = all(one.compared and _MET.isdisjoint(one.not_compared) for one in ports)
    return "no service port" if ports and known and not any(one.differ for one in ports) else ""


_MET = frozenset({"services", "frontends", "endpoints", "shares", "port", "reached"})


def _infos(findings: Sequence[object]) -> int:
    return sum(getattr(one, "severity", "") == "info" for one in findings)


def _joined(noun: str, counts: dict[str, int]) -> str:
    """Return `2 service ports added, 1 changed`."""
    found = [(what, count) for what, count in counts.items() if count]
    return ", ".join(
        f"{counted(count, noun)} {what}" if place == 0 else f"{count:,} {what}"
        for place, (what, count) in enumerate(found)
    )


def _rules_clause(changes: Sequence[ChainChange]) -> str:
    """Return `3 rules of FORWARD changed`, of more chains how many."""
    kinds = Counter(one.kind for one in changes if one.kind != "changed")
    parts = [_joined("chain", {what: kinds[what] for what in ("added", "removed") if kinds[what]})]
    changed = [one for one in changes if one.kind == "changed"]
    if changed:
        rules = sum(len(one.unexplained) for one in changed)
        where = changed[0].chain if len(changed) == 1 else f"{len(changed):,} chains"
        policies = sum(one.policy_changed for one in changed)
        if rules:
            parts.append(f"{counted(rules, 'rule')} of {printable(where)} changed")
        if policies:
            parts.append(f"{policies:,} {'policy' if policies == 1 else 'policies'} changed")
    return "; ".join(filter(None, parts))


def compared_text(result: DiffResult) -> str:
    """Return what was looked at on both sides; nothing where that is nothing."""
    ports = sum(pair.ports.compared for pair in result.pairs if pair.ports)
    parts = [counted(ports, "service port")] if any(pair.ports is not None for pair in result.pairs) else []
    if any(pair.chains is not None for pair in result.pairs):
        tables = sum(len(_compared_tables(pair)) for pair in result.pairs)
        parts.append(counted(tables, "table"))
    if any(pair.findings_compared for pair in result.pairs):
        parts.append("findings of check")
    return ", ".join(parts)


def _compared_tables(pair: PairDiff) -> set[str]:
    """Return the tables that one side has and the other shows, too, or surely has not."""
    if pair.chains is None:
        return set()
    hidden = {one.table for one in pair.chains.uncompared if one.why in _WHOLLY}
    return {*pair.old.tables, *pair.new.tables} - hidden


_WHOLLY = {"not-shown", "by-name", "eras"}


# --- the parts -------------------------------------------------------------------------------------------------


def _parts(result: DiffResult, *, fold: bool) -> tuple[Block, ...]:
    found = (
        part for pair in result.pairs for part in _of_pair(pair, several=len(result.pairs) > 1, fold=fold)
    )
    return tuple(block for title, lines in found if lines for block in _titled(title, lines))


def _titled(title: str, lines: tuple[ChangeLine, ...]) -> tuple[Block, ...]:
    return Heading(title), Changes(later(lambda: lines))


def _of_pair(pair: PairDiff, *, several: bool, fold: bool) -> Iterator[tuple[str, tuple[ChangeLine, ...]]]:
    of = f", {pair.new.family}" if several else ""
    if pair.ports:
        yield f"Services{of}", tuple(service_lines(pair.ports, fold=fold))
    yield f"Chains and rules{of}", tuple(chain_lines(pair, fold=fold))
    yield f"Findings{of}", tuple(finding_lines(pair.findings, fold=fold))


def _facts(result: DiffResult, *, fold: bool) -> Iterator[Fact]:
    if result.pairs and result.differs:
        yield Fact("Compared", compared_text(result), kind="compared")
    yield from (Fact("Expected", text, kind="assumed") for text in note_texts(result.expected))
    if fold and (count := folded_info([pair.findings for pair in result.pairs])):
        yield Fact("Info", f"{counted(count, 'finding')} new or gone of severity info (--all)")
    yield from (Fact("Not compared", text, kind="depends") for text in note_texts(result.not_compared))
