"""What a dump has and the API does not, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.errors import meant
from iptviz.records import NamedTuple

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
    """Return the finding of a difference of `kind`, a key of `DIAGNOSES`; by `rule` the dump says its part.

    `complete` is the dump's.
    """
    rules = [rule] if rule is not None else []
    line = rule.line if rule is not None else 0
    what = DIAGNOSES[kind]
    return found(what, rules, line=line, complete=complete, service=differing.service, differing=differing)


def _differs(what: str, differing: Differing) -> str:
    """Return the sentence of a property that the API and the dump tell differently."""
    says = f"{differing.found or 'none'} in the dump, {differing.expected or 'none'} in the API"
    return f"{differing.name}/{differing.protocol}: {what} differs: {says}"


def _hints(*, node: str | None) -> str:
    how = "pass --node NAME" if node is None else f"add the Node object of {node}, which has its zone"
    return f"some endpoints have topology hints: a node may rightly use some of them only; {how}"


def _unknown_node(*, node: str, names: tuple[str, ...]) -> str:
    what = (
        f'WARNING no endpoint of the API is on node "{node}": Local policies are compared for a node '
        "without endpoints"
    )
    return f"{what}; {meant(names)}" if names else what


_SYNC = "kube-proxy on this node is behind, or its restores fail: read its log, and restart it."


REMARKS: dict[str, str | Callable[..., str]] = {
    "endpoints-not-given": "endpoints not compared: no EndpointSlice in the given objects",
    "policies-need-node": "some services have a Local policy: pass --node NAME to compare their local endpoints",
    "hints-need-zone": _hints,
    "node-without-endpoints": _unknown_node,
}


@diagnosis("critical", absence=True, advice=_SYNC)
def service_missing(*, differing: Differing) -> str:
    """The API has a service port that the dump does not have.

    Why: Connections to it are not rewritten on this node: they time out.
    """
    return f"{differing.name}/{differing.protocol} is not in the dump: the API has it at {differing.expected}"


@diagnosis("critical", advice=_SYNC)
def service_extra(*, differing: Differing) -> str:
    """The dump has a service port that the API does not have, or that kube-proxy is to ignore.

    Why: Connections to its address go to endpoints of a service that is gone.
    """
    return f"{differing.name}/{differing.protocol} at {differing.found} is in the dump, and not in the API"


@diagnosis("critical", absence=True, advice=_SYNC)
def frontend_missing(*, differing: Differing) -> str:
    """The API gives the service an address or a port that the dump does not have.

    Why: Connections to it are not rewritten on this node: they time out.
    """
    return f"{differing.name}/{differing.protocol}: {differing.expected} is not in the dump"


@diagnosis("critical", advice=_SYNC)
def frontend_extra(*, differing: Differing) -> str:
    """The dump has an address or a port of the service that the API does not have.

    Why: Traffic to an address that the service no longer has is taken by this node.
    """
    return f"{differing.name}/{differing.protocol}: {differing.found} is in the dump, and not in the API"


@diagnosis("critical", reference="k/k#121362, #70493", absence=True, advice=_SYNC)
def endpoint_missing(*, differing: Differing) -> str:
    """The API has a ready endpoint that this node does not send connections to.

    Why: The endpoint carries nothing of this node's connections; where it is the only one, they fail.
    """
    return f"{differing.name}/{differing.protocol} at {differing.at} lacks the endpoint {differing.expected}"


@diagnosis("critical", reference="k/k#28674, #67875, #51445", advice=_SYNC)
def endpoint_extra(*, differing: Differing) -> str:
    """This node sends connections to an endpoint that the API does not have.

    Why: The pod is gone, or another one has its address: connections time out or reach another pod.
    """
    where = f"{differing.name}/{differing.protocol} at {differing.at}"
    return f"{where} leads to {differing.found}, which is not an endpoint of the service"


@diagnosis("critical", advice=_SYNC)
def endpoint_port_differs(*, differing: Differing) -> str:
    """The endpoint's address is right and its port is not.

    Why: Connections are refused by the pod, or reach another of its programs.
    """
    where = f"{differing.name}/{differing.protocol} at {differing.at}"
    return f"{where} leads to {differing.found} instead of {differing.expected}"


@diagnosis("medium", advice=_SYNC)
def affinity_differs(*, differing: Differing) -> str:
    """The service's session affinity, or its timeout, differs between the API and the dump.

    Why: Clients change their endpoint when they should not, or stick to one when they should not.
    """
    return _differs("session affinity", differing)


@diagnosis("medium", advice=_SYNC)
def policy_differs(*, differing: Differing) -> str:
    """A traffic policy (internal or external) differs between the API and the dump.

    Why: Connections go to endpoints of other nodes, or only to this node's, against the policy.
    """
    return _differs("traffic policy", differing)


@diagnosis("medium", advice=_SYNC)
def source_ranges_differ(*, differing: Differing) -> str:
    """The loadBalancerSourceRanges differ between the API and the dump.

    Why: Clients are admitted that should not be, or refused that should be admitted.
    """
    return _differs("loadBalancerSourceRanges", differing)


@diagnosis("medium", advice=_SYNC)
def health_check_differs(*, differing: Differing) -> str:
    """The health check node port differs between the API and the dump.

    Why: The load balancer checks a port at which nothing answers and considers the node dead.
    """
    return _differs("health check node port", differing)


DIAGNOSES = {
    "missing-service": service_missing,
    "extra-service": service_extra,
    "missing-frontend": frontend_missing,
    "extra-frontend": frontend_extra,
    "missing-endpoint": endpoint_missing,
    "extra-endpoint": endpoint_extra,
    "wrong-port": endpoint_port_differs,
    "affinity": affinity_differs,
    "policy": policy_differs,
    "source-ranges": source_ranges_differ,
    "health-check": health_check_differs,
}
"""What each kind of difference is."""
