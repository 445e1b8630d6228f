"""The document `iptviz.check.v1`: what `iptviz check --json` prints. Fields may be added only."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from iptviz.checks.finding import SEVERITIES
from iptviz.checks.wording import are, sentences
from iptviz.documents.shapes import Shape, condition_shape, findings_shape, several_shape, source_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.questions.check import CheckResult


def document(result: CheckResult) -> Shape:
    """Return the document as a dict.

    `fingerprint` is by what a finding is known again, `line` the one that its message begins with, if any.
    `left_out` counts findings that were not asked for, `below` those of them that are less severe than
    `min_severity`, `in_baseline` those that a baseline has; `looked_for` are the ids of all that was looked for,
    `notes` say why there are no services to look at. `assumed` is what is taken for granted of the node, `unseen`
    are the tables that no dump shows.
    """
    counts = Counter(finding.severity for finding in result.findings)
    return {
        "schema": "iptviz.check.v1",
        "dump": source_shape(result.dump, complete=result.dump.complete),
        **_several_shape(result),
        "findings": list(elements(result)),
        "counts": {severity: counts[severity] for severity in SEVERITIES},
        "min_severity": result.min_severity,
        "left_out": result.left_out,
        "below": result.below,
        "in_baseline": len(result.known),
        "service_ports": result.ports,
        "looked_for": list(result.looked_for),
        "assumed": list(map(condition_shape, result.assumed)),
        "unseen": list(result.unseen),
        "notes": notes_of(result),
    }


def elements(result: CheckResult) -> Iterator[Shape]:
    """Yield the findings of the document."""
    for shape, finding in zip(findings_shape(result.findings, result.snapshot), result.findings, strict=True):
        yield (
            shape
            | ({"dump": finding.dump} if finding.dump else {})
            | {"line": finding.line or None, "fingerprint": result.fingerprint(finding)}
        )


def notes_of(result: CheckResult) -> list[str]:
    """Return why there are no services to look at, or not all of them."""
    nftables = [_in_nftables(result.nftables, beside=bool(result.dumps))] if result.nftables else []
    return [*nftables, *sentences(result.notes)]


def _in_nftables(tables: Sequence[str], *, beside: bool) -> str:
    """Return that services are in tables of nft; `beside`: there are dumps, which were looked at."""
    checked = f"whether these tables are whole{', and the rules of iptables' if beside else ''}"
    return (
        f"kube-proxy runs in nftables mode: the given nft ruleset has its {are(tables, 'table', 'tables')} "
        f"({', '.join(tables)}). The services in it were not checked, only {checked}."
    )


def _several_shape(result: CheckResult) -> Shape:
    """Return the field `dumps`, where a node has several, each with its own number of service ports."""
    shape = several_shape(result.snapshot)
    for dump, ports in zip(shape.get("dumps", ()), result.ports_of, strict=False):
        dump["service_ports"] = ports
    return shape
