"""TARGETs that are no service's: chains of others, and addresses that no rule sends elsewhere."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from iptviz.checks.wording import listed
from iptviz.engine.condition import clauses
from iptviz.intake.remark import remark
from iptviz.kube.families import NODE_PORTS, SERVICES
from iptviz.kube.names import suffix_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.engine.condition import When
    from iptviz.intake.remark import Remark
    from iptviz.paths.model import Decider

_MOST_RULES = 5
_MOST_NAMES = 8
_TO_READ = 1_000
"""Of a chain with more rules than that nobody is told in one line where they lead."""


def about_chain(dump: Dump, name: str) -> Iterator[Remark]:
    """Yield what the rules of a chain are, where they lead and who leads there, in every table that has it."""
    tables = [table for table in dump.tables.values() if name in table.chains]
    for table in tables:
        yield from _in_table(table, name)
    if tables:
        yield remark("chain-around", chain=name)


def _in_table(table: Table, name: str) -> Iterator[Remark]:
    chain, rules = table.chains[name], table.rules_of(name)
    partly = table.shown.may_lack(name)
    yield remark(
        "chain-holds", table=table.name, chain=name, at=chain.line, count=len(rules), policy=chain.policy,
        partly=partly, of_services=_of_services(table, name, partly=partly),
    )  # fmt: skip
    yield from (remark("chain-rule", rule.line, text=rule.text) for rule in rules[:_MOST_RULES])
    if len(rules) > _MOST_RULES:
        yield remark("chain-more", count=len(rules) - _MOST_RULES)
    if rules and len(rules) <= _TO_READ:
        ends = (rule.jump or (rule.target.name if rule.target else "") for rule in rules)
        yield remark("chain-leads", names=tuple(filter(None, dict.fromkeys(ends))), chain=name)
    callers = dict.fromkeys(rule.chain for rule in islice(table.rules_to(name), _TO_READ))
    lines = tuple(rule.line for rule in islice(table.rules_to(name), _MOST_RULES + 1))
    if callers:
        yield remark("chain-called", chain=name, callers=tuple(callers), lines=lines)
    elif not chain.is_built_in and table.shown.is_whole:
        yield remark("chain-not-called", chain=name, table=table.name)


def _of_services(table: Table, chain: str, *, partly: bool) -> str:
    """Return what a chain of nat has to do with services, if that is known."""
    if table.name != "nat":
        return ""
    if chain in {SERVICES, NODE_PORTS}:
        return "all"
    return "none" if suffix_of(chain) and not partly and table.shown.is_whole else ""


# --- the words -------------------------------------------------------------------------------------------------

_OF_SERVICES = {
    "": "",
    "all": "; it is the way to all services: name one of them",
    "none": "; no service's traffic leads to it",
}


def _holds(
    *, table: str, chain: str, at: int, count: int, policy: str | None, partly: bool, of_services: str
) -> str:
    number = "no rules" if not count else "1 rule" if count == 1 else f"{count:,} rules"
    there = f"{number} in this dump, which may lack some" if partly else number
    ending = f", policy {policy}" if policy else ""
    return f"Chain {chain} is in table {table} (line {at}): {there}{ending}{_OF_SERVICES[of_services]}."


def _called(*, chain: str, callers: tuple[str, ...], lines: tuple[int, ...]) -> str:
    places = ", ".join(map(str, lines[:_MOST_RULES])) + ", ..." * (len(lines) > _MOST_RULES)
    word = "line" if len(lines) == 1 else "lines"
    return f"Rules that lead to {chain} are in {listed(callers, _MOST_NAMES)} ({word} {places})."


_UNCHANGED = {"ACCEPT": "goes on unchanged", "LOCAL": "delivered to this node unchanged"}
_FATES = {
    **_UNCHANGED,
    "DROP": "DROP",
    "REJECT": "REJECT",
    "QUEUE": "a program decides (QUEUE)",
    "STOLEN": "a target keeps it",
}
_CLIENTS = {"outside": "from outside", "pod": "from a pod", "node": "from this node"}


def _fate(*, clients: tuple[str, ...], outcome: str, by: Decider | None, when: When) -> str:
    who = ", ".join(_CLIENTS.get(client, f"from {client}") for client in clients)
    decided = f" by {_by(by)}" if by and outcome not in _UNCHANGED else ""
    return f"{who}: {_FATES.get(outcome, 'not known')}{decided}" + (f", if {clauses(when)}" if when else "")


def _by(by: Decider) -> str:
    if not by.table:
        return f"routing ({by.text})" if by.text else "routing"
    line = f" (line {by.line})" if by.line else ""
    if by.number is None:
        return f"the policy of {by.table} {by.chain}{line}"
    return f"rule {by.number} of {by.table} {by.chain}{line}"


REMARKS: dict[str, str | Callable[..., str]] = {
    "chain-holds": _holds,
    "chain-rule": "{text}",
    "chain-more": lambda *, count: f"and {count:,} more rule{'' if count == 1 else 's'}",
    "chain-leads": lambda *, names, chain: f"Rules of {chain} lead to {listed(names, _MOST_NAMES)}.",
    "chain-called": _called,
    "chain-not-called": "No rule of table {table} leads to {chain}.",
    "chain-around": "Its surroundings: iptviz graph --around {chain}",
    "not-dnated": "Not DNATed: no rule of this dump sends {protocol} connections to {at} elsewhere.",
    "dnated": lambda *, protocol, at, to: (
        f"Rules that name no service DNAT {protocol} connections to {at}, all or some, "
        f"to {listed(to, _MOST_NAMES)}."
    ),
    "depends-on-port": "What becomes of connections to {at} depends on the port: give one, {at}:443",
    "fate": _fate,
    "fates-more": lambda *, count: f"and {count:,} more case{'' if count == 1 else 's'}",
    "a-pod": lambda *, pod, target, on_host: (
        f"reading pod {pod} as its address, {target}" + (": that of its node" if on_host else "")
    ),
    "no-pod": lambda *, addresses: (
        f"no listed pod has {listed(addresses, _MOST_NAMES)}: not a pod's address, or stale, "
        "or not all pods are listed"
    ),
    "whole-way": "The whole way: iptviz packet {options}",
}
