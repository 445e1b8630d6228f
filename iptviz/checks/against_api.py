"""What a dump has and the API does not, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.checks.finding import FindingRow, found

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.kube.names import ServiceName


class Differing(NamedTuple):
    """What differs: of the service called `name`, at a frontend, and what the API and the dump say."""

    service: ServiceName
    name: str
    protocol: str
    at: str
    expected: str
    found: str


def difference(kind: str, differing: Differing, rule: Rule | None, *, complete: bool) -> Finding:
    """Return the finding of a difference of `kind`, a key of `IDS`; by `rule` the dump says its part.

    `complete` is the dump's.
    """
    rules = [rule] if rule is not None else []
    line = rule.line if rule is not None else 0
    return found(
        ROWS, IDS[kind], rules, line=line, complete=complete, service=differing.service, differing=differing
    )


IDS = {
    "missing-service": "service-missing",
    "extra-service": "service-extra",
    "missing-frontend": "frontend-missing",
    "extra-frontend": "frontend-extra",
    "missing-endpoint": "endpoint-missing",
    "extra-endpoint": "endpoint-extra",
    "wrong-port": "endpoint-port-differs",
    "affinity": "affinity-differs",
    "policy": "policy-differs",
    "source-ranges": "source-ranges-differ",
    "health-check": "health-check-differs",
}
"""The finding for each kind of difference."""


def _differs(what: str) -> Callable[..., str]:
    """Return the sentence of a property that the API and the dump tell differently."""

    def words(*, differing: Differing) -> str:
        says = f"{differing.found or 'none'} in the dump, {differing.expected or 'none'} in the API"
        return f"{differing.name}/{differing.protocol}: {what} is {says}"

    return words


def _hints(*, node: str | None) -> str:
    how = "--node NAME tells which" if node is None else f"the Node object of {node} tells its zone"
    return f"some endpoints have topology hints: a node may rightly use some of them only; {how}"


_SYNC = "kube-proxy on this node is behind, or its restores fail: read its log, and restart it."

ROWS = {
    "service-missing": FindingRow(
        severity="critical",
        sentence="{differing.name}/{differing.protocol} is not in the dump: the API has it at "
        "{differing.expected}",
        means="The API has a service port that the dump does not have.",
        matters="Connections to it are not rewritten on this node: they time out.",
        advice=_SYNC,
        absence=True,
    ),
    "service-extra": FindingRow(
        severity="critical",
        sentence="{differing.name}/{differing.protocol} at {differing.found} is in the dump, and not in the API",
        means="The dump has a service port that the API does not have, or that kube-proxy is to ignore.",
        matters="Connections to its address go to endpoints of a service that is gone.",
        advice=_SYNC,
    ),
    "frontend-missing": FindingRow(
        severity="critical",
        sentence="{differing.name}/{differing.protocol}: {differing.expected} is not in the dump",
        means="The API gives the service an address or a port that the dump does not have.",
        matters="Connections to it are not rewritten on this node: they time out.",
        advice=_SYNC,
        absence=True,
    ),
    "frontend-extra": FindingRow(
        severity="critical",
        sentence="{differing.name}/{differing.protocol}: {differing.found} is in the dump, and not in the API",
        means="The dump has an address or a port of the service that the API does not have.",
        matters="Traffic to an address that the service no longer has is taken by this node.",
        advice=_SYNC,
    ),
    "endpoint-missing": FindingRow(
        severity="critical",
        sentence="{differing.name}/{differing.protocol} at {differing.at} lacks the endpoint "
        "{differing.expected}",
        means="The API has a ready endpoint that this node does not send connections to.",
        matters="The endpoint carries nothing of this node's connections; where it is the only one, they fail.",
        advice=_SYNC,
        reference="k/k#121362, #70493",
        absence=True,
    ),
    "endpoint-extra": FindingRow(
        severity="critical",
        sentence="{differing.name}/{differing.protocol} at {differing.at} leads to {differing.found}, "
        "which is no endpoint of it",
        means="This node sends connections to an endpoint that the API does not have.",
        matters="The pod is gone, or another one has its address: connections time out or reach a stranger.",
        advice=_SYNC,
        reference="k/k#28674, #67875, #51445",
    ),
    "endpoint-port-differs": FindingRow(
        severity="critical",
        sentence="{differing.name}/{differing.protocol} at {differing.at} leads to {differing.found} "
        "instead of {differing.expected}",
        means="The endpoint's address is right and its port is not.",
        matters="Connections are refused by the pod, or reach another of its programs.",
        advice=_SYNC,
    ),
    "affinity-differs": FindingRow(
        severity="medium",
        sentence=_differs("session affinity"),
        means="The service's session affinity, or its timeout, is not the same in the API and in the dump.",
        matters="Clients change their endpoint when they should not, or stick to one when they should not.",
        advice=_SYNC,
    ),
    "policy-differs": FindingRow(
        severity="medium",
        sentence=_differs("the traffic policy"),
        means="A traffic policy (internal or external) is not the same in the API and in the dump.",
        matters="Connections go to endpoints of other nodes, or only to this node's, against what was asked "
        "for.",
        advice=_SYNC,
    ),
    "source-ranges-differ": FindingRow(
        severity="medium",
        sentence=_differs("what the load balancer admits"),
        means="loadBalancerSourceRanges are not the same in the API and in the dump.",
        matters="Clients are admitted that should not be, or refused that should be admitted.",
        advice=_SYNC,
    ),
    "health-check-differs": FindingRow(
        severity="medium",
        sentence=_differs("the health check node port"),
        means="healthCheckNodePort is not the same in the API and in the dump.",
        matters="The load balancer asks a port at which nobody answers and takes the node for dead.",
        advice=_SYNC,
    ),
}

REMARKS: dict[str, str | Callable[..., str]] = {
    "policies-need-node": "some services have policy Local: --node NAME tells which endpoints are this node's",
    "hints-need-zone": _hints,
}
