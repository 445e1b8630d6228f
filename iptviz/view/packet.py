"""The view of a packet's fate: the packet, the tree of its fates, and what is said below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.checks.wording import sentences
from iptviz.engine.chance import total
from iptviz.engine.condition import Assumption, clauses
from iptviz.view.facts import Fact
from iptviz.view.labels import dump_label
from iptviz.view.numbers import counted, percent
from iptviz.view.packet_labels import (
    PacketCase,
    asked_label,
    circumstances_label,
    fate_label,
    packet_cases,
    rewritten_labels,
)
from iptviz.view.packet_tree import PacketTree
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from iptviz.engine.branches import Outcome
    from iptviz.questions.packet import PacketResult
    from iptviz.view.trace import Node


class PacketView(NamedTuple):
    """The whole answer: a line on the dump, the packet and its circumstances, the tree, facts and notes.

    Nodes are of the kinds `case`, `fold`, `elided` (text, line), `accepted`, `refused` (share, fate, destination,
    source, mark, what decided), and below those `step`, `miss` (table, chain, rule's number, line, effect, rule).
    """

    source: str
    asked: str
    circumstances: str
    nodes: tuple[Node, ...]
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]


def packet_view(result: PacketResult, *, fold: bool = True) -> PacketView:
    """Return the view of `result`; `fold` shortens long lists and says so."""
    cases = packet_cases(result.outcomes)
    return PacketView(
        dump_label(result.dump, complete=result.complete),
        asked_label(result.asked),
        circumstances_label(result.asked, result.hook),
        PacketTree(result, fold=fold).nodes(cases),
        tuple(_facts(result, cases)),
        tuple(map(printable, sentences(result.notes))),
    )


def _facts(result: PacketResult, cases: list[PacketCase]) -> Iterator[Fact]:
    for case in cases:
        yield _verdict_fact(case)
    if result.given:
        yield Fact("Assumed", printable(clauses(result.given)))
    yield Fact("Depends on", _conditions(result))


def _verdict_fact(case: PacketCase) -> Fact:
    """Say of a case which share comes to which fate, and at how many destinations."""
    fates: dict[str, list[Outcome]] = {}
    for outcome in case.outcomes:
        fates.setdefault(fate_label(outcome), []).append(outcome)
    texts = [_fate_text(fate, outcomes) for fate, outcomes in fates.items()]
    accepted = all(outcome.verdict == "ACCEPT" for outcome in case.outcomes)
    return Fact(
        f"Case {case.letter}" if case.letter else "Verdict", "; ".join(texts), "good" if accepted else "bad"
    )


def _fate_text(fate: str, outcomes: list[Outcome]) -> str:
    share: Fraction = total(outcome.share for outcome in outcomes)
    destinations = list(dict.fromkeys(outcome.packet.dnat for outcome in outcomes if outcome.packet.dnat))
    where = counted(len(destinations), "destination") if len(destinations) > 1 else "".join(destinations)
    sources = {rewritten_labels(outcome, outcome.packet)[1] for outcome in outcomes}
    source = sources.pop() if len(sources) == 1 else "some with another source"
    details = ", ".join(filter(None, (f"to {printable(where)}" if where else "", source)))
    return f"{percent(share)} {fate}" + (f": {details}" if details else "")


def _conditions(result: PacketResult) -> str:
    """Say what the answer depends on that neither the dump nor the question holds."""
    asked = dict.fromkeys(need.condition for outcome in result.outcomes for need in outcome.when)
    questions = [printable(f"whether {Assumption(one, holds=True).text}") for one in asked]
    if not result.complete:
        questions.append("what this dump lacks: see the notes")
    return "; ".join(questions) or "nothing outside this dump"
