"""What nft lists of a node: whether it lists anything, and whether kube-proxy's tables in it are whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.checks.finding import Evidence, diagnosis, found
from iptviz.checks.wording import are
from iptviz.intake.remark import remark
from iptviz.kube.families import SERVICES
from iptviz.kube.nftables.own import (
    DISPATCHER,
    FAMILIES,
    MAPS,
    OwnTable,
    has_services,
    is_unled,
    lacking_rules,
    own_tables,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.checks.finding import Finding
    from iptviz.intake.remark import Remark
    from iptviz.node.listing import ReadListing
    from iptviz.node.snapshot import Snapshot

_MESSAGES = 3
"""So many lines of what stands in place of a listing are quoted."""

_TOLD = {"nft-no-elements", "nft-part-of-table", "nft-tables-unlisted", "nft-lines-chosen"}
"""Gaps of listings that are told in a note: of the others there is a finding."""

_PARTS = re.compile(r"[/\\:]")


def check_listings(node: Snapshot) -> Iterator[Finding]:
    """Yield listings that show nothing or a part, and tables of kube-proxy that have lost something."""
    for listing in node.listings:
        yield from _failed(node, listing)
    own = own_tables(node.listings)
    for one in own:
        yield from _flushed(one)
    yield from _without_services(own)


def services_untold(node: Snapshot) -> Iterator[Remark]:
    """Yield why listings without dumps tell not of all services: gaps, or no table of kube-proxy's own."""
    yield from (gap for listing in node.listings for gap in listing.gaps if gap.id in _TOLD)
    if own_tables(node.listings):
        return
    rulesets = [listing.ruleset for listing in node.listings if listing.ruleset]
    tables = filter(
        None, (ruleset.table(family, "nat") for ruleset in rulesets for family in FAMILIES.values())
    )
    chain = next((table.chains[SERVICES] for table in tables if SERVICES in table.chains), None)
    if chain is not None:
        yield remark("services-in-iptables-nft", chain.line)
    elif rulesets:
        yield remark("services-not-listed")


def _failed(node: Snapshot, listing: ReadListing) -> Iterator[Finding]:
    source = listing.piece.source.name
    name = _PARTS.split(source)[-1]
    if listing.ruleset is None:
        messages = list(_messages(listing))
        legacy = bool(node.dumps) and all(dump.backend == "legacy" for dump in node.dumps)
        yield found(nft_listing_empty, messages or [Evidence(0, "", source)],
            state="legacy" if legacy else "failed", name=name, open_at="", legacy=legacy,
            text=messages[-1].text if messages else "",
            count=sum(dump.rule_count for dump in node.dumps if dump.backend == "nf_tables"),
        )  # fmt: skip
    elif listing.open_at:
        first = listing.open_at[0]
        values = dict(first.values)
        where = f"{values['kind']} {values['name']}" if "kind" in values else "its JSON"
        yield found(nft_listing_empty, [Evidence(first.line, "", source)], state="failed", name=name,
            open_at=where, legacy=False, text="", count=0,
        )  # fmt: skip
    elif listing.hides_elements and any(is_unled(own.table) for own in own_tables([listing])):
        first_set = min(one.line for table in listing.ruleset.tables.values() for one in table.sets.values())
        yield found(nft_elements_hidden, [Evidence(first_set, "", source)], name=name)


def _messages(listing: ReadListing) -> Iterator[Evidence]:
    """Yield the last lines of what stands there in place of tables: errors come behind warnings."""
    lines = listing.piece.file.text.splitlines()
    written = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    yield from (Evidence(number, line, listing.piece.source.name) for number, line in written[-_MESSAGES:])


def _flushed(own: OwnTable) -> Iterator[Finding]:
    """Yield what leads to services and is not there any more; of a listing that is cut nobody knows."""
    if own.listing.open_at or own.table in own.listing.parts:
        return
    table, source = own.table, own.listing.piece.source.name
    lacking = lacking_rules(table)
    unled = is_unled(table) and not own.listing.hides_elements
    how = "chains" if not table.chains else "rules" if lacking else "elements" if unled else ""
    if how == "rules":
        names = lacking
        evidence = [Evidence(table.chains[name].line, f"chain {name} {{", source) for name in names]
    else:
        names = tuple(name for name in MAPS if name in table.sets)
        evidence = [Evidence(table.line, f"table {own.name} {{", source)]
    if how:
        yield found(nft_table_flushed, evidence, table=own.name, how=how, names=names)


def _without_services(own: list[OwnTable]) -> Iterator[Finding]:
    """Yield that no table has a service, where both families are shown, or all that there is."""
    both = {one.family for one in own} == set(FAMILIES)
    if own and (both or not any(one.listing.piece.partial for one in own)) and all(map(_is_skeleton, own)):
        evidence = [
            Evidence(one.table.line, f"table {one.name} {{", one.listing.piece.source.name) for one in own
        ]
        yield found(nft_skeleton_only, evidence, tables=tuple(one.name for one in own))


def _is_skeleton(own: OwnTable) -> bool:
    """Whether a table has what leads to services, and none of these."""
    table = own.table
    led = DISPATCHER in table.chains and any(name in table.sets for name in MAPS)
    return led and not (own.listing.open_at or lacking_rules(table) or has_services(table))


REMARKS: dict[str, str | Callable[..., str]] = {
    "listings-passed-over": lambda *, asked, sources: (
        f"{', '.join(sources)} {are(sources, 'lists', 'list')} all tables, too: {asked} alone is asked"
    ),
    "rules-flushed": lambda *, table, chains: (
        f"{', '.join(chains)} of table {table} {are(chains, 'has no rule', 'have no rules')}: no way to services"
    ),
    "services-in-iptables-nft": (
        f"kube-proxy's chain {SERVICES} is in a table of iptables-nft: pass the output of iptables-save, whose "
        "services are checked."
    ),
    "no-services-in-table": "table {table} has no services: no map has an element.",
    "services-not-listed": (
        "No table ip kube-proxy or ip6 kube-proxy is listed: kube-proxy does not run in nftables mode here, or "
        "its tables were taken away (nft flush ruleset), or not all tables were listed."
    ),
}


# --- the words -------------------------------------------------------------------------------------------------


@diagnosis({"failed": "high", "legacy": "info"}, reference="k/k#136786, #140898")
def nft_listing_empty(*, name: str, open_at: str, count: int, text: str, legacy: bool) -> str:
    """A file that should list the tables of nft shows none, or ends within one.

    Why: This does not prove that there are none. An nft that is older than the program that wrote a table can
    crash when it lists that table, with exit status 139 and no output, while iptables-nft-save still works. No
    answer has what is missing: packets may meet it, and kube-proxy in nftables mode keeps all services in such a
    table.

    Do: Run `nft list ruleset` as root on the node, and look at its exit status and at standard error. If it
    crashes, use the nft of the image that kube-proxy runs in, or a newer one. Save the output again, and with it
    `iptables-save` and `iptables-legacy-save`.
    """
    if open_at:
        return f"{name} ends within {open_at}: the listing was cut, and what comes after that is not known"
    what = f"has no table, only messages ({text})" if text else "is empty"
    if count:
        rules = "1 rule" if count == 1 else f"{count:,} rules"
        return f"{name} {what}: nft failed, since iptables-nft has {rules} in tables that nft lists, too"
    if legacy:
        return f"{name} {what}: nft failed, or all rules here are iptables-legacy's, which nft does not list"
    return f"{name} {what}: nft failed, or had nothing to list; no proof of a node without tables of nft"


@diagnosis("medium")
def nft_elements_hidden(*, name: str) -> str:
    """A listing shows no element of any set or map, and chains that only elements lead to.

    `nft --terse` (`-t`, in JSON, too) prints sets and maps without their elements.

    Why: In nftables mode the addresses and ports of services are elements of maps. No answer can tell from this
    listing which services there are, and where a packet goes that is looked up in a map.

    Do: List the tables again, without `--terse`: `nft list ruleset`. If that shows no element either, the maps of
    kube-proxy are empty, and no service works on this node until kube-proxy is restarted.
    """
    return f"{name} shows no element of any set or map: listed with --terse (-t)? Services are not shown"


@diagnosis("critical", absence=True, explains=("nft-element-missing", "connections-lost"))
def nft_table_flushed(*, table: str, how: str, names: tuple[str, ...]) -> str:
    """kube-proxy's table of nft is there, and what leads to services in it is gone.

    The table has no chains, or the chains that lead to services have no rules, or chains of services have rules
    and none of the maps that lead to them has an element. kube-proxy writes all of it in one transaction, and
    never leaves it so.

    Why: Connections to services are not rewritten on this node. kube-proxy has no canary in this mode: it
    compares with what it remembers, and notices nothing until its next full sync, which may be an hour away, or
    come only with a restart.

    Do: Restart kube-proxy, which writes its tables anew. Find out which program flushed the table (`nft flush
    table`, `nft delete chain`), and keep it from that: who loads rules should flush tables of their own alone.
    """
    if how == "chains":
        return f"table {table} has no chain: what kube-proxy wrote there was taken away"
    if how == "rules":
        lacks = are(names, "has no rule", "have no rules")
        return f"table {table}: {', '.join(names)} {lacks}: what kube-proxy wrote there was flushed"
    return (
        f"table {table}: chains of services have rules, and no map leads to them: {', '.join(names)} "
        f"{are(names, 'has', 'have')} no elements"
    )


@diagnosis("critical")
def nft_skeleton_only(*, tables: tuple[str, ...]) -> str:
    """kube-proxy's tables of nft are there, and no service is in them.

    Where a cluster has addresses of one family alone, the table of the other one is so; here all are.

    Why: Every cluster has one service at least, that of the API server. kube-proxy knows of none, or another
    program took away what leads to them: no service works on this node.

    Do: Read kube-proxy's log on this node for errors of nft or of the API server, and restart it. Where another
    program serves as proxy, its rules are elsewhere, and kube-proxy's tables are left over.
    """
    own = f"{are(tables, 'table', 'tables')} {', '.join(tables)}"
    return f"{own}: no service is there; kube-proxy knows of none, or all were taken away"
