"""The view of a trace: the answer in short, then frontends that stand together, with a tree each, and facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.families import PROXY_TABLES
from iptviz.view.blocks import Facts, Figure, Heading, Notes, Rules, View, later
from iptviz.view.first import FirstLines, first_lines
from iptviz.view.found import found_facts, unfound
from iptviz.view.labels import dump_label, here, note_texts, other_dump_label
from iptviz.view.text import printable
from iptviz.view.together import groups_of
from iptviz.view.trace_tree import FrontendTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.kube.service import ServiceTrace
    from iptviz.questions.trace import TraceResult
    from iptviz.view.blocks import Block
    from iptviz.view.picture import Picture
    from iptviz.view.together import Together

    Part = tuple[Together, list[FrontendTree]]


def trace_view(result: TraceResult, *, fold: bool = True) -> View:
    """Return the view of `result`; `fold` shortens long lists of endpoints and says so."""
    groups = [group for answer in result.answers for group in groups_of(answer)]
    parts = [(group, [FrontendTree(group, places, fold=fold) for places in group.trees]) for group in groups]
    trees = [tree for _, those in parts for tree in those]
    first = _first_lines(result, groups, trees) if trees else None
    return View(
        printable(result.target),
        dump_label(result.dump, complete=result.complete),
        (
            *(
                block
                for answer in result.answers
                for block in _answer_blocks(
                    answer, result, parts, told=bool(first and first.whole), fold=fold
                )
            ),
            Figure(later(lambda: _picture(result, fold=fold))),
            Rules(later(lambda: tuple(_rules(result, fold=fold)))),
        ),
        absent="" if result.services else f"no service matches it in {here(result.dump)}",
        document=result.to_dict,
        met=lambda: _chains_met(result),
        lead=first.blocks if first else (),
    )


def _first_lines(
    result: TraceResult, groups: Sequence[Together], trees: Sequence[FrontendTree]
) -> FirstLines:
    verdicts = trees[0].verdicts() if len(trees) == 1 else ()
    return first_lines(
        groups,
        verdicts,
        complete=result.complete,
        left_open=result.left_open,
        follows_rules=result.follows_rules,
    )


def _picture(result: TraceResult, *, fold: bool) -> Picture:
    from iptviz.view.trace_picture import trace_picture  # a tree shall not wait for it

    return trace_picture(result, fold=fold)


def _answer_blocks(
    answer: TraceResult, result: TraceResult, parts: Sequence[Part], *, told: bool, fold: bool
) -> Iterator[Block]:
    """Yield what one dump says; where it is not the first, its frontends say which it is.

    `told`: the first lines have said who reaches what; where frontends differ, each says so once more.
    """
    source = "" if answer is result else other_dump_label(answer.dump)
    for group, trees in parts:
        if group.answer is answer:
            alone = len(parts) == 1
            yield from _group_blocks(group, trees, source, told=told and alone, alone=alone)
    # They take longer than all the rest: who wants the first lines alone does not wait for them.
    findings = later(lambda: answer.findings if answer.services else ())
    if answer.services:
        yield Facts(later(lambda: tuple(found_facts(findings()))))
    if answer.changes is not None:
        from iptviz.view.since import since_blocks  # few traces are compared with an older dump

        yield from since_blocks(answer, fold=fold)
    yield Notes(later(lambda: note_texts(unfound(answer.notes, findings()))))


def _group_blocks(
    group: Together, trees: Sequence[FrontendTree], source: str, *, told: bool, alone: bool
) -> Iterator[Block]:
    """Yield what is said of frontends that stand together, and their trees; `alone`: of no others anything is."""
    usual = () if told else group.usual
    if not alone and (usual or len(trees) == 1):
        yield Heading(group.names, group.frontends, source)
    if usual:
        yield Facts(later(lambda: usual))
    for tree in trees:
        if len(trees) > 1:
            yield Heading(tree.shown.names, tree.shown.frontends, source)
        yield from tree.blocks(group.others if tree is trees[-1] else ())


def _rules(result: TraceResult, *, fold: bool) -> Iterator[str]:
    from iptviz.view.rules import rule_lines

    for answer in result.answers:
        yield from rule_lines(answer, fold=fold)


def _chains_met(result: TraceResult) -> frozenset[tuple[str, str]]:
    """Return the tables and the chains on the ways of all frontends: of a dump those of nat."""
    services = [service for answer in result.answers for service in answer.services]
    outcomes = [(_table_met(service), one) for service in services for one in service.outcomes]
    hops = ((table, hop.chain) for table, outcome in outcomes for hop in outcome.hops)
    ends = ((table, end.rule.chain) for table, outcome in outcomes for end in outcome.endpoints)
    shared = ((_table_met(service), chain) for service in services for chain in service.chains)
    return frozenset((*hops, *ends, *shared))


def _table_met(service: ServiceTrace) -> str:
    name = service.frontend.rule.table.name
    return name if name in PROXY_TABLES else "nat"
