"""What an API server says that it has: groups, versions and resources, as kubectls up to 1.25 ask and as later ones do."""

from __future__ import annotations

from typing import Any, NamedTuple

Json = dict[str, Any]


class Resource(NamedTuple):
    """A resource: its group (empty: the core), its names, its kind."""

    group: str
    plural: str
    singular: str
    kind: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    version: str = "v1"

    @property
    def group_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


RESOURCES = (
    Resource("", "endpoints", "endpoints", "Endpoints", ("ep",)),
    Resource("", "events", "event", "Event", ("ev",)),
    Resource("", "namespaces", "namespace", "Namespace", ("ns",), namespaced=False),
    Resource("", "nodes", "node", "Node", ("no",), namespaced=False),
    Resource("", "pods", "pod", "Pod", ("po",)),
    Resource("", "replicationcontrollers", "replicationcontroller", "ReplicationController", ("rc",)),
    Resource("", "services", "service", "Service", ("svc",)),
    Resource("apps", "daemonsets", "daemonset", "DaemonSet", ("ds",)),
    Resource("apps", "deployments", "deployment", "Deployment", ("deploy",)),
    Resource("apps", "replicasets", "replicaset", "ReplicaSet", ("rs",)),
    Resource("discovery.k8s.io", "endpointslices", "endpointslice", "EndpointSlice"),
    Resource("metrics.k8s.io", "pods", "pod", "PodMetrics", version="v1beta1"),
)
_VERBS = ["get", "list", "watch"]
_BROKEN = "metrics.k8s.io"


def served(*, broken: bool) -> list[Resource]:
    """Return the resources that there are: those of the group whose server is away only if it is said to be."""
    return [resource for resource in RESOURCES if broken or resource.group != _BROKEN]


def groups(*, broken: bool) -> dict[str, str]:
    """Return the groups beside the core, each with its version."""
    return {one.group: one.version for one in served(broken=broken) if one.group}


def is_away(group: str) -> bool:
    """Whether the server behind a group does not answer: a metrics server, as it happens."""
    return group == _BROKEN


def legacy(path: str, *, broken: bool) -> Json | None:
    """Return the answer to `/api`, `/apis` or a group's version, as up to 1.25; None for anything else."""
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        listed = [_group(*group) for group in groups(broken=broken).items()]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
    found = [one for one in served(broken=broken) if _root(one) == path]
    if not found:
        return None
    resources = [_resource(one) for one in found]
    version = found[0].group_version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": resources,
    }


def aggregated(path: str, version: str, *, broken: bool) -> Json | None:
    """Return the answer to `/api` or `/apis` that holds all resources, as since 1.26."""
    if path not in {"/api", "/apis"}:
        return None
    wanted = {"": "v1"} if path == "/api" else groups(broken=broken)
    return {
        "kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{version}", "metadata": {},
        "items": [_whole(group, own, served(broken=broken)) for group, own in wanted.items()],
    }  # fmt: skip


def _root(resource: Resource) -> str:
    return f"/apis/{resource.group_version}" if resource.group else f"/api/{resource.version}"


def _group(name: str, version: str) -> Json:
    both = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [both], "preferredVersion": both}


def _resource(one: Resource) -> Json:
    return {
        "name": one.plural, "singularName": one.singular, "namespaced": one.namespaced, "kind": one.kind,
        "verbs": _VERBS, "shortNames": list(one.short),
    }  # fmt: skip


def _whole(group: str, version: str, every: list[Resource]) -> Json:
    own = [one for one in every if one.group == group]
    resources = [
        {
            "resource": one.plural, "singularResource": one.singular, "verbs": _VERBS, "shortNames": list(one.short),
            "scope": "Namespaced" if one.namespaced else "Cluster",
            "responseKind": {"group": group, "version": version, "kind": one.kind},
        }
        for one in own
    ]  # fmt: skip
    told = {"version": version, "resources": resources, "freshness": "Current"}
    stale = {"version": version, "freshness": "Stale"}
    return {"metadata": {"name": group}, "versions": [stale if is_away(group) else told]}
