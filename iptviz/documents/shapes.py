"""The shapes that all documents share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from iptviz.checks.finding import plain
from iptviz.checks.named_pods import with_pods
from iptviz.checks.wording import sentence
from iptviz.kube.mode import PROXY_MODES, mode_of, mode_of_ruleset

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

    from iptviz.checks.finding import Evidence, Finding
    from iptviz.compare.ports.form import FrontendForm
    from iptviz.dump.model import Dump
    from iptviz.engine.condition import Assumption
    from iptviz.engine.fields import Field
    from iptviz.grammar.parts import Counters
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.names import ServiceName
    from iptviz.node.listing import RuleSource
    from iptviz.node.snapshot import Snapshot
    from iptviz.paths.model import Decider

Shape = dict[str, Any]

MOST_EVIDENCE = 20
"""So many pieces of evidence are shown of one finding."""


def source_shape(source: RuleSource, *, complete: bool) -> Shape:
    """Return the shape `dump` of a dump, or of a listing of nft or of virtual servers."""
    from iptviz.dump.model import Dump

    if isinstance(source, Dump):
        return dump_shape(source, complete=complete)
    return {
        "source": source.source,
        "family": source.family,
        "tool": source.tool,
        "backend": source.backend,
        "mode": _mode_of_listing(source),
        "tables": list(source.tables),
        "rules": source.rule_count,
        "complete": complete,
    }


def _mode_of_listing(source: RuleSource) -> str | None:
    """Return how services are kept, as far as a listing tells: null where it does not."""
    from iptviz.node.listing import NftListing, ReadListing
    from iptviz.node.virtual_servers import IpvsListing

    if isinstance(source, IpvsListing):
        return "ipvs"
    mode = None
    if isinstance(source, NftListing):
        mode = mode_of_ruleset(source.ruleset, (source.family,))
    elif isinstance(source, ReadListing) and source.ruleset is not None:
        mode = mode_of_ruleset(source.ruleset)
    return None if mode is None else mode.name


def dump_shape(dump: Dump, *, complete: bool) -> Shape:
    """Return the shape `dump`; `files` are those of each table where it was put together from several."""
    files = {name: other.source for other in (dump, *dump.others) for name in other.own_tables}
    return {
        "source": dump.source,
        "family": dump.family,
        "tool": dump.tool,
        "backend": dump.backend,
        "mode": mode_shape(dump),
        "tables": list(dump.tables),
        "rules": dump.rule_count,
        "complete": complete,
        **({"files": files} if dump.others else {}),
    }


def mode_shape(dump: Dump) -> str | None:
    """Return how the node's services are kept, as far as the dump tells: null where it does not."""
    name = mode_of(dump).name
    return name if name in PROXY_MODES else None


def source_mode_shape(source: RuleSource) -> str | None:
    """Return the same of a dump, or of a listing of nft."""
    from iptviz.dump.model import Dump

    return mode_shape(source) if isinstance(source, Dump) else _mode_of_listing(source)


def several_shape(node: Snapshot | None) -> Shape:
    """Return the field `dumps`, where a node has several; elsewhere nothing."""
    if node is None or len(node.dumps) <= 1:
        return {}
    return {
        "dumps": [dump_shape(dump, complete=dump.complete) | {"number": dump.number} for dump in node.dumps]
    }


def number_shape(node: Snapshot | None, dump: RuleSource) -> Shape:
    """Return the field `dump`, the number of one among several; elsewhere nothing."""
    several = node is not None and len(node.dumps) > 1
    return {"dump": dump.number} if several and dump.number is not None else {}


def left_open_shape(fields: Sequence[Field]) -> Shape:
    """Return the field `left_open`, what was left open in words, where something was; elsewhere nothing."""
    return {"left_open": [field.text for field in fields]} if fields else {}


def counters_shape(counters: Counters) -> Shape:
    """Return packets and bytes; of numbers that a listing rounded also the least and the most they can be."""
    shape: Shape = {"packets": counters.packets, "bytes": counters.bytes}
    if counters.packets_error or counters.bytes_error:
        for name, count, error in (
            ("packets_range", counters.packets, counters.packets_error),
            ("bytes_range", counters.bytes, counters.bytes_error),
        ):
            shape[name] = [max(count - error, 0), count + error]
    return shape


def share_shape(share: Fraction | None) -> Shape:
    """Return a probability twice, as a float and as numerator/denominator in lowest terms; null if not told."""
    return {"probability": None if share is None else float(share), "exact": exact_text(share)}


def exact_text(share: Fraction | None) -> str | None:
    """Return a share as numerator/denominator in lowest terms, of whatever length; None if not told."""
    return None if share is None else f"{_decimal(share.numerator)}/{_decimal(share.denominator)}"


_LONGEST_STR = 4000
"""Python refuses to write longer numbers at once, unless the whole process is told otherwise."""


def _decimal(number: int, digits: int = 0) -> str:
    """Return a number of any length in decimal, by halves; `digits` is what it is filled up to."""
    length = max(digits, int(number.bit_length() * 0.30103) + 1)
    if length <= _LONGEST_STR:
        return f"{number:0{digits}d}"
    half = length // 2
    high, low = divmod(number, 10**half)
    return _decimal(high, max(digits - half, 0)) + _decimal(low, half)


def service_shape(service: ServiceName) -> Shape:
    """Return the shape `service`."""
    return {
        "namespace": service.namespace,
        "name": service.name,
        "port_name": service.port_name,
        "named_by": service.named_by,
    }


def service_name(service: Shape) -> str:
    """Return the shape `service` as people write it, `namespace/name:port`; nothing where no comment names it."""
    if service["named_by"] == "none":
        return ""
    port = f":{service['port_name']}" if service["port_name"] else ""
    return f"{service['namespace']}/{service['name']}{port}"


def findings_shape(findings: Iterable[Finding], node: Snapshot | None) -> list[Shape]:
    """Return the shape `finding` of each: `count` is how many things it befalls, services or rules."""
    return [_finding(finding, node) for finding in findings]


def _finding(finding: Finding, node: Snapshot | None) -> Shape:
    return {
        "id": finding.id,
        "severity": finding.severity,
        "certainty": finding.certainty,
        "message": sentence(with_pods(finding, node)),
        "service": None if finding.service is None else service_shape(finding.service),
        "evidence": list(map(_evidence_shape, finding.evidence[:MOST_EVIDENCE])),
        "evidence_left_out": max(len(finding.evidence) - MOST_EVIDENCE, 0),
        "count": finding.times,
        "why": plain(finding.why),
        "advice": finding.advice,
    }


def _evidence_shape(piece: Evidence) -> Shape:
    """Return the shape of evidence; `source` is its file where that is not the dump."""
    elsewhere = {"source": piece.source} if piece.source else {}
    return {"line": piece.line, "text": piece.text, **elsewhere}


class _Placed(Protocol):
    """A frontend in any form."""

    @property
    def kind(self) -> str: ...
    @property
    def address(self) -> str | None: ...
    @property
    def port(self) -> int | None: ...
    @property
    def protocol(self) -> str: ...
    @property
    def lacks_port(self) -> bool: ...


def frontend_shape(frontend: Frontend) -> Shape:
    """Return the shape `frontend`; where its rule shows no port, that is said."""
    limit = frontend.addresses
    return _frontend(
        frontend, frontend.rule.line or None, None if limit is None else (limit.only, limit.networks)
    )


def frontend_form_shape(form: FrontendForm) -> Shape:
    """Return the shape `frontend` of the normal form of one."""
    return _frontend(form, form.line, form.at_addresses)


def _frontend(placed: _Placed, line: int | None, limit: tuple[bool, tuple[str, ...]] | None) -> Shape:
    return {
        "kind": placed.kind,
        "address": placed.address,
        "port": placed.port,
        "protocol": placed.protocol or None,
        "line": line,
        "addresses": None if limit is None else {"only" if limit[0] else "not": list(limit[1])},
        **({"port_printed": False} if placed.lacks_port else {}),
    }


def decider_shape(by: Decider | None) -> Shape | None:
    """Return the rule or policy that decides, None where there is none; `rule` is its number in the chain."""
    if by is None:
        return None
    return {
        "table": by.table,
        "chain": by.chain,
        "rule": by.number,
        "line": by.line,
        "text": by.text,
        "others": by.others,
    }


def condition_shape(assumption: Assumption) -> Shape:
    """Return the shape `condition`; `since` is the line of the rule that made what it asks about unknown.

    Of `values` one applies, or none where the condition does not hold; of many `text` and `value` have the first.
    """
    return {
        "text": assumption.text,
        "kind": assumption.condition.kind,
        "value": assumption.condition.text,
        "values": assumption.condition.values,
        "since": assumption.condition.since,
        "holds": assumption.holds,
    }


def conditions_shape(assumptions: tuple[Assumption, ...]) -> Shape:
    """Return one condition for several that must hold together, or for none, which always holds."""
    if len(assumptions) == 1:
        return condition_shape(assumptions[0])
    text = " and ".join(assumption.text for assumption in assumptions) or "always"
    kind = "all" if assumptions else "always"
    shape: Shape = {"text": text, "kind": kind, "value": None, "values": [], "since": None, "holds": True}
    return shape | ({"all": list(map(condition_shape, assumptions))} if assumptions else {})
