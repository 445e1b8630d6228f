"""What a trace says beside its answer: what it lacks or hangs on, and what is odd on the way."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from iptviz.intake.remark import remark
from iptviz.kube.broken_endpoints import is_flawed
from iptviz.kube.families import (
    DISPATCHERS,
    ENDPOINT_CHAIN,
    FIREWALL_CHAIN,
    KERNEL,
    written_by,
)
from iptviz.kube.frontends import CHAIN, SERVICE_KINDS, port_of, value_of
from iptviz.kube.naming import fits
from iptviz.kube.synced import lost_hooks
from iptviz.kube.target import AddressTarget, NodePortTarget, ParsedTarget, is_bare_port
from iptviz.paths.model import ACCEPT
from iptviz.questions.unprinted_notes import suspects, unprinted_notes, ways_of
from iptviz.rules.iptables import dump_rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.kube.find import Found
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.service import ServiceTrace
    from iptviz.paths.model import EndpointRow, FrontendPaths


def dump_notes(dump: Dump, services: Sequence[ServiceTrace]) -> Iterator[Item]:
    """Yield what the dump lacks, and where nothing leads to kube-proxy's chains."""
    yield from unprinted_notes(dump, ways_of(services) if services else suspects(dump))
    if not dump.complete:
        from iptviz.checks import reading

        yield from reading.gaps(dump)
    yield from _undeclared(dump)
    if services and lost_hooks(dump):
        from iptviz.checks.sync import hooks_not_leading

        yield from hooks_not_leading(dump)


def _undeclared(dump: Dump) -> Iterator[Item]:
    """Yield the jumps of built-in chains to kube-proxy's chains that are not there: no kernel loads those."""
    shown = [table for table in dump.tables.values() if not table.shown.is_excerpt]
    for table, hook in product(shown, written_by(KERNEL)):
        for rule in table.rules_with("-j KUBE-", hook):
            if rule.jump is not None and not table.has_chain(rule.jump):
                from iptviz.checks.refused import dangling

                yield dangling((rule.jump,), [rule], complete=dump.complete)


def frontend_notes(dump: Dump, traced: ServiceTrace) -> Iterator[Item]:
    """Yield what is to be said of one frontend."""
    is_service = traced.frontend.kind in (*SERVICE_KINDS, CHAIN)
    yield from _service_notes(dump, traced) if is_service else _port_notes(traced)


def walk_notes(traced: ServiceTrace, *, complete: bool) -> Iterator[Item]:
    """Yield what the walk through the chains of a frontend met; what all is well with imports no words."""
    if traced.broken.loops or traced.broken.missing:
        from iptviz.checks.refused import broken_jumps

        yield from broken_jumps(traced.broken, complete=complete)
    if traced.rounded:
        yield remark("shares-rounded-at", frontend=traced.frontend.text)
    if traced.left_open:
        from iptviz.engine.fields import left_open_label

        yield remark(
            "left-open-at", frontend=traced.frontend.text, questions=left_open_label(traced.left_open)
        )


def _service_notes(dump: Dump, traced: ServiceTrace) -> Iterator[Item]:
    """Yield what is to be said of one frontend of a service."""
    yield from walk_notes(traced, complete=dump.complete)
    chain = traced.frontend.leads_to or traced.chain or ""
    by_name = traced.service.named_by == "comment" and not chain.startswith(ENDPOINT_CHAIN)
    if by_name and not fits(chain, traced.service, traced.frontend.protocol):
        from iptviz.checks.services import edited_hash

        yield edited_hash(chain, traced.service, traced.frontend.rule)
    yield from _remarks(traced)
    yield from _tracked_after_all(dump, traced.frontend)
    if traced.asked_if:
        from iptviz.checks.preemption import conditional

        yield from map(conditional, traced.asked_if)
    if traced.preempted:
        from iptviz.checks.preemption import preempted

        yield from (preempted(other, traced.service) for other in traced.preempted)
    nat = dump.tables.get("nat")
    if nat and _is_odd(traced):
        from iptviz.checks.ways import way_items

        whole = dump.complete and not (traced.broken.loops or traced.broken.missing)
        yield from way_items(traced, nat, complete=whole)


def address_notes(target: ParsedTarget, found: Found, typed: str) -> Iterator[Item]:
    """Yield what is to be said of an address that is taken for the node's, or that node ports leave out.

    A bare number, as typed, is taken for a node port.
    Where ports are not printed, that which is asked for may be that of any service.
    """
    port = target.port if isinstance(target, AddressTarget | NodePortTarget) else None
    if isinstance(target, NodePortTarget) and is_bare_port(typed):
        yield remark("read-as-node-port", typed=typed.strip(), port=target.port)
    if port is not None and any(one.lacks_port for one in found.frontends):
        yield remark("may-be-any-port", port=port)
    if not isinstance(target, AddressTarget) or found.wanted:
        return
    if found.as_node:
        yield remark("taken-as-node", address=target.address, port=target.port)
    limits = dict.fromkeys(
        one.addresses for one in found.frontends if one.addresses and not one.addresses.admits(target.address)
    )
    for limit in limits:
        yield remark("outside-limit", address=target.address, limit=limit)


def marks_in_vain(services: Sequence[ServiceTrace], paths: Sequence[FrontendPaths]) -> Iterator[Item]:
    """Yield that connections of outside clients are marked to be masqueraded, and keep their source."""
    for traced, ways in zip(services, paths, strict=True):
        marks = [mark for mark in traced.usual.masquerade if not any(need.holds for need in mark.needs)]
        own = {end.address for end in traced.usual.endpoints}
        rows = [
            row
            for entry in ways.entries
            if "outside" in entry.clients
            for row in entry.endpoints
            if row.share and row.outcome == ACCEPT and row.address in own and not _stays_here(row)
        ]
        if marks and rows and all(row.snat is None for row in rows):
            yield remark("mark-not-masqueraded", marks[0].rule.line, frontend=traced.frontend.text)


def _stays_here(row: EndpointRow) -> bool:
    """Whether a row is about an endpoint of this node, whose connections no POSTROUTING meets."""
    return any(one.condition.kind == "endpoint-local" and one.holds for one in row.when)


def _remarks(traced: ServiceTrace) -> Iterator[Item]:
    """Yield what is no fault and yet surprises."""
    frontend = traced.frontend
    if frontend.kind in {"node-port", "external-ip"} and _has_source_ranges(frontend):
        yield remark("beyond-source-ranges", frontend=frontend.text)
    if frontend.protocol == "udp" and traced.usual.endpoints:
        yield remark("udp-flows")


def _tracked_after_all(dump: Dump, frontend: Frontend) -> Iterator[Item]:
    """Yield that an ACCEPT comes before a rule that is to keep what arrives at a frontend from being tracked."""
    raw = dump.tables.get("raw")
    if raw is None or frontend.address is None:
        return
    for rule in raw.rules_with(f" -d {frontend.address}/", "PREROUTING"):
        untracks = rule.target is not None and (rule.target.name == "NOTRACK" or "--notrack" in rule.text)
        if not untracks or not _admits(rule, frontend) or port_of(rule) not in {None, frontend.port}:
            continue
        for other in raw.rules_of("PREROUTING")[: rule.number - 1]:
            if other.target is not None and other.target.name == "ACCEPT" and _takes_all(other, frontend):
                yield remark("notrack-not-asked", rule.line, frontend=frontend.text, first=other.line)
                return


def _takes_all(rule: Rule, frontend: Frontend) -> bool:
    """Whether a rule asks for nothing but the protocol, if that, and connections to a frontend have it."""
    asks = {option.name for option in rule.parts.basics} | {match.name for match in rule.matches}
    return asks <= {"-p", "comment"} and _admits(rule, frontend)


def _admits(rule: Rule, frontend: Frontend) -> bool:
    """Whether a rule applies to the protocol of a frontend."""
    asked = [option for option in rule.parts.basics if option.name == "-p"]
    return all((frontend.protocol in option.values) != option.negated for option in asked)


def _has_source_ranges(frontend: Frontend) -> bool:
    """Whether the load balancer of a frontend's service admits some sources alone."""
    rules = (
        dump_rule(frontend.rule).table.rules_of(FIREWALL_CHAIN + frontend.suffix) if frontend.suffix else ()
    )
    return any(value_of(rule, "-s") for rule in rules)


def _port_notes(traced: ServiceTrace) -> Iterator[Item]:
    """Yield what is to be said of a port that is no service's."""
    from iptviz.checks.ports import port_items

    return port_items(traced)


def _is_odd(traced: ServiceTrace) -> bool:
    """Whether there is something to be said of the way: a rule takes connections, or the chains are flawed."""
    return is_flawed(traced) or any(
        outcome.others
        or outcome.returning
        or any(end.rule.chain in DISPATCHERS["nat"] for end in outcome.endpoints)
        for outcome in traced.outcomes
    )


def since_notes(dump: Dump, since: Dump | None) -> Iterator[Item]:
    """Yield which of two dumps that are compared lacks counters."""
    if since is not None and not any(rule.counters for rule in _first_rules(dump)):
        yield remark("no-counters")
    if since is not None and not any(rule.counters for rule in _first_rules(since)):
        yield remark("no-counters-before", source=since.source)


def _first_rules(dump: Dump) -> Iterator[Rule]:
    """Yield one rule of each table: a dump has counters everywhere, or nowhere."""
    return (rule for table in dump.tables.values() if (rule := next(table.rules(), None)) is not None)
