"""The rows of a list of services, and what is said of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.checks.era import era_remark
from iptviz.checks.wording import sentence, sentences
from iptviz.engine.condition import clauses
from iptviz.questions.services import is_uneven
from iptviz.view.facts import Fact
from iptviz.view.labels import dump_label
from iptviz.view.numbers import counted, percent, seconds
from iptviz.view.text import printable
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.kube.era import Era
    from iptviz.kube.frontend_answer import EndpointShare, FrontendAnswer
    from iptviz.kube.published import PublishedPort
    from iptviz.kube.service_ports import ServicePort
    from iptviz.questions.services import ServicesResult

_SHOWN = 3
"""How many other frontends a cell names."""


class ServiceRow(NamedTuple):
    """A service port: a cell for each column, a line for each endpoint, and whether all is well with it."""

    cells: tuple[str, ...]
    endpoints: tuple[str, ...]
    mood: str


class ServicesView(NamedTuple):
    """A line on the dump, the rows below `HEADINGS`, those of published ports, facts about all, and notes."""

    source: str
    rows: tuple[ServiceRow, ...]
    published: tuple[tuple[str, ...], ...]
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]


def services_view(result: ServicesResult, *, fold: bool = True) -> ServicesView:
    """Return the view of `result`; unfolded, with every frontend and every endpoint."""
    return ServicesView(
        dump_label(result.dump, complete=result.dump.complete),
        tuple(_row(one, fold=fold) for one in result.services),
        tuple(_published(one) for one in result.published),
        tuple(_facts(result)),
        tuple(map(printable, sentences(result.notes))),
    )


# --- one service port ----------------------------------------------------------------------------------------


def _row(one: ServicePort, *, fold: bool) -> ServiceRow:
    cells = [cell(one) for cell in COLUMNS.values()]
    cells[HEADINGS.index("ALSO AT")] = _others(one, fold=fold)
    mood = "bad" if is_uneven(one) or not one.all_endpoints else "good"
    return ServiceRow(tuple(map(printable, cells)), () if fold else tuple(_endpoint_lines(one)), mood)


def _cluster_ip(one: ServicePort) -> str:
    frontend = one.usual.frontend
    return join_endpoint(frontend.address or "", frontend.port) if frontend.kind == "cluster-ip" else ""


def _others(one: ServicePort, *, fold: bool = False) -> str:
    texts = [
        join_endpoint(answer.frontend.address or "", answer.frontend.port)
        for answer in one.answers
        if answer.frontend.kind != "cluster-ip"
    ]
    shown = texts[:_SHOWN] if fold and len(texts) > _SHOWN + 1 else texts
    return ", ".join([*shown, *([f"+{len(texts) - len(shown)}"] if len(shown) < len(texts) else [])])


def _count(one: ServicePort) -> str:
    here = next((answer for answer in one.answers if answer.local_only and answer is not one.usual), None)
    count = f"{len(one.endpoints)}" if not one.usual.unseen else f"{len(one.endpoints)}+?"
    return count + ("" if here is None else f" ({len(here.endpoints)} here)")


def _shares(one: ServicePort) -> str:
    balance = one.balance
    if one.usual.unseen:
        return f"{percent(one.usual.leftover)} not in this dump"
    if balance is None:
        return f"{one.verdict.kind}, line {one.verdict.rule.line}" if one.verdict else "no endpoint"
    spread = f"{percent(balance.least)} to {percent(balance.most)}"
    if one.usual.leftover:
        return f"UNEVEN: {spread}, {percent(one.usual.leftover)} get none"
    if not balance.even and not balance.rounded:
        return f"UNEVEN: {spread}"
    return percent(balance.most) if balance.endpoints == 1 else f"{percent(balance.most)} each"


def _affinity(one: ServicePort) -> str:
    return "" if one.affinity is None else seconds(one.affinity)


def _policy(one: ServicePort) -> str:
    policies = {"internal": one.internal_policy, "external": one.external_policy}
    return ", ".join(f"{name} Local" for name, policy in policies.items() if policy == "Local")


def _remarks(one: ServicePort) -> str:
    refused = [answer for answer in one.answers[1:] if answer.verdict and not answer.endpoints]
    if one.verdict and not one.endpoints:
        refused = []
    remarks = [f"{_at(answer)}: {answer.verdict.kind}" for answer in refused if answer.verdict]
    remarks += [f"this dump lacks {', '.join(one.usual.unseen)}"] if one.usual.unseen else []
    remarks += [f"admits {', '.join(one.source_ranges)}"] if one.source_ranges else []
    remarks += [f"health check :{one.health_check}"] if one.health_check is not None else []
    return "; ".join(remarks)


def _at(answer: FrontendAnswer) -> str:
    return join_endpoint(answer.frontend.address or "", answer.frontend.port)


COLUMNS: dict[str, Callable[[ServicePort], str]] = {
    "SERVICE": lambda one: one.name,
    "PROTO": lambda one: one.protocol,
    "CLUSTER IP": _cluster_ip,
    "ALSO AT": _others,
    "ENDPOINTS": _count,
    "SHARES": _shares,
    "AFFINITY": _affinity,
    "POLICY": _policy,
    "REMARKS": _remarks,
}
"""The columns and what their cells say; one that is empty everywhere is left out."""

HEADINGS = tuple(COLUMNS)


PUBLISHED_HEADINGS = ("PUBLISHED PORT", "GOES TO", "BY", "OF", "LINE")


def _published(one: PublishedPort) -> tuple[str, ...]:
    cells = (one.text, one.destination or "this node", one.by, one.of, str(one.rule.line))
    return tuple(map(printable, cells))


def _endpoint_lines(one: ServicePort) -> Iterator[str]:
    yield from map(_endpoint_line, one.endpoints)
    for answer in one.answers[1:]:
        if answer.endpoints and answer.endpoints != one.endpoints:
            yield printable(f"outside clients, at {_at(answer)}:")
            yield from (f"  {_endpoint_line(end)}" for end in answer.endpoints)


def _endpoint_line(end: EndpointShare) -> str:
    return printable(f"{percent(end.share):>8}   {join_endpoint(end.address, end.port)}")


# --- all of them ---------------------------------------------------------------------------------------------


def _facts(result: ServicesResult) -> Iterator[Fact]:
    shown, total = len(result.services), result.total
    text = (
        counted(total, "service port") if shown == total else f"{shown:,} of {counted(total, 'service port')}"
    )
    unseen = sum(bool(one.usual.unseen) for one in result.services)
    without = sum(not one.all_endpoints and not one.usual.unseen for one in result.services)
    uneven = sum(map(is_uneven, result.services))
    parts = [text, *([f"{without:,} without endpoints"] if without else [])]
    parts += [f"{uneven:,} UNEVEN"] if uneven else []
    parts += [f"{unseen:,} not wholly in this dump"] if unseen else []
    yield Fact("Services", ", ".join(parts), "bad" if without or uneven else "good")
    yield Fact("Era", printable(_era(result.era)))
    if masquerade := _masquerade(result):
        yield Fact("Masquerade", printable(masquerade))


def _era(era: Era) -> str:
    evidence = "; ".join(f"line {cue.line}: {cue.text}" for cue in era.evidence)
    return sentence(era_remark(era)) + (f" ({evidence})" if evidence and not era.mixed else "")


def _masquerade(result: ServicesResult) -> str:
    """Say for how many services connections to the first frontend are masqueraded, and when."""
    counts: dict[str, int] = {}
    for one in result.services:
        if one.endpoints:
            texts = [f"if {clauses(needs)}" if needs else "always" for needs in one.usual.masquerade]
            text = ", or ".join(texts) or "never"
            counts[text] = counts.get(text, 0) + 1
    if len(counts) == 1:
        return next(iter(counts))
    return "; ".join(
        f"{count:,}: {text}" for text, count in sorted(counts.items(), key=lambda item: -item[1])
    )
