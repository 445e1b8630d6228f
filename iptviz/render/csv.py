"""CSV for spreadsheets and scripts: a line for each service port."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from iptviz.engine.condition import clauses
from iptviz.view.text import printable
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.kube.service_ports import ServicePort
    from iptviz.questions.services import ServicesResult
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

_FORMULA = ("=", "+", "-", "@")


def services_csv(result: ServicesResult, _style: Style, *, fold: bool) -> str:  # noqa: ARG001 - a csv is whole
    """Return the services as CSV, with a line of headings."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in result.services:
        writer.writerow(_cell(column(one)) for column in _COLUMNS.values())
    return text.getvalue()


def _cell(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: what a dump says is not trusted."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
