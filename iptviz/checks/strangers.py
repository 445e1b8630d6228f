"""What is said of TARGETs that are no service's: chains of others, addresses that no rule rewrites, pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import listed
from iptviz.engine.condition import clauses

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.engine.condition import When
    from iptviz.paths.model import Decider

_MOST_LINES = 5
_MOST_NAMES = 8
_OF_SERVICES = {
    "": "",
    "all": "; it leads to all services: trace one of them",
    "none": "; no service leads to it",
}


def _holds(
    *, table: str, chain: str, at: int, count: int, policy: str | None, partly: bool, of_services: str
) -> str:
    number = "no rules" if not count else "1 rule" if count == 1 else f"{count:,} rules"
    there = f"{number} in this incomplete dump" if partly else number
    ending = f", policy {policy}" if policy else ""
    return f"Chain {chain} is in table {table} (line {at}): {there}{ending}{_OF_SERVICES[of_services]}."


def _called(*, chain: str, callers: tuple[str, ...], lines: tuple[int, ...]) -> str:
    places = ", ".join(map(str, lines[:_MOST_LINES])) + ", ..." * (len(lines) > _MOST_LINES)
    word = "line" if len(lines) == 1 else "lines"
    return f"Rules that lead to {chain} are in {listed(callers, _MOST_NAMES)} ({word} {places})."


_UNCHANGED = {"ACCEPT": "goes on unchanged", "LOCAL": "delivered to this node unchanged"}
_FATES = {
    **_UNCHANGED,
    "DROP": "DROP",
    "REJECT": "REJECT",
    "QUEUE": "a program decides (QUEUE)",
    "STOLEN": "taken by a target",
}
_CLIENTS = {"outside": "from outside", "pod": "from a pod", "node": "from this node"}


def _fate(*, clients: tuple[str, ...], outcome: str, decider: Decider | None, when: When) -> str:
    who = ", ".join(_CLIENTS.get(client, f"from {client}") for client in clients)
    decided = f" by {_by(decider)}" if decider and outcome not in _UNCHANGED else ""
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
    "chain-around": "Nearby chains: iptviz graph --around {chain}",
    "not-dnated": "Not DNATed: no rule of this dump sends {protocol} connections to {at} elsewhere.",
    "no-rule-dnats": (
        "No rule of this dump DNATs {protocol} connections to {at}; nftables or eBPF, which it does not show, "
        "may."
    ),
    "dnated": lambda *, protocol, at, ends: (
        f"Rules that name no service DNAT {protocol} connections to {at}, all or some, "
        f"to {listed(ends, _MOST_NAMES)}."
    ),
    "depends-on-port": "Rules for {at} depend on the port: add one, such as {at}:443",
    "fate": _fate,
    "fates-more": lambda *, count: f"and {count:,} more case{'' if count == 1 else 's'}",
    "read-as-cluster-ip": lambda *, typed, endpoint, only: (
        f"reading {typed} as its cluster IP, {endpoint}" + (f", its only port ({only})" if only else "")
    ),
    "a-pod": lambda *, pod, target, on_host: (
        f"reading pod {pod} as its address, {target}" + (": that of its node" if on_host else "")
    ),
    "no-pod": lambda *, addresses: (
        f"no listed pod has {listed(addresses, _MOST_NAMES)}: not a pod's address, or stale, "
        "or not all pods are listed"
    ),
    "whole-way": "Full path: iptviz packet {options}",
}
