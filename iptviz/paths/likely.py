"""Services that usual clients may not reach: who fails where no rule singles him out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.paths.fares import fails
from iptviz.paths.surroundings import pod_networks
from iptviz.paths.usual import UsualClients

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.dump.model import Dump
    from iptviz.engine.host import Host
    from iptviz.paths.fares import Fare, Reached


def usual_clients(dump: Dump, host: Host) -> UsualClients:
    """Return those that no rule singles out; `host` is what is known of the dump's node."""
    return UsualClients(pod_networks(dump, ()), host)


def likely_fails(port: Iterable[Reached], usual: UsualClients) -> bool:
    """Whether a service port surely does not fail, and conditions under which it does leave usual clients.

    So it is where pods of the node fail unless they come by a certain interface. Who comes to a cluster IP from
    outside, who is singled out by his address, and a port at 127.0.0.1 are no such: they fail on many a node.
    """
    reached = tuple(port)
    return not fails(reached) and any(
        _is_of_usual(fare, client, usual)
        for one in reached
        for fare in one.fares
        if fare.may_fail
        for client in fare.clients
        if (client, one.frontend.kind) != ("outside", "cluster-ip")
    )


def _is_of_usual(fare: Fare, client: str, usual: UsualClients) -> bool:
    """Whether clients of a kind fail that are meant to get there, or may be, as the node is."""
    return any(usual.are_meant(failure.when, client) is not None for failure in fare.failures)
