"""What a dump has and the API does not, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import listed
from iptviz.errors import meant
from iptviz.records import NamedTuple
from iptviz.xtables.address import split_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.checks.finding import Finding
    from iptviz.kube.names import ServiceName
    from iptviz.rules.form import Place


class Differing(NamedTuple):
    """What differs: of the service called `name`, at a frontend, and what the API and the dump say.

    `pod` and `why` are what is known of an endpoint, as `iptviz.questions.api_differences.Difference` has it.
    """

    service: ServiceName
    name: str
    protocol: str
    at: str
    expected: str
    found: str
    pod: str = ""
    why: str = ""


def difference(kind: str, differing: Differing, rule: Place | None, *, complete: bool) -> Finding:
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


_MOST_SERVICES = 5


def _cut(*, services: tuple[str, ...]) -> str:
    named = listed(services, _MOST_SERVICES)
    return f"endpoints of {named} not compared in full: Endpoints hold the first 1,000 alone; pass EndpointSlices"


def _tell_less(*, services: tuple[str, ...]) -> str:
    named = listed(services, _MOST_SERVICES)
    return (
        f"endpoints of {named} not compared in full: Endpoints have one IP family, no topology hints, and "
        "nothing that terminates; pass EndpointSlices"
    )


def _may_be_cut(*, objects: str, count: int) -> str:
    return (
        f"exactly {count:,} {objects} objects: kubectl asks for 500 at a time, and prints what it has where it "
        "fails in between; check that it exited with 0"
    )


def _external_ips(*, count: int) -> str:
    what = "external IP is" if count == 1 else "external IPs are"
    return (
        f"{count:,} {what} not in the dump: kube-proxy writes none where AllowServiceExternalIPs is off, the "
        "default since Kubernetes 1.40; else they are missing"
    )


NOT_FOR_NODE = {
    "not-ready": "is not ready",
    "other-node": "is on another node, and the policy is Local",
    "other-zone": "is for other nodes by its topology hints",
}
"""Why an endpoint of a service is none for this node."""

_SYNC = "kube-proxy on this node is behind, or its restores fail: read its log, and restart it."


REMARKS: dict[str, str | Callable[..., str]] = {
    "endpoints-not-given": "endpoints not compared: no EndpointSlice in the given objects",
    "policies-need-node": "some services have a Local policy: pass --node NAME to compare their local endpoints",
    "hints-need-zone": _hints,
    "node-without-endpoints": _unknown_node,
    "endpoints-cut": _cut,
    "endpoints-tell-less": _tell_less,
    "list-may-be-cut": _may_be_cut,
    "external-ips-not-written": _external_ips,
}


@diagnosis("critical", absence=True, advice=_SYNC)
def service_missing(*, differing: Differing) -> str:
    """The API has a service port that the dump does not have.

    In a fleet that is compared without the API, what most nodes have stands in for it.

    Why: Connections to it are not rewritten on this node: they time out.
    """
    return f"{differing.name}/{differing.protocol} is not in the dump: the API has it at {differing.expected}"


@diagnosis("critical", advice=_SYNC)
def service_extra(*, differing: Differing) -> str:
    """The dump has a service port that the API does not have, or that kube-proxy is to ignore.

    In a fleet that is compared without the API, what most nodes have stands in for it.

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

    In a fleet that is compared without the API, what most nodes have stands in for it.

    Why: The endpoint carries nothing of this node's connections; where it is the only one, they fail.
    """
    of = f" (pod {differing.pod})" if differing.pod else ""
    return (
        f"{differing.name}/{differing.protocol} at {differing.at} lacks the endpoint {differing.expected}{of}"
    )


@diagnosis("critical", reference="k/k#28674, #67875, #51445", advice=_SYNC)
def endpoint_extra(*, differing: Differing) -> str:
    """This node sends connections to what the API does not have as an endpoint, or not for this node.

    In a fleet that is compared without the API, what most nodes have stands in for it.

    Why: The pod is gone, another one has its address, or it is not ready: connections time out or reach another
    pod.
    """
    where = f"{differing.name}/{differing.protocol} at {differing.at}"
    what = NOT_FOR_NODE.get(differing.why, "is not an endpoint of the service")
    address = split_endpoint(differing.found)[0]
    now = f"; {address} is now pod {differing.pod}" if differing.pod else ""
    return f"{where} leads to {differing.found}, which {what}{now}"


@diagnosis("critical", advice=_SYNC)
def endpoint_port_differs(*, differing: Differing) -> str:
    """The endpoint's address is right and its port is not.

    Why: Connections are refused by the pod, or reach another of its programs.
    """
    where = f"{differing.name}/{differing.protocol} at {differing.at}"
    return f"{where} leads to {differing.found} instead of {differing.expected}"


@diagnosis("medium", advice=_SYNC)
def share_differs(*, differing: Differing) -> str:
    """The endpoints of the API are in the dump, and do not get even shares of connections.

    In a fleet that is compared without the API, what most nodes have stands in for it.

    Why: Some endpoints carry more than others, up to all connections.
    """
    where = f"{differing.name}/{differing.protocol} at {differing.at}"
    return f"{where}: endpoints get {differing.found} of connections each instead of {differing.expected}"


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
    "share-differs": share_differs,
    "affinity": affinity_differs,
    "policy": policy_differs,
    "source-ranges": source_ranges_differ,
    "health-check": health_check_differs,
}
"""What each kind of difference is."""
