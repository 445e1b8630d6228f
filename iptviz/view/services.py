"""The rows of a list of services, and what is said of all of them."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from iptviz.checks.era import era_remark, scheduler_text
from iptviz.checks.ports import lines_taking
from iptviz.checks.wording import placed, sentence
from iptviz.dump.model import Dump
from iptviz.engine.condition import clauses
from iptviz.kube.families import PROXY_TABLES
from iptviz.kube.frontends import CHAIN
from iptviz.paths.fares import fails, surely_reached
from iptviz.records import NamedTuple
from iptviz.rules.form import virtual_of
from iptviz.rules.iptables import rule_table
from iptviz.view.blocks import Fact, Facts, Notes, Table, View, later
from iptviz.view.found import found_facts, unfound
from iptviz.view.labels import (
    dump_label,
    line_label,
    needs_label,
    note_texts,
    pod_label,
    short_dump_label,
    virtual_servers_of,
)
from iptviz.view.nodes import Below, Cell, Columns, TableRow, texts
from iptviz.view.numbers import counted, percent, seconds
from iptviz.view.reached import ReachedWords, cause_facts, reached_parts
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iptviz.checks.finding import Finding
    from iptviz.compare.ports.form import FrontendForm, PortForm
    from iptviz.kube.endpoint_form import EndpointForm
    from iptviz.kube.era import Era
    from iptviz.kube.published import PublishedPort
    from iptviz.node.listing import RuleSource
    from iptviz.node.snapshot import Snapshot
    from iptviz.questions.services import ServicesResult
    from iptviz.view.nodes import CellKind, Mood

_SHOWN = 3
"""How many other frontends a cell names."""


def services_view(result: ServicesResult, *, fold: bool = True, causes: bool = True) -> View:
    """Return the view of `result`; unfolded, with every frontend and every endpoint.

    `causes`: why services are not reached is told here, and nowhere else.
    """
    services = services_table(result, fold=fold)
    findings = later(lambda: [finding for answer in result.answers for finding in answer.findings])
    ports = (port for answer in result.answers for port in answer.published)
    published = Table(PUBLISHED, tuple(TableRow(_published(port)) for port in ports))
    return View(
        "Services",
        dump_label(result.dump, complete=result.dump.complete),
        (
            *(table for table in (services, published) if table.rows),
            Facts(later(lambda: tuple(_facts(result, findings() if causes else None)))),
            *(Notes(later(partial(_notes, answer, findings))) for answer in result.answers),
        ),
        document=result.to_dict,
    )


def _notes(answer: ServicesResult, findings: Callable[[], Sequence[Finding]]) -> tuple[str, ...]:
    return note_texts(unfound(answer.notes, findings()))


def services_table(result: ServicesResult, *, fold: bool) -> Table:
    """Return a row for each service port; unfolded, with its endpoints below it."""
    several, words = bool(result.others), ReachedWords()
    labels = [short_dump_label(answer.dump) if several else "" for answer in result.answers]
    ports = [
        (port, label) for answer, label in zip(result.answers, labels, strict=True) for port in answer.forms
    ]
    if several:
        ports.sort(key=lambda one: one[0].name)  # what is alike stands together, whatever the order was to be
    rows = (
        _row(_Asked(port, *words.of(port.frontends), label, fold=fold), result.snapshot)
        for port, label in ports
    )
    return Table(SERVICES, tuple(rows))


# --- one service port ----------------------------------------------------------------------------------------


@lru_cache(maxsize=1 << 8)
def _cell(kind: CellKind, text: str) -> Cell:
    """Return a cell: in most columns nearly all services say the same."""
    return Cell(kind, printable(text))


class _Asked(NamedTuple):
    """A service port, and how clients fare at it in words: `causes` say why connections fail.

    `dump` is a label of its dump where there are several; `fold`: not all is told.
    """

    port: PortForm
    words: str
    causes: list[str]
    dump: str
    fold: bool


def _row(asked: _Asked, node: Snapshot | None) -> TableRow:
    port = asked.port
    name, *cells = [_cell(kind, cell(asked)) for kind, cell in _KINDS_OF_CELLS]
    table = port.usual.rule.table.name if port.usual.rule else ""
    name = name._replace(
        table=table if table in PROXY_TABLES else "nat", chain=printable(port.usual.chain or "")
    )
    empty = not port.has_endpoints and not _has_others(port)
    bad = empty or port.usual.is_uneven or fails(port.frontends)
    below = () if asked.fold else tuple(_endpoint_lines(port, node))
    sure = surely_reached(port.frontends)
    return TableRow((name, *cells), below, "bad" if bad else "good" if sure else "")


def _cluster_ip(port: PortForm) -> str:
    return port.usual.at if port.usual.kind == "cluster-ip" else ""


def _others(port: PortForm, *, fold: bool) -> str:
    texts = [frontend.at for frontend in port.frontends if frontend.kind not in {"cluster-ip", CHAIN}]
    shown = texts[:_SHOWN] if fold and len(texts) > _SHOWN + 1 else texts
    return ", ".join([*shown, *([f"+{len(texts) - len(shown)}"] if len(shown) < len(texts) else [])])


def _count(port: PortForm) -> str:
    usual, *others = port.frontends
    here = next((frontend for frontend in others if frontend.local_only), None)
    count = f"{len(usual.endpoints)}"
    if usual.unseen or "rule" in usual.untold:
        count = f"at least {count}" if usual.endpoints else "unknown"
    count = "unknown" if _has_others(port) else count
    return count + ("" if here is None else f" ({len(here.endpoints)} local)")


def _has_others(port: PortForm) -> bool:
    """Whether a service without local endpoints may have others, of which nat would tell, which is not shown."""
    usual = port.usual
    is_refused = usual.verdict is not None and not port.has_endpoints
    return is_refused and usual.local_only is True and "nat" in usual.untold


def _shares(frontend: FrontendForm) -> str:
    balance = frontend.balance
    if "chances" in frontend.untold and frontend.endpoints:
        virtual = virtual_of(frontend.rule)
        if virtual is None:
            return "not printed"
        return f"not known ({scheduler_text(virtual.scheduler)})"
    if "rule" in frontend.untold:
        return "depends on a rule that is not understood"
    if frontend.unseen:
        return "unknown (dump incomplete)"
    if balance is None:
        by = f", {line_label(frontend.refusing)}" if frontend.refusing else ""
        return f"{frontend.verdict}{by}" if frontend.verdict else "no endpoint"
    spread = f"UNEVEN: {percent(balance.least)} to {percent(balance.most)}"
    if frontend.leftover:
        return f"{spread}, {percent(frontend.leftover)} get none"
    if not balance.even and not balance.rounded:
        return spread
    return percent(balance.most) if balance.endpoints == 1 else f"{percent(balance.most)} each"


def _affinity(port: PortForm) -> str:
    return "" if port.affinity is None else seconds(port.affinity)


def _policy(port: PortForm) -> str:
    policies = {"iTP": port.internal_policy, "eTP": port.external_policy}
    return ", ".join(f"{name}=Local" for name, policy in policies.items() if policy == "Local")


def _remarks(asked: _Asked) -> str:
    return "; ".join([*asked.causes, *_other_remarks(asked.port)])


def _other_remarks(port: PortForm) -> list[str]:
    """Return what is said of a service beside who refuses it."""
    remarks = [f"not in this dump: {', '.join(port.usual.unseen)}"] if port.usual.unseen else []
    remarks += ["rules that jump to this chain are not in this dump"] if port.usual.kind == CHAIN else []
    remarks += ["a rule that jumps to it shows no port"] if any(map(_is_odd, port.frontends)) else []
    remarks += [f"loadBalancerSourceRanges: {', '.join(port.source_ranges)}"] if port.source_ranges else []
    remarks += [f"health check :{port.health_check}"] if port.health_check is not None else []
    return remarks


def _is_odd(frontend: FrontendForm) -> bool:
    """Whether the rule of a frontend shows no port, which those of others do."""
    return frontend.lacks_port and "port" not in frontend.untold


_CELLS: dict[str, Callable[[_Asked], str]] = {
    "SERVICE": lambda asked: asked.port.name,
    "REACHED": lambda asked: asked.words,
    "PROTO": lambda asked: asked.port.protocol,
    "CLUSTER IP": lambda asked: _cluster_ip(asked.port),
    "ALSO AT": lambda asked: _others(asked.port, fold=asked.fold),
    "ENDPOINTS": lambda asked: _count(asked.port),
    "SHARES": lambda asked: _shares(asked.port.usual),
    "AFFINITY": lambda asked: _affinity(asked.port),
    "POLICY": lambda asked: _policy(asked.port),
    "DUMP": lambda asked: asked.dump,
    "REMARKS": _remarks,
}
"""The columns and what their cells say; one that is empty everywhere is left out."""

_KINDS: dict[str, CellKind] = {"CLUSTER IP": "address", "ALSO AT": "address", "SHARES": "share"}
"""What a cell is, where not just a text."""
_KINDS_OF_CELLS = tuple((_KINDS.get(heading, "text"), cell) for heading, cell in _CELLS.items())

SERVICES = Columns(
    "services",
    tuple(_CELLS),
    spared=("ALSO AT", "AFFINITY", "POLICY", "PROTO", "CLUSTER IP", "ENDPOINTS", "SHARES"),
    wrapped=True,
)
PUBLISHED = Columns(
    "published", ("PUBLISHED PORT", "GOES TO", "WHEN", "BY", "OF", "LINE"), spared=("OF", "BY")
)


def _published(port: PublishedPort) -> tuple[Cell, ...]:
    return (
        Cell("address", printable(port.text)),
        Cell("address", printable(port.destination or "this node")),
        Cell("text", printable(_reached(port))),
        *texts(map(printable, (port.by, port.of))),
        Cell("line", str(port.rule.line)),
    )


def _reached(port: PublishedPort) -> str:
    """Say what must hold on the way to a port's rule, or who takes all that comes to the port before it."""
    if port.taken_by:
        return f"never reached: {lines_taking(tuple(rule.line for rule in port.taken_by))} it"
    return f"if {clauses(port.when)}" if port.when else ""


def _endpoint_lines(port: PortForm, node: Snapshot | None) -> Iterator[Below]:
    usual, *others = port.frontends
    yield from (_endpoint_line(end, node) for end in usual.endpoints)
    for frontend in others:
        if frontend.endpoints and frontend.endpoints != usual.endpoints:
            yield Below(printable(f"outside clients, at {frontend.at}:"))
            yield from (_endpoint_line(end, node, depth=1) for end in frontend.endpoints)


def _endpoint_line(end: EndpointForm, node: Snapshot | None, *, depth: int = 0) -> Below:
    share = "?" if end.share is None else percent(end.share)
    return Below(printable(end.text + pod_label(node, end.address, end.port)), share, depth)


# --- all of them ---------------------------------------------------------------------------------------------


def _facts(result: ServicesResult, found: Sequence[Finding] | None) -> Iterator[Fact]:
    """Yield what is said of all services; no causes without `found`, where they are told elsewhere."""
    services = [port for answer in result.answers for port in answer.forms]
    shown, total = len(services), sum(answer.total for answer in result.answers)
    text = (
        counted(total, "service port") if shown == total else f"{shown:,} of {counted(total, 'service port')}"
    )
    unseen = sum(bool(port.usual.unseen) for port in services)
    known = [port for port in services if not port.usual.unseen and not _has_others(port)]
    without = sum(not port.has_endpoints for port in known)
    uneven = sum(port.usual.is_uneven for port in services)
    parts = [
        text if total or result.dump.complete else f"{text} in what is shown",
        *([f"{without:,} without endpoints"] if without else []),
    ]
    parts += [f"{uneven:,} UNEVEN"] if uneven else []
    parts += [f"{unseen:,} incomplete in this dump"] if unseen else []
    frontends = [port.frontends for port in services]
    parts += reached_parts(frontends)
    bad = without or uneven or any(map(fails, frontends))
    mood: Mood = "bad" if bad else "good" if all(map(surely_reached, frontends)) else ""
    yield Fact("Services", ", ".join(parts), mood, "services")
    if found is not None:
        yield from cause_facts(result.answers)
        yield from found_facts(found)
    for answer in result.answers:
        if virtual_servers_of(answer.dump) is not None:
            continue  # it tells neither who wrote it, nor what rules do
        of = _of_source(answer.dump) if result.others else ""
        yield Fact(f"kube-proxy{of}", printable(_era(answer.era)), kind="era")
        if masquerade := _masquerade(answer):
            # Rules of others may do so, too: trace names them.
            said = f"by kube-proxy's chains: {printable(masquerade)}{_of_marks(answer.dump)}"
            yield Fact(f"SNAT{of}", said, kind="masquerade")


def _of_source(source: RuleSource) -> str:
    return " of the nft listing" if source.number is None else f" of dump {source.number}"


def _era(era: Era) -> str:
    evidence = "; ".join(placed(cue.line, cue.text) for cue in era.evidence)
    said = sentence(era_remark(era)).removeprefix("kube-proxy ")
    return said + (f" (evidence: {evidence})" if evidence and not era.mixed else "")


def _of_marks(dump: RuleSource) -> str:
    """Return that connections are marked so, and no more is known, where the dump does not print marks."""
    nat = dump.tables.get("nat") if isinstance(dump, Dump) else None
    return (
        " (marked only; the rule that matches the mark is not printed)"
        if nat and rule_table(nat).unprinted.marks()
        else ""
    )


def _masquerade(result: ServicesResult) -> str:
    """Say for how many services connections to the first frontend are masqueraded, and when."""
    alike = Counter(port.usual.masquerade for port in result.forms if port.usual.endpoints)
    unknown = "unknown (excerpt)" if result.dump.is_excerpt else "unknown"
    counts: Counter[str] = Counter()
    for needs, count in alike.items():
        counts[unknown if needs is None else ", or ".join(map(needs_label, needs)) or "never"] += count
    if len(counts) == 1:
        return next(iter(counts))
    return "; ".join(
        f"{count:,}: {text}" for text, count in sorted(counts.items(), key=lambda item: -item[1])
    )
