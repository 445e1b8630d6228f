"""The view of a report: where its dump comes from, what was found, the answers, all services, and all chains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.errors import OutputError
from iptviz.paths.fares import fails_unduly
from iptviz.questions.check import CheckResult
from iptviz.questions.report import ReportResult, report_of
from iptviz.questions.services import ServicesResult, services
from iptviz.questions.trace import TraceResult
from iptviz.questions.wanted import INFO
from iptviz.view.blocks import (
    Answers,
    ChainBrowser,
    Fact,
    Facts,
    File,
    Findings,
    Heading,
    Listing,
    Notes,
    Table,
    View,
    later,
)
from iptviz.view.chain_browser import browsed, chosen_chains
from iptviz.view.check import check_facts, check_notes, findings_table, found_text, severities_text
from iptviz.view.labels import note_texts, short_dump_label
from iptviz.view.numbers import counted
from iptviz.view.reached import cause_facts
from iptviz.view.registry import view_of
from iptviz.view.services import SERVICES, services_table, services_view
from iptviz.view.text import printable

_NOT_VISIBLE = (
    "conntrack entries, endpoint health, routes, addresses, ipsets, recent lists, sysctls (route_localnet, "
    "rp_filter, ip_forward, bridge-nf-call-iptables)"
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.node.snapshot import Snapshot

    Chains = tuple[dict[str, dict[str, Any]], str]


def page_view(result: Any, *, fold: bool = True) -> View:
    """Return the view of any answer about a dump: that of a report on the dump, which holds this answer alone.

    Raises:
        OutputError: it is a check of listings of nft alone, of which there is no report.
    """
    if isinstance(result, ServicesResult):
        result = report_of(result, ())
    elif isinstance(result, CheckResult):
        if not result.dumps:
            raise OutputError("no page of a listing of nft alone is made", hint="use -f markdown")
        checked = report_of(services(node_of(result)), ())._replace(checked=result)
        return report_view(checked, fold=fold, asked="check")
    elif not isinstance(result, ReportResult):
        result = report_of(services(node_of(result)), (result,))
    return report_view(result, fold=fold)


def report_view(result: ReportResult, *, fold: bool = True, asked: str = "report") -> View:
    """Return the view of `result`; `fold` shortens long lists, `asked` is the question that was asked."""
    title = f"iptviz {asked}: {printable(result.dump.source)}"
    of_check = result.checked if asked == "check" else None
    answers = tuple(view_of(answer, fold=fold) for answer in result.answers)
    return View(
        title,
        "",
        (
            Heading(title, level=1),
            Facts(later(lambda: tuple(_head(result, of_check)))),
            *_abouts(result, of_check),
            *_findings(result),
            Notes(later(lambda: () if of_check else _notes(result))),
            *([Answers(_asked(result), answers)] if result.odd or answers else []),
            _listing(result.services, fold=fold),
            ChainBrowser(later(lambda: _chains(result.dump, answers))),
            *_files(result),
        ),
    )


def _listing(listed: ServicesResult, *, fold: bool) -> Listing:
    # What is not reached is told first of all, and not once more with the list.
    view = services_view(listed, fold=fold, causes=False)
    return Listing(view, later(lambda: _rows(view) if fold else services_table(listed, fold=True)))


def _rows(folded: View) -> Table:
    """Return the services in a list of them."""
    return next((table for table in folded.of(Table) if table.columns is SERVICES), Table(SERVICES, ()))


def _notes(result: ReportResult) -> tuple[str, ...]:
    return note_texts([note for answer in result.services.answers for note in answer.notes])


def _findings(result: ReportResult) -> Iterator[Findings]:
    """Yield what is wrong with the node, where that was asked."""
    if checked := result.checked:
        found = found_text(checked)
        heading = (
            f"Findings: {len(checked.findings):,}" if checked.findings else f"{found[0].upper()}{found[1:]}"
        )
        yield Findings(heading, findings_table(checked), checked.to_dict)


def node_of(result: Any) -> Snapshot | Dump:
    """Return the node that an answer is about, else the dump."""
    node: Snapshot | Dump = result.snapshot or result.dump
    return node


def _files(result: ReportResult) -> Iterator[File]:
    """Yield what the dumps were read from, each once."""
    texts = dict.fromkeys(map(bytes, result.dumps))
    for number, text in enumerate(texts, 1):
        yield File(f"dump-{number}.rules" if len(texts) > 1 else "dump.rules", lambda text=text: text)  # type: ignore[misc]


def _chains(dump: Dump, answers: tuple[View, ...]) -> Chains:
    chosen, left_out = chosen_chains(dump, {place for answer in answers for place in answer.met()})
    chains = {table.name: browsed(table, chosen.get(table.name)) for table in dump.tables.values()}
    return chains, left_out


def _head(result: ReportResult, of_check: CheckResult | None) -> Iterator[Fact]:
    """Yield what is not reached, what was looked at to say so, and what it was read from.

    Where a check was asked for, `of_check`, first of all why there are no services, and what that looked at.
    """
    if of_check:
        yield from (Fact("No services", note, "bad") for note in check_notes(of_check))
    yield from cause_facts(result.services.answers)
    if result.checked and result.checked.findings:
        found = severities_text(result.checked)
        yield Fact("Findings", found, "bad" if result.checked.counts else "", "findings")
    if of_check:
        yield from (fact._replace(mood="") for fact in check_facts(of_check))
    elif looked_at := _looked_at(result.services):
        yield Fact("Checked", looked_at)
    if len(result.dumps) == 1:
        yield from _about(result.dump, result.digests[0], of_check)
    yield Fact("Not visible in an iptables dump", _NOT_VISIBLE)


def _looked_at(services: ServicesResult) -> str:
    """Return what is known of the services; empty without any."""
    shown = [port for answer in services.answers for port in answer.forms]
    if not shown:
        return ""
    chains = f"kube-proxy's chains of {counted(len(shown), 'service port')}"
    known = sum(all(frontend.fares for frontend in port.frontends) for port in shown)
    if not known:
        return f"{chains}; not the effect of other rules on their connections"
    tables = ", ".join(dict.fromkeys(name for answer in services.answers for name in answer.dump.tables))
    to = "to them" if known == len(shown) else f"to {known:,} of them"
    return (
        f"{chains}; the path of connections from outside, pods and this node {to} through {printable(tables)}"
    )


def _abouts(result: ReportResult, of_check: CheckResult | None) -> Iterator[Heading | Facts]:
    """Yield what each of several dumps was read from, below a heading."""
    if len(result.dumps) > 1:
        for dump, digest in zip(result.dumps, result.digests, strict=True):
            facts = tuple(_about(dump, digest, of_check))
            yield Heading(f"Dump {short_dump_label(dump)}", level=3)
            yield Facts(later(lambda facts=facts: facts))


def _about(dump: Dump, digest: str, of_check: CheckResult | None) -> Iterator[Fact]:
    tables = ", ".join(f"{name} ({table.rule_count:,})" for name, table in dump.tables.items())
    yield Fact("Source", printable(dump.source))
    yield Fact("SHA-256", digest)
    yield Fact("Written by", printable(dump.tool or "unknown (no header)"))
    yield Fact("Saved", printable(dump.time or "unknown"))
    yield Fact("Family", dump.family)
    yield Fact("Tables", printable(tables) + " rules")
    yield (
        Fact("Complete", "yes")
        if dump.complete
        else Fact("Complete", "NO (see the findings)" if of_check else "NO (see the notes)", "bad")
    )


def _asked(result: ReportResult) -> str:
    """Return the heading of the answers."""
    if not result.odd:
        return _requested(result)
    if not result.services.forms:
        return "No service in this dump" + ("" if result.dump.complete else ", which is incomplete")
    count = len(result.answers) + result.left_out
    if not count:
        return _none_suspicious(result.services, result.checked)
    shown = f" ({len(result.answers):,} shown; see the list)" if result.left_out else ""
    unreached = any(
        fails_unduly(port.frontends) for answer in result.services.answers for port in answer.forms
    )
    return f"{'Not reached or suspicious' if unreached else 'Suspicious services'}: {count:,}{shown}"


def _none_suspicious(services: ServicesResult, checked: CheckResult | None) -> str:
    """Return the heading where no service fails for sure; what conditions decide is no good news."""
    ports = [port.frontends for answer in services.answers for port in answer.forms]
    if open_ones := sum(any(fare.may_fail for one in port for fare in one.fares) for port in ports):
        return f"No service surely fails; {counted(open_ones, 'service port')} may fail (see the list)"
    listed = (finding for answer in services.answers for finding in answer.findings)
    found = any(one.severity != INFO for one in listed) or (checked is not None and checked.counts)
    return f"No {'suspicious service' if found else 'problem'} found in what was checked"


def _requested(result: ReportResult) -> str:
    return (
        "Requested services" if all(isinstance(one, TraceResult) for one in result.answers) else "Requested"
    )
