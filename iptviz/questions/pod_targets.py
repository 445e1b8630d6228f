"""A pod as TARGET, and what a list of pods tells of endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.intake.remark import remark
from iptviz.kube.find import find
from iptviz.kube.spellings import POD_KINDS
from iptviz.kube.target import NameTarget, parse_target
from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.intake.remark import Remark
    from iptviz.kube.service import ServiceTrace
    from iptviz.node.snapshot import Snapshot
    from iptviz.supplied.pods import Pod
    from iptviz.supplied.service_names import Candidate


class AskedPod(NamedTuple):
    """A pod that TARGET names, and the TARGET that is its address."""

    pod: Pod
    target: str

    @property
    def note(self) -> Remark:
        """What it is read as."""
        return remark("a-pod", pod=self.pod.text, target=self.target, on_host=self.pod.host_network)


def pod_asked_for(node: Snapshot, typed: str, candidates: Sequence[Candidate]) -> AskedPod | None:
    """Return the pod that TARGET names; None where it names a service, no pod, or one of several."""
    target = parse_target(typed)
    if node.pods is None or not isinstance(target, NameTarget):
        return None
    namespace = None if target.namespace in POD_KINDS else target.namespace
    pods = node.pods.named(namespace, target.name)
    if len(pods) != 1 or any(find(dump, target, candidates).frontends for dump in node.dumps):
        return None
    versions = {4 if dump.family == "ipv4" else 6 for dump in node.dumps}
    networks = ((address, parse_network(address)) for address in pods[0].addresses)
    fitting = [address for address, network in networks if network and network.version in versions]
    return AskedPod(pods[0], join_endpoint((fitting or pods[0].addresses)[0], target.port))


def unlisted(node: Snapshot, services: Sequence[ServiceTrace]) -> Iterator[Remark]:
    """Yield the endpoints of services of which no pod is listed."""
    pods = node.pods
    if pods is None:
        return
    ends = (end.address for traced in services for case in traced.outcomes for end in case.endpoints)
    missing = tuple(dict.fromkeys(address for address in ends if not pods.is_known(address)))
    if missing:
        yield remark("no-pod", addresses=missing)
