"""Connections that are not tracked, so that nat is not asked: to services, and those of DNS beside policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import listed
from iptviz.engine.matching import rule_truth
from iptviz.kube.frontends import SERVICE_KINDS
from iptviz.kube.marks import hooks_leading_to
from iptviz.kube.preempt import HOOKS
from iptviz.kube.service import first_packet
from iptviz.rules.iptables import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.packet import Packet
    from iptviz.paths.fares import Reached

_MOST_NAMED = 3
_DNS = "53"
_PORTS = ("--dport", "--dports", "--sport", "--sports")
_POLICIES = ("cali-tw-", "cali-fw-", "cali-th-", "cali-fh-", "cali-pi-", "cali-po-")


def check(node: Examined) -> Iterator[Finding]:
    """Yield what rules of the table raw keep from being tracked."""
    raw = node.dump.tables.get("raw")
    rules = [] if raw is None else _untracking(raw)
    if raw is not None and rules:
        hooks = {rule: hooks_leading_to(raw, rule.chain, HOOKS) for rule in rules}
        yield from _services(node, hooks)
        yield from _dns(node, [rule for rule in rules if hooks[rule] and not _is_of_calico(rule)])


def _untracking(raw: Table) -> list[Rule]:
    found = {rule.line: rule for words in ("-j NOTRACK", "--notrack") for rule in raw.rules_with(words)}
    return [found[line] for line in sorted(found)]


def _is_of_calico(rule: Rule) -> bool:
    """Whether Calico wrote a rule, which knows of what it does not track itself."""
    return rule.chain.startswith("cali-")


def _services(node: Examined, hooks: dict[Rule, set[str]]) -> Iterator[Finding]:
    """Yield the services whose connections are not tracked, all in one finding."""
    taken: dict[str, None] = {}
    deciding: dict[Rule, None] = {}
    for port, each in zip(node.ports, node.reached, strict=True):
        for reached in each:
            rules = _rules_for(reached, hooks)
            deciding |= dict.fromkeys(rules)
            if rules:
                taken[f"{reached.frontend.text} ({port.name})"] = None
    if taken:
        rules = sorted(deciding, key=lambda rule: rule.line)
        yield found(untracked_service, rules, line=rules[0].line, taken=tuple(taken))


def _rules_for(reached: Reached, hooks: dict[Rule, set[str]]) -> list[Rule]:
    """Return the rules for which connections to a frontend are not tracked, where clients notice."""
    if reached.frontend.kind not in SERVICE_KINDS or reached.frontend.address is None:
        return []
    asking = {
        HOOKS[client == "node"]
        for fare in reached.fares
        if fare.word == "this node" or any(one.cause.why == "not DNATed" for one in fare.failures)
        for client in fare.clients
    }
    packet = first_packet(reached.frontend) if asking else None
    return [
        rule for rule, own in hooks.items() if packet is not None and own & asking and _holds(rule, packet)
    ]


def _holds(rule: Rule, packet: Packet) -> bool:
    truth = rule_truth(compiled(rule), packet)
    return bool(truth.chance) and not truth.needs


def _dns(node: Examined, rules: Sequence[Rule]) -> Iterator[Finding]:
    """Yield that DNS is not tracked beside policies of Calico that drop."""
    about = [rule for rule in rules if _names_dns(rule)]
    table = node.dump.tables.get("filter")
    dropping = _policy_drop(table) if about and table is not None else None
    if dropping is not None:
        yield found(
            notrack_dns, [*about, dropping], line=about[0].line, chain=dropping.chain, at=dropping.line
        )


def _names_dns(rule: Rule) -> bool:
    options = (match.option(name) for match in rule.matches for name in _PORTS)
    return any(option is not None and not option.negated and _DNS in option.values for option in options)


def _policy_drop(table: Table) -> Rule | None:
    """Return a rule that drops what no policy admits; what is INVALID is dropped without any."""
    return next(
        (
            rule
            for rule in table.rules_with(" -j DROP")
            if rule.chain.startswith(_POLICIES)
            and not any(match.name == "conntrack" for match in rule.matches)
            and hooks_leading_to(table, rule.chain)
        ),
        None,
    )


# --- the words -------------------------------------------------------------------------------------------------


@diagnosis("info", reference="kubernetes/dns#319")
def untracked_service(*, taken: tuple[str, ...]) -> str:
    """Connections to a service's address are not tracked.

    A rule of the table raw says so: NOTRACK, or CT --notrack.

    Why: What is not tracked does not meet the nat table: these connections go to this node itself, where it has
    the address, and to no endpoint of the service. NodeLocal DNSCache works like that.

    Do: See that the program that should answer them runs on this node: for DNS the node-local-dns pod. If there
    is none, remove the rules.
    """
    return f"not tracked, so that nat is not asked: connections to {listed(taken, _MOST_NAMED)}"


@diagnosis("medium", reference="k/k#98758, projectcalico/calico#3795")
def notrack_dns(*, chain: str, at: int) -> str:
    """DNS is not tracked on a node with network policies of Calico.

    Why: Calico's policies follow connections: what answers a tracked one passes. An answer that is not tracked
    belongs to none, and is dropped where no policy admits it for itself: DNS times out in pods that policies
    select.

    Do: Admit the answers by a policy: from port 53 of the address of NodeLocal DNSCache, UDP and TCP; or run the
    cache without NOTRACK rules.
    """
    return (
        f"DNS is not tracked: for Calico's policies its answers belong to no connection, and line {at} ({chain}) "
        "drops what they do not admit"
    )
