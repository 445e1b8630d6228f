"""CSV for spreadsheets and scripts: a line for each service port, endpoint, outcome, difference or jump."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from iptviz.documents.shapes import share_shape
from iptviz.engine.condition import clauses
from iptviz.packets.values import mark_label
from iptviz.view.text import printable
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from fractions import Fraction

    from iptviz.dump.rule import Rule
    from iptviz.engine.branches import Outcome
    from iptviz.kube.service import ServiceTrace
    from iptviz.kube.service_ports import ServicePort
    from iptviz.questions.differences import Difference
    from iptviz.questions.graph import GraphResult, Jump
    from iptviz.questions.packet import PacketResult
    from iptviz.questions.services import ServicesResult
    from iptviz.questions.trace import TraceResult
    from iptviz.questions.verify import VerifyResult
    from iptviz.terminal import Style

_COLUMNS: dict[str, Callable[[ServicePort], object]] = {
    "namespace": lambda one: one.service.namespace,
    "name": lambda one: one.service.name,
    "port_name": lambda one: one.service.port_name,
    "named_by": lambda one: one.service.named_by,
    "protocol": lambda one: one.protocol,
    "frontends": lambda one: " ".join(answer.frontend.text for answer in one.answers),
    "endpoint_count": lambda one: len(one.endpoints),
    "endpoints": lambda one: " ".join(join_endpoint(end.address, end.port) for end in one.endpoints),
    "shares": lambda one: " ".join(f"{float(end.share):.10f}" for end in one.endpoints),
    "leftover": lambda one: float(one.usual.leftover),
    "even": lambda one: "" if one.balance is None else str(one.balance.even).lower(),
    "affinity_seconds": lambda one: "" if one.affinity is None else one.affinity,
    "internal_policy": lambda one: one.internal_policy or "",
    "external_policy": lambda one: one.external_policy or "",
    "verdict": lambda one: one.verdict.kind if one.verdict else "",
    "verdict_line": lambda one: one.verdict.rule.line if one.verdict else "",
    "masquerade": lambda one: " or ".join(clauses(needs) for needs in one.usual.masquerade),
    "source_ranges": lambda one: " ".join(one.source_ranges),
    "health_check_node_port": lambda one: "" if one.health_check is None else one.health_check,
    "chain": lambda one: one.usual.chain or "",
}

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a formula begins; the last four are wide, for keyboards of East Asia."""


_ENDPOINT_COLUMNS = (
    "service", "protocol", "frontend", "kind", "when", "endpoint", "share", "exact", "chain", "line", "dnat_line",
    "connections", "verdict", "verdict_line", "masquerade",
)  # fmt: skip
_OUTCOME_COLUMNS = (
    "when", "share", "exact", "verdict", "route", "destination", "source", "mark", "line", "rule",
)  # fmt: skip
_DIFFERENCE_COLUMNS = (
    "service", "protocol", "difference", "at", "api", "dump", "share", "exact", "line",
)  # fmt: skip
_JUMP_COLUMNS = ("table", "chain", "kind", "to", "line", "rule")


def services_csv(result: ServicesResult, _style: Style, *, fold: bool) -> str:  # noqa: ARG001 - a csv is whole
    """Return the services as CSV, with a line of headings."""
    rows = ([column(one) for column in _COLUMNS.values()] for one in result.services)
    return _written(_COLUMNS, rows)


def trace_csv(result: TraceResult, _style: Style, *, fold: bool) -> str:  # noqa: ARG001 - nor is it here
    """Return a line for each endpoint of each case of each frontend, and one for what gets none."""
    return _written(_ENDPOINT_COLUMNS, (row for one in result.services for row in _ways(one)))


def _ways(one: ServiceTrace) -> Iterator[list[object]]:
    frontend = one.frontend
    for outcome in one.outcomes:
        masquerade = " or ".join(clauses(mark.needs) for mark in outcome.masquerade)
        begin = [one.service.text, frontend.protocol, frontend.text, frontend.kind, clauses(outcome.when)]
        for end in outcome.endpoints:
            connections = "" if end.via.counters is None else end.via.counters.packets
            address = join_endpoint(end.address, end.port)
            lines = [end.rule.chain, end.via.line, end.rule.line]
            yield [*begin, address, *_share(end.share), *lines, connections, "", "", masquerade]
        if outcome.leftover:
            verdict = outcome.verdict
            told = [verdict.kind, verdict.rule.line] if verdict else ["none", ""]
            yield [*begin, "", *_share(outcome.leftover), "", "", "", "", *told, masquerade]


def packet_csv(result: PacketResult, _style: Style, *, fold: bool) -> str:  # noqa: ARG001 - nor here
    """Return a line for each outcome."""
    return _written(_OUTCOME_COLUMNS, (_fate(one) for one in result.outcomes))


def _fate(one: Outcome) -> list[object]:
    packet, by = one.packet, one.by
    rewritten = [packet.dnat or "", packet.snat or "", mark_label(packet.mark) or ""]
    decided = [by.line, by.text] if by is not None else ["", ""]
    return [clauses(one.when), *_share(one.share), one.verdict, one.route, *rewritten, *decided]


def verify_csv(result: VerifyResult, _style: Style, *, fold: bool) -> str:  # noqa: ARG001 - nor here
    """Return a line for each difference between the dump and the API."""
    return _written(_DIFFERENCE_COLUMNS, (_difference(one) for one in result.differences))


def _difference(one: Difference) -> list[object]:
    share = ["", ""] if one.share is None else _share(one.share)
    line = "" if one.line is None else one.line
    return [one.service, one.protocol, one.kind, one.at, one.expected, one.found, *share, line]


def graph_csv(result: GraphResult, _style: Style, *, fold: bool) -> str:  # noqa: ARG001 - nor here
    """Return a line for each rule that leads from one chain to another."""
    rules = ((jump, rule) for jump in result.jumps for rule in jump.rules)
    return _written(_JUMP_COLUMNS, (_leading(jump, rule) for jump, rule in rules))


def _leading(jump: Jump, rule: Rule) -> list[object]:
    kind = "goto" if rule.target and rule.target.goto else "jump"
    return [*jump.tail, kind, jump.head[1], rule.line, rule.text]


def _share(share: Fraction) -> list[object]:
    """Return a share twice: for people, and exactly."""
    return [f"{float(share):.10f}", share_shape(share)["exact"]]


def _written(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(map(_cell, row) for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: what a dump says is not trusted."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
