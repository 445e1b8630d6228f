"""Network policies that miss the traffic that they are for, or meet the traffic of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import Evidence, diagnosis, found
from iptviz.checks.wording import listed, named_ports
from iptviz.kube.pod_policies import policies_behind_forward, stale_policies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding

_NAMED = 3


def check(node: Examined) -> Iterator[Finding]:
    """Yield policies behind kube-proxy's accept, and those of pods that are gone."""
    behind = policies_behind_forward(node.dump)
    if behind:
        accepting = behind[0][0]
        rules = [accepting, *(rule for _, rule in behind)]
        chains = tuple(dict.fromkeys(rule.jump or "" for _, rule in behind))
        yield found(policy_after_kube_forward, rules, chains=chains)
    stale = stale_policies(node.dump)
    if stale:
        rules = [rule for one in stale for rule in one.rules]
        addresses = tuple(one.address for one in stale)
        chains = tuple(dict.fromkeys(chain for one in stale for chain in one.chains))
        refusing, services = _refused(node, frozenset(chains))
        made = found(stale_pod_policy, rules, addresses=addresses, chains=chains, services=services)
        lines = {piece.line: piece for piece in (*made.evidence, *refusing)}
        yield made._replace(evidence=tuple(lines[line] for line in sorted(lines)), times=len(stale))


def _refused(node: Examined, chains: frozenset[str]) -> tuple[list[Evidence], tuple[str, ...]]:
    """Return the rules of some chains that end connections to services, and the names of these."""
    lines: dict[int, Evidence] = {}
    services: dict[str, None] = {}
    for port, reached in zip(node.ports, node.reached, strict=True):
        for by in {failure.cause.by for at in reached for fare in at.fares for failure in fare.failures}:
            if by is not None and by.table == "filter" and by.chain in chains:
                lines[by.line or 0] = Evidence(by.line or 0, by.text)
                services[port.name] = None
    return list(lines.values()), tuple(services)


# --- the words -------------------------------------------------------------------------------------------------


@diagnosis("medium", reference="Azure/azure-container-networking#1086")
def policy_after_kube_forward(*, chains: tuple[str, ...]) -> str:
    """A chain of network policies stands in FORWARD behind KUBE-FORWARD.

    KUBE-FORWARD accepts all that kube-proxy marks to be masqueraded.

    Why: Service traffic that is masqueraded, such as that of node ports and load balancers, never meets the
    policies: pods get connections that these forbid.

    Do: Restart the policy plug-in, or set it to put its chain first (Azure NPM and Calico have an option for
    that), and see that it stands above KUBE-FORWARD then.
    """
    those = listed(chains, _NAMED)
    return f"{those} in FORWARD stands behind KUBE-FORWARD, which accepts masqueraded traffic first"


@diagnosis("high", reference="k0sproject/k0s#2849, k3s-io/k3s#10010")
def stale_pod_policy(
    *, addresses: tuple[str, ...], chains: tuple[str, ...], services: tuple[str, ...]
) -> str:
    """A pod's address has two chains of network policies, of which one is of a pod that is gone.

    kube-router writes one chain KUBE-POD-FW-... for each pod.

    Why: Traffic of the pod that has the address now meets both, and the policies of the one that is gone may
    reject it: services with that endpoint fail for a part of their connections.

    Do: Check which pod has the address: kubectl get pods -A -o wide. Restart kube-router on this node, which
    writes its chains anew.
    """
    many = (
        f"{len(addresses):,} pod addresses have" if len(addresses) > 1 else f"pod address {addresses[0]} has"
    )
    rejecting = f"; connections to {named_ports(services)} are rejected there" if services else ""
    return f"{many} more than one chain of policies: {listed(chains, _NAMED)}{rejecting}"
