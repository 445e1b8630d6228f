"""Rules that end nat POSTROUTING before kube-proxy is asked, which masquerades there what it has marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import these
from iptviz.kube.families import POSTROUTING
from iptviz.kube.frontends import EXPOSED_KINDS
from iptviz.kube.service_ports import leading
from iptviz.paths.kept import Above, Sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.service_ports import ServicePort


def check(node: Examined) -> Iterator[Finding]:
    """Yield the rules by which marked connections never come to kube-proxy's own."""
    nat = node.dump.tables.get("nat")
    above = Above(node.dump)
    if nat is None or not above:
        return
    sources = Sources(node.rules, node.evidence)
    met = _of_others(node, sources, above)
    for rule, (whose, names) in met.items():
        yield _early(nat, rule, whose, names)
    for rule, names in _of_themselves(node, sources, above).items():
        if rule not in met:
            yield _early(nat, rule, "themselves", names)


def _of_others(node: Examined, sources: Sources, above: Above) -> dict[Rule, tuple[str, dict[str, None]]]:
    """Return the rules that keep what clients outside send from kube-proxy's, with the names of services."""
    met: dict[Rule, tuple[str, dict[str, None]]] = {}
    for kinds, whose in ((EXPOSED_KINDS, "exposed"), (("cluster-ip",), "inside")):
        for port, answer in leading(node.ports, kinds):
            rule = above.ending_of(answer) if answer.masquerades_others else None
            if rule is not None and sources.outside(answer):
                met.setdefault(rule, (whose, {}))[1][port.name] = None
    return met


def _of_themselves(node: Examined, sources: Sources, above: Above) -> dict[Rule, dict[str, None]]:
    """Return the rules that keep what pods send to themselves from kube-proxy's, with the names of services."""
    met: dict[Rule, list[tuple[ServicePort, FrontendAnswer]]] = {}
    for port, answer in leading(node.ports, ("cluster-ip",)):
        end = answer.endpoints[0]
        rule = above.ending(answer.frontend.protocol, end, end.address)
        if rule is not None:
            met.setdefault(rule, []).append((port, answer))
    return {
        rule: {port.name: None for port, _ in pairs}
        for rule, pairs in met.items()
        if sources.of_itself(pairs[0][1], pairs[0][1].endpoints[0])
    }


def _early(nat: Table, rule: Rule, whose: str, names: dict[str, None]) -> Finding:
    jumps = [jump for jump in nat.rules_to(POSTROUTING) if jump.chain == "POSTROUTING"]
    return found(masquerade_preempted, [rule, *jumps], line=rule.line, state=whose, names=tuple(names),
        whose=whose, target=rule.target.name if rule.target else "", chain=rule.chain,
    )  # fmt: skip


# --- the words -------------------------------------------------------------------------------------------------


@diagnosis({"exposed": "high", "inside": "medium", "themselves": "medium"})
def masquerade_preempted(*, names: tuple[str, ...], whose: str, target: str, chain: str) -> str:
    """A rule ends nat POSTROUTING before kube-proxy masquerades what it has marked for that.

    It is of high severity where node ports, external IPs or load-balancer IPs suffer, whose clients come from
    outside the cluster.

    Why: The endpoint gets connections with their own source and answers the client directly, not through this
    node: the client gets an answer from an address that it did not contact, and the connection hangs.

    Do: Find out which program wrote the rule, and see that it stands behind the jump to KUBE-POSTROUTING, which
    kube-proxy puts first when it starts.
    """
    those = _WHOSE[whose].format(these(names))
    return f"{target} in {chain} comes before {POSTROUTING}: {those} not masqueraded"


_WHOSE = {
    "exposed": "connections from outside to {} are",
    "inside": "connections from outside the pods' network to cluster IPs of {} are",
    "themselves": "what pods send to themselves by {} is",
}
