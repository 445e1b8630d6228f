"""Answers to questions of any kind as parts of a page: what was asked, trees and tables, a picture, the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.questions.graph import GraphResult
from iptviz.questions.packet import PacketResult
from iptviz.questions.trace import TraceResult
from iptviz.questions.verify import VerifyResult
from iptviz.view.chain_graph import graph_view
from iptviz.view.graph_picture import graph_picture
from iptviz.view.graph_tree import graph_nodes
from iptviz.view.packet import packet_view
from iptviz.view.packet_picture import packet_chains, packet_picture
from iptviz.view.rules import rule_lines
from iptviz.view.text import printable
from iptviz.view.trace import trace_view
from iptviz.view.trace_picture import trace_picture
from iptviz.view.verify import HEADINGS, verify_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.questions.report import Answer
    from iptviz.view.facts import Fact
    from iptviz.view.picture import Picture
    from iptviz.view.trace import Node


_RESULTS = {"Verdict", "Case", "Observed"}


class Part(NamedTuple):
    """One frontend, packet, graph or comparison: a tree, or `rows` below `headings`, and facts."""

    heading: str
    detail: str
    nodes: tuple[Node, ...] = ()
    facts: tuple[Fact, ...] = ()
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    @property
    def results(self) -> tuple[Fact, ...]:
        """What it comes to, for a summary: the verdict of each case by when that comes about, what was seen."""
        cases = {f"Case {letter}": text for letter, text in self._cases()}
        facts = (fact for fact in self.facts if fact.label.partition(" ")[0] in _RESULTS)
        return tuple(fact._replace(label=cases.get(fact.label, fact.label)) for fact in facts)

    def _cases(self) -> Iterator[tuple[str, str]]:
        for node in self.nodes:
            if node.kind == "case":
                letter, _, when = " ".join(node.cells[0].split()).partition(": ")
                yield letter, when

    @property
    def longest(self) -> float:
        """The largest share that a bar of this part shows, in (0, 1]."""
        return max(_lengths(self.nodes), default=1.0) or 1.0


class Answered(NamedTuple):
    """An answer: its name, its parts, a picture, notes, the rules behind it, and the chains on its way."""

    name: str
    parts: tuple[Part, ...]
    picture: Picture | None
    notes: tuple[str, ...]
    rules: tuple[str, ...]
    chains: frozenset[tuple[str, str]]


def _lengths(nodes: tuple[Node, ...]) -> Iterator[float]:
    for node in nodes:
        if node.bar is not None:
            yield node.bar.longer
        yield from _lengths(node.children)


def answered(result: Answer, *, fold: bool) -> Answered:
    """Return an answer as it stands on a page; `fold` shortens long lists."""
    return _BY_KIND[type(result)](result, fold=fold)


def _trace(result: TraceResult, *, fold: bool) -> Answered:
    view = trace_view(result, fold=fold)
    parts = (Part(one.heading, one.frontend, one.nodes, one.facts) for one in view.services)
    picture = trace_picture(result, fold=fold) if result.services else None
    chains = {
        ("nat", chain)
        for one in result.services
        for outcome in one.outcomes
        for chain in (
            *one.chains,
            *(hop.chain for hop in outcome.hops),
            *(end.rule.chain for end in outcome.endpoints),
        )
    }
    rules = rule_lines(result, fold=fold)
    return Answered(printable(result.target), tuple(parts), picture, view.notes, rules, frozenset(chains))


def _packet(result: PacketResult, *, fold: bool) -> Answered:
    view = packet_view(result, fold=fold)
    part = Part(view.asked, view.circumstances, view.nodes, view.facts)
    picture = packet_picture(result, fold=fold)
    return Answered(view.asked, (part,), picture, view.notes, (), packet_chains(result))


def _graph(result: GraphResult, *, fold: bool) -> Answered:
    view = graph_view(result, fold=fold)
    part = Part(view.asked, "", graph_nodes(view))
    picture = graph_picture(result, fold=fold)
    return Answered(view.asked, (part,), picture, view.notes, (), frozenset())


def _verify(result: VerifyResult, *, fold: bool) -> Answered:
    view = verify_view(result, fold=fold)
    name = "The dump against the API"
    part = Part(name, "", facts=view.facts, headings=HEADINGS, rows=view.rows)
    return Answered(name, (part,), None, view.notes, (), frozenset())


_BY_KIND: dict[type, Callable[..., Answered]] = {
    TraceResult: _trace,
    PacketResult: _packet,
    GraphResult: _graph,
    VerifyResult: _verify,
}
