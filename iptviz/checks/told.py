"""What findings tell of connections that fail: a cause is told once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import SEVERITIES
from iptviz.kube.pod_policies import is_of_policies
from iptviz.kube.preempt import HOOKS, hooks_without_services
from iptviz.paths.blocked import HOOKS as EVERY_HOOK
from iptviz.paths.deciders import is_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.table import Table
    from iptviz.kube.frontends import Frontend
    from iptviz.paths.fares import Cause
    from iptviz.paths.model import Decider

_OF_ROUTING = {"forwarding-off", "route-localnet"}
"""What tells why routing ends connections."""

_ASKED_IF = "services-asked-if"
"""What tells that KUBE-SERVICES is asked under conditions alone."""

_FIREWALL = "KUBE-FIREWALL"
_SEVERE = SEVERITIES[: SEVERITIES.index("high") + 1]

_LESS_SEVERE = {"marked-drop-passes", "policy-after-kube-forward"}
"""What tells why services are not reached: what is severe and about their rules, and a few others."""


class Told:
    """What `others` tell of a node: of rules and policies, of hooks of nat, and of frontends."""

    def __init__(self, node: Examined, others: Sequence[Finding]) -> None:
        self._dump = node.dump
        self._nat = node.dump.tables.get("nat")
        said = [finding for finding in others if finding.severity != SEVERITIES[-1]]
        self._ids = {finding.id for finding in said}
        self._lines = {piece.line for finding in said for piece in finding.evidence}
        severe = [finding for finding in said if _is_severe(finding)]
        self._of_services = {piece.line for finding in severe for piece in finding.evidence}
        self._texts = {text.partition(" (")[0] for finding in severe for text in _texts(finding.values)}
        self._hooks = {*(hooks_without_services(self._nat) if self._nat else ())}
        self._hooks |= {str(dict(finding.values)["hook"]) for finding in said if finding.id == _ASKED_IF}

    def tells(self, cause: Cause, client: str, frontend: Frontend) -> bool:
        """Whether one of them tells why clients of a kind fail at a frontend."""
        if cause.by is not None and self._tells_of(cause.by):
            return True
        # Where no rule decides, a dump that lacks lines tells nothing, and the hook may be why.
        silent = cause.by is None and cause.why not in {"rule", "answer"}
        if silent and (not self._dump.complete or HOOKS[client == "node"] in self._hooks):
            return True
        return self._tells_at(frontend)

    def _tells_of(self, by: Decider) -> bool:
        if not by.table:
            return bool(self._ids & _OF_ROUTING)
        # Rules of another dump are told of as such; policies of the network, and what kube-proxy has marked to be
        # dropped, are what somebody wants.
        if not is_in(self._dump, by) or is_of_policies(by.chain, by.table):
            return True
        rules = self._dump.tables[by.table].rules_of(by.chain)
        lines = {by.line}
        if by.chain not in EVERY_HOOK:
            lines |= {rule.line for rule in rules}
        if (
            by.chain == _FIREWALL
            and by.number
            and any(one.name == "mark" for one in rules[by.number - 1].matches)
        ):
            return True
        return not lines.isdisjoint(self._lines)

    def _tells_at(self, frontend: Frontend) -> bool:
        """Whether a severe finding names a frontend, or rules of its service."""
        if frontend.text in self._texts or frontend.rule.line in self._of_services:
            return True
        if self._nat is None or not self._of_services:
            return False
        return any(
            rule.line in self._of_services
            for chain in _chains(self._nat, frontend.leads_to)
            for rule in self._nat.rules_of(chain)
        )


def _is_severe(finding: Finding) -> bool:
    return finding.severity in _SEVERE or finding.id in _LESS_SEVERE


def _texts(value: object) -> Iterator[str]:
    """Yield the texts within a finding's values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _texts(part)


def _chains(nat: Table, first: str | None) -> Iterable[str]:
    """Return the chains that a rule leads to."""
    chains = {first: None} if first and nat.has_chain(first) else {}
    pending = list(chains)
    while pending:
        for rule in nat.rules_of(pending.pop()):
            if rule.jump and rule.jump not in chains and nat.has_chain(rule.jump):
                chains[rule.jump] = None
                pending.append(rule.jump)
    return chains
