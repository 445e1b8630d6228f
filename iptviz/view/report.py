"""The view of a report: where its dump comes from, what was found, the answers, all services, and all chains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.dump.model import Dump
from iptviz.errors import OutputError
from iptviz.node.listing import NftListing, rule_counts
from iptviz.paths.fares import fails_unduly
from iptviz.questions.check import CheckResult
from iptviz.questions.fleet import FleetResult
from iptviz.questions.report import ReadFrom, ReportResult, report_of
from iptviz.questions.service_sources import service_sources
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
from iptviz.view.fleet import fleet_page_view
from iptviz.view.labels import here, note_texts, short_dump_label, virtual_servers_of
from iptviz.view.numbers import counted
from iptviz.view.reached import cause_facts
from iptviz.view.registry import view_of
from iptviz.view.services import SERVICES, services_table, services_view
from iptviz.view.text import printable

_ONLY_WHOLE = " (of listings of nft, only whether their tables are whole was checked)"
_SETTINGS = "sysctls (route_localnet, rp_filter, ip_forward, bridge-nf-call-iptables)"
_NOT_IN_NFT = f"conntrack entries, endpoint health, routes, addresses, {_SETTINGS}"
_NOT_IN_DUMPS = f"conntrack entries, endpoint health, routes, addresses, ipsets, recent lists, {_SETTINGS}"

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.node.snapshot import Snapshot

    Chains = tuple[dict[str, dict[str, Any]], str]


def page_view(result: Any, *, fold: bool = True) -> View:
    """Return the view of any answer about a dump: that of a report on the dump, which holds this answer alone.

    The answer about a fleet, which is about no dump, has a page of its own.

    Raises:
        OutputError: it is a check of listings of nft without kube-proxy's table, of which there is no report.
    """
    if isinstance(result, FleetResult):
        return fleet_page_view(result, fold=fold)
    if isinstance(result, ServicesResult):
        result = report_of(result, ())
    elif isinstance(result, CheckResult):
        if not (result.dumps or (result.snapshot and service_sources(result.snapshot, None))):
            what = "no page is made of a listing of nft without kube-proxy's table"
            raise OutputError(what, hint="use -f markdown")
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
            ChainBrowser(later(lambda: _chains(result, answers))),
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
        only = "" if checked.dumps or checked.ports else _ONLY_WHOLE
        yield Findings(f"{heading}{only}", findings_table(checked), checked.to_dict)


def node_of(result: Any) -> Snapshot | Dump:
    """Return the node that an answer is about, else the dump."""
    node: Snapshot | Dump = result.snapshot or result.dump
    return node


def _files(result: ReportResult) -> Iterator[File]:
    """Yield what the rules were read from, each once."""
    for stem, is_of, usual in _STEMS:
        texts = dict.fromkeys(one.text for one in result.read if is_of(one))
        for number, text in enumerate(texts, 1):
            ending = "json" if usual == "nft" and text.lstrip().startswith(b"{") else usual
            name = f"{stem}-{number}.{ending}" if len(texts) > 1 else f"{stem}.{ending}"
            yield File(name, lambda text=text: text)  # type: ignore[misc]


def _is_of_dump(read: ReadFrom) -> bool:
    return any(isinstance(source, Dump) for source in read.sources)


def _of_ipvs(read: ReadFrom) -> bool:
    return any(virtual_servers_of(source) is not None for source in read.sources)


_STEMS: tuple[tuple[str, Callable[[ReadFrom], bool], str], ...] = (
    ("dump", _is_of_dump, "rules"),
    ("ipvsadm", _of_ipvs, "txt"),
    ("ruleset", lambda read: not (_is_of_dump(read) or _of_ipvs(read)), "nft"),
)


def _chains(result: ReportResult, answers: tuple[View, ...]) -> Chains:
    """Return the chains of the dump that is obviously meant, and of listings of nft that tell of services."""
    met = {place for answer in answers for place in answer.met()}
    first = next((source for source in result.sources if isinstance(source, Dump)), None)
    chains: dict[str, dict[str, Any]] = {}
    left_out = ""
    if first is not None:
        chosen, left_out = chosen_chains(first, met)
        chains = {table.name: browsed(table, chosen.get(table.name)) for table in first.tables.values()}
    listings = [source for source in result.sources if isinstance(source, NftListing)]
    if not listings:
        return chains, left_out
    from iptviz.view.native_browser import browsed_listings  # few nodes have listings

    of_nft, left_out_there = browsed_listings(listings, met)
    return chains | of_nft, " ".join(filter(None, (left_out, left_out_there)))


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
    if len(result.read) == 1:
        yield from _about(result.read[0], of_check)
    if any(map(_is_of_dump, result.read)):
        yield Fact("Not visible in an iptables dump", _NOT_IN_DUMPS)
    elif virtual_servers_of(result.dump) is not None:
        yield Fact("Not visible in the output of ipvsadm", f"rules, {_NOT_IN_DUMPS}")
    else:
        yield Fact("Not visible in a listing of nft", _NOT_IN_NFT)


def _looked_at(services: ServicesResult) -> str:
    """Return what is known of the services; empty without any."""
    shown = [port for answer in services.answers for port in answer.forms]
    if not shown:
        return ""
    by_rules = virtual_servers_of(services.dump) is None
    what = "kube-proxy's chains" if by_rules else "virtual servers"
    chains = f"{what} of {counted(len(shown), 'service port')}"
    known = sum(all(frontend.fares for frontend in port.frontends) for port in shown)
    if not known:
        return f"{chains}; not the effect of other rules on their connections"
    tables = ", ".join(dict.fromkeys(name for answer in services.answers for name in answer.dump.tables))
    to = "to them" if known == len(shown) else f"to {known:,} of them"
    return (
        f"{chains}; the path of connections from outside, pods and this node {to} through {printable(tables)}"
    )


def _abouts(result: ReportResult, of_check: CheckResult | None) -> Iterator[Heading | Facts]:
    """Yield what each of several dumps or listings was read from, below a heading."""
    if len(result.read) > 1:
        for read in result.read:
            facts = tuple(_about(read, of_check))
            first = read.sources[0] if read.sources else None
            named = f"Dump {short_dump_label(first)}" if isinstance(first, Dump) else _LISTING[_of_ipvs(read)]
            yield Heading(named, level=3)
            yield Facts(later(lambda facts=facts: facts))


_LISTING = {False: "Listing of nft", True: "Output of ipvsadm"}


def _about(read: ReadFrom, of_check: CheckResult | None) -> Iterator[Fact]:
    if not read.sources:
        yield Fact("Tables", "none that tells of services")
        yield Fact("SHA-256", read.digest)
        return
    first = read.sources[0]
    counts = {name: count for source in read.sources for name, count in rule_counts(source).items()}
    tables = ", ".join(f"{name} ({count:,})" for name, count in counts.items())
    yield Fact("Source", printable(first.source))
    yield Fact("SHA-256", read.digest)
    yield Fact("Written by", printable(first.tool or "unknown (no header)"))
    if isinstance(first, Dump):
        yield Fact("Saved", printable(first.time or "unknown"))
    yield Fact("Family", ", ".join(source.family for source in read.sources))
    virtual = sum(len(one.servers) for one in map(virtual_servers_of, read.sources) if one is not None)
    yield Fact("Tables", printable(tables) + " rules") if tables else Fact("Virtual servers", f"{virtual:,}")
    yield (
        Fact("Complete", "yes")
        if all(source.complete for source in read.sources)
        else Fact("Complete", "NO (see the findings)" if of_check else "NO (see the notes)", "bad")
    )


def _asked(result: ReportResult) -> str:
    """Return the heading of the answers."""
    if not result.odd:
        return _requested(result)
    if not result.services.forms:
        incomplete = "" if result.dump.complete else ", which is incomplete"
        return f"No service in {here(result.dump)}{incomplete}"
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
