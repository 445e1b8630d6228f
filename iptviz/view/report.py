"""The view of a report: what the page shows, as text and lists, nothing of which is markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from iptviz.engine.chance import CERTAIN
from iptviz.engine.matching import raw_chance
from iptviz.kube.names import ENDPOINT_CHAIN
from iptviz.view.labels import dump_label
from iptviz.view.numbers import counted, percent
from iptviz.view.services import HEADINGS, services_view
from iptviz.view.text import printable
from iptviz.view.trace import trace_view
from iptviz.view.trace_rules import rule_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.table import Table
    from iptviz.questions.report import ReportResult
    from iptviz.questions.trace import TraceResult
    from iptviz.view.facts import Fact
    from iptviz.view.trace import ServiceView

MOST_RULES = 6_000
"""Of a larger dump, the page browses the chains on the ways of the traced services alone."""


class Traced(NamedTuple):
    """One traced target: its frontends, and the rules behind them."""

    target: str
    services: tuple[ServiceView, ...]
    notes: tuple[str, ...]
    rules: tuple[str, ...]


class ReportView(NamedTuple):
    """Head and facts, the traced services, all services below their headings, and chains to browse.

    `chains` is `{table: {chain: {"policy": text, "rules": [[line, text, chain it leads to, share]]}}}`.
    """

    title: str
    source: str
    head: tuple[tuple[str, str], ...]
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]
    asked: str
    traced: tuple[Traced, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], str, str], ...]
    chains: dict[str, dict[str, Any]]
    chains_note: str


def report_view(result: ReportResult) -> ReportView:
    """Return the view of `result`."""
    dump, services = result.dump, services_view(result.services)
    chosen, note = _chosen_chains(result)
    used = [place for place in range(len(HEADINGS)) if any(row.cells[place] for row in services.rows)]
    chains = (one.usual.chain or "" for one in result.services.services)
    rows = (
        (tuple(row.cells[place] for place in used), row.mood, printable(chain))
        for row, chain in zip(services.rows, chains, strict=True)
    )
    return ReportView(
        title=f"iptviz report: {printable(dump.source)}",
        source=dump_label(dump, complete=dump.complete),
        head=tuple(_head(result)),
        facts=services.facts,
        notes=services.notes,
        asked=_asked(result),
        traced=tuple(map(_traced, result.traces)),
        headings=tuple(HEADINGS[place].capitalize().replace(" ip", " IP") for place in used),
        rows=tuple(rows),
        chains={table.name: _chains(table, chosen.get(table.name)) for table in dump.tables.values()},
        chains_note=note,
    )


def _head(result: ReportResult) -> Iterator[tuple[str, str]]:
    dump = result.dump
    yield "Source", printable(dump.source)
    yield "SHA-256", result.sha256
    yield "Written by", printable(dump.tool or "not said: there is no header")
    yield "Saved", printable(dump.time or "not said")
    yield "Family", dump.family
    yield (
        "Tables",
        printable(", ".join(f"{name} ({table.rule_count:,})" for name, table in dump.tables.items())),
    )
    yield "Complete", "yes" if dump.complete else "NO: see the notes"
    yield (
        "Not in any dump",
        "connections that exist, whether endpoints answer, routes, addresses, ipsets, recent lists",
    )


def _asked(result: ReportResult) -> str:
    if not result.odd:
        return "What was asked for" if result.traces else "No service was asked for"
    if not result.traces:
        return "No service looks odd"
    more = f" (and {result.left_out:,} more, see the list)" if result.left_out else ""
    return f"Looking odd: {counted(len(result.traces), 'service port')}{more}"


def _traced(result: TraceResult) -> Traced:
    view = trace_view(result)
    return Traced(printable(result.target), view.services, view.notes, rule_lines(result, fold=True))


# --- the chains ------------------------------------------------------------------------------------------------


def _chosen_chains(result: ReportResult) -> tuple[dict[str, set[str]], str]:
    """Return which chains the page holds, by table: none named is all of them; and a word on what it lacks."""
    if result.dump.rule_count <= MOST_RULES:
        return {}, ""
    chosen: dict[str, set[str]] = {name: set() for name in result.dump.tables}
    for traced in result.traces:
        for one in traced.services:
            chosen["nat"] |= one.chains
            for outcome in one.outcomes:
                chosen["nat"] |= {hop.chain for hop in outcome.hops} | {
                    end.rule.chain for end in outcome.endpoints
                }
    for name, table in result.dump.tables.items():
        small = (chain for chain in table.chain_names() if not chain.startswith("KUBE-S"))
        chosen[name] |= {chain for chain in small if len(table.rules_of(chain)) < MOST_RULES // 20}
    rules = f"{result.dump.rule_count:,}"
    return (
        chosen,
        f"This dump has {rules} rules: the page holds the chains of the services above and the general ones.",
    )


def _chains(table: Table, chosen: set[str] | None) -> dict[str, Any]:
    return {
        printable(name): {"policy": table.chains[name].policy or "", "rules": list(_rules(table, name))}
        for name in table.chain_names()
        if chosen is None or name in chosen
    }


def _rules(table: Table, name: str) -> Iterator[list[Any]]:
    """Yield each rule: its line, its text, where it leads, and the share that it sends to an endpoint."""
    left = CERTAIN
    for rule in table.rules_of(name):
        jump, share = rule.jump or "", ""
        if jump.startswith(ENDPOINT_CHAIN) and not any(match.name == "recent" for match in rule.matches):
            share = percent(left * raw_chance(rule))
            left -= left * raw_chance(rule)
        yield [rule.line, printable(rule.text), printable(jump), share]
